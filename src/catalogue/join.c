#include "catalogue/join.h"

#include "catalogue/rows.h"

bool join_ask(const struct store_op *packages, const struct store_catalogue *also,
	struct store_op *content)
{
	static const struct store_catalogue none;
	const struct store_catalogue *rows = &packages->out.catalogue;
	const struct store_catalogue *more = also != NULL ? also : &none;
	struct td_slice *slugs = td_arena_array(
		&content->arena, rows->package_count + more->package_count + 1, sizeof(*slugs));
	size_t count = 0;
	for (size_t i = 0; slugs != NULL && i < rows->package_count; i++)
		slugs[count++] = td_arena_slice(&content->arena, rows->packages[i].slug);
	for (size_t i = 0; slugs != NULL && i < more->package_count; i++) {
		if (rows_package(rows, more->packages[i].slug) == NULL)
			slugs[count++] = td_arena_slice(&content->arena, more->packages[i].slug);
	}
	content->in.parts = STORE_CONTENT;
	content->in.slugs = slugs;
	content->in.slug_count = count;
	return !content->arena.failed;
}

static void join_bad_rows(struct store_op *packages, const struct store_op *content)
{
	size_t count = packages->out.bad_row_count + content->out.bad_row_count, used = 0;
	struct store_bad_row *all = td_arena_array(&packages->arena, count + 1, sizeof(*all));
	if (all == NULL)
		return;
	for (size_t i = 0; i < packages->out.bad_row_count; i++)
		all[used++] = packages->out.bad_rows[i];
	for (size_t i = 0; i < content->out.bad_row_count; i++) {
		const struct store_bad_row *row = &content->out.bad_rows[i];
		all[used++] = (struct store_bad_row){
			.table = td_arena_slice(&packages->arena, row->table),
			.key = td_arena_slice(&packages->arena, row->key),
			.why = td_arena_slice(&packages->arena, row->why),
			.told = row->told,
		};
	}
	packages->out.bad_rows = all;
	packages->out.bad_row_count = used;
}

bool join_content(struct store_op *packages, const struct store_op *content)
{
	rows_copy_content(&packages->arena, &content->out.catalogue, &packages->out.catalogue);
	join_bad_rows(packages, content);
	return !packages->arena.failed;
}

bool join_earlier(struct store_op *packages, const struct store_catalogue *earlier)
{
	struct store_catalogue *rows = &packages->out.catalogue;
	size_t count = 0;
	for (size_t i = 0; i < rows->package_count; i++) {
		if (rows_package(earlier, rows->packages[i].slug) != NULL)
			rows->packages[count++] = rows->packages[i];
	}
	rows->package_count = count;
	rows_copy_content(&packages->arena, earlier, rows);
	return !packages->arena.failed;
}
