#include "catalogue/catalogue.h"

#include "assets/assets.h"
#include "base/buf.h"
#include "base/uuid.h"
#include "catalogue/file.h"
#include "catalogue/join.h"
#include "catalogue/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void say_to(catalogue_say_fn *say, void *ctx, struct td_buf *line)
{
	const char *text = td_buf_cstr(line);
	if (say != NULL && text != NULL)
		say(ctx, text);
	td_buf_reset(line);
}

/* ---- reading a file */

static enum td_status read_bytes(int fd, const char *path, struct td_buf *out, struct td_err *err)
{
	for (;;) {
		char *at = td_buf_reserve(out, 65536);
		if (at == NULL)
			return td_err_set(err, TD_NOMEM, "no memory to read %s", path);
		ssize_t n = read(fd, at, 65536);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return td_err_errno(err, TD_IO, errno, "cannot read %s", path);
		if (n == 0)
			return TD_OK;
		out->len += (size_t)n;
		if (out->len > CATALOGUE_FILE_MOST)
			return td_err_set(err, TD_TOOBIG, "%s has more than %u bytes", path,
				CATALOGUE_FILE_MOST);
	}
}

static enum td_status read_file(const char *path, struct td_buf *out, struct td_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return td_err_errno(err, TD_IO, errno, "cannot open %s", path);
	enum td_status status = read_bytes(fd, path, out, err);
	(void)close(fd);
	return status;
}

static void say_faults(
	const char *path, const struct catalogue_faults *faults, catalogue_say_fn *say, void *ctx)
{
	struct td_buf line = TD_BUF_INIT;
	for (size_t i = 0; i < faults->count; i++) {
		td_buf_printf(&line, "%s: ", path);
		catalogue_fault_put(&line, &faults->list[i]);
		say_to(say, ctx, &line);
	}
	if (faults->more) {
		td_buf_printf(&line, "%s: and more; correct these first", path);
		say_to(say, ctx, &line);
	}
	td_buf_done(&line);
}

