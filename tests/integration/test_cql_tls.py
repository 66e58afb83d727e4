"""TLS of the CQL client (src/cql/client/) against real servers, and every combination of TLS, a
password, LZ4 and the protocol's versions. `cql_probe` is the client; python writes and reads the same
from outside."""

import ipaddress
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import threading
import uuid
from decimal import Decimal

import pytest
from cassandra import util
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import Cluster

from conftest import LONG, clean_env
from test_cql_client import FORMS, PROBE, cassandra_server, probe
from fake_cassandra import FakeCassandra
from test_cql_values import shown_int

COPY = os.path.join(os.path.dirname(PROBE), "cql_copy")
ROWS = 300 if LONG else 25  # of random values
SESSION_PROBE = os.path.join(os.path.dirname(PROBE), "cql_session_probe")
# Version and password: with TLS and without it, each pair of the three in an ordinary run.
SECURE = [("4.1", True), ("5.0", False)] + [("4.1", False), ("5.0", True)] * LONG
PLAIN = [("4.1", False), ("5.0", True)] + [("4.1", True), ("5.0", False)] * LONG
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


def _named(param):
    return f"{param[0]}-{'password' if param[1] else 'open'}"


@pytest.fixture(scope="module", params=SECURE, ids=_named)
def secure(request):
    cluster = _start(*request.param, tls=True)
    yield cluster.nodes[0]
    cluster.remove()


@pytest.fixture(scope="module", params=PLAIN, ids=_named)
def plain(request):
    cluster = _start(*request.param, tls=False)
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
def test_every_type_goes_without_tls(plain, version, form):
    check_types(plain, version, form)


# ---- random values of every type, both ways, beside another driver

class Inet(str):
    """An address, which the other driver takes as a text."""


def _inet(rng):
    make = rng.choice([lambda: ipaddress.IPv4Address(rng.getrandbits(32)),
                       lambda: ipaddress.IPv6Address(rng.getrandbits(128))])
    return Inet(make())


def _blob(rng):
    return rng.randbytes(rng.choice([0, 1, 16, 300]))


def _text(rng):
    return "".join(rng.choice("aZ09 'é€😀") for _ in range(rng.randrange(12)))


def _int(bits):
    most = 1 << bits - 1
    return lambda rng: rng.choice([0, 1, -1, most - 1, -most, rng.randrange(-most, most)])


def _list(make):
    return lambda rng: [make(rng) for _ in range(rng.randrange(5))]


def _decimal(rng):
    digits = tuple(rng.randrange(10) for _ in range(rng.randrange(1, 40)))
    return Decimal((rng.randrange(2), digits, rng.randrange(-30, 30)))


def _duration(rng):
    sign = rng.choice([1, -1])
    return util.Duration(*(sign * rng.choice([0, 1, most, rng.randrange(most)])
                           for most in (2**31 - 1, 2**31 - 1, 2**63 - 1)))


def _timeuuid(rng):
    return util.uuid_from_time(rng.randrange(4_000_000_000), rng.getrandbits(47), rng.getrandbits(14))


RANDOM = {
    "ascii": lambda rng: _blob(rng).hex(), "bigint": _int(64), "blob": _blob,
    "boolean": lambda rng: rng.random() < 0.5, "date": lambda rng: util.Date(rng.randrange(-700000, 2900000)),
    "decimal": _decimal, "double": lambda rng: rng.choice([0.0, -0.0, 5e-324, 1e308, rng.gauss(0, 1e9)]),
    "duration": _duration, "float": lambda rng: rng.choice([0.0, -2.5, 2.0**127, rng.randrange(1 << 24) / 256]),
    "inet": _inet,
    "int": _int(32), "smallint": _int(16), "text": _text, "time": lambda rng: util.Time(rng.randrange(86400 * 10**9)),
    "timestamp": lambda rng: rng.randrange(-62135596800000, 253402300800000), "timeuuid": _timeuuid,
    "tinyint": _int(8), "uuid": lambda rng: uuid.UUID(int=rng.getrandbits(128)), "varchar": _text,
    "varint": lambda rng: rng.choice([0, -1, 127, 128, -129, rng.getrandbits(400) - (1 << 399)]),
    "list<int>": _list(_int(32)), "set<text>": lambda rng: set(_list(_text)(rng)),
    "map<text, bigint>": lambda rng: {_text(rng): _int(64)(rng) for _ in range(rng.randrange(4))},
    "frozen<list<list<varint>>>": lambda rng: [[], [1, rng.getrandbits(70)]][:rng.randrange(3)],
    "frozen<map<uuid, frozen<set<inet>>>>": lambda rng: {
        uuid.UUID(int=rng.getrandbits(128)): set(_list(_inet)(rng)) for _ in range(rng.randrange(3))},
    "tuple<int, text, frozen<list<double>>>": lambda rng: (
        rng.choice([None, 7]), rng.choice([None, "", "x"]), [rng.gauss(0, 1)]),
    "frozen<pair>": lambda rng: (rng.choice([None, -5]), rng.choice([None, "", "two"])),
}


