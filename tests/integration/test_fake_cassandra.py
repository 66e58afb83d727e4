"""The scripted Cassandra node itself: seen by a plain client, and taken for real by a driver."""

import io
import os
import ssl
import struct
import sys
import threading
import time

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, NoHostAvailable
from cassandra.policies import RoundRobinPolicy, TokenAwarePolicy, WhiteListRoundRobinPolicy
from cassandra.protocol import EventMessage
from cassandra.query import BatchStatement

from conftest import ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from cql_bytes import (  # noqa: E402
    BATCH, COMPRESSED, EVENT, EXECUTE, OPTIONS, PREPARE, QUERY, REGISTER, RESULT, STARTUP, CqlClient,
    CqlError, Reader, envelope, long_string, string, string_list, string_map)
from fake_cassandra import (  # noqa: E402
    CLOSE, RESET, SILENCE, TEXT, VOID, Answer, FakeCassandra, FakeCluster, error, rows,
    schema_change, schema_changed, status_change, topology_change)
from fake_tables import BIGINT, INT  # noqa: E402


@pytest.fixture
def fake():
    with FakeCassandra() as one:
        yield one


@pytest.fixture(params=[4, 5])
def client(fake, request):
    with CqlClient(fake.address, fake.port, version=request.param) as one:
        yield one


def number(value):
    return struct.pack(">i", value)


def test_a_healthy_node_answers_and_remembers(fake, client):
    assert client.options()["PROTOCOL_VERSIONS"] == ["3/v3", "4/v4", "5/v5"]
    assert client.query("SELECT key, release_version FROM system.local") == [(b"local", b"4.1.9")]
    assert client.query("SELECT peer FROM system.peers") == []
    fake.peers = [fake.row("127.0.0.2"), fake.row("127.0.0.3")]
    assert len(client.query("SELECT peer FROM system.peers")) == 2
    with pytest.raises(CqlError, match="Undefined column name nope"):
        client.query("SELECT nope FROM system.local")
    assert [r.text for r in fake.requests if r.opcode == QUERY][0].startswith("SELECT key")
    assert {r.version for r in fake.requests} == {client.version}


def test_rules_answer_by_text_by_opcode_and_so_often(fake, client):
    fake.on("FROM users", rows([("id", INT), ("n", INT)], [(number(7), None)]))
    fake.on(PREPARE, error(0x1001, "too busy"), times=2)
    assert client.query("SELECT * FROM users") == [(number(7), None)]
    for _ in range(2):
        with pytest.raises(CqlError, match="0x1001: too busy"):
            client.request(PREPARE, long_string("SELECT"))
    assert client.request(PREPARE, long_string("SELECT"))[0] == RESULT
    fake.on(lambda request: request.text == "x", lambda request: error(1, request.text * 2))
    with pytest.raises(CqlError, match="xx"):
        client.query("x")


def test_large_answers_and_single_bytes_arrive_whole(fake, client):
    large = os.urandom(300_000)
    fake.on("large", rows([("b", INT)], [(large,)]))
    fake.on("bytes", rows([("b", INT)], [(large[:500],)], pieces=1))
    assert client.query("large") == [(large,)]
    assert client.query("bytes") == [(large[:500],)]


def test_a_flipped_bit_arrives_flipped(fake, client):
    fake.on("flip", rows([("n", INT)], [(number(0),)], flip=-1 if client.version < 5 else -33))
    if client.version < 5:
        assert client.query("flip") == [(number(128),)]
    else:
        with pytest.raises(AssertionError, match="a wrong CRC32"):
            client.query("flip")


@pytest.mark.parametrize("answer", [CLOSE, RESET, rows([], [], cut=11)])
def test_connections_end_in_mid_answer(fake, client, answer):
    fake.on("end", answer)
    with pytest.raises(ConnectionError):
        client.query("end")


def test_a_cut_from_outside_reaches_a_waiting_client(fake, client):
    fake.on("wait", SILENCE)
    threading.Thread(target=lambda: (
        wait_for(lambda: fake.requests[-1].text == "wait"), fake.cut()), daemon=True).start()
    begin = time.monotonic()
    with pytest.raises(ConnectionResetError):
        client.query("wait")
    assert time.monotonic() - begin < 10


def test_a_delayed_answer_is_overtaken(fake, client):
    fake.on("late", Answer(RESULT, VOID, delay=0.2))
    for stream, text in ((1, "late"), (2, "SELECT 1")):
        body = long_string(text) + b"\0\1" + bytes(4 if client.version >= 5 else 1)
        client.sock.sendall(client.stream.wrap(envelope(client.version, stream, QUERY, body)))
    assert [client.stream.receive()[2] for _ in range(2)] == [2, 1]


