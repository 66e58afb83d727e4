"""What we wrote into Cassandra, read by python3-cassandra, and what that wrote, served by us."""

import datetime
import hashlib
import json
import os
import sys

import pytest

from conftest import ROOT, wait_for

sys.path.append("/usr/lib/python3/dist-packages")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
from cassandra.cluster import Cluster as Driver  # noqa: E402
import cassandra_server  # noqa: E402

PACKAGES = "/user-subscription/packages"
TEXTS = ["", "plain", "naïve — 日本 🙂", "'quoted' \"twice\" \\ back", "a\nline\tand\x01more", "x" * 4000]


@pytest.fixture(scope="module")
def cluster():
    one = cassandra_server.Cluster(1, commitlog="batch")
    try:
        yield one.start()
    finally:
        one.remove()


@pytest.fixture(scope="module")
def driver(cluster):
    one = Driver([cluster.nodes[0].address], port=cluster.port, connect_timeout=30)
    yield one
    one.shutdown()


@pytest.fixture
def shop(start_server, tmp_path, cluster, driver, pg_database, unique):
    """(a server, a session of the other driver in its keyspace)"""
    keyspace = "t_" + unique()
    server = start_server.ready(tmp_path, env={
        "DATABASE_URL": pg_database.url, "CASSANDRA_CONTACT_POINTS": cluster.contact_points,
        "CASSANDRA_KEYSPACE": keyspace, "CATALOGUE_REFRESH": 1})
    return server, driver.connect(keyspace)


def built_in():
    with open(os.path.join(ROOT, "catalogue", "default.json"), encoding="utf-8") as file:
        return json.load(file)["packages"]


def test_the_other_driver_reads_what_we_wrote(shop):
    _, session = shop
    begun = datetime.datetime.utcnow() - datetime.timedelta(minutes=5)
    metadata = {(row.package_slug, row.key): row for row in
                session.execute("SELECT * FROM subscription_package_metadata")}
    features = {(row.package_slug, row.feature_id): row for row in
                session.execute("SELECT * FROM subscription_features")}
    wanted = built_in()
    assert {key: row.value for key, row in metadata.items()} == {
        (package["slug"], key): text for package in wanted for key, text in package["metadata"].items()}
    assert {key: (row.name, row.description, row.included, row.icon, row.category)
            for key, row in features.items()} == {
        (package["slug"], one["id"]): (one["name"], one.get("description", ""), one.get("included", True),
                                       one.get("icon", ""), one.get("category", ""))
        for package in wanted for one in package["features"]}
    for package in wanted:
        ids = [one["id"] for one in package["features"]]
        assert sorted(ids, key=lambda one: features[package["slug"], one].display_order) == ids
    for row in (*metadata.values(), *features.values()):
        assert begun < row.updated_at < begun + datetime.timedelta(minutes=10)
    (populated,) = session.execute("SELECT * FROM content_population")
    assert populated.name == "catalogue" and populated.completed_at > begun
    (migration,) = session.execute("SELECT * FROM schema_migrations")
    path = os.path.join(ROOT, "schema", "cassandra", "001_subscription_metadata.cql")
    with open(path, "rb") as file:
        assert migration.sha256 == hashlib.sha256(file.read()).hexdigest()
    assert (migration.scope, migration.version, migration.name) == (
        "schema", 1, "001_subscription_metadata.cql")
    assert list(session.execute("SELECT * FROM schema_lock")) == []


def test_what_the_other_driver_writes_is_served(shop):
    server, session = shop
    session.execute("TRUNCATE subscription_features")
    metadata = session.prepare("INSERT INTO subscription_package_metadata (package_slug, key, value, updated_at) "
                               "VALUES (?, ?, ?, ?)")
    feature = session.prepare("INSERT INTO subscription_features (package_slug, feature_id, name, description, "
                              "included, icon, category, display_order, updated_at) VALUES (?,?,?,?,?,?,?,?,?)")
    now = datetime.datetime.utcnow()
    for number, text in enumerate(TEXTS):
        session.execute(metadata, ("free", f"key{number}", text, now if number % 2 else None))
    rows = [("a", "First", TEXTS[2], True, "icon", "", 2**62, now), ("b", TEXTS[2], None, False, None, None, -5, None),
            ("c", "Third", "", None, "", TEXTS[1], None, now)]
    for row in rows:
        session.execute(feature, ("free", *row))
    client = server.client()

    def free():
        return next(one for one in client.get(PACKAGES).json() if one["slug"] == "free")

    wait_for(lambda: len(free()["features"]) == 3 and f"key{len(TEXTS) - 1}" in free()["metadata"], 15, "the rows")
    shown = free()
    for number, text in enumerate(TEXTS):
        assert shown["metadata"][f"key{number}"] == text
    assert [(one["id"], one["name"], one["description"], one["included"], one["icon"], one["category"])
            for one in shown["features"]] == [
        ("b", TEXTS[2], "", False, "", ""), ("c", "Third", "", True, "", TEXTS[1]),
        ("a", "First", TEXTS[2], True, "icon", "")]
    session.execute("DELETE FROM subscription_features WHERE package_slug = 'free' AND feature_id = 'b'")
    wait_for(lambda: [one["id"] for one in free()["features"]] == ["c", "a"], 15, "the deletion")
