"""serve and back-api with records in PostgreSQL and the packages' content in Cassandra: both real."""

import json
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT, executable, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from store_numbers import store_numbers  # noqa: E402
from tcp_proxy import Proxy  # noqa: E402

PACKAGES = "/user-subscription/packages"
AWAY = "127.0.0.1:1"  # nothing listens there
QUICK = {"CONNECT_INITIAL_DELAY": "100ms", "CONNECT_MAX_DELAY": "200ms", "CONNECT_MAX_RETRIES": 2}


@pytest.fixture(scope="module")
def cluster():
    one = cassandra_server.Cluster(1, commitlog="batch")
    try:
        yield one.start()
    finally:
        one.remove()


@pytest.fixture
def ask(cluster):
    """Another client: ask(statement) gives the rows."""
    with cluster.nodes[0].client() as client:
        yield client.query


@pytest.fixture
def env(cluster, pg_database, unique):
    return {"DATABASE_URL": pg_database.url, "CASSANDRA_CONTACT_POINTS": cluster.contact_points,
            "CASSANDRA_KEYSPACE": "t_" + unique(), "CATALOGUE_REFRESH": 1}


@pytest.fixture
def up(cluster):
    """The cluster runs when the test begins and when it has ended."""
    yield cluster
    for node in cluster.nodes:
        if not node.is_running():
            node.start()


def by_slug(client):
    answer = client.get(PACKAGES)
    assert answer.status == 200, answer.body
    return {package["slug"]: package for package in answer.json()}


def health(client):
    return client.get("/health").json()


def is_in_state(client, word):
    return lambda: health(client)["status"] == word


def run(env, folder, *words):
    return subprocess.run([executable(), *words], cwd=folder, capture_output=True, text=True, timeout=90,
                          check=False, env={**os.environ, **{k: str(v) for k, v in env.items()}})


def subscribe(server, number):
    client = server.client(server.make_key())
    user = {"email": f"u{number}@example.org", "first_name": "A", "last_name": "B"}
    assert client.put(f"/user-subscription/users/u{number}", user).status == 201
    return client.post("/user-subscription/subscribe", {
        "user_id": f"u{number}", "package_slug": "standard", "billing_cycle": "monthly"}).status


def test_serve_fills_both_and_serves_content_from_cassandra(start_server, tmp_path, env, ask, pg_database):
    server = start_server.ready(tmp_path, env=env)
    client = server.client()
    packages = by_slug(client)
    assert list(packages) == ["free", "standard", "premium", "enterprise"]
    assert all(package["metadata"] and package["features"] for package in packages.values())
    checks = health(client)["checks"]
    assert (checks["postgresql"]["status"], checks["cassandra"]["status"]) == ("up", "up")
    assert checks["catalogue"]["source"] == "cassandra"
    assert client.get("/readyz").json() == {"status": "ready"}
    metrics = client.get("/metrics").body.decode()
    for line in ('tools_dashboard_store_up{store="postgresql"} 1',
                 'tools_dashboard_store_up{store="cassandra"} 1'):
        assert line in metrics
    assert len(re.findall("^# TYPE tools_dashboard_store_up ", metrics, re.M)) == 1
    for words in ("Cassandra service initialized successfully",
                  "PostgreSQL service initialized successfully"):
        assert words in server.log
    # What is only in PostgreSQL's tables of content is not what is served.
    pg_database.sql("UPDATE subscription_package_metadata SET value = 'elsewhere'")
    ask(f"UPDATE {env['CASSANDRA_KEYSPACE']}.subscription_package_metadata SET value = 'here' "
        "WHERE package_slug = 'free' AND key = 'tagline'")
    wait_for(lambda: by_slug(client)["free"]["metadata"]["tagline"] == "here", 10, "the change")


def test_a_change_by_another_client_shows_everywhere(start_server, tmp_path, env, ask):
    server = start_server.ready(tmp_path, env=env)
    client = server.client()
    tag = client.get(PACKAGES).headers["etag"]
    assert client.get(PACKAGES, headers={"If-None-Match": tag}).status == 304
    ask(f"INSERT INTO {env['CASSANDRA_KEYSPACE']}.subscription_package_metadata (package_slug, key, value) "
        "VALUES ('premium', 'tagline', 'Told by another client')")
    wait_for(lambda: client.get(PACKAGES, headers={"If-None-Match": tag}).status == 200, 10, "another ETag")
    assert by_slug(client)["premium"]["metadata"]["tagline"] == "Told by another client"
    wait_for(lambda: b"Told by another client" in client.get("/pricing").body, 10, "the page")