def test_events_reach_those_who_registered(fake, client):
    body = string("STATUS_CHANGE") + string("DOWN") + b"\4\x7f\0\0\2" + number(9042)
    client.request(REGISTER, string_list(["STATUS_CHANGE"]))
    wait_for(lambda: fake.connections[0].registered)
    fake.event(body)
    version, _, stream, opcode, got = client.stream.receive()
    assert (version & 0x7f, stream, opcode, got) == (client.version, -1, EVENT, body)


def test_a_version_it_does_not_speak_is_refused(fake):
    fake.versions = (3, 4)
    with pytest.raises(AssertionError, match="stream 0"), \
            CqlClient(fake.address, fake.port, version=5):
        pass
    with CqlClient(fake.address, fake.port, version=4) as client:
        assert client.request(OPTIONS)


def test_it_asks_for_a_password():
    with FakeCassandra(login=("ana", "secret")) as fake:
        with pytest.raises(CqlError, match="0x0100: Provided username ana"):
            CqlClient(fake.address, fake.port, user="ana", password="wrong")
        CqlClient(fake.address, fake.port, version=5, user="ana", password="secret").close()


class Driver:
    """The Python driver, connected to a node or a FakeCluster."""

    def __init__(self, server, version, only=True, **more):
        addresses = [node.address for node in getattr(server, "nodes", [server])]
        policy = WhiteListRoundRobinPolicy(addresses) if only else \
            TokenAwarePolicy(RoundRobinPolicy(), shuffle_replicas=False)
        profile = ExecutionProfile(load_balancing_policy=policy, request_timeout=20)
        more.setdefault("compression", False)
        self.cluster = Cluster(addresses[:1], port=server.port, protocol_version=version,
                               execution_profiles={EXEC_PROFILE_DEFAULT: profile},
                               connect_timeout=20, **more)

    def __enter__(self):
        return self.cluster.connect()

    def __exit__(self, *_):
        self.cluster.shutdown()


VERSIONS = pytest.mark.parametrize("version", [4, 5])


@VERSIONS
def test_the_python_driver_takes_it_for_a_cassandra(fake, version):
    fake.on("FROM users", rows([("id", INT)], [(number(1),), (number(-2),)]))
    with Driver(fake, version) as session:
        assert [row.id for row in session.execute("SELECT id FROM users")] == [1, -2]
        assert session.cluster.metadata.cluster_name == "fake"


# ---- compression and TLS ----

@VERSIONS
def test_lz4_with_the_python_driver(version):
    large = "kremówki " * 40_000  # more than a segment
    with FakeCassandra(packs=True) as fake, Driver(fake, version, compression="lz4") as session:
        fake.on("FROM large", rows([("t", TEXT), ("r", TEXT)], [(large.encode(), b"x")]))
        assert session.execute("SELECT t FROM large").one() == (large, "x")
        session.execute("INSERT " + large)
        assert fake.requests[-1].text == "INSERT " + large
        assert all(c.packs for c in fake.connections)
        if version < 5:
            assert fake.requests[-1].flags & COMPRESSED


@VERSIONS
def test_lz4_with_the_plain_client(version):
    noise = os.urandom(300_000)  # cannot be made shorter
    with FakeCassandra(packs=True) as fake:
        fake.on("noise", rows([("b", TEXT)], [(noise,)]))
        with CqlClient(fake.address, fake.port, version, packs=True) as client:
            assert client.options()["COMPRESSION"] == ["lz4"]
            assert client.query("noise") == [(noise,)]
            assert bool(client.flags & COMPRESSED) == (version < 5)
            client.query("x" * 1000)
        with CqlClient(fake.address, fake.port, version) as client:
            assert client.query("noise") == [(noise,)]
            assert not client.flags & COMPRESSED
        with CqlClient(fake.address, fake.port, version, start=False) as client, \
                pytest.raises(CqlError, match="Unknown compression algorithm: zip"):
            client.request(STARTUP, string_map({"CQL_VERSION": "3.0.0", "COMPRESSION": "zip"}))


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """The key and the certificate of 127.0.0.1, both files."""
    folder = tmp_path_factory.mktemp("key")
    paths = str(folder / "key.pem"), str(folder / "ca.pem")
    cassandra_server.make_key(*paths, ["127.0.0.1"])
    return paths


