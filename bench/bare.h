/* What the bare loops share: a user's row written to the database of ours with nothing around it
 * but SQLite. No queue, no lane, no reply; the row and the pragmas are those of the store. */
#ifndef TD_BENCH_BARE_H
#define TD_BENCH_BARE_H

#include <stdint.h>

struct bare;

/* Opens the migrated database at `path`. Ends the process with a message when that fails, as all of
 * these do. Give it to bare_close(). */
struct bare *bare_open(const char *path);
void bare_close(struct bare *bare);

void bare_begin(struct bare *bare);
void bare_insert(struct bare *bare);                   /* a user with a random id */
void bare_subscribe(struct bare *bare, uint64_t user); /* the user u<number>, who has none */
void bare_commit(struct bare *bare);

/* argv[index] as a number from 1 to max; ends the process otherwise. */
uint64_t bare_number(int argc, char **argv, int index, const char *name, uint64_t max);

#endif
