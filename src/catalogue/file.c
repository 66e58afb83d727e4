#include "catalogue/file.h"

#include "base/money.h"
#include "catalogue/check.h"
#include "catalogue/rows.h"

#include <jansson.h>

#define VERSION 1

/* What is being read, and how much of the rows is filled. */
struct reading {
	struct check check;
	struct store_catalogue *rows;
};

static const char *const top_members[] = {"version", "packages"};
static const char *const package_members[] = {"slug", "name", "description", "price_monthly",
	"price_yearly", "currency", "rate_limit_per_hour", "rate_limit_per_day", "display_order",
	"is_active", "metadata", "features"};
static const char *const feature_members[] = {
	"id", "name", "description", "included", "icon", "category", "display_order"};

static bool is_currency(struct td_slice text)
{
	return td_money_is_currency(text);
}

static void read_feature(
	struct reading *r, const struct store_package *package, json_t *object, size_t index)
{
	static const struct check_text id = {"id", 64, true, false, check_is_key,
		"an id: letters, digits, '_', '-' and '.' (\"api_access\")"};
	static const struct check_text name = {"name", 200, true, false, NULL, NULL};
	static const struct check_text description = {"description", 4000, false, true, NULL, NULL};
	static const struct check_text icon = {"icon", 64, false, false, NULL, NULL};
	static const struct check_text category = {"category", 64, false, false, NULL, NULL};
	struct check *c = &r->check;
	check_members(c, object, feature_members, TD_ARRAY_LEN(feature_members));
	const struct check_number order = {
		"display_order", INT64_MIN, INT64_MAX, false, (int64_t)index + 1};
	r->rows->features[r->rows->feature_count++] = (struct store_feature){
		.package_slug = package->slug,
		.feature_id = check_take_text(c, object, &id),
		.name = check_take_text(c, object, &name),
		.description = check_take_text(c, object, &description),
		.included = check_take_bool(c, object, "included", true),
		.icon = check_take_text(c, object, &icon),
		.category = check_take_text(c, object, &category),
		.display_order = check_take_number(c, object, &order),
	};
}

/* The last row's id must not be that of an earlier one of the same package. */
static void check_feature_is_new(struct reading *r, size_t first)
{
	const struct store_feature *features = r->rows->features;
	size_t last = r->rows->feature_count - 1;
	struct td_slice id = features[last].feature_id;
	for (size_t i = first; i < last && id.len > 0; i++) {
		if (!td_slice_equal(features[i].feature_id, id))
			continue;
		size_t before = check_enter(&r->check, "id");
		check_fault(&r->check, "\"%.*s\" is also the id of feature %zu of this package",
			TD_SLICE_ARG(id), i - first);
		check_leave(&r->check, before);
		return;
	}
}

static void read_features(
	struct reading *r, const struct store_package *package, const json_t *list)
{
	struct check *c = &r->check;
	size_t first = r->rows->feature_count;
	for (size_t i = 0; i < json_array_size(list); i++) {
		size_t before = check_enter_index(c, i);
		json_t *object = json_array_get(list, i);
		if (json_is_object(object)) {
			read_feature(r, package, object, i);
			check_feature_is_new(r, first);
		} else {
			check_fault(c, "must be an object: a feature");
		}
		check_leave(c, before);
	}
}

static void read_metadata(struct reading *r, const struct store_package *package, json_t *object)
{
	static const struct check_text text = {NULL, 4000, false, true, NULL, NULL};
	struct check *c = &r->check;
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value)
	{
		struct td_slice name = td_slice_str(key);
		size_t before = check_enter(c, key);
		if (name.len > 200)
			check_fault(c, "has a name of %zu bytes; at most 200 fit", name.len);
		else if (!check_is_key(name))
			check_fault(c, "is not a key: letters, digits, '_', '-' and '.' "
				       "(\"name.es\")");
		struct store_metadata *row = &r->rows->metadata[r->rows->metadata_count++];
		row->package_slug = package->slug;
		row->key = td_arena_slice(c->arena, name);
		row->value = check_value_text(c, value, &text);
		check_leave(c, before);
	}
}

