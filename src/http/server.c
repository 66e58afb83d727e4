#include "http/internal.h"

#include "base/alloc.h"
#include "base/log.h"

#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

/* What a connection's header, its parsed fields and the header of the answer share. 8 KiB cost
 * 10,000 idle connections 80 MiB, of which the kernel gives only the pages that were written to;
 * HTTP_TARGET_MOST and HTTP_HEADERS_MOST leave room for our longest answer's header. */
#define POOL_BYTES     8192
#define POOL_INCREMENT 1024
#define RESERVED_FILES 128
#define ARENA_LIMIT    ((size_t)1 << 20)
#define THREADS_MOST   64
#define STOP_LOOK_MS   20

/* ---- Making ---------------------------------------------------------------------------------- */

static bool copy_strings(struct http_server *s, const struct http_server_config *config)
{
	s->host = td_strdup(config->host != NULL ? config->host : "127.0.0.1");
	s->public_url = td_strdup(config->public_url != NULL ? config->public_url : "");
	return s->host != NULL && s->public_url != NULL;
}

static unsigned count_processors(void)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	if (count < 1)
		return 1;
	return count > THREADS_MOST ? THREADS_MOST : (unsigned)count;
}

static void set_defaults(struct http_server *s, const struct http_server_config *config)
{
	s->config = *config;
	s->config.host = s->host;
	s->config.public_url = s->public_url;
	s->config.trusted_proxies = NULL;
	s->is_https = strncasecmp(s->public_url, "https://", 8) == 0;
	if (s->config.threads == 0)
		s->config.threads = count_processors();
	if (s->config.threads > THREADS_MOST)
		s->config.threads = THREADS_MOST;
	if (s->config.arena_limit == 0)
		s->config.arena_limit = ARENA_LIMIT;
	if (s->config.reserved_files == 0)
		s->config.reserved_files = RESERVED_FILES;
	if (s->config.clock == NULL)
		s->config.clock = &td_clock_system;
}

enum td_status http_server_create(const struct http_server_config *config,
	struct http_server **ret_server, struct td_err *err)
{
	struct http_server *s = td_alloc_zero(sizeof(*s));
	if (s == NULL)
		return td_err_set(err, TD_NOMEM, "no memory for the HTTP server");
	s->wake_fd = -1;
	td_lock_init(&s->stop_lock);
	td_cond_init(&s->stop_wake);
	http_route_table_init(&s->routes);
	enum td_status status = TD_OK;
	if (!copy_strings(s, config))
		status = td_err_set(err, TD_NOMEM, "no memory for the HTTP server");
	if (status == TD_OK)
		status = http_proxies_create(config->trusted_proxies, &s->proxies, err);
	if (status != TD_OK) {
		http_server_destroy(s);
		return status;
	}
	set_defaults(s, config);
	*ret_server = s;
	return TD_OK;
}

enum td_status http_server_add_routes(
	struct http_server *s, const struct http_route *routes, size_t count, struct td_err *err)
{
	for (size_t i = 0; i < count; i++) {
		enum td_status status = http_route_table_add(&s->routes, &routes[i], err);
		if (status != TD_OK)
			return status;
	}
	return TD_OK;
}

/* ---- Starting -------------------------------------------------------------------------------- */

/* As many descriptors as we may have; tells how many that is. */
static size_t raise_files(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 1024;
	rlim_t before = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		limit.rlim_cur = before;
	return limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > 1u << 20
		       ? 1u << 20
		       : (size_t)limit.rlim_cur;
}

static void fit_connections(struct http_server *s, size_t files)
{
	size_t wanted = s->config.max_connections;
	size_t left = files > s->config.reserved_files ? files - s->config.reserved_files : 1;
	if (wanted <= left)
		return;
	s->config.max_connections = left;
	td_log(TD_LOG_WARNING, "http.connections_lowered",
		"HTTP_MAX_CONNECTIONS lowered from %zu to %zu: this process may open %zu files "
		"(RLIMIT_NOFILE); raise the limit (ulimit -n, LimitNOFILE=)",
		wanted, left, files);
}