def test_a_row_outside_the_rules_is_left_out_and_named_once(start_server, tmp_path, env, ask):
    server = start_server.ready(tmp_path, env=env)
    client = server.client()
    ask(f"INSERT INTO {env['CASSANDRA_KEYSPACE']}.subscription_features (package_slug, feature_id, name) "
        "VALUES ('free', 'nameless', '')")
    wait_for(lambda: "subscription_features free/nameless is left out: name is empty" in server.log, 10,
             "the warning")
    reads = int(re.search(r"catalogue_reads_total (\d+)", client.get("/metrics").body.decode()).group(1))
    wait_for(lambda: int(re.search(r"catalogue_reads_total (\d+)",
                                   client.get("/metrics").body.decode()).group(1)) > reads + 2, 10, "more reads")
    assert server.log.count("free/nameless is left out") == 1
    assert "nameless" not in [feature["id"] for feature in by_slug(client)["free"]["features"]]


def test_cassandra_away_and_back(start_server, tmp_path, env, up, pg_database):
    server = start_server.ready(tmp_path, env={**env, **QUICK})
    client = server.client()
    packages = by_slug(client)
    up.nodes[0].kill()
    wait_for(is_in_state(client, "degraded"), 20, "degraded")
    assert client.get("/readyz").status == 200
    assert client.get("/livez").status == 200
    assert by_slug(client) == packages
    assert subscribe(server, 1) == 201
    # What is in PostgreSQL is still served as it is; a package whose content nobody knows is not.
    pg_database.sql("UPDATE subscription_packages SET price_monthly = 31.50 WHERE slug = 'standard'")
    pg_database.sql("INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly) "
                    "VALUES ('new', 'New', 1, 10)")
    wait_for(lambda: by_slug(client)["standard"]["price_monthly"] == 31.5, 20, "the price")
    assert "new" not in by_slug(client)

    # A restart meanwhile: what was kept is served, and connecting goes on for ever.
    server.stop()
    server = start_server.ready(tmp_path, env={**env, **QUICK})
    client = server.client()
    kept = by_slug(client)
    assert kept["standard"].pop("price_monthly") == 31.5
    packages["standard"].pop("price_monthly")
    assert kept == packages
    state = health(client)
    assert state["status"] == "degraded"
    assert state["checks"]["catalogue"]["source"] == "postgresql"
    assert state["checks"]["cassandra"]["status"] in ("down", "connecting")
    assert "the content that was kept is served" in server.log
    assert subscribe(server, 2) == 201
    wait_for(lambda: health(client)["checks"]["cassandra"]["status"] == "down", 20, "the schedule's end")
    api = start_server.ready(tmp_path, command=("back-api",), env={**env, **QUICK})
    assert by_slug(api.client())["free"] == packages["free"]

    up.nodes[0].start()
    for one in (server, api):
        other = one.client()
        wait_for(is_in_state(other, "ready"), 20, "ready")
        assert health(other)["checks"]["catalogue"]["source"] == "cassandra"
        wait_for(lambda: "new" in by_slug(other), 10, "the new package")
        assert one.log.count("content that was kept") == 1
        assert "Cassandra service initialized successfully" in one.log


def test_connections_losses_and_failures_are_in_metrics_and_health(start_server, tmp_path, env, cluster):
    def numbers():
        return store_numbers(client, "cassandra")

    def connections():
        return health(client)["checks"]["cassandra"]["connections"]

    with Proxy(cluster.port, target_host=cluster.nodes[0].address) as proxy:
        server = start_server.ready(
            tmp_path, env={**env, "CASSANDRA_CONTACT_POINTS": f"127.0.0.1:{proxy.port}"})
        client = server.client()
        wait_for(lambda: numbers()["connections"] == 2, 20, "the node's and the one that hears of changes")
        first = numbers()
        assert first["up"] == 1 and first["connects_total"] >= 2
        assert first["reconnects_total"] == first["lost_seconds"] == connections()["failed"] == 0
        assert len([name for name in first if " " in name]) >= 19
        assert store_numbers(client, "postgresql")["connections"] >= 1
        wait_for(lambda: numbers()["oldest_connection_seconds"] > 0.2, 10, "it to grow older")
        proxy.set("refuse")
        proxy.cut()
        wait_for(lambda: numbers()["connect_failures_total refused"] >= 2, 20, "two refusals")
        wait_for(lambda: connections()["lost_seconds"] >= 1, 20, "a second to pass")
        away = numbers()
        assert away["up"] == away["connections"] == away["oldest_connection_seconds"] == 0
        # The end of a connection that was used is no attempt.
        assert [name for name, number in away.items() if "failures" in name and number > 0] == [
            "connect_failures_total refused"]
        proxy.set("pass")
        wait_for(lambda: numbers()["up"] == 1, 20, "it to be back")
        wait_for(lambda: numbers()["connections"] == 2, 20, "both connections")
        again, told = numbers(), connections()
        assert again["reconnects_total"] == told["reconnects"] == 1
        assert again["lost_seconds"] == told["lost_seconds"] == 0
        assert again["connects_total"] == told["made"] >= first["connects_total"] + 2
        assert told["failed"] >= 2 and told["open"] == 2
        client.close()
        server.stop()


