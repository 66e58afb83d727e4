/* A preloaded shim between a program and its disk, for the files whose path begins with SHIM_PATH
 * (a database, its -wal and -journal; not -shm).
 *
 * SHIM_SHADOW names a folder that holds what a power cut would leave: only what was written before
 * an fsync or fdatasync of that file began that has returned. It changes in one step under an
 * exclusive flock of SHIM_SHADOW/lock, so whoever takes that lock copies one moment.
 *
 * SHIM_CONTROL names a file of eight 64-bit numbers, shared with the test:
 *   0 out  fsyncs and fdatasyncs that have returned     4 in  milliseconds that each of them takes
 *   1 out  writes                                       5 in  end the process at this sync, before
 * it 2 in   nonzero: writes fail with ENOSPC             6 in  nonzero: syncs are not believed (to
 *   3 in   end the process in the middle of this write        see that a test would notice)  */
/* Both names of a call are defined here, so neither may stand for the other. */
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum control {
	SYNCS,
	WRITES,
	DISK_FULL,
	EXIT_AT_WRITE,
	DELAY_MS,
	EXIT_AT_SYNC,
	FORGETFUL,
	CONTROL_COUNT = 8,
};

/* What was done to a file since its last sync, in order. */
struct change {
	struct change *next;
	bool truncates; /* else writes */
	off_t at;       /* or the length */
	size_t len;
	unsigned char bytes[];
};

#define FILES_MOST 16
#define FDS_MOST   4096

struct file {
	char name[64]; /* of the shadow; "" is a free place */
	struct change *first, *last;
	size_t pending;
};

static struct {
	pthread_mutex_t lock;
	char path[PATH_MAX];
	int shadow_fd, lock_fd;
	_Atomic int64_t *control;
	struct file files[FILES_MOST];
	int8_t file_of[FDS_MOST]; /* 1 + index in files; 0: not tracked */
} shim = {.lock = PTHREAD_MUTEX_INITIALIZER, .shadow_fd = -1, .lock_fd = -1};

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_write)(int, const void *, size_t);
static int (*real_ftruncate)(int, off_t);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_unlink)(const char *);

static void must(bool holds, const char *what)
{
	if (holds)
		return;
	perror(what);
	abort();
}

static void *find(const char *name)
{
	void *fn = dlsym(RTLD_NEXT, name);
	must(fn != NULL, name);
	return fn;
}

