#include "assets/assets.h"

#include "assets/assets_compiled.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST  (1024u * 1024u)
#define FILES_MOST 512
#define DEPTH_MOST 4

const struct asset *asset_compiled(enum asset_set set, size_t *ret_count)
{
	td_assert(set < ASSET_SET_COUNT);
	*ret_count = asset_sets[set].count;
	return asset_sets[set].files;
}

const struct asset *asset_find(enum asset_set set, const char *path)
{
	size_t count;
	const struct asset *files = asset_compiled(set, &count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(files[i].path, path) == 0)
			return &files[i];
	}
	return NULL;
}

struct listing {
	struct td_arena *arena;
	struct asset_file files[FILES_MOST];
	size_t count;
};

static enum td_status read_all(int fd, size_t size, struct td_arena *arena, const char *path,
	struct td_slice *ret_bytes, struct td_err *err)
{
	char *bytes = td_arena_alloc(arena, size + 1);
	if (bytes == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to read %s", path);
	size_t len = 0;
	while (len < size) {
		ssize_t n = read(fd, bytes + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return td_err_errno(err, TD_IO, errno, "cannot read %s", path);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_bytes = td_slice(bytes, len);
	return TD_OK;
}

static enum td_status read_file(
	const char *path, struct td_arena *arena, struct td_slice *ret_bytes, struct td_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return td_err_errno(err, TD_IO, errno, "cannot open %s", path);
	struct stat st;
	enum td_status status;
	if (fstat(fd, &st) != 0)
		status = td_err_errno(err, TD_IO, errno, "cannot read %s", path);
	else if (!S_ISREG(st.st_mode))
		status = td_err_set(err, TD_IO, "%s is not a regular file", path);
	else if (st.st_size > FILE_MOST)
		status = td_err_set(err, TD_TOOBIG, "%s is larger than %u bytes", path, FILE_MOST);
	else
		status = read_all(fd, (size_t)st.st_size, arena, path, ret_bytes, err);
	(void)close(fd);
	return status;
}

typedef enum td_status entry_fn(
	void *ctx, const char *path, const char *name, const struct stat *st, struct td_err *err);

/* Calls fn for each regular file below the folder; hidden names are left out. `name` is relative to
 * the top. */
static enum td_status walk(const char *folder, const char *name, unsigned depth, entry_fn *fn,
	void *ctx, struct td_err *err)
{
	DIR *dir = opendir(folder);
	if (dir == NULL)
		return td_err_errno(err, TD_IO, errno, "cannot open folder %s", folder);
	enum td_status status = TD_OK;
	for (struct dirent *e; status == TD_OK && (e = readdir(dir)) != NULL;) {
		char path[4096], below[1024];
		struct stat st;
		if (e->d_name[0] == '.')
			continue;
		int path_len = snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		int name_len = snprintf(below, sizeof(below), "%s%s%s", name,
			name[0] != '\0' ? "/" : "", e->d_name);
		if (path_len < 0 || (size_t)path_len >= sizeof(path) || name_len < 0 ||
			(size_t)name_len >= sizeof(below))
			status = td_err_set(err, TD_TOOBIG, "a path below %s is too long", folder);
		else if (stat(path, &st) != 0)
			status = td_err_errno(err, TD_IO, errno, "cannot read %s", path);
		else if (S_ISDIR(st.st_mode) && depth < DEPTH_MOST)
			status = walk(path, below, depth + 1, fn, ctx, err);
		else if (S_ISREG(st.st_mode))
			status = fn(ctx, path, below, &st, err);
	}
	(void)closedir(dir);
	return status;
}

struct load {
	struct listing *listing;
	const char *prefix;
};

static enum td_status load_one(
	void *ctx, const char *path, const char *name, const struct stat *st, struct td_err *err)
{
	struct load *load = ctx;
	struct listing *listing = load->listing;
	(void)st;
	if (strncmp(name, load->prefix, strlen(load->prefix)) != 0)
		return TD_OK;
	if (listing->count == FILES_MOST)
		return td_err_set(err, TD_TOOBIG, "%s: more than %d files", path, FILES_MOST);
	struct asset_file *file = &listing->files[listing->count];
	enum td_status status = read_file(path, listing->arena, &file->bytes, err);
	if (status != TD_OK)
		return status;
	file->path = td_arena_slice(listing->arena, td_slice_str(name));
	listing->count++;
	return file->path.ptr != NULL ? TD_OK
				      : td_err_set(err, TD_NOMEM, "no memory to read %s", path);
}

static void list_compiled(enum asset_set set, const char *prefix, struct listing *listing)
{
	size_t count;
	const struct asset *files = asset_compiled(set, &count);
	for (size_t i = 0; i < count && listing->count < FILES_MOST; i++) {
		if (strncmp(files[i].path, prefix, strlen(prefix)) == 0)
			listing->files[listing->count++] = (struct asset_file){
				td_slice_str(files[i].path), files[i].bytes};
	}
}

static int by_path(const void *a, const void *b)
{
	const struct asset_file *x = a, *y = b;
	size_t shorter = x->path.len < y->path.len ? x->path.len : y->path.len;
	int order = memcmp(x->path.ptr, y->path.ptr, shorter);
	return order != 0 ? order : (x->path.len > y->path.len) - (x->path.len < y->path.len);
}

enum td_status asset_load(enum asset_set set, const char *folder, const char *prefix,
	struct td_arena *arena, struct asset_file **ret_files, size_t *ret_count,
	struct td_err *err)
{
	struct listing *listing = td_arena_alloc(arena, sizeof(*listing));
	if (listing == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to list files");
	listing->arena = arena;
	if (folder == NULL) {
		list_compiled(set, prefix, listing);
	} else {
		struct load load = {listing, prefix};
		enum td_status status = walk(folder, "", 0, load_one, &load, err);
		if (status != TD_OK)
			return status;
	}
	qsort(listing->files, listing->count, sizeof(listing->files[0]), by_path);
	*ret_files = listing->files;
	*ret_count = listing->count;
	return TD_OK;
}

/* FNV-1a over the names and each file's size, time and number, summed so that the order does not
 * matter. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * UINT64_C(1099511628211);
	return hash;
}

static enum td_status stamp_one(
	void *ctx, const char *path, const char *name, const struct stat *st, struct td_err *err)
{
	uint64_t *sum = ctx;
	uint64_t hash = mix(UINT64_C(14695981039346656037), name, strlen(name));
	(void)path;
	(void)err;
	hash = mix(hash, &st->st_size, sizeof(st->st_size));
	hash = mix(hash, &st->st_mtim.tv_sec, sizeof(st->st_mtim.tv_sec));
	hash = mix(hash, &st->st_mtim.tv_nsec, sizeof(st->st_mtim.tv_nsec));
	hash = mix(hash, &st->st_ino, sizeof(st->st_ino));
	*sum += hash;
	return TD_OK;
}

uint64_t asset_folder_stamp(const char *folder)
{
	uint64_t sum = 1;
	if (folder == NULL || walk(folder, "", 0, stamp_one, &sum, NULL) != TD_OK)
		return 0;
	return sum;
}
