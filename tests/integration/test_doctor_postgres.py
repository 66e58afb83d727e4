"""doctor on PostgreSQL: every layer's check as it is on a real server, and with every fault that is
there while it looks; in the connect time-out, with cause and fix, without a secret, changing nothing."""

import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import threading

import pytest

from conftest import ROOT, PgDatabase, clean_env, executable, wait_for
from test_pg_connect import FAILURES

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import pg_fakes  # noqa: E402
from cassandra_server import make_key  # noqa: E402
from doctor import doctor, expect_failure, ids_of, shim  # noqa: E402
from pg_server import PgServer, url  # noqa: E402
from tcp_proxy import Fake, Proxy  # noqa: E402

SECRET = "do-not-tell-7f3a"
ROWS = [row for row in FAILURES if row[0] != "starting"] + [
    row for row in FAILURES if row[0] == "starting"]


@pytest.fixture(scope="module")
def postgres():
    """One that tests may stop and change."""
    server = PgServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def database(postgres, unique):
    return PgDatabase(postgres, "t" + unique())


def populate(database, **env):
    done = subprocess.run([executable(), "populate"], env=clean_env(DATABASE_URL=database.url, **env),
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def dump(database):
    """All that it holds; newer pg_dumps put a random word around it."""
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", database.dump())


def of(database, **more):
    return doctor({"DATABASE_URL": database.url, **more})


# ---- nothing is wrong ----

def test_a_populated_database_is_well_in_every_layer(pg_database):
    populate(pg_database)
    before = dump(pg_database)
    report = of(pg_database)
    assert report.bad() == {}
    for name in ids_of("postgres"):
        check = report.one(name)
        expected = "skip" if name == "postgres.schema_agreement" else "ok"
        assert check["status"] == expected, check
        assert check["target"] == f"127.0.0.1:{pg_database.pg.port}"
    said = {name: report.one(name)["message"] for name in ids_of("postgres")}
    assert f"127.0.0.1:{pg_database.pg.port} accepts connections" in said["postgres.tcp"]
    assert "not encrypted (sslmode=prefer)" in said["postgres.tls"]
    assert said["postgres.auth"] == "logged in as user"
    assert pg_database.name in said["postgres.database"]
    assert re.match(r"PostgreSQL 1\d", said["postgres.version"])
    assert re.match(r"\d+ of \d+ connections are in use", said["postgres.capacity"])
    assert said["postgres.migrations"] == "all 4 migrations are applied"
    assert said["postgres.data"] == "4 packages"
    config = report.one("config")
    assert config["status"] == "ok"
    assert "by DATABASE_URL (environment); no Cassandra is set" in config["message"]
    assert dump(pg_database) == before


def test_an_empty_database_is_a_warning_and_stays_empty(pg_database):
    report = of(pg_database)
    assert report.code == 0
    assert report.bad() == {"postgres.migrations": "warn", "postgres.data": "warn"}
    assert report.one("postgres.migrations")["message"] == "4 of 4 migrations are pending"
    assert "tools-dashboard migrate" in report.one("postgres.migrations")["fix"]
    assert "tools-dashboard populate" in report.one("postgres.data")["fix"]
    assert pg_database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


# ---- faults at the login ----

@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_failing_login_fails_its_own_layer(postgres, row):
    _, make, layer, words, advice = row
    opened = []

    def stack(thing):
        opened.append(thing)
        return thing
    address = make(stack, postgres)
    try:
        report = doctor({"DATABASE_URL": address, "CONNECT_TIMEOUT": 2})
    finally:
        for thing in opened:
            thing.close()
    check = expect_failure(report, "postgres", layer)
    assert re.search(words, check["message"]), check
    assert advice in check["fix"] or "Inside a container" in check["fix"], check
    assert report.in_time(2), report.seconds
    if layer in ("dns", "protocol") or row[0] in ("refused", "no-answer"):
        assert ("CONNECT_MAX_RETRIES=10" in check["fix"]) == (
            "does not speak" not in check["message"] and "answers with an error" not in check["cause"]
        ), check


def test_a_slow_start_has_its_setting_named_only_where_that_helps():
    closed = {"DATABASE_URL": url(1, "d"), "CONNECT_MAX_RETRIES": 10}
    assert "CONNECT_MAX_RETRIES" not in doctor(closed).one("postgres.tcp")["fix"]
    closed["CONNECT_MAX_RETRIES"] = -1
    assert "CONNECT_MAX_RETRIES" not in doctor(closed).one("postgres.tcp")["fix"]


def test_localhost_in_a_container_is_explained():
    report = doctor({"DATABASE_URL": url(1, "d", host="localhost"), "container": "1"})
    assert report.json["in_container"] is True
    fix = expect_failure(report, "postgres", "tcp", "localhost:1")["fix"]
    assert "Inside a container localhost is the container itself" in fix and "postgresql" in fix


def test_drops_of_a_handshake_end_at_the_time_out(postgres):
    with Proxy(postgres.port) as proxy:
        proxy.rate = 1
        report = doctor({"DATABASE_URL": url(proxy.port, "postgres"), "CONNECT_TIMEOUT": 1})
    expect_failure(report, "postgres", "protocol")
    assert report.seconds > 0.9 and report.in_time(1), report.seconds


def test_a_server_that_stands_still_is_silent(postgres):
    os.kill(postgres.pid, signal.SIGSTOP)
    try:
        report = doctor({"DATABASE_URL": url(postgres.port, "postgres"), "CONNECT_TIMEOUT": 1})
    finally:
        os.kill(postgres.pid, signal.SIGCONT)
    check = expect_failure(report, "postgres", "protocol")
    assert "then nothing came" in check["message"] and "stopped" in check["cause"]
    assert report.in_time(1)


def test_all_connections_of_a_real_server_taken(tmp_path):
    server = PgServer()
    held = []
    try:
        server.start("max_connections=5", "superuser_reserved_connections=0")
        full = False
        while not full:
            try:
                held.append(server.connect())
            except Exception as error:  # pylint: disable=broad-except
                full = "too many clients" in str(error)
                assert full, error
        report = doctor({"DATABASE_URL": url(server.port, "postgres")})
        check = expect_failure(report, "postgres", "capacity")
        assert "SQLSTATE 53300" in check["message"] and "max_connections" in check["fix"]
        for one in held[1:]:
            one.close()
        wait_for(lambda: server.sql("SELECT count(*) FROM pg_stat_activity"
                                    " WHERE backend_type = 'client backend'")[0][0] == 2)
        # One that stays and ours: fewer than the four that are needed are left.
        assert doctor({"DATABASE_URL": url(server.port, "postgres")}).status_of(
            "postgres.capacity") in ("ok", "warn")
    finally:
        for one in held:
            one.close()
        server.remove()


def test_few_connections_left_is_a_warning():
    server = PgServer()
    try:
        server.start("max_connections=6", "superuser_reserved_connections=3")
        check = doctor({"DATABASE_URL": url(server.port, "postgres")}).one("postgres.capacity")
    finally:
        server.remove()
    assert check["status"] == "warn" and re.match(r"\d of 3 connections", check["message"])


def test_names_that_cannot_be_looked_up_or_answer_too_late(tmp_path):
    names = tmp_path / "names"
    names.write_text("slow.test -\n")
    world = {"LD_PRELOAD": shim("shim_world"), "SHIM_NAMES": str(names), "CONNECT_TIMEOUT": 1}
    late = doctor({"DATABASE_URL": url(5432, "d", host="slow.test"), **world})
    check = expect_failure(late, "postgres", "dns", "slow.test:5432")
    assert "did not answer in time" in check["message"] and late.in_time(1)
    unknown = doctor({"DATABASE_URL": url(5432, "d", host="gone.test"), **world})
    expect_failure(unknown, "postgres", "dns")
    names.write_text("gone.test 127.0.0.9\n")
    moved = doctor({"DATABASE_URL": url(1, "d", host="gone.test"), **world})
    assert moved.one("postgres.dns")["message"] == "gone.test is 127.0.0.9"
    assert "127.0.0.9:1" in expect_failure(moved, "postgres", "tcp")["message"]


def test_of_two_addresses_of_a_name_one_that_is_dead_is_a_warning(postgres, database):
    address = url(postgres.port, database.name, host="two.test")
    report = doctor({"DATABASE_URL": address, "LD_PRELOAD": shim("shim_machine")})
    assert report.one("postgres.dns")["message"] == "two.test is 127.0.0.1, 127.0.0.99"
    check = report.one("postgres.tcp")
    assert check["status"] == "warn", check
    assert check["message"] == (
        f"127.0.0.1:{postgres.port} accepts connections; connect to 127.0.0.99:{postgres.port}: "
        "Connection refused (errno 111)")
    assert report.status_of("postgres.database") == "ok"


def test_tls_that_is_there_and_a_certificate_that_is_not_the_hosts(tmp_path):
    server = PgServer()
    key, certificate = os.path.join(server.folder, "k.pem"), os.path.join(server.folder, "c.pem")
    make_key(key, certificate, ["127.0.0.2"])
    try:
        os.chmod(key, 0o600)
        if os.getuid() == 0:
            shutil.chown(key, "postgres")
        server.start("ssl=on", f"ssl_cert_file={certificate}", f"ssl_key_file={key}")
        good = doctor({"DATABASE_URL": url(server.port, "postgres", query="?sslmode=require")})
        full = f"?sslmode=verify-full&sslrootcert={certificate}"
        bad = doctor({"DATABASE_URL": url(server.port, "postgres", query=full)})
    finally:
        server.remove()
    assert re.match(r"encrypted with TLSv1\.\d \(sslmode=require\)",
                    good.one("postgres.tls")["message"])
    check = expect_failure(bad, "postgres", "tls")
    assert "certificate" in check["message"] and "sslmode" in check["fix"]


def message(kind, body):
    return kind + struct.pack(">i", len(body) + 4) + body


def old_server():
    """One of version 11 that answers a question."""
    columns = b"".join(name + struct.pack(">ihihih", 0, 0, 25, -1, -1, 0) for name in (b"a\0", b"b\0"))
    row = struct.pack(">h", 2) + struct.pack(">i", 1) + b"f" + struct.pack(">i", 3) + b"off"
    ready = message(b"Z", b"I")
    return pg_fakes.answering(
        message(b"S", b"server_version\0" b"11.22\0") + ready,
        b"".join([message(b"1", b""), message(b"2", b""),
                  message(b"T", struct.pack(">h", 2) + columns), message(b"D", row),
                  message(b"C", b"SELECT 1\0"), ready]))


def test_a_server_that_is_too_old_fails_version():
    fake = Fake(old_server())
    try:
        report = doctor({"DATABASE_URL": url(fake.port, "d"), "CONNECT_TIMEOUT": 2})
    finally:
        fake.close()
    check = expect_failure(report, "postgres", "version")
    assert "older than PostgreSQL 12" in check["message"] and "Upgrade" in check["fix"]


# ---- several hosts ----

def several(hosts, database, query=""):
    return f"postgresql://user:pass@{','.join(hosts)}/{database}{query}"


def test_each_host_has_its_own_checks_and_one_that_works_is_enough(postgres, database):
    populate(database)
    good = f"127.0.0.1:{postgres.port}"
    report = doctor({"DATABASE_URL": several(["127.0.0.1:1", good], database.name)})
    assert report.status == "warn"
    assert [(c["target"], c["status"]) for c in report.all("postgres.tcp")] == [
        ("127.0.0.1:1", "warn"), (good, "ok")]
    assert [c["status"] for c in report.all("postgres.data")] == ["skip", "ok"]


def test_hosts_are_looked_at_side_by_side(postgres):
    proxies = [Proxy(postgres.port, "silent") for _ in range(8)]
    try:
        hosts = [f"127.0.0.1:{proxy.port}" for proxy in proxies]
        report = doctor({"DATABASE_URL": several(hosts, "postgres"), "CONNECT_TIMEOUT": 1})
    finally:
        for proxy in proxies:
            proxy.close()
    assert [c["status"] for c in report.all("postgres.protocol")] == ["fail"] * 8
    assert {c["target"] for c in report.all("postgres.protocol")} == set(hosts)
    assert report.in_time(1)


# ---- what the server is like ----

def test_a_standby_fails_writable_and_the_primary_beside_it_does_not():
    primary = PgServer()
    standby = None
    try:
        primary.start()
        standby = primary.standby()
        standby.start()
        alone = doctor({"DATABASE_URL": url(standby.port, "postgres")})
        check = expect_failure(alone, "postgres", "writable")
        assert "standby" in check["message"] and "primary" in check["fix"]
        wait_for(lambda: primary.sql("SELECT count(*) FROM pg_stat_replication") == [(1,)])
        hosts = [f"127.0.0.1:{standby.port}", f"127.0.0.1:{primary.port}"]
        both = doctor({"DATABASE_URL": several(hosts, "postgres")})
        assert [c["status"] for c in both.all("postgres.writable")] == ["warn", "ok"]
        assert both.all("postgres.replication")[1]["message"] == "1 standby is connected"
    finally:
        if standby is not None:
            standby.remove()
        primary.remove()


def test_commits_that_wait_for_a_standby_that_is_not_there():
    server = PgServer()
    try:
        server.start("synchronous_standby_names=elsewhere")
        check = doctor({"DATABASE_URL": url(server.port, "postgres")}).one("postgres.replication")
    finally:
        server.remove()
    assert check["status"] == "warn" and "every commit waits" in check["cause"]


@pytest.mark.parametrize("option", ["fsync", "synchronous_commit"])
def test_a_server_that_may_lose_writes_is_a_warning(option):
    server = PgServer()
    try:
        server.start(f"{option}=off")
        check = doctor({"DATABASE_URL": url(server.port, "postgres")}).one("postgres.writable")
    finally:
        server.remove()
    assert check["status"] == "warn" and option in check["fix"]


def test_a_full_disk_refuses_the_trial_write(monkeypatch):
    """Every process of the server may write 300 KB and no more."""
    server = PgServer()
    try:
        server.start()
        server.stop()
        with monkeypatch.context() as patch:
            patch.setenv("LD_PRELOAD", shim("shim_full_disk"))
            patch.setenv("TD_DISK_BYTES", "300000")
            server.start()
        check = expect_failure(
            doctor({"DATABASE_URL": url(server.port, "postgres")}), "postgres", "writable")
    finally:
        server.remove()
    assert "No space left on device" in check["message"] and "SQLSTATE 53100" in check["message"]
    assert "Free disk space" in check["fix"]


def test_a_pooler_is_a_warning(postgres, database):
    from pg_bouncer import PgBouncer  # pylint: disable=import-outside-toplevel
    pooler = PgBouncer(postgres)
    try:
        check = doctor({"DATABASE_URL": url(pooler.port, database.name)}).one("postgres.protocol")
    finally:
        pooler.close()
    assert check["status"] == "warn" and "pooler" in check["message"]


# ---- schema and data ----

def test_an_edited_migration_fails_and_a_newer_one_warns(database, tmp_path):
    populate(database)
    database.sql("UPDATE schema_migrations SET sha256 = repeat('0', 64) WHERE version = 2")
    check = expect_failure(of(database), "postgres", "migrations")
    assert "002_catalogue.sql" in check["message"]
    database.sql("DELETE FROM schema_migrations WHERE version = 2")
    assert of(database).status_of("postgres.migrations") in ("warn", "fail")


def test_a_newer_schema_is_a_warning(database):
    populate(database)
    database.sql("INSERT INTO schema_migrations (version, name, sha256, applied_at)"
                 " VALUES (99, '099_later.sql', repeat('0', 64), now())")
    check = of(database).one("postgres.migrations")
    assert check["status"] == "warn" and "newer" in check["message"]


@pytest.mark.parametrize("name, content, words", [
    ("001_x.sql", b"SELECT 1;\xff", "UTF-8"),
    ("001_x.sql", b"\xff\xfeS\0", "UTF-16"),
    ("001_x.sql", b"SELECT '\0';", "NUL"),
    ("x.sql", b"SELECT 1;", "x.sql"),
])
def test_migration_files_that_cannot_be_used_fail(database, tmp_path, name, content, words):
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / name).write_bytes(content)
    check = expect_failure(of(database, SCHEMA_DIR=tmp_path), "postgres", "migrations")
    assert words in check["message"], check


