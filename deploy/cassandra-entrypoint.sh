#!/bin/bash
# Before the image's own entry point: logins need a password, and cqlsh inside the container, which the
# health check uses, has ours.
set -euo pipefail

sed -i -e 's/^authenticator:.*/authenticator: PasswordAuthenticator/' \
	-e 's/^authorizer:.*/authorizer: CassandraAuthorizer/' /etc/cassandra/cassandra.yaml
umask 077
mkdir -p ~/.cassandra
# cqlsh of 4.1 reads the first section, cqlsh of 4.0 the second.
for section in PlainTextAuthProvider plain_text_auth; do
	printf '[%s]\nusername = tools_dashboard\npassword = %s\n' $section "$(cat /run/secrets/cassandra_password)"
done >~/.cassandra/credentials
umask 022
exec docker-entrypoint.sh "$@"
