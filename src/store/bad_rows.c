#include "store/bad_rows.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <string.h>

/* Tells rows and reasons apart; that two are alike by chance costs a line in the log. */
static uint64_t mark_of(const struct store_bad_row *row)
{
	struct td_buf all = TD_BUF_INIT;
	uint8_t digest[TD_SHA256_SIZE] = {0};
	uint64_t mark = 0;
	td_buf_put_slice(&all, row->table);
	td_buf_put_char(&all, '\n');
	td_buf_put_slice(&all, row->key);
	td_buf_put_char(&all, '\n');
	td_buf_put_slice(&all, row->why);
	td_sha256(td_buf_slice(&all), digest);
	td_buf_done(&all);
	memcpy(&mark, digest, sizeof(mark));
	return mark;
}

static bool was_seen(const struct store_bad_seen *seen, uint64_t mark)
{
	for (size_t i = 0; i < seen->count; i++) {
		if (seen->marks[i] == mark)
			return true;
	}
	return false;
}

void store_bad_rows_tell(
	struct store_bad_seen *seen, const struct store_op *op, store_bad_row_fn *tell, void *ctx)
{
	size_t count = op->out.bad_row_count;
	uint64_t *marks = count > 0 ? td_alloc_array(count, sizeof(*marks)) : NULL;
	if (count > 0 && marks == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct store_bad_row *row = &op->out.bad_rows[i];
		marks[i] = mark_of(row);
		if (!row->told && !was_seen(seen, marks[i]))
			tell(ctx, row);
	}
	store_bad_seen_done(seen);
	*seen = (struct store_bad_seen){marks, count};
}

void store_bad_seen_done(struct store_bad_seen *seen)
{
	td_free(seen->marks);
	*seen = (struct store_bad_seen){NULL, 0};
}

bool store_bad_told_add(struct store_bad_told *told, const struct store_bad_row *row)
{
	uint64_t mark = mark_of(row);
	size_t count = told->count < STORE_BAD_TOLD_MOST ? told->count : STORE_BAD_TOLD_MOST;
	for (size_t i = 0; i < count; i++) {
		if (told->marks[i] == mark)
			return false;
	}
	told->marks[told->count++ % STORE_BAD_TOLD_MOST] = mark;
	return true;
}