def test_who_migrates_just_now_is_named(database):
    holder = database.connect()
    try:
        with holder.cursor() as cursor:
            cursor.execute("SET application_name = 'somebody'")
            cursor.execute("SELECT pg_advisory_lock(7310293847561029384)")
        check = of(database).one("postgres.migrations")
    finally:
        holder.close()
    assert check["status"] == "warn" and "migrating now: somebody (process " in check["message"]


def test_missing_rows_are_a_warning(database):
    populate(database)
    database.sql("DELETE FROM subscription_package_metadata")
    database.sql("DELETE FROM subscription_features")
    report = of(database)
    assert report.bad() == {"postgres.data": "warn"}
    assert "metadata" in report.one("postgres.data")["message"]
    database.sql("DELETE FROM subscription_packages")
    assert "no package" in of(database).one("postgres.data")["message"]


def test_missing_tables_fail_data(database):
    populate(database)
    database.sql("DROP TABLE subscription_features")
    assert "subscription_features" in expect_failure(of(database), "postgres", "data")["message"]


@pytest.fixture
def role(postgres, database):
    """Makes roles with the right to log in; gives what leads there as such a one."""
    made = []

    def make(*grants):
        made.append(f"role_{database.name}_{len(made)}")
        postgres.sql(f"CREATE ROLE {made[-1]} LOGIN PASSWORD 'n'")
        for grant in grants:
            database.sql(grant.format(made[-1]))
        return {"DATABASE_URL": url(postgres.port, database.name, made[-1], "n")}
    yield make
    for name in made:
        database.sql(f"DROP OWNED BY {name}")
        postgres.sql(f"DROP ROLE {name}")