def _driver(server, version):
    more = {}
    if server.login.get("user"):
        more["auth_provider"] = PlainTextAuthProvider(server.login["user"], server.login["password"])
    if "CQL_TLS" in server.login:
        more["ssl_context"] = ssl.create_default_context(cafile=server.login["CQL_TLS_CA"])
        more["ssl_context"].check_hostname = False
    return Cluster([server.place[0]], port=server.place[1], protocol_version=int(version), **more)


def _copy(server, version, form, select, write):
    login = dict(server.login)
    user, password = login.pop("user", "-"), login.pop("password", "")
    return subprocess.run([COPY, server.place[0], str(server.place[1]), version, form, user, select, write],
                          env=clean_env(CQL_PASSWORD=password, **login), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False)


def _shown(value):
    """A value as cql_rebind.h says; sets and maps are in the order of their hexadecimal parts."""
    if isinstance(value, Inet):
        return ipaddress.ip_address(value).packed.hex()
    if isinstance(value, (str, bytes)):
        return (value.encode() if isinstance(value, str) else value).hex()
    if isinstance(value, uuid.UUID):
        return value.hex
    if isinstance(value, Decimal):
        sign, digits, exponent = value.as_tuple()
        return [-exponent, shown_int((-1) ** sign * int("".join(map(str, digits))))]
    if isinstance(value, util.Duration):
        return [value.months, value.days, value.nanoseconds]
    if isinstance(value, util.Date):
        return value.days_from_epoch
    if isinstance(value, util.Time):
        return value.nanosecond_time
    if isinstance(value, dict):
        return _ordered("map", [_shown(part) for pair in value.items() for part in pair])
    if isinstance(value, (list, tuple)):
        return [_shown(part) for part in value]
    if isinstance(value, set):
        return sorted(map(_shown, value))
    return shown_int(value) if type(value) is int else value  # pylint: disable=unidiomatic-typecheck


def _ordered(kind, read):
    """What ours read, where another order of a set's or a map's parts is the same value."""
    if read is None or not kind.startswith(("map", "set", "frozen<map")):
        return read
    if kind.startswith("set"):
        return sorted(read)
    pairs = sorted(zip(read[::2], read[1::2]))
    return [sorted(part) if isinstance(part, list) else part for pair in pairs for part in pair]


def _is_absent(kind, value):
    """Cassandra keeps no empty collection unless it is frozen."""
    return value is None or (kind.startswith(("list", "set", "map")) and len(value) == 0)


def _fill(session, table, names, rng, nulls):
    """Another driver writes random values, of which so many are null. Gives, by key, what it meant."""
    marks = ", ".join("?" for _ in range(len(names) + 1))
    insert = session.prepare(f"INSERT INTO random.{table} (k, {', '.join(names)}) VALUES ({marks})")
    meant = {}
    for key in range(ROWS):
        values = [None if rng.random() < nulls else RANDOM[kind](rng) for kind in names.values()]
        session.execute(insert, [key] + values)
        meant[key] = [None if _is_absent(kind, value) else _shown(value)
                      for kind, value in zip(names.values(), values)]
    return meant