def test_without_anything_kept_the_start_fails_when_the_schedule_is_used_up(start_server, tmp_path, env):
    for command in ("serve", "back-api"):
        if command == "back-api":
            assert run({**env}, tmp_path, "migrate").returncode == 0
        server = start_server(tmp_path, command=(command,),
                              env={**env, **QUICK, "CASSANDRA_CONTACT_POINTS": AWAY})
        assert server.process.wait(timeout=30) == 4, server.log
        assert "error: Failed to connect after 2 attempts" in server.log
        assert "Cassandra at ['127.0.0.1']:1" in server.log
        assert "check=cassandra.tcp" in server.log


def test_nothing_kept_is_found_out_even_where_postgresql_comes_later(start_server, tmp_path, env):
    """Cassandra's schedule is used up at once; whether there is something kept is not known by then."""
    start_server.ready(tmp_path, env=env).stop()
    late = {**env, "CONNECT_MAX_RETRIES": 0, "CASSANDRA_CONTACT_POINTS": AWAY}
    server = start_server.ready(tmp_path, env=late)
    assert health(server.client())["status"] == "degraded"


def test_back_api_waits_for_the_keyspace_of_others(start_server, tmp_path, env, ask):
    api = start_server(tmp_path, command=("back-api",), env=env).wait_listening()
    data = start_server.ready(tmp_path, command=("back-postgres",), env=env)
    wait_for(lambda: "Waiting for the keyspace and its tables" in api.log, 20, "the line")
    assert api.client().get("/readyz").status == 503
    assert ask(f"SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = "
               f"'{env['CASSANDRA_KEYSPACE']}'") == []
    content = start_server.ready(tmp_path, command=("back-cassandra",), env=env)
    api.wait_ready()
    assert all(package["features"] for package in by_slug(api.client()).values())
    assert api.log.count("Waiting for the keyspace") == 1
    for one in (api, data, content):
        one.stop()


def test_several_at_once_on_empty_databases(start_server, tmp_path, env):
    servers = [start_server(tmp_path, command=(command,), env=env)
               for command in ("serve", "back-api", "serve", "back-cassandra", "back-api", "back-postgres")]
    for server in servers:
        server.wait_ready()
    for server in servers:
        if server.command[0] in ("serve", "back-api"):
            assert all(package["features"] for package in by_slug(server.client()).values())
    assert sum(server.log.count("Upserted package: free") for server in servers) == 1
    assert sum("Upserted metadata: free.tagline" in server.log for server in servers) >= 1


# ---- commands

def test_commands_reach_both(tmp_path, env):
    done = run(env, tmp_path, "migrate", "status", "--json")
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert (plan["applied"], plan["pending"]) == (0, 5)
    assert [row["name"] for row in plan["migrations"]][-1] == "001_subscription_metadata.cql"
    assert run(env, tmp_path, "catalogue", "export").returncode == 5
    done = run(env, tmp_path, "populate")
    assert done.returncode == 0, done.stderr
    # Content first, so that no package is seen without it.
    assert done.stderr.index("Upserted feature: free") < done.stderr.index("Upserted package: free")
    done = run(env, tmp_path, "migrate", "status")
    assert "Schema is up to date (5 migrations)" in done.stdout
    done = run(env, tmp_path, "populate")
    assert "Found existing subscription metadata, skipping population" in done.stderr
    assert "Found 4 existing subscription packages, skipping population" in done.stderr


