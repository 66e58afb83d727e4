"""A database that cannot be used: one clear error, the fitting exit code, and the file untouched."""

import hashlib
import os
import shutil
import sqlite3
import subprocess

import pytest

from conftest import clean_env, executable

COMMANDS = [("serve",), ("migrate",), ("populate",), ("apikey", "list"), ("catalogue", "export"),
            ("migrate", "status")]


def run(folder, *command, preload=None, as_nobody=False, program=None, **env):
    def become_nobody():
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)

    if preload:
        env["LD_PRELOAD"] = preload
    return subprocess.run(
        [program or executable(release=preload is not None), *command], cwd=folder,
        env=clean_env(PORT=0, STORE_TIMEOUT="1", **env), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=become_nobody if as_nobody and os.getuid() == 0 else None)


def make(path):
    done = run(os.path.dirname(path), "populate", DATABASE_URL=f"sqlite:////{path}")
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def database(tmp_path):
    return make(str(tmp_path / "tools-dashboard.db"))


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def change(path, *statements):
    with sqlite3.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def assert_refused(done, code, *texts):
    """Exactly one error line, with these texts in it."""
    errors = [line for line in done.stderr.splitlines() if "error: " in line]
    assert done.returncode == code, done.stderr
    assert len(errors) == 1, done.stderr
    for text in texts:
        assert text in errors[0]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_file_that_is_no_database(tmp_path, command):
    path = tmp_path / "tools-dashboard.db"
    path.write_text("a letter to somebody\n" * 100)
    before = digest(path)
    assert_refused(run(tmp_path, *command), 4, "tools-dashboard.db", "not an SQLite database",
                   "DATABASE_URL")
    assert digest(path) == before
    assert [p.name for p in tmp_path.iterdir()] == ["tools-dashboard.db"]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_of_another_program(tmp_path, command):
    path = str(tmp_path / "tools-dashboard.db")
    change(path, "CREATE TABLE photos (id INTEGER)", "INSERT INTO photos VALUES (1)")
    before = digest(path)
    assert_refused(run(tmp_path, *command), 4, "tools-dashboard.db", "belongs to another program",
                   "DATABASE_URL")
    assert digest(path) == before
    assert os.listdir(tmp_path) == ["tools-dashboard.db"]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_database_of_a_newer_version(database, tmp_path, command):
    change(database, "INSERT INTO schema_migrations SELECT 999, '999_future.sql', sha256, applied_at"
           " FROM schema_migrations WHERE version = 1")
    before = digest(database)
    assert_refused(run(tmp_path, *command), 5, "999_future.sql")
    assert digest(database) == before


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_applied_file_that_was_edited(database, tmp_path, command):
    change(database, f"UPDATE schema_migrations SET sha256 = '{'0' * 64}' WHERE version = 2")
    before = digest(database)
    assert_refused(run(tmp_path, *command), 5, "002_subscription_packages.sql")
    assert digest(database) == before


def test_an_applied_file_that_is_missing(database, tmp_path):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    schema = tmp_path / "schema"
    shutil.copytree(os.path.join(root, "schema"), schema)
    (schema / "sqlite" / "002_subscription_packages.sql").unlink()
    before = digest(database)
    assert_refused(run(tmp_path, "serve", SCHEMA_DIR=schema), 5, "002_subscription_packages.sql")
    assert digest(database) == before


def test_a_schema_folder_that_is_wrong(tmp_path):
    schema = tmp_path / "schema" / "sqlite"
    schema.mkdir(parents=True)
    (schema / "001_x.sql").write_text("CREATE TABLE t (a TEXT DEFAULT 'no end")
    assert_refused(run(tmp_path, "serve", SCHEMA_DIR=tmp_path / "schema"), 3, "001_x.sql")
    assert not (tmp_path / "tools-dashboard.db").exists()


@pytest.mark.parametrize("command", COMMANDS[:5], ids=" ".join)
def test_a_database_that_another_program_has_locked(database, tmp_path, command):
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert_refused(run(tmp_path, *command), 4, "tools-dashboard.db", "locked by another program")
    finally:
        holder.execute("ROLLBACK")
        holder.close()


@pytest.fixture
def shared_program(tmp_path_factory):
    """A copy that everybody may run: the build may lie where only its owner may look."""
    folder = tmp_path_factory.mktemp("program")
    folder.chmod(0o755)
    return shutil.copy(executable(), folder / "tools-dashboard")


@pytest.mark.parametrize("command", COMMANDS[:3], ids=" ".join)
def test_a_database_that_may_only_be_read(database, tmp_path, shared_program, command):
    folder = tmp_path
    while folder != folder.parent:
        if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
        folder = folder.parent
    os.chmod(database, 0o444)
    os.chmod(tmp_path, 0o555)
    before = digest(database)
    assert_refused(run(tmp_path, *command, as_nobody=True, program=shared_program), 4, "tools-dashboard.db")
    assert digest(database) == before
    assert os.listdir(tmp_path) == ["tools-dashboard.db"]


def test_a_folder_that_is_not_there(tmp_path):
    done = run(tmp_path, "serve", DATABASE_URL="sqlite:///no/such/folder/td.db")
    assert_refused(done, 4, "no/such/folder", "make it, or set DATABASE_URL")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_the_place_of_the_file(tmp_path):
    done = run(tmp_path, "serve", DATABASE_URL=f"sqlite:////{tmp_path}")
    assert_refused(done, 4, "is a folder")


def test_a_full_disk(database, tmp_path):
    shim = os.path.join(os.path.dirname(executable(release=True)),
                        "tests/integration/shim_full_disk.so")
    assert os.path.exists(shim)
    before = digest(database)
    # Nothing is to be written on a later start, so that it works; a first start fails.
    new = tmp_path / "new"
    new.mkdir()
    for room in (0, 10000, 100000):
        done = run(new, "serve", preload=shim, TD_DISK_BYTES=room)
        assert_refused(done, 4, "tools-dashboard.db", "disk is full", "free some space")
    # With room again the next start completes what was begun.
    done = run(new, "populate")
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(new / "tools-dashboard.db") as connection:
        assert connection.execute("SELECT count(*) FROM subscription_packages").fetchone() == (4,)
    assert digest(database) == before


@pytest.mark.parametrize("command", [("apikey", "list"), ("catalogue", "export")], ids=" ".join)
def test_commands_that_never_migrate_make_no_database(tmp_path, command):
    assert_refused(run(tmp_path, *command), 4, "there is no database", "tools-dashboard populate")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_catalogue_file_is_listed_whole(tmp_path):
    path = tmp_path / "plans.json"
    path.write_text('{"version": 1, "packages": [{"slug": "A B", "price_monthly": -1}]}')
    for command in ("serve", "populate"):
        done = run(tmp_path, command, CATALOGUE_FILE=path)
        assert done.returncode == 3, done.stderr
        errors = [line for line in done.stderr.splitlines() if "error: " in line]
        assert len(errors) >= 3
        assert all("CATALOGUE_FILE: " in line for line in errors)
        for field in ("slug", "price_monthly", "name"):
            assert [line for line in errors if field in line], field
    with sqlite3.connect(tmp_path / "tools-dashboard.db") as connection:
        assert connection.execute("SELECT count(*) FROM subscription_packages").fetchone() == (0,)
