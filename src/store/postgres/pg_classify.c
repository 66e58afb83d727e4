#include "store/postgres/pg_classify.h"

#include "base/compiler.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_state_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z');
}

/* ":  " and five characters of a SQLSTATE, then ':' or the end of the line: the severity before it
 * may be in any language. */
static const char *next_state(const char *from)
{
	for (const char *at = strstr(from, ":  "); at != NULL; at = strstr(at + 3, ":  ")) {
		size_t n = 0;
		while (n < 5 && is_state_char(at[3 + n]))
			n++;
		if (n == 5 && (at[8] == ':' || at[8] == '\n' || at[8] == '\0'))
			return at + 3;
	}
	return NULL;
}

bool pg_find_sqlstate(const char *message, char state[6])
{
	const char *last = NULL;
	for (const char *at = next_state(message); at != NULL; at = next_state(at))
		last = at;
	if (last == NULL)
		return false;
	memcpy(state, last, 5);
	state[5] = '\0';
	return true;
}

enum connect_class pg_classify_sqlstate(const char *state)
{
	static const struct {
		const char *prefix;
		enum connect_class class;
	} rows[] = {
		{"57P03", CONNECT_STARTING},
		{"57P04", CONNECT_DATABASE},
		{"57P", CONNECT_STARTING}, /* 57P01 and 57P02: it is shutting down */
		{"28P01", CONNECT_PASSWORD},
		{"28", CONNECT_ROLE},
		{"3D000", CONNECT_DATABASE},
		{"42501", CONNECT_PERMISSION},
		{"53300", CONNECT_TOO_MANY},
		{"53", CONNECT_RESOURCES},
		{"58", CONNECT_RESOURCES},
		{"25006", CONNECT_READ_ONLY},
		{"0A000", CONNECT_SETTING},
		{"22023", CONNECT_SETTING},
		{"42704", CONNECT_SETTING},
		{"08", CONNECT_CLOSED},
	};
	for (size_t i = 0; i < TD_ARRAY_LEN(rows); i++) {
		if (strncmp(state, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].class;
	}
	return CONNECT_SERVER_ERROR;
}

/* libpq and the C library speak English here: the program never calls setlocale(LC_MESSAGES). */
static const struct {
	const char *words;
	enum connect_class class;
} phrases[] = {
	{"received invalid response to SSL negotiation", CONNECT_NOT_THE_SERVER},
	{"received invalid response to GSSAPI negotiation", CONNECT_NOT_THE_SERVER},
	{"expected authentication request from server", CONNECT_NOT_THE_SERVER},
	{"server does not support SSL", CONNECT_TLS},
	{"SSL error", CONNECT_TLS},
	{"certificate", CONNECT_TLS},
	{"SSL connection", CONNECT_TLS},
	{"no password supplied", CONNECT_PASSWORD},
	{"session is read-only", CONNECT_READ_ONLY},
	{"server is in hot standby mode", CONNECT_READ_ONLY},
	{"server closed the connection unexpectedly", CONNECT_CLOSED},
	{"invalid sslmode", CONNECT_SETTING},
	{"invalid connection option", CONNECT_SETTING},
	{"could not translate host name", CONNECT_NAME},
};

static const int system_errors[] = {ECONNREFUSED, ENETUNREACH, EHOSTUNREACH, ETIMEDOUT, ECONNRESET,
	EPIPE, ENOENT, EACCES, ECONNABORTED, EADDRNOTAVAIL, ENETDOWN};

static int find_errno(const char *message)
{
	for (size_t i = 0; i < TD_ARRAY_LEN(system_errors); i++) {
		char words[128];
		const char *text = strerror_r(system_errors[i], words, sizeof(words));
		if (strstr(message, text) != NULL)
			return system_errors[i];
	}
	return 0;
}

enum connect_class pg_classify(const char *message, enum pg_stage stage)
{
	char state[6];
	if (pg_find_sqlstate(message, state)) {
		/* pg_hba.conf may let this host in, but only with TLS; "SSL encryption" says that
		 * TLS was tried. */
		if (strcmp(state, "28000") == 0 && strstr(message, "no encryption") != NULL &&
			strstr(message, "SSL encryption") == NULL)
			return CONNECT_TLS;
		return pg_classify_sqlstate(state);
	}
	for (size_t i = 0; i < TD_ARRAY_LEN(phrases); i++) {
		if (strstr(message, phrases[i].words) != NULL)
			return phrases[i].class;
	}
	int error_number = find_errno(message);
	if (error_number != 0)
		return connect_class_of_errno(error_number);
	return stage == PG_STAGE_TCP ? CONNECT_UNKNOWN : CONNECT_CLOSED;
}

/* The text of the line that begins at `at`: its length without the end. */
static int line_length(const char *at)
{
	size_t len = strcspn(at, "\n");
	while (len > 0 && isspace((unsigned char)at[len - 1]))
		len--;
	return len > 400 ? 400 : (int)len;
}

void pg_message_for_people(const char *message, char *out, size_t out_size)
{
	char state[6];
	const char *at = NULL;
	for (const char *next = next_state(message); next != NULL; next = next_state(next))
		at = next;
	if (at != NULL) {
		const char *text = at[5] == ':' ? at + 6 : at + 5;
		while (*text == ' ')
			text++;
		(void)pg_find_sqlstate(message, state);
		(void)snprintf(out, out_size, "%.*s%s(SQLSTATE %s)", line_length(text), text,
			line_length(text) > 0 ? " " : "", state);
		return;
	}
	const char *failed = strstr(message, "failed: ");
	const char *text = failed != NULL ? failed + strlen("failed: ") : message;
	int error_number = find_errno(text);
	if (error_number != 0)
		(void)snprintf(out, out_size, "%s (errno %d)", strerrordesc_np(error_number),
			error_number);
	else
		(void)snprintf(out, out_size, "%.*s", line_length(text), text);
}
