/* sqlite_loop DATABASE MILLISECONDS: users written one by one, each with a commit of its own
 * (the statement's own transaction: nothing costs less). */
#include "bare.h"
#include "timing.h"

#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	double seconds = (double)bare_number(argc, argv, 2, "MILLISECONDS", 600000) / 1e3;
	struct bare *bare = bare_open(argv[1]);
	uint64_t done = 0;
	double cpu = timing_cpu(), from = timing_now(), now = from;
	while (now < from + seconds) {
		bare_insert(bare);
		done++;
		now = timing_now();
	}
	printf("{\"done\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.6f}\n", done, now - from,
		timing_cpu() - cpu);
	bare_close(bare);
	return 0;
}