def _rows(session, table):
    return {row.k: row._asdict() for row in session.execute(f"SELECT * FROM random.{table}")}


def _check_copy(session, server, version, form, names, meant):
    """Ours reads what was meant; null takes away what the copy had, and unset leaves it."""
    listed = ", ".join(["k", *names])
    before = _rows(session, "copy")
    done = _copy(server, version, form, f"SELECT {listed} FROM random.source",
                 f"INSERT INTO random.copy ({listed}) VALUES ({', '.join('?' for _ in range(len(names) + 1))})")
    *lines, last = done.stdout.splitlines() or [""]
    assert (done.returncode, last, done.stderr) == (0, f"copied {ROWS}", "")
    read = [json.loads(line) for line in lines]
    assert {key: [_ordered(kind, value) for kind, value in zip(names.values(), values)]
            for key, *values in read} == meant
    source, copy = _rows(session, "source"), _rows(session, "copy")
    for number, (key, *_) in enumerate(read):
        left = before[key] if number % 2 == 1 else dict.fromkeys(names)
        assert copy[key] == {name: left[name] if value is None else value for name, value in source[key].items()}
    assert len(copy) == ROWS


def _check_counters(session, server, version, form, rng):
    meant = {key: rng.randrange(-9, 1 << 60) for key in range(ROWS)}
    for key, count in meant.items():
        session.execute("UPDATE random.counts SET c = c + %s WHERE k = %s", (count, key))
    done = _copy(server, version, form, "SELECT c, k FROM random.counts",
                 "UPDATE random.counts_copy SET c = c + ? WHERE k = ?")
    *lines, last = done.stdout.splitlines() or [""]
    assert (done.returncode, last, done.stderr) == (0, f"copied {ROWS}", "")
    assert {key: count for count, key in map(json.loads, lines)} == meant
    assert {key: row["c"] for key, row in _rows(session, "counts_copy").items()} == meant


def check_random_values(server, version, form):
    """Another driver writes the source; ours reads it, tells what it read, and writes the copy, each
    value by the functions of its type; the other driver must read the same from both."""
    seed = random.randrange(1 << 30)
    print("seed", seed)
    names = {f"c{i}": kind for i, kind in enumerate(RANDOM)}
    columns = ", ".join(f"{name} {kind}" for name, kind in names.items())
    with _driver(server, version) as cluster, cluster.connect() as session:
        session.execute("DROP KEYSPACE IF EXISTS random")
        session.execute("CREATE KEYSPACE random WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        session.set_keyspace("random")
        session.execute("CREATE TYPE pair (a int, b text)")
        for table in ("source", "copy"):
            session.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, {columns})")
        for table in ("counts", "counts_copy"):
            session.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, c counter)")
        rng = random.Random(seed)
        _fill(session, "copy", names, rng, nulls=0)
        _check_copy(session, server, version, form, names, _fill(session, "source", names, rng, nulls=0.2))
        _check_counters(session, server, version, form, rng)


@pytest.mark.parametrize("version, form", FORMS)
def test_random_values_of_every_type_both_ways_through_tls(secure, version, form):
    check_random_values(secure, version, form)


@pytest.mark.parametrize("version, form", FORMS)
def test_random_values_of_every_type_both_ways_in_plain(plain, version, form):
    check_random_values(plain, version, form)


def test_a_warning_of_the_server_is_told(plain):
    """Many partitions at once; a payload that nobody reads does no harm (every copied row has one)."""
    insert = "INSERT INTO ks.t (k, v) VALUES ('" + "x" * 60 + "', 'y')"
    batch = "BEGIN UNLOGGED BATCH " + "; ".join(
        insert.replace("x" * 60, f"{i:060}") for i in range(40)) + "; APPLY BATCH"
    with plain.client() as client:
        client.query("INSERT INTO ks.t (k, v) VALUES ('one', 'row')")
    done = _copy(plain, "5", "plain", "SELECT k, v FROM ks.t WHERE k = 'one'", batch.replace(
        "VALUES ('" + f"{0:060}" + "', 'y')", "VALUES (?, ?)"))
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["copied 1 warned"]), done.stderr


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
