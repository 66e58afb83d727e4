"""Through PgBouncer in transaction mode, where a session is somebody else's a moment later."""

import os
import shutil
import sys
import threading

import pytest

from conftest import ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from pg_bouncer import PgBouncer  # noqa: E402  pylint: disable=wrong-import-position

USERS = "/user-subscription/users"
POOLED = "A connection pooler stands before PostgreSQL"


@pytest.fixture(scope="module")
def bouncer(pg):
    one = PgBouncer(pg)
    yield one
    one.close()


@pytest.fixture
def pooled_url(bouncer, pg_database):
    return f"postgresql://user:pass@127.0.0.1:{bouncer.port}/{pg_database.name}"


def form(word):
    return {"email": f"{word}@example.com", "first_name": "Ana", "last_name": "Gil"}


def test_everything_works_and_the_log_says_how(start_server, tmp_path, pooled_url, pg_database):
    server = start_server.ready(tmp_path, env={"DATABASE_URL": pooled_url, "CATALOGUE_REFRESH": 1})
    told = [line for line in server.lines if POOLED in line]
    assert len(told) == 1 and "warning: " in told[0] and "CATALOGUE_REFRESH" in told[0]
    client = server.client(server.make_key())
    assert len(client.get("/user-subscription/packages").json()) == 4
    for number in range(20):
        assert client.put(f"{USERS}/u{number}", form(f"u{number}")).status == 201
        assert client.get(f"{USERS}/u{number}").json()["email"] == f"u{number}@example.com"
    keyed = {"Idempotency-Key": "once"}
    first = client.post(USERS, form("once"), headers=keyed)
    again = client.post(USERS, form("once"), headers=keyed)
    assert (first.status, again.status, again.body) == (201, 201, first.body)
    pg_database.sql("UPDATE subscription_packages SET name = 'Pooled' WHERE slug = 'free'")
    wait_for(lambda: b'"name":"Pooled"' in client.get("/user-subscription/packages").body, 5,
             "the change within CATALOGUE_REFRESH")
    server.stop()
    assert "error: " not in server.log


def test_many_at_once_share_the_poolers_connections(start_server, tmp_path, pooled_url,
                                                    pg_database):
    server = start_server.ready(tmp_path, env={"DATABASE_URL": pooled_url})
    key = server.make_key()
    failures = []

    def work(number):
        client = server.client(key)
        for turn in range(20):
            word = f"c{number}-{turn}"
            if client.put(f"{USERS}/{word}", form(word)).status != 201 or \
                    client.get(f"{USERS}/{word}").status != 200:
                failures.append(word)
        client.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert pg_database.column("SELECT count(*) FROM users") == [320]


def test_four_at_once_migrate_once_without_session_locks(start_server, tmp_path, pooled_url,
                                                         pg_database):
    servers = [start_server(tmp_path, command=("back-postgres",), env={"DATABASE_URL": pooled_url})
               for _ in range(4)]
    for server in servers:
        server.wait_ready()
    logs = "\n".join(server.log for server in servers)
    names = sorted(os.listdir(os.path.join(ROOT, "schema", "postgres")))
    for name in names:
        assert logs.count(f"Migration {name} completed successfully") == 1
    assert pg_database.column("SELECT name FROM schema_migrations ORDER BY version") == names
    assert pg_database.column("SELECT count(*) FROM subscription_packages") == [4]


def test_a_file_without_transaction_is_refused_by_name(start_server, tmp_path, pooled_url,
                                                       pg_database):
    """Nothing would keep two processes apart."""
    shutil.copytree(os.path.join(ROOT, "schema"), tmp_path / "schema")
    (tmp_path / "schema" / "postgres" / "900_index.sql").write_text(
        "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY extra ON users (company);\n")
    env = {"SCHEMA_DIR": tmp_path / "schema"}
    refused = start_server(tmp_path, command=("migrate",), env={"DATABASE_URL": pooled_url, **env})
    assert refused.process.wait(timeout=60) == 4
    refused.reader.join(timeout=10)
    error = [line for line in refused.lines if "error: " in line]
    assert len(error) == 1 and "900_index.sql" in error[0] and "pooler" in error[0], refused.log
    assert "900_index.sql" not in pg_database.column("SELECT name FROM schema_migrations")
    direct = start_server(tmp_path, command=("migrate",),
                          env={"DATABASE_URL": pg_database.url, **env})
    assert direct.process.wait(timeout=60) == 0, direct.log
    start_server.ready(tmp_path, env={"DATABASE_URL": pooled_url, **env}).stop()
