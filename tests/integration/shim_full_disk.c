/* Preloaded: the disk is full after TD_DISK_BYTES bytes were written to regular files. */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_llong written;

static bool is_full(int fd, size_t size)
{
	struct stat info;
	const char *text = getenv("TD_DISK_BYTES");
	if (text == NULL || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
		return false;
	if (atomic_fetch_add(&written, (long long)size) + (long long)size <= atoll(text))
		return false;
	errno = ENOSPC;
	return true;
}

/* The function of that name behind this library; C has no cast from an object to a function. */
static void find_next(const char *name, void *ret_function)
{
	void *found = dlsym(RTLD_NEXT, name);
	memcpy(ret_function, &found, sizeof(found));
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	ssize_t (*next)(int, const void *, size_t);
	find_next("write", &next);
	return is_full(fd, size) ? -1 : next(fd, bytes, size);
}

/* With _FILE_OFFSET_BITS=64 this is pwrite64, which SQLite calls. */
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	ssize_t (*next)(int, const void *, size_t, off_t);
	find_next("pwrite64", &next);
	return is_full(fd, size) ? -1 : next(fd, bytes, size, offset);
}

/* The name of it that PostgreSQL calls. */
ssize_t plain_pwrite(int fd, const void *bytes, size_t size, off_t offset) __asm__("pwrite");

ssize_t plain_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	return pwrite(fd, bytes, size, offset);
}
