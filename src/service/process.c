#include "service/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static void read_memory(struct process_usage *usage)
{
	char text[128];
	unsigned long long size = 0;
	unsigned long long resident = 0;
	int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	ssize_t len = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	if (len <= 0)
		return;
	text[len] = '\0';
	if (sscanf(text, "%llu %llu", &size, &resident) != 2)
		return;
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	usage->virtual_bytes = size * page;
	usage->resident_bytes = resident * page;
}

static uint64_t count_fds(void)
{
	uint64_t count = 0;
	DIR *dir = opendir("/proc/self/fd");
	if (dir == NULL)
		return 0;
	for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
		count += entry->d_name[0] != '.';
	(void)closedir(dir);
	return count > 0 ? count - 1 : 0; /* without the folder's own */
}

struct process_usage process_usage_read(void)
{
	struct process_usage usage = {0};
	struct rusage times;
	struct rlimit files;
	if (getrusage(RUSAGE_SELF, &times) == 0)
		usage.cpu_seconds = (double)(times.ru_utime.tv_sec + times.ru_stime.tv_sec) +
				    (double)(times.ru_utime.tv_usec + times.ru_stime.tv_usec) / 1e6;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0)
		usage.max_fds = files.rlim_cur;
	read_memory(&usage);
	usage.open_fds = count_fds();
	return usage;
}
