/* A preloaded shim between a program and what it believes of the world.
 *
 * SHIM_NAMES names a file of lines "NAME ADDRESS": getaddrinfo() gives that address, and for every
 * other name that ends in ".test" says that there is none; "-" for the address is no answer, as
 * long as that stands there. SHIM_CLOCK names a file whose first
 * eight bytes are a number of seconds that CLOCK_REALTIME is wrong by. Both may change at any time.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef int lookup_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);
typedef int clock_fn(clockid_t, struct timespec *);

static int find_address(const char *name, char *address, size_t size)
{
	const char *path = getenv("SHIM_NAMES");
	FILE *file = path != NULL ? fopen(path, "re") : NULL;
	char known[256], at[64];
	int found = 0;
	while (file != NULL && !found && fscanf(file, "%255s %63s", known, at) == 2)
		found = strcmp(known, name) == 0;
	if (file != NULL)
		(void)fclose(file);
	if (found)
		(void)snprintf(address, size, "%s", at);
	return found;
}

static int is_ours(const char *name)
{
	size_t len = strlen(name);
	return len > 5 && strcmp(name + len - 5, ".test") == 0;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	struct addrinfo **result)
{
	lookup_fn *real = (lookup_fn *)dlsym(RTLD_NEXT, "getaddrinfo");
	char address[64];
	if (name == NULL || !is_ours(name))
		return real(name, service, hints, result);
	int found = find_address(name, address, sizeof(address));
	for (; found && strcmp(address, "-") == 0;
		found = find_address(name, address, sizeof(address)))
		(void)poll(NULL, 0, 20);
	if (!found)
		return EAI_NONAME;
	return real(address, service, hints, result);
}

static volatile int64_t *open_offset(void)
{
	const char *path = getenv("SHIM_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at = fd >= 0 ? mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
	if (fd >= 0)
		(void)close(fd);
	return at != MAP_FAILED ? at : NULL;
}

static volatile int64_t *offset;
static clock_fn *real_clock;

__attribute__((constructor)) static void begin(void)
{
	real_clock = (clock_fn *)dlsym(RTLD_NEXT, "clock_gettime");
	offset = open_offset();
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
	if (real_clock == NULL)
		real_clock = (clock_fn *)dlsym(RTLD_NEXT, "clock_gettime");
	int rc = real_clock(clock, now);
	if (rc == 0 && clock == CLOCK_REALTIME && offset != NULL)
		now->tv_sec += *offset;
	return rc;
}
