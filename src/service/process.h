/* What this process uses of the system, from getrusage(2) and /proc. */
#ifndef TD_SERVICE_PROCESS_H
#define TD_SERVICE_PROCESS_H

#include <stdint.h>

struct process_usage {
	double cpu_seconds; /* user and system */
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_fds, max_fds;
};

/* What cannot be read is 0. Any thread. */
struct process_usage process_usage_read(void);

#endif
