#include "base/json.h"
#include "catalogue/file.h"

/* One member or element a line, so that two exports compare well line by line. */
struct writer {
	struct td_buf *out;
	unsigned depth;
	bool comma; /* something stands before on this level */
};

static void begin_line(struct writer *w)
{
	if (w->comma)
		td_buf_put_char(w->out, ',');
	td_buf_put_char(w->out, '\n');
	for (unsigned i = 0; i < w->depth; i++)
		td_buf_put_str(w->out, "  ");
	w->comma = true;
}

static void put_text(struct writer *w, struct td_slice text)
{
	struct td_json j = td_json_to(w->out);
	td_json_slice(&j, text);
}

static void begin_member(struct writer *w, struct td_slice name)
{
	begin_line(w);
	put_text(w, name);
	td_buf_put_str(w->out, ": ");
}

static void open_level(struct writer *w, char bracket)
{
	td_buf_put_char(w->out, bracket);
	w->depth++;
	w->comma = false;
}

static void close_level(struct writer *w, char bracket)
{
	bool empty = !w->comma;
	w->depth--;
	w->comma = false;
	if (!empty)
		begin_line(w);
	td_buf_put_char(w->out, bracket);
	w->comma = true;
}

static void put_member(struct writer *w, const char *name, struct td_slice text)
{
	begin_member(w, td_slice_str(name));
	put_text(w, text);
}

static void put_number(struct writer *w, const char *name, int64_t number)
{
	begin_member(w, td_slice_str(name));
	td_buf_put_i64(w->out, number);
}

static void put_bool(struct writer *w, const char *name, bool value)
{
	begin_member(w, td_slice_str(name));
	td_buf_put_str(w->out, value ? "true" : "false");
}

static void put_money(struct writer *w, const char *name, int64_t minor)
{
	struct td_json j = td_json_to(w->out);
	begin_member(w, td_slice_str(name));
	td_json_money(&j, minor);
}

static void put_feature(struct writer *w, const struct store_feature *feature)
{
	begin_line(w);
	open_level(w, '{');
	put_member(w, "id", feature->feature_id);
	put_member(w, "name", feature->name);
	put_member(w, "description", feature->description);
	put_bool(w, "included", feature->included);
	put_member(w, "icon", feature->icon);
	put_member(w, "category", feature->category);
	put_number(w, "display_order", feature->display_order);
	close_level(w, '}');
}

static void put_content(
	struct writer *w, const struct store_catalogue *catalogue, struct td_slice slug)
{
	begin_member(w, TD_SLICE("metadata"));
	open_level(w, '{');
	for (size_t i = 0; i < catalogue->metadata_count; i++) {
		const struct store_metadata *row = &catalogue->metadata[i];
		if (!td_slice_equal(row->package_slug, slug))
			continue;
		begin_member(w, row->key);
		put_text(w, row->value);
	}
	close_level(w, '}');
	begin_member(w, TD_SLICE("features"));
	open_level(w, '[');
	for (size_t i = 0; i < catalogue->feature_count; i++) {
		if (td_slice_equal(catalogue->features[i].package_slug, slug))
			put_feature(w, &catalogue->features[i]);
	}
	close_level(w, ']');
}

static void put_package(
	struct writer *w, const struct store_catalogue *catalogue, const struct store_package *p)
{
	begin_line(w);
	open_level(w, '{');
	put_member(w, "slug", p->slug);
	put_member(w, "name", p->name);
	put_member(w, "description", p->description);
	put_money(w, "price_monthly", p->price_monthly);
	put_money(w, "price_yearly", p->price_yearly);
	put_member(w, "currency", p->currency);
	put_number(w, "rate_limit_per_hour", p->rate_limit_per_hour);
	put_number(w, "rate_limit_per_day", p->rate_limit_per_day);
	put_number(w, "display_order", p->display_order);
	put_bool(w, "is_active", p->is_active);
	put_content(w, catalogue, p->slug);
	close_level(w, '}');
}

void catalogue_file_write(struct td_buf *out, const struct store_catalogue *catalogue)
{
	struct writer w = {.out = out};
	open_level(&w, '{');
	put_number(&w, "version", 1);
	begin_member(&w, TD_SLICE("packages"));
	open_level(&w, '[');
	for (size_t i = 0; i < catalogue->package_count; i++)
		put_package(&w, catalogue, &catalogue->packages[i]);
	close_level(&w, ']');
	close_level(&w, '}');
	td_buf_put_char(out, '\n');
}
