"""doctor: its report and its text, the settings, the embedded store, this machine; and that every
check has its place in the documents."""

import os
import pty
import re
import sqlite3
import subprocess
import sys

import pytest

from conftest import ROOT, clean_env, executable

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
from doctor import HOST, doctor, expect_failure, ids_of, shim  # noqa: E402

SQLITE_ABSENT = ["dns", "tcp", "tls", "protocol", "auth", "replication", "schema_agreement"]
ENGINES = ["postgres", "cassandra", "sqlite"]
BOTH = ['sudo sysctl -w vm.max_map_count=1048575',
        'echo "vm.max_map_count=1048575" | sudo tee -a /etc/sysctl.conf']


def run(*args, folder="/", **env):
    return subprocess.run([executable(), *args], cwd=folder, env=clean_env(**env),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)


def populate(folder):
    done = run("populate", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "tools-dashboard.db"


# ---- the documents ----

def slugs(path):
    """The headings of a page as links lead to them."""
    with open(path, encoding="utf-8") as file:
        heads = re.findall(r"(?m)^#+ (.*)$", file.read())
    return [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]


def test_every_check_has_its_place_and_no_other_is_there():
    known = slugs(os.path.join(ROOT, "docs", "OPERATIONS.md"))
    ids = ["config", *(name for engine in ENGINES for name in ids_of(engine)), *HOST]
    assert len(ids) == 1 + 3 * 13 + 3
    for name in ids:
        assert known.count(name.replace(".", "")) == 1, name
    with open(os.path.join(ROOT, "docs", "OPERATIONS.md"), encoding="utf-8") as file:
        heads = re.findall(r"(?m)^#### (.*)$", file.read())
    assert sorted(heads) == sorted(ids)


def test_every_check_that_the_sources_name_is_one():
    """Those that connecting names by itself are of the layers' table."""
    ids = {"config", *(name for engine in ENGINES for name in ids_of(engine)), *HOST}
    found = set()
    for folder, _, names in os.walk(os.path.join(ROOT, "src")):
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                found.update(re.findall(r'"((?:postgres|cassandra|sqlite)\.[a-z_]+)"', file.read()))
    words = {name.split(".")[1] for name in ids if "." in name}
    checks = {name for name in found if name.split(".")[1] in words}  # others are events of the log
    assert checks <= ids and "sqlite.writable" in checks


# ---- the report ----

def test_nothing_set_is_the_embedded_store_and_makes_no_file(tmp_path):
    report = doctor({}, tmp_path)
    assert report.bad() == {"sqlite.migrations": "warn", "sqlite.data": "warn"}
    assert [check["id"] for check in report.checks] == ["config", *ids_of("sqlite"), *HOST]
    assert report.one("config")["message"] == \
        "SQLite at tools-dashboard.db by default: no database is set; no Cassandra is set"
    assert os.listdir(tmp_path) == []


def test_a_populated_file_is_well_and_stays_as_it_is(tmp_path):
    path = populate(tmp_path)
    before = path.read_bytes()
    report = doctor({}, tmp_path)
    assert report.bad() == {}
    for name in ids_of("sqlite"):
        absent = name.split(".")[1] in SQLITE_ABSENT
        assert report.status_of(name) == ("skip" if absent else "ok"), report.one(name)
    assert report.one("sqlite.data")["message"] == "4 packages"
    assert re.match(r"SQLite 3\.\d+", report.one("sqlite.version")["message"])
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["tools-dashboard.db"]


def test_it_may_be_asked_beside_a_running_service(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    assert doctor({}, tmp_path).bad() == {}
    assert server.client().get("/readyz").status == 200


def test_text_is_a_line_a_check_with_cause_and_fix_and_a_summary(tmp_path):
    done = run("doctor", folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("ok    config ")
    at = next(i for i, line in enumerate(lines) if "sqlite.migrations" in line)
    assert lines[at].startswith("warn  sqlite.migrations ") and lines[at].endswith(" ms)")
    assert [line.split(":")[0].strip() for line in lines[at + 1:at + 4]] == ["cause", "fix", "see"]
    assert lines[at + 3].endswith("docs/OPERATIONS.md#sqlitemigrations")
    assert not [line for line in lines if "sqlite.dns" in line]
    assert re.match(r"\d+ ok, 2 warnings, 0 failed, \d+ skipped \(\d+ ms", lines[-1])
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("no_colour", [False, True])
def test_colours_on_a_terminal_unless_they_are_not_wanted(tmp_path, no_colour):
    leader, follower = pty.openpty()
    more = {"NO_COLOR": "1"} if no_colour else {}
    process = subprocess.Popen(
        [executable(), "doctor"], cwd=tmp_path, env=clean_env(TERM="xterm", **more),
        stdin=subprocess.DEVNULL, stdout=follower, stderr=follower)
    os.close(follower)
    text = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(leader)
    assert process.wait(timeout=30) == 0
    assert (b"\x1b[32mok" in text) == (not no_colour)
    assert (b"\x1b" in text) == (not no_colour)


# ---- the settings ----

def test_wrong_settings_are_all_named_and_nothing_is_connected_to():
    report = doctor({"DATABASE_URL": "postgresql://u@h:x/d", "CONNECT_TIMEOUT": "soon",
                     "CASSANDRA_CONTACT_POINTS": "a,,b"}, wrong=True)
    check = report.one("config")
    assert check["status"] == "fail" and check["message"].endswith("settings are wrong")
    for name in ("DATABASE_URL", "CONNECT_TIMEOUT"):
        assert name in check["cause"]
    for engine in ("postgres", "cassandra"):
        assert {report.all(name)[0]["status"] for name in ids_of(engine)} == {"skip"}


def test_a_wrong_setting_is_also_told_as_text_with_code_3():
    done = run("doctor", DATABASE_URL="mysql://x")
    assert done.returncode == 3
    assert re.search(r"(?m)^fail  config +settings: 1 setting is wrong", done.stdout)


def test_a_secret_that_cannot_be_read_is_a_wrong_setting(tmp_path):
    report = doctor({"DATABASE_URL_FILE": tmp_path / "gone"}, wrong=True)
    assert "DATABASE_URL" in report.one("config")["cause"]


def test_winners_of_both_databases_are_named():
    report = doctor({"DATABASE_URL": "postgresql://u@127.0.0.1:1/d", "POSTGRES_HOST": "other",
                     "CASSANDRA_CONTACT_POINTS": "127.0.0.1:1", "CASSANDRA_HOSTS": "other"})
    message = report.one("config")["message"]
    assert "PostgreSQL at 127.0.0.1:1/d by DATABASE_URL (environment), which wins over " \
        "POSTGRES_HOST" in message
    assert "by CASSANDRA_CONTACT_POINTS (environment), which wins over CASSANDRA_HOSTS" in message
    assert report.status_of("postgres.tcp") == report.status_of("cassandra.tcp") == "fail"
    one = doctor({"CASSANDRA_HOSTS": "127.0.0.1:1"})
    assert "by CASSANDRA_HOSTS (environment)" in one.one("config")["message"]
    assert "no PostgreSQL is set, which serve and back-api need" in one.one("config")["message"]
    assert not [check for check in one.checks if check["id"].startswith(("postgres", "sqlite"))]


@pytest.mark.parametrize("points", ["CASSANDRA_CONTACT_POINTS", "CASSANDRA_HOSTS"])
def test_sqlite_beside_cassandra_is_a_wrong_setting_as_it_is_for_serve(tmp_path, points):
    env = {"DATABASE_URL": f"sqlite:///{tmp_path}/x.db", points: "127.0.0.1:1"}
    served = run("serve", **env)
    assert served.returncode == 3 and "DATABASE_URL" in served.stderr
    check = doctor(env, wrong=True).one("config")
    assert check["status"] == "fail" and check["cause"].startswith("DATABASE_URL "), check
    assert points in check["cause"] and "postgresql://" in check["cause"]
    assert not (tmp_path / "x.db").exists()


def test_flags_and_the_file_of_settings_count(tmp_path):
    file = tmp_path / "td.conf"
    file.write_text("DATABASE_URL=sqlite:///there.db\n")
    done = run("doctor", "--config", str(file), "--json", folder=tmp_path)
    assert f"{file} line 1" in done.stdout and done.returncode == 0


# ---- the embedded store ----

def test_a_missing_folder_fails_writable(tmp_path):
    report = doctor({"DATABASE_URL": "sqlite:///gone/x.db"}, tmp_path)
    assert "there is no folder" in expect_failure(report, "sqlite", "writable")["message"]


def test_a_file_that_is_marked_read_only_fails_writable(tmp_path):
    path = populate(tmp_path)
    path.chmod(0o444)
    assert "read-only" in expect_failure(doctor({}, tmp_path), "sqlite", "writable")["message"]


def test_a_full_disk_fails_writable(tmp_path):
    populate(tmp_path)
    report = doctor({"LD_PRELOAD": shim("shim_full_disk"), "TD_DISK_BYTES": 1000}, tmp_path)
    check = expect_failure(report, "sqlite", "writable")
    assert "No space left on device" in check["message"] and "full" in check["cause"]


def test_a_lock_that_somebody_holds_fails_writable_in_time(tmp_path):
    path = populate(tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    report = doctor({"CONNECT_TIMEOUT": 2}, tmp_path)
    other.close()
    assert "locked" in expect_failure(report, "sqlite", "writable")["message"]
    assert report.in_time(2)


def test_what_is_no_database_of_ours_fails_database(tmp_path):
    path = tmp_path / "tools-dashboard.db"
    path.write_bytes(b"not a database, whatever it is" * 100)
    assert "is not an SQLite database" in expect_failure(
        doctor({}, tmp_path), "sqlite", "database")["message"]
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    assert "belongs to another program" in expect_failure(
        doctor({}, tmp_path), "sqlite", "database")["message"]


def test_migrations_that_do_not_fit_fail(tmp_path):
    path = populate(tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE schema_migrations SET sha256 = 'x' WHERE version = 1")
    other.close()
    assert "001_users.sql" in expect_failure(
        doctor({}, tmp_path), "sqlite", "migrations")["message"]


def test_a_newer_file_fails_migrations(tmp_path):
    path = populate(tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("INSERT INTO schema_migrations VALUES (99, '099_x.sql', 'x', 1)")
    other.close()
    expect_failure(doctor({}, tmp_path), "sqlite", "migrations")


def test_missing_rows_are_a_warning(tmp_path):
    path = populate(tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DELETE FROM subscription_features")
    other.execute("DELETE FROM subscription_package_metadata")
    report = doctor({}, tmp_path)
    assert report.bad() == {"sqlite.data": "warn"}
    other.execute("DELETE FROM subscription_packages")
    other.close()
    assert "no package" in doctor({}, tmp_path).one("sqlite.data")["message"]


def test_a_damaged_file_fails_data(tmp_path):
    path = populate(tmp_path)
    other = sqlite3.connect(path, isolation_level=None)
    (page,) = other.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'subscription_packages'").fetchone()
    (size,) = other.execute("PRAGMA page_size").fetchone()
    other.close()
    with open(path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    assert "damaged" in expect_failure(doctor({}, tmp_path), "sqlite", "data")["message"]


# ---- this machine ----

def test_max_map_count_is_told_where_a_contact_point_is_near():
    with open("/proc/sys/vm/max_map_count", encoding="ascii") as file:
        count = int(file.read())
    for points in ("127.0.0.1:1", "127.200.1.1:1"):
        check = doctor({"CASSANDRA_CONTACT_POINTS": points}).one("host.max_map_count")
        assert check["message"] == f"vm.max_map_count is {count}"
        if count < 1048575:
            assert check["status"] == "warn"
            assert [line for line in check["fix"].splitlines() if line in BOTH] == BOTH
        else:
            assert check["status"] == "ok"


def test_max_map_count_is_nothing_to_a_cluster_elsewhere():
    """An address for documentation, which is in no network; the name service is left alone."""
    report = doctor({"CASSANDRA_CONTACT_POINTS": "203.0.113.7", "CONNECT_TIMEOUT": "300ms"})
    assert report.status_of("host.max_map_count") == "skip"
    assert doctor({}).status_of("host.max_map_count") == "skip"


def test_a_service_of_the_stack_that_does_not_run_may_be_ended_by_it():
    env = {"CASSANDRA_CONTACT_POINTS": "cassandra", "CONNECT_TIMEOUT": 2, "container": "1"}
    with open("/proc/sys/vm/max_map_count", encoding="ascii") as file:
        expected = "warn" if int(file.read()) < 1048575 else "ok"
    report = doctor(env)
    if report.status_of("cassandra.dns") == "fail":
        assert report.status_of("host.max_map_count") == expected


def test_max_map_count_in_text_has_both_lines_alone():
    done = run("doctor", CASSANDRA_CONTACT_POINTS="127.0.0.1:1")
    lines = [line.strip() for line in done.stdout.splitlines()]
    with open("/proc/sys/vm/max_map_count", encoding="ascii") as file:
        low = int(file.read()) < 1048575
    assert [line in lines for line in BOTH] == [low, low]


@pytest.mark.parametrize("count, expected", [(1048574, "warn"), (1048575, "ok"), (None, "skip")])
def test_max_map_count_of_another_machine(tmp_path, count, expected):
    path = tmp_path / "max_map_count"
    if count is not None:
        path.write_text(f"{count}\n")
    check = doctor({"CASSANDRA_CONTACT_POINTS": "127.0.0.1:1", "LD_PRELOAD": shim("shim_machine"),
                    "TD_MAP_COUNT": path}).one("host.max_map_count")
    assert check["status"] == expected, check
    assert [line in check["fix"].splitlines() for line in BOTH] == [expected == "warn"] * 2


@pytest.mark.parametrize("mib, disk, capacity", [
    (1, "fail", "warn"), (100, "warn", "warn"), (400, "warn", "ok"), (600, "ok", "ok")])
def test_little_room_is_told(tmp_path, mib, disk, capacity):
    populate(tmp_path)
    report = doctor({"LD_PRELOAD": shim("shim_machine"), "TD_DISK_FREE": mib << 20}, tmp_path)
    assert (report.status_of("host.disk"), report.status_of("sqlite.capacity")) == (disk, capacity)
    assert report.one("host.disk")["message"] == f"{mib} MiB are free"
    assert report.code == (6 if disk == "fail" else 0)


def test_disk_and_clock_are_looked_at(tmp_path):
    report = doctor({}, tmp_path)
    room = os.statvfs(tmp_path)
    free = room.f_bavail * room.f_frsize
    assert report.one("host.disk")["message"].endswith(" MiB are free")
    assert report.status_of("host.disk") == ("ok" if free > 600 << 20 else
                                             report.status_of("host.disk"))
    assert report.one("host.clock")["message"].startswith("it is 20")
    assert report.status_of("host.clock") == "ok"


def test_a_clock_that_was_never_set_fails(tmp_path):
    offset = tmp_path / "clock"
    offset.write_bytes((-(40 * 365 * 86400)).to_bytes(8, sys.byteorder, signed=True))
    report = doctor({"LD_PRELOAD": shim("shim_world"), "SHIM_CLOCK": offset}, tmp_path)
    check = report.one("host.clock")
    assert check["status"] == "fail" and report.code == 6
    assert "1986" in check["message"] or "1987" in check["message"]
