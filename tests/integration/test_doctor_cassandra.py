"""doctor on Cassandra: every layer's check on a real node that asks for a password and for TLS, and
with every fault that is there while it looks; in the connect time-out, with cause and fix, without a
secret, changing nothing."""

import os
import re
import subprocess
import sys
import uuid

import pytest

from conftest import ROOT, clean_env, executable
from test_cassandra_login import OTHERS, REAL, SECRET

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
import fake_tables  # noqa: E402
from doctor import doctor, expect_failure, ids_of  # noqa: E402
from fake_cassandra import FakeCassandra, error, rows  # noqa: E402
from tcp_proxy import Proxy  # noqa: E402

UNMIGRATED = {"cassandra.keyspace": "warn", "cassandra.migrations": "warn", "cassandra.data": "warn"}


@pytest.fixture(scope="module")
def cluster():
    one = cassandra_server.Cluster(1, auth=True, tls=True)
    try:
        yield one.start()
    finally:
        one.remove()


@pytest.fixture
def keyspace(unique):
    return "t_" + unique()


@pytest.fixture
def env(cluster, keyspace):
    """What leads to the node, with the right password."""
    return {"CASSANDRA_CONTACT_POINTS": cluster.contact_points, "CASSANDRA_KEYSPACE": keyspace,
            "CASSANDRA_TLS": "verify-full", "CASSANDRA_TLS_CA": cluster.path("ca.pem"),
            "CASSANDRA_USER": cassandra_server.USER,
            "CASSANDRA_PASSWORD": cassandra_server.PASSWORD, "CONNECT_TIMEOUT": 10}


@pytest.fixture
def ask(cluster):
    with cluster.nodes[0].client() as client:
        yield client.query


@pytest.fixture
def served(start_server, tmp_path, env):
    """The keyspace, migrated and filled; its settings."""
    server = start_server(tmp_path, command=("back-cassandra",), env={**env, "STORE_TIMEOUT": 30})
    server.wait_ready()
    server.stop()
    return env


def content(ask, keyspace):
    names = [name for (name,) in ask("SELECT table_name FROM system_schema.tables"
                                     f" WHERE keyspace_name = '{keyspace}'")]
    return {name: sorted(map(repr, ask(f"SELECT * FROM {keyspace}.{name.decode()}")))
            for name in names}


# ---- nothing is wrong ----

def test_a_filled_keyspace_is_well_in_every_layer(served, cluster, keyspace, ask):
    before = content(ask, keyspace)
    report = doctor(served)
    assert report.bad() == {}
    for name in ids_of("cassandra"):
        check = report.one(name)
        assert check["status"] == "ok" and check["target"] == cluster.contact_points, check
    said = {name: report.one(name)["message"] for name in ids_of("cassandra")}
    assert "CASSANDRA_TLS=verify-full" in said["cassandra.tls"]
    assert "version 5" in said["cassandra.protocol"]
    assert said["cassandra.auth"] == "logged in as cassandra"
    assert "datacenter1" in said["cassandra.keyspace"]
    assert said["cassandra.version"] == "Cassandra 4.1.9"
    assert said["cassandra.capacity"].startswith("1 of 1 node ")
    assert said["cassandra.migrations"] == "all 1 migrations are applied"
    assert said["cassandra.replication"].startswith("1 replica in the data centre datacenter1")
    assert report.one("config")["message"].startswith(
        f"Cassandra at ['{cluster.nodes[0].address}']:{cluster.port}"
        " by CASSANDRA_CONTACT_POINTS (environment)")
    assert report.status_of("host.clock") == "ok"
    assert content(ask, keyspace) == before


def test_a_cluster_that_nobody_has_used_is_a_warning_and_stays_so(env, keyspace, ask):
    report = doctor(env)
    assert report.code == 0 and report.bad() == UNMIGRATED
    assert f"there is no keyspace {keyspace} yet" == report.one("cassandra.keyspace")["message"]
    assert "back-cassandra" in report.one("cassandra.keyspace")["fix"]
    assert report.status_of("cassandra.writable") == "skip"
    assert report.status_of("cassandra.replication") == "skip"
    assert report.status_of("cassandra.schema_agreement") == "ok"
    assert not ask(f"SELECT * FROM system_schema.keyspaces WHERE keyspace_name = '{keyspace}'")


# ---- faults at the login ----

@pytest.mark.parametrize("row", REAL, ids=[row[0] for row in REAL])
def test_what_a_real_node_refuses_fails_its_own_layer(env, row):
    _, more, layer, reason, advice = row
    report = doctor({**env, **more})
    check = expect_failure(report, "cassandra", layer, env["CASSANDRA_CONTACT_POINTS"])
    assert re.search(reason, check["message"]) and advice in check["fix"], check
    assert report.in_time(10)


