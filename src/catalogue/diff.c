#include "base/buf.h"
#include "base/json.h"
#include "base/money.h"
#include "base/utf8.h"
#include "base/uuid.h"
#include "catalogue/catalogue.h"
#include "catalogue/rows.h"

/* Characters of a value that a line shows. */
#define SHOWN_MOST 100

struct diffing {
	struct td_arena *arena;
	struct catalogue_diff *diff; /* with room for all that can come */
	const struct store_catalogue *have, *want;
	bool retire;
	int64_t now_ms;
	struct td_buf line; /* being written */
};

static void end_line(struct diffing *d)
{
	const char *text = td_buf_cstr(&d->line);
	if (text != NULL)
		text = td_arena_strndup(d->arena, text, d->line.len);
	if (text == NULL)
		d->arena->failed = true;
	else
		d->diff->lines[d->diff->line_count++] = text;
	td_buf_reset(&d->line);
}

static struct store_change *add_change(struct diffing *d, enum store_change_kind kind)
{
	struct store_change *change = &d->diff->changes[d->diff->change_count++];
	change->kind = kind;
	return change;
}

/* Quoted and escaped as in JSON, so that a terminal finds nothing to obey. */
static void put_quoted(struct td_buf *out, struct td_slice text)
{
	struct td_json j = td_json_to(out);
	size_t shown = text.len > SHOWN_MOST ? td_utf8_floor(text.ptr, SHOWN_MOST) : text.len;
	td_json_slice(&j, td_slice(text.ptr, shown));
	if (shown < text.len)
		td_buf_put_str(out, "…");
}

/* "~ package free: " */
static void begin_package(struct diffing *d, char sign, struct td_slice slug)
{
	td_buf_printf(&d->line, "%c package %.*s", sign, TD_SLICE_ARG(slug));
}

static void begin_metadata(struct diffing *d, char sign, const struct store_metadata *row)
{
	td_buf_printf(&d->line, "%c metadata %.*s.%.*s: ", sign, TD_SLICE_ARG(row->package_slug),
		TD_SLICE_ARG(row->key));
}

static void begin_feature(struct diffing *d, char sign, const struct store_feature *row)
{
	td_buf_printf(&d->line, "%c feature %.*s/%.*s", sign, TD_SLICE_ARG(row->package_slug),
		TD_SLICE_ARG(row->feature_id));
}

/* ---- one field of two rows; each writes ": name: old -> new" and says whether they differ */

static bool text_differs(struct td_buf *out, const char *name, struct td_slice a, struct td_slice b)
{
	if (td_slice_equal(a, b))
		return false;
	td_buf_printf(out, ": %s: ", name);
	put_quoted(out, a);
	td_buf_put_str(out, " -> ");
	put_quoted(out, b);
	return true;
}

static bool number_differs(struct td_buf *out, const char *name, int64_t a, int64_t b)
{
	if (a == b)
		return false;
	td_buf_printf(out, ": %s: %lld -> %lld", name, (long long)a, (long long)b);
	return true;
}

static bool money_differs(struct td_buf *out, const char *name, int64_t a, int64_t b)
{
	if (a == b)
		return false;
	td_buf_printf(out, ": %s: ", name);
	td_money_put(out, a);
	td_buf_put_str(out, " -> ");
	td_money_put(out, b);
	return true;
}

static bool bool_differs(struct td_buf *out, const char *name, bool a, bool b)
{
	if (a == b)
		return false;
	td_buf_printf(out, ": %s: %s -> %s", name, a ? "true" : "false", b ? "true" : "false");
	return true;
}

enum package_field {
	PACKAGE_NAME,
	PACKAGE_DESCRIPTION,
	PACKAGE_PRICE_MONTHLY,
	PACKAGE_PRICE_YEARLY,
	PACKAGE_CURRENCY,
	PACKAGE_PER_HOUR,
	PACKAGE_PER_DAY,
	PACKAGE_ORDER,
	PACKAGE_ACTIVE,
	PACKAGE_FIELDS
};