ALL_TABLES = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}"
MAKE_TABLES = "GRANT CREATE, USAGE ON SCHEMA public TO {}"


def test_a_role_that_may_not_read_what_was_applied_fails_migrations(database, role):
    populate(database)
    env = role(ALL_TABLES, "REVOKE SELECT ON schema_migrations FROM {}")
    assert "permission denied" in expect_failure(doctor(env), "postgres", "migrations")["message"]


def test_a_role_without_temporary_tables_may_write_all_the_same(postgres, database, role):
    populate(database)
    postgres.sql(f'REVOKE TEMPORARY ON DATABASE "{database.name}" FROM PUBLIC')
    assert doctor(role(ALL_TABLES)).status_of("postgres.writable") == "ok"


def test_a_role_that_may_only_read_fails_writable(database, role):
    populate(database)
    check = expect_failure(doctor(role("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}")),
                           "postgres", "writable")
    for table in ("users", "user_subscriptions", "subscription_packages", "sessions"):
        assert table in check["message"], check
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public" in check["fix"]


@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE", "DELETE"])
def test_each_right_on_each_table_is_needed(database, role, right):
    populate(database)
    env = role(ALL_TABLES, f"REVOKE {right} ON user_subscriptions FROM {{}}")
    message = expect_failure(doctor(env), "postgres", "writable")["message"]
    assert message.endswith(" may not write user_subscriptions"), message