@pytest.mark.parametrize("row", OTHERS, ids=[row[0] for row in OTHERS])
def test_what_is_no_node_fails_its_own_layer(row):
    _, make, layer, reason, advice = row
    opened = []

    def stack(thing):
        opened.append(thing)
        return thing
    points = make(stack)
    try:
        report = doctor({"CASSANDRA_CONTACT_POINTS": points, "CONNECT_TIMEOUT": 3})
    finally:
        for thing in opened:
            thing.close()
    check = expect_failure(report, "cassandra", layer)
    assert re.search(reason, check["message"]), check
    assert advice in check["fix"] or "Inside a container" in check["fix"], check
    assert report.in_time(3), report.seconds


@pytest.mark.parametrize("mode, layer", [
    ("close", "protocol"), ("reset", "protocol"), ("silent", "protocol"), ("hang", "tcp")])
def test_what_stands_between_and_misbehaves(mode, layer):
    fake = FakeCassandra()
    proxy = Proxy(fake.port, mode)
    try:
        report = doctor({"CASSANDRA_CONTACT_POINTS": f"127.0.0.1:{proxy.port}", "CONNECT_TIMEOUT": 2})
    finally:
        proxy.close()
        fake.close()
    assert "CONNECT_MAX_RETRIES=10" in expect_failure(report, "cassandra", layer)["fix"]
    assert report.in_time(2)


def test_drops_of_a_handshake_end_at_the_time_out():
    fake = FakeCassandra()
    proxy = Proxy(fake.port)
    proxy.rate = 1
    try:
        report = doctor({"CASSANDRA_CONTACT_POINTS": f"127.0.0.1:{proxy.port}", "CONNECT_TIMEOUT": 1})
    finally:
        proxy.close()
        fake.close()
    expect_failure(report, "cassandra", "protocol")
    assert report.in_time(1)


def test_a_node_that_stands_still_is_silent(cluster, env):
    cluster.nodes[0].pause()
    try:
        report = doctor({**env, "CONNECT_TIMEOUT": 2})
    finally:
        cluster.nodes[0].resume()
    expect_failure(report, "cassandra", "protocol")
    assert report.in_time(2)


def test_localhost_in_a_container_is_explained():
    report = doctor({"CASSANDRA_HOSTS": "localhost", "CASSANDRA_PORT": 1, "container": "1"})
    fix = expect_failure(report, "cassandra", "tcp", "localhost:1")["fix"]
    assert "Inside a container localhost is the container itself" in fix
    assert "for example cassandra, in CASSANDRA_HOSTS." in fix


def test_an_overloaded_node_fails_capacity():
    fake = FakeCassandra()
    fake.on("system.local", error(0x1001, "too many requests"))
    try:
        report = doctor({"CASSANDRA_CONTACT_POINTS": f"127.0.0.1:{fake.port}", "CONNECT_TIMEOUT": 2})
    finally:
        fake.close()
    check = expect_failure(report, "cassandra", "capacity")
    assert "more requests than it can hold" in check["cause"]
    assert "native_transport_max_" in check["fix"] and "cassandra.yaml" in check["fix"]
    assert "connections" not in check["cause"] + check["fix"]


@pytest.mark.parametrize("file", ["CASSANDRA_TLS_CA", "CASSANDRA_PASSWORD_FILE"])
def test_files_that_cannot_be_used_are_wrong_settings(env, tmp_path, file):
    path = tmp_path / "file"
    path.write_text("no certificate\n")
    more = {"CASSANDRA_TLS_CA": path}
    if file == "CASSANDRA_PASSWORD_FILE":
        more = {file: tmp_path / "gone", "CASSANDRA_PASSWORD": ""}
    report = doctor({**env, **more}, wrong=True)
    assert "CASSANDRA" in report.one("config")["cause"]
    assert {report.status_of(name) for name in ids_of("cassandra")[2:]} == {"skip"}


# ---- the keyspace ----

def test_a_role_that_may_only_read_fails_writable(served, keyspace, ask):
    role = "reader_" + uuid.uuid4().hex[:8]
    ask(f"CREATE ROLE {role} WITH PASSWORD = 'r' AND LOGIN = true")
    ask(f"GRANT SELECT ON KEYSPACE {keyspace} TO {role}")
    report = doctor({**served, "CASSANDRA_USER": role, "CASSANDRA_PASSWORD": "r"})
    check = expect_failure(report, "cassandra", "writable")
    assert "MODIFY" in check["message"] and "GRANT ALL ON KEYSPACE" in check["fix"]


def test_an_edited_migration_fails(served, keyspace, ask):
    ask(f"UPDATE {keyspace}.schema_migrations SET sha256 = 'x' WHERE scope = 'schema' AND version = 1")
    check = expect_failure(doctor(served), "cassandra", "migrations")
    assert "001_subscription_metadata.cql" in check["message"]


def test_a_newer_schema_is_a_warning(served, keyspace, ask):
    ask(f"INSERT INTO {keyspace}.schema_migrations (scope, version, name, sha256, applied_at)"
        " VALUES ('schema', 99, '099_later.cql', 'x', toTimestamp(now()))")
    check = doctor(served).one("cassandra.migrations")
    assert check["status"] == "warn" and "newer" in check["message"]