static struct store_package read_package(struct check *c, json_t *object, size_t index)
{
	static const struct check_text slug = {"slug", 64, true, false, check_is_slug,
		"a slug: small letters and digits, single '-' between them (\"pro-2\")"};
	static const struct check_text name = {"name", 200, true, false, NULL, NULL};
	static const struct check_text description = {"description", 4000, false, true, NULL, NULL};
	static const struct check_text currency = {"currency", 3, true, false, is_currency,
		"the ISO 4217 code of a currency with two decimal places (\"USD\")"};
	static const struct check_number per_hour = {"rate_limit_per_hour", 0, INT64_MAX, true, 0};
	static const struct check_number per_day = {"rate_limit_per_day", 0, INT64_MAX, true, 0};
	const struct check_number order = {
		"display_order", INT64_MIN, INT64_MAX, false, (int64_t)index + 1};
	check_members(c, object, package_members, TD_ARRAY_LEN(package_members));
	return (struct store_package){
		.slug = check_take_text(c, object, &slug),
		.name = check_take_text(c, object, &name),
		.description = check_take_text(c, object, &description),
		.price_monthly = check_take_money(c, object, "price_monthly"),
		.price_yearly = check_take_money(c, object, "price_yearly"),
		.currency = check_take_text(c, object, &currency),
		.rate_limit_per_hour = check_take_number(c, object, &per_hour),
		.rate_limit_per_day = check_take_number(c, object, &per_day),
		.display_order = check_take_number(c, object, &order),
		.is_active = check_take_bool(c, object, "is_active", true),
	};
}

static void check_package_is_new(struct check *c, const struct store_catalogue *rows)
{
	size_t last = rows->package_count - 1;
	struct td_slice slug = rows->packages[last].slug;
	for (size_t i = 0; i < last && slug.len > 0; i++) {
		if (!td_slice_equal(rows->packages[i].slug, slug))
			continue;
		size_t before = check_enter(c, "slug");
		check_fault(c, "\"%.*s\" is also the slug of /packages/%zu", TD_SLICE_ARG(slug), i);
		check_leave(c, before);
		return;
	}
}

/* The member if it is of the type and not too long; what is wrong with it is noted. */
static json_t *take_container(
	struct check *c, const json_t *object, const char *member, json_type type, size_t most)
{
	json_t *value = json_object_get(object, member);
	if (value == NULL)
		return NULL;
	size_t before = check_enter(c, member);
	size_t size = type == JSON_ARRAY ? json_array_size(value) : json_object_size(value);
	if (json_typeof(value) != type)
		check_fault(c, "must be %s", type == JSON_ARRAY ? "an array" : "an object");
	else if (size > most)
		check_fault(c, "has %zu entries; at most %zu fit", size, most);
	bool fits = json_typeof(value) == type && size <= most;
	check_leave(c, before);
	return fits ? value : NULL;
}

static void read_entry(struct reading *r, json_t *object, size_t index)
{
	struct check *c = &r->check;
	struct store_catalogue *rows = r->rows;
	struct store_package *package = &rows->packages[rows->package_count++];
	*package = read_package(c, object, index);
	check_package_is_new(c, rows);
	json_t *metadata = take_container(
		c, object, "metadata", JSON_OBJECT, CATALOGUE_METADATA_MOST);
	size_t before = check_enter(c, "metadata");
	if (metadata != NULL)
		read_metadata(r, package, metadata);
	check_leave(c, before);
	json_t *features = take_container(
		c, object, "features", JSON_ARRAY, CATALOGUE_FEATURES_MOST);
	before = check_enter(c, "features");
	if (features != NULL)
		read_features(r, package, features);
	check_leave(c, before);
}

/* Room for every row that the list could have. */
static bool make_room(struct reading *r, const json_t *list)
{
	size_t metadata = 0, features = 0;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *package = json_array_get(list, i);
		metadata += json_object_size(json_object_get(package, "metadata"));
		features += json_array_size(json_object_get(package, "features"));
	}
	struct td_arena *arena = r->check.arena;
	struct store_catalogue *rows = r->rows;
	rows->packages = td_arena_array(
		arena, json_array_size(list) + 1, sizeof(rows->packages[0]));
	rows->metadata = td_arena_array(arena, metadata + 1, sizeof(rows->metadata[0]));
	rows->features = td_arena_array(arena, features + 1, sizeof(rows->features[0]));
	return !arena->failed;
}