static bool package_field_differs(struct td_buf *out, enum package_field field,
	const struct store_package *a, const struct store_package *b)
{
	switch (field) {
	case PACKAGE_NAME:
		return text_differs(out, "name", a->name, b->name);
	case PACKAGE_DESCRIPTION:
		return text_differs(out, "description", a->description, b->description);
	case PACKAGE_PRICE_MONTHLY:
		return money_differs(out, "price_monthly", a->price_monthly, b->price_monthly);
	case PACKAGE_PRICE_YEARLY:
		return money_differs(out, "price_yearly", a->price_yearly, b->price_yearly);
	case PACKAGE_CURRENCY:
		return text_differs(out, "currency", a->currency, b->currency);
	case PACKAGE_PER_HOUR:
		return number_differs(
			out, "rate_limit_per_hour", a->rate_limit_per_hour, b->rate_limit_per_hour);
	case PACKAGE_PER_DAY:
		return number_differs(
			out, "rate_limit_per_day", a->rate_limit_per_day, b->rate_limit_per_day);
	case PACKAGE_ORDER:
		return number_differs(out, "display_order", a->display_order, b->display_order);
	case PACKAGE_ACTIVE:
		return bool_differs(out, "is_active", a->is_active, b->is_active);
	case PACKAGE_FIELDS:
		break;
	}
	return false;
}

enum feature_field {
	FEATURE_NAME,
	FEATURE_DESCRIPTION,
	FEATURE_INCLUDED,
	FEATURE_ICON,
	FEATURE_CATEGORY,
	FEATURE_ORDER,
	FEATURE_FIELDS
};

static bool feature_field_differs(struct td_buf *out, enum feature_field field,
	const struct store_feature *a, const struct store_feature *b)
{
	switch (field) {
	case FEATURE_NAME:
		return text_differs(out, "name", a->name, b->name);
	case FEATURE_DESCRIPTION:
		return text_differs(out, "description", a->description, b->description);
	case FEATURE_INCLUDED:
		return bool_differs(out, "included", a->included, b->included);
	case FEATURE_ICON:
		return text_differs(out, "icon", a->icon, b->icon);
	case FEATURE_CATEGORY:
		return text_differs(out, "category", a->category, b->category);
	case FEATURE_ORDER:
		return number_differs(out, "display_order", a->display_order, b->display_order);
	case FEATURE_FIELDS:
		break;
	}
	return false;
}

/* ---- rows */

static bool tell_package(struct diffing *d, const struct store_package *want)
{
	const struct store_package *have = rows_package(d->have, want->slug);
	bool differs = false;
	if (have == NULL) {
		begin_package(d, '+', want->slug);
		td_buf_put_str(&d->line, ": ");
		put_quoted(&d->line, want->name);
		end_line(d);
		return true;
	}
	for (int field = 0; field < PACKAGE_FIELDS; field++) {
		begin_package(d, '~', want->slug);
		if (package_field_differs(&d->line, (enum package_field)field, have, want)) {
			end_line(d);
			differs = true;
		}
		td_buf_reset(&d->line);
	}
	return differs;
}

static void put_package_change(struct diffing *d, const struct store_package *package, bool active)
{
	struct store_change *change = add_change(d, STORE_PUT_PACKAGE);
	char id[TD_UUID_TEXT_SIZE];
	td_uuid_v7(d->now_ms, id);
	change->package = *package;
	change->package.id = td_arena_slice(d->arena, td_slice_str(id));
	change->package.is_active = active;
	change->package.created_at = change->package.updated_at = d->now_ms;
}

static const struct store_metadata *find_metadata(struct rows_metadata rows, struct td_slice key)
{
	for (size_t i = 0; i < rows.count; i++) {
		if (td_slice_equal(rows.first[i].key, key))
			return &rows.first[i];
	}
	return NULL;
}

static void diff_metadata_row(
	struct diffing *d, const struct store_metadata *have, const struct store_metadata *want)
{
	if (have != NULL && td_slice_equal(have->value, want->value))
		return;
	begin_metadata(d, have == NULL ? '+' : '~', want);
	if (have != NULL) {
		put_quoted(&d->line, have->value);
		td_buf_put_str(&d->line, " -> ");
	}
	put_quoted(&d->line, want->value);
	end_line(d);
	struct store_change *change = add_change(d, STORE_PUT_METADATA);
	change->metadata = *want;
	change->metadata.updated_at = d->now_ms;
}

