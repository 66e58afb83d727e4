#include "catalogue/reading.h"

#include "catalogue/file.h"
#include "catalogue/join.h"
#include "catalogue/rows.h"

static struct store_op *new_op(const struct reading *r, enum store_op_kind kind)
{
	struct store_op *op = store_op_new(kind);
	if (op == NULL)
		return NULL;
	op->now_ms = td_clock_wall_ms(r->clock);
	op->deadline_ms = td_clock_mono_ms(r->clock) + r->store_timeout_ms;
	return op;
}

/* Takes the operation over. It again, after TD_OK; or NULL with err. */
static struct store_op *run_op(struct reading *r, struct store *store, struct store_op *op,
	const char *what, struct td_err *err)
{
	if (op == NULL || op->arena.failed) {
		store_op_free(op);
		(void)td_err_set(err, TD_NOMEM, "no memory to %s", what);
		return NULL;
	}
	struct store_op *ran;
	enum td_status status = desk_run(r->desk, store, op, &ran);
	if (status == TD_OK && ran != NULL)
		return ran;
	if (ran != NULL && ran->err.code != TD_OK)
		*err = ran->err;
	else
		(void)td_err_set(err, status, "cannot %s: %s", what, td_status_words(status));
	store_op_free(ran);
	return NULL;
}

/* ---- the last good one
 * --------------------------------------------------------------------------------- */

static bool remember(struct reading *r, const struct store_catalogue *rows, const char *source)
{
	td_arena_done(&r->arena);
	r->arena = (struct td_arena)TD_ARENA_INIT;
	bool remembered = rows_copy(&r->arena, rows, &r->good);
	r->good_source = remembered ? source : NULL;
	return remembered;
}

/* False: nothing was kept, or it cannot be read now. */
static bool load_kept(struct reading *r)
{
	struct td_err err = TD_ERR_INIT;
	struct td_arena arena = TD_ARENA_INIT;
	struct store_catalogue rows;
	struct store_op *op = run_op(
		r, r->records, new_op(r, STORE_KEPT_GET), "read the kept catalogue", &err);
	struct catalogue_faults *faults = td_arena_alloc(&arena, sizeof(*faults));
	bool loaded = op != NULL && faults != NULL &&
		      catalogue_file_parse(op->out.text, &arena, &rows, faults, &err) == TD_OK &&
		      remember(r, &rows, r->kept_source);
	td_arena_done(&arena);
	store_op_free(op);
	return loaded;
}

/* ---- reading
 * ------------------------------------------------------------------------------------------- */

static struct store_op *read_part(struct reading *r, unsigned parts, struct td_err *err)
{
	struct store_op *op = new_op(r, STORE_CATALOGUE_READ);
	if (op != NULL)
		op->in.parts = parts;
	return run_op(r, r->records, op, "read the catalogue", err);
}

static enum td_status add_content(struct reading *r, struct store_op *packages, struct td_err *err)
{
	struct store_op *op = new_op(r, STORE_CATALOGUE_READ);
	if (op != NULL && !join_ask(packages, NULL, op)) {
		store_op_free(op);
		op = NULL;
	}
	op = run_op(r, r->content, op, "read the content of the packages", err);
	if (op == NULL)
		return err->code;
	bool joined = join_content(packages, op) &&
		      remember(r, &packages->out.catalogue, r->source);
	store_op_free(op);
	return joined ? TD_OK : td_err_set(err, TD_NOMEM, "no memory for the catalogue");
}

/* Packages as they are now, content as it was. False: there is none. */
static bool add_earlier(struct reading *r, struct store_op *packages)
{
	if (r->good_source == NULL && !load_kept(r))
		return false;
	return join_earlier(packages, &r->good);
}

enum td_status reading_run(struct reading *r, struct reading_result *ret_result, struct td_err *err)
{
	unsigned parts = r->content != NULL ? STORE_PACKAGES : STORE_PACKAGES | STORE_CONTENT;
	*ret_result = (struct reading_result){read_part(r, parts, err), r->source};
	struct store_op *op = ret_result->op;
	if (op == NULL || r->content == NULL)
		return op != NULL ? TD_OK : err->code;
	enum td_status status = add_content(r, op, err);
	if (status == TD_OK)
		return TD_OK;
	if (status != TD_STOPPING && add_earlier(r, op)) {
		ret_result->source = r->good_source;
		return status;
	}
	store_op_free(op);
	ret_result->op = NULL;
	return status;
}

/* ---- keeping
 * ------------------------------------------------------------------------------------------- */

/* Whoever reads it later checks it like any file, so what he would refuse is refused here. */
static enum td_status check(struct td_slice text, struct td_err *err)
{
	struct td_arena arena = TD_ARENA_INIT;
	struct store_catalogue rows;
	struct catalogue_faults *faults = td_arena_alloc(&arena, sizeof(*faults));
	enum td_status status = faults != NULL
					? catalogue_file_parse(text, &arena, &rows, faults, err)
					: td_err_set(err, TD_NOMEM,
						  "no memory to check the catalogue");
	td_arena_done(&arena);
	if (status == TD_NOMEM)
		return status;
	return status == TD_OK ? TD_OK
			       : td_err_set(err, TD_INVALID,
					 "The packages cannot be kept for when their content "
					 "cannot be read: %.400s",
					 err->text);
}

static enum td_status put(struct reading *r, struct td_slice text, struct td_err *err)
{
	struct store_op *op = new_op(r, STORE_KEPT_PUT);
	if (op != NULL)
		op->in.text = td_arena_slice(&op->arena, text);
	op = run_op(r, r->records, op, "keep the catalogue", err);
	store_op_free(op);
	return op != NULL ? TD_OK : err->code;
}

enum td_status reading_keep(struct reading *r, struct td_err *err)
{
	struct td_buf text = TD_BUF_INIT;
	uint8_t digest[TD_SHA256_SIZE];
	enum td_status status = TD_OK;
	if (r->content == NULL)
		return TD_OK;
	catalogue_file_write(&text, &r->good);
	if (text.failed)
		status = td_err_set(err, TD_NOMEM, "no memory to keep the catalogue");
	else
		td_sha256(td_buf_slice(&text), digest);
	if (status != TD_OK || memcmp(digest, r->kept, sizeof(digest)) == 0 ||
		memcmp(digest, r->refused, sizeof(digest)) == 0) {
		td_buf_done(&text);
		return status;
	}
	status = check(td_buf_slice(&text), err);
	if (status == TD_OK)
		status = put(r, td_buf_slice(&text), err);
	if (status == TD_OK)
		memcpy(r->kept, digest, sizeof(digest));
	else if (status == TD_INVALID)
		memcpy(r->refused, digest, sizeof(digest));
	td_buf_done(&text);
	return status;
}

void reading_done(struct reading *r)
{
	td_arena_done(&r->arena);
	r->good_source = NULL;
}