@VERSIONS
def test_tls(key, version):
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(key[1], key[0])
    trusting = ssl.create_default_context(cafile=key[1])
    large = os.urandom(300_000)
    with FakeCassandra(tls=own, packs=True) as fake:
        fake.on("large", rows([("b", TEXT)], [(large,)]))
        fake.on("end", CLOSE)
        with CqlClient(fake.address, fake.port, version, tls=trusting) as client:
            assert client.query("large") == [(large,)]
            with pytest.raises((ConnectionError, ssl.SSLError)):
                client.query("end")
        with Driver(fake, version, ssl_context=trusting, compression="lz4",
                    ssl_options={"server_hostname": fake.address}) as session:
            fake.on("FROM users", rows([("id", INT)], [(number(1),)]))
            assert session.execute("SELECT id FROM users").one().id == 1
        with pytest.raises(OSError), CqlClient(fake.address, fake.port, version):
            pass
        untrusting = ssl.create_default_context()
        with pytest.raises(ssl.SSLCertVerificationError), \
                CqlClient(fake.address, fake.port, version, tls=untrusting):
            pass


# ---- prepared statements ----

def prepare_users(fake, result=(("id", BIGINT), ("name", TEXT))):
    fake.prepares("FROM users", binds=[("name", TEXT), ("id", BIGINT)], pk=[1], result=result)


USER = (struct.pack(">q", 7), b"ana")


@VERSIONS
def test_statements_are_prepared_and_executed(fake, version):
    prepare_users(fake)
    fake.on("FROM users", rows([("id", BIGINT), ("name", TEXT)], [USER]))
    with Driver(fake, version) as session:
        statement = session.prepare("SELECT id, name FROM users WHERE name = ? AND id = ?")
        assert [(c.name, c.type.typename) for c in statement.column_metadata] == \
            [("name", "varchar"), ("id", "bigint")]
        assert statement.routing_key_indexes == [1]
        assert statement.bind(("ana", 7)).routing_key == struct.pack(">q", 7)
        assert [c[2] for c in statement.result_metadata] == ["id", "name"]
        assert session.execute(statement, ("ana", 7)).one() == (7, "ana")
        assert fake.requests[-1].opcode == EXECUTE
        assert fake.requests[-1].text == "SELECT id, name FROM users WHERE name = ? AND id = ?"
        blobs = session.prepare("INSERT INTO t (a, b) VALUES (?, ?)")
        assert [c.type.typename for c in blobs.column_metadata] == ["blob", "blob"]
        session.execute(blobs, (b"1", b"2"))


@VERSIONS
def test_unknown_ids_are_unprepared(fake, version):
    prepare_users(fake)
    fake.on("FROM users", rows([("id", BIGINT), ("name", TEXT)], [USER]))
    with Driver(fake, version) as session:
        statement = session.prepare("SELECT id, name FROM users WHERE name = ? AND id = ?")
        fake.forget()
        assert session.execute(statement, ("ana", 7)).one().name == "ana"
        assert fake.count(PREPARE) == 2
        batch = BatchStatement()
        batch.add(statement, ("ana", 7))
        batch.add("INSERT INTO t (a) VALUES (1)")
        session.execute(batch)
        assert (fake.requests[-1].opcode, fake.requests[-1].text) == (
            BATCH, f"{statement.query_string}; INSERT INTO t (a) VALUES (1)")
        fake.forget()
        session.execute(batch)
        assert fake.count(PREPARE) == 3
    with CqlClient(fake.address, fake.port, version) as client, \
            pytest.raises(CqlError, match="0x2500: .*0102"):
        client.request(EXECUTE, b"\0\2\1\2" + (b"\0\0" if version >= 5 else b"") + b"\0\1" + bytes(4))


def prepare(client, text):
    """The ids of a statement and, in version 5, of its columns."""
    _, reader = client.request(PREPARE, long_string(text) + bytes(4 if client.version >= 5 else 0))
    assert reader.unpack("i") == 4
    return reader.short_bytes(), reader.short_bytes() if client.version >= 5 else None


def execute(client, ids):
    """Flags and number of columns of the rows that come, and what stands behind them. The client
    knows the columns."""
    known = b"" if client.version < 5 else b"\0\x10" + ids[1]
    flags = b"\2" if client.version < 5 else number(2)
    _, reader = client.request(EXECUTE, b"\0\x10" + ids[0] + known + b"\0\1" + flags)
    assert reader.unpack("i") == 2
    return reader.unpack("i"), reader.unpack("i"), reader


