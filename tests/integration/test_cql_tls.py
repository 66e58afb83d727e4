"""TLS of the CQL client (src/cql/client/) against real servers, and every combination of TLS, a
password, LZ4 and the protocol's versions. `cql_probe` is the client; python writes and reads the same
from outside."""

import os
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from conftest import LONG, clean_env
from test_cql_client import FORMS, PROBE, cassandra_server, probe
from fake_cassandra import FakeCassandra

SESSION_PROBE = os.path.join(os.path.dirname(PROBE), "cql_session_probe")
# With a password and TLS; test_cql_client.py has those with a password and without TLS.
SECURE = [("4.1", True), ("5.0", False)] + [("4.1", False), ("5.0", True)] * LONG
PLAIN = ["4.1"] + ["5.0"] * LONG
TYPES = {
    "a_ascii": ("ascii", "'plain'"), "a_bigint": ("bigint", "-9223372036854775808"),
    "a_blob": ("blob", "0x00ff80"), "a_boolean": ("boolean", "true"),
    "a_date": ("date", "'2026-02-28'"), "a_decimal": ("decimal", "-12345678901234567890.001"),
    "a_double": ("double", "-1.5e-300"), "a_duration": ("duration", "1mo2d3ns"),
    "a_float": ("float", "3.25"), "a_inet": ("inet", "'2001:db8::1'"), "a_int": ("int", "-2147483648"),
    "a_smallint": ("smallint", "-32768"), "a_text": ("text", "'ñandú €'"),
    "a_time": ("time", "'23:59:59.999999999'"), "a_timestamp": ("timestamp", "'1969-12-31 23:59:59.999Z'"),
    "a_timeuuid": ("timeuuid", "50554d6e-29bb-11e5-b345-feff819cdc9f"), "a_tinyint": ("tinyint", "-128"),
    "a_uuid": ("uuid", "123e4567-e89b-42d3-a456-426614174000"),
    "a_varint": ("varint", "-170141183460469231731687303715884105729"),
    "a_list": ("list<int>", "[3, 1, 2]"), "a_set": ("set<text>", "{'b', 'a'}"),
    "a_map": ("map<text, frozen<list<int>>>", "{'x': [1, 2], 'y': []}"),
    "a_tuple": ("tuple<int, text>", "(1, null)"), "a_udt": ("frozen<pair>", "{a: 1, b: 'two'}"),
}


