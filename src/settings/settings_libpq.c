#include "settings/settings_libpq.h"

#include "base/nearest.h"
#include "base/slice.h"

#include <stdio.h>
#include <string.h>

/* What a value may be: NULL is any text, "#" a whole number, else one of these words. */
struct parameter {
	const char *name, *values;
};

#define NUMBER   "#"
#define VERSIONS "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3"

/* Of PostgreSQL 14 to 18 (the manual's chapter 34.1.2, "Parameter Key Words"). What the library
 * that is installed does not know is found when it is loaded. */
static const struct parameter parameters[] = {
	{"application_name", NULL},
	{"channel_binding", "disable prefer require"},
	{"client_encoding", NULL},
	{"connect_timeout", NUMBER},
	{"dbname", NULL},
	{"fallback_application_name", NULL},
	{"gssdelegation", "0 1"},
	{"gssencmode", "disable prefer require"},
	{"gsslib", NULL},
	{"host", NULL},
	{"keepalives", NUMBER},
	{"keepalives_count", NUMBER},
	{"keepalives_idle", NUMBER},
	{"keepalives_interval", NUMBER},
	{"krbsrvname", NULL},
	{"load_balance_hosts", "disable random"},
	{"max_protocol_version", NULL},
	{"min_protocol_version", NULL},
	{"oauth_client_id", NULL},
	{"oauth_client_secret", NULL},
	{"oauth_issuer", NULL},
	{"oauth_scope", NULL},
	{"options", NULL},
	{"passfile", NULL},
	{"password", NULL},
	{"port", NULL},
	{"replication", NULL},
	{"require_auth", NULL},
	{"requirepeer", NULL},
	{"scram_client_key", NULL},
	{"scram_server_key", NULL},
	{"service", NULL},
	{"servicefile", NULL},
	{"ssl_max_protocol_version", VERSIONS},
	{"ssl_min_protocol_version", VERSIONS},
	{"sslcert", NULL},
	{"sslcertmode", "disable allow require"},
	{"sslcompression", "0 1"},
	{"sslcrl", NULL},
	{"sslcrldir", NULL},
	{"sslkey", NULL},
	{"sslkeylogfile", NULL},
	{"sslmode", "disable allow prefer require verify-ca verify-full"},
	{"sslnegotiation", "postgres direct"},
	{"sslpassword", NULL},
	{"sslrootcert", NULL},
	{"sslsni", "0 1"},
	{"target_session_attrs", "any read-write read-only primary standby prefer-standby"},
	{"tcp_user_timeout", NUMBER},
	{"user", NULL},
};

static const struct parameter *find(const char *name)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(parameters); i++) {
		if (strcmp(parameters[i].name, name) == 0)
			return &parameters[i];
	}
	return NULL;
}

/* A password with an & or a ? that should have been encoded goes on in what looks like a parameter.
 */
static bool may_be_secret(const struct connect_url *url, size_t at)
{
	const char *name = url->params[at].name;
	size_t len = strspn(
		name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (name[len] != '\0' || len == 0 || len > 40)
		return true;
	for (size_t i = 0; i < url->param_count; i++) {
		const struct connect_param *p = &url->params[i];
		if (strchr(p->value, '@') != NULL ||
			(i < at && (strstr(p->name, "password") != NULL ||
					   strstr(p->name, "secret") != NULL)))
			return true;
	}
	return false;
}

static enum td_status refuse_name(const struct connect_url *url, size_t at, struct td_err *err)
{
	const char *names[TD_ARRAY_LEN(parameters)];
	if (may_be_secret(url, at))
		return td_err_set(err, TD_INVALID,
			"parameter %zu behind its ? is not one of libpq's (an & in a value is "
			"written %%26)",
			at + 1);
	for (size_t i = 0; i < TD_ARRAY_LEN(parameters); i++)
		names[i] = parameters[i].name;
	const char *name = url->params[at].name;
	const char *nearest = td_nearest(name, names, TD_ARRAY_LEN(parameters));
	if (nearest != NULL)
		return td_err_set(err, TD_INVALID,
			"its parameter %s is not known; did you mean %s?", name, nearest);
	return td_err_set(err, TD_INVALID,
		"its parameter %s is not known; behind the ? stand libpq's, as sslmode=require",
		name);
}

static bool is_number(const char *value)
{
	size_t sign = value[0] == '-' || value[0] == '+' ? 1 : 0;
	size_t digits = strspn(value + sign, "0123456789");
	return digits > 0 && digits < 10 && value[sign + digits] == '\0';
}

static bool is_one_of(const char *value, const char *words)
{
	struct td_slice rest = td_slice_str(words), word;
	while (td_slice_cut(&rest, ' ', &word)) {
		if (td_slice_is(word, value))
			return true;
	}
	return false;
}

/* Empty is libpq's default. */
static enum td_status check_value(const struct parameter *p, const char *value, struct td_err *err)
{
	if (p->values == NULL || value[0] == '\0')
		return TD_OK;
	if (strcmp(p->values, NUMBER) == 0)
		return is_number(value)
			       ? TD_OK
			       : td_err_set(err, TD_INVALID,
					 "its parameter %s must be a whole number", p->name);
	return is_one_of(value, p->values)
		       ? TD_OK
		       : td_err_set(err, TD_INVALID, "its parameter %s must be one of: %s", p->name,
				 p->values);
}

enum td_status settings_check_libpq(const struct connect_url *url, struct td_err *err)
{
	for (size_t i = 0; i < url->param_count; i++) {
		const struct parameter *p = find(url->params[i].name);
		if (p == NULL)
			return refuse_name(url, i, err);
		enum td_status status = check_value(p, url->params[i].value, err);
		if (status != TD_OK)
			return status;
	}
	return TD_OK;
}