static enum td_status parse(struct td_slice bytes, const char *path, struct td_arena *arena,
	catalogue_say_fn *say, void *say_ctx, struct store_catalogue *ret_catalogue,
	struct td_err *err)
{
	struct catalogue_faults *faults = td_arena_alloc(arena, sizeof(*faults));
	if (faults == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to read %s", path);
	enum td_status status = catalogue_file_parse(bytes, arena, ret_catalogue, faults, err);
	if (status != TD_INVALID)
		return status == TD_OK ? status : td_err_context(err, "%s", path);
	say_faults(path, faults, say, say_ctx);
	return td_err_set(err, TD_INVALID, "%s is not a catalogue that can be used (%zu%s fault%s)",
		path, faults->count, faults->more ? " and more" : "",
		faults->count == 1 && !faults->more ? "" : "s");
}

enum td_status catalogue_load(const char *path, struct td_arena *arena, catalogue_say_fn *say,
	void *say_ctx, struct store_catalogue *ret_catalogue, struct td_err *err)
{
	if (path == NULL) {
		const struct asset *built_in = asset_find(ASSET_CATALOGUE, "default.json");
		td_assert(built_in != NULL);
		return parse(built_in->bytes, "the built-in catalogue", arena, say, say_ctx,
			ret_catalogue, err);
	}
	struct td_buf bytes = TD_BUF_INIT;
	enum td_status status = read_file(path, &bytes, err);
	if (status == TD_OK)
		status = parse(td_buf_slice(&bytes), path, arena, say, say_ctx, ret_catalogue, err);
	td_buf_done(&bytes);
	return status;
}

/* ---- operations on a store */

static void say(const struct catalogue_access *access, const char *line)
{
	if (access->say != NULL)
		access->say(access->say_ctx, line);
}

static struct store_op *new_op(const struct catalogue_access *access, enum store_op_kind kind)
{
	struct store_op *op = store_op_new(kind);
	if (op == NULL)
		return NULL;
	op->now_ms = td_clock_wall_ms(access->clock);
	op->deadline_ms = td_clock_mono_ms(access->clock) + access->store_timeout_ms;
	return op;
}

/* Copies into the operation's arena, for it may outlive the caller's rows, and gives each package
 * an id. False: no memory. */
static bool give_rows(struct store_op *op, const struct store_catalogue *catalogue)
{
	struct store_catalogue *rows = td_arena_alloc(&op->arena, sizeof(*rows));
	if (rows == NULL || !rows_copy(&op->arena, catalogue, rows))
		return false;
	for (size_t i = 0; i < rows->package_count; i++) {
		char id[TD_UUID_TEXT_SIZE];
		td_uuid_v7(op->now_ms, id);
		rows->packages[i].id = td_arena_slice(&op->arena, td_slice_str(id));
		rows->packages[i].created_at = rows->packages[i].updated_at = op->now_ms;
	}
	for (size_t i = 0; i < rows->metadata_count; i++)
		rows->metadata[i].updated_at = op->now_ms;
	for (size_t i = 0; i < rows->feature_count; i++)
		rows->features[i].updated_at = op->now_ms;
	op->in.catalogue = rows;
	return !op->arena.failed;
}

static void say_populated_content(
	const struct catalogue_access *access, const struct store_catalogue *catalogue)
{
	struct td_buf line = TD_BUF_INIT;
	say(access, "Populating subscription metadata...");
	for (size_t i = 0; i < catalogue->metadata_count; i++) {
		const struct store_metadata *m = &catalogue->metadata[i];
		td_buf_printf(&line, "Upserted metadata: %.*s.%.*s", TD_SLICE_ARG(m->package_slug),
			TD_SLICE_ARG(m->key));
		say_to(access->say, access->say_ctx, &line);
	}
	for (size_t i = 0; i < catalogue->feature_count; i++) {
		const struct store_feature *f = &catalogue->features[i];
		td_buf_printf(&line, "Upserted feature: %.*s - %.*s", TD_SLICE_ARG(f->package_slug),
			TD_SLICE_ARG(f->name));
		say_to(access->say, access->say_ctx, &line);
	}
	td_buf_done(&line);
}

static void say_populated_packages(
	const struct catalogue_access *access, const struct store_catalogue *catalogue)
{
	struct td_buf line = TD_BUF_INIT;
	say(access, "Populating subscription packages...");
	for (size_t i = 0; i < catalogue->package_count; i++) {
		const struct store_package *package = &catalogue->packages[i];
		td_buf_printf(&line, "Upserted package: %.*s - %.*s", TD_SLICE_ARG(package->slug),
			TD_SLICE_ARG(package->name));
		say_to(access->say, access->say_ctx, &line);
	}
	td_buf_done(&line);
}

/* Runs a population; TD_EXISTS: *ret_existing packages are there. */
static enum td_status run_populate(const struct catalogue_access *access, struct store *store,
	const struct store_catalogue *catalogue, size_t *ret_existing, struct td_err *err)
{
	struct store_op *op = new_op(access, STORE_CATALOGUE_POPULATE);
	if (op == NULL || !give_rows(op, catalogue)) {
		store_op_free(op);
		return td_err_set(err, TD_NOMEM, "no memory to populate the catalogue");
	}
	enum td_status status = store_call(store, &op, err);
	*ret_existing = status == TD_EXISTS ? op->out.existing : 0;
	store_op_free(op);
	return status;
}

enum td_status catalogue_populate(const struct catalogue_access *access,
	const struct store_catalogue *catalogue, struct td_err *err)
{
	size_t existing;
	enum td_status status = run_populate(access, access->store, catalogue, &existing, err);
	if (status == TD_OK)
		say_populated_packages(access, catalogue);
	if (status != TD_EXISTS)
		return status;
	struct td_buf line = TD_BUF_INIT;
	td_buf_printf(
		&line, "Found %zu existing subscription packages, skipping population", existing);
	say_to(access->say, access->say_ctx, &line);
	td_buf_done(&line);
	return TD_OK;
}

enum td_status catalogue_populate_content(const struct catalogue_access *access,
	const struct store_catalogue *catalogue, struct td_err *err)
{
	size_t existing;
	enum td_status status = run_populate(access, access->content, catalogue, &existing, err);
	if (status == TD_OK)
		say_populated_content(access, catalogue);
	if (status != TD_EXISTS)
		return status;
	say(access, "Found existing subscription metadata, skipping population");
	return TD_OK;
}

static void say_bad_rows(const struct catalogue_access *access, const struct store_op *op)
{
	struct td_buf line = TD_BUF_INIT;
	for (size_t i = 0; i < op->out.bad_row_count; i++) {
		const struct store_bad_row *row = &op->out.bad_rows[i];
		td_buf_printf(&line, "left out: %.*s %.*s: %.*s", TD_SLICE_ARG(row->table),
			TD_SLICE_ARG(row->key), TD_SLICE_ARG(row->why));
		say_to(access->say, access->say_ctx, &line);
	}
	td_buf_done(&line);
}

/* Metadata and features from a store of their own. */
static enum td_status read_content(const struct catalogue_access *access, struct store_op *packages,
	const struct store_catalogue *want, struct td_err *err)
{
	struct store_op *op = new_op(access, STORE_CATALOGUE_READ);
	if (op == NULL || !join_ask(packages, want, op)) {
		store_op_free(op);
		return td_err_set(err, TD_NOMEM, "no memory to read the content");
	}
	enum td_status status = store_call(access->content, &op, err);
	if (status == TD_OK && !join_content(packages, op))
		status = td_err_set(err, TD_NOMEM, "no memory to read the content");
	store_op_free(op);
	return status;
}

enum td_status catalogue_export(const struct catalogue_access *access,
	const struct store_catalogue *want, struct td_arena *arena,
	struct store_catalogue *ret_catalogue, struct td_err *err)
{
	struct store_op *op = new_op(access, STORE_CATALOGUE_READ);
	if (op == NULL)
		return td_err_set(err, TD_NOMEM, "no memory to read the catalogue");
	op->in.parts = STORE_PACKAGES | (access->content == NULL ? (unsigned)STORE_CONTENT : 0);
	enum td_status status = store_call(access->store, &op, err);
	if (status == TD_OK && access->content != NULL)
		status = read_content(access, op, want, err);
	if (status == TD_OK) {
		say_bad_rows(access, op);
		struct store_catalogue copy;
		if (rows_copy(arena, &op->out.catalogue, &copy))
			*ret_catalogue = copy;
		else
			status = td_err_set(err, TD_NOMEM, "no memory to read the catalogue");
	}
	store_op_free(op);
	return status;
}

enum part {
	PART_ALL,
	PART_CONTENT,
	PART_PACKAGES,
};

static bool is_in(enum part part, enum store_change_kind kind)
{
	return part == PART_ALL || (part == PART_PACKAGES) == (kind == STORE_PUT_PACKAGE);
}

/* The rows that a change does not concern are empty. */
static bool copy_changes(struct store_op *op, const struct catalogue_diff *diff, enum part part)
{
	struct store_change *copy = td_arena_array(
		&op->arena, diff->change_count + 1, sizeof(*copy));
	size_t count = 0;
	for (size_t i = 0; copy != NULL && i < diff->change_count; i++) {
		struct store_change change = diff->changes[i];
		struct store_catalogue rows = {&change.package, 1, &change.metadata, 1,
					       &change.feature, 1},
				       own;
		if (!is_in(part, change.kind))
			continue;
		if (!rows_copy(&op->arena, &rows, &own))
			return false;
		copy[count++] = (struct store_change){
			change.kind, own.packages[0], own.metadata[0], own.features[0]};
	}
	op->in.changes = copy;
	op->in.change_count = count;
	return !op->arena.failed;
}

static enum td_status apply_part(const struct catalogue_access *access, struct store *store,
	const struct catalogue_diff *diff, enum part part, struct td_err *err)
{
	struct store_op *op = new_op(access, STORE_CATALOGUE_APPLY);
	if (op == NULL || !copy_changes(op, diff, part)) {
		store_op_free(op);
		return td_err_set(err, TD_NOMEM, "no memory to change the catalogue");
	}
	enum td_status status = TD_OK;
	if (op->in.change_count > 0)
		status = store_call(store, &op, err);
	store_op_free(op);
	return status;
}

static enum td_status apply_both(const struct catalogue_access *access,
	const struct catalogue_diff *diff, struct td_err *err)
{
	static const char again[] = "not all is changed; run the same again to complete it";
	enum td_status status = apply_part(access, access->content, diff, PART_CONTENT, err);
	if (status == TD_OK)
		status = apply_part(access, access->store, diff, PART_PACKAGES, err);
	return status == TD_OK ? TD_OK : td_err_context(err, "%s", again);
}

enum td_status catalogue_apply(const struct catalogue_access *access,
	const struct catalogue_diff *diff, struct td_err *err)
{
	enum td_status status = access->content != NULL
					? apply_both(access, diff, err)
					: apply_part(access, access->store, diff, PART_ALL, err);
	for (size_t i = 0; status == TD_OK && i < diff->line_count; i++)
		say(access, diff->lines[i]);
	return status;
}
