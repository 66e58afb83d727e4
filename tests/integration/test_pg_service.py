"""What lives in PostgreSQL: packages that are populated once, changes by others that show at once,
processes that wait for a schema, and a server that is not safe."""

import os
import sys
import time

import pytest

from conftest import LONG, ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
from pg_server import PgServer, url  # noqa: E402
from store_numbers import store_numbers  # noqa: E402
from tcp_proxy import Proxy  # noqa: E402

LIST = "/user-subscription/packages"
SHOWS = 1 if LONG else 4  # seconds


@pytest.fixture
def back(start_server, tmp_path, pg_database):
    """Starts the data service on the test's database; back() gives the process, ready."""
    return lambda **more: start_server.ready(
        tmp_path, command=("back-postgres",), env={"DATABASE_URL": pg_database.url, **more})


def messages(server):
    """The lines of the log without what differs from run to run."""
    lines = [line.split("Z ", 1)[-1] for line in server.lines]
    return [line for line in lines if "Listening" not in line and "RLIMIT" not in line]


def packages(client):
    return {package["slug"]: package for package in client.get(LIST).json()}


# ---- populating ----

def test_the_lines_of_a_first_and_of_a_later_start(back, pg_database):
    first = back()
    place = f"127.0.0.1:{pg_database.pg.port}/{pg_database.name}"
    lines = messages(first)
    assert lines[:2] == [f"Connecting to PostgreSQL at {place}",
                         "PostgreSQL connection pool created successfully"]
    assert lines[2] == "Running 4 migration files..."
    assert lines[11:] == [
        "Populating subscription packages...", "Upserted package: free - Free",
        "Upserted package: standard - Standard", "Upserted package: premium - Premium",
        "Upserted package: enterprise - Enterprise", "PostgreSQL service initialized successfully"]
    first.stop()
    assert messages(back())[2:] == [
        "Schema is up to date (4 migrations)",
        "Found 4 existing subscription packages, skipping population",
        "PostgreSQL service initialized successfully"]


def test_what_an_operator_changes_survives_every_restart(back, pg_database):
    back().stop()
    pg_database.sql("UPDATE subscription_packages SET price_monthly = 31.50 WHERE slug = 'standard'")
    pg_database.sql("DELETE FROM subscription_packages WHERE slug = 'enterprise'")
    pg_database.sql("DELETE FROM subscription_features WHERE package_slug = 'free'")
    pg_database.sql("UPDATE subscription_package_metadata SET value = 'Mine' WHERE package_slug ="
                    " 'free' AND key = 'tagline'")
    for _ in range(2):
        server = back()
        assert "Found 3 existing subscription packages, skipping population" in server.log
        server.stop()
    assert pg_database.sql("SELECT slug, price_monthly::text FROM subscription_packages"
                           " ORDER BY display_order") == [
        ("free", "0.00"), ("standard", "31.50"), ("premium", "79.99")]
    assert pg_database.column(
        "SELECT count(*) FROM subscription_features WHERE package_slug = 'free'") == [0]
    assert pg_database.column("SELECT value FROM subscription_package_metadata"
                              " WHERE package_slug = 'free' AND key = 'tagline'") == ["Mine"]


def test_populating_is_whole_or_not_at_all(back, start_server, tmp_path, pg_database):
    """The last row is refused: nothing is there, and the next start writes all."""
    back().stop()
    pg_database.sql("TRUNCATE subscription_packages, subscription_package_metadata,"
                    " subscription_features CASCADE")
    pg_database.sql("ALTER TABLE subscription_features ADD CONSTRAINT no_more"
                    " CHECK (package_slug <> 'enterprise')")
    failed = start_server(tmp_path, command=("populate",), env={"DATABASE_URL": pg_database.url})
    assert failed.process.wait(timeout=60) != 0
    for table in ("subscription_packages", "subscription_package_metadata",
                  "subscription_features"):
        assert pg_database.column(f"SELECT count(*) FROM {table}") == [0]
    pg_database.sql("ALTER TABLE subscription_features DROP CONSTRAINT no_more")
    assert "Upserted package: enterprise - Enterprise" in back().log


# ---- changes by others ----

