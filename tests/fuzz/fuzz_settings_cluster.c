/* Contact points and replications of Cassandra; the first byte chooses. */
#include "fuzz.h"

#include "settings/settings_cluster.h"

#include <string.h>

static void read_points(struct td_slice text, struct td_arena *arena, struct td_err *err)
{
	struct connect_host hosts[SETTINGS_CONTACT_POINTS_MOST];
	size_t count = 0;
	if (settings_read_contact_points(text, 9042, arena, hosts, &count, err) != TD_OK) {
		FUZZ_CLAIM(err->text[0] != '\0');
		return;
	}
	FUZZ_CLAIM(count > 0 && count <= SETTINGS_CONTACT_POINTS_MOST);
	for (size_t i = 0; i < count; i++) {
		FUZZ_CLAIM(hosts[i].port > 0);
		FUZZ_CLAIM(hosts[i].name[0] != '\0' && strpbrk(hosts[i].name, "[]/ ,'") == NULL);
	}
}

/* What comes back stands in a statement: nothing but quoted words, and it is read as itself. */
static void check_map(const char *map, struct td_arena *arena)
{
	struct settings_replication again = {.map = NULL};
	size_t quotes = 0;
	for (const char *c = map; *c != '\0'; c++) {
		quotes += *c == '\'' ? 1 : 0;
		FUZZ_CLAIM(*c >= ' ' && strchr("\";\\$/", *c) == NULL);
	}
	FUZZ_CLAIM(quotes % 4 == 0 && strstr(map, "'class': '") != NULL);
	if (settings_read_replication(td_slice_str(map), arena, &again, NULL) == TD_OK)
		FUZZ_CLAIM(again.map != NULL && strcmp(again.map, map) == 0);
	else
		FUZZ_CLAIM(arena->failed);
}

static void read_replication(struct td_slice text, struct td_arena *arena, struct td_err *err)
{
	struct settings_replication replication;
	if (settings_read_replication(text, arena, &replication, err) != TD_OK)
		FUZZ_CLAIM(err->text[0] != '\0');
	else if (replication.map == NULL)
		FUZZ_CLAIM(replication.factor > 0);
	else
		check_map(replication.map, arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 2);
	/* As a setting has it: no NUL. */
	struct td_slice text = fuzz_slice(data, strnlen((const char *)data, size));
	struct td_arena arena = TD_ARENA_INIT;
	struct td_err err = TD_ERR_INIT;
	if (way == 0)
		read_points(text, &arena, &err);
	else
		read_replication(text, &arena, &err);
	td_arena_done(&arena);
	return 0;
}
