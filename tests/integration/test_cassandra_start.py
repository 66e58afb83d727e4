"""back-cassandra and serve that are started before Cassandra, or before its names lead anywhere."""

import os
import sys
import time

import pytest

from conftest import LONG, ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
sys.path.insert(0, os.path.join(ROOT, "tests", "faults"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from disk import find_shim  # noqa: E402
from tcp_proxy import Proxy  # noqa: E402

READY = "Cassandra service initialized successfully"


@pytest.fixture(scope="module")
def cluster():
    """A node that is told to clients where something stands that the tests open late."""
    one = cassandra_server.Cluster(1, commitlog="batch")
    one.nodes[0].public_address = one.nodes[0].address.rpartition(".")[0] + ".101"
    try:
        yield one.start()
    finally:
        one.remove()


@pytest.fixture
def gate(cluster):
    """Nothing listens there until a test says so."""
    node = cluster.nodes[0]
    with Proxy(cluster.port, "refuse", host=node.public_address, port=cluster.port,
               target_host=node.address) as proxy:
        yield proxy


@pytest.mark.parametrize("seconds, env", [
    (45, {}),
    (120, {"CONNECT_MAX_RETRIES": -1}),
], ids=["45 s, as it is set by default", "120 s, for ever"])
def test_a_port_that_opens_late(start_server, tmp_path, cluster, gate, unique, seconds, env):
    """With default settings the tries are at 0, 2, 6, 14, 30 and 62 s."""
    scale = 1 if LONG else 0.1
    shorter = {} if LONG else {"CONNECT_INITIAL_DELAY": "200ms", "CONNECT_MAX_DELAY": "3200ms"}
    print(f"the port opens after {seconds * scale:g} s (of {seconds})")
    server = start_server(tmp_path, command=("back-cassandra",), env={
        "CASSANDRA_CONTACT_POINTS": f"{gate.host}:{cluster.port}", "CASSANDRA_KEYSPACE": "t_" + unique(),
        **shorter, **env}).wait_listening()
    client = server.client()
    begun = time.monotonic()
    wait_for(lambda: time.monotonic() - begun >= seconds * scale, seconds + 5, "the time that it is away")
    assert (client.get("/livez").status, client.get("/readyz").status) == (200, 503)
    assert "refused" in client.get("/readyz").json()["reason"]
    gate.set("pass")
    wait_for(lambda: READY in server.log, 32 * scale + 30, "the last line of the start")
    assert "Retrying in" in server.log
    assert client.get("/readyz").status == 200


def test_nodes_that_have_other_addresses_at_the_next_start(start_server, tmp_path, cluster, gate, unique):
    """Names lead elsewhere: the same keyspace is found at the node's new address."""
    node, names = cluster.nodes[0], tmp_path / "names"
    first, second = gate.host, gate.host.rpartition(".")[0] + ".102"
    env = {"CASSANDRA_CONTACT_POINTS": f"db.test:{cluster.port}", "CASSANDRA_KEYSPACE": "t_" + unique(),
           "LD_PRELOAD": find_shim("shim_world"), "SHIM_NAMES": str(names)}
    gate.set("pass")
    names.write_text(f"db.test {first}\n")
    server = start_server(tmp_path, command=("back-cassandra",), release=True, env=env)
    wait_for(lambda: READY in server.log, 60, "the first start")
    server.stop()
    gate.set("refuse")
    node.stop()
    node.public_address = second
    node.start()
    try:
        with Proxy(cluster.port, host=second, port=cluster.port, target_host=node.address):
            names.write_text(f"db.test {second}\n")
            server = start_server(tmp_path, command=("back-cassandra",), release=True, env=env)
            wait_for(lambda: READY in server.log, 60, "the second start")
            assert "Found existing subscription metadata, skipping population" in server.log
            server.stop()
    finally:
        node.stop()
        node.public_address = first
        node.start()


def test_the_right_password_is_refused_for_the_first_seconds(start_server, tmp_path, unique):
    """As a new Cassandra does: its default role is there some ten seconds after the port."""
    delay = 10000 if LONG else 4000
    print(f"the role is made after {delay / 1000:g} s (of 10)")
    one = cassandra_server.Cluster(1, auth=True, java_options=(f"-Dcassandra.superuser_setup_delay_ms={delay}",))
    try:
        node = one.nodes[0].begin()
        server = start_server(tmp_path, command=("back-cassandra",), env={
            "CASSANDRA_CONTACT_POINTS": one.contact_points, "CASSANDRA_KEYSPACE": "t_" + unique(),
            "CASSANDRA_USER": cassandra_server.USER, "CASSANDRA_PASSWORD": cassandra_server.PASSWORD,
            "CONNECT_INITIAL_DELAY": "1s", "CONNECT_MAX_DELAY": "1s", "CONNECT_MAX_RETRIES": 60}).wait_listening()
        wait_for(lambda: READY in server.log, 90, "the last line of the start")
        assert "password" in server.log and "check=cassandra.auth" in server.log
        server.stop()
        assert node.is_running()
    finally:
        one.remove()
