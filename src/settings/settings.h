/* Settings: what a person may choose, from flags, the environment and a file, settled into one
 * struct of typed values. Only this layer knows where a value came from; nobody else reads the
 * environment.
 *
 * Called by command/ before threads start; read-only afterwards, so any thread may read it. */
#ifndef TD_SETTINGS_SETTINGS_H
#define TD_SETTINGS_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "connect/url.h"
#include "settings/settings_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- what there is */

enum setting_id {
#define SETTING_ENUM(name, ...) SETTING_##name,
	SETTING_MAP(SETTING_ENUM)
#undef SETTING_ENUM
	SETTING_COUNT
};

enum setting_group {
#define SETTING_GROUP_ENUM(name, heading) SETTING_GROUP_##name,
	SETTING_GROUP_MAP(SETTING_GROUP_ENUM)
#undef SETTING_GROUP_ENUM
	SETTING_GROUP_COUNT
};

enum setting_type {
	SETTING_TYPE_TEXT,
	SETTING_TYPE_HOST,
	SETTING_TYPE_PATH, /* a file to read */
	SETTING_TYPE_FOLDER,
	SETTING_TYPE_INT,
	SETTING_TYPE_DURATION,
	SETTING_TYPE_SIZE,
	SETTING_TYPE_ENUM,
	SETTING_TYPE_PRESENT,
	SETTING_TYPE_ORIGIN,
	SETTING_TYPE_ADDRESSES,
	SETTING_TYPE_DATABASE,
	SETTING_TYPE_TIME,
};

enum setting_mark {
	SETTING_SECRET = 1, /* masked everywhere; no flag */
	SETTING_FILE = 2,   /* also as NAME_FILE: the value is that file's first line */
	SETTING_URL = 4,    /* may hold a password: refused in a flag, masked where shown */
};

struct setting_info {
	const char *name;          /* "HTTP_MAX_BODY" */
	const char *default_value; /* as one would write it; NULL: unset */
	const char *words;
	const char *help;
	int64_t low, high;
	enum setting_type type;
	unsigned marks;
	enum setting_group group;
};

/* Static storage, for every setting. */
const struct setting_info *setting_get(enum setting_id id);
const char *setting_group_heading(enum setting_group group);

/* ---- what is in force */

#define SETTING_C_TYPE_TEXT      const char *
#define SETTING_C_TYPE_HOST      const char *
#define SETTING_C_TYPE_PATH      const char *
#define SETTING_C_TYPE_FOLDER    const char *
#define SETTING_C_TYPE_INT       int64_t
#define SETTING_C_TYPE_DURATION  int64_t
#define SETTING_C_TYPE_SIZE      size_t
#define SETTING_C_TYPE_ENUM      int
#define SETTING_C_TYPE_PRESENT   bool
#define SETTING_C_TYPE_ORIGIN    const char *
#define SETTING_C_TYPE_ADDRESSES const char *
#define SETTING_C_TYPE_DATABASE  const char *
#define SETTING_C_TYPE_TIME      int64_t

enum setting_from {
	SETTING_FROM_DEFAULT,
	SETTING_FROM_CONFIG, /* the file of --config */
	SETTING_FROM_ENVIRONMENT,
	SETTING_FROM_FLAG,
};

struct setting_origin {
	enum setting_from from;
	bool through_file; /* NAME_FILE told where the value is */
	unsigned line;     /* of the --config file; else 0 */
	const char *path;  /* of NAME_FILE; else NULL */
	const char *text;  /* the value as it was given; NULL: unset. May be a secret */
};

#define SETTINGS_CONTACT_POINTS_MOST 64

/* How a keyspace that is made is replicated. */
struct settings_replication {
	const char *map; /* a map of CQL; NULL: `factor` in the local data centre */
	unsigned factor;
};

/* Where Cassandra is. Its user and the rest stand in the fields of their settings. */
struct settings_cassandra {
	struct connect_host hosts[SETTINGS_CONTACT_POINTS_MOST];
	size_t host_count;
	struct settings_replication replication;
};

enum setting_log_format {
	SETTING_LOG_TEXT,
	SETTING_LOG_JSON,
};

