#include "service/connect_log.h"

#include "base/log.h"

#include <poll.h>
#include <stdio.h>

/* "2", "0.5": seconds without what is not needed. */
static void put_seconds(int64_t ms, char out[32])
{
	if (ms % 1000 == 0)
		(void)snprintf(out, 32, "%lld", (long long)(ms / 1000));
	else
		(void)snprintf(out, 32, "%.3g", (double)ms / 1000.0);
}

/* "postgres.failed" */
struct event {
	char text[48];
};

static struct event event_of(const struct connect_log *log, const char *what)
{
	struct event event;
	(void)snprintf(event.text, sizeof(event.text), "%s.%s", log->prefix, what);
	return event;
}

void connect_log_advice(const struct connect_log *log, const struct settings *settings,
	enum connect_class class, const char *host, char *out, size_t size)
{
	const struct connect_place place = {
		.engine = log->engine,
		.service_name = log->service,
		.setting = log->setting_of(settings, class),
		.host = host,
		.in_container = connect_in_container(),
	};
	const char *own = log->advice_of != NULL ? log->advice_of(settings, class) : NULL;
	if (own != NULL)
		(void)snprintf(out, size, "%s", own);
	else
		connect_advice(class, &place, out, size);
}

static void put_advice(const struct connect_log *log, const struct settings *settings,
	const struct connect_failures *failures, char *out, size_t size)
{
	connect_log_advice(log, settings, connect_failures_worst(failures)->class,
		log->first_host(settings), out, size);
}

/* The mistake that only this advice can explain: localhost inside a container. */
static bool is_own_container(const struct connect_log *log, const struct settings *settings,
	const struct connect_failures *failures)
{
	return connect_in_container() && connect_is_loopback(log->first_host(settings)) &&
	       connect_failures_worst(failures)->class == CONNECT_REFUSED;
}

/* With " check=postgres.tcp" of the failure that tells most. */
static void say(const struct connect_log *log, enum td_log_level level, const char *what,
	const struct connect_failures *failures, const char *text)
{
	char check[CONNECT_CHECK_SIZE];
	connect_check_id(
		log->prefix, connect_class_layer(connect_failures_worst(failures)->class), check);
	const struct td_log_field fields[] = {{"check", check}, {NULL, NULL}};
	td_log_fields(level, event_of(log, what).text, fields, "%s", text);
}

void connect_log_connecting(const struct connect_log *log, const struct settings *settings)
{
	char target[400];
	log->put_target(settings, target, sizeof(target));
	td_log(TD_LOG_INFO, event_of(log, "connecting").text, "Connecting to %s at %s", log->engine,
		target);
}

void connect_log_start_failed(const struct connect_log *log, const struct settings *settings,
	int64_t number, int64_t of, const struct connect_failures *failures, int64_t wait_ms)
{
	char text[2000], reasons[1200], of_text[32] = "", advice[400] = "", seconds[32];
	if (of >= 0)
		(void)snprintf(of_text, sizeof(of_text), "/%lld", (long long)of);
	if (is_own_container(log, settings, failures))
		put_advice(log, settings, failures, advice, sizeof(advice));
	connect_failures_text(failures, reasons, sizeof(reasons));
	(void)snprintf(text, sizeof(text), "Failed to connect to %s (attempt %lld%s): %s%s%s",
		log->engine, (long long)number, of_text, reasons, advice[0] != '\0' ? ". " : "",
		advice);
	say(log, TD_LOG_WARNING, "failed", failures, text);
	put_seconds(wait_ms, seconds);
	td_log(TD_LOG_INFO, event_of(log, "retrying").text, "Retrying in %s seconds...", seconds);
}

void connect_log_gave_up(const struct connect_log *log, const struct settings *settings,
	int64_t attempts, int64_t passed_ms, const struct connect_failures *failures)
{
	char text[2000], target[400], reasons[1000], advice[400];
	log->put_target(settings, target, sizeof(target));
	put_advice(log, settings, failures, advice, sizeof(advice));
	connect_failures_text(failures, reasons, sizeof(reasons));
	(void)snprintf(text, sizeof(text),
		"Failed to connect after %lld attempts (%lld s): %s at %s: %s. %s",
		(long long)attempts, (long long)(passed_ms / 1000), log->engine, target, reasons,
		advice);
	say(log, TD_LOG_ERROR, "gave_up", failures, text);
}

void connect_log_up(const struct connect_log *log, bool again, int64_t away_ms)
{
	if (!again)
		td_log(TD_LOG_INFO, event_of(log, "connected").text, "%s", log->connected);
	else
		td_log(TD_LOG_INFO, event_of(log, "reconnected").text, "%s is back after %.1f s",
			log->engine, (double)away_ms / 1000.0);
}

void connect_log_lost(const struct connect_log *log, const struct connect_failures *failures)
{
	char text[1400], reasons[1200];
	connect_failures_text(failures, reasons, sizeof(reasons));
	(void)snprintf(text, sizeof(text), "%s is lost, reconnecting: %s", log->engine, reasons);
	say(log, TD_LOG_WARNING, "lost", failures, text);
}

void connect_log_still_down(const struct connect_log *log, const struct settings *settings,
	int64_t away_ms, const struct connect_failures *failures)
{
	char text[1800], reasons[1200], advice[400];
	put_advice(log, settings, failures, advice, sizeof(advice));
	connect_failures_text(failures, reasons, sizeof(reasons));
	(void)snprintf(text, sizeof(text), "%s is away for %lld s: %s. %s", log->engine,
		(long long)(away_ms / 1000), reasons, advice);
	say(log, TD_LOG_WARNING, "down", failures, text);
}

struct connect_schedule connect_log_schedule(const struct settings *settings)
{
	return (struct connect_schedule){
		.max_retries = settings->connect_max_retries,
		.initial_ms = settings->connect_initial_delay_ms,
		.max_ms = settings->connect_max_delay_ms,
	};
}

bool connect_log_may_retry(struct connect_schedule *schedule)
{
	char seconds[32];
	int64_t wait_ms;
	if (!connect_schedule_next(schedule, &wait_ms))
		return false;
	put_seconds(wait_ms, seconds);
	td_log(TD_LOG_INFO, "migrate.retrying", "Retrying in %s seconds...", seconds);
	(void)poll(NULL, 0, (int)wait_ms);
	return true;
}
