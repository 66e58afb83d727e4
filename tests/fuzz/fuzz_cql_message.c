/* What a server may answer: the first byte chooses among SUPPORTED, AUTHENTICATE, tokens, events,
 * errors and results, and the protocol's version. */
#include "fuzz.h"

#include "cql/protocol/error.h"
#include "cql/protocol/frame.h"
#include "cql/protocol/result.h"

#define CELLS_MOST 512

static void check_strings(struct cql_items items)
{
	struct cql_reader r = cql_reader(items.bytes);
	for (size_t i = 0; i < items.count; i++)
		(void)cql_read_string(&r);
	FUZZ_CLAIM(!r.failed && r.left == 0);
}

static enum td_status check_supported(struct td_slice message, struct td_err *err)
{
	struct cql_items options;
	enum td_status status = cql_supported_read(message, &options, err);
	if (status == TD_OK) {
		FUZZ_CLAIM(cql_supported_version(&options, 5) <= 5);
		(void)cql_supported_has(&options, "COMPRESSION", "lz4");
	}
	return status;
}

static enum td_status check_authenticate(struct td_slice message, struct td_err *err)
{
	struct td_slice name, token;
	enum td_status status = cql_authenticate_read(message, &name, err);
	if (status == TD_OK)
		FUZZ_CLAIM(!cql_authenticator_is_known(name) || name.len > 40);
	struct td_err second = TD_ERR_INIT;
	if (cql_auth_read(message, &token, &second) == TD_OK)
		FUZZ_CLAIM(cql_is_null(token) || fuzz_is_within(token, message));
	return status;
}

static enum td_status check_event(struct td_slice message, struct td_err *err)
{
	struct cql_event event;
	enum td_status status = cql_event_read(message, &event, err);
	if (status != TD_OK)
		return status;
	FUZZ_CLAIM(event.change <= CQL_DROPPED && event.schema.target <= CQL_TARGET_AGGREGATE);
	FUZZ_CLAIM(event.type == CQL_EVENT_IS_UNKNOWN || event.type == CQL_EVENT_IS_SCHEMA ||
		   event.node.len == 4 || event.node.len == 16);
	check_strings(event.schema.argument_types);
	return status;
}

static enum td_status check_error(struct td_slice message, unsigned version, struct td_err *err)
{
	struct cql_error error;
	struct td_err told = TD_ERR_INIT;
	enum td_status status = cql_error_read(message, version, &error, err);
	if (status != TD_OK)
		return status;
	check_strings(error.argument_types);
	struct cql_reader r = cql_reader(error.reasons.bytes);
	for (size_t i = 0; i < error.reasons.count; i++)
		FUZZ_CLAIM(cql_read_inetaddr(&r).len != 0 && cql_read_short(&r) <= UINT16_MAX);
	FUZZ_CLAIM(!r.failed && r.left == 0);
	FUZZ_CLAIM(cql_error_tell(&error, &told) == cql_error_status(error.code));
	FUZZ_CLAIM(told.code == cql_error_status(error.code) && told.native == error.code);
	return status;
}

static void check_columns(const struct cql_metadata *metadata)
{
	struct td_arena arena = {.limit = 1u << 20};
	struct td_err err = TD_ERR_INIT;
	struct cql_column *columns;
	enum td_status status = cql_columns_read(metadata, &arena, &columns, &err);
	FUZZ_CLAIM(status == TD_OK || status == TD_NOMEM || !metadata->has_columns);
	if (status == TD_OK)
		for (size_t i = 0; i < metadata->column_count; i++)
			FUZZ_CLAIM(cql_type_name(columns[i].type.id)[0] != '\0');
	td_arena_done(&arena);
}

static void check_rows(struct cql_rows *rows, struct td_slice message)
{
	static struct td_slice cells[CELLS_MOST];
	size_t count = 0, columns = rows->metadata.column_count;
	struct td_err err = TD_ERR_INIT;
	FUZZ_CLAIM(rows->row_count * columns <= message.len);
	check_columns(&rows->metadata);
	if (columns > CELLS_MOST)
		return;
	while (cql_rows_next(rows, cells)) {
		count++;
		for (size_t i = 0; i < columns; i++)
			FUZZ_CLAIM(cql_is_null(cells[i]) || fuzz_is_within(cells[i], message));
	}
	FUZZ_CLAIM(cql_rows_check(rows, &err) != TD_OK || count == rows->row_count);
}

static void check_prepared(const struct cql_prepared *prepared)
{
	for (size_t i = 0; i < prepared->pk_count; i++)
		FUZZ_CLAIM(cql_prepared_pk(prepared, i) < prepared->binds.column_count);
	FUZZ_CLAIM(prepared->id.len > 0);
	check_columns(&prepared->binds);
	check_columns(&prepared->result);
}

static enum td_status check_result(struct td_slice message, unsigned version, struct td_err *err)
{
	struct cql_result result;
	enum td_status status = cql_result_read(message, version, &result, err);
	if (status != TD_OK)
		return status;
	if (result.kind == CQL_RESULT_ROWS)
		check_rows(&result.rows, message);
	else if (result.kind == CQL_RESULT_PREPARED)
		check_prepared(&result.prepared);
	check_strings(result.schema.argument_types);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t way = fuzz_choose(&data, &size, 10);
	unsigned version = way % 2 == 0 ? CQL_V4 : CQL_V5;
	struct td_slice message = fuzz_slice(data, size);
	struct td_err err = TD_ERR_INIT;
	enum td_status status = TD_OK;
	if (way < 2)
		status = check_supported(message, &err);
	else if (way < 4)
		status = check_authenticate(message, &err);
	else if (way < 6)
		status = check_event(message, &err);
	else if (way < 8)
		status = check_error(message, version, &err);
	else
		status = check_result(message, version, &err);
	FUZZ_CLAIM(status == TD_OK || (status == TD_CORRUPT && err.text[0] != '\0'));
	return 0;
}