static void diff_metadata(struct diffing *d, struct td_slice slug)
{
	struct rows_metadata have = rows_metadata_of(d->have, slug);
	struct rows_metadata want = rows_metadata_of(d->want, slug);
	for (size_t i = 0; i < want.count; i++)
		diff_metadata_row(d, find_metadata(have, want.first[i].key), &want.first[i]);
	for (size_t i = 0; d->retire && i < have.count; i++) {
		const struct store_metadata *row = &have.first[i];
		if (find_metadata(want, row->key) != NULL)
			continue;
		begin_metadata(d, '-', row);
		put_quoted(&d->line, row->value);
		end_line(d);
		add_change(d, STORE_DELETE_METADATA)->metadata = *row;
	}
}

static const struct store_feature *find_feature(struct rows_features rows, struct td_slice id)
{
	for (size_t i = 0; i < rows.count; i++) {
		if (td_slice_equal(rows.first[i].feature_id, id))
			return &rows.first[i];
	}
	return NULL;
}

static bool tell_feature(
	struct diffing *d, const struct store_feature *have, const struct store_feature *want)
{
	bool differs = false;
	if (have == NULL) {
		begin_feature(d, '+', want);
		td_buf_put_str(&d->line, ": ");
		put_quoted(&d->line, want->name);
		td_buf_put_str(&d->line, want->included ? ", included" : ", not included");
		end_line(d);
		return true;
	}
	for (int field = 0; field < FEATURE_FIELDS; field++) {
		begin_feature(d, '~', want);
		if (feature_field_differs(&d->line, (enum feature_field)field, have, want)) {
			end_line(d);
			differs = true;
		}
		td_buf_reset(&d->line);
	}
	return differs;
}

static void diff_features(struct diffing *d, struct td_slice slug)
{
	struct rows_features have = rows_features_of(d->have, slug);
	struct rows_features want = rows_features_of(d->want, slug);
	for (size_t i = 0; i < want.count; i++) {
		const struct store_feature *row = &want.first[i];
		if (!tell_feature(d, find_feature(have, row->feature_id), row))
			continue;
		struct store_change *change = add_change(d, STORE_PUT_FEATURE);
		change->feature = *row;
		change->feature.updated_at = d->now_ms;
	}
	for (size_t i = 0; d->retire && i < have.count; i++) {
		const struct store_feature *row = &have.first[i];
		if (find_feature(want, row->feature_id) != NULL)
			continue;
		begin_feature(d, '-', row);
		td_buf_put_str(&d->line, ": ");
		put_quoted(&d->line, row->name);
		end_line(d);
		add_change(d, STORE_DELETE_FEATURE)->feature = *row;
	}
}

static void retire_packages(struct diffing *d)
{
	for (size_t i = 0; i < d->have->package_count; i++) {
		const struct store_package *row = &d->have->packages[i];
		if (!row->is_active || rows_package(d->want, row->slug) != NULL)
			continue;
		begin_package(d, '-', row->slug);
		td_buf_put_str(&d->line, ": is no longer on offer (is_active: true -> false)");
		end_line(d);
		put_package_change(d, row, false);
	}
}

static size_t count_rows(const struct store_catalogue *rows)
{
	return rows->package_count + rows->metadata_count + rows->feature_count;
}

enum td_status catalogue_diff(const struct store_catalogue *have,
	const struct store_catalogue *want, bool retire, int64_t now_ms, struct td_arena *arena,
	struct catalogue_diff *ret_diff, struct td_err *err)
{
	size_t rows = count_rows(have) + count_rows(want);
	struct catalogue_diff diff = {
		.changes = td_arena_array(arena, rows + 1, sizeof(struct store_change)),
		.lines = td_arena_array(arena, rows * PACKAGE_FIELDS + 1, sizeof(char *)),
	};
	if (arena->failed)
		return td_err_set(err, TD_NOMEM, "no memory to compare two catalogues");
	struct diffing d = {arena, &diff, have, want, retire, now_ms, TD_BUF_INIT};
	for (size_t i = 0; i < want->package_count; i++) {
		const struct store_package *package = &want->packages[i];
		bool differs = tell_package(&d, package);
		diff_metadata(&d, package->slug);
		diff_features(&d, package->slug);
		if (differs)
			put_package_change(&d, package, package->is_active);
	}
	if (retire)
		retire_packages(&d);
	td_buf_done(&d.line);
	if (arena->failed)
		return td_err_set(err, TD_NOMEM, "no memory to compare two catalogues");
	*ret_diff = diff;
	return TD_OK;
}
