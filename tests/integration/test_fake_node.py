"""The node with nothing behind it that drivers are measured against (bench/fake_node.c): drivers take
it for a Cassandra, and its rows are those that were promised."""

import os
import struct
import subprocess

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import RoundRobinPolicy

from conftest import ROOT, executable
# pylint: disable=wrong-import-order
from cql_bytes import (
    EXECUTE, PREPARE, QUERY, READY, STARTUP, CqlClient, CqlError, envelope, long_string, segments,
    string_map)

ROWS = 12_001
PAGE = 5000
READ = "SELECT id, name, amount, body FROM bench.rows WHERE id = ?"
VERSIONS = pytest.mark.parametrize("version", [4, 5])


@pytest.fixture(scope="module")
def node():
    """(address, port)"""
    folder = os.path.dirname(executable(release=True))
    subprocess.run(["ninja", "-C", folder, "bench/fake_node"], check=True, stdout=subprocess.DEVNULL)
    with subprocess.Popen([os.path.join(folder, "bench", "fake_node"), "127.0.0.1:0", str(ROWS)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        word, place = process.stdout.readline().decode().split()
        assert word == "ready"
        address, port = place.split(":")
        yield address, int(port)
        process.stdin.close()
        assert process.wait(20) == 0


def row(number):
    return number, f"row {number}", number % 1000, "x" * 100


@VERSIONS
def test_the_python_driver_reads_and_writes(node, version):
    profile = ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), request_timeout=60)
    cluster = Cluster([node[0]], port=node[1], protocol_version=version, connect_timeout=60,
                      execution_profiles={EXEC_PROFILE_DEFAULT: profile})
    try:
        session = cluster.connect("bench")
        assert [h.address for h in cluster.metadata.all_hosts()] == [node[0]]
        assert list(cluster.metadata.keyspaces) == ["bench"]
        read = session.prepare(READ)
        assert read.routing_key_indexes == [0]
        for number in (0, 77, ROWS - 1):
            assert tuple(session.execute(read, (number,)).one()) == row(number)
        assert session.execute(read, (ROWS,)).one() is None
        scan = session.prepare("SELECT id, name, amount, body FROM bench.rows")
        found = session.execute(scan)
        assert len(found.current_rows) == PAGE and found.has_more_pages
        assert [tuple(one) for one in found] == [row(number) for number in range(ROWS)]
        write = session.prepare("INSERT INTO bench.written (id, name, amount, body) VALUES (?, ?, ?, ?)")
        session.execute(write, row(3))
        assert session.execute("SELECT count(*) FROM bench.rows").one().count == ROWS
    finally:
        cluster.shutdown()


def execute(client, statement, number):
    """An envelope that reads one row, and knows the columns."""
    known = statement if client.version >= 5 else b""
    flags = struct.pack(">i" if client.version >= 5 else ">B", 3)
    body = statement + known + b"\0\1" + flags + b"\0\1\0\0\0\x08" + struct.pack(">q", number)
    return envelope(client.version, number, EXECUTE, body)


def prepare(client):
    _, reader = client.request(PREPARE, long_string(READ) + bytes(4 if client.version >= 5 else 0))
    reader.take(4)
    return b"\0\x10" + reader.short_bytes()


@VERSIONS
def test_many_at_once_and_in_any_pieces(node, version):
    with CqlClient(*node, version) as client:
        statement = prepare(client)
        sent = b"".join(execute(client, statement, number) for number in range(300))
        sent = segments(sent) if version >= 5 else sent
        for at in range(0, len(sent), 1000):
            client.sock.sendall(sent[at:at + 1000])
        for number in range(300):
            _, _, stream, _, body = client.stream.receive()
            assert stream == number
            assert struct.unpack(">iiiiiq", body[:28]) == (2, 4, 4, 1, 8, number)
        for byte in client.stream.wrap(execute(client, statement, 5)):
            client.sock.sendall(bytes([byte]))
        assert client.stream.receive()[2] == 5
        large = "x" * 400_000
        assert client.query(large) == []


@pytest.mark.parametrize("version", [3, 6, 71])
def test_a_version_it_does_not_speak_is_refused(node, version):
    with CqlClient(*node, version, start=False) as client:
        client.sock.sendall(envelope(version, 1, STARTUP, string_map({"CQL_VERSION": "3.0.0"})))
        answer = client.stream.receive()
        assert (answer[0], answer[3]) == (0x85, 0)
        assert b"Invalid or unsupported protocol version (%d)" % version in answer[4]


def test_what_is_damaged_ends_the_connection(node):
    with CqlClient(*node, 5) as client:
        broken = bytearray(client.stream.wrap(envelope(5, 1, QUERY, long_string("x"))))
        broken[-1] ^= 1
        client.sock.sendall(broken)
        with pytest.raises(ConnectionError):
            client.stream.receive()
    with CqlClient(*node, 4) as client:
        with pytest.raises(CqlError, match="ends early"):
            client.request(QUERY, b"\0\0\1\0")
        with pytest.raises(CqlError, match="not ours"):
            client.request(EXECUTE, b"\0\2ab\0\1\0")
        client.sock.sendall(struct.pack(">BBhBi", 4, 0, 1, QUERY, -1))
        with pytest.raises(ConnectionError):
            client.stream.receive()
    with CqlClient(*node, 4) as client:
        assert client.request(STARTUP, string_map({}))[0] == READY
