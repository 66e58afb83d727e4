#!/bin/bash
# Before the image's own entry point: logins need a password, and cqlsh inside the container, which the
# health check uses, has ours.
set -euo pipefail

password=$(cat /run/secrets/cassandra_password 2>/dev/null) || true
if [ -z "$password" ]; then
	echo "error: the file cassandra_password of SECRETS_DIR is missing or empty. Make it with ./dev secrets FOLDER" >&2
	exit 1
fi

sed -i -e 's/^authenticator:.*/authenticator: PasswordAuthenticator/' \
	-e 's/^authorizer:.*/authorizer: CassandraAuthorizer/' /etc/cassandra/cassandra.yaml
umask 077
mkdir -p ~/.cassandra
# cqlsh of 4.1 reads the first section, cqlsh of 4.0 the second.
for section in PlainTextAuthProvider plain_text_auth; do
	printf '[%s]\nusername = tools_dashboard\npassword = %s\n' $section "$password"
done >~/.cassandra/credentials
umask 022
exec docker-entrypoint.sh "$@"
