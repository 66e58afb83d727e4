"""doctor on two real nodes of Cassandra: weak replication, and one of them dead."""

import os
import sys

import pytest

from conftest import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from doctor import doctor  # noqa: E402


@pytest.fixture(scope="module")
def cluster():
    pair = cassandra_server.Cluster(2)
    try:
        yield pair.start()
    finally:
        pair.remove()


def fill(start_server, folder, cluster, keyspace, replication):
    env = {"CASSANDRA_CONTACT_POINTS": cluster.contact_points, "CASSANDRA_KEYSPACE": keyspace,
           "CASSANDRA_REPLICATION": replication, "STORE_TIMEOUT": 30, "CONNECT_TIMEOUT": 10}
    server = start_server(folder, command=("back-cassandra",), env=env)
    server.wait_ready()
    server.stop()
    return env


def test_weak_replication_is_a_warning_and_a_dead_node_a_failure_of_writing(
        start_server, tmp_path, cluster, unique):
    weak = fill(start_server, tmp_path, cluster, "weak_" + unique(), 1)
    strong = fill(start_server, tmp_path, cluster, "strong_" + unique(), 2)
    targets = [f"{node.address}:{cluster.port}" for node in cluster.nodes]

    report = doctor(weak)
    assert report.bad() == {"cassandra.replication": "warn"}
    for check, target in zip(report.all("cassandra.replication"), targets):
        assert check["target"] == target
        assert f"ALTER KEYSPACE {weak['CASSANDRA_KEYSPACE']} WITH replication" in check["fix"]
        assert "'datacenter1': 2}" in check["fix"] and "nodetool repair" in check["fix"]
    report = doctor(strong)
    assert report.bad() == {}
    for check in report.all("cassandra.capacity"):
        assert check["message"].startswith("2 of 2 nodes ")

    cluster.nodes[1].kill()
    cluster.nodes[1].process.wait(timeout=60)  # its last thread, which holds the port
    report = doctor(strong)
    assert report.code == 6
    assert [(c["target"], c["status"]) for c in report.all("cassandra.tcp")] == [
        (targets[0], "ok"), (targets[1], "fail")]
    # Two replicas, of which a majority is two.
    check = report.all("cassandra.writable")[0]
    assert check["status"] == "fail" and "nodetool status" in check["fix"]
    assert report.in_time(10)
