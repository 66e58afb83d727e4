"""migrate, populate, catalogue, apikey and healthcheck, on a database in the test's folder."""

import hashlib
import json
import re
import socket
import sqlite3
import threading

import pytest

from test_cli_help import run

KEY = re.compile(r"^td_[0-9A-Za-z]{32}\n$")


@pytest.fixture
def folder(tmp_path):
    done = run("populate", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# ---- migrate, populate

def test_dry_run_and_status_change_nothing(tmp_path):
    dry = run("migrate", "--dry-run", folder=tmp_path)
    assert (dry.returncode, dry.stderr) == (0, "")
    assert "001_users.sql" in dry.stdout and "6 to run" in dry.stdout
    status = run("migrate", "status", "--json", folder=tmp_path)
    data = json.loads(status.stdout)
    assert (data["applied"], data["pending"]) == (0, 6)
    assert {row["state"] for row in data["migrations"]} == {"pending"}
    assert names(tmp_path) == []


def test_migrate_then_status(tmp_path):
    done = run("migrate", folder=tmp_path)
    assert done.returncode == 0
    assert "Running 6 migration files..." in done.stderr
    data = json.loads(run("migrate", "status", "--json", folder=tmp_path).stdout)
    assert (data["applied"], data["pending"]) == (6, 0)
    assert all(row["applied_at"].endswith("Z") for row in data["migrations"])
    again = run("migrate", folder=tmp_path)
    assert again.returncode == 0
    assert "Schema is up to date (6 migrations)" in again.stderr
    dry = run("migrate", "--dry-run", folder=tmp_path)
    assert dry.stdout == "Schema is up to date (6 migrations)\n"
    assert names(tmp_path) == ["tools-dashboard.db"]


def test_populate_only_fills_an_empty_database(folder):
    with sqlite3.connect(folder / "tools-dashboard.db") as database:
        database.execute("UPDATE subscription_packages SET name = 'Mine' WHERE slug = 'free'")
    done = run("populate", folder=folder)
    assert done.returncode == 0
    assert "Found 4 existing subscription packages, skipping population" in done.stderr
    with sqlite3.connect(folder / "tools-dashboard.db") as database:
        assert database.execute(
            "SELECT name FROM subscription_packages WHERE slug = 'free'").fetchone() == ("Mine",)


# ---- catalogue

def test_export_diff_apply(folder):
    exported = run("catalogue", "export", folder=folder)
    assert (exported.returncode, exported.stderr) == (0, "")
    path = folder / "plans.json"
    path.write_text(exported.stdout)
    same = run("catalogue", "diff", "plans.json", folder=folder)
    assert (same.returncode, same.stdout, same.stderr) == (0, "No difference\n", "")
    plans = json.loads(exported.stdout)
    plans["packages"][1]["price_monthly"] = 31.5
    plans["packages"] = [p for p in plans["packages"] if p["slug"] != "enterprise"]
    path.write_text(json.dumps(plans))
    differs = run("catalogue", "diff", "plans.json", folder=folder)
    assert differs.returncode == 6
    assert "standard" in differs.stdout and "31.50" in differs.stdout
    assert "enterprise" not in differs.stdout
    assert "enterprise" in run("catalogue", "diff", "plans.json", "--retire", folder=folder).stdout
    applied = run("catalogue", "apply", "plans.json", "--retire", folder=folder)
    assert applied.returncode == 0, applied.stderr
    assert re.search(r"Applied \d+ changes\n$", applied.stdout)
    assert run("catalogue", "diff", "plans.json", "--retire", folder=folder).returncode == 0
    with sqlite3.connect(folder / "tools-dashboard.db") as database:
        rows = dict(database.execute(
            "SELECT slug, is_active FROM subscription_packages").fetchall())
    assert rows == {"free": 1, "standard": 1, "premium": 1, "enterprise": 0}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "packages": [{}]}',
                                  '{"version": 1, "version": 1, "packages": []}'])