/* Text that is unset is NULL; durations are milliseconds, sizes bytes, an ENUM is the place of its
 * word (LOG_LEVEL's are those of enum td_log_level). ORIGIN has no slash at its end; ADDRESSES is
 * the list without spaces. Give it to settings_free(). */
struct settings {
#define SETTING_FIELD(name, field, type, ...) SETTING_C_TYPE_##type field;
	SETTING_MAP(SETTING_FIELD)
#undef SETTING_FIELD
	bool public_url_is_https;
	const char *sqlite_path; /* of DATABASE_URL, decoded; NULL where that is PostgreSQL's */
	bool uses_postgres;      /* DATABASE_URL, or any POSTGRES_ where that is unset, says so */
	/* Where PostgreSQL is, in any case: what DATABASE_URL leaves out comes from POSTGRES_. Its
	 * password is not for use: settings_postgres_password() asks anew. */
	struct connect_url postgres;
	bool uses_cassandra; /* CASSANDRA_CONTACT_POINTS or CASSANDRA_HOSTS says so */
	struct settings_cassandra cassandra; /* in any case */
	const char *config_path;             /* of --config; NULL: none */
	struct setting_origin origin[SETTING_COUNT];
	struct td_arena arena; /* all text above */
};

/* True where a person set it, wherever. */
static inline bool settings_is_set(const struct settings *settings, enum setting_id id)
{
	return settings->origin[id].from != SETTING_FROM_DEFAULT;
}

struct settings_flag {
	const char *name; /* without the dashes: "http-max-body", "database-url-file" */
	const char *value;
};

struct settings_input {
	const struct settings_flag *flags; /* each of a name that setting_of_flag() knows */
	size_t flag_count;
	const char *config_path;        /* of --config; NULL: none */
	const char *const *environment; /* "NAME=value", NULL at the end */
};

/* What is wrong, one sentence a setting, in the table's order after those of the file. */
struct settings_problems {
	const char **text;
	size_t count;
};

/* Settles every setting. Reads the --config file and the NAME_FILE files, and looks
 * whether files and folders that are named are there.
 *   TD_OK       *ret_settings is the caller's
 *   TD_INVALID  something is wrong: *ret_problems says all of it, and *ret_settings holds what
 * could be understood (with defaults for the rest), so that it can be logged as asked TD_NOMEM both
 * outputs are untouched The problems live in the settings' arena and never hold a secret. */
enum td_status settings_load(const struct settings_input *input, struct settings **ret_settings,
	struct settings_problems *ret_problems) TD_MUST_CHECK;

/* NULL is fine. */
void settings_free(struct settings *settings);

/* The password for PostgreSQL as it is now: of DATABASE_URL, else POSTGRES_PASSWORD; files are read
 * again. *ret_password NULL: there is none. Any thread. */
enum td_status settings_postgres_password(const struct settings *settings, struct td_arena *arena,
	const char **ret_password, struct td_err *err) TD_MUST_CHECK;

/* The same for Cassandra: CASSANDRA_PASSWORD. It is the caller's to wipe. */
enum td_status settings_cassandra_password(const struct settings *settings, struct td_arena *arena,
	const char **ret_password, struct td_err *err) TD_MUST_CHECK;

/* The value of a setting with the mark SETTING_FILE as it is now: where it came through NAME_FILE
 * the file is read again (a rotated secret), else it is what was loaded. *ret_value lives in
 * `arena`; NULL: unset. TD_IO or TD_INVALID name variable and file. */
enum td_status settings_read_again(const struct settings *settings, enum setting_id id,
	struct td_arena *arena, const char **ret_value, struct td_err *err) TD_MUST_CHECK;

#define SETTING_FLAG_SIZE 40

/* The flag without its dashes: "http-max-body", or with `file` "database-url-file". False where
 * there is none (a secret's value has no flag). */
bool setting_flag(enum setting_id id, bool file, char out[SETTING_FLAG_SIZE]);

/* The setting of a flag; false: no such flag. */
bool setting_of_flag(const char *flag, enum setting_id *ret_id, bool *ret_file);

/* True when the flag may stand without a value ("--no-color"). */
bool setting_is_switch(enum setting_id id);

#endif