def test_a_migration_file_that_cannot_be_used_fails(served, tmp_path):
    folder = tmp_path / "schema" / "cassandra"
    folder.mkdir(parents=True)
    (folder / "001_x.cql").write_bytes(b"\xff\xfeS\0")
    report = doctor({**served, "SCHEMA_DIR": tmp_path / "schema"})
    assert "UTF-16" in expect_failure(report, "cassandra", "migrations")["message"]


def test_a_missing_table_fails_data(served, keyspace, ask):
    ask(f"DROP TABLE {keyspace}.subscription_package_metadata")
    check = expect_failure(doctor(served), "cassandra", "data")
    assert "subscription_package_metadata" in check["message"]


def test_who_migrates_just_now_is_named(served, keyspace, ask):
    ask(f"DELETE FROM {keyspace}.schema_migrations WHERE scope = 'schema'")
    ask(f"INSERT INTO {keyspace}.schema_lock (name, owner, holder) VALUES ('schema', 'x', 'somebody')"
        " USING TTL 30")
    check = doctor(served).one("cassandra.migrations")
    assert check["status"] == "warn" and check["message"].endswith("migrating now: somebody")


def test_content_that_is_gone_or_was_cut_off_is_a_warning(served, keyspace, ask):
    ask(f"DELETE FROM {keyspace}.content_population WHERE name = 'catalogue'")
    report = doctor(served)
    assert report.bad() == {"cassandra.data": "warn"}
    assert "not populated to its end" in report.one("cassandra.data")["message"]
    ask(f"TRUNCATE {keyspace}.subscription_package_metadata")
    assert "no content" in doctor(served).one("cassandra.data")["message"]


def test_content_alone_goes_beside_records_in_postgresql(served, pg_database):
    report = doctor({**served, "DATABASE_URL": pg_database.url})
    assert report.bad() == {"postgres.migrations": "warn", "postgres.data": "warn"}
    assert [check["id"] for check in report.checks][1:27] == ids_of("postgres") + ids_of("cassandra")
    done = subprocess.run([executable(), "migrate"], capture_output=True, text=True, timeout=60,
                          env=clean_env(DATABASE_URL=pg_database.url), check=False)
    assert done.returncode == 0, done.stderr


def test_no_secret_is_told(env):
    for more in ([], ["--json"]):
        done = subprocess.run(
            [executable(), "doctor", *more], capture_output=True, text=True, timeout=60,
            env=clean_env(**{**env, "CASSANDRA_PASSWORD": SECRET}), check=False)
        assert done.returncode == 6 and SECRET not in done.stdout + done.stderr


# ---- clusters that are hard to have ----

@pytest.fixture
def fake():
    """A healthy node with a keyspace, in which nothing was migrated."""
    one = FakeCassandra()
    one.keyspaces["tools_dashboard"] = {
        "class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "datacenter1": "1"}
    one.on("system_schema.tables", rows([("table_name", fake_tables.TEXT)], []))
    yield one
    one.close()


def of(fake, **more):
    return doctor({"CASSANDRA_CONTACT_POINTS": f"127.0.0.1:{fake.port}", "CONNECT_TIMEOUT": 6, **more})


def test_nodes_that_are_down_and_of_another_version_are_warnings(fake):
    peer = fake.row("127.0.0.77", port=fake.port)
    peer["release_version"] = (fake_tables.TEXT, b"4.0.11")
    fake.peers = [peer]
    report = of(fake)
    check = report.one("cassandra.capacity")
    assert check["status"] == "warn" and check["message"].startswith("1 of 2 nodes ")
    check = report.one("cassandra.version")
    assert check["status"] == "warn" and "4.0.11" in check["message"]


def test_nodes_without_one_schema_fail(fake):
    other = FakeCassandra(address="127.0.0.78", port=fake.port)
    peer = fake.row("127.0.0.78", port=fake.port)
    peer["schema_version"] = (fake_tables.UUID, b"\7" * 16)
    fake.peers = [peer]
    try:
        report = of(fake)
    finally:
        other.close()
    check = expect_failure(report, "cassandra", "schema_agreement")
    assert "describecluster" in check["fix"] and report.in_time(6)


def test_each_contact_point_has_its_own_checks_and_one_that_works_is_enough(fake):
    good = f"127.0.0.1:{fake.port}"
    report = of(fake, CASSANDRA_CONTACT_POINTS=f"127.0.0.1:1, {good} ,no-such.invalid")
    assert report.code == 0
    assert [(c["target"], c["status"]) for c in report.all("cassandra.tcp")] == [
        ("127.0.0.1:1", "warn"), (good, "ok"), ("no-such.invalid:9042", "skip")]
    assert report.all("cassandra.dns")[2]["status"] == "warn"
