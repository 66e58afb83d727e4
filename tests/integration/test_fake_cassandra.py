"""The scripted Cassandra node itself: seen by a plain client, and taken for real by a driver."""

import os
import struct
import sys
import threading
import time

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import WhiteListRoundRobinPolicy

from conftest import ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
from cql_bytes import (  # noqa: E402
    EVENT, OPTIONS, PREPARE, QUERY, REGISTER, RESULT, CqlClient, CqlError, envelope, long_string,
    string, string_list)
from fake_cassandra import (  # noqa: E402
    CLOSE, INT, RESET, SILENCE, VOID, Answer, FakeCassandra, error, rows)


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


@pytest.mark.parametrize("version", [4, 5])
def test_the_python_driver_takes_it_for_a_cassandra(fake, version):
    fake.on("FROM users", rows([("id", INT)], [(number(1),), (number(-2),)]))
    profile = ExecutionProfile(load_balancing_policy=WhiteListRoundRobinPolicy([fake.address]))
    cluster = Cluster([fake.address], port=fake.port, protocol_version=version, compression=False,
                      execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    try:
        session = cluster.connect()
        assert [row.id for row in session.execute("SELECT id FROM users")] == [1, -2]
        assert cluster.metadata.cluster_name == "fake"
    finally:
        cluster.shutdown()
