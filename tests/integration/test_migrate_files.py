"""Migrations from SCHEMA_DIR: which files are fit, what is done with them, what status shows."""

import json
import os
import shutil
import sqlite3
import subprocess

import pytest

from conftest import ROOT, clean_env, executable

COMPILED_IN = sorted(os.listdir(os.path.join(ROOT, "schema", "sqlite")))


def migrate(folder, *arguments, **env):
    return subprocess.run(
        [executable(), "migrate", *arguments], cwd=folder, env=clean_env(**env),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def schema(tmp_path):
    """A copy of the compiled-in files that a test may change."""
    shutil.copytree(os.path.join(ROOT, "schema"), tmp_path / "schema")
    return tmp_path / "schema" / "sqlite"


def run(schema, *arguments):
    return migrate(schema.parent.parent, *arguments, SCHEMA_DIR=schema.parent)


def applied(schema):
    connection = sqlite3.connect(schema.parent.parent / "tools-dashboard.db")
    try:
        return [row[0] for row in connection.execute(
            "SELECT name FROM schema_migrations ORDER BY version")]
    finally:
        connection.close()


def test_lines_are_those_of_the_contract(tmp_path):
    done = migrate(tmp_path)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "igrat" in line]
    expected = [f"Running {len(COMPILED_IN)} migration files..."]
    for name in COMPILED_IN:
        expected += [f"Executing migration: {name}", f"Migration {name} completed successfully"]
    assert [line.split("Z ", 1)[-1] for line in lines] == expected
    again = migrate(tmp_path)
    assert again.returncode == 0
    assert f"Schema is up to date ({len(COMPILED_IN)} migrations)" in again.stderr


@pytest.mark.parametrize("change", [
    lambda data: b"\xef\xbb\xbf" + data,
    lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"),
], ids=["mark", "crlf", "both"])
def test_mark_and_crlf_are_no_edit(schema, change):
    """An editor or a checkout that changes them changes no hash, before or after applying."""
    first = schema / COMPILED_IN[0]
    first.write_bytes(change(first.read_bytes()))
    assert run(schema).returncode == 0
    assert migrate(schema.parent.parent).returncode == 0
    second = schema / COMPILED_IN[1]
    second.write_bytes(change(second.read_bytes()))
    assert run(schema).returncode == 0


def test_comment_only_and_empty_files_are_applied(schema):
    (schema / "900_comments.sql").write_text("-- nothing; yet\n/* nor here; */\n")
    (schema / "901_empty.sql").write_text("")
    done = run(schema)
    assert done.returncode == 0, done.stderr
    assert applied(schema)[-2:] == ["900_comments.sql", "901_empty.sql"]


def test_new_file_is_applied_alone(schema):
    assert run(schema).returncode == 0
    (schema / "950_more.sql").write_text("CREATE TABLE more (a TEXT) STRICT;")
    done = run(schema)
    assert "Running 1 migration files..." in done.stderr
    assert applied(schema) == [*COMPILED_IN, "950_more.sql"]


@pytest.mark.parametrize("name, data, words", [
    ("900_x.sql", b"CREATE TABLE t (a);\n\nCOMMIT;\n", ["line 3", "COMMIT"]),
    ("900_x.sql", b"BEGIN; CREATE TABLE t (a); END;", ["BEGIN"]),
    ("900_x.sql", b"rollback", ["rollback"]),
    ("900_x.sql", b"CREATE TABLE t (a);\0", ["NUL"]),
    ("900_x.sql", b"-- caf\xe9\n", ["line 1", "UTF-8"]),
    ("900_x.sql", "CREATE TABLE t (a);".encode("utf-16"), ["UTF-16"]),
    ("900_x.sql", b"SELECT 'no end", ["line 1"]),
    ("9_x.sql", b"", ["9_x.sql"]),
    ("900 x.sql", b"", ["900 x.sql"]),
    ("001_twin.sql", b"", ["001_twin.sql", COMPILED_IN[0]]),
])
def test_unfit_file_is_refused_by_name_and_nothing_is_made(schema, name, data, words):
    (schema / name).write_bytes(data)
    done = run(schema)
    assert done.returncode == 3
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert len(errors) == 1
    for word in [name, *words]:
        assert word in errors[0]
    assert not (schema.parent.parent / "tools-dashboard.db").exists()


def test_failing_statement_names_file_and_line_and_the_next_start_goes_on(schema):
    """What came before it stays; nothing of the failing file does."""
    bad = schema / "900_x.sql"
    bad.write_text("CREATE TABLE t (a TEXT) STRICT;\n\nINSERT INTO missing VALUES (1);\n")
    done = run(schema)
    assert done.returncode != 0
    assert "900_x.sql" in done.stderr and "line 3" in done.stderr
    assert applied(schema) == COMPILED_IN
    bad.write_text("CREATE TABLE t (a TEXT) STRICT;\n")
    done = run(schema)
    assert done.returncode == 0, done.stderr
    assert applied(schema) == [*COMPILED_IN, "900_x.sql"]


