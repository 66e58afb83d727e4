#include "http/metrics.h"

#include "base/alloc.h"

#include <string.h>

static const uint64_t bounds_us[HTTP_DURATION_BUCKETS] = {
	100,
	500,
	1000,
	2500,
	5000,
	10000,
	25000,
	50000,
	100000,
	250000,
	500000,
	1000000,
	2500000,
	10000000,
};

static const unsigned status_codes[HTTP_STATUS_PLACES] = {
#define STATUS_CODE(code) code,
	HTTP_STATUS_MAP(STATUS_CODE)
#undef STATUS_CODE
		0,
};

/* Rows: two a route (its own method, and HEAD), then one a method for what no route took. */
static size_t row_of(const struct http_metrics *m, int row, enum http_method_id method)
{
	if (row < 0)
		return m->routes->row_count * 2 + method;
	return (size_t)row * 2 + (method == HTTP_METHOD_HEAD);
}

enum td_status http_metrics_init(struct http_metrics *m, const struct http_route_table *routes,
	unsigned threads, struct td_err *err)
{
	m->routes = routes;
	m->threads = threads;
	m->row_count = routes->row_count * 2 + HTTP_METHOD_COUNT;
	m->rows = td_alloc_array(m->row_count * threads, sizeof(*m->rows));
	if (m->rows == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the figures");
	memset(m->places, HTTP_STATUS_PLACE_OTHER, sizeof(m->places));
	for (unsigned i = 0; i < HTTP_STATUS_PLACE_OTHER; i++)
		m->places[status_codes[i]] = (uint8_t)i;
	return TD_OK;
}

void http_metrics_done(struct http_metrics *m)
{
	td_free(m->rows);
	m->rows = NULL;
}

static void add(_Atomic uint64_t *figure, uint64_t more)
{
	/* Nearly always one thread writes it: a plain add would do, but for connections that
	 * libmicrohttpd gave to another thread than the one that we count by. */
	atomic_fetch_add_explicit(figure, more, memory_order_relaxed);
}

void http_metrics_count(struct http_metrics *m, unsigned thread, int row,
	enum http_method_id method, unsigned status, uint64_t duration_ns)
{
	struct http_metric_row *r =
		&m->rows[(thread % m->threads) * m->row_count + row_of(m, row, method)];
	unsigned place = status < sizeof(m->places) ? m->places[status] : HTTP_STATUS_PLACE_OTHER;
	unsigned bucket = 0;
	while (bucket < HTTP_DURATION_BUCKETS && duration_ns > bounds_us[bucket] * 1000)
		bucket++;
	add(&r->status[place], 1);
	add(&r->buckets[bucket], 1);
	add(&r->sum_ns, duration_ns);
}

struct total {
	uint64_t status[HTTP_STATUS_PLACES];
	uint64_t buckets[HTTP_DURATION_BUCKETS + 1];
	uint64_t sum_ns, count;
};

static void add_up(const struct http_metrics *m, size_t row, struct total *t)
{
	for (unsigned thread = 0; thread < m->threads; thread++) {
		const struct http_metric_row *r = &m->rows[thread * m->row_count + row];
		for (size_t i = 0; i < HTTP_STATUS_PLACES; i++)
			t->status[i] += atomic_load_explicit(&r->status[i], memory_order_relaxed);
		for (size_t i = 0; i <= HTTP_DURATION_BUCKETS; i++) {
			uint64_t n = atomic_load_explicit(&r->buckets[i], memory_order_relaxed);
			t->buckets[i] += n;
			t->count += n;
		}
		t->sum_ns += atomic_load_explicit(&r->sum_ns, memory_order_relaxed);
	}
}

struct labels {
	const char *method;
	const char *route; /* "" where there is none */
};

static struct labels labels_of(const struct http_metrics *m, size_t row)
{
	size_t routed = m->routes->row_count * 2;
	if (row >= routed)
		return (struct labels){http_method_name((enum http_method_id)(row - routed)), ""};
	const struct http_route *route = &m->routes->rows[row / 2];
	return (struct labels){row % 2 == 1 ? "HEAD" : route->method, route->pattern};
}

static void put_requests(const struct http_metrics *m, size_t row, struct td_buf *out)
{
	struct total t = {.count = 0};
	struct labels l = labels_of(m, row);
	add_up(m, row, &t);
	for (size_t i = 0; i < HTTP_STATUS_PLACES; i++) {
		if (t.status[i] == 0)
			continue;
		td_buf_printf(out,
			"http_server_requests_total{method=\"%s\",route=\"%s\",status=\"", l.method,
			l.route);
		if (status_codes[i] == 0)
			td_buf_put_str(out, "other");
		else
			td_buf_put_u64(out, status_codes[i]);
		td_buf_printf(out, "\"} %llu\n", (unsigned long long)t.status[i]);
	}
}

static void put_seconds(struct td_buf *out, double seconds)
{
	td_buf_printf(out, "%.9g", seconds);
}

static void put_duration(const struct http_metrics *m, size_t row, struct td_buf *out)
{
	struct total t = {.count = 0};
	struct labels l = labels_of(m, row);
	add_up(m, row, &t);
	if (t.count == 0)
		return;
	uint64_t below = 0;
	for (size_t i = 0; i <= HTTP_DURATION_BUCKETS; i++) {
		below += t.buckets[i];
		td_buf_printf(out,
			"http_server_request_duration_seconds_bucket{method=\"%s\",route=\"%s\",le="
			"\"",
			l.method, l.route);
		if (i == HTTP_DURATION_BUCKETS)
			td_buf_put_str(out, "+Inf");
		else
			put_seconds(out, (double)bounds_us[i] / 1e6);
		td_buf_printf(out, "\"} %llu\n", (unsigned long long)below);
	}
	td_buf_printf(out, "http_server_request_duration_seconds_sum{method=\"%s\",route=\"%s\"} ",
		l.method, l.route);
	put_seconds(out, (double)t.sum_ns / 1e9);
	td_buf_printf(out,
		"\nhttp_server_request_duration_seconds_count{method=\"%s\",route=\"%s\"} %llu\n",
		l.method, l.route, (unsigned long long)t.count);
}

void http_metrics_put(const struct http_metrics *m, struct td_buf *out)
{
	td_buf_put_str(out, "# HELP http_server_requests_total Requests that were answered.\n"
			    "# TYPE http_server_requests_total counter\n");
	for (size_t row = 0; row < m->row_count; row++)
		put_requests(m, row, out);
	td_buf_put_str(out,
		"# HELP http_server_request_duration_seconds From the request line to the end of "
		"the answer.\n"
		"# TYPE http_server_request_duration_seconds histogram\n");
	for (size_t row = 0; row < m->row_count; row++)
		put_duration(m, row, out);
}
