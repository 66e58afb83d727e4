/* The one list of settings. The typed struct, flags, `--help`, `config`, docs/CONFIGURATION.md and
 * the man page are made from it. A list of groups and one of parts stand before it. */
#ifndef TD_SETTINGS_SETTINGS_TABLE_H
#define TD_SETTINGS_SETTINGS_TABLE_H

/*    name        heading */
#define SETTING_GROUP_MAP(X)                            \
	X(LISTEN, "Listening")                          \
	X(STORE, "Store")                               \
	X(POSTGRESQL, "PostgreSQL")                     \
	X(CASSANDRA, "Cassandra")                       \
	X(CONNECT, "Connecting to databases")           \
	X(CATALOGUE, "Catalogue")                       \
	X(FILES, "Files that replace compiled-in ones") \
	X(HTTP, "HTTP limits")                          \
	X(PAGES, "Pages")                               \
	X(ACCOUNTS, "Accounts")                         \
	X(EVENTS, "History and events")                 \
	X(PROCESS, "Process and logs")                  \
	X(TESTING, "Testing")

/* Marks: SECRET values are masked and have no flag; FILE: also as NAME_FILE.
 * Limits: of integers as they are, of durations in milliseconds, of times in milliseconds since
 * 1970, of sizes in bytes, of text in bytes. Words: of an ENUM "a|b" (the value is the word's
 * place); of a DURATION the one word that stands for -1.
 *
 *    name, field, type, default, low, high, words, marks, group,
 *    what it is, for people */
