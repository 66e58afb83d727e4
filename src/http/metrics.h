/* Figures of the requests, one set an HTTP thread, so that threads share no cache line; added up
 * when they are read. */
#ifndef TD_HTTP_METRICS_H
#define TD_HTTP_METRICS_H

#include "base/buf.h"
#include "base/err.h"
#include "http/guard.h"
#include "http/route.h"

#include <stdatomic.h>
#include <stdint.h>

#define HTTP_DURATION_BUCKETS 14 /* without +Inf */

/* Each status that this program sends has a place of its own; others share the last. */
/* clang-format off */
#define HTTP_STATUS_MAP(X) \
	X(200) X(201) X(202) X(204) \
	X(301) X(302) X(303) X(304) X(307) X(308) \
	X(400) X(401) X(403) X(404) X(405) X(408) X(409) X(411) X(412) X(413) X(414) X(415) X(417) \
	X(422) X(428) X(429) X(431) \
	X(500) X(501) X(503)
/* clang-format on */

enum http_status_place {
#define HTTP_STATUS_ENUM(code) HTTP_STATUS_PLACE_##code,
	HTTP_STATUS_MAP(HTTP_STATUS_ENUM)
#undef HTTP_STATUS_ENUM
	HTTP_STATUS_PLACE_OTHER,
	HTTP_STATUS_PLACES
};

struct http_metric_row {
	_Atomic uint64_t status[HTTP_STATUS_PLACES];
	_Atomic uint64_t buckets[HTTP_DURATION_BUCKETS + 1];
	_Atomic uint64_t sum_ns;
};

struct http_metrics {
	const struct http_route_table *routes; /* borrowed */
	unsigned threads;
	size_t row_count;
	struct http_metric_row *rows; /* threads * row_count; owned */
	uint8_t places[600];
};

/* After the last route was added. TD_NOMEM. */
enum td_status http_metrics_init(struct http_metrics *m, const struct http_route_table *routes,
	unsigned threads, struct td_err *err) TD_MUST_CHECK;
void http_metrics_done(struct http_metrics *m);

/* One request is done; `row` of the route table or -1. */
void http_metrics_count(struct http_metrics *m, unsigned thread, int row,
	enum http_method_id method, unsigned status, uint64_t duration_ns);

/* Prometheus text of both families. */
void http_metrics_put(const struct http_metrics *m, struct td_buf *out);

#endif