def test_a_role_that_may_make_no_tables_where_there_are_none_fails_writable(database, role):
    database.sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    check = expect_failure(doctor(role()), "postgres", "writable")
    assert "may not make tables" in check["message"]
    assert "GRANT CREATE, USAGE ON SCHEMA public TO the role of DATABASE_URL" in check["fix"]
    assert doctor(role(MAKE_TABLES)).bad() == {"postgres.migrations": "warn", "postgres.data": "warn"}


def test_a_role_that_may_not_use_the_schema_fails_writable(database, role):
    populate(database)
    database.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    check = expect_failure(doctor(role()), "postgres", "writable")
    assert "GRANT CREATE, USAGE ON SCHEMA public" in check["fix"]


# ---- settings, and secrets ----

def test_what_libpq_refuses_is_a_wrong_setting(database):
    report = doctor({"DATABASE_URL": database.url + "?sslmode=sometimes"}, wrong=True)
    check = report.one("config")
    assert check["status"] == "fail" and "sslmode" in check["cause"]
    assert report.status_of("postgres.dns") == "skip"
    assert "postgres.database" in ids_of("postgres") and report.status_of("postgres.database") == "skip"


def test_what_the_server_refuses_of_the_url_is_a_wrong_setting(database):
    report = doctor({"DATABASE_URL": database.url + "?options=-c%20no_such=1x"}, wrong=True)
    check = report.one("config")
    assert check["status"] == "fail" and "no_such" in check["cause"]
    assert report.status_of("postgres.auth") == "skip"