#define SETTING_MAP(X)                                                                             \
	X(HOST, host, HOST, "127.0.0.1", 1, 255, NULL, 0, LISTEN,                                  \
		"Address to listen on: an IPv4 or IPv6 address, or a name. `0.0.0.0` or `::` is "  \
		"every interface.")                                                                \
	X(PORT, port, INT, "8100", 0, 65535, NULL, 0, LISTEN,                                      \
		"Port to listen on (`back-postgres`: 8101, `back-cassandra`: 8102 where none is "  \
		"set). 0 takes a free "                                                            \
		"one; the line `Listening on` tells which.")                                       \
	X(PUBLIC_URL, public_url, ORIGIN, NULL, 1, 512, NULL, 0, LISTEN,                           \
		"Where browsers see this service, as `https://plans.example.com`. With https, "    \
		"cookies are Secure and HSTS is sent.")                                            \
	X(TRUSTED_PROXIES, trusted_proxies, ADDRESSES, NULL, 1, 4096, NULL, 0, LISTEN,             \
		"Addresses, networks (`10.0.0.0/8`) or names, separated by commas, whose "         \
		"X-Forwarded-For and X-Forwarded-Proto are believed.")                             \
	X(DATABASE_URL, database_url, DATABASE, "sqlite:///tools-dashboard.db", 1, 2048, NULL,     \
		SETTING_FILE | SETTING_URL, STORE,                                                 \
		"The database: `sqlite:///relative.db`, `sqlite:////absolute.db` or "              \
		"`postgresql://USER:PASSWORD@HOST:PORT/DATABASE` "                                 \
		"(several hosts, `[v6]`, percent-encoding and libpq's parameters are "             \
		"understood).")                                                                    \
	X(STORE_TIMEOUT, store_timeout_ms, DURATION, "10", 100, 600000, NULL, 0, STORE,            \
		"The longest that one operation may take in the store, waiting included; then "    \
		"the answer is 503.")                                                              \
	X(POSTGRES_HOST, postgres_host, TEXT, "postgresql", 1, 1024, NULL, 0, POSTGRESQL,          \
		"Host, where DATABASE_URL does not say. Any POSTGRES_ setting chooses PostgreSQL " \
		"where DATABASE_URL is unset.")                                                    \
	X(POSTGRES_PORT, postgres_port, INT, "5432", 1, 65535, NULL, 0, POSTGRESQL, "Port.")       \
	X(POSTGRES_DB, postgres_db, TEXT, "main_db", 1, 63, NULL, 0, POSTGRESQL, "Database.")      \
	X(POSTGRES_USER, postgres_user, TEXT, "user", 1, 63, NULL, 0, POSTGRESQL, "Role.")         \
	X(POSTGRES_PASSWORD, postgres_password, TEXT, "pass", 1, 1024, NULL,                       \
		SETTING_SECRET | SETTING_FILE, POSTGRESQL, "Password of the role.")                \
	X(CASSANDRA_CONTACT_POINTS, cassandra_contact_points, TEXT, NULL, 1, 4096, NULL, 0,        \
		CASSANDRA,                                                                         \
		"First nodes to try, separated by commas: `host`, `host:port`, `[v6]:port`.")      \
	X(CASSANDRA_HOSTS, cassandra_hosts, TEXT, "cassandra", 1, 4096, NULL, 0, CASSANDRA,        \
		"As CASSANDRA_CONTACT_POINTS, which wins.")                                        \
	X(CASSANDRA_PORT, cassandra_port, INT, "9042", 1, 65535, NULL, 0, CASSANDRA,               \
		"Port of contact points that name none.")                                          \
	X(CASSANDRA_KEYSPACE, cassandra_keyspace, TEXT, "tools_dashboard", 1, 48, NULL, 0,         \
		CASSANDRA, "Keyspace.")                                                            \
	X(CASSANDRA_USER, cassandra_user, TEXT, NULL, 1, 255, NULL, 0, CASSANDRA, "Role.")         \
	X(CASSANDRA_PASSWORD, cassandra_password, TEXT, NULL, 1, 1024, NULL,                       \
		SETTING_SECRET | SETTING_FILE, CASSANDRA, "Password of the role.")                 \
	X(CASSANDRA_LOCAL_DC, cassandra_local_dc, TEXT, NULL, 1, 255, NULL, 0, CASSANDRA,          \
		"Data centre to talk to; else the first node's.")                                  \
	X(CASSANDRA_REPLICATION, cassandra_replication, TEXT, "1", 1, 1024, NULL, 0, CASSANDRA,    \
		"Replication of the keyspace when it is made: `dc1:3,dc2:3`, a number of "         \
		"replicas "                                                                        \
		"in the local data centre, or a map of CQL. It is never altered.")                 \
	X(CASSANDRA_CONSISTENCY, cassandra_consistency, ENUM, "LOCAL_QUORUM", 0, 0,                \
		"ONE|TWO|THREE|QUORUM|ALL|LOCAL_QUORUM|EACH_QUORUM|LOCAL_ONE", 0, CASSANDRA,       \
		"Consistency of reads and writes.")                                                \
	X(CASSANDRA_TLS, cassandra_tls, ENUM, "disable", 0, 0,                                     \
		"disable|require|verify-ca|verify-full", 0, CASSANDRA,                             \
		"Encryption towards the nodes.")                                                   \
	X(CASSANDRA_TLS_CA, cassandra_tls_ca, PATH, NULL, 1, 4095, NULL, 0, CASSANDRA,             \
		"Certificates that are believed.")                                                 \
	X(CASSANDRA_TLS_CERT, cassandra_tls_cert, PATH, NULL, 1, 4095, NULL, 0, CASSANDRA,         \
		"Our certificate.")                                                                \
	X(CASSANDRA_TLS_KEY, cassandra_tls_key, PATH, NULL, 1, 4095, NULL, 0, CASSANDRA,           \
		"File with the key of our certificate.")                                           \
	X(CONNECT_MAX_RETRIES, connect_max_retries, INT, "5", -1, 1000000, NULL, 0, CONNECT,       \
		"Attempts after the first at start; -1: for ever.")                                \
	X(CONNECT_INITIAL_DELAY, connect_initial_delay_ms, DURATION, "2", 1, 3600000, NULL, 0,     \
		CONNECT, "Wait after the first failed attempt; it doubles.")                       \
	X(CONNECT_MAX_DELAY, connect_max_delay_ms, DURATION, "32", 1, 3600000, NULL, 0, CONNECT,   \
		"The longest wait between attempts.")                                              \
	X(CONNECT_TIMEOUT, connect_timeout_ms, DURATION, "5", 100, 3600000, NULL, 0, CONNECT,      \
		"The longest that one attempt may take.")                                          \
	X(CATALOGUE_FILE, catalogue_file, PATH, NULL, 1, 4095, NULL, 0, CATALOGUE,                 \
		"Packages for an empty store, instead of the four that are compiled in.")          \
	X(CATALOGUE_REFRESH, catalogue_refresh_ms, DURATION, "5", 10, 3600000, NULL, 0, CATALOGUE, \
		"The longest time until a change that another program made to the packages "       \
		"shows.")                                                                          \
	X(SCHEMA_DIR, schema_dir, FOLDER, NULL, 1, 4095, NULL, 0, FILES,                           \
		"Folder with `sqlite/` and `postgres/`, the numbered migrations.")                 \
	X(TEMPLATES_DIR, templates_dir, FOLDER, NULL, 1, 4095, NULL, 0, FILES,                     \
		"Folder of page templates; read again when a file changes.")                       \
	X(STATIC_DIR, static_dir, FOLDER, NULL, 1, 4095, NULL, 0, FILES,                           \
		"Folder of style sheets, scripts and images; read again when a file changes.")     \
	X(LOCALES_DIR, locales_dir, FOLDER, NULL, 1, 4095, NULL, 0, FILES,                         \
		"Folder of translations; read again when a file changes.")                         \
	X(HTTP_HEADER_TIMEOUT, http_header_timeout_ms, DURATION, "10", 100, 3600000, NULL, 0,      \
		HTTP, "The longest that the whole header of a request may take.")                  \
	X(HTTP_REQUEST_TIMEOUT, http_request_timeout_ms, DURATION, "30", 100, 3600000, NULL, 0,    \
		HTTP, "The longest that a whole request may take.")                                \
	X(HTTP_SEND_TIMEOUT, http_send_timeout_ms, DURATION, "30", 100, 3600000, NULL, 0, HTTP,    \
		"The longest that a client may leave an answer unread.")                           \
	X(HTTP_IDLE_TIMEOUT, http_idle_timeout_ms, DURATION, "60", 100, 3600000, NULL, 0, HTTP,    \
		"The longest that a kept-alive connection may be idle.")                           \
	X(HTTP_MAX_CONNECTIONS, http_max_connections, INT, "20000", 1, 1000000, NULL, 0, HTTP,     \
		"Connections at a time; lowered, with a warning, to what the limit of open files " \
		"leaves.")                                                                         \
	X(HTTP_MAX_PER_ADDRESS, http_max_per_address, INT, "256", 1, 1000000, NULL, 0, HTTP,       \
		"Connections at a time from one address. The default spares loopback, a value "    \
		"that is set holds there too; never for TRUSTED_PROXIES.")                         \
	X(HTTP_MAX_BODY, http_max_body, SIZE, "64KiB", 1024, 16777216, NULL, 0, HTTP,              \
		"The largest request body.")                                                       \
	X(SITE_NAME, site_name, TEXT, "Tools Dashboard", 1, 120, NULL, 0, PAGES,                   \
		"Shown on every page.")                                                            \
	X(SESSION_TTL, session_ttl_ms, DURATION, "30d", 60000, 31622400000, NULL, 0, ACCOUNTS,     \
		"How long a sign-in lasts.")                                                       \
	X(PASSWORD_MEMORY, password_memory, SIZE, "19MiB", 8192, 1073741824, NULL, 0, ACCOUNTS,    \
		"Memory that hashing one password takes (argon2id).")                              \
	X(HISTORY_KEEP, history_keep_ms, DURATION, "all", 86400000, 3155760000000, "all", 0,       \
		EVENTS, "How long history stays in PostgreSQL once the event log has it, too.")    \
	X(EVENTS_TTL, events_ttl_ms, DURATION, "forever", 1000, 630720000000, "forever", 0,        \
		EVENTS, "How long an event is kept in Cassandra, from when it happened.")          \
	X(EVENTS_RATE, events_rate, INT, "5000", 1, 1000000, NULL, 0, EVENTS,                      \
		"Events that a process writes in a second, at most.")                              \
	X(SHUTDOWN_TIMEOUT, shutdown_timeout_ms, DURATION, "8", 0, 3600000, NULL, 0, PROCESS,      \
		"From SIGTERM to the end of the process, at most.")                                \
	X(LOG_FORMAT, log_format, ENUM, "text", 0, 0, "text|json", 0, PROCESS,                     \
		"Form of the log on stderr.")                                                      \
	X(LOG_LEVEL, log_level, ENUM, "info", 0, 0, "debug|info|warning|error", 0, PROCESS,        \
		"The least that is logged.")                                                       \
	X(NO_COLOR, no_color, PRESENT, NULL, 0, 0, NULL, 0, PROCESS,                               \
		"Set to anything: no colours in a terminal.")                                      \
	X(TEST_CLOCK, test_clock, TIME, NULL, 0, 253086595199999, NULL, 0, TESTING,                \
		"A time to start from, for tests of what time does to subscriptions: POST "        \
		"/test/clock with a key sets it forward. All answers and pages say so. Never "     \
		"where people pay.")

#endif
