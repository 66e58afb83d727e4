"""Real Cassandra servers as the tests start them, seen by a raw socket and by somebody else's driver.
"""

import os
import ssl
import subprocess
import sys

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy

from conftest import ROOT, clean_env, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import cassandra_server  # noqa: E402  pylint: disable=wrong-import-position
from cql_bytes import QUORUM, CqlClient, CqlError  # noqa: E402  pylint: disable=wrong-import-position

KEYSPACE = ("CREATE KEYSPACE IF NOT EXISTS ks WITH replication = "
            "{'class': 'SimpleStrategy', 'replication_factor': %d}")
TABLE = "CREATE TABLE IF NOT EXISTS ks.t (k int PRIMARY KEY, v text)"


@pytest.fixture(scope="module")
def one():
    """A node that writes to disk before it acknowledges."""
    cluster = cassandra_server.Cluster(commitlog="batch")
    try:
        yield cluster.start()
    finally:
        cluster.remove()


def test_options_are_answered_and_the_driver_connects(one):
    node = one.nodes[0]
    with node.client(start=False) as client:
        assert "5/v5" in client.options()["PROTOCOL_VERSIONS"]
    for version in (4, 5):
        with node.client(version=version) as client:
            assert client.query("SELECT release_version FROM system.local") == [(b"4.1.9",)]
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([node.address]))
    driver = Cluster([node.address], port=one.port,
                     execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    try:
        row = driver.connect().execute("SELECT cluster_name FROM system.local").one()
        assert row.cluster_name == "tests"
    finally:
        driver.shutdown()


def test_what_was_acknowledged_survives_kill_9(one):
    node = one.nodes[0]
    with node.client() as client:
        client.query(KEYSPACE % 1)
        client.query(TABLE)
        for number in range(100):
            client.query(f"INSERT INTO ks.t (k, v) VALUES ({number}, 'x')")
        node.kill()
        with pytest.raises(OSError):
            client.query("SELECT k FROM ks.t")
    assert not node.is_running()
    first = node.pid
    node.start()
    assert node.pid != first
    with node.client() as client:
        assert len(client.query("SELECT k FROM ks.t")) == 100


def test_a_stopped_process_is_silent_and_goes_on(one):
    node = one.nodes[0]
    with node.client(timeout=1) as client:
        node.pause()
        try:
            with pytest.raises(TimeoutError):
                client.query("SELECT key FROM system.local")
        finally:
            node.resume()
    node.wait_ready()


def test_three_nodes_know_each_other_and_outlive_one():
    cluster = cassandra_server.Cluster(3)
    try:
        first, second, third = cluster.start().nodes
        with first.client() as client:
            client.query(KEYSPACE % 3)
            client.query(TABLE)
            wait_for(cluster.agrees, 60, "that all have the table")
            client.query("INSERT INTO ks.t (k, v) VALUES (1, 'x')", QUORUM)
        second.kill()

        def rows():
            try:
                with third.client() as client:
                    return client.query("SELECT v FROM ks.t WHERE k = 1", QUORUM)
            except CqlError:  # until the others have noticed
                return None
        assert wait_for(rows, 60, "a read without the dead node") == [(b"x",)]
        second.start()
        wait_for(lambda: second.sees(2), 60, "the node to be back")
    finally:
        cluster.remove()
    assert not any(node.is_running() for node in cluster.nodes)


def dev_db(tmp_path, *args, **env):
    done = subprocess.run([os.path.join(ROOT, "dev"), "db", *args], cwd=tmp_path,
                          env=clean_env(TMPDIR=tmp_path, **env), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout, done.stderr


def test_dev_db_starts_a_server_with_password_and_tls_and_ends_it(tmp_path):
    options = ("up", "cassandra", "--version", "5.0", "--auth", "--tls")
    try:
        code, out, told = dev_db(tmp_path, *options)
        assert code == 0, told
        settings = dict(line.split("=", 1) for line in out.splitlines())
        address, port = settings["CASSANDRA_CONTACT_POINTS"].split(":")
        assert dev_db(tmp_path, *options)[1] == out
        code, _, told = dev_db(tmp_path, "up", "cassandra")
        assert code == 1 and "./dev db down" in told

        tls = ssl.create_default_context(cafile=settings["CASSANDRA_TLS_CA"])
        user, password = settings["CASSANDRA_USER"], settings["CASSANDRA_PASSWORD"]
        with CqlClient(address, int(port), user=user, password=password, tls=tls) as client:
            assert client.query("SELECT release_version FROM system.local") == [(b"5.0.5",)]
        with pytest.raises(CqlError, match="0x0100"):
            CqlClient(address, int(port), user=user, password="wrong", tls=tls)
        with pytest.raises(OSError):
            CqlClient(address, int(port), user=user, password=password, timeout=5)
    finally:
        assert dev_db(tmp_path, "down")[0] == 0
    with pytest.raises(ConnectionRefusedError):
        CqlClient(address, int(port))


def test_dev_db_leaves_a_given_cassandra_alone(tmp_path):
    code, out, _ = dev_db(tmp_path, "up", "cassandra", CASSANDRA_CONTACT_POINTS="c1,c2:9043")
    assert (code, out) == (0, "CASSANDRA_CONTACT_POINTS=c1,c2:9043\n")
    assert not [name for name in os.listdir(tmp_path) if not name.endswith(".lock")]
