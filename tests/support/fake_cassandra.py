"""A Cassandra node that answers by script: what a real server cannot be made to do.

    with FakeCassandra() as fake:
        fake.on("FROM users", rows(("id", INT), [(b"\\0\\0\\0\\7",)]))
        fake.on("FROM slow", Answer(RESULT, VOID, delay=0.3))
        fake.on(PREPARE, error(0x1001, "too busy"), times=2)

Without a rule it is a small healthy node: OPTIONS, STARTUP, AUTH_RESPONSE and REGISTER are
answered, the system tables tell of itself and of `peers`, any other statement gives nothing.
"""

import dataclasses
import ipaddress
import re
import select
import struct
import threading
import time
import uuid
from typing import Optional

from cql_bytes import (
    AUTH_RESPONSE, AUTH_SUCCESS, AUTHENTICATE, BATCH, ERROR, EVENT, EXECUTE, OPCODES, OPTIONS,
    PREPARE, QUERY, READY, REGISTER, RESULT, STARTUP, SUPPORTED, Reader, Stream, data_bytes,
    envelope, string, string_multimap)
from tcp_proxy import POLL_SECONDS, Fake, close_hard

INT, TEXT, UUID, INET = b"\0\x09", b"\0\x0d", b"\0\x0c", b"\0\x10"
TEXT_SET, TEXT_MAP = b"\0\x22\0\x0d", b"\0\x21\0\x0d\0\x0d"
VOID = struct.pack(">i", 1)
PASSWORD_CLASS = "org.apache.cassandra.auth.PasswordAuthenticator"


@dataclasses.dataclass
class Answer:
    """One envelope and what happens to its bytes on the way. Where `raw` is set, they are the bytes.
    """

    opcode: int = RESULT
    body: bytes = VOID
    flags: int = 0
    stream: Optional[int] = None   # of the request
    version: Optional[int] = None  # of the request
    delay: float = 0.0             # seconds; later answers overtake it
    raw: Optional[bytes] = None
    flip: Optional[int] = None     # this bit of the bytes on the wire is wrong; -1: the last one
    cut: Optional[int] = None      # only so many bytes, then RST
    pieces: Optional[int] = None   # so many bytes a packet
    close: bool = False            # FIN behind it


SILENCE = Answer(raw=b"")
CLOSE = Answer(raw=b"", close=True)
RESET = Answer(raw=b"", cut=0)


def error(code, text, rest=b"", **more):
    return Answer(ERROR, struct.pack(">i", code) + string(text) + rest, **more)


def _metadata(columns):
    head = struct.pack(">ii", 1, len(columns)) + string("ks") + string("t")
    return head + b"".join(string(name) + kind for name, kind in columns)


def rows(columns, values, **more):
    """`columns`: pairs of a name and a type; `values`: a tuple of bytes or None for each row."""
    body = struct.pack(">i", 2) + _metadata(columns) + struct.pack(">i", len(values))
    return Answer(RESULT, body + b"".join(data_bytes(v) for row in values for v in row), **more)


def text_set(texts):
    return struct.pack(">i", len(texts)) + b"".join(data_bytes(t.encode()) for t in texts)


@dataclasses.dataclass
class Request:
    connection: int  # 0: the first that was taken
    version: int
    flags: int
    stream: int
    opcode: int
    body: bytes
    text: str = ""   # of QUERY and PREPARE, and of what EXECUTE names
    at: float = 0.0  # monotonic


def _until_readable(sock):
    """A socket that somebody waits on for long is not really closed by close()."""
    while sock.fileno() >= 0:
        if select.select([sock], [], [], POLL_SECONDS)[0]:
            return
    raise ConnectionError("closed")


