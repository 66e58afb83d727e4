"""back-cassandra on three nodes: several at once, each on a node of its own; weak replication."""

import os
import sys

import pytest

from conftest import LONG, ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402

READY = "Cassandra service initialized successfully"
ROUNDS = 20 if LONG else 3


@pytest.fixture(scope="module")
def first_node():
    """The cluster, as long as it has one node."""
    one = cassandra_server.Cluster(3)
    try:
        one.nodes[0].start()
        yield one
    finally:
        one.remove()


@pytest.fixture(scope="module")
def cluster(first_node):
    return first_node.start()


def begin(start_server, folder, cluster, node, keyspace, replication):
    return start_server(folder, command=("back-cassandra",), env={
        "CASSANDRA_CONTACT_POINTS": f"{node.address}:{cluster.port}", "STORE_TIMEOUT": 30,
        "CASSANDRA_KEYSPACE": keyspace, "CASSANDRA_REPLICATION": replication})


def wait_ready(server):
    wait_for(lambda: READY in server.lines, 120, "the last line of the start")


def tables(node, keyspace):
    with node.client() as client:
        return sorted(client.query(
            f"SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = '{keyspace}'"))


def test_a_cluster_that_grows_is_warned_about(start_server, tmp_path, first_node, unique):
    server = begin(start_server, tmp_path, first_node, first_node.nodes[0], "t_" + unique(), 1)
    wait_ready(server)
    assert "The keyspace" not in server.log
    first_node.start()
    wait_for(lambda: "has 1 replica in the data centre datacenter1 of 3 nodes: " in server.log, 90,
             "the warning")


def test_three_at_once_make_one_schema(start_server, tmp_path, cluster, unique):
    """All nodes must have the same tables with the same identifiers: two tables of one name would
    each have a part of the rows."""
    for _ in range(ROUNDS):
        keyspace = "t_" + unique()
        servers = [begin(start_server, tmp_path, cluster, node, keyspace, 3) for node in cluster.nodes]
        for server in servers:
            wait_ready(server)
        logs = "\n\n".join(server.log for server in servers)
        for words in ("Running 1 CQL migration files...", "Populating subscription metadata..."):
            assert logs.count(words) == 1, logs
        # While the lock's table is on its way to a node, that node may fail: it is tried again.
        assert "error: " not in logs and "The keyspace" not in logs, logs
        seen = [tables(node, keyspace) for node in cluster.nodes]
        assert seen[0] == seen[1] == seen[2] and len(seen[0]) == 6
        for server in servers:
            server.stop()
    print(f"three at once on three nodes: {ROUNDS} rounds")


def test_fewer_replicas_than_nodes_are_warned_about(start_server, tmp_path, cluster, unique):
    keyspace = "t_" + unique()
    server = begin(start_server, tmp_path, cluster, cluster.nodes[0], keyspace, 1)
    wait_ready(server)
    (line,) = [line for line in server.lines if "The keyspace" in line]
    alter = (f"ALTER KEYSPACE {keyspace} WITH replication = "
             "{'class': 'NetworkTopologyStrategy', 'datacenter1': 3}")
    assert line.startswith(f"warning: The keyspace {keyspace} has 1 replica in the data centre "
                           "datacenter1 of 3 nodes: ")
    assert f"run: {alter}; then on each node: nodetool repair -full {keyspace}" in line
    server.stop()
    with cluster.nodes[0].client() as client:
        client.query(alter)
    wait_for(cluster.agrees, 30, "agreement")
    server = begin(start_server, tmp_path, cluster, cluster.nodes[0], keyspace, 1)
    wait_ready(server)
    assert "The keyspace" not in server.log
