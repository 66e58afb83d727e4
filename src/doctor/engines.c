/* The databases, as doctor looks at them: what each store is asked. */
#include "doctor/doctor_internal.h"

#include "service/cassandra.h"
#include "service/postgres.h"
#include "service/storage.h"

#define APPLICATION "tools-dashboard doctor"

static enum td_status examine_postgres(
	struct doctor_target *target, struct connect_failures *ret_failures)
{
	const struct store_postgres_config config = postgres_config(target->settings, APPLICATION);
	const struct store_postgres_look look = {
		.host = target->place,
		.schema_dir = target->settings->schema_dir,
		.has_content = !target->settings->uses_cassandra,
	};
	return store_postgres_examine(&config, &look, &target->limit, &target->found, ret_failures);
}

static enum td_status examine_cassandra(
	struct doctor_target *target, struct connect_failures *ret_failures)
{
	const struct store_cassandra_config config = cassandra_config(
		target->settings, APPLICATION);
	const struct store_cassandra_look look = {
		.point = target->place,
		.schema_dir = target->settings->schema_dir,
	};
	return store_cassandra_examine(
		&config, &look, &target->limit, &target->found, ret_failures);
}

static enum td_status examine_sqlite(
	struct doctor_target *target, struct connect_failures *ret_failures)
{
	struct store_sqlite_config config = storage_config(target->settings);
	(void)ret_failures;
	if ((int64_t)config.timeout_ms > target->settings->connect_timeout_ms / 2)
		config.timeout_ms = (unsigned)(target->settings->connect_timeout_ms / 2);
	store_sqlite_examine(&config, &target->found);
	return TD_OK;
}

const struct doctor_engine doctor_postgres = {
	.name = "postgres",
	.words = &postgres_words,
	.examine = examine_postgres,
	.absent = {[STORE_LAYER_SCHEMA_AGREEMENT] =
			   "PostgreSQL's schema is in one place: there is nobody to agree with"},
};
const struct doctor_engine doctor_cassandra = {
	.name = "cassandra",
	.words = &cassandra_words,
	.examine = examine_cassandra,
	.causes = {[CONNECT_TOO_MANY] = "The node is sent more requests than it can hold."},
};
const struct doctor_engine doctor_sqlite = {
	.name = "sqlite",
	.examine = examine_sqlite,
	.absent = {[STORE_LAYER_DNS] = "SQLite is a file: there is no name to look up",
		[STORE_LAYER_TCP] = "SQLite is a file: there is nothing to connect to",
		[STORE_LAYER_TLS] = "SQLite is a file: nothing is sent",
		[STORE_LAYER_PROTOCOL] = "SQLite is a file: nobody answers",
		[STORE_LAYER_AUTH] = "SQLite is a file: who may use it the file system says",
		[STORE_LAYER_REPLICATION] = "SQLite is a file: copies of it are made by hand",
		[STORE_LAYER_SCHEMA_AGREEMENT] = "SQLite is a file: nobody has to agree"},
};
