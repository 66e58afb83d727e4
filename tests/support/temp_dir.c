#include "temp_dir.h"

#include "td_test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void temp_dir_make(struct temp_dir *dir)
{
	const char *parent = getenv("TMPDIR");
	int len = snprintf(dir->path, sizeof(dir->path), "%s/td-test-XXXXXX",
		parent != NULL && parent[0] != '\0' ? parent : "/tmp");
	assert_true(len > 0 && (size_t)len < sizeof(dir->path));
	assert_non_null(mkdtemp(dir->path));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void temp_dir_remove(struct temp_dir *dir)
{
	assert_int_equal(nftw(dir->path, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

const char *temp_dir_path(const struct temp_dir *dir, const char *name)
{
	static char paths[8][1024];
	static unsigned turn;
	char *path = paths[turn++ % 8];
	int len = snprintf(path, sizeof(paths[0]), "%s/%s", dir->path, name);
	assert_true(len > 0 && (size_t)len < sizeof(paths[0]));
	return path;
}

static void make_folders_before(char *path)
{
	for (char *at = strchr(path + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
		*at = '\0';
		(void)mkdir(path, 0700);
		*at = '/';
	}
}

void temp_dir_write(const struct temp_dir *dir, const char *name, const void *bytes, size_t len)
{
	char path[1024];
	(void)snprintf(path, sizeof(path), "%s/%s", dir->path, name);
	make_folders_before(path);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
}

void temp_dir_write_text(const struct temp_dir *dir, const char *name, const char *text)
{
	temp_dir_write(dir, name, text, strlen(text));
}
