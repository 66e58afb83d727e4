"""back-cassandra on a real Cassandra 4.1: first and later starts, late ones, several at once, one that
was killed; what somebody else does to the tables meanwhile."""

import os
import re
import sys

import pytest

from conftest import LONG, ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402

COMMAND = ("back-cassandra",)
READY = "Cassandra service initialized successfully"
ROUNDS = 20 if LONG else 4
KILLS = 8 if LONG else 1
TABLES = {
    "content_population": {"name": "text", "completed_at": "timestamp"},
    "schema_lock": {"name": "text", "owner": "text", "holder": "text", "taken_at": "timestamp"},
    "schema_migrations": {
        "scope": "text", "version": "int", "name": "text", "sha256": "text",
        "applied_at": "timestamp"},
    "subscription_events": {
        "user_id": "text", "month": "text", "seq": "bigint", "id": "text",
        "subscription_id": "text", "action": "text", "from_package": "text", "to_package": "text",
        "from_cycle": "text", "to_cycle": "text", "price": "decimal", "currency": "text",
        "reason": "text", "actor": "text", "created_at": "timestamp"},
    "subscription_features": {
        "package_slug": "text", "feature_id": "text", "name": "text", "description": "text",
        "included": "boolean", "icon": "text", "category": "text", "display_order": "bigint",
        "updated_at": "timestamp"},
    "subscription_package_metadata": {
        "package_slug": "text", "key": "text", "value": "text", "updated_at": "timestamp"},
}


@pytest.fixture(scope="module")
def cluster():
    one = cassandra_server.Cluster(1, commitlog="batch")
    try:
        yield one.start()
    finally:
        one.remove()


@pytest.fixture
def keyspace(unique):
    return "t_" + unique()


@pytest.fixture
def ask(cluster):
    """Another client: ask(statement) gives the rows."""
    with cluster.nodes[0].client() as client:
        yield client.query


def settings(cluster, keyspace, **more):
    return {"CASSANDRA_CONTACT_POINTS": cluster.contact_points, "CASSANDRA_KEYSPACE": keyspace,
            "STORE_TIMEOUT": 30, **more}


def texts(rows):
    return [tuple(cell.decode() for cell in row) for row in rows]


def content(ask, keyspace):
    """All rows with their values, sorted."""
    metadata = ask(f"SELECT package_slug, key, value FROM {keyspace}.subscription_package_metadata")
    features = ask(f"SELECT package_slug, feature_id, name FROM {keyspace}.subscription_features")
    return sorted(texts(metadata)), sorted(texts(features))


def wait_line(server, words, seconds=60):
    return wait_for(lambda: [line for line in list(server.lines) if words in line], seconds,
                    f"the line {words!r}")[0]


def start(start_server, folder, env):
    server = start_server(folder, command=COMMAND, env=env)
    server.wait_listening()
    wait_line(server, READY)
    return server


def essential(server):
    """The lines of the start, without those of HTTP."""
    return [line for line in server.lines
            if "Listening" not in line and "HTTP_MAX_CONNECTIONS" not in line]


def test_first_start_says_and_does_everything_in_order(
        start_server, tmp_path, cluster, keyspace, ask):
    server = start(start_server, tmp_path, settings(cluster, keyspace))
    lines = essential(server)
    assert lines[:6] == [
        f"Connecting to Cassandra at ['{cluster.nodes[0].address}']:{cluster.port}",
        "Cassandra session created successfully",
        "Running 1 CQL migration files...",
        "Executing migration: 001_subscription_metadata.cql",
        "Migration 001_subscription_metadata.cql completed successfully",
        "Populating subscription metadata..."]
    assert lines[-1] == READY
    written = lines[6:-1]
    metadata, features = content(ask, keyspace)
    assert sum(line.startswith("Upserted metadata: ") for line in written) == len(metadata) > 0
    assert sum(line.startswith("Upserted feature: ") for line in written) == len(features) > 0
    assert len(written) == len(metadata) + len(features)
    assert "Upserted metadata: free.tagline" in written
    client = server.client()
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/health").json()["checks"]["cassandra"]["status"] == "up"
    server.stop()


def test_tables_are_those_of_the_contract(start_server, tmp_path, cluster, keyspace, ask):
    start(start_server, tmp_path, settings(cluster, keyspace))
    columns = {}
    for table, column, kind in texts(ask(
            "SELECT table_name, column_name, type FROM system_schema.columns "
            f"WHERE keyspace_name = '{keyspace}'")):
        columns.setdefault(table, {})[column] = kind
    assert columns == TABLES
    for table in TABLES:
        assert ask("SELECT default_time_to_live FROM system_schema.tables WHERE keyspace_name = "
                   f"'{keyspace}' AND table_name = '{table}'") == [(b"\0\0\0\0",)], table
    assert ask(f"SELECT index_name FROM system_schema.indexes WHERE keyspace_name = '{keyspace}'") == []
    assert texts(ask("SELECT column_name, kind, clustering_order FROM system_schema.columns WHERE "
                     f"keyspace_name = '{keyspace}' AND table_name = 'subscription_events' "
                     "AND column_name IN ('user_id', 'month', 'seq')")) == [
        ("month", "partition_key", "none"), ("seq", "clustering", "desc"),
        ("user_id", "partition_key", "none")]
    assert ask(f"SELECT name FROM {keyspace}.schema_lock") == []