static void on_conn_closed(void *ctx)
{
	struct http_server *s = ctx;
	if (atomic_exchange(&s->wants_room, false))
		http_accept_wake(s);
	if (atomic_load(&s->is_quiescing) && atomic_load(&s->conns.count) == 0) {
		td_lock_take(&s->stop_lock);
		td_cond_wake_all(&s->stop_wake);
		td_lock_give(&s->stop_lock);
	}
}

static void on_connection(void *server, struct MHD_Connection *mhd, void **socket_context,
	enum MHD_ConnectionNotificationCode code)
{
	struct http_server *s = server;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const union MHD_ConnectionInfo *info = MHD_get_connection_info(
			mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
		*socket_context = info == NULL ? NULL
					       : http_conns_announced(&s->conns, info->connect_fd);
		return;
	}
	struct http_conn *conn = *socket_context;
	*socket_context = NULL;
	if (conn != NULL)
		http_conns_remove(conn);
}

static void drop_message(void *cls, const char *fmt, va_list args)
{
	(void)cls;
	(void)fmt;
	(void)args;
}

/* Paths and queries are decoded by us, from the raw target. */
static size_t keep_escapes(void *cls, struct MHD_Connection *mhd, char *text)
{
	(void)cls;
	(void)mhd;
	return strlen(text);
}

enum td_status http_daemon_start(struct http_server *s, unsigned threads, struct td_err *err)
{
	struct MHD_OptionItem pool[] = {
		{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)threads, NULL},
		{MHD_OPTION_END, 0, NULL},
	};
	if (threads < 2)
		pool[0].option = MHD_OPTION_END;
	unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
			 MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	if (threads > 0)
		flags |= MHD_USE_INTERNAL_POLLING_THREAD;
	/* The limit is ours to keep; theirs is divided among the threads. */
	unsigned most = (unsigned)(s->config.max_connections + 64) * (threads > 1 ? 2 : 1);
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	s->daemon = MHD_start_daemon(flags, 0, NULL, NULL, http_request_on_access, s,
		MHD_OPTION_EXTERNAL_LOGGER, drop_message, NULL, MHD_OPTION_ARRAY, pool,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_URI_LOG_CALLBACK,
		http_request_on_uri, s, MHD_OPTION_NOTIFY_COMPLETED, http_request_on_completed, s,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL_BYTES,
		MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)POOL_INCREMENT,
		MHD_OPTION_CONNECTION_LIMIT, most, MHD_OPTION_CONNECTION_TIMEOUT, 0u,
#if HTTP_MHD_IS_NEW
		MHD_OPTION_CLIENT_DISCIPLINE_LVL, 1,
#endif
		MHD_OPTION_END);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (s->daemon == NULL)
		return td_err_set(err, TD_IO, "libmicrohttpd could not be started");
	return TD_OK;
}

enum td_status http_tables_start(struct http_server *s, struct td_err *err)
{
	size_t files = raise_files();
	fit_connections(s, files);
	const struct http_server_config *c = &s->config;
	struct http_conns_config config = {
		.header_ms = c->header_timeout_ms,
		.request_ms = c->request_timeout_ms,
		.send_ms = c->send_timeout_ms,
		.idle_ms = c->idle_timeout_ms,
		.most = c->max_connections,
		.most_per_address = c->max_per_address,
		.counts_loopback = c->max_per_address_set,
		.threads = c->threads,
	};
	enum td_status status = http_conns_init(&s->conns, &config, files, err);
	if (status != TD_OK)
		return status;
	s->has_conns = true;
	s->conns.on_close = on_conn_closed;
	s->conns.on_close_ctx = s;
	return http_metrics_init(&s->metrics, &s->routes, c->threads, err);
}

enum td_status http_server_start(struct http_server *s, struct td_err *err)
{
	enum td_status status = http_tables_start(s, err);
	if (status == TD_OK)
		status = http_listen(s, err);
	if (status != TD_OK)
		return status;
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0)
		return td_err_set(err, TD_IO, "the HTTP server cannot open an eventfd");
	status = http_proxies_start(s->proxies, err);
	if (status == TD_OK)
		status = http_daemon_start(s, s->config.threads, err);
	return status == TD_OK ? http_accept_start(s, err) : status;
}

const char *http_server_address(const struct http_server *s)
{
	return s->address;
}

unsigned http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_tick(void *server, uint64_t now_ms)
{
	struct http_server *s = server;
	if (s->has_conns)
		http_conns_tick(&s->conns, now_ms);
}