def test_a_change_by_psql_shows_in_every_process_within_a_second(start_server, tmp_path,
                                                                 pg_database):
    env = {"DATABASE_URL": pg_database.url, "CATALOGUE_REFRESH": 600}
    servers = [start_server.ready(tmp_path, env=env)]
    servers += [start_server.ready(tmp_path, command=("back-api",), env=env) for _ in range(2)]
    clients = [server.client() for server in servers]
    changes = [
        ("UPDATE subscription_packages SET name = 'Gratis' WHERE slug = 'free'",
         lambda all: all["free"]["name"] == "Gratis"),
        ("UPDATE subscription_package_metadata SET value = 'New words' WHERE package_slug = 'free'"
         " AND key = 'tagline'", lambda all: all["free"]["metadata"]["tagline"] == "New words"),
        ("DELETE FROM subscription_features WHERE package_slug = 'free'",
         lambda all: all["free"]["features"] == []),
        ("TRUNCATE subscription_features", lambda all: all["premium"]["features"] == []),
    ]
    for statement, shows in changes:
        pg_database.sql(statement)
        began = time.monotonic()
        for client in clients:
            wait_for(lambda client=client: shows(packages(client)), SHOWS, statement)
        assert time.monotonic() - began < SHOWS


def test_a_change_made_while_cut_off_is_not_missed(start_server, tmp_path, pg_database):
    with Proxy(pg_database.pg.port) as proxy:
        server = start_server.ready(tmp_path, env={
            "DATABASE_URL": url(proxy.port, pg_database.name), "CATALOGUE_REFRESH": 600})
        client = server.client()
        for number in range(3):
            proxy.set("refuse")
            proxy.cut()
            wait_for(lambda: "lost, reconnecting" in server.log, 10, "the loss")
            pg_database.sql(f"UPDATE subscription_packages SET name = 'Away {number}'"
                            " WHERE slug = 'free'")
            assert packages(client)["free"]["name"] != f"Away {number}"
            proxy.set("pass")
            wait_for(lambda number=number: packages(client)["free"]["name"] == f"Away {number}", 10,
                     "the change made while it was away")
        server.stop()


# ---- waiting for another process's schema ----

def test_back_api_never_migrates_and_waits_with_one_line(start_server, tmp_path, pg_database):
    env = {"DATABASE_URL": pg_database.url}
    api = start_server(tmp_path, command=("back-api",), env=env).wait_listening()
    wait_for(lambda: "chema" in api.log, 20, "the line about the schema")
    client = api.client()
    reason = wait_for(lambda: "schema" in client.get("/readyz").json()["reason"], 10, "the reason")
    assert reason and client.get("/readyz").status == 503
    assert client.get("/livez").status == 200
    assert pg_database.column("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [0]
    waiting = [line for line in api.lines if "schema" in line.lower()]
    assert len(waiting) == 1, api.log
    start_server.ready(tmp_path, command=("back-postgres",), env=env)
    api.wait_ready()
    # It waits for the schema alone, and the packages come a moment later.
    wait_for(lambda: len(packages(client)) == 4, 20, "the packages")
    assert "Executing migration" not in api.log and "Upserted" not in api.log


# ---- a secret that is read again ----

@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "DATABASE_URL"])
def test_a_secrets_file_that_vanishes_is_named_and_may_come_back(start_server, tmp_path, pg_database,
                                                                 name):
    secret = tmp_path / "secret"
    with Proxy(pg_database.pg.port) as proxy:
        address = url(proxy.port, pg_database.name)
        user = address.split("//")[1].split("@")[0]
        env = {"DATABASE_URL_FILE": secret} if name == "DATABASE_URL" else {
            "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": proxy.port,
            "POSTGRES_DB": pg_database.name, "POSTGRES_USER": user.split(":")[0],
            "POSTGRES_PASSWORD_FILE": secret}
        text = address if name == "DATABASE_URL" else (user + ":").split(":")[1] or "none"
        secret.write_text(text + "\n")
        server = start_server.ready(tmp_path, command=("back-postgres",), env=env)
        seen = len(server.lines)
        secret.unlink()
        proxy.cut()
        told = wait_for(lambda: [line for line in server.lines[seen:] if "is away" in line], 20,
                        "a line that names the setting")[0]
        assert f"{name}_FILE: {secret}: No such file" in told, told
        assert "Put the file back" in told and "check=config" in told
        for wrong in ("POSTGRES_HOST", "connect to", "log in at", "does not accept"):
            assert wrong not in told, told
        secret.write_text(text + "\n")
        wait_for(lambda: "PostgreSQL is back" in server.log, 30, "it to be back")
        server.stop()