def test_a_bad_catalogue_file_changes_nothing(folder, text):
    (folder / "bad.json").write_text(text)
    before = hashlib.sha256((folder / "tools-dashboard.db").read_bytes()).digest()
    for command in ("diff", "apply"):
        done = run("catalogue", command, "bad.json", folder=folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert "bad.json" in done.stderr and done.stderr.startswith("error: ")
    assert hashlib.sha256((folder / "tools-dashboard.db").read_bytes()).digest() == before


def test_a_catalogue_file_that_is_not_there(folder):
    done = run("catalogue", "apply", "none.json", folder=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "none.json" in done.stderr and "No such file" in done.stderr


# ---- apikey

def test_a_key_is_printed_alone_and_stored_as_a_hash(folder):
    done = run("apikey", "create", "--name", "shop", folder=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert KEY.match(done.stdout)
    key = done.stdout.strip()
    with sqlite3.connect(folder / "tools-dashboard.db") as database:
        dump = "\n".join(database.iterdump())
    assert key not in dump and key[3:29] not in dump
    assert key.encode() not in (folder / "tools-dashboard.db").read_bytes()
    assert hashlib.sha256(key.encode()).hexdigest().upper() in dump.upper()


def test_list_and_revoke(folder):
    keys = [run("apikey", "create", "--name", name, folder=folder).stdout for name in ("a", "b ñ")]
    assert len(set(keys)) == 2
    rows = json.loads(run("apikey", "list", "--json", folder=folder).stdout)
    assert [row["name"] for row in rows] == ["a", "b ñ"]
    assert {(row["last_used_at"], row["revoked_at"]) for row in rows} == {(None, None)}
    assert set(rows[0]) == {"id", "name", "created_at", "last_used_at", "revoked_at"}
    done = run("apikey", "revoke", rows[0]["id"], folder=folder)
    assert (done.returncode, done.stdout) == (0, f"Revoked {rows[0]['id']}\n")
    assert run("apikey", "revoke", rows[0]["id"], folder=folder).returncode == 0
    rows = json.loads(run("apikey", "list", "--json", folder=folder).stdout)
    assert rows[0]["revoked_at"] and not rows[1]["revoked_at"]
    text = run("apikey", "list", folder=folder).stdout.splitlines()
    assert text[0].split() == ["ID", "CREATED", "LAST", "USED", "REVOKED", "NAME"]
    assert len(text) == 3 and text[2].endswith("  b ñ")
    for key in keys:
        assert key.strip() not in "\n".join(text)


def test_revoking_an_unknown_key(folder):
    done = run("apikey", "revoke", "0191d7c2-0000-7000-8000-000000000000", folder=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no key with that id" in done.stderr and "apikey list" in done.stderr


def test_a_key_works_at_once_and_not_after_it_was_revoked(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    client = server.client(server.make_key("shop"))
    user = {"email": "a@example.com", "first_name": "A", "last_name": "B"}
    assert client.put("/user-subscription/users/a", user).status == 201
    row = json.loads(server.run("apikey", "list", "--json").stdout)[0]
    assert row["last_used_at"] is not None
    assert server.run("apikey", "revoke", row["id"]).returncode == 0
    assert client.get("/user-subscription/users/a").status == 401


# ---- healthcheck

def test_healthcheck_of_a_ready_service(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    done = run("healthcheck", PORT=server.port)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run("healthcheck", PORT=server.port, HOST="0.0.0.0").returncode == 0


def serve_once(answer):
    """A listener that sends `answer` to one client; its port."""
    listener = socket.create_server(("127.0.0.1", 0))

    def work():
        with listener, listener.accept()[0] as client:
            client.recv(4096)
            client.sendall(answer)

    threading.Thread(target=work, daemon=True).start()
    return listener.getsockname()[1]


@pytest.mark.parametrize("answer, text", [
    (b"HTTP/1.1 503 Service Unavailable\r\n\r\n{\"status\":\"unready\",\"reason\":\"why\"}",
     "answers 503: {\"status\":\"unready\",\"reason\":\"why\"}"),
    (b"HTTP/1.1 2000 x\r\n\r\n", "answers 200"),
    (b"SSH-2.0-x\r\n", "does not speak HTTP"),
    (b"", "does not speak HTTP"),
    (b"HTTP/1.", "does not speak HTTP"),
    (b"HTTP/1.1 500 \x1b[31m\r\n\r\n\x1b[31m\xff", "\\u001b[31m"),
    (b"x" * 100000, "does not speak HTTP"),
])
def test_healthcheck_of_anything_else_is_1(answer, text):
    done = run("healthcheck", PORT=serve_once(answer))
    assert (done.returncode, done.stdout) == (1, "")
    assert text in done.stderr
    assert done.stderr.count("\n") == 1


def test_healthcheck_of_nobody_and_of_somebody_silent():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        done = run("healthcheck", PORT=port)
        assert done.returncode == 1
        assert "did not answer within 3 s" in done.stderr
    done = run("healthcheck", PORT=port)
    assert done.returncode == 1
    assert "Connection refused" in done.stderr


def test_healthcheck_ends_only_with_0_or_1():
    assert run("healthcheck", PORT="x").returncode == 1
    assert run("healthcheck", HOST="no-such-host.invalid").returncode == 1
