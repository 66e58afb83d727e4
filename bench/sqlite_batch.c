/* sqlite_batch DATABASE MILLISECONDS BATCH: users written in batches with a commit for each. */
#include "bare.h"
#include "timing.h"

#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	double seconds = (double)bare_number(argc, argv, 2, "MILLISECONDS", 600000) / 1e3;
	uint64_t batch = bare_number(argc, argv, 3, "BATCH", 4096);
	struct bare *bare = bare_open(argv[1]);
	uint64_t done = 0;
	double cpu = timing_cpu(), from = timing_now(), now = from;
	while (now < from + seconds) {
		bare_begin(bare);
		for (uint64_t i = 0; i < batch; i++)
			bare_insert(bare);
		bare_commit(bare);
		done += batch;
		now = timing_now();
	}
	printf("{\"done\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.6f, \"batch\": %" PRIu64
	       "}\n",
		done, now - from, timing_cpu() - cpu, batch);
	bare_close(bare);
	return 0;
}