def test_columns_that_are_known_are_left_out(fake, client):
    prepare_users(fake)
    columns = [("id", BIGINT), ("name", TEXT)]
    fake.on("FROM users", rows(columns, [USER]))
    ids = prepare(client, "SELECT * FROM users")
    flags, count, reader = execute(client, ids)
    assert (flags, count, reader.unpack("i")) == (4, 2, 1)
    assert [reader.bytes() for _ in range(2)] == list(USER)
    fake.on("FROM users", rows(columns, [USER], state=b"next"))
    flags, count, reader = execute(client, ids)
    assert (flags, count, reader.bytes()) == (6, 2, b"next")


@pytest.mark.parametrize("client", [5], indirect=True)
def test_changed_columns_are_told(fake, client):
    prepare_users(fake)
    fake.on("FROM users", rows([("id", BIGINT), ("age", INT), ("name", TEXT)],
                               [(USER[0], number(33), USER[1])]))
    ids = prepare(client, "SELECT * FROM users")
    flags, count, reader = execute(client, ids)
    new = reader.short_bytes()
    assert (flags, count, len(new)) == (9, 3, 16) and new != ids[1]
    assert [reader.string() for _ in range(3)] == ["ks", "t", "id"]
    assert execute(client, (ids[0], new))[:2] == (4, 3)
    with Driver(fake, 5) as session:
        statement = session.prepare("SELECT * FROM users WHERE name = ? AND id = ?")
        assert session.execute(statement, ("ana", 7)).one() == (7, 33, "ana")


@VERSIONS
def test_pages(fake, version):
    fake.on("FROM pages", rows([("n", INT)], [(number(2),)]))
    fake.on("FROM pages", rows([("n", INT)], [(number(1),)], state=b"next"), times=1)
    fake.prepares("FROM pages", result=[("n", INT)])
    with Driver(fake, version) as session:
        assert [row.n for row in session.execute("SELECT n FROM pages")] == [1, 2]
        assert b"next" in fake.requests[-1].body
        fake.on("FROM pages", rows([("n", INT)], [(number(3),)], state=b"more"), times=1)
        assert [row.n for row in session.execute(session.prepare("SELECT n FROM pages"))] == [3, 2]


# ---- what stands before a message ----

@VERSIONS
def test_warnings_a_trace_and_a_payload(fake, version):
    fake.on("FROM users", rows([("id", INT)], [(number(1),)], warnings=("slow", "large"),
                               payload={"k": b"v", "n": None}))
    fake.on("FROM bad", error(0x1000, "no", struct.pack(">hii", 4, 2, 1), warnings=("bad",)))
    with Driver(fake, version) as session:
        future = session.execute_async("SELECT id FROM users", trace=True)
        assert future.result().one().id == 1
        assert (future.warnings, future.custom_payload) == (["slow", "large"], {"k": b"v", "n": None})
        assert len(future.get_query_trace_ids()) == 1
        with pytest.raises(NoHostAvailable, match="code=1000"):
            session.execute("SELECT id FROM bad")
    with CqlClient(fake.address, fake.port, version) as client:
        with pytest.raises(CqlError, match="0x1000: no"):
            client.query("FROM bad")
        assert (client.warnings, client.tracing) == (["bad"], None)


# ---- events ----

def decoded(body, version):
    return EventMessage.recv_body(io.BytesIO(body), version, {}, None, None)


@VERSIONS
def test_events_are_what_the_python_driver_reads(version):
    up = decoded(status_change("UP", "127.0.0.2", 9042), version)
    assert (up.event_type, up.event_args) == (
        "STATUS_CHANGE", {"change_type": "UP", "address": ("127.0.0.2", 9042)})
    new = decoded(topology_change("NEW_NODE", "::1", 1), version)
    assert (new.event_type, new.event_args) == (
        "TOPOLOGY_CHANGE", {"change_type": "NEW_NODE", "address": ("::1", 1)})
    table = decoded(schema_change("UPDATED", "TABLE", "ks", "t"), version)
    assert table.event_args == {"change_type": "UPDATED", "target_type": "TABLE", "keyspace": "ks",
                                "table": "t"}
    function = decoded(schema_change("CREATED", "FUNCTION", "ks", "f", ["int", "text"]), version)
    assert (function.event_args["function"].name, function.event_args["function"].argument_types) == (
        "f", ["int", "text"])
    space = decoded(schema_change("DROPPED", "KEYSPACE", "ks"), version)
    assert space.event_args == {"change_type": "DROPPED", "target_type": "KEYSPACE", "keyspace": "ks"}


