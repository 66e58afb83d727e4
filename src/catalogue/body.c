#include "catalogue/body.h"

#include "base/compress.h"
#include "base/digest.h"
#include "base/json.h"

static void put_text(struct td_json *j, const char *name, struct td_slice text)
{
	td_json_name(j, name);
	td_json_slice(j, text);
}

static void put_metadata(struct td_json *j, const struct catalogue_package *package)
{
	td_json_name(j, "metadata");
	td_json_open(j, '{');
	for (size_t i = 0; i < package->metadata_count; i++)
		put_text(j, package->metadata[i].key.ptr, package->metadata[i].value);
	td_json_close(j, '}');
}

static void put_features(struct td_json *j, const struct catalogue_package *package)
{
	td_json_name(j, "features");
	td_json_open(j, '[');
	for (size_t i = 0; i < package->feature_count; i++) {
		const struct store_feature *feature = &package->features[i];
		td_json_open(j, '{');
		put_text(j, "id", feature->feature_id);
		put_text(j, "name", feature->name);
		put_text(j, "description", feature->description);
		td_json_member_bool(j, "included", feature->included);
		put_text(j, "icon", feature->icon);
		put_text(j, "category", feature->category);
		td_json_close(j, '}');
	}
	td_json_close(j, ']');
}

static void put_package(struct td_json *j, const struct catalogue_package *package)
{
	const struct store_package *row = &package->row;
	td_json_open(j, '{');
	put_text(j, "id", row->id);
	put_text(j, "slug", row->slug);
	put_text(j, "name", row->name);
	put_text(j, "description", row->description);
	td_json_member_money(j, "price_monthly", row->price_monthly);
	td_json_member_money(j, "price_yearly", row->price_yearly);
	put_text(j, "currency", row->currency);
	td_json_member_i64(j, "rate_limit_per_hour", row->rate_limit_per_hour);
	td_json_member_i64(j, "rate_limit_per_day", row->rate_limit_per_day);
	td_json_member_i64(j, "display_order", row->display_order);
	put_metadata(j, package);
	put_features(j, package);
	td_json_close(j, '}');
}

void body_put_package(struct td_buf *out, const struct catalogue_package *package)
{
	struct td_json j = td_json_to(out);
	put_package(&j, package);
}

void body_put_list(struct td_buf *out, const struct catalogue_package *packages, size_t count)
{
	struct td_json j = td_json_to(out);
	td_json_open(&j, '[');
	for (size_t i = 0; i < count; i++)
		put_package(&j, &packages[i]);
	td_json_close(&j, ']');
}

bool body_make(struct td_arena *arena, struct td_slice json, struct catalogue_body *ret_body)
{
	uint8_t digest[TD_SHA256_SIZE];
	struct catalogue_body body = {0};
	td_sha256(json, digest);
	td_hex(digest, TD_SHA256_SIZE / 2, body.tag);
	body.bytes[CATALOGUE_IDENTITY] = td_arena_slice(arena, json);
	struct td_buf packed = TD_BUF_INIT;
	bool worked = td_compress_gzip(json, &packed);
	if (worked)
		body.bytes[CATALOGUE_GZIP] = td_arena_slice(arena, td_buf_slice(&packed));
	worked = worked && td_compress_br(json, &packed);
	if (worked)
		body.bytes[CATALOGUE_BR] = td_arena_slice(arena, td_buf_slice(&packed));
	td_buf_done(&packed);
	*ret_body = body;
	return worked && !arena->failed;
}
