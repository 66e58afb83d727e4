/* Reads lines of a type and a value, both in hexadecimal ("null": no value), as a server sends
 * them. Prints for each the value as JSON (cql_rebind.h) and, behind a space, the value bound again
 * in hexadecimal. */
#include "cql_rebind.h"
#include "hex.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_MOST (1u << 20)

/* One line; false: it is no type and value. */
static bool answer(const char *option, const char *value, struct td_arena *arena)
{
	struct td_buf bytes = TD_BUF_INIT, cell = TD_BUF_INIT, json = TD_BUF_INIT, b = TD_BUF_INIT;
	struct td_err err = TD_ERR_INIT;
	struct cql_type type;
	hex_put(&bytes, option);
	hex_put(&cell, value);
	(void)td_buf_cstr(&cell);
	struct cql_reader r = cql_reader(td_buf_slice(&bytes));
	struct td_slice text = strcmp(value, "null") == 0 ? td_slice(NULL, 0) : td_buf_slice(&cell);
	bool good = cql_type_read(&r, arena, &type) && r.left == 0 &&
		    cql_value_check(&type, text, &err) == TD_OK;
	if (good) {
		cql_rebind(&type, text, &json, &b);
		good = !b.failed && !json.failed;
		printf("%s ", good ? td_buf_cstr(&json) : "failed");
		printf("%s\n", hex_text(&cell, td_slice_skip(td_buf_slice(&b), 4)));
	} else {
		printf("refused %s\n", err.text);
	}
	td_buf_done(&b);
	td_buf_done(&json);
	td_buf_done(&cell);
	td_buf_done(&bytes);
	return good;
}

int main(void)
{
	static char line[LINE_MOST], option[LINE_MOST], value[LINE_MOST];
	int bad = 0;
	while (fgets(line, sizeof(line), stdin) != NULL) {
		struct td_arena arena = TD_ARENA_INIT;
		option[0] = value[0] = '\0';
		(void)sscanf(line, "%s %s", option, value);
		bad |= !answer(option, value, &arena);
		td_arena_done(&arena);
	}
	return bad;
}