def test_a_later_start_finds_all_done_and_keeps_what_others_changed(
        start_server, tmp_path, cluster, keyspace, ask):
    env = settings(cluster, keyspace)
    start(start_server, tmp_path, env).stop()
    ask(f"UPDATE {keyspace}.subscription_package_metadata SET value = 'ours' "
        "WHERE package_slug = 'free' AND key = 'tagline'")
    ask(f"DELETE FROM {keyspace}.subscription_features WHERE package_slug = 'pro'")
    ask(f"DELETE FROM {keyspace}.subscription_package_metadata WHERE package_slug = 'premium'")
    before = content(ask, keyspace)
    for _ in range(2):
        server = start(start_server, tmp_path, env)
        assert essential(server)[1:] == [
            "Cassandra session created successfully", "Schema is up to date (1 migrations)",
            "Found existing subscription metadata, skipping population", READY]
        server.stop()
    assert content(ask, keyspace) == before


def test_a_population_that_was_cut_off_is_completed_and_overwrites_nobody(
        start_server, tmp_path, cluster, keyspace, ask):
    env = settings(cluster, keyspace)
    start(start_server, tmp_path, env).stop()
    whole = content(ask, keyspace)
    # As after a kill in the middle: a part of the rows, and no record that all are there.
    for table in ("content_population", "subscription_features", "subscription_package_metadata"):
        ask(f"TRUNCATE {keyspace}.{table}")
    ask(f"INSERT INTO {keyspace}.subscription_package_metadata (package_slug, key, value) "
        "VALUES ('free', 'tagline', 'ours')")
    ask(f"DELETE FROM {keyspace}.subscription_package_metadata "
        "WHERE package_slug = 'premium' AND key = 'tagline'")
    server = start(start_server, tmp_path, env)
    assert "Populating subscription metadata..." in server.lines
    metadata, features = content(ask, keyspace)
    expected = {row[:2]: row[2] for row in whole[0]}
    expected["free", "tagline"] = "ours"
    del expected["premium", "tagline"]
    assert {row[:2]: row[2] for row in metadata} == expected
    assert features == whole[1]


def test_an_edited_migration_is_refused(start_server, tmp_path, cluster, keyspace):
    env = settings(cluster, keyspace)
    start(start_server, tmp_path, env).stop()
    folder = tmp_path / "schema" / "cassandra"
    folder.mkdir(parents=True)
    (folder / "001_subscription_metadata.cql").write_text("CREATE TABLE IF NOT EXISTS x (k int PRIMARY KEY)")
    server = start_server(tmp_path, command=COMMAND, env={**env, "SCHEMA_DIR": folder.parent})
    assert server.process.wait(timeout=60) == 5
    server.reader.join(timeout=10)
    assert "001_subscription_metadata.cql was edited after it was applied" in server.log


def test_a_migration_that_fails_names_file_and_line_and_is_completed_when_mended(
        start_server, tmp_path, cluster, keyspace, ask):
    folder = tmp_path / "schema" / "cassandra"
    folder.mkdir(parents=True)
    path = folder / "001_subscription_metadata.cql"
    with open(os.path.join(ROOT, "schema/cassandra", path.name), encoding="utf-8") as file:
        good = file.read()
    env = settings(cluster, keyspace, SCHEMA_DIR=folder.parent)
    path.write_text("CREATE TABLE IF NOT EXISTS one (k int PRIMARY KEY);\n"
                    "CREATE TABLE IF NOT EXISTS two (k nope PRIMARY KEY);\n")
    server = start_server(tmp_path, command=COMMAND, env=env)
    assert server.process.wait(timeout=60) == 3
    server.reader.join(timeout=10)
    assert re.search(r"error: migration 001_subscription_metadata\.cql: line 2: .*nope", server.log)
    assert ask(f"SELECT version FROM {keyspace}.schema_migrations") == []
    assert ask(f"SELECT name FROM {keyspace}.schema_lock") == []
    path.write_text(good)
    start(start_server, tmp_path, env)


def test_two_at_once_on_an_empty_cluster(start_server, tmp_path, cluster, unique, ask):
    for _ in range(ROUNDS):
        keyspace = "t_" + unique()
        env = settings(cluster, keyspace)
        both = [start_server(tmp_path, command=COMMAND, env=env) for _ in range(2)]
        for server in both:
            wait_line(server, READY)
        ran = [server for server in both if "Running 1 CQL migration files..." in server.lines]
        wrote = [server for server in both if "Populating subscription metadata..." in server.lines]
        assert (len(ran), len(wrote)) == (1, 1), "\n\n".join(server.log for server in both)
        names = {name for (name,) in texts(ask(
            f"SELECT table_name FROM system_schema.tables WHERE keyspace_name = '{keyspace}'"))}
        assert names == set(TABLES)
        for server in both:
            assert "error: " not in server.log
            server.stop()
        ask(f"DROP KEYSPACE {keyspace}")
    print(f"two at once: {ROUNDS} rounds")