class _Connection:
    def __init__(self, node, number, sock):
        self.node, self.number, self.sock = node, number, sock
        self.stream = Stream(sock, _until_readable)
        self.lock = threading.Lock()
        self.registered = False
        self.version = 4

    def serve(self):
        while True:
            version, flags, stream, opcode, body = self.stream.receive()
            self.version = version
            request = Request(self.number, version, flags, stream, opcode, body,
                              self.node.text_of(opcode, body), time.monotonic())
            self.node.requests.append(request)
            for answer in self.node.answers_to(request):
                self._give(request, answer)
            if opcode == REGISTER:
                self.registered = True

    def _give(self, request, answer):
        if answer.delay > 0:
            timer = threading.Timer(answer.delay, self._send_late, (request, answer))
            timer.daemon = True
            timer.start()
        else:
            self.send(request, answer)

    def _send_late(self, request, answer):
        try:
            self.send(request, answer)
        except OSError:
            pass

    def _wire_bytes(self, request, answer):
        data = answer.raw
        if data is None:
            version = request.version if answer.version is None else answer.version
            stream = request.stream if answer.stream is None else answer.stream
            data = self.stream.wrap(envelope(
                0x80 | version, stream, answer.opcode, answer.body, answer.flags))
        if answer.flip is not None:
            bit = answer.flip % (8 * len(data))
            data = bytearray(data)
            data[bit // 8] ^= 1 << bit % 8
        return bytes(data if answer.cut is None else data[:answer.cut])

    def send(self, request, answer):
        with self.lock:
            data = self._wire_bytes(request, answer)
            step = answer.pieces or max(len(data), 1)
            for at in range(0, len(data), step):
                self.sock.sendall(data[at:at + step])
            if request.opcode == STARTUP and answer.opcode in (READY, AUTHENTICATE):
                self.stream.framed = request.version >= 5
            if answer.cut is not None:
                close_hard(self.sock)
                raise ConnectionError("cut")
            if answer.close:
                raise ConnectionError("closed")


class FakeCassandra:
    """`versions`: what it speaks; `login`: (user, password) that it asks for; `peers`: dictionaries
    of columns of system.peers, as `local` has them. All may be changed while it runs; `requests` and
    `accepted` (when, monotonic) only grow."""

    def __init__(self, versions=(3, 4, 5), login=None, data_center="datacenter1"):
        self.versions, self.login = versions, login
        self.requests, self.rules, self.prepared = [], [], {}
        self.connections = []
        self.lock = threading.Lock()
        self.server = Fake(self._serve)
        self.accepted, self.port = self.server.accepted, self.server.port
        self.address = "127.0.0.1"
        self.local = self.row(self.address, data_center=data_center)
        self.peers = []

    @staticmethod
    def row(address, data_center="datacenter1", rack="rack1", tokens=("0",)):
        """A node's row of system.local or system.peers: column: (type, value)."""
        inet = ipaddress.ip_address(address).packed
        host = uuid.uuid5(uuid.NAMESPACE_OID, address).bytes
        return {
            "key": (TEXT, b"local"), "cluster_name": (TEXT, b"fake"),
            "bootstrapped": (TEXT, b"COMPLETED"), "peer": (INET, inet),
            "data_center": (TEXT, data_center.encode()), "rack": (TEXT, rack.encode()),
            "release_version": (TEXT, b"4.1.9"), "cql_version": (TEXT, b"3.4.6"),
            "native_protocol_version": (TEXT, b"5"), "host_id": (UUID, host),
            "partitioner": (TEXT, b"org.apache.cassandra.dht.Murmur3Partitioner"),
            "schema_version": (UUID, b"\1" * 16), "rpc_address": (INET, inet),
            "broadcast_address": (INET, inet), "listen_address": (INET, inet),
            "tokens": (TEXT_SET, text_set(tokens)),
        }

    # ---- the script ----

    def on(self, what, *answers, times=None):
        """`what`: a part of a statement, an opcode, or a function of the Request. `answers`: Answer,
        or functions of the Request that give one or a list of them. The newest rule that fits and is
        not used up counts."""
        with self.lock:
            self.rules.insert(0, [what, answers, times])

    @staticmethod
    def _fits(what, request):
        if callable(what):
            return what(request)
        return what == request.opcode if isinstance(what, int) else what in request.text

    def answers_to(self, request):
        with self.lock:
            for rule in self.rules:
                if rule[2] != 0 and self._fits(rule[0], request):
                    rule[2] = None if rule[2] is None else rule[2] - 1
                    return self._flat(rule[1], request)
        return self._flat([self._healthy(request)], request)

    @staticmethod
    def _flat(answers, request):
        flat = []
        for answer in answers:
            given = answer(request) if callable(answer) else answer
            flat += given if isinstance(given, list) else [given]
        return flat

    def event(self, body):
        """An EVENT for all connections that registered."""
        for connection in list(self.connections):
            if connection.registered:
                about = Request(connection.number, connection.version, 0, -1, REGISTER, b"")
                connection.send(about, Answer(EVENT, body))

    def cut(self):
        """Ends every open connection by RST."""
        for connection in list(self.connections):
            close_hard(connection.sock)

    # ---- the healthy node ----

    def text_of(self, opcode, body):
        if opcode in (QUERY, PREPARE):
            return Reader(body).long_string()
        if opcode == EXECUTE:
            reader = Reader(body)
            return self.prepared.get(reader.take(reader.unpack("H")), "")
        return ""

    def _healthy(self, request):
        if request.version not in self.versions:
            spoken = ", ".join(f"{v}/v{v}" for v in self.versions)
            return error(0x0A, f"Invalid or unsupported protocol version ({request.version}); "
                         f"supported versions are ({spoken})", version=max(self.versions), stream=0)
        known = {OPTIONS: self._supported, STARTUP: self._startup, AUTH_RESPONSE: self._login,
                 REGISTER: lambda _: Answer(READY, b""), QUERY: self._result,
                 EXECUTE: self._result, PREPARE: self._prepare, BATCH: lambda _: Answer()}
        if request.opcode not in known:
            return error(0x0A, f"Unknown opcode {request.opcode}")
        return known[request.opcode](request)

    def _supported(self, _):
        return Answer(SUPPORTED, string_multimap({
            "CQL_VERSION": ["3.4.6"], "COMPRESSION": [],
            "PROTOCOL_VERSIONS": [f"{v}/v{v}" for v in self.versions]}))

    def _startup(self, _):
        return Answer(READY, b"") if self.login is None else \
            Answer(AUTHENTICATE, string(PASSWORD_CLASS))

    def _login(self, request):
        wanted = "\0" + "\0".join(self.login or ("", ""))
        if Reader(request.body).bytes() == wanted.encode():
            return Answer(AUTH_SUCCESS, data_bytes(None))
        return error(0x100, f"Provided username {self.login[0]} and/or password are incorrect")

    def _result(self, request):
        used = re.match(r'USE "(.*)"$', request.text)
        if used is not None:
            return Answer(RESULT, struct.pack(">i", 3) + string(used.group(1).replace('""', '"')))
        select_list = re.search(r"SELECT\s+(.*?)\s+FROM", request.text, re.I | re.S)
        if select_list is None:
            return Answer()
        names = [name.strip() for name in select_list.group(1).split(",")]
        table = re.search(r"FROM\s+system\.(local|peers_v2|peers)\b", request.text, re.I)
        if table is None:
            return rows([(name, TEXT) for name in names], [])
        names = list(self.local) if names == ["*"] else names
        unknown = [name for name in names if name not in self.local]
        if unknown:
            return error(0x2200, f"Undefined column name {unknown[0]} in table {table.group(0)}")
        found = [self.local] if table.group(1) == "local" else self.peers
        return rows([(name, self.local[name][0]) for name in names],
                    [tuple(row[name][1] for name in names) for row in found])

    def _prepare(self, request):
        key = uuid.uuid5(uuid.NAMESPACE_OID, request.text).bytes
        self.prepared[key] = request.text
        short = struct.pack(">H", len(key)) + key
        result_id = short if request.version >= 5 else b""
        no_columns = struct.pack(">ii", 4, 0)
        return Answer(RESULT, struct.pack(">i", 4) + short + result_id +
                      struct.pack(">iii", 0, 0, 0) + no_columns)

    # ---- life ----

    def _serve(self, sock):
        with self.lock:
            connection = _Connection(self, len(self.connections), sock)
            self.connections.append(connection)
        connection.serve()

    def count(self, opcode):
        return sum(1 for request in list(self.requests) if request.opcode == opcode)

    def close(self):
        self.server.close()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def describe(request):
    """For a failed assertion."""
    return f"{OPCODES.get(request.opcode, request.opcode)} {request.text}".strip()