def test_events_reach_those_who_registered_for_them(fake, client):
    client.request(REGISTER, string_list(["SCHEMA_CHANGE", "TOPOLOGY_CHANGE"]))
    wait_for(lambda: fake.connections[0].registered)
    fake.event(status_change("UP", "127.0.0.2"))
    fake.event(topology_change("NEW_NODE", "127.0.0.2"))
    assert Reader(client.stream.receive()[4]).string() == "TOPOLOGY_CHANGE"


def test_a_change_of_the_schema_is_an_answer(fake, client):
    fake.on("CREATE TABLE", schema_changed("CREATED", "TABLE", "ks", "t"))
    _, reader = client.request(QUERY, long_string("CREATE TABLE t") + b"\0\1" + bytes(4))
    assert (reader.unpack("i"), reader.string(), reader.string(), reader.string(), reader.string()) \
        == (5, "CREATED", "TABLE", "ks", "t")


# ---- several nodes ----

PLACES = (("east", "r1"), ("east", "r2"), ("west", "r1"))


@VERSIONS
def test_the_python_driver_finds_every_node(version):
    with FakeCluster(PLACES, tokens=4) as many:
        many.keyspace("shop", **{"class": "NetworkTopologyStrategy", "east": "1", "west": "1"})
        with Driver(many, version, only=False) as session:
            hosts = session.cluster.metadata.all_hosts()
            assert {(h.address, h.datacenter, h.rack, h.endpoint.port) for h in hosts} == \
                {(n.address, *n.place, many.port) for n in many.nodes}
            assert len(session.cluster.metadata.token_map.ring) == 12
            replicas = session.cluster.metadata.get_replicas("shop", b"key")
            assert sorted(r.datacenter for r in replicas) == ["east", "west"]


def test_statements_reach_the_replica():
    with FakeCluster(PLACES, tokens=4) as many:
        many.keyspace("ks", **{"class": "SimpleStrategy", "replication_factor": "1"})
        for node in many.nodes:
            prepare_users(node)
        with Driver(many, 4, only=False) as session:
            statement = session.prepare("SELECT id, name FROM users WHERE name = ? AND id = ?")
            wait_for(lambda: len(session.get_pool_state()) == 3)
            for i in range(30):
                owner = session.cluster.metadata.get_replicas("ks", struct.pack(">q", i))[0]
                asked = [n for n in many.nodes if n.address == owner.address][0]
                before = asked.count(EXECUTE)
                session.execute(statement, ("x", i))
                assert asked.count(EXECUTE) > before
        assert all(node.count(EXECUTE) > 2 for node in many.nodes)


def test_peers_and_keyspaces_are_asked_for_one_by_one():
    assert len(FakeCassandra.row("::1")["peer"][1]) == 16
    with FakeCluster(PLACES) as many, CqlClient(many.nodes[0].address, many.port, 4) as one:
        second, third = many.nodes[1:]
        assert len(one.query("SELECT * FROM system.peers_v2")) == 2
        assert one.query(f"SELECT native_port, rack FROM system.peers_v2 WHERE peer = "
                         f"'{second.address}'") == [(number(many.port), b"r2")]
        with pytest.raises(CqlError, match="Undefined column name native_port in table system.peers"):
            one.query("SELECT native_port FROM system.peers")
        many.schema_version(b"\2" * 16, [third])
        assert {row[0] for row in one.query("SELECT schema_version FROM system.peers")} == \
            {b"\1" * 16, b"\2" * 16}
        many.keyspace("shop", **{"class": "SimpleStrategy"})
        assert len(one.query("SELECT keyspace_name, replication FROM system_schema.keyspaces")) == 3
        assert one.query("SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = "
                         "'shop'") == [(b"shop",)]
        many.nodes[0].has_peers_v2 = False
        with pytest.raises(CqlError, match="0x2200: unconfigured table peers_v2"):
            one.query("SELECT * FROM system.peers_v2")
        assert len(one.query("SELECT * FROM system.peers")) == 2
        fourth = many.add(("west", "r2"))
        assert len(one.query("SELECT * FROM system.peers")) == 3 and len(fourth.peers) == 3


def test_a_node_goes_down_and_comes_up(fake):
    with CqlClient(fake.address, fake.port) as client:
        fake.down()
        with pytest.raises(ConnectionError):
            client.query("x")
    with pytest.raises(ConnectionRefusedError):
        CqlClient(fake.address, fake.port)
    fake.up()
    CqlClient(fake.address, fake.port).close()
    assert len(fake.accepted) == 2
