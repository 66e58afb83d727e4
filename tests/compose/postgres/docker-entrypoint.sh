#!/bin/bash
# What the official image does at its start: sets an empty folder up with a temporary server that only
# a socket file leads to, then runs the real one.
set -euo pipefail

from_file() {
	local file=${1}_FILE
	if [ -n "${!file:-}" ]; then
		export "$1=$(cat "${!file}")"
		unset "$file"
	fi
}

set_up() {
	local script
	: "${POSTGRES_PASSWORD:?is not specified: give it with -e POSTGRES_PASSWORD=...}"
	initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
		--auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 >/dev/null
	echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
	pg_ctl -w start -o "-c listen_addresses=''"
	if [ "$POSTGRES_DB" != postgres ]; then
		createdb --username="$POSTGRES_USER" "$POSTGRES_DB"
	fi
	for script in /docker-entrypoint-initdb.d/*.sql; do
		if [ -e "$script" ]; then
			psql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$script"
		fi
	done
	pg_ctl -m fast -w stop
	echo "PostgreSQL init process complete; ready for start up."
}

from_file POSTGRES_PASSWORD
export POSTGRES_USER=${POSTGRES_USER:-postgres}
export POSTGRES_DB=${POSTGRES_DB:-$POSTGRES_USER}
if [ "$(id -u)" = 0 ]; then
	mkdir -p "$PGDATA" /var/run/postgresql
	chmod 700 "$PGDATA"
	chown -R postgres "$PGDATA" /var/run/postgresql
	exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi
if [ "$1" = postgres ]; then
	[ -s "$PGDATA/PG_VERSION" ] || set_up
	unset POSTGRES_PASSWORD
	exec postgres -c listen_addresses='*' "${@:2}"
fi
exec "$@"