# ---- what is told of connections ----

def numbers(client):
    return store_numbers(client, "postgresql")


def test_connections_losses_and_failures_are_in_metrics_and_readyz(start_server, tmp_path,
                                                                   pg_database):
    def connections():
        return client.get("/readyz?verbose").json()["checks"]["postgresql"]["connections"]
    with Proxy(pg_database.pg.port) as proxy:
        server = start_server.ready(
            tmp_path, env={"DATABASE_URL": url(proxy.port, pg_database.name)})
        client = server.client()
        first = numbers(client)
        assert first["up"] == 1 and 1 <= first["connections"] <= first["connects_total"]
        assert first["reconnects_total"] == first["lost_seconds"] == 0
        assert len([name for name in first if " " in name]) >= 19
        wait_for(lambda: numbers(client)["oldest_connection_seconds"] > 0.2, 10, "it to grow older")
        proxy.set("refuse")
        proxy.cut()
        wait_for(lambda: numbers(client)["connect_failures_total refused"] >= 2, 20, "two refusals")
        wait_for(lambda: connections()["lost_seconds"] >= 1, 20, "a second to pass")
        away = numbers(client)
        assert away["up"] == 0 and away["lost_seconds"] >= 1
        assert away["connect_failures_total password"] == 0
        proxy.set("pass")
        wait_for(lambda: numbers(client)["up"] == 1, 20, "it to be back")
        again, told = numbers(client), connections()
        assert again["reconnects_total"] == told["reconnects"] == 1
        assert again["lost_seconds"] == told["lost_seconds"] == 0
        assert again["connects_total"] > first["connects_total"]
        assert told["failed"] >= 2 and 1 <= told["open"] <= told["made"]
        client.close()
        server.stop()


# ---- rows of others that break the rules ----

def test_a_bad_row_is_named_once(start_server, tmp_path, pg_database):
    """By whichever thread comes first: not by each, and not for each request."""
    server = start_server.ready(tmp_path, env={"DATABASE_URL": pg_database.url})
    client = server.client(server.make_key())
    client.put("/user-subscription/users/ada", {
        "email": "ada@example.com", "first_name": "A", "last_name": "B"})
    client.post("/user-subscription/subscribe", {
        "user_id": "ada", "package_slug": "standard", "billing_cycle": "monthly"})
    pg_database.sql("UPDATE user_subscriptions SET currency = 'JPY', current_period_start ="
                    " '2020-01-01 00:00:00+00', current_period_end = '2020-02-01 00:00:00+00'")
    for _ in range(3):
        assert client.get("/user-subscription/user/ada").status == 404
        assert client.post("/user-subscription/cancel", {"user_id": "ada"}).status == 500
    wait_for(lambda: b"tools_dashboard_sweeper_stuck 1" in client.get("/metrics").body, 20,
             "the sweeper to meet it")
    assert client.post("/user-subscription/cancel", {"user_id": "ada"}).status == 500
    client.close()
    server.stop()
    told = [line for line in server.lines if "two decimal places" in line]
    assert len(told) == 1 and "user_subscriptions" in told[0] and "is left out" in told[0], server.log
    assert "could not be answered" not in server.log


# ---- a server that may lose what it acknowledged ----

@pytest.mark.parametrize("option, words", [
    ("fsync=off", "PostgreSQL runs with fsync off"),
    ("synchronous_commit=off", "PostgreSQL runs with synchronous_commit off")])
def test_an_unsafe_server_is_warned_about_once(start_server, tmp_path, option, words):
    own = PgServer().start(option)
    try:
        own.database("main_db")
        server = start_server.ready(tmp_path, env={"DATABASE_URL": url(own.port, "main_db")})
        told = [line for line in server.lines if words in line]
        assert len(told) == 1 and "warning: " in told[0] and option.split("=")[0] + " = on" in told[0]
        server.stop()
    finally:
        own.remove()


def test_a_safe_server_is_not_warned_about(start_server, tmp_path, pg_database):
    server = start_server.ready(tmp_path, env={"DATABASE_URL": pg_database.url})
    assert "fsync" not in server.log and "synchronous_commit" not in server.log
