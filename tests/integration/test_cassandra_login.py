"""back-cassandra that cannot connect: each failure in its own words, with what to do. The real node
asks for a password and for TLS."""

import os
import re
import struct
import sys

import pytest

from conftest import ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
import pg_fakes  # noqa: E402
from fake_cassandra import STARTUP, FakeCassandra, error  # noqa: E402
from tcp_proxy import Fake  # noqa: E402

COMMAND = ("back-cassandra",)
READY = "Cassandra service initialized successfully"
SHORT = {"CONNECT_MAX_RETRIES": 1, "CONNECT_INITIAL_DELAY": "100ms", "CONNECT_TIMEOUT": 5}
SECRET = "hunter2"


@pytest.fixture(scope="module")
def cluster():
    one = cassandra_server.Cluster(1, auth=True, tls=True)
    try:
        yield one.start()
    finally:
        one.remove()


@pytest.fixture
def env(cluster, unique):
    """What leads to the node, with the right password."""
    return {"CASSANDRA_CONTACT_POINTS": cluster.contact_points, "STORE_TIMEOUT": 30,
            "CASSANDRA_KEYSPACE": "t_" + unique(), "CASSANDRA_TLS": "verify-full",
            "CASSANDRA_TLS_CA": cluster.path("ca.pem"),
            "CASSANDRA_USER": cassandra_server.USER,
            "CASSANDRA_PASSWORD": cassandra_server.PASSWORD}


def failed(start_server, folder, env):
    """The lines of a start that fails with code 4: of the first attempt, and of the end."""
    server = start_server(folder, command=COMMAND, env={**SHORT, **env})
    assert server.process.wait(timeout=60) == 4, server.log
    server.reader.join(timeout=10)
    assert SECRET not in server.log
    first = [line for line in server.lines if "Failed to connect to Cassandra (attempt 1/1): " in line]
    last = [line for line in server.lines if "error: Failed to connect after 1 attempts (" in line]
    assert (len(first), len(last)) == (1, 1), server.log
    assert "Retrying in 0.1 seconds..." in server.lines
    return first[0], last[0]


def wait_line(server, words, seconds=60):
    return wait_for(lambda: [line for line in list(server.lines) if words in line], seconds,
                    f"the line {words!r}")[0]


# ---- (id, settings beside the right ones, layer, words of the reason, advice) ----

REAL = [
    ("password", {"CASSANDRA_PASSWORD": SECRET}, "auth",
     r"log in at 127\.[\d.]+:\d+: .*Provided username cassandra and/or password are incorrect",
     "Correct user and password in CASSANDRA_USER and CASSANDRA_PASSWORD"),
    ("no-password", {"CASSANDRA_USER": "", "CASSANDRA_PASSWORD": ""}, "auth", r"password",
     "CASSANDRA_USER and CASSANDRA_PASSWORD"),
    ("tls-expected", {"CASSANDRA_TLS": "disable"}, "tls", r"TLS", "Make CASSANDRA_TLS"),
    ("tls-authority", {"CASSANDRA_TLS_CA": ""}, "tls", r"certificate", "certificates agree"),
    ("data-centre", {"CASSANDRA_LOCAL_DC": "mars"}, "keyspace",
     r'no node is in the local data centre "mars": those of the cluster are in datacenter1',
     "Set CASSANDRA_LOCAL_DC to the data centre of the nodes, or unset it"),
]


@pytest.mark.parametrize("row", REAL, ids=[row[0] for row in REAL])
def test_what_a_real_node_refuses_is_named(start_server, tmp_path, env, row):
    _, more, layer, reason, advice = row
    first, last = failed(start_server, tmp_path, {**env, **more})
    for line in (first, last):
        assert re.search(reason, line), line
        assert line.endswith(f" check=cassandra.{layer}"), line
    assert advice in last


def of(answer):
    return lambda stack: f"127.0.0.1:{stack(Fake(answer)).port}"


def closes(sock):
    """A PostgreSQL that was sent no start-up packet."""
    sock.recv(4096)


def silent(sock):
    while sock.recv(4096):
        pass


def fake_node(script=None, **more):
    def make(stack):
        fake = stack(FakeCassandra(**more))
        if script is not None:
            script(fake)
        return f"127.0.0.1:{fake.port}"
    return make


