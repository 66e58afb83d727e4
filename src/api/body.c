#include "api/body.h"

#include "base/nearest.h"
#include "base/utf8.h"

#include <jansson.h>

#define FIELDS_MOST       16
#define UNKNOWN_NAME_MOST 64

/* jansson's parser recurses, so the depth is bounded before it runs. Brackets inside strings do not
 * count; whether they match is for the parser. */
static bool is_too_deep(struct td_slice body)
{
	size_t depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < body.len; i++) {
		char c = body.ptr[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '['))
			depth++;
		else if (!quoted && (c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > API_BODY_DEPTH_MOST)
			return true;
	}
	return false;
}

static size_t valid_prefix(struct td_slice text)
{
	struct td_slice rest = text;
	uint32_t c;
	while (td_utf8_next(&rest, &c))
		;
	return text.len - rest.len;
}

/* The parser tells lines and columns for people; its own words follow. */
static enum td_status set_syntax_error(struct td_err *err, const json_error_t *error)
{
	if (json_error_code(error) == json_error_out_of_memory)
		return td_err_set(err, TD_NOMEM, "no memory for a request's body");
	return td_err_set(err, TD_INVALID, "The body is not JSON: line %d, column %d: %s.",
		error->line, error->column, error->text);
}

static enum td_status parse(struct td_slice body, json_t **ret_root, struct td_err *err)
{
	if (body.len == 0)
		return td_err_set(err, TD_INVALID,
			"The body is empty; send a JSON object with Content-Type: "
			"application/json.");
	if (!td_utf8_is_valid(body))
		return td_err_set(err, TD_INVALID,
			"The body is not valid UTF-8: byte %zu. JSON is sent in UTF-8.",
			valid_prefix(body) + 1);
	if (is_too_deep(body))
		return td_err_set(err, TD_INVALID,
			"The body is nested deeper than %d levels; send one flat object.",
			API_BODY_DEPTH_MOST);
	json_error_t error;
	json_t *root = json_loadb(body.ptr, body.len,
		JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	if (root == NULL)
		return set_syntax_error(err, &error);
	*ret_root = root;
	return TD_OK;
}

static const char *type_name(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
	case JSON_FALSE:
		return "a boolean";
	case JSON_NULL:
		return "null";
	}
	return "something else";
}

/* One reading of one object. */
struct reading {
	struct td_arena *arena;
	const struct api_field *fields;
	size_t count;
	struct app_faults *faults;
};

static void add_fault(struct reading *r, const char *pointer, const char *detail)
{
	if (pointer != NULL && detail != NULL)
		app_faults_add(r->faults, pointer, detail);
}

/* RFC 6901 section 3: '~' is "~0", '/' is "~1". */
static char *make_pointer(struct td_arena *arena, const char *name, size_t len)
{
	char *out = td_arena_alloc(arena, 2 * len + 2), *at = out;
	if (out == NULL)
		return NULL;
	*at++ = '/';
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '~' || name[i] == '/') {
			*at++ = '~';
			*at++ = name[i] == '~' ? '0' : '1';
		} else {
			*at++ = name[i];
		}
	}
	*at = '\0';
	return out;
}

static const char *list_names(struct reading *r)
{
	const char *list = r->fields[0].name;
	for (size_t i = 1; i < r->count && list != NULL; i++)
		list = td_arena_printf(r->arena, "%s, %s", list, r->fields[i].name);
	return list != NULL ? list : "";
}

static void refuse_unknown(struct reading *r, const char *name)
{
	const char *known[FIELDS_MOST];
	for (size_t i = 0; i < r->count; i++)
		known[i] = r->fields[i].name;
	size_t len = strlen(name);
	if (len > UNKNOWN_NAME_MOST) {
		add_fault(r, "",
			td_arena_printf(r->arena,
				"has a member with a name of %zu bytes; known members are %s", len,
				list_names(r)));
		return;
	}
	const char *near = td_nearest(name, known, r->count);
	const char *detail = near != NULL
				     ? td_arena_printf(r->arena,
					       "is not a known member; did you mean \"%s\"?", near)
				     : td_arena_printf(r->arena,
					       "is not a known member; leave it out (known are %s)",
					       list_names(r));
	add_fault(r, make_pointer(r->arena, name, len), detail);
}

static void read_field(struct reading *r, const struct api_field *field, const json_t *value)
{
	if (json_is_null(value) && field->nullable)
		return;
	if (!json_is_string(value)) {
		add_fault(r, make_pointer(r->arena, field->name, strlen(field->name)),
			td_arena_printf(r->arena, "is %s; a string is expected", type_name(value)));
		return;
	}
	*field->ret_value = td_arena_slice(
		r->arena, td_slice(json_string_value(value), json_string_length(value)));
}

static const struct api_field *find_field(const struct reading *r, const char *name)
{
	for (size_t i = 0; i < r->count; i++) {
		if (strcmp(r->fields[i].name, name) == 0)
			return &r->fields[i];
	}
	return NULL;
}

static void read_object(struct reading *r, json_t *root)
{
	const char *name;
	json_t *value;
	json_object_foreach(root, name, value)
	{
		const struct api_field *field = find_field(r, name);
		if (field != NULL)
			read_field(r, field, value);
		else
			refuse_unknown(r, name);
	}
}

enum td_status api_body_read(struct td_slice body, struct td_arena *arena,
	const struct api_field *fields, size_t count, struct app_faults *faults, struct td_err *err)
{
	td_assert(count >= 1 && count <= FIELDS_MOST);
	for (size_t i = 0; i < count; i++)
		*fields[i].ret_value = (struct td_slice){NULL, 0};
	json_t *root = NULL;
	enum td_status status = parse(body, &root, err);
	if (status != TD_OK)
		return status;
	struct reading r = {arena, fields, count, faults};
	if (json_is_object(root))
		read_object(&r, root);
	else
		add_fault(&r, "",
			td_arena_printf(arena, "is %s; an object is expected", type_name(root)));
	json_decref(root);
	return arena->failed ? td_err_set(err, TD_NOMEM, "no memory for a request's body") : TD_OK;
}
