#include "page/page_internal.h"

#include <stdio.h>
#include <string.h>

const char *page_billing_name(enum page_billing billing)
{
	return billing == PAGE_YEARLY ? "yearly" : "monthly";
}

static void put_languages(
	struct td_arena *arena, struct tpl_value *root, const struct page_frame *frame)
{
	struct tpl_value *list = tpl_put_list(arena, root, "languages");
	for (size_t i = 0; i < frame->site->language_count; i++) {
		struct tpl_value *item = tpl_add_map(arena, list);
		struct td_slice code = frame->site->codes[i];
		tpl_put_text(arena, item, "code", code);
		tpl_put_text(arena, item, "name",
			locale_find_str(frame->site->locales[i], "language.name"));
		tpl_put_flag(arena, item, "current", i == frame->language);
		tpl_put_str(arena, item, "href",
			td_arena_printf(arena, "%s?lang=%.*s%s", frame->path, TD_SLICE_ARG(code),
				frame->keep != NULL ? frame->keep : ""));
		if (frame->keep_yearly != NULL)
			tpl_put_str(arena, item, "href_yearly",
				td_arena_printf(arena, "%s?lang=%.*s%s", frame->path,
					TD_SLICE_ARG(code), frame->keep_yearly));
	}
}

/* Search engines want whole addresses, so only where PUBLIC_URL says what ours is. */
static void put_alternates(
	struct td_arena *arena, struct tpl_value *root, const struct page_frame *frame)
{
	const char *base = frame->config->public_url;
	if (base == NULL || !frame->may_be_indexed)
		return;
	int len = (int)strlen(base);
	if (len > 0 && base[len - 1] == '/')
		len--;
	struct tpl_value *list = tpl_put_list(arena, root, "alternates");
	for (size_t i = 0; i < frame->site->language_count; i++) {
		struct tpl_value *item = tpl_add_map(arena, list);
		struct td_slice code = frame->site->codes[i];
		tpl_put_text(arena, item, "code", code);
		tpl_put_str(arena, item, "url",
			td_arena_printf(arena, "%.*s%s?lang=%.*s", len, base, frame->path,
				TD_SLICE_ARG(code)));
	}
	struct tpl_value *any = tpl_add_map(arena, list);
	tpl_put_str(arena, any, "code", "x-default");
	tpl_put_str(arena, any, "url", td_arena_printf(arena, "%.*s%s", len, base, frame->path));
}

/* A text of the locale with `{site.name}` filled in. */
static struct td_slice with_site_name(
	struct td_arena *arena, struct td_slice text, const char *name)
{
	static const char mark[] = "{site.name}";
	const size_t len = sizeof(mark) - 1;
	for (size_t i = 0; text.len >= len && i <= text.len - len; i++) {
		if (memcmp(text.ptr + i, mark, len) == 0)
			return td_slice_str(td_arena_printf(arena, "%.*s%s%.*s", (int)i, text.ptr,
				name, (int)(text.len - i - len), text.ptr + i + len));
	}
	return text;
}

struct tpl_value *page_model_frame(struct td_arena *arena, const struct page_frame *frame)
{
	const struct locale *locale = frame->site->locales[frame->language];
	const char *site_name = frame->config->site_name != NULL ? frame->config->site_name
								 : "Tools Dashboard";
	struct tpl_value *root = tpl_map(arena);
	tpl_put_text(arena, root, "lang", locale_code(locale));
	tpl_put_str(arena, tpl_put_map(arena, root, "site"), "name", site_name);
	tpl_put_text(arena, root, "title",
		frame->title_key != NULL ? locale_find_str(locale, frame->title_key)
					 : frame->title);
	if (frame->description_key != NULL)
		tpl_put_text(arena, root, "description",
			with_site_name(
				arena, locale_find_str(locale, frame->description_key), site_name));
	tpl_put_flag(arena, root, "noindex", !frame->may_be_indexed);
	tpl_put_str(arena, root, "csrf_token", frame->csrf_token);
	tpl_put_flag(arena, root, "signed_in", frame->is_signed_in);
	tpl_put_flag(arena, root, "test_clock", frame->config->has_test_clock);
	if (frame->test_clock_ms != 0)
		page_model_time(arena, root, "test_time", frame->test_clock_ms);
	struct tpl_value *statics = tpl_put_map(arena, root, "static");
	for (size_t i = 0; i < frame->site->static_count; i++)
		tpl_put_str(
			arena, statics, frame->site->statics[i].key, frame->site->statics[i].href);
	put_languages(arena, root, frame);
	put_alternates(arena, root, frame);
	return root;
}

const char *page_model_language(struct td_arena *arena, const struct locale *locale)
{
	struct td_slice code = locale_code(locale);
	const char *text = td_arena_strndup(arena, code.ptr, code.len);
	return text != NULL ? text : "en";
}

/* Gives the buffer's text to the map, and its failure to the arena. */
static void put_buf(
	struct td_arena *arena, struct tpl_value *map, const char *name, struct td_buf *text)
{
	if (text->failed)
		arena->failed = true;
	tpl_put_text(arena, map, name, td_buf_slice(text));
	td_buf_done(text);
}

void page_model_money(struct td_arena *arena, struct tpl_value *map, const char *name,
	const struct locale *locale, int64_t minor, struct td_slice currency)
{
	struct td_buf text = TD_BUF_INIT;
	locale_put_money(locale, &text, minor, currency);
	put_buf(arena, map, name, &text);
}

void page_model_number(struct td_arena *arena, struct tpl_value *map, const char *name,
	const struct locale *locale, int64_t number)
{
	struct td_buf text = TD_BUF_INIT;
	locale_put_number(locale, &text, number);
	put_buf(arena, map, name, &text);
}

