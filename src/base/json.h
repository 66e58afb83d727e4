/* Writes JSON (RFC 8259) into a buffer. Money comes out exactly as 29.99, which a library that
 * holds numbers as doubles does not promise. The writer puts the commas; the caller opens and
 * closes. */
#ifndef TD_BASE_JSON_H
#define TD_BASE_JSON_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct td_json {
	struct td_buf *out; /* borrowed; its `failed` is the writer's error */
	bool comma;         /* the next value or name needs a comma before it */
};

static inline struct td_json td_json_to(struct td_buf *out)
{
	return (struct td_json){.out = out};
}

void td_json_open(struct td_json *j, char bracket);  /* '{' or '[' */
void td_json_close(struct td_json *j, char bracket); /* '}' or ']' */
void td_json_name(struct td_json *j, const char *name);

/* Text must be UTF-8; bytes that are not become U+FFFD. */
void td_json_slice(struct td_json *j, struct td_slice text);
void td_json_str(struct td_json *j, const char *text); /* NULL writes null */
void td_json_i64(struct td_json *j, int64_t number);
void td_json_bool(struct td_json *j, bool value);
void td_json_null(struct td_json *j);
void td_json_money(struct td_json *j, int64_t minor);
void td_json_time(struct td_json *j, int64_t wall_ms);

/* A name with its value. */
void td_json_member_str(struct td_json *j, const char *name, const char *text);
void td_json_member_i64(struct td_json *j, const char *name, int64_t number);
void td_json_member_bool(struct td_json *j, const char *name, bool value);
void td_json_member_money(struct td_json *j, const char *name, int64_t minor);
void td_json_member_time(struct td_json *j, const char *name, int64_t wall_ms);

#endif
