/* cql_codec read|scan SECONDS: what the codec of the CQL client costs by itself, without a socket,
 * a session or a thread. `read` is an EXECUTE that is written and framed, and an answer of one row
 * that is read, checked and decoded; `scan` is a page of 5,000 rows, its operations are rows.
 * Protocol 5, without compression, 128 requests or answers in a segment where they fit. Prints
 * {"op", "done", "seconds", "cpu", "errors"}. */
#include "cql/protocol/decoder.h"
#include "cql/protocol/request.h"
#include "cql/protocol/result.h"
#include "cql/protocol/value.h"
#include "timing.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS   4 /* id, name, amount, body */
#define IN_FLIGHT 128
#define PAGE_ROWS 5000

static const char statement_id[] = "0123456789abcdef";

static struct {
	char body[100];
	struct td_buf values, envelopes, sent; /* what we send */
	struct td_buf received;                /* what a server sends, again and again */
	struct cql_decoder decoder;
	uint64_t done, errors, checksum;
} bench;

static _Noreturn void fail(const char *why)
{
	fprintf(stderr, "cql_codec: %s\n", why);
	exit(1);
}

/* ---- what a server would answer */

static void put_row(struct td_buf *b, int64_t id)
{
	char name[32];
	int len = snprintf(name, sizeof(name), "row %" PRId64, id);
	cql_bind_bigint(b, id);
	cql_bind_bytes(b, td_slice(name, (size_t)len));
	cql_bind_int(b, (int32_t)(id % 1000));
	cql_bind_bytes(b, td_slice(bench.body, sizeof(bench.body)));
}

/* Without its columns: those of PREPARE are known. */
static void put_answer(struct td_buf *b, int16_t stream, size_t row_count)
{
	cql_put_byte(b, 0x80 | CQL_V5);
	cql_put_byte(b, /* flags= */ 0);
	cql_put_short(b, (uint16_t)stream);
	cql_put_byte(b, CQL_OP_RESULT);
	size_t body = cql_put_gap(b);
	cql_put_int(b, CQL_RESULT_ROWS);
	cql_put_int(b, /* NO_METADATA= */ 4);
	cql_put_int(b, COLUMNS);
	cql_put_int(b, (int32_t)row_count);
	for (size_t i = 0; i < row_count; i++)
		put_row(b, (int64_t)i);
	cql_put_length_at(b, body);
}

static void make_answers(size_t count, size_t row_count)
{
	struct td_buf envelopes = TD_BUF_INIT;
	for (size_t i = 0; i < count; i++)
		put_answer(&envelopes, (int16_t)i, row_count);
	cql_segment_put_all(&bench.received, td_buf_slice(&envelopes), /* lz4= */ false);
	if (envelopes.failed || bench.received.failed)
		fail("no memory");
	td_buf_done(&envelopes);
}

/* ---- what is measured */

static void encode(int16_t stream)
{
	const struct cql_request rq = {.version = CQL_V5, .stream = stream};
	const struct td_slice id = td_slice_str(statement_id);
	const struct cql_statement_id statement = {.id = id, .metadata_id = id};
	struct cql_params params = {.consistency = CQL_LOCAL_ONE, .skip_metadata = true};
	td_buf_reset(&bench.values);
	cql_bind_bigint(&bench.values, stream);
	params.values = (struct cql_values){.bytes = td_buf_slice(&bench.values), .count = 1};
	if (cql_put_execute(&bench.envelopes, &rq, &statement, &params, NULL) != TD_OK)
		bench.errors++;
}

static void encode_all(void)
{
	td_buf_reset(&bench.envelopes);
	td_buf_reset(&bench.sent);
	for (int16_t i = 0; i < IN_FLIGHT; i++)
		encode(i);
	cql_segment_put_all(&bench.sent, td_buf_slice(&bench.envelopes), /* lz4= */ false);
	bench.errors += bench.sent.failed;
}

static bool decode_row(const struct td_slice *cells)
{
	int64_t id;
	int32_t amount;
	if (!cql_get_bigint(cells[0], &id) || !cql_get_int(cells[2], &amount))
		return false;
	bench.checksum += (uint64_t)id + (uint64_t)amount + cells[1].len + cells[3].len;
	return true;
}

static void decode(const struct cql_frame *frame)
{
	struct cql_body body;
	struct cql_result result;
	struct td_slice cells[COLUMNS];
	if (cql_body_open(frame, &body, NULL) != TD_OK ||
		cql_result_read(body.message, CQL_V5, &result, NULL) != TD_OK ||
		result.rows.metadata.column_count != COLUMNS) {
		bench.errors++;
		return;
	}
	while (cql_rows_next(&result.rows, cells)) {
		bench.done++;
		bench.errors += !decode_row(cells);
	}
	bench.errors += cql_rows_check(&result.rows, NULL) != TD_OK;
}

/* All that a server sent, in pieces as recv() would give them. */
static void decode_all(void)
{
	struct td_slice rest = td_buf_slice(&bench.received);
	while (rest.len > 0) {
		size_t len = rest.len < 65536 ? rest.len : 65536;
		char *to = cql_decoder_reserve(&bench.decoder, len);
		if (to == NULL)
			fail("no memory");
		memcpy(to, rest.ptr, len);
		cql_decoder_commit(&bench.decoder, len);
		rest = td_slice_skip(rest, len);
		struct cql_frame frame;
		while (cql_decoder_next(&bench.decoder, &frame, NULL) == CQL_GIVEN)
			decode(&frame);
	}
}

static void run(bool is_scan, double seconds)
{
	double cpu = timing_cpu(), from = timing_now(), now = from;
	while (now < from + seconds) {
		if (!is_scan)
			encode_all();
		decode_all();
		now = timing_now();
	}
	printf("{\"op\": \"%s\", \"done\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.6f, "
	       "\"errors\": %" PRIu64 "}\n",
		is_scan ? "scan" : "read", bench.done, now - from, timing_cpu() - cpu,
		bench.errors);
}

int main(int argc, char **argv)
{
	char *end = NULL;
	double seconds = argc == 3 ? strtod(argv[2], &end) : 0;
	bool is_scan = argc == 3 && strcmp(argv[1], "scan") == 0;
	if (!(seconds > 0) || *end != '\0' || (!is_scan && strcmp(argv[1], "read") != 0)) {
		fprintf(stderr, "usage: %s read|scan SECONDS\n", argv[0]);
		return 2;
	}
	memset(bench.body, 'x', sizeof(bench.body));
	make_answers(is_scan ? 1 : IN_FLIGHT, is_scan ? PAGE_ROWS : 1);
	cql_decoder_init(&bench.decoder, CQL_BODY_MOST);
	cql_decoder_use_segments(&bench.decoder, /* lz4= */ false);
	run(is_scan, seconds);
	cql_decoder_done(&bench.decoder);
	td_buf_done(&bench.values);
	td_buf_done(&bench.envelopes);
	td_buf_done(&bench.sent);
	td_buf_done(&bench.received);
	return bench.errors == 0 ? 0 : 1;
}
