"""The CQL client's connection (src/cql/client/) against real servers, and against a node that does what
a real one cannot be made to do. `cql_probe` is the client; python sees the same from outside."""

import os
import subprocess
import sys

import pytest

from conftest import ROOT, clean_env, executable

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from cql_bytes import STARTUP  # noqa: E402
from fake_cassandra import CLOSE, RESET, FakeCassandra, error, rows  # noqa: E402
from fake_tables import INT  # noqa: E402

PROBE = os.path.join(os.path.dirname(executable()), "tests", "integration", "cql_probe")
FORMS = [(version, form) for version in ("4", "5") for form in ("plain", "lz4")]


def probe(server, *statements, version="5", form="plain", user="-", password="", times=1, **more):
    """Exit code, the lines it printed, and why it ended."""
    address, port = server
    done = subprocess.run(
        [PROBE, address, str(port), version, form, user, str(times), *statements],
        env=clean_env(CQL_PASSWORD=password, **more), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=120, check=False)
    return done.returncode, done.stdout.splitlines(), done.stderr


@pytest.fixture(scope="module", params=["4.1", "5.0"])
def server(request):
    """A node that asks for a password."""
    cluster = cassandra_server.Cluster(version=request.param, auth=True)
    try:
        cluster.start()
        node = cluster.nodes[0]
        with node.client() as client:
            client.query("CREATE KEYSPACE ks WITH replication = "
                         "{'class': 'SimpleStrategy', 'replication_factor': 1}")
            client.query("CREATE TABLE ks.t (k text PRIMARY KEY, v text, nothing text)")
        node.place = (node.address, cluster.port)
        yield node
    finally:
        cluster.remove()


@pytest.mark.parametrize("version, form", FORMS)
def test_what_one_client_writes_the_other_reads(server, version, form):
    long = "ñ" * 5000  # compressed, where that was agreed on
    key = f"{version}{form}"
    user = {"user": "cassandra", "password": "cassandra", "version": version, "form": form}
    code, lines, why = probe(
        server.place, f"INSERT INTO ks.t (k, v) VALUES ('{key}', '{long}')",
        f"SELECT k, v, nothing FROM ks.t WHERE k = '{key}'", "SELECT nope FROM ks.t",
        "SELECT key FROM system.local", **user)
    assert (code, why) == (0, "")
    assert lines[:3] == [f"connected version={version}", "done", f"rows {key}|{long}|null"]
    assert lines[3].startswith("error 2200: ") and lines[4] == "rows local"
    with server.client() as client:
        assert client.query(f"SELECT v FROM ks.t WHERE k = '{key}'") == [(long.encode(),)]


@pytest.mark.parametrize("version, form", FORMS)
def test_many_in_flight_each_get_their_own(server, version, form):
    code, lines, why = probe(
        server.place, "SELECT key, cluster_name FROM system.local", times=900, version=version,
        form=form, user="cassandra", password="cassandra")
    assert (code, why) == (0, "")
    assert lines[1:] == ["rows local|tests"] * 900


def test_the_server_knows_the_driver_by_its_name(server):
    _, lines, _ = probe(server.place, "SELECT driver_name, username FROM system_views.clients",
                        user="cassandra", password="cassandra")
    assert "tools-dashboard cql|cassandra" in lines[1]


def test_a_wrong_password_and_none_are_told_apart(server):
    code, lines, why = probe(server.place, "SELECT key FROM system.local", user="cassandra",
                             password="not-the-one")
    assert (code, lines) == (1, []) and "0x0100" in why and "not-the-one" not in why
    assert why.startswith("AUTH: ")
    code, lines, why = probe(server.place, "SELECT key FROM system.local")
    assert (code, lines) == (1, []) and "asks for a user and a password" in why
    assert why.startswith("AUTH: ")


