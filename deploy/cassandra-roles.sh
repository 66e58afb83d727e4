#!/bin/bash
# Makes what roles the stack needs, once: `admin` for whoever looks after Cassandra, `tools_dashboard` for
# our services, which may make their keyspace and nothing else; then `cassandra`, whose password
# everybody knows, can log in no more. May be run again at any time, and after being cut off anywhere.
# Passwords go through files and standard input: the list of processes shows none.
set -euo pipefail
export HOME=/tmp

host=${CASSANDRA_HOST:-cassandra}
umask 077

# as ROLE PASSWORD: runs the CQL on standard input.
as() {
	local section # cqlsh of 4.1 reads the first, cqlsh of 4.0 the second
	for section in PlainTextAuthProvider plain_text_auth; do
		printf '[%s]\nusername = %s\npassword = %s\n' $section "$1" "$2"
	done >/tmp/credentials
	cqlsh --credentials=/tmp/credentials "$host" 2>/tmp/error
}

quoted() {
	printf "'%s'" "${1//\'/\'\'}"
}

# secret NAME: the password in that file.
secret() {
	local text
	text=$(cat "/run/secrets/$1" 2>/dev/null) || true
	if [ -z "$text" ]; then
		echo "error: the file $1 of SECRETS_DIR is missing or empty. Make it with ./dev secrets FOLDER" >&2
		exit 1
	fi
	printf %s "$text"
}

password=$(secret cassandra_password)
admin=$(secret cassandra_admin_password)

make_admin() {
	as cassandra cassandra <<CQL
CREATE ROLE IF NOT EXISTS admin WITH PASSWORD = $(quoted "$admin") AND LOGIN = true AND SUPERUSER = true;
ALTER ROLE admin WITH PASSWORD = $(quoted "$admin");
CQL
}

make_ours() {
	as admin "$admin" <<CQL
CREATE ROLE IF NOT EXISTS tools_dashboard WITH PASSWORD = $(quoted "$password") AND LOGIN = true;
ALTER ROLE tools_dashboard WITH PASSWORD = $(quoted "$password");
GRANT CREATE ON ALL KEYSPACES TO tools_dashboard;
ALTER ROLE cassandra WITH LOGIN = false AND SUPERUSER = false;
CQL
}

reason() {
	grep -v '^$' /tmp/error | tail -n 1
}

# The port opens before the first role is there: some 10 seconds. A new volume takes longer to get there.
said=
until make_ours; do
	why="as admin: $(reason)"
	if ! make_admin; then
		why="$why; as cassandra: $(reason)"
		if [ "$why" != "$said" ]; then
			echo "Waiting for Cassandra at $host: $why"
			said=$why
		fi
	fi
	sleep 1
done
rm -f /tmp/credentials
echo "The roles admin and tools_dashboard are there, and cassandra is locked"
