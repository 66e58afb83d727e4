"""Connecting to PostgreSQL at start: each failure in its own words, the schedule, one deadline."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time

import pytest

from conftest import LONG, ROOT, clean_env, executable, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import pg_fakes  # noqa: E402
from pg_server import PgServer, url  # noqa: E402
from tcp_proxy import Fake, Proxy  # noqa: E402

ONE_TRY = {"CONNECT_MAX_RETRIES": 0, "CONNECT_TIMEOUT": 5}
SHORT = {"CONNECT_MAX_RETRIES": 1, "CONNECT_INITIAL_DELAY": "100ms", "CONNECT_TIMEOUT": 5}


@pytest.fixture(scope="module")
def postgres():
    server = PgServer()
    server.start()
    yield server
    server.remove()


@pytest.fixture
def database(postgres, unique):
    return postgres.database("t" + unique())


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def end_of(server, seconds=40):
    """Waits until the process has ended by itself, and gives the code."""
    code = server.process.wait(timeout=seconds)
    server.reader.join(timeout=10)
    return code


def line_with(server, words):
    found = [line for line in server.lines if words in line]
    assert found, f"no line with {words!r} in:\n{server.log}"
    return found[0]


# ---- every failure by its name: (id, what makes the URL, layer, words of the reason, advice) ----

def http_port(stack, _):
    return url(stack(Fake(pg_fakes.http)).port, "d")


def http_port_without_tls(stack, _):
    return url(stack(Fake(pg_fakes.http)).port, "d", query="?sslmode=disable")


def proxied(mode):
    return lambda stack, pg: url(stack(Proxy(pg.port, mode)).port, "postgres")


def fake_error(state, text):
    return lambda stack, _: url(stack(Fake(pg_fakes.error(state, text))).port, "d")


def read_only_role(_, pg):
    pg.sql("DROP ROLE IF EXISTS reader")
    pg.sql("CREATE ROLE reader LOGIN PASSWORD 'r'")
    pg.sql("ALTER ROLE reader SET default_transaction_read_only = on")
    return url(pg.port, "postgres", user="reader", password="r")


def no_connect_permission(_, pg):
    pg.sql("DROP DATABASE IF EXISTS closed")
    pg.sql("DROP ROLE IF EXISTS stranger")
    pg.sql("CREATE DATABASE closed")
    pg.sql("REVOKE CONNECT ON DATABASE closed FROM PUBLIC")
    pg.sql("CREATE ROLE stranger LOGIN PASSWORD 's'")
    return url(pg.port, "closed", user="stranger", password="s")


def role_at_its_limit(_, pg):
    pg.sql("DROP ROLE IF EXISTS crowd")
    pg.sql("CREATE ROLE crowd LOGIN PASSWORD 'c' CONNECTION LIMIT 0")
    return url(pg.port, "postgres", user="crowd", password="c")


FAILURES = [
    ("refused", lambda *_: url(closed_port(), "d"), "tcp",
     r"connect to 127\.0\.0\.1:\d+: Connection refused \(errno 111\)", "Start the server"),
    ("unknown-name", lambda *_: url(5432, "d", host="no-such-host.invalid"), "dns",
     r"look up no-such-host\.invalid: ", "Check the host name"),
    ("unreachable", lambda *_: url(5432, "d", host="255.255.255.255"), "tcp",
     r"connect to 255\.255\.255\.255:5432: Network is unreachable \(errno 101\)",
     "Check the address"),
    ("no-answer", proxied("hang"), "tcp", r"connect to 127\.0\.0\.1:\d+: no answer in time",
     "firewall"),
    ("closes", proxied("close"), "protocol",
     r"127\.0\.0\.1:\d+: the connection was accepted and then closed", "still be starting"),
    ("resets", proxied("reset"), "protocol",
     r"127\.0\.0\.1:\d+: the connection was accepted and then closed", "still be starting"),
    ("silent", proxied("silent"), "protocol",
     r"127\.0\.0\.1:\d+: the connection was accepted, but then nothing came", "hangs"),
    ("http", http_port, "protocol", r"does not speak PostgreSQL's protocol", "host and port"),
    ("http-no-tls", http_port_without_tls, "protocol", r"does not speak PostgreSQL's protocol",
     "host and port"),
    ("ssh", lambda stack, _: url(stack(Fake(pg_fakes.ssh)).port, "d"), "protocol",
     r"does not speak PostgreSQL's protocol", "host and port"),
    ("tls-refused", lambda _, pg: url(pg.port, "postgres", query="?sslmode=require"), "tls",
     r"log in at 127\.0\.0\.1:\d+: server does not support SSL, but SSL was required", "TLS"),
    ("tls-broken", lambda stack, _: url(stack(Fake(pg_fakes.broken_tls)).port, "d",
                                        query="?sslmode=require"), "tls", r"SSL error", "TLS"),
    ("password", lambda _, pg: url(pg.port, "postgres", password="wrong"), "auth",
     r"password authentication failed for user \"user\" \(SQLSTATE 28P01\)", "Correct user"),
    ("no-password", lambda _, pg: f"postgresql://user@127.0.0.1:{pg.port}/postgres", "auth",
     r"no password supplied", "Correct user"),
    ("role", fake_error("28000", 'role "user" does not exist'), "auth",
     r"role \"user\" does not exist \(SQLSTATE 28000\)", "Create the role"),
    ("database", lambda _, pg: url(pg.port, "not_there"), "database",
     r"database \"not_there\" does not exist \(SQLSTATE 3D000\)", "Create the database"),
    ("permission", no_connect_permission, "database", r"\(SQLSTATE 42501\)", "Grant"),
    ("starting", fake_error("57P03", "the database system is starting up"), "protocol",
     r"the database system is starting up \(SQLSTATE 57P03\)", "Wait"),
    ("server-error", fake_error("XX000", "cache lookup failed"), "protocol",
     r"log in at 127\.0\.0\.1:\d+: cache lookup failed \(SQLSTATE XX000\)", "server's log"),
    ("no-connections-allowed", fake_error("55000", "it is not currently accepting connections"),
     "protocol", r"log in at .*accepting connections \(SQLSTATE 55000\)", "server's log"),
    ("too-many-clients", fake_error("53300", "sorry, too many clients already"), "capacity",
     r"too many clients already \(SQLSTATE 53300\)", "max_connections"),
    ("role-at-its-limit", role_at_its_limit, "capacity", r"\(SQLSTATE 53300\)", "max_connections"),
    ("read-only", read_only_role, "writable", r"sessions are read-only", "primary"),
]


@pytest.mark.parametrize("row", FAILURES, ids=[row[0] for row in FAILURES])
def test_a_failure_is_named_at_once_with_address_layer_and_what_to_do(
        start_server, tmp_path, postgres, row):
    _, make, layer, words, advice = row
    opened = []

    def stack(thing):
        opened.append(thing)
        return thing
    timeout = "700ms" if row[0] in ("no-answer", "silent") else "5"
    try:
        server = start_server(tmp_path, env={
            "DATABASE_URL": make(stack, postgres), **SHORT, "CONNECT_TIMEOUT": timeout})
        assert end_of(server) == 4, server.log
    finally:
        for thing in opened:
            thing.close()
    first = line_with(server, "attempt 1/1")
    assert re.search(r"warning: Failed to connect to PostgreSQL \(attempt 1/1\): ", first)
    last = line_with(server, "error: Failed")
    assert "Failed to connect after 1 attempts (" in last
    for line in (first, last):
        assert re.search(words, line), line
        assert line.endswith(f" check=postgres.{layer}"), line
    # This machine may itself be a container, and then the hint of loopback is right.
    assert advice in last or (row[0] == "refused" and "Inside a container" in last), last
    assert len([line for line in server.lines if "error: Failed" in line]) == 1, server.log


def test_localhost_in_a_container_is_explained_at_the_first_failure(start_server, tmp_path):
    for host in ("localhost", "127.0.0.1"):
        server = start_server(tmp_path, command=("back-postgres",), env={
            "DATABASE_URL": url(closed_port(), "main_db", host=host), "container": "1", **SHORT})
        assert end_of(server) == 4
        for line in (line_with(server, "attempt 1/1"), line_with(server, "error: ")):
            assert f"Inside a container {host} is the container itself" in line
            assert "postgresql" in line and line.endswith(" check=postgres.tcp")


def test_without_a_container_localhost_gets_no_such_hint(start_server, tmp_path):
    if os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv"):
        return  # here the hint is right, and the test above has it
    server = start_server(tmp_path, env={
        "DATABASE_URL": url(closed_port(), "d", host="localhost"), **SHORT})
    assert end_of(server) == 4
    assert "container" not in line_with(server, "attempt 1/1")


# ---- one deadline ----

@pytest.mark.parametrize("rate", [1, 40])
def test_the_deadline_covers_a_handshake_that_comes_in_drops(
        start_server, tmp_path, postgres, database, rate):
    with Proxy(postgres.port) as proxy:
        proxy.rate = rate
        began = time.monotonic()
        server = start_server(tmp_path, env={
            "DATABASE_URL": url(proxy.port, database), **ONE_TRY, "CONNECT_TIMEOUT": 2})
        assert end_of(server) == 4
        passed = time.monotonic() - began
    assert 1.9 < passed < 6, passed
    assert "then nothing came" in line_with(server, "error: ")
    assert len(proxy.accepted) == 1


def test_one_deadline_for_all_hosts_and_each_is_named(start_server, tmp_path, postgres):
    with Proxy(postgres.port, "silent") as silent, Proxy(postgres.port, "hang") as hang, \
            Fake(pg_fakes.http) as http:
        hosts = ",".join(f"127.0.0.1:{port}"
                         for port in (silent.port, hang.port, closed_port(), http.port))
        began = time.monotonic()
        server = start_server(tmp_path, env={
            "DATABASE_URL": f"postgresql://user:pass@{hosts}/d", **ONE_TRY, "CONNECT_TIMEOUT": 3})
        assert end_of(server) == 4
        passed = time.monotonic() - began
        error = line_with(server, "error: ")
        for port, words in ((silent.port, "nothing came"), (hang.port, "no answer in time"),
                            (http.port, "does not speak")):
            assert re.search(rf"127\.0\.0\.1:{port}: [^;]*{words}", error), error
        assert "Connection refused (errno 111)" in error
        assert f"PostgreSQL at 127.0.0.1:{silent.port}/d: " in error
    assert passed < 7, passed


@pytest.mark.parametrize("mode", ["refuse", "silent", "hang", "close"])
def test_the_second_host_is_used_when_the_first_is_away(
        start_server, tmp_path, postgres, database, mode):
    with Proxy(postgres.port, mode) as proxy:
        server = start_server.ready(tmp_path, env={
            "DATABASE_URL": f"postgresql://user:pass@127.0.0.1:{proxy.port},"
                            f"127.0.0.1:{postgres.port}/{database}", **ONE_TRY,
            "CONNECT_TIMEOUT": "4"})
        assert line_with(server, "Connecting to PostgreSQL").endswith(
            f"at 127.0.0.1:{proxy.port}/{database}")
        server.stop()


def test_a_wrong_password_at_the_first_host_does_not_hide_the_second(
        start_server, tmp_path, postgres, database):
    with Fake(pg_fakes.error("28P01", "password authentication failed")) as fake:
        server = start_server.ready(tmp_path, env={
            "DATABASE_URL": f"postgresql://user:pass@127.0.0.1:{fake.port},"
                            f"127.0.0.1:{postgres.port}/{database}", **ONE_TRY})
        server.stop()


def test_a_standby_is_left_for_the_primary_and_taken_once_promoted(
        start_server, tmp_path, postgres, database):
    standby = postgres.standby()
    try:
        standby.start()
        server = start_server(tmp_path, env={"DATABASE_URL": url(standby.port, database), **SHORT})
        assert end_of(server) == 4
        line = line_with(server, "error: ")
        assert "the server is a read-only standby" in line
        assert line.endswith(" check=postgres.writable")
        server = start_server(tmp_path, env={
            "DATABASE_URL": url(standby.port, database), "CONNECT_MAX_RETRIES": -1,
            "CONNECT_INITIAL_DELAY": "100ms", "CONNECT_MAX_DELAY": "200ms"})
        wait_for(lambda: "read-only standby" in server.log)
        standby.promote()
        server.wait_ready().stop()
    finally:
        standby.remove()


# ---- TLS against the real server ----

def make_certificate(folder):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", f"{folder}/server.key", "-out", f"{folder}/server.crt"],
        check=True, capture_output=True)
    os.chmod(f"{folder}/server.key", 0o600)
    if os.getuid() == 0:
        shutil.chown(f"{folder}/server.key", "postgres")
        shutil.chown(f"{folder}/server.crt", "postgres")


def test_tls_is_used_checked_and_its_refusals_are_named(start_server, tmp_path):
    pg = PgServer()
    try:
        pg.start()
        make_certificate(pg.folder)
        root = f"{pg.folder}/server.crt"
        pg.sql("CREATE DATABASE d")
        with open(f"{pg.data}/pg_hba.conf", encoding="ascii") as file:
            rules = file.read()
        with open(f"{pg.data}/pg_hba.conf", "w", encoding="ascii") as file:
            file.write(re.sub(r"(?m)^host\b", "hostssl", rules))
        pg.stop()
        pg.start("ssl=on", f"ssl_cert_file={root}", f"ssl_key_file={pg.folder}/server.key")

        def run(query, host="127.0.0.1"):
            return start_server(tmp_path, env={
                "DATABASE_URL": url(pg.port, "d", host=host, query=query), **SHORT})
        for query, host in (("", "127.0.0.1"), ("?sslmode=require", "127.0.0.1"),
                            (f"?sslmode=verify-full&sslrootcert={root}", "localhost")):
            run(query, host).wait_ready().stop()
        for query, words, layer in (
                ("?sslmode=disable", "no encryption", "tls"),
                (f"?sslmode=verify-full&sslrootcert={root}", "does not match host name", "tls"),
                ("?sslmode=verify-full&sslrootcert=/etc/ssl/certs/ca-certificates.crt",
                 "certificate verify failed", "tls")):
            server = run(query)
            assert end_of(server) == 4, server.log
            line = line_with(server, "error: ")
            assert words in line and line.endswith(f" check=postgres.{layer}"), line
    finally:
        pg.remove()


# ---- the schedule ----

def warnings_of(server):
    return [line for line in server.lines if "Failed to connect to PostgreSQL" in line]


def check_schedule(start_server, folder, postgres, waits, env):
    """The lines word for word, and the attempts as the proxy saw them."""
    with Proxy(postgres.port, "close") as proxy:
        server = start_server(folder, command=("back-postgres",), env={
            "DATABASE_URL": url(proxy.port, "main_db"), "NO_COLOR": 1, **env})
        assert end_of(server, sum(waits) + 40) == 4
        gaps = [after - before for before, after in zip(proxy.accepted, proxy.accepted[1:])]
    place = f"127.0.0.1:{proxy.port}"
    reason = f"log in at {place}: the connection was accepted and then closed"
    wanted = [f"Connecting to PostgreSQL at {place}/main_db"]
    for number, wait in enumerate(waits, 1):
        wanted.append("warning: Failed to connect to PostgreSQL "
                      f"(attempt {number}/{len(waits)}): {reason} check=postgres.protocol")
        wanted.append(f"Retrying in {wait:g} seconds...")
    lines = [re.sub(r"^\d{4}-\S+ ", "", line) for line in server.lines]
    lines = [line for line in lines if "Listening" not in line and "RLIMIT_NOFILE" not in line]
    assert lines[:len(wanted)] == wanted, server.log
    final = re.fullmatch(
        rf"error: Failed to connect after {len(waits)} attempts \((\d+) s\): "
        rf"PostgreSQL at {place}/main_db: {re.escape(reason)}\. .* check=postgres\.protocol",
        lines[len(wanted)])
    assert final, lines[len(wanted)]
    assert sum(waits) - 1 <= int(final.group(1)) <= sum(waits) + 3
    # With sslmode=prefer each attempt may open a second connection, without TLS, at once.
    gaps = [gap for gap in gaps if gap > min(waits) / 2]
    assert len(gaps) == len(waits), gaps
    for gap, wait in zip(gaps, waits):
        assert wait - 0.02 <= gap <= wait + 1.5, gaps


def test_the_schedule_doubles_and_ends_with_a_closing_try(start_server, tmp_path, postgres):
    check_schedule(start_server, tmp_path, postgres, [0.2, 0.4, 0.8, 1.6, 1.6], {
        "CONNECT_INITIAL_DELAY": "200ms", "CONNECT_MAX_DELAY": "1600ms"})


def test_the_default_schedule(start_server, tmp_path, postgres):
    """In full, 62 s, with TD_LONG=1; else its first wait."""
    if LONG:
        check_schedule(start_server, tmp_path, postgres, [2, 4, 8, 16, 32], {})
        return
    check_schedule(start_server, tmp_path, postgres, [2], {"CONNECT_MAX_RETRIES": 1})


def test_no_retries_is_one_try(start_server, tmp_path):
    server = start_server(tmp_path, env={"DATABASE_URL": url(closed_port(), "d"), **ONE_TRY})
    assert end_of(server) == 4
    assert not warnings_of(server)
    assert "error: Failed to connect after 0 attempts (0 s): PostgreSQL at" in server.log
    assert "Retrying" not in server.log


def test_minus_one_retries_for_ever_and_succeeds_when_the_server_comes(
        start_server, tmp_path, postgres, database):
    with Proxy(postgres.port, "refuse") as proxy:
        server = start_server(tmp_path, env={
            "DATABASE_URL": url(proxy.port, database), "CONNECT_MAX_RETRIES": -1,
            "CONNECT_INITIAL_DELAY": "50ms", "CONNECT_MAX_DELAY": "100ms"})
        wait_for(lambda: len(warnings_of(server)) >= 8)
        assert "(attempt 8): " in warnings_of(server)[7]
        proxy.set("pass")
        server.wait_ready()
        server.stop()
    assert server.log.count("Connecting to PostgreSQL at") == 1
    assert server.log.count("PostgreSQL connection pool created successfully") == 1


def test_the_server_may_come_last(start_server, tmp_path):
    """Started before the server exists, in each role, with the defaults of the schedule."""
    pg = PgServer()
    try:
        pg.start()
        pg.database("main_db")
        pg.stop()
        target = {"DATABASE_URL": url(pg.port, "main_db")}
        back = start_server(tmp_path, command=("back-postgres",), env=target)
        api = start_server(tmp_path, command=("back-api",), env=target)
        for server in (back, api):
            wait_for(lambda server=server: warnings_of(server))
        pg.start()
        back.wait_ready()
        api.wait_ready()
        assert len(api.client().get("/user-subscription/packages").json()) == 4
        assert api.log.count("Waiting for the schema") <= 1
        api.stop()
        back.stop()
    finally:
        pg.remove()


# ---- HTTP from the first moment, and SIGTERM ----

@pytest.mark.parametrize("role", ["serve", "back-postgres", "back-api"])
def test_http_answers_while_it_waits(start_server, tmp_path, role):
    port = closed_port()
    server = start_server(tmp_path, command=(role,), env={
        "DATABASE_URL": url(port, "d"), "CONNECT_INITIAL_DELAY": 30}).wait_listening()
    wait_for(lambda: "Retrying in 30 seconds..." in server.log)
    client = server.client()
    assert client.get("/livez").status == 200
    answer = client.get("/readyz")
    assert answer.status == 503 and "retry-after" in answer.headers
    body = answer.json()
    assert f"127.0.0.1:{port}: Connection refused" in body["reason"]
    assert 25 <= body["next_attempt_in"] <= 30
    verbose = client.get("/readyz?verbose").json()["checks"]["postgresql"]
    assert verbose["status"] == "connecting"
    assert f"127.0.0.1:{port}" in verbose["last_error"]
    assert 25 <= verbose["next_attempt_in"] <= 30
    if role != "back-postgres":
        for path in ("/user-subscription/packages", "/user-subscription/users/x"):
            assert client.get(path).problem()["code"] == "store-unavailable"
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 2 and server.process.returncode == 0


@pytest.mark.parametrize("mode", ["silent", "hang", "refuse"])
@pytest.mark.parametrize("role", ["serve", "back-postgres", "back-api"])
def test_sigterm_while_connecting_or_waiting_ends_at_once(
        start_server, tmp_path, postgres, mode, role):
    with Proxy(postgres.port, mode) as proxy:
        server = start_server(tmp_path, command=(role,), env={
            "DATABASE_URL": url(proxy.port, "d"), "CONNECT_TIMEOUT": 60}).wait_listening()
        if mode == "refuse":
            wait_for(lambda: "Retrying" in server.log)
        elif mode == "silent":
            wait_for(lambda: proxy.accepted)
        else:
            wait_for(lambda: "Connecting to" in server.log)
        began = time.monotonic()
        server.stop()
        passed = time.monotonic() - began
    # Within a second; a sanitizer's look for leaks comes on top.
    assert passed < (3 if "build-asan" in os.environ.get("TOOLS_DASHBOARD", "") else 1), passed


@pytest.mark.parametrize("query, says", [
    ("?sslmod=require", "its parameter sslmod is not known; did you mean sslmode?"),
    ("?sslmode=foo", "its parameter sslmode must be one of"),
    ("?sslnegotiation=direct", "libpq refuses it: "),  # unknown to it, or not without sslmode
    ("?ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.2", "libpq refuses it: "),
])
@pytest.mark.parametrize("command", [("back-postgres",), ("serve",), ("migrate",)])
def test_a_parameter_that_libpq_refuses_ends_the_process_at_once(tmp_path, query, says, command):
    """A malformed setting: code 3, no attempt to connect, no schedule."""
    with Fake(lambda sock: None) as fake:
        done = subprocess.run([executable(), *command], cwd=tmp_path, env=clean_env(
            DATABASE_URL=url(fake.port, "d", password="hunter2", query=query), PORT=0),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 3, done.stderr
        assert "error: DATABASE_URL: " + says in done.stderr
        assert "hunter2" not in done.stderr and "Connecting" not in done.stderr
        assert not fake.accepted


def test_a_data_service_goes_to_its_default_address(start_server, tmp_path):
    """With nothing set: postgresql:5432/main_db, whose name nobody knows here."""
    server = start_server(tmp_path, command=("back-postgres",), env=ONE_TRY)
    assert end_of(server) == 4
    assert line_with(server, "Connecting to PostgreSQL").endswith("at postgresql:5432/main_db")
    assert line_with(server, "error: ").endswith(" check=postgres.dns")
