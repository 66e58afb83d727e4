/* The kinds of databases that a service may stand on. */
#include "service/cassandra.h"
#include "service/postgres.h"
#include "service/service_internal.h"
#include "store/cassandra/store_cassandra.h"

const struct service_database service_sqlite = {
	.name = "sqlite",
	.title = "SQLite",
	.has_records = true,
};

const struct service_database service_postgres = {
	.name = "postgresql",
	.title = "PostgreSQL",
	.create = postgres_create,
	.wait = postgres_wait,
	.migrate = postgres_migrate,
	.wait_for_schema = postgres_wait_for_schema,
	.has_records = true,
};

const struct service_database service_cassandra = {
	.name = "cassandra",
	.title = "Cassandra",
	.create = cassandra_create,
	.wait = cassandra_wait,
	.migrate = cassandra_migrate,
	.wait_for_schema = cassandra_wait_for_schema,
	.create_beside = cassandra_create_beside,
	.keep_trying = store_cassandra_keep_trying,
};
