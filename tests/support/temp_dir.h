/* A folder of the test's own below $TMPDIR (or /tmp). */
#ifndef TD_TESTS_SUPPORT_TEMP_DIR_H
#define TD_TESTS_SUPPORT_TEMP_DIR_H

#include <stddef.h>

struct temp_dir {
	char path[256];
};

/* Asserts that it worked. */
void temp_dir_make(struct temp_dir *dir);

/* With all that is in it. */
void temp_dir_remove(struct temp_dir *dir);

/* "folder/name" in static storage that eight calls share. */
const char *temp_dir_path(const struct temp_dir *dir, const char *name);

/* Writes a file, folders before it included. */
void temp_dir_write(const struct temp_dir *dir, const char *name, const void *bytes, size_t len);
void temp_dir_write_text(const struct temp_dir *dir, const char *name, const char *text);

#endif