def test_the_socket_of_a_server_needs_no_name(postgres, database):
    address = f"postgresql://user:pass@/{database.name}?host={postgres.folder}&port={postgres.port}"
    report = doctor({"DATABASE_URL": address})
    assert report.status_of("postgres.dns") == "skip"
    assert report.status_of("postgres.database") == "ok"


def test_parts_and_what_loses_are_named(postgres):
    parts = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": postgres.port, "POSTGRES_DB": "postgres"}
    message = doctor(parts).one("config")["message"]
    for name in parts:
        assert f"{name} (environment)" in message
    both = doctor({**parts, "DATABASE_URL": url(1, "d")}).one("config")["message"]
    assert "by DATABASE_URL (environment), which wins over POSTGRES_HOST, POSTGRES_PORT" in both


def test_no_secret_is_told(postgres, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(url(postgres.port, "postgres", password=SECRET))
    environments = [
        {"DATABASE_URL": url(postgres.port, "postgres", password=SECRET)},
        {"DATABASE_URL_FILE": secret},
        {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": postgres.port, "POSTGRES_PASSWORD": SECRET},
        {"DATABASE_URL": url(postgres.port, "postgres", password=SECRET) + "?sslmode=" + "x"},
        {"DATABASE_URL": f"postgresql://user:{SECRET}@h:port/d"},
    ]
    for env in environments:
        for more in ([], ["--json"]):
            done = subprocess.run([executable(), "doctor", *more], env=clean_env(**env),
                                  capture_output=True, text=True, timeout=30, check=False)
            assert SECRET not in done.stdout + done.stderr
            assert done.returncode in (3, 6)


def test_the_clock_of_the_server_is_compared(database, tmp_path):
    offset = tmp_path / "clock"
    offset.write_bytes((3600).to_bytes(8, sys.byteorder, signed=True))
    world = {"LD_PRELOAD": shim("shim_world"), "SHIM_CLOCK": str(offset)}
    check = of(database, **world).one("host.clock")
    assert check["status"] == "warn" and re.search(r"is 3\d{3}\.\d+ s behind", check["message"])
    assert of(database).status_of("host.clock") == "ok"


def test_several_at_once_change_nothing_and_hold_nobody_up(database):
    populate(database)
    before, reports = dump(database), []
    threads = [threading.Thread(target=lambda: reports.append(of(database, CONNECT_TIMEOUT=30))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [report.bad() for report in reports] == [{}] * 5
    assert dump(database) == before


def test_a_fake_that_answers_nonsense_after_the_login():
    fake = Fake(pg_fakes.after_login(b"Z\0\0\0\x05I" + b"\xff" * 64))
    try:
        report = doctor({"DATABASE_URL": url(fake.port, "d"), "CONNECT_TIMEOUT": 1})
    finally:
        fake.close()
    assert report.status == "fail" and report.in_time(1)
