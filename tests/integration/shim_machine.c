/* Preloaded: another machine, as far as doctor looks. Its disks have TD_DISK_FREE bytes left, its
 * vm.max_map_count is what the file TD_MAP_COUNT holds, and the name two.test has the addresses
 * 127.0.0.1 and 127.0.0.99. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* The function of that name behind this library; C has no cast from an object to a function. */
static void find_next(const char *name, void *ret_function)
{
	void *found = dlsym(RTLD_NEXT, name);
	memcpy(ret_function, &found, sizeof(found));
}

int statvfs(const char *path, struct statvfs *ret)
{
	int (*next)(const char *, struct statvfs *);
	const char *left = getenv("TD_DISK_FREE");
	find_next("statvfs64", &next);
	int rc = next(path, ret);
	if (rc == 0 && left != NULL) {
		ret->f_frsize = 1;
		ret->f_bavail = strtoull(left, NULL, 10);
	}
	return rc;
}

FILE *fopen(const char *path, const char *mode)
{
	FILE *(*next)(const char *, const char *);
	const char *instead = getenv("TD_MAP_COUNT");
	find_next("fopen64", &next);
	if (instead != NULL && strcmp(path, "/proc/sys/vm/max_map_count") == 0)
		path = instead;
	return next(path, mode);
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
	struct addrinfo **result)
{
	int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
	find_next("getaddrinfo", &next);
	if (name == NULL || strcmp(name, "two.test") != 0)
		return next(name, service, hints, result);
	int rc = next("127.0.0.1", service, hints, result);
	if (rc == 0)
		rc = next("127.0.0.99", service, hints, &(*result)->ai_next);
	return rc;
}