/* ---- Stopping -------------------------------------------------------------------------------- */

void http_server_quiesce(struct http_server *s)
{
	atomic_store(&s->is_quiescing, true);
	if (s->wake_fd >= 0)
		http_accept_wake(s);
	if (s->has_conns)
		http_conns_close_idle(&s->conns);
}

/* Connections that became idle meanwhile are closed each time. */
static bool wait_for_end(struct http_server *s, uint64_t deadline_ms)
{
	for (;;) {
		http_conns_close_idle(&s->conns);
		uint64_t now_ns = td_clock_mono_ns();
		if (atomic_load(&s->conns.count) == 0)
			return true;
		if (now_ns / 1000000 >= deadline_ms)
			return false;
		td_lock_take(&s->stop_lock);
		if (atomic_load(&s->conns.count) > 0)
			(void)td_cond_wait_until(&s->stop_wake, &s->stop_lock,
				now_ns + STOP_LOOK_MS * UINT64_C(1000000));
		td_lock_give(&s->stop_lock);
	}
}

bool http_server_stop(struct http_server *s, uint64_t deadline_ms)
{
	bool is_clean = true;
	if (s->is_stopped)
		return true;
	s->is_stopped = true;
	http_server_quiesce(s);
	http_accept_stop(s);
	if (s->daemon != NULL) {
		is_clean = wait_for_end(s, deadline_ms);
		http_conns_cut(&s->conns, http_request_cut, http_request_resume);
		MHD_stop_daemon(s->daemon);
		s->daemon = NULL;
	}
	return is_clean;
}

void http_server_destroy(struct http_server *s)
{
	if (s == NULL)
		return;
	(void)http_server_stop(s, 0);
	http_listen_close(s);
	if (s->wake_fd >= 0)
		(void)close(s->wake_fd);
	http_proxies_destroy(s->proxies);
	http_metrics_done(&s->metrics);
	if (s->has_conns)
		http_conns_done(&s->conns);
	td_cond_done(&s->stop_wake);
	td_lock_done(&s->stop_lock);
	td_free(s->host);
	td_free(s->public_url);
	td_free(s);
}

/* ---- Figures --------------------------------------------------------------------------------- */

void http_server_get_stats(struct http_server *s, struct http_server_stats *ret_stats)
{
	*ret_stats = (struct http_server_stats){
		.connections = atomic_load(&s->conns.count),
		.max_connections = s->config.max_connections,
		.awaiting = atomic_load(&s->conns.awaiting),
		.accepted = atomic_load(&s->conns.accepted),
		.refused_address = atomic_load(&s->conns.refused_address),
		.evicted = atomic_load(&s->conns.evicted),
		.timed_out = atomic_load(&s->conns.timed_out),
		.requests = atomic_load(&s->requests),
		.rejected = atomic_load(&s->rejected),
	};
}

static void put_figure(
	struct td_buf *out, const char *name, const char *type, const char *help, uint64_t figure)
{
	td_buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name,
		(unsigned long long)figure);
}

void http_server_put_metrics(struct http_server *s, struct td_buf *out)
{
	struct http_server_stats stats;
	http_server_get_stats(s, &stats);
	http_metrics_put(&s->metrics, out);
	put_figure(out, "http_server_connections", "gauge", "Connections that are open.",
		stats.connections);
	put_figure(out, "http_server_connections_max", "gauge",
		"Connections that may be open (HTTP_MAX_CONNECTIONS).", stats.max_connections);
	put_figure(out, "http_server_awaiting_requests", "gauge", "Requests that wait for a store.",
		stats.awaiting);
	put_figure(out, "http_server_connections_accepted_total", "counter",
		"Connections since the start.", stats.accepted);
	put_figure(out, "http_server_connections_refused_total", "counter",
		"Connections closed at once: too many of one address.", stats.refused_address);
	put_figure(out, "http_server_connections_evicted_total", "counter",
		"Idle connections closed to make room for others.", stats.evicted);
	put_figure(out, "http_server_connections_timed_out_total", "counter",
		"Connections closed by a deadline.", stats.timed_out);
	put_figure(out, "http_server_requests_rejected_total", "counter",
		"Requests refused by their framing or size.", stats.rejected);
}