OTHERS = [
    ("refused", lambda _: "127.0.0.1:1", "tcp",
     r"connect to 127\.0\.0\.1:1: Connection refused \(errno 111\)", "CASSANDRA_CONTACT_POINTS"),
    ("name", lambda _: "no-such-host.invalid", "dns", r"look up no-such-host\.invalid: ",
     "Check the host name in CASSANDRA_CONTACT_POINTS"),
    ("http", of(pg_fakes.http), "protocol", r"127\.0\.0\.1:\d+: .*(HTTP|Cassandra)",
     "Correct host and port in CASSANDRA_CONTACT_POINTS"),
    ("postgresql", of(closes), "protocol", r"127\.0\.0\.1:\d+: ", "belongs to something else"),
    ("silent", of(silent), "protocol", r"127\.0\.0\.1:\d+: ", "hangs or is overloaded"),
    ("too-old", fake_node(versions=(3,)), "version", r"127\.0\.0\.1:\d+: .*version",
     "Cassandra 2.2 or later is needed"),
    ("starting", fake_node(lambda fake: fake.on(STARTUP, error(0x1002, "bootstrapping"))),
     "protocol", r"127\.0\.0\.1:\d+: ", "Wait"),
    *((f"server-error-{code:04x}", fake_node(
        lambda fake, code=code, rest=rest: fake.on("system.local", error(code, "out of order", rest))),
       "protocol", r"log in at 127\.0\.0\.1:\d+: .*out of order", "nodes' logs")
      for code, rest in ((0, b""), (0x1000, struct.pack(">Hii", 1, 1, 0)), (0x1003, b""),
                         (0x1200, struct.pack(">Hiib", 1, 0, 1, 0)), (0x2000, b""), (0x2200, b""))),
    ("no-permission-to-look", fake_node(
        lambda fake: fake.on(STARTUP, error(0x100, "Unable to perform authentication: x"))),
     "protocol", r"Unable to perform authentication", "Wait"),
]


@pytest.mark.parametrize("row", OTHERS, ids=[row[0] for row in OTHERS])
def test_what_is_no_node_is_named(start_server, tmp_path, row):
    _, make, layer, reason, advice = row
    opened = []

    def stack(thing):
        opened.append(thing)
        return thing
    timeout = "2" if row[0] == "silent" else "5"
    first, last = failed(start_server, tmp_path, {
        "CASSANDRA_CONTACT_POINTS": make(stack), "CONNECT_TIMEOUT": timeout})
    for line in (first, last):
        assert re.search(reason, line), line
        assert line.endswith(f" check=cassandra.{layer}"), line
    assert advice in last, last


def test_every_address_has_its_own_reason(start_server, tmp_path):
    _, last = failed(start_server, tmp_path, {
        "CASSANDRA_CONTACT_POINTS": "127.0.0.1:1, no-such-host.invalid:2 ,[::1]:3"})
    assert "Cassandra at ['127.0.0.1', 'no-such-host.invalid', '::1']:1: " in last
    for words in ("connect to 127.0.0.1:1: ", "look up no-such-host.invalid: ", "connect to [::1]:3: "):
        assert words in last


def test_localhost_in_a_container_gets_the_hint(start_server, tmp_path):
    for name in ("CASSANDRA_CONTACT_POINTS", "CASSANDRA_HOSTS"):
        first, last = failed(start_server, tmp_path, {
            name: "localhost", "CASSANDRA_PORT": 1, "container": "docker"})
        for line in (first, last):
            assert "Inside a container localhost is the container itself: name the service instead, " \
                   f"for example cassandra, in {name}." in line


def test_a_password_that_is_put_right_is_used_without_a_restart(start_server, tmp_path, env):
    path = tmp_path / "password"
    path.write_text(SECRET + "\n")
    wrong = {**env, "CASSANDRA_PASSWORD": "", "CASSANDRA_PASSWORD_FILE": path,
             "CONNECT_MAX_RETRIES": -1, "CONNECT_INITIAL_DELAY": "200ms", "CONNECT_MAX_DELAY": "200ms"}
    server = start_server(tmp_path, command=COMMAND, env=wrong)
    server.wait_listening()
    wait_line(server, "Failed to connect to Cassandra (attempt 2): ")
    path.unlink()
    wait_line(server, "CASSANDRA_PASSWORD_FILE: ")
    path.write_text(cassandra_server.PASSWORD + "\n")
    wait_line(server, READY)
    assert SECRET not in server.log and server.client().get("/readyz").status == 200


def test_a_role_without_permission_is_told_what_to_run(start_server, tmp_path, cluster, env):
    with cluster.nodes[0].client() as client:
        client.query("CREATE ROLE poor WITH PASSWORD = 'poor' AND LOGIN = true")
    server = start_server(tmp_path, command=COMMAND, env={
        **env, "CASSANDRA_USER": "poor", "CASSANDRA_PASSWORD": "poor"})
    assert server.process.wait(timeout=60) == 4, server.log
    server.reader.join(timeout=10)
    assert re.search(r"error: .*GRANT CREATE ON ALL KEYSPACES TO that role", server.log)


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_tls_of_every_kind(start_server, tmp_path, env, mode):
    server = start_server(tmp_path, command=COMMAND, env={**env, "CASSANDRA_TLS": mode})
    wait_line(server, READY)


def test_a_certificate_that_is_none_is_a_wrong_setting(start_server, tmp_path, env):
    (tmp_path / "ca.pem").write_text("nothing")
    server = start_server(tmp_path, command=COMMAND, env={
        **env, "CASSANDRA_TLS_CA": tmp_path / "ca.pem"})
    assert server.process.wait(timeout=60) == 3, server.log
    server.reader.join(timeout=10)
    assert "error: CASSANDRA_TLS: " in server.log and "ca.pem" in server.log