static void read_list(struct reading *r, const json_t *list)
{
	struct check *c = &r->check;
	if (!make_room(r, list))
		return;
	size_t before = check_enter(c, "packages");
	for (size_t i = 0; i < json_array_size(list); i++) {
		size_t outside = check_enter_index(c, i);
		json_t *object = json_array_get(list, i);
		if (json_is_object(object))
			read_entry(r, object, i);
		else
			check_fault(c, "must be an object: a package");
		check_leave(c, outside);
	}
	check_leave(c, before);
}

static void read_top(struct reading *r, json_t *top)
{
	static const struct check_number version = {"version", VERSION, VERSION, true, 0};
	struct check *c = &r->check;
	if (!json_is_object(top)) {
		check_fault(c, "the file must hold an object: {\"version\": 1, \"packages\": […]}");
		return;
	}
	check_members(c, top, top_members, TD_ARRAY_LEN(top_members));
	(void)check_take_number(c, top, &version);
	const json_t *list = take_container(
		c, top, "packages", JSON_ARRAY, CATALOGUE_PACKAGES_MOST);
	if (list != NULL) {
		read_list(r, list);
	} else if (json_object_get(top, "packages") == NULL) {
		size_t before = check_enter(c, "packages");
		check_fault(c, "is missing");
		check_leave(c, before);
	}
}

/* json_error_t counts a line's columns in bytes from 1; an empty file has line -1 in old versions.
 */
static void note_syntax(struct check *c, const json_error_t *error)
{
	struct catalogue_faults *faults = c->faults;
	check_fault(c, "not valid JSON: %s", error->text);
	if (c->arena->failed)
		return;
	faults->list[faults->count - 1].line = error->line > 0 ? error->line : 1;
	faults->list[faults->count - 1].column = error->column > 0 ? error->column : 1;
}

static enum td_status judge(const struct reading *r, struct td_err *err)
{
	const struct catalogue_faults *faults = r->check.faults;
	if (r->check.arena->failed)
		return td_err_set(err, TD_NOMEM, "no memory to read a catalogue file");
	if (faults->count == 0)
		return TD_OK;
	struct td_buf line = TD_BUF_INIT;
	catalogue_fault_put(&line, &faults->list[0]);
	const char *text = td_buf_cstr(&line);
	(void)td_err_set(err, TD_INVALID, "%s", text != NULL ? text : "the file has faults");
	td_buf_done(&line);
	return TD_INVALID;
}

enum td_status catalogue_file_parse(struct td_slice bytes, struct td_arena *arena,
	struct store_catalogue *ret_catalogue, struct catalogue_faults *ret_faults,
	struct td_err *err)
{
	ret_faults->count = 0;
	ret_faults->more = false;
	if (bytes.len > CATALOGUE_FILE_MOST)
		return td_err_set(err, TD_TOOBIG, "the file has %zu bytes; at most %u fit",
			bytes.len, CATALOGUE_FILE_MOST);
	if (td_slice_has_prefix(bytes, "\xEF\xBB\xBF"))
		bytes = td_slice_skip(bytes, 3);
	struct store_catalogue rows = {0};
	struct reading r = {.check = {.arena = arena, .faults = ret_faults}, .rows = &rows};
	json_error_t error;
	json_t *top = json_loadb(bytes.len > 0 ? bytes.ptr : "", bytes.len,
		JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (top != NULL)
		read_top(&r, top);
	else
		note_syntax(&r.check, &error);
	json_decref(top);
	enum td_status status = judge(&r, err);
	if (status == TD_OK) {
		order_catalogue(&rows);
		*ret_catalogue = rows;
	}
	return status;
}

void catalogue_fault_put(struct td_buf *out, const struct catalogue_fault *fault)
{
	if (fault->line > 0)
		td_buf_printf(
			out, "line %d, column %d: %s", fault->line, fault->column, fault->text);
	else if (fault->pointer[0] != '\0')
		td_buf_printf(out, "%s %s", fault->pointer, fault->text);
	else
		td_buf_put_str(out, fault->text);
}
