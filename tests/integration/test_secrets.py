"""A password of every special character comes out nowhere: no log, error, answer, metric, ps line."""

import os
import socket
import string
import subprocess
import sys
import urllib.parse

import pytest

from conftest import ROOT, clean_env, executable, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from tcp_proxy import Proxy  # noqa: E402  pylint: disable=wrong-import-position

SECRET = "S3cr3t" + string.punctuation + " ñ☕"
PARTS = (SECRET, urllib.parse.quote(SECRET, safe=""), "S3cr3t", SECRET[6:20])


def url(port, name, password=SECRET, user="keeper"):
    return (f"postgresql://{user}:{urllib.parse.quote(password, safe='')}@127.0.0.1:{port}/{name}")


@pytest.fixture(scope="module")
def keeper(pg):
    """A role whose password is the secret."""
    pg.sql("DROP ROLE IF EXISTS keeper")
    pg.sql("CREATE ROLE keeper SUPERUSER LOGIN PASSWORD %s", args=(SECRET,))
    return pg


def clean(text, what):
    for part in PARTS:
        assert part not in text, f"{what} shows a part of the password"


def command_line(server):
    with open(f"/proc/{server.process.pid}/cmdline", "rb") as file:
        return file.read().decode()


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("given", ["url", "parts", "file", "url-file"])
def test_a_running_service_shows_it_nowhere(start_server, tmp_path, keeper, pg_database, form,
                                            given):
    with Proxy(keeper.port) as proxy:
        path = tmp_path / "secret"
        parts = {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": proxy.port,
                 "POSTGRES_DB": pg_database.name, "POSTGRES_USER": "keeper"}
        if given == "url":
            env = {"DATABASE_URL": url(proxy.port, pg_database.name)}
        elif given == "parts":
            env = {**parts, "POSTGRES_PASSWORD": SECRET}
        elif given == "file":
            path.write_text(SECRET + "\n", encoding="utf-8")
            env = {**parts, "POSTGRES_PASSWORD_FILE": path}
        else:
            path.write_text(url(proxy.port, pg_database.name) + "\n", encoding="utf-8")
            env = {"DATABASE_URL_FILE": path}
        server = start_server.ready(tmp_path, env={**env, "LOG_FORMAT": form, "LOG_LEVEL": "debug"})
        key = server.make_key()
        client = server.client(key)
        proxy.set("close")
        proxy.cut()
        wait_for(lambda: "away" in server.log or "lost" in server.log, 10, "a loss")
        answers = [client.get(path) for path in (
            "/readyz?verbose", "/health", "/user-subscription/health", "/metrics", "/pricing",
            "/user-subscription/users/x", "/openapi.json")]
        proxy.set("pass")
        clean(command_line(server), "the command line")
        for reply in answers:
            clean(reply.text + str(reply.headers), "an answer")
        for arguments in (("config",), ("config", "--json"), ("migrate", "status"), ("populate",)):
            done = server.run(*arguments)
            clean(done.stdout + done.stderr, " ".join(arguments))
        server.stop()
        clean(server.log, "the log")
        clean(key, "the key")


FAILURES = {
    "wrong-password": lambda pg: url(pg.port, "postgres", SECRET + "x"),
    "refused": lambda pg: url(closed_port(), "d"),
    "unknown-host": lambda pg: url(5432, "d").replace("127.0.0.1", "no-such-host.invalid"),
    "unknown-database": lambda pg: url(pg.port, "no_such_database"),
    "bad-port": lambda pg: url(99999999, "d"),
    "bad-escape": lambda pg: url(pg.port, "d").replace(":S3cr3t", ":S3cr3t%zz"),
    "bad-parameter": lambda pg: url(pg.port, "d") + "?sslmod=require",
    "bad-value": lambda pg: url(pg.port, "d") + "?sslmode=sure",
    "password-as-parameter": lambda pg: f"postgresql://keeper@127.0.0.1:{pg.port}/d?password="
                                        + urllib.parse.quote(SECRET + "x", safe=""),
    "unescaped": lambda pg: f"postgresql://keeper:{SECRET}@127.0.0.1:{pg.port}/d",
    "no-scheme": lambda pg: url(pg.port, "d").replace("postgresql://", ""),
    "other-scheme": lambda pg: url(pg.port, "d").replace("postgresql://", "mysql://"),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("command", ["serve", "migrate", "populate", "back-api", "config"])
def test_a_failure_shows_it_nowhere(tmp_path, keeper, name, command):
    done = subprocess.run(
        [executable(), command], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False, env=clean_env(
            DATABASE_URL=FAILURES[name](keeper), CONNECT_MAX_RETRIES=0, CONNECT_TIMEOUT=2, PORT=0,
            LOG_LEVEL="debug"))
    assert command == "config" or done.returncode in (3, 4), done.stderr
    clean(done.stdout + done.stderr, f"{command} with {name}")


# Each could be a port, or a host and a port, and then goes on.
RAW = ("12/Xy7cret", "5432/Xy7cret", "12,Xy7cret/y", "12?Xy7cret=1", "12/a@Xy7cret", "12@a/Xy7cret",
       "12#a/Xy7cret", "1/Xy7cret?a#b@c", "12@Xy7cret", "12,Xy7cret", "12#Xy7cret")


@pytest.mark.parametrize("command", ["serve", "back-postgres", "back-api", "config", "migrate"])
@pytest.mark.parametrize("tail", ["/d", "/main_db?sslmode=disable", "/d?application_name=a@b"])
def test_a_password_that_is_not_encoded_shows_nowhere(tmp_path, command, tail):
    """With a '/' or a '?' in it the URL is refused, else the password is whole; never a host."""
    for raw in RAW:
        done = subprocess.run(
            [executable(), command], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
            text=True, timeout=60, check=False, env=clean_env(
                DATABASE_URL=f"postgresql://user:{raw}@127.0.0.1:{closed_port()}{tail}",
                CONNECT_MAX_RETRIES=0, CONNECT_TIMEOUT=2, PORT=0, LOG_LEVEL="debug"))
        output = done.stdout + done.stderr
        assert "Xy7cret" not in output and "cret" not in output, f"{command} shows {raw}"
        if set("/?") & set(raw) or "@" in tail:
            assert done.returncode == 3, output
            assert "DATABASE_URL" in output and "%2F" in output and "%40" in output
        else:
            assert done.returncode in (0, 4), output


def test_a_secret_has_no_flag(tmp_path, keeper):
    """Arguments are seen by everybody: a URL with a password is refused, and not repeated."""
    done = subprocess.run(
        [executable(), "serve", "--database-url", url(keeper.port, "d")], cwd=tmp_path,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False,
        env=clean_env())
    assert done.returncode in (2, 3)
    assert "DATABASE_URL" in done.stderr
    clean(done.stdout + done.stderr, "the refusal")
