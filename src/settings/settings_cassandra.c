#include "settings/settings_cassandra.h"

#include "settings/settings_cluster.h"

#include <ctype.h>
#include <string.h>

#define DEFAULT_PORT 9042

static bool is_keyspace(const char *name)
{
	for (const char *c = name; *c != '\0'; c++) {
		if (!isalnum((unsigned char)*c) && *c != '_')
			return false;
	}
	return true;
}

/* Two settings of which each is nothing without the other. */
static enum td_status check_pair(const struct settings *settings, enum setting_id one,
	enum setting_id other, enum setting_id *ret_wrong, struct td_err *err)
{
	bool has_one = settings_is_set(settings, one), has_other = settings_is_set(settings, other);
	if (has_one == has_other)
		return TD_OK;
	*ret_wrong = has_one ? one : other;
	return td_err_set(err, TD_INVALID, "%s is not set: set both, or neither",
		setting_get(has_one ? other : one)->name);
}

static enum td_status check_parts(
	struct settings *settings, enum setting_id *ret_wrong, struct td_err *err)
{
	enum td_status status = check_pair(
		settings, SETTING_CASSANDRA_USER, SETTING_CASSANDRA_PASSWORD, ret_wrong, err);
	if (status == TD_OK)
		status = check_pair(settings, SETTING_CASSANDRA_TLS_CERT, SETTING_CASSANDRA_TLS_KEY,
			ret_wrong, err);
	if (status == TD_OK && settings->cassandra_keyspace != NULL &&
		!is_keyspace(settings->cassandra_keyspace)) {
		*ret_wrong = SETTING_CASSANDRA_KEYSPACE;
		status = td_err_set(err, TD_INVALID,
			"a keyspace's name is made of letters, digits and '_', as tools_dashboard");
	}
	return status;
}

/* What is trimmed from the records is in the event log alone. */
static enum td_status check_events(
	const struct settings *settings, enum setting_id *ret_wrong, struct td_err *err)
{
	int64_t keep_ms = settings->history_keep_ms, ttl_ms = settings->events_ttl_ms;
	if (keep_ms <= 0 || ttl_ms <= 0 || keep_ms <= ttl_ms)
		return TD_OK;
	*ret_wrong = SETTING_HISTORY_KEEP;
	return td_err_set(err, TD_INVALID,
		"it is longer than EVENTS_TTL, so history would be gone from Cassandra before it "
		"is "
		"read there; make it no longer");
}

enum td_status settings_settle_cassandra(
	struct settings *settings, enum setting_id *ret_wrong, struct td_err *err)
{
	struct settings_cassandra *cassandra = &settings->cassandra;
	bool by_points = settings_is_set(settings, SETTING_CASSANDRA_CONTACT_POINTS);
	const char *points = by_points ? settings->cassandra_contact_points
				       : settings->cassandra_hosts;
	uint16_t port = settings->cassandra_port > 0 ? (uint16_t)settings->cassandra_port
						     : DEFAULT_PORT;
	settings->uses_cassandra = by_points || settings_is_set(settings, SETTING_CASSANDRA_HOSTS);
	*ret_wrong = by_points ? SETTING_CASSANDRA_CONTACT_POINTS : SETTING_CASSANDRA_HOSTS;
	enum td_status status = settings_read_contact_points(td_slice_str(points), port,
		&settings->arena, cassandra->hosts, &cassandra->host_count, err);
	if (status == TD_OK) {
		*ret_wrong = SETTING_CASSANDRA_REPLICATION;
		status = settings_read_replication(td_slice_str(settings->cassandra_replication),
			&settings->arena, &cassandra->replication, err);
	}
	if (status == TD_OK)
		status = check_parts(settings, ret_wrong, err);
	return status == TD_OK ? check_events(settings, ret_wrong, err) : status;
}

enum td_status settings_cassandra_password(const struct settings *settings, struct td_arena *arena,
	const char **ret_password, struct td_err *err)
{
	const char *text = NULL;
	enum td_status status = settings_read_again(
		settings, SETTING_CASSANDRA_PASSWORD, arena, &text, err);
	/* A copy: the caller wipes it. */
	if (status == TD_OK)
		*ret_password = text != NULL ? td_arena_strndup(arena, text, strlen(text)) : NULL;
	if (status == TD_OK && arena->failed)
		status = td_err_set(err, TD_NOMEM, "out of memory");
	return status;
}