def test_what_a_killed_migrator_began_the_next_completes(
        start_server, tmp_path, cluster, unique, ask):
    """The lock of a dead one runs out within half a minute."""
    for number in range(KILLS):
        keyspace = "t_" + unique()
        env = settings(cluster, keyspace)
        server = start_server(tmp_path, command=COMMAND, env=env)
        wait_line(server, "Executing migration")
        # After one more table each round, so that each stands half-done once.
        wait_for(lambda keyspace=keyspace, least=3 + number: len(ask(
            "SELECT table_name FROM system_schema.tables "
            f"WHERE keyspace_name = '{keyspace}'")) >= min(least, len(TABLES)), 30, "tables")
        server.kill()
        recorded = ask(f"SELECT version FROM {keyspace}.schema_migrations")
        server = start(start_server, tmp_path, env)
        if not recorded:
            assert "Migration 001_subscription_metadata.cql completed successfully" in server.lines
        assert len(ask(f"SELECT version FROM {keyspace}.schema_migrations")) == 1
        metadata, features = content(ask, keyspace)
        assert metadata and features
        server.stop()
    print(f"killed while it migrates: {KILLS} times")


def test_it_starts_before_cassandra_does(start_server, tmp_path, cluster, keyspace):
    node = cluster.nodes[0]
    node.stop()
    try:
        server = start_server(tmp_path, command=COMMAND, env=settings(
            cluster, keyspace, CONNECT_MAX_RETRIES=-1, CONNECT_INITIAL_DELAY="200ms",
            CONNECT_MAX_DELAY="500ms"))
        server.wait_listening()
        wait_line(server, "Failed to connect to Cassandra (attempt 2): connect to "
                          f"{node.address}:{cluster.port}: Connection refused (errno 111)")
        client = server.client()
        assert client.get("/livez").status == 200
        ready = client.get("/readyz")
        assert ready.status == 503 and "Connection refused" in ready.json()["reason"]
    finally:
        node.start()
    wait_line(server, READY)
    wait_for(lambda: client.get("/readyz").status == 200, 10, "readiness")


def test_a_loss_is_said_once_and_ends_by_itself(start_server, tmp_path, cluster, keyspace):
    node = cluster.nodes[0]
    server = start(start_server, tmp_path, settings(cluster, keyspace))
    node.kill()
    try:
        wait_line(server, "Cassandra is lost, reconnecting: ")
        client = server.client()
        wait_for(lambda: client.get("/readyz").status == 503, 10, "no readiness")
        assert client.get("/livez").status == 200
    finally:
        node.start()
    wait_line(server, "Cassandra is back after ")
    wait_for(lambda: client.get("/readyz").status == 200, 10, "readiness")
    assert len([line for line in server.lines if "Cassandra is lost" in line]) == 1


def test_more_replicas_than_nodes_are_named(start_server, tmp_path, cluster, keyspace):
    server = start_server(tmp_path, command=COMMAND, env=settings(
        cluster, keyspace, CASSANDRA_REPLICATION="datacenter1:3"))
    server.wait_listening()
    line = wait_line(server, "the keyspace asks for more replicas than there are nodes")
    assert "QUORUM" in line and "ALTER KEYSPACE" in line
    server.stop()


def test_a_data_centre_that_is_not_there_is_named(start_server, tmp_path, cluster, keyspace):
    server = start_server(tmp_path, command=COMMAND, env=settings(
        cluster, keyspace, CASSANDRA_REPLICATION="mars:3"))
    assert server.process.wait(timeout=60) == 3
    server.reader.join(timeout=10)
    assert "error: CASSANDRA_REPLICATION: the keyspace cannot be made with" in server.log
    assert "mars" in server.log


def test_the_keyspace_is_replicated_as_it_was_set(start_server, tmp_path, cluster, unique, ask):
    for value, expected in (
            ("1", {"datacenter1": "1"}), ("datacenter1:1", {"datacenter1": "1"}),
            ("{'class': 'SimpleStrategy', 'replication_factor': 1}", {"replication_factor": "1"})):
        keyspace = "t_" + unique()
        start(start_server, tmp_path, settings(
            cluster, keyspace, CASSANDRA_REPLICATION=value)).stop()
        ((replication,),) = ask("SELECT replication FROM system_schema.keyspaces "
                                f"WHERE keyspace_name = '{keyspace}'")
        for name, number in expected.items():
            assert name.encode() in replication and number.encode() in replication
        assert (b"SimpleStrategy" in replication) == ("SimpleStrategy" in value)