def _start(version, auth, tls):
    cluster = cassandra_server.Cluster(version=version, auth=auth, tls=tls)
    cluster.start()
    node = cluster.nodes[0]
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in TYPES.items())
    with node.client() as client:
        client.query("CREATE KEYSPACE ks WITH replication = "
                     "{'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query("CREATE TYPE ks.pair (a int, b text)")
        client.query(f"CREATE TABLE ks.types (k text PRIMARY KEY, {columns})")
        client.query("CREATE TABLE ks.t (k text PRIMARY KEY, v text)")
    node.place = (node.address, cluster.port)
    node.login = {"user": "cassandra", "password": "cassandra"} if auth else {}
    if tls:
        node.login |= {"CQL_TLS": "verify-full", "CQL_TLS_CA": cluster.path("ca.pem")}
    return cluster


@pytest.fixture(scope="module", params=SECURE, ids=lambda p: f"{p[0]}-{'password' if p[1] else 'open'}")
def secure(request):
    cluster = _start(*request.param, tls=True)
    yield cluster.nodes[0]
    cluster.remove()


@pytest.fixture(scope="module", params=PLAIN)
def plain(request):
    cluster = _start(request.param, auth=False, tls=False)
    yield cluster.nodes[0]
    cluster.remove()


# ---- every combination

def check_types(server, version, form):
    """What our client wrote, another reads; both read the same bytes."""
    names = ", ".join(TYPES)
    values = ", ".join(literal for _, literal in TYPES.values())
    key = f"{version}{form}"
    code, lines, why = probe(
        server.place, f"INSERT INTO types (k, {names}) VALUES ('{key}', {values})",
        f"SELECT {names} FROM types WHERE k = '{key}'", version=version, form=form, CQL_HEX="1",
        CQL_KEYSPACE="ks", CQL_CLUSTER="tests", **server.login)
    assert (code, why) == (0, "")
    with server.client() as client:
        row, = client.query(f"SELECT {names} FROM ks.types WHERE k = '{key}'")
    assert None not in row
    assert lines[1:] == ["done", "rows " + "|".join(cell.hex() for cell in row)]


@pytest.mark.parametrize("version, form", FORMS)
def test_every_type_goes_through_tls(secure, version, form):
    check_types(secure, version, form)


@pytest.mark.parametrize("version, form", FORMS)
def test_every_type_goes_without_tls_and_password(plain, version, form):
    check_types(plain, version, form)


@pytest.mark.parametrize("version, form", FORMS)
def test_much_goes_through_tls(secure, version, form):
    long = os.urandom(40000).hex()  # several records of TLS, and segments
    code, lines, why = probe(
        secure.place, f"INSERT INTO ks.t (k, v) VALUES ('long', '{long}')",
        "SELECT v FROM ks.t WHERE k = 'long'", times=60, version=version, form=form, **secure.login)
    assert (code, why) == (0, "")
    assert lines[1:] == ["done"] * 60 + [f"rows {long}"] * 60


def test_the_server_sees_tls(secure):
    _, lines, _ = probe(
        secure.place, "SELECT driver_name, ssl_enabled, ssl_protocol FROM system_views.clients",
        **secure.login)
    assert "tools-dashboard cql|\x01|TLSv1.3" in lines[1]


# ---- whom to believe

def failure(server, **more):
    """Why there is no connection: the class, and the whole sentence."""
    code, lines, why = probe(server, "SELECT key FROM system.local", **more)
    assert (code, lines) == (1, [])
    return why.partition(":")[0], why


def test_names_and_addresses(secure):
    for name in ("localhost", secure.address):
        code, _, why = probe(secure.place, "SELECT key FROM system.local",
                             **secure.login | {"CQL_TLS_NAME": name})
        assert (code, why) == (0, "")
    for name in ("db.example", "127.9.9.9"):
        kind, why = failure(secure.place, **secure.login | {"CQL_TLS_NAME": name})
        assert kind == "TLS_REFUSED" and f"not made out to {name}" in why
        assert f"{secure.address}:{secure.place[1]}" in why
        for mode in ("verify-ca", "require"):
            code, _, why = probe(secure.place, "SELECT key FROM system.local",
                                 **secure.login | {"CQL_TLS_NAME": name, "CQL_TLS": mode})
            assert (code, why) == (0, "")


def test_another_authority(secure, tmp_path):
    other = str(tmp_path / "other.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout",
                    str(tmp_path / "key.pem"), "-out", other, "-subj", "/CN=localhost"],
                   stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    for mode in ("verify-ca", "verify-full"):
        kind, why = failure(secure.place, **secure.login | {"CQL_TLS": mode, "CQL_TLS_CA": other})
        assert kind == "TLS_REFUSED" and "authority must be among those that are trusted" in why
    code, _, why = probe(secure.place, "SELECT key FROM system.local",
                         **secure.login | {"CQL_TLS": "require", "CQL_TLS_CA": other})
    assert (code, why) == (0, "")


def test_a_file_that_is_not_there(secure):
    _, why = failure(secure.place, **secure.login | {"CQL_TLS_CA": "/no/such.pem"})
    assert "/no/such.pem" in why and "No such file" in why


@pytest.fixture(name="keys", scope="module")
def make_keys(tmp_path_factory):
    """A key for both sides, whose certificate is its own authority."""
    folder = tmp_path_factory.mktemp("keys")
    key, cert = str(folder / "key.pem"), str(folder / "cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                    "-subj", "/CN=node", "-addext", "subjectAltName=IP:127.0.0.1"],
                   stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    return {"CQL_TLS_CERT": cert, "CQL_TLS_KEY": key}


@pytest.mark.parametrize("newest", ["TLSv1_2", "TLSv1_3"])
def test_a_server_that_wants_a_certificate_of_ours(keys, newest):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=keys["CQL_TLS_CERT"])
    context.load_cert_chain(keys["CQL_TLS_CERT"], keys["CQL_TLS_KEY"])
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = ssl.TLSVersion[newest]
    login = {"CQL_TLS": "verify-full", "CQL_TLS_CA": keys["CQL_TLS_CERT"]}
    with FakeCassandra(tls=context) as fake:
        place = (fake.address, fake.port)
        code, lines, why = probe(place, "SELECT cluster_name FROM system.local", **login, **keys)
        assert (code, lines[1:], why) == (0, ["rows fake"], "")
        kind, why = failure(place, **login)
    assert kind == "TLS_REFUSED" and "it may want a certificate of ours" in why


# ---- a session

def run_session(server, *statements, wait_ms=60000, **more):
    user, password = more.pop("user", "-"), more.pop("password", "")
    return subprocess.Popen(
        [SESSION_PROBE, server.address, str(server.place[1]), str(wait_ms), user, *statements],
        env=clean_env(CQL_PASSWORD=password, **more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        text=True)


def test_a_session_has_tls_on_every_connection(secure):
    node = f"{secure.address}:{secure.place[1]}"
    with run_session(secure, "SELECT key FROM system.local", **secure.login) as session:
        lines = session.stdout.read().splitlines()
    assert session.returncode == 0 and lines == [f"up {node}", "ok"]


def test_a_session_recovers_when_the_file_is_mended(secure, keys, tmp_path):
    """Without being started again. A file that is of no use is told of, and changes nothing."""
    trusted = str(tmp_path / "ca.pem")
    shutil.copy(keys["CQL_TLS_CERT"], trusted)  # of somebody else
    login = secure.login | {"CQL_TLS_CA": trusted}
    with run_session(secure, "SELECT key FROM system.local", **login) as session:
        first = session.stdout.readline()
        assert "authority must be among those that are trusted" in first
        assert f"{secure.address}:{secure.place[1]}" in first
        with open(trusted, "w", encoding="ascii") as file:
            file.write("nothing")
        lines = iter(session.stdout.readline, "")
        warning = next(line for line in lines if not line.startswith("vain: "))
        assert warning.startswith("warning: ") and trusted in warning
        shutil.copy(secure.cluster.path("ca.pem"), trusted)
        assert "ok\n" in list(lines)
    assert session.returncode == 0


# ---- one side with TLS, and the other without

def test_plain_words_to_a_server_with_tls(secure):
    """4.1 answers with an alert, 5.0 resets."""
    login = {name: secure.login[name] for name in ("user", "password") if name in secure.login}
    kind, why = failure(secure.place, **login)
    if secure.cluster.version == "4.1":
        assert kind == "TLS_EXPECTED" and "expects TLS" in why
    else:
        assert kind == "CLOSED" and "does it expect TLS?" in why


def test_tls_to_a_server_without(plain):
    kind, why = failure(plain.place, CQL_TLS="require")
    assert kind == "TLS_MISSING" and "does not speak TLS on this port" in why


@pytest.mark.parametrize("mode", ["plain", "tls"])
def test_a_port_that_hangs_up(mode):
    """As PostgreSQL does with a first message that it does not understand."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def serve():
            peer, _ = listener.accept()
            with peer:
                peer.recv(4096)
        thread = threading.Thread(target=serve)
        thread.start()
        more = {"CQL_TLS": "require"} if mode == "tls" else {}
        kind, why = failure(listener.getsockname(), **more)
        thread.join()
    assert kind == "CLOSED" and "is this Cassandra's port" in why