@pytest.mark.parametrize("version, form", FORMS)
def test_a_keyspace_and_a_cluster_are_made_sure_of(server, version, form):
    user = {"user": "cassandra", "password": "cassandra", "version": version, "form": form}
    code, lines, why = probe(server.place, "SELECT k FROM t WHERE k = 'none'", CQL_KEYSPACE="ks",
                             CQL_CLUSTER="tests", **user)
    assert (code, lines[1:], why) == (0, ["rows "], "")
    code, lines, why = probe(server.place, "SELECT k FROM t", CQL_KEYSPACE="KS\"", **user)
    assert (code, lines) == (1, []) and why.startswith("KEYSPACE: ") and "KS\"" in why
    code, lines, why = probe(server.place, "SELECT k FROM t", CQL_CLUSTER="production", **user)
    assert (code, lines) == (1, []) and why.startswith("CLUSTER: ")
    assert '"tests"' in why and '"production"' in why


def test_a_name_is_looked_up(server):
    code, _, why = probe(("nowhere.invalid", 9042), "SELECT key FROM system.local")
    assert code == 1 and "nowhere.invalid" in why
    code, _, why = probe((server.address, 1), "SELECT key FROM system.local")
    assert code == 1 and why.startswith("REFUSED: ") and f"{server.address}:1" in why


# ---- what a real one cannot be made to do

@pytest.fixture
def fake():
    with FakeCassandra() as one:
        one.place = (one.address, one.port)
        yield one


@pytest.mark.parametrize("version", ["4", "5"])
@pytest.mark.parametrize("what", [RESET, CLOSE])
def test_an_end_is_told_to_whoever_waits(fake, version, what):
    fake.on("FROM users", what)
    code, lines, why = probe(fake.place, "SELECT * FROM users", version=version, times=3)
    # A close while requests are unread is a reset, too.
    assert code == 1 and why.startswith("LOST: ") and f"{fake.address}:{fake.port}" in why
    assert "reset" in why or "closed the connection" in why
    assert lines[0] == f"connected version={version}"


def test_every_flipped_bit_of_version_5_is_seen(fake):
    """Never a wrong row: a checksum says so, and the connection ends."""
    answer = rows([("id", INT)], [(b"\0\0\0\7",)])
    for bit in (0, 9, 17, 40, 100, 200, 300, -1):
        with FakeCassandra() as node:
            answer.flip = bit
            node.on("FROM users", answer)
            code, lines, why = probe((node.address, node.port), "SELECT * FROM users")
            assert code == 1 and lines[0] == "connected version=5", (bit, lines, why)
            assert not any(line.startswith("rows") for line in lines), (bit, lines)


def test_a_version_that_is_listed_and_not_taken_has_a_class_of_its_own(fake):
    fake.on(STARTUP, error(0x0A, "Invalid or unsupported protocol version (5); supported versions "
                           "are (3/v3, 4/v4)", version=4, stream=0))
    code, _, why = probe(fake.place, "SELECT * FROM users")
    assert code == 1 and why.startswith("VERSION: ")


@pytest.mark.parametrize("version", ["4", "5"])
def test_an_answer_comes_in_whatever_pieces(fake, version):
    answer = rows([("id", INT)], [(b"aaaa",), (b"bbbb",), (None,)])
    answer.pieces = 1
    fake.on("FROM users", answer)
    fake.on("FROM other", error(0x1001, "too busy"))
    code, lines, why = probe(fake.place, "SELECT * FROM users", "SELECT * FROM other",
                             version=version)
    assert (code, why) == (0, "")
    assert lines[1:] == ["rows aaaa,bbbb,null", "error 1001: too busy"]
    assert sum("FROM" in r.text and "system" not in r.text for r in fake.requests) == 2


def test_an_answer_that_overtakes_goes_to_its_own(fake):
    slow = rows([("id", INT)], [(b"slow",)])
    slow.delay = 0.3
    fake.on("FROM users", rows([("id", INT)], [(b"fast",)]))
    fake.on("FROM users", slow, times=1)
    _, lines, _ = probe(fake.place, "SELECT * FROM users", times=3)
    assert lines[1:] == ["rows slow", "rows fast", "rows fast"]
