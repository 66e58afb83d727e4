#!/bin/bash
# What the official image does at its start: the container's address goes into cassandra.yaml, then the
# server runs as its own user. MAX_HEAP_SIZE and JVM_EXTRA_OPTS are what cassandra-env.sh reads.
set -euo pipefail

yaml=/etc/cassandra/cassandra.yaml
if [ "$1" != cassandra ]; then
	exec "$@"
fi
address=$(hostname -i)
address=${address%% *}
sed -ri -e "s/^listen_address:.*/listen_address: $address/" \
	-e "s/^(# )?broadcast_rpc_address:.*/broadcast_rpc_address: $address/" \
	-e "s/^( +- seeds:).*/\1 \"${CASSANDRA_SEEDS:-$address}\"/" $yaml
chown -R cassandra /var/lib/cassandra
mapfile -t options < <(sed '/^#/d; s/ /\n/' /etc/cassandra/java17.options)
heap=${MAX_HEAP_SIZE:-512M}
read -ra more <<<"${JVM_EXTRA_OPTS:-}"
cd /var/lib/cassandra
exec setpriv --reuid=cassandra --regid=cassandra --init-groups \
	java -javaagent:"$(echo /opt/cassandra/lib/jamm-*.jar)" "${options[@]}" "-Xms$heap" "-Xmx$heap" \
	"${more[@]}" -Dcassandra.ring_delay_ms=100 -Dcassandra.superuser_setup_delay_ms=10000 "-Dcassandra.config=file://$yaml" \
	-Dcassandra.storagedir=/var/lib/cassandra -Dlogback.configurationFile=/etc/cassandra/logback.xml \
	-cp '/opt/cassandra/lib/*' org.apache.cassandra.service.CassandraDaemon
