/* Runs a target over files instead of a fuzzer: each file, each of its beginnings (or some of them,
 * where it is long), and the file while one allocation after the other fails. A fault ends the
 * process. Speaks TAP. */
#include "fuzz.h"

#include "base/alloc.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MOST        (1u << 20)
#define BEGINNINGS_MOST  24
#define ALLOCATIONS_MOST 200

static size_t inputs, asked, failing;

static bool gate(void)
{
	return ++asked != failing;
}

/* From a block of exactly that size, so that a sanitizer sees the first byte behind it. */
static void run(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len != 0 ? len : 1);
	if (copy == NULL)
		abort();
	if (len != 0)
		memcpy(copy, bytes, len);
	(void)LLVMFuzzerTestOneInput(copy, len);
	free(copy);
	inputs++;
}

static void run_without_memory(const uint8_t *bytes, size_t len)
{
	for (failing = 1; failing <= ALLOCATIONS_MOST; failing++) {
		asked = 0;
		td_alloc_set_gate(gate);
		run(bytes, len);
		td_alloc_set_gate(NULL);
		if (asked < failing)
			break;
	}
}

static void run_variants(const uint8_t *bytes, size_t len)
{
	size_t step = len / BEGINNINGS_MOST + 1;
	run(bytes, len);
	for (size_t shorter = 0; shorter < len; shorter += step)
		run(bytes, shorter);
	run_without_memory(bytes, len);
}

static int run_file(const char *path)
{
	static uint8_t bytes[FILE_MOST];
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		return 1;
	}
	size_t len = fread(bytes, 1, sizeof(bytes), file);
	(void)fclose(file);
	printf("# %s\n", path);
	(void)fflush(stdout);
	run_variants(bytes, len);
	return 0;
}

static int run_folder(const char *folder)
{
	struct dirent **names;
	int count = scandir(folder, &names, NULL, alphasort);
	if (count < 0) {
		perror(folder);
		return 1;
	}
	int bad = 0;
	for (int i = 0; i < count; i++) {
		char path[4096];
		if (names[i]->d_name[0] != '.') {
			(void)snprintf(path, sizeof(path), "%s/%s", folder, names[i]->d_name);
			bad |= run_file(path);
		}
		free(names[i]);
	}
	free(names);
	return bad;
}

int main(int argc, char **argv)
{
	int bad = 0;
	printf("1..1\n");
	run_variants((const uint8_t *)"", 0);
	size_t before = inputs;
	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);
		bad |= dir != NULL ? run_folder(argv[i]) : run_file(argv[i]);
		if (dir != NULL)
			(void)closedir(dir);
	}
	if (inputs == before)
		bad = 1; /* an empty corpus proves nothing */
	printf("%s 1 - replayed %zu inputs\n", bad ? "not ok" : "ok", inputs);
	return bad;
}