def plans_with(tmp_path, env, change):
    done = run(env, tmp_path, "catalogue", "export")
    assert done.returncode == 0, done.stderr
    plans = json.loads(done.stdout)
    change(plans["packages"])
    path = tmp_path / "plans.json"
    path.write_text(json.dumps(plans))
    return str(path)


def test_apply_writes_content_there_and_packages_here(tmp_path, env, ask, pg_database):
    assert run(env, tmp_path, "populate").returncode == 0

    def change(packages):
        packages[0]["metadata"]["tagline"] = "Nothing to pay"
        packages[1]["price_monthly"] = "30.50"
        del packages[2]["features"][0]

    keyspace = env["CASSANDRA_KEYSPACE"]
    path = plans_with(tmp_path, env, change)
    before = pg_database.column("SELECT value FROM subscription_package_metadata ORDER BY package_slug, key")
    done = run(env, tmp_path, "catalogue", "diff", path)
    assert done.returncode == 6 and len(done.stdout.splitlines()) == 2, done.stdout
    done = run(env, tmp_path, "catalogue", "apply", path)
    assert done.returncode == 0, done.stderr
    assert "Applied 2 changes" in done.stdout
    assert ask(f"SELECT value FROM {keyspace}.subscription_package_metadata "
               "WHERE package_slug = 'free' AND key = 'tagline'") == [(b"Nothing to pay",)]
    assert [str(p) for p in pg_database.column(
        "SELECT price_monthly FROM subscription_packages WHERE slug = 'standard'")] == ["30.50"]
    assert pg_database.column(
        "SELECT value FROM subscription_package_metadata ORDER BY package_slug, key") == before
    count = f"SELECT count(*) FROM {keyspace}.subscription_features WHERE package_slug = 'premium'"
    features = int.from_bytes(ask(count)[0][0], "big")
    done = run(env, tmp_path, "catalogue", "apply", path, "--retire")
    assert done.returncode == 0, done.stderr
    assert int.from_bytes(ask(count)[0][0], "big") == features - 1
    assert run(env, tmp_path, "catalogue", "diff", path).stdout == "No difference\n"


def test_apply_that_is_cut_between_the_two_is_completed_by_the_next(
        start_server, tmp_path, env, ask, pg_database):
    server = start_server.ready(tmp_path, env=env)
    client = server.client()

    def change(packages):
        packages.append({"slug": "team", "name": "Team", "price_monthly": "5.00", "price_yearly": "50.00",
                         "currency": "USD", "rate_limit_per_hour": 1, "rate_limit_per_day": 1,
                         "metadata": {"tagline": "For a team"},
                         "features": [{"id": "seats", "name": "Five seats"}]})

    path = plans_with(tmp_path, env, change)
    holder = pg_database.connect()
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE subscription_packages IN SHARE MODE")
    content = (f"SELECT value FROM {env['CASSANDRA_KEYSPACE']}.subscription_package_metadata "
               "WHERE package_slug = 'team'")
    with subprocess.Popen([executable(), "catalogue", "apply", path], cwd=tmp_path,
                          env={**os.environ, **{k: str(v) for k, v in env.items()}},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as cut:
        wait_for(lambda: ask(content) == [(b"For a team",)], 20, "the content")
        assert cut.poll() is None
        cut.kill()
    holder.rollback()
    holder.close()
    assert "team" not in by_slug(client)
    done = run(env, tmp_path, "catalogue", "apply", path)
    assert done.returncode == 0, done.stderr
    wait_for(lambda: "team" in by_slug(client), 10, "the package")
    team = by_slug(client)["team"]
    assert team["metadata"] == {"tagline": "For a team"}
    assert [feature["name"] for feature in team["features"]] == ["Five seats"]


def test_apply_says_that_a_part_is_missing(tmp_path, env, pg_database):
    assert run(env, tmp_path, "populate").returncode == 0
    path = plans_with(tmp_path, env, lambda packages: packages[0].update(
        price_monthly="1.00", metadata={"tagline": "Cheap"}))
    holder = pg_database.connect()
    holder.autocommit = False
    with holder.cursor() as cursor:
        cursor.execute("LOCK TABLE subscription_packages IN SHARE MODE")
    done = run({**env, "STORE_TIMEOUT": 1}, tmp_path, "catalogue", "apply", path)
    holder.rollback()
    holder.close()
    assert done.returncode != 0
    assert "not all is changed; run the same again to complete it" in done.stderr
