"""Migrations on a real PostgreSQL: one at a time whoever comes, whole or not at all."""

import json
import os
import random
import shutil
import subprocess
import time

import pytest

from conftest import LONG, ROOT, clean_env, executable, wait_for

FILES = sorted(os.listdir(os.path.join(ROOT, "schema", "postgres")))
TABLES = {"users", "subscription_packages", "subscription_package_metadata",
          "subscription_features", "user_subscriptions", "subscription_history", "sessions",
          "api_keys", "idempotency", "outbox", "schema_migrations"}
MARK = "-- migrate: no-transaction\n"
SLOW = "CREATE TABLE slow_{0} (a int);\nSELECT pg_sleep(0.3);\nCREATE TABLE slower_{0} (a int);\n"


@pytest.fixture
def schema(tmp_path):
    """A copy of the compiled-in files that a test may change."""
    shutil.copytree(os.path.join(ROOT, "schema"), tmp_path / "schema")
    return tmp_path / "schema" / "postgres"


@pytest.fixture
def migrate(tmp_path, pg_database):
    """migrate("status", …) runs the command on the test's database."""
    def run(*arguments, **env):
        env = {"DATABASE_URL": pg_database.url, "CONNECT_MAX_RETRIES": 0, **env}
        return subprocess.run([executable(), "migrate", *arguments], cwd=tmp_path,
                              env=clean_env(**env), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
    return run


@pytest.fixture
def run(migrate, schema):
    """The same with the files of `schema`."""
    return lambda *arguments: migrate(*arguments, SCHEMA_DIR=schema.parent)


def messages(text):
    """The lines of a log without their times."""
    return [line.split("Z ", 1)[-1] for line in text.splitlines()]


def applied(database):
    return database.column("SELECT name FROM schema_migrations ORDER BY version")


def tables(database):
    return set(database.column(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"))


def one_error(done):
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1, done.stderr
    return errors[0]


# ---- the ordinary way --------------------------------------------------------------------------

def test_lines_tables_and_the_four_packages(migrate, pg_database, start_server, tmp_path):
    done = migrate()
    assert done.returncode == 0, done.stderr
    expected = [f"Connecting to PostgreSQL at 127.0.0.1:{pg_database.pg.port}/{pg_database.name}",
                "PostgreSQL connection pool created successfully",
                f"Running {len(FILES)} migration files..."]
    for name in FILES:
        expected += [f"Executing migration: {name}", f"Migration {name} completed successfully"]
    assert messages(done.stderr) == expected
    assert done.stdout == ""
    assert len(FILES) == 4 and FILES[0] == "001_users.sql"
    assert TABLES <= tables(pg_database)
    again = migrate()
    assert messages(again.stderr)[2:] == ["Schema is up to date (4 migrations)"]
    start_server.ready(tmp_path, command=("back-postgres",), env={"DATABASE_URL": pg_database.url})
    assert pg_database.sql("SELECT slug, name, price_monthly::text FROM subscription_packages"
                           " ORDER BY display_order") == [
        ("free", "Free", "0.00"), ("standard", "Standard", "29.99"),
        ("premium", "Premium", "79.99"), ("enterprise", "Enterprise", "299.99")]


def test_psql_shows_the_tables(migrate, pg_database):
    assert migrate().returncode == 0
    shown = subprocess.run(["psql", pg_database.url, "-c", r"\dt"], capture_output=True, text=True,
                           timeout=30, check=True).stdout
    for table in TABLES:
        assert f" {table} " in shown


@pytest.mark.parametrize("change", [
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
], ids=["mark", "crlf", "both"])
def test_mark_and_crlf_are_no_edit(schema, run, migrate, pg_database, change):
    """A file that an editor or a checkout changed so has the same hash, before or after."""
    for name in FILES[:2]:
        (schema / name).write_bytes(change((schema / name).read_bytes()))
    assert run().returncode == 0
    hashes = pg_database.sql("SELECT version, sha256 FROM schema_migrations ORDER BY version")
    assert migrate().returncode == 0
    (schema / FILES[2]).write_bytes(change((schema / FILES[2]).read_bytes()))
    assert run().returncode == 0
    assert pg_database.sql(
        "SELECT version, sha256 FROM schema_migrations ORDER BY version") == hashes


def test_edited_file_is_refused_by_name_by_everybody(schema, run, pg_database, start_server,
                                                     tmp_path):
    assert run().returncode == 0
    (schema / FILES[1]).write_text((schema / FILES[1]).read_text() + "-- edited\n")
    (schema / "900_more.sql").write_text("CREATE TABLE more (a int);")
    done = run()
    assert done.returncode == 5
    assert FILES[1] in one_error(done)
    env = {"DATABASE_URL": pg_database.url, "SCHEMA_DIR": schema.parent}
    for command in ("serve", "back-postgres"):
        server = start_server(tmp_path, command=(command,), env=env)
        assert server.process.wait(timeout=30) == 5
        server.reader.join(timeout=10)
        assert FILES[1] in server.log
    assert "more" not in tables(pg_database)


def test_missing_renamed_and_late_files_are_refused_by_name(schema, run):
    (schema / "900_last.sql").write_text("SELECT 1;")
    assert run().returncode == 0
    second = (schema / FILES[1]).read_bytes()
    (schema / FILES[1]).unlink()
    done = run()
    assert done.returncode == 5 and FILES[1] in one_error(done)
    (schema / "002_other_name.sql").write_bytes(second)
    done = run()
    assert done.returncode == 5 and "002_other_name.sql" in one_error(done)
    (schema / "002_other_name.sql").rename(schema / FILES[1])
    (schema / "800_late.sql").write_text("SELECT 1;")
    done = run()
    assert done.returncode == 5 and "800_late.sql" in one_error(done)


def test_newer_database_is_warned_about_and_served_but_never_migrated(
        schema, run, migrate, pg_database, start_server, tmp_path):
    (schema / "900_future.sql").write_text("CREATE TABLE future (a int);")
    assert run().returncode == 0
    done = migrate()
    assert done.returncode == 0
    warnings = [line for line in messages(done.stderr) if line.startswith("warning: ")]
    assert len(warnings) == 1 and "newer version" in warnings[0]
    env = {"DATABASE_URL": pg_database.url}
    for command in ("serve", "back-api", "back-postgres"):
        server = start_server.ready(tmp_path, command=(command,), env=env)
        assert [line for line in server.lines if "newer version" in line and "warning: " in line]
        assert "Executing" not in server.log
        server.stop()
    assert applied(pg_database) == [*FILES, "900_future.sql"]


def test_status_and_dry_run_show_and_change_nothing(schema, run, pg_database):
    done = run("--dry-run")
    assert done.returncode == 0, done.stderr
    for name in FILES:
        assert name in done.stdout
    assert tables(pg_database) == set()
    assert run().returncode == 0
    (schema / "900_x.sql").write_text("")
    dry = json.loads(run("--dry-run", "--json").stdout)
    assert (dry["applied"], dry["pending"]) == (4, 1)
    (schema / FILES[1]).write_text((schema / FILES[1]).read_text() + "-- edited\n")
    before = pg_database.sql("SELECT * FROM schema_migrations ORDER BY version")
    done = run("status", "--json")
    assert done.returncode == 5
    rows = {row["name"]: row for row in json.loads(done.stdout)["migrations"]}
    assert rows[FILES[0]]["state"] == "applied"
    assert rows[FILES[0]]["applied_at"].endswith("Z")
    assert rows[FILES[1]]["state"] == "edited"
    assert (rows["900_x.sql"]["state"], rows["900_x.sql"]["applied_at"]) == ("pending", None)
    shown = run("status").stdout
    assert "900_x.sql" in shown and "to run" not in shown
    (schema / "900_x.sql").unlink()
    done = run("status")
    assert done.returncode == 5 and "up to date" not in done.stdout + done.stderr
    assert pg_database.sql("SELECT * FROM schema_migrations ORDER BY version") == before


# ---- files that fail ---------------------------------------------------------------------------

def test_failing_statement_undoes_its_file_and_the_next_start_goes_on(schema, run, pg_database):
    bad = schema / "900_x.sql"
    bad.write_text("CREATE TABLE half (a int);\n\nINSERT INTO missing VALUES (1);\n")
    done = run()
    assert done.returncode == 1
    error = one_error(done)
    assert "900_x.sql" in error and "line 3" in error and "missing" in error
    assert "half" not in tables(pg_database)
    assert applied(pg_database) == FILES
    bad.write_text("CREATE TABLE half (a int);\n")
    assert run().returncode == 0
    assert applied(pg_database) == [*FILES, "900_x.sql"]


def test_file_without_transaction_runs_what_cannot_be_in_one(schema, run, pg_database):
    (schema / "900_index.sql").write_text(
        MARK + "CREATE INDEX CONCURRENTLY users_by_company ON users (company);\n")
    done = run()
    assert done.returncode == 0, done.stderr
    assert pg_database.column("SELECT indisvalid FROM pg_index WHERE indexrelid ="
                              " 'users_by_company'::regclass") == [True]
    assert run().returncode == 0


def test_the_same_without_the_mark_fails_with_postgresqls_words(schema, run):
    (schema / "900_index.sql").write_text(
        "CREATE INDEX CONCURRENTLY users_by_company ON users (company);\n")
    done = run()
    assert done.returncode == 1
    assert "900_index.sql" in one_error(done) and "transaction block" in one_error(done)


def test_unfinished_file_without_transaction_stops_and_says_what_to_do(schema, run, pg_database):
    (schema / "900_index.sql").write_text(MARK + "CREATE TABLE once (a int);\nSELECT 1 / 0;\n")
    assert run().returncode == 1
    assert "once" in tables(pg_database)
    done = run()
    assert done.returncode == 5
    assert "900_index.sql" in one_error(done) and "schema_migrations" in one_error(done)
    pg_database.sql("UPDATE schema_migrations SET unfinished = false WHERE version = 900")
    assert run().returncode == 0


def test_role_that_may_not_make_tables_is_told_what_to_grant(migrate, pg_database):
    role = pg_database.name + "_poor"
    pg_database.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'pass'")
    try:
        done = migrate(DATABASE_URL=pg_database.url.replace("user:", role + ":"))
        assert done.returncode == 4
        assert "permission denied" in one_error(done) and "GRANT CREATE" in one_error(done)
        pg_database.sql(f"GRANT CREATE, USAGE ON SCHEMA public TO {role}")
        done = migrate(DATABASE_URL=pg_database.url.replace("user:", role + ":"))
        assert done.returncode == 0, done.stderr
    finally:
        pg_database.sql(f"DROP OWNED BY {role}")
        pg_database.sql(f"DROP ROLE {role}")


def test_time_outs_meant_for_others_do_not_end_a_migration(schema, run, pg_database):
    pg_database.sql(f"ALTER DATABASE {pg_database.name} SET statement_timeout = '100ms'")
    (schema / "900_slow.sql").write_text("SELECT pg_sleep(0.5);\n")
    done = run()
    assert done.returncode == 0, done.stderr


def test_table_that_somebody_holds_is_waited_for(schema, run, pg_database, tmp_path):
    """A migration queues for at most five seconds at once, so that others pass; it comes back."""
    assert run().returncode == 0
    (schema / "900_alter.sql").write_text("ALTER TABLE users ADD COLUMN held int;\n")
    holder = pg_database.connect()
    holder.autocommit = False
    holder.cursor().execute("LOCK TABLE users IN ACCESS SHARE MODE")
    process = subprocess.Popen([executable(), "migrate"], cwd=tmp_path, stderr=subprocess.PIPE,
                               env=clean_env(DATABASE_URL=pg_database.url,
                                             SCHEMA_DIR=schema.parent), text=True)
    try:
        wait_for(lambda: pg_database.sql(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"), 20, "a migration that waits")
        wait_for(lambda: not pg_database.sql(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"), 20, "a migration that gave way")
        holder.rollback()
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0, log
        assert applied(pg_database)[-1] == "900_alter.sql"
    finally:
        holder.close()
        process.kill()
        process.wait()


# ---- many at once, and killed ------------------------------------------------------------------

def test_waiting_for_the_lock_says_who_has_it_and_sigterm_ends_it(
        schema, pg_database, start_server, tmp_path):
    (schema / "900_slow.sql").write_text("SELECT pg_sleep(30);\n")
    env = {"DATABASE_URL": pg_database.url, "SCHEMA_DIR": schema.parent}
    first = start_server(tmp_path, command=("back-postgres",), env=env)
    wait_for(lambda: "Executing migration: 900_slow.sql" in first.log, 20)
    second = start_server(tmp_path, command=("serve",), env=env)
    wait_for(lambda: "Waiting for the lock" in second.log, 20)
    line = [line for line in second.lines if "Waiting for the lock" in line][0]
    pids = pg_database.column("SELECT pid::text FROM pg_locks WHERE locktype = 'advisory'"
                              " AND granted AND objsubid = 1")
    assert "tools-dashboard back-postgres" in line
    assert any(f"process {pid}" in line for pid in pids)
    begin = time.monotonic()
    second.stop()
    first.stop()
    assert time.monotonic() - begin < 5
    wait_for(lambda: not pg_database.sql(
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <>"
        " pg_backend_pid()"), 5, "the end of the statement in the server")
    assert "900_slow.sql" not in applied(pg_database)


ROUNDS = 20 if LONG else 2


def test_eight_at_once_on_an_empty_database_migrate_once(pg, start_server, tmp_path):
    from conftest import PgDatabase
    kinds = ["serve", "back-postgres", "migrate", "serve", "back-postgres", "serve",
             "back-postgres", "migrate"]
    for number in range(ROUNDS):
        database = PgDatabase(pg, f"eight_{os.getpid()}_{number}")
        random.shuffle(kinds)
        all_of_them = [start_server(tmp_path, command=(kind,),
                                    env={"DATABASE_URL": database.url}) for kind in kinds]
        for server, kind in zip(all_of_them, kinds):
            if kind == "migrate":
                assert server.process.wait(timeout=60) == 0, server.log
                server.reader.join(timeout=10)
            else:
                server.wait_ready()
        logs = "\n".join(server.log for server in all_of_them)
        for name in FILES:
            assert logs.count(f"Migration {name} completed successfully") == 1
        assert logs.count("Schema is up to date (4 migrations)") == 7
        assert logs.count("Populating subscription packages...") == 1
        assert applied(database) == FILES
        assert database.column("SELECT count(*) FROM subscription_packages") == [4]
        assert "error: " not in logs
        for server, kind in zip(all_of_them, kinds):
            if kind != "migrate":
                server.stop()
        pg.sql(f"DROP DATABASE {database.name} WITH (FORCE)")
    print(f"shortened: {ROUNDS} of 20 rounds of eight processes" if ROUNDS < 20 else
          "note: 20 rounds of eight processes")


KILLS = 20 if LONG else 4


def test_kill_9_at_any_moment_and_the_next_start_completes_it(
        schema, pg, start_server, tmp_path):
    from conftest import PgDatabase
    for number in (900, 901):
        (schema / f"{number}_slow.sql").write_text(SLOW.format(number))
    names = [*FILES, "900_slow.sql", "901_slow.sql"]
    chance = random.Random(4)
    for number in range(KILLS):
        database = PgDatabase(pg, f"killed_{os.getpid()}_{number}")
        env = {"DATABASE_URL": database.url, "SCHEMA_DIR": schema.parent}
        killed = start_server(tmp_path, command=("back-postgres",), env=env)
        killed.wait_listening()
        moment = time.monotonic() + chance.uniform(0, 0.9)
        wait_for(lambda: time.monotonic() >= moment, 5)
        killed.kill()
        server = start_server.ready(tmp_path, command=("back-postgres",), env=env)
        assert applied(database) == names
        assert {"slow_900", "slower_900", "slow_901", "slower_901"} <= tables(database)
        assert "PostgreSQL service initialized successfully" in server.log
        server.stop()
        pg.sql(f"DROP DATABASE {database.name} WITH (FORCE)")
    print(f"shortened: {KILLS} of 20 kills" if KILLS < 20 else "note: 20 kills")


def test_postgresql_killed_during_a_migration_is_waited_for(schema, start_server, tmp_path):
    from conftest import PgDatabase
    from pg_server import PgServer
    own = PgServer().start()
    try:
        database = PgDatabase(own, "main_db")
        (schema / "900_slow.sql").write_text(SLOW.format(900).replace("0.3", "2"))
        server = start_server(tmp_path, command=("back-postgres",), env={
            "DATABASE_URL": database.url, "SCHEMA_DIR": schema.parent})
        wait_for(lambda: "Executing migration: 900_slow.sql" in server.log, 20)
        own.stop("immediate")
        wait_for(lambda: "The migration was interrupted" in server.log, 20)
        own.start()
        server.wait_ready()
        assert applied(database) == [*FILES, "900_slow.sql"]
        server.stop()
    finally:
        own.remove()


def refuse(proxy):
    proxy.set("refuse")
    proxy.cut()


def hang(proxy):
    proxy.set("silent")
    proxy.freeze()


@pytest.mark.parametrize("lose", [refuse, hang])
def test_the_command_gives_up_on_a_lost_server_after_the_schedule(schema, pg_database, tmp_path,
                                                                  lose):
    """A service waits for ever; a command ends with code 4 and says what to do."""
    from pg_server import url
    from tcp_proxy import Proxy
    (schema / "900_slow.sql").write_text("SELECT pg_sleep(60);\n")
    with Proxy(pg_database.pg.port) as proxy, open(tmp_path / "log", "w+", encoding="utf-8") as log:
        env = clean_env(DATABASE_URL=url(proxy.port, pg_database.name), SCHEMA_DIR=schema.parent,
                        CONNECT_TIMEOUT="0.5", CONNECT_MAX_RETRIES=2, CONNECT_INITIAL_DELAY="0.2")
        process = subprocess.Popen([executable(), "migrate"], cwd=tmp_path, env=env, stderr=log)
        read = (tmp_path / "log").read_text
        try:
            wait_for(lambda: "Executing migration: 900_slow.sql" in read(), 20)
            lose(proxy)
            assert process.wait(timeout=30) == 4, read()
        finally:
            process.kill()
            process.wait()
        assert read().count("The migration was interrupted") == 1
        waits = [line.split("Z ", 1)[-1] for line in read().splitlines() if "Retrying" in line]
        assert waits == ["Retrying in 0.2 seconds...", "Retrying in 0.4 seconds..."]
        assert "run `tools-dashboard migrate` again" in read()


def test_the_command_goes_on_when_the_server_is_back_in_time(schema, pg_database, tmp_path):
    from pg_server import url
    from tcp_proxy import Proxy
    (schema / "900_slow.sql").write_text(SLOW.format(900).replace("0.3", "2"))
    with Proxy(pg_database.pg.port) as proxy, open(tmp_path / "log", "w+", encoding="utf-8") as log:
        env = clean_env(DATABASE_URL=url(proxy.port, pg_database.name), SCHEMA_DIR=schema.parent,
                        CONNECT_INITIAL_DELAY="0.2")
        process = subprocess.Popen([executable(), "migrate"], cwd=tmp_path, env=env, stderr=log)
        read = (tmp_path / "log").read_text
        try:
            wait_for(lambda: "Executing migration: 900_slow.sql" in read(), 20)
            refuse(proxy)
            wait_for(lambda: "Retrying in 0.4 seconds" in read(), 20)
            proxy.set("pass")
            assert process.wait(timeout=30) == 0, read()
        finally:
            process.kill()
            process.wait()
    assert applied(pg_database) == [*FILES, "900_slow.sql"]