static void map_control(void)
{
	const char *path = getenv("SHIM_CONTROL");
	must(path != NULL, "SHIM_CONTROL is not set");
	int fd = real_open(path, O_RDWR | O_CLOEXEC);
	must(fd >= 0, path);
	shim.control = mmap(
		NULL, CONTROL_COUNT * sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	must(shim.control != MAP_FAILED, "mmap SHIM_CONTROL");
	(void)real_close(fd);
}

__attribute__((constructor)) static void begin(void)
{
	*(void **)&real_open = find("open64");
	*(void **)&real_close = find("close");
	*(void **)&real_pwrite = find("pwrite64");
	*(void **)&real_write = find("write");
	*(void **)&real_ftruncate = find("ftruncate64");
	*(void **)&real_fdatasync = find("fdatasync");
	*(void **)&real_fsync = find("fsync");
	*(void **)&real_unlink = find("unlink");
	const char *path = getenv("SHIM_PATH"), *shadow = getenv("SHIM_SHADOW");
	must(path != NULL && strlen(path) < sizeof(shim.path), "SHIM_PATH");
	strcpy(shim.path, path);
	map_control();
	if (shadow == NULL)
		return;
	shim.shadow_fd = real_open(shadow, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(shim.shadow_fd >= 0, shadow);
	shim.lock_fd = openat(shim.shadow_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(shim.lock_fd >= 0, "SHIM_SHADOW/lock");
}

/* ---- which files */

/* The shadow's name of a tracked path, or NULL. */
static const char *name_of(const char *path)
{
	size_t len = strlen(shim.path);
	char whole[PATH_MAX];
	if (path[0] != '/') {
		char folder[PATH_MAX / 2];
		if (getcwd(folder, sizeof(folder)) == NULL)
			return NULL;
		(void)snprintf(whole, sizeof(whole), "%s/%s", folder,
			strncmp(path, "./", 2) == 0 ? path + 2 : path);
		if (strncmp(whole, shim.path, len) != 0)
			return NULL;
		path = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	} else {
		if (strncmp(path, shim.path, len) != 0)
			return NULL;
		path = strrchr(path, '/') + 1;
	}
	size_t name_len = strlen(path);
	if (name_len >= sizeof(shim.files[0].name) ||
		(name_len > 4 && strcmp(path + name_len - 4, "-shm") == 0))
		return NULL;
	return path;
}

static int file_index_locked(const char *name)
{
	for (int i = 0; i < FILES_MOST; i++) {
		if (strcmp(shim.files[i].name, name) == 0)
			return i;
	}
	for (int i = 0; i < FILES_MOST; i++) {
		if (shim.files[i].name[0] == '\0') {
			strcpy(shim.files[i].name, name);
			return i;
		}
	}
	must(false, "too many files");
	return -1;
}

static struct file *file_of_locked(int fd)
{
	if (fd < 0 || fd >= FDS_MOST || shim.file_of[fd] == 0)
		return NULL;
	return &shim.files[shim.file_of[fd] - 1];
}

/* ---- the shadow */

static int open_shadow(const struct file *file)
{
	int fd = openat(shim.shadow_fd, file->name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0, file->name);
	return fd;
}

static void append_locked(
	struct file *file, bool truncates, off_t at, const void *bytes, size_t len)
{
	struct change *change = malloc(sizeof(*change) + len);
	must(change != NULL, "malloc");
	*change = (struct change){.truncates = truncates, .at = at, .len = len};
	if (len != 0)
		memcpy(change->bytes, bytes, len);
	if (file->last != NULL)
		file->last->next = change;
	else
		file->first = change;
	file->last = change;
	file->pending++;
}

static void drop_first_locked(struct file *file)
{
	struct change *change = file->first;
	file->first = change->next;
	if (file->first == NULL)
		file->last = NULL;
	file->pending--;
	free(change);
}

/* The first `count` changes are on the disk now. */
static void settle_locked(struct file *file, size_t count)
{
	must(flock(shim.lock_fd, LOCK_EX) == 0, "flock");
	int fd = open_shadow(file);
	for (; count > 0 && file->first != NULL; count--) {
		const struct change *c = file->first;
		if (c->truncates)
			must(real_ftruncate(fd, c->at) == 0, "truncate the shadow");
		else
			must(real_pwrite(fd, c->bytes, c->len, c->at) == (ssize_t)c->len,
				"write the shadow");
		drop_first_locked(file);
	}
	(void)real_close(fd);
	(void)flock(shim.lock_fd, LOCK_UN);
}

/* A file that was there before is on the disk. */
static void seed_locked(int fd, const struct file *file)
{
	char bytes[65536];
	off_t at = 0;
	ssize_t n;
	if (shim.shadow_fd < 0 || faccessat(shim.shadow_fd, file->name, F_OK, 0) == 0)
		return;
	int shadow = open_shadow(file);
	while ((n = pread(fd, bytes, sizeof(bytes), at)) > 0) {
		must(real_pwrite(shadow, bytes, (size_t)n, at) == n, "seed the shadow");
		at += n;
	}
	(void)real_close(shadow);
}

/* ---- the calls */

static void end_here(void)
{
	_exit(137);
}

static bool tracks(int fd)
{
	return fd >= 0 && fd < FDS_MOST && shim.file_of[fd] != 0;
}

int open64(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	int fd = real_open(path, flags, mode);
	const char *name = fd >= 0 && fd < FDS_MOST ? name_of(path) : NULL;
	if (name != NULL && (flags & O_DIRECTORY) == 0) {
		pthread_mutex_lock(&shim.lock);
		int index = file_index_locked(name);
		shim.file_of[fd] = (int8_t)(1 + index);
		seed_locked(fd, &shim.files[index]);
		pthread_mutex_unlock(&shim.lock);
	}
	return fd;
}

int open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = (flags & O_CREAT) != 0 ? va_arg(args, mode_t) : 0;
	va_end(args);
	return open64(path, flags, mode);
}

int close(int fd)
{
	if (tracks(fd)) {
		pthread_mutex_lock(&shim.lock);
		shim.file_of[fd] = 0;
		pthread_mutex_unlock(&shim.lock);
	}
	return real_close(fd);
}

static ssize_t write_tracked(int fd, const void *bytes, size_t len, off_t at)
{
	int64_t number = atomic_fetch_add(&shim.control[WRITES], 1) + 1;
	if (atomic_load(&shim.control[DISK_FULL]) != 0) {
		errno = ENOSPC;
		return -1;
	}
	if (number == atomic_load(&shim.control[EXIT_AT_WRITE])) {
		if (real_pwrite(fd, bytes, len / 2, at) >= 0)
			end_here();
		end_here();
	}
	pthread_mutex_lock(&shim.lock);
	ssize_t written = real_pwrite(fd, bytes, len, at);
	struct file *file = file_of_locked(fd);
	if (written > 0 && file != NULL && shim.shadow_fd >= 0)
		append_locked(file, false, at, bytes, (size_t)written);
	pthread_mutex_unlock(&shim.lock);
	return written;
}

ssize_t pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
	return tracks(fd) ? write_tracked(fd, bytes, len, at) : real_pwrite(fd, bytes, len, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at)
{
	return pwrite64(fd, bytes, len, at);
}

ssize_t write(int fd, const void *bytes, size_t len)
{
	if (!tracks(fd))
		return real_write(fd, bytes, len);
	off_t at = lseek(fd, 0, SEEK_CUR);
	ssize_t written = write_tracked(fd, bytes, len, at);
	if (written > 0)
		(void)lseek(fd, at + written, SEEK_SET);
	return written;
}

int ftruncate64(int fd, off_t length)
{
	if (!tracks(fd))
		return real_ftruncate(fd, length);
	pthread_mutex_lock(&shim.lock);
	int result = real_ftruncate(fd, length);
	struct file *file = file_of_locked(fd);
	if (result == 0 && file != NULL && shim.shadow_fd >= 0)
		append_locked(file, true, length, NULL, 0);
	pthread_mutex_unlock(&shim.lock);
	return result;
}

int ftruncate(int fd, off_t length)
{
	return ftruncate64(fd, length);
}

/* Only what was written before it began is promised. */
static int sync_tracked(int fd, int (*real)(int))
{
	int64_t delay_ms = atomic_load(&shim.control[DELAY_MS]);
	pthread_mutex_lock(&shim.lock);
	struct file *file = file_of_locked(fd);
	size_t pending = file != NULL ? file->pending : 0;
	pthread_mutex_unlock(&shim.lock);
	if (atomic_load(&shim.control[SYNCS]) + 1 == atomic_load(&shim.control[EXIT_AT_SYNC]))
		end_here();
	if (delay_ms > 0) {
		struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000};
		(void)nanosleep(&delay, NULL);
	}
	int result = real(fd);
	if (result == 0 && file != NULL && shim.shadow_fd >= 0 &&
		atomic_load(&shim.control[FORGETFUL]) == 0) {
		pthread_mutex_lock(&shim.lock);
		settle_locked(file, pending);
		pthread_mutex_unlock(&shim.lock);
	}
	atomic_fetch_add(&shim.control[SYNCS], 1);
	return result;
}

int fdatasync(int fd)
{
	return tracks(fd) ? sync_tracked(fd, real_fdatasync) : real_fdatasync(fd);
}

int fsync(int fd)
{
	return tracks(fd) ? sync_tracked(fd, real_fsync) : real_fsync(fd);
}

/* A name that is taken away is taken to be gone at once: SQLite deletes only what it needs no
 * more. */
int unlink(const char *path)
{
	const char *name = name_of(path);
	int result = real_unlink(path);
	if (result != 0 || name == NULL || shim.shadow_fd < 0)
		return result;
	pthread_mutex_lock(&shim.lock);
	struct file *file = &shim.files[file_index_locked(name)];
	while (file->first != NULL)
		drop_first_locked(file);
	must(flock(shim.lock_fd, LOCK_EX) == 0, "flock");
	(void)unlinkat(shim.shadow_fd, name, 0);
	(void)flock(shim.lock_fd, LOCK_UN);
	pthread_mutex_unlock(&shim.lock);
	return result;
}