def test_late_file_is_refused_by_name(schema):
    (schema / "900_x.sql").write_text("")
    assert run(schema).returncode == 0
    (schema / "800_late.sql").write_text("")
    done = run(schema)
    assert done.returncode == 5
    assert "800_late.sql" in done.stderr


def test_status_and_dry_run_show_and_change_nothing(schema):
    database = schema.parent.parent / "tools-dashboard.db"
    done = run(schema, "--dry-run")
    assert done.returncode == 0, done.stderr
    for name in COMPILED_IN:
        assert name in done.stdout
    assert not database.exists()
    assert run(schema).returncode == 0
    (schema / "900_x.sql").write_text("")
    second = schema / COMPILED_IN[1]
    second.write_text(second.read_text() + "-- edited\n")
    before = database.read_bytes()
    done = run(schema, "status", "--json")
    assert done.returncode == 5
    states = {row["name"]: row["state"] for row in json.loads(done.stdout)["migrations"]}
    assert states[COMPILED_IN[0]] == "applied"
    assert states[COMPILED_IN[1]] == "edited"
    assert states["900_x.sql"] == "pending"
    assert database.read_bytes() == before


def test_status_does_not_call_an_edited_schema_up_to_date(schema):
    assert run(schema).returncode == 0
    assert "up to date" in run(schema, "status").stdout
    second = schema / COMPILED_IN[1]
    second.write_text(second.read_text() + "-- edited\n")
    for arguments in (("status",), ("--dry-run",)):
        done = run(schema, *arguments)
        assert done.returncode == 5 and COMPILED_IN[1] in done.stderr
        assert "up to date" not in done.stdout + done.stderr and "to run" not in done.stdout


# ---- a database of an earlier version

SOLD = """
INSERT INTO users (id, email, first_name, last_name) VALUES ('u1', 'u1@example.org', 'Ada', 'Byron');
INSERT INTO subscription_packages (id, slug, name, price_monthly, price_yearly) VALUES ('p1', 'basic', 'Basic', 100, 1000);
INSERT INTO user_subscriptions (id, user_id, package_id, status, billing_cycle, price, currency, started_at, anchor_day,
  current_period_start, current_period_end, pending_action, pending_price, pending_currency, pending_at, canceled_at,
  ended_at, version, created_at, updated_at) VALUES
  ('s1', 'u1', 'p1', 'canceled', 'monthly', 100, 'USD', 1, 31, 1, 2, NULL, NULL, NULL, NULL, 3, 4, 2, 5, 6),
  ('s2', 'u1', 'p1', 'active', 'yearly', 1000, 'EUR', 7, 30, 8, 9, 'cancel', 11, 'EUR', 10, NULL, NULL, 1, 11, 12);
INSERT INTO subscription_history (seq, id, subscription_id, user_id, action, to_package, to_cycle, price, currency, reason,
  actor, created_at) VALUES (3, 'h2', 's1', 'u1', 'canceled', NULL, NULL, NULL, NULL, 'enough', 'user', 3),
  (2, 'h1', 's1', 'u1', 'created', 'basic', 'monthly', 100, 'USD', NULL, 'user', 1),
  (7, 'h3', 's2', 'u1', 'created', 'basic', 'yearly', 1000, 'EUR', NULL, 'key:k', 7);
"""


def test_what_was_sold_under_version_5_is_there_under_version_6(schema):
    """Tables that are made anew lose no row, no column and no reference."""
    late = schema / "006_subscriptions_of_a_user.sql"
    late.rename(schema.parent / late.name)
    assert run(schema).returncode == 0
    path = schema.parent.parent / "tools-dashboard.db"
    tables = {"user_subscriptions": "id", "subscription_history": "seq"}

    def rows():
        database = sqlite3.connect(path)
        database.row_factory = sqlite3.Row
        found = {table: [dict(row) for row in database.execute(f"SELECT * FROM {table} ORDER BY {key}")]
                 for table, key in tables.items()}
        faults = database.execute("PRAGMA foreign_key_check").fetchall()
        assert database.execute("PRAGMA integrity_check").fetchone()[0] == "ok" and not faults
        database.close()
        return found

    database = sqlite3.connect(path)
    database.executescript(SOLD)
    database.close()
    before = rows()
    (schema.parent / late.name).rename(late)
    done = run(schema)
    assert done.returncode == 0, done.stderr
    assert [len(found) for found in before.values()] == [2, 3]
    assert rows() == before
    database = sqlite3.connect(path)
    database.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
        database.execute("UPDATE user_subscriptions SET status = 'active' WHERE id = 's1'")
    with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
        database.execute("UPDATE subscription_history SET subscription_id = 'no' WHERE seq = 2")
    database.close()