void page_model_date(struct td_arena *arena, struct tpl_value *map, const char *name,
	const struct locale *locale, int64_t wall_ms)
{
	struct td_buf text = TD_BUF_INIT;
	locale_put_date(locale, &text, wall_ms);
	put_buf(arena, map, name, &text);
}

void page_model_time(
	struct td_arena *arena, struct tpl_value *map, const char *name, int64_t wall_ms)
{
	char text[TD_TIME_TEXT_SIZE];
	td_time_format(wall_ms, text);
	tpl_put_str(arena, map, name, text);
}

static void put_amount(struct td_arena *arena, struct tpl_value *map, const char *name,
	const struct locale *locale, const struct store_package *row, int64_t minor)
{
	page_model_money(arena, map, name, locale, minor, row->currency);
}

static void put_percent(struct td_arena *arena, struct tpl_value *map, const char *name,
	const struct locale *locale, int64_t percent)
{
	struct td_buf text = TD_BUF_INIT;
	locale_put_percent(locale, &text, percent);
	put_buf(arena, map, name, &text);
}

/* What a year saves against twelve months; 0 where it saves nothing. */
static int64_t saving_of(const struct store_package *row)
{
	int64_t saving = 12 * row->price_monthly - row->price_yearly;
	return saving > 0 ? saving : 0;
}

/* Rounded to the nearest whole percent. */
static int64_t saving_percent(const struct store_package *row)
{
	int64_t year = 12 * row->price_monthly;
	return year > 0 ? (saving_of(row) * 100 + year / 2) / year : 0;
}

static void put_prices(struct td_arena *arena, struct tpl_value *map, const struct locale *locale,
	const struct store_package *row)
{
	struct tpl_value *monthly = tpl_put_map(arena, map, "monthly");
	put_amount(arena, monthly, "amount", locale, row, row->price_monthly);
	struct tpl_value *yearly = tpl_put_map(arena, map, "yearly");
	put_amount(arena, yearly, "amount", locale, row, row->price_yearly);
	put_amount(arena, yearly, "per_month", locale, row, (row->price_yearly + 6) / 12);
	tpl_put_flag(arena, map, "paid", row->price_monthly > 0 || row->price_yearly > 0);
	if (saving_of(row) == 0)
		return;
	struct tpl_value *saving = tpl_put_map(arena, map, "saving");
	put_amount(arena, saving, "amount", locale, row, saving_of(row));
	put_percent(arena, saving, "percent", locale, saving_percent(row));
}

static void put_features(struct td_arena *arena, struct tpl_value *map, const char *language,
	const struct catalogue_package *package)
{
	struct tpl_value *list = tpl_put_list(arena, map, "features");
	for (size_t i = 0; i < package->feature_count; i++) {
		const struct store_feature *feature = &package->features[i];
		struct tpl_value *item = tpl_add_map(arena, list);
		const char *key = td_arena_printf(
			arena, "feature.%.*s.name", TD_SLICE_ARG(feature->feature_id));
		tpl_put_text(arena, item, "name",
			catalogue_package_translated(
				package, key != NULL ? key : "", language, feature->name));
		tpl_put_flag(arena, item, "included", feature->included);
		tpl_put_str(arena, item, "mark", feature->included ? "yes" : "no");
	}
}

void page_model_package(struct td_arena *arena, struct tpl_value *map, const struct locale *locale,
	const struct catalogue_package *package)
{
	const struct store_package *row = &package->row;
	const char *language = page_model_language(arena, locale);
	struct td_slice tagline = catalogue_package_text(package, "tagline");
	tpl_put_text(arena, map, "slug", row->slug);
	tpl_put_text(arena, map, "name",
		catalogue_package_translated(package, "name", language, row->name));
	if (tagline.ptr == NULL)
		tagline = catalogue_package_translated(
			package, "description", language, row->description);
	tpl_put_text(arena, map, "tagline",
		catalogue_package_translated(package, "tagline", language, tagline));
	put_prices(arena, map, locale, row);
	page_model_number(arena, map, "per_hour", locale, row->rate_limit_per_hour);
	page_model_number(arena, map, "per_day", locale, row->rate_limit_per_day);
	put_features(arena, map, language, package);
}

size_t page_model_best(const struct catalogue_package *packages, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct td_slice said = catalogue_package_text(&packages[i], "highlight");
		if (said.len > 0 && !td_slice_is_nocase(said, "false") && !td_slice_is(said, "0") &&
			!td_slice_is_nocase(said, "no"))
			return i;
	}
	return count;
}

void page_model_pricing(struct td_arena *arena, struct tpl_value *root, const struct locale *locale,
	const struct catalogue_package *packages, size_t count)
{
	size_t best = page_model_best(packages, count);
	int64_t most_percent = 0;
	struct tpl_value *list = tpl_put_list(arena, root, "packages");
	for (size_t i = 0; i < count; i++) {
		struct tpl_value *map = tpl_add_map(arena, list);
		page_model_package(arena, map, locale, &packages[i]);
		tpl_put_flag(arena, map, "highlight", i == best);
		if (saving_percent(&packages[i].row) > most_percent)
			most_percent = saving_percent(&packages[i].row);
	}
	tpl_put_flag(arena, root, "has_packages", count > 0);
	char text[24];
	(void)snprintf(text, sizeof(text), "%zu", count);
	tpl_put_str(arena, root, "count", text);
	(void)snprintf(text, sizeof(text), "%zu", count + 1);
	tpl_put_str(arena, root, "columns", text);
	if (most_percent > 0)
		put_percent(arena, root, "best_saving", locale, most_percent);
	page_model_compare(arena, root, locale, packages, count, best);
}
