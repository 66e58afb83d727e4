"""No secret comes out anywhere: a password of PostgreSQL with every special character, keys, sessions,
links. No log, error, answer, metric, ps line. Cassandra's: test_secrets_cassandra.py."""

import os
import re
import socket
import subprocess
import sys
import urllib.parse

import pytest

from conftest import ROOT, clean_env, executable, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
from hidden import SECRET, clean, command_lines, forms_of  # noqa: E402
from page_client import Browser  # noqa: E402
from tcp_proxy import Proxy  # noqa: E402


COMMANDS = (("config",), ("config", "--json"), ("migrate", "status"), ("migrate", "--dry-run"),
            ("populate",), ("doctor",), ("doctor", "--json"), ("catalogue", "export"),
            ("apikey", "list"), ("healthcheck",), ("version",))
LOOKED_AT = ("/readyz?verbose", "/livez", "/health", "/user-subscription/health", "/metrics", "/pricing",
             "/user-subscription/users/x", "/openapi.json", "/account", "/sign-in")


def url(port, name, password=SECRET, user="keeper"):
    return (f"postgresql://{user}:{urllib.parse.quote(password, safe='')}@127.0.0.1:{port}/{name}")


@pytest.fixture(scope="module")
def keeper(pg):
    """A role whose password is the secret."""
    pg.sql("DROP ROLE IF EXISTS keeper")
    pg.sql("CREATE ROLE keeper SUPERUSER LOGIN PASSWORD %s", args=(SECRET,))
    return pg


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
        answers = [client.get(path) for path in LOOKED_AT]
        proxy.set("pass")
        clean(command_lines(server.process.pid), "the command line")
        for reply in answers:
            clean(reply.text + str(reply.headers), "an answer")
        for arguments in COMMANDS:
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
    "key-password": lambda pg: url(pg.port, "no_such_database", "wrong") + "?sslkey=/none&sslpassword="
                               + urllib.parse.quote(SECRET, safe=""),
    "password-as-parameter": lambda pg: f"postgresql://keeper@127.0.0.1:{pg.port}/d?password="
                                        + urllib.parse.quote(SECRET + "x", safe=""),
    "unescaped": lambda pg: f"postgresql://keeper:{SECRET}@127.0.0.1:{pg.port}/d",
    "no-scheme": lambda pg: url(pg.port, "d").replace("postgresql://", ""),
    "other-scheme": lambda pg: url(pg.port, "d").replace("postgresql://", "mysql://"),
}


@pytest.mark.parametrize("name", FAILURES)
@pytest.mark.parametrize("command", ["serve", "migrate", "populate", "back-postgres", "back-api", "config",
                                     "doctor"])
def test_a_failure_shows_it_nowhere(tmp_path, keeper, name, command):
    done = subprocess.run(
        [executable(), command], cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60, check=False, env=clean_env(
            DATABASE_URL=FAILURES[name](keeper), CONNECT_MAX_RETRIES=0, CONNECT_TIMEOUT=2, PORT=0,
            LOG_LEVEL="debug"))
    assert command == "config" or done.returncode in (3, 4, 6), done.stderr
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


# ---- what people and programs have: keys, passwords, sessions, links


def made_from(browser):
    """The values of its cookies and of the hidden fields of the page, and what they would look like."""
    page = browser.get("/account")
    tokens = set(re.findall(r'name="csrf_token" value="([^"]+)"', page.source))
    assert tokens and browser.cookies["session"]
    return tokens | {value for value in browser.cookies.values() if len(value) > 20}


def near(secret):
    """Another one, as somebody would mistype it."""
    return secret[:-1] + ("A" if secret[-1] != "A" else "B")


def use_all(server, key, browser, email):
    """Everything that is done with secrets, right and wrong; the secrets, wrong ones among them."""
    secrets = {key, near(key), "correct horse", "wrong staple", "another phrase"}
    secrets |= made_from(browser)
    for given in (key, near(key), "Basic " + key, ""):
        client = server.client(given)
        for path in LOOKED_AT:
            client.get(path)
        client.put("/user-subscription/users/x", {"email": "not one"})
    link = server.run("user", "reset-password", email)
    assert link.returncode == 0, link.stderr
    token = link.stdout.strip().split("token=")[1]
    secrets |= {token, near(token)}
    other = Browser(server)
    other.sign_in(email, "wrong staple")
    other.get("/reset-password?token=" + near(token))
    page = other.get("/reset-password?token=" + token)
    assert other.press(page, "Set password", password="another phrase").status == 303
    other.get("/reset-password?token=" + token)
    secrets |= made_from(other)
    stale = Browser(server)
    stale.cookies = {**browser.cookies, "session": near(browser.cookies["session"])}
    stale.get("/account")
    return secrets


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_people_have_shows_nowhere(start_server, tmp_path, pg, pg_database, form, unique):
    email = f"{unique()}@example.com"
    with Proxy(pg.port) as proxy:
        server = start_server.ready(tmp_path, env={
            "DATABASE_URL": pg_database.url.replace(f":{pg.port}/", f":{proxy.port}/"),
            "LOG_FORMAT": form, "LOG_LEVEL": "debug", "PASSWORD_MEMORY": "8KiB",
            "TRUSTED_PROXIES": "127.0.0.1", "CONNECT_INITIAL_DELAY": "100ms"})
        server.env["PUBLIC_URL"] = server.url
        key = server.make_key()
        browser = Browser(server)
        assert browser.check_out("standard", email).status == 303
        secrets = use_all(server, key, browser, email)
        hashes = pg_database.column("SELECT password_hash FROM users WHERE password_hash IS NOT NULL")
        secrets |= {*hashes, hashes[0].split("$")[-1]}
        proxy.set("close")
        proxy.cut()
        wait_for(lambda: "away" in server.log or "lost" in server.log, 10, "a loss")
        answers = [client.get(path) for client in (server.client(key), server.client(near(key)))
                   for path in LOOKED_AT]
        answers += [browser.get("/account"), Browser(server).get("/reset-password?token=" + key)]
        proxy.set("pass")
        texts = [answer.text if hasattr(answer, "text") else answer.source for answer in answers]
        for arguments in COMMANDS:
            done = server.run(*arguments)
            texts.append(done.stdout + done.stderr)
        texts.append(command_lines(server.process.pid))
        wait_for(lambda: server.client().get("/readyz").status == 200, 30, "the way back")
        server.stop()
    parts = set().union(*(forms_of(secret) for secret in secrets))
    clean(server.log, "the log", parts)
    clean(pg_database.dump(), "the database",
          set().union(*(forms_of(secret) for secret in secrets - {*hashes, hashes[0].split("$")[-1]})))
    for text in texts:
        clean(text, text[:60], parts)
