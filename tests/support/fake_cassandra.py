"""A Cassandra node that answers by script: what a real server cannot be made to do.

    with FakeCassandra() as fake:
        fake.on("FROM users", rows([("id", INT)], [(b"\\0\\0\\0\\7",)]))
        fake.on("FROM slow", Answer(RESULT, VOID, delay=0.3))
        fake.on(PREPARE, error(0x1001, "too busy"), times=2)
        fake.prepares("FROM users", binds=[("id", INT)], pk=[0], result=[("id", INT)])

Without a rule it is a small healthy node: OPTIONS, STARTUP, AUTH_RESPONSE and REGISTER are
answered, the system tables tell of itself, of `peers` and `keyspaces`, statements are prepared and
only prepared ones executed, any other statement gives nothing. FakeCluster has several of them.
"""

import dataclasses
import hashlib
import random
import re
import select
import socket
import ssl
import struct
import threading
import time
import uuid
from typing import Optional

import fake_tables
from cql_bytes import (
    AUTH_RESPONSE, AUTH_SUCCESS, AUTHENTICATE, BATCH, ERROR, EVENT, EXECUTE, OPCODES, OPTIONS,
    PAYLOAD, PREPARE, QUERY, READY, REGISTER, RESULT, STARTUP, SUPPORTED, TRACING, WARNINGS, Reader,
    Stream, bytes_map, data_bytes, envelope, string, string_list, string_multimap)
from fake_tables import BLOB, TEXT, metadata
from tcp_proxy import POLL_SECONDS, Fake, close_hard

VOID = struct.pack(">i", 1)
HAS_MORE, NO_METADATA, METADATA_CHANGED, SKIP_METADATA = 2, 4, 8, 2  # flags of metadata, EXECUTE
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
    tracing: Optional[bytes] = None
    warnings: tuple = ()
    payload: Optional[dict] = None
    table: Optional[tuple] = None  # what rows() was given: EXECUTE may want less of it than `body`


SILENCE = Answer(raw=b"")
CLOSE = Answer(raw=b"", close=True)
RESET = Answer(raw=b"", cut=0)


def error(code, text, rest=b"", **more):
    return Answer(ERROR, struct.pack(">i", code) + string(text) + rest, **more)


def _rows_body(head, values):
    return struct.pack(">i", 2) + head + struct.pack(">i", len(values)) + \
        b"".join(data_bytes(v) for row in values for v in row)


def rows(columns, values, state=None, **more):
    """`columns`: pairs of a name and a type; `values`: a tuple of bytes or None for each row;
    `state`: by which the next page is asked for."""
    head = metadata(columns) if state is None else metadata(columns, HAS_MORE, data_bytes(state))
    return Answer(RESULT, _rows_body(head, values), table=(columns, values, state), **more)


def _short_bytes(data):
    return struct.pack(">H", len(data)) + data


def metadata_id(columns):
    """By which version 5 tells that a statement's columns are still the same."""
    return hashlib.md5(repr(list(columns)).encode()).digest()


def status_change(change, address, port=9042):
    """The body of an EVENT: "UP", "DOWN"."""
    return string("STATUS_CHANGE") + string(change) + _inet(address, port)


def topology_change(change, address, port=9042):
    """"NEW_NODE", "REMOVED_NODE"."""
    return string("TOPOLOGY_CHANGE") + string(change) + _inet(address, port)


def _schema(change, target, keyspace, name=None, arguments=None):
    body = string(change) + string(target) + string(keyspace)
    body += b"" if name is None else string(name)
    return body + (b"" if arguments is None else string_list(arguments))


def schema_change(*what):
    """"CREATED", "UPDATED" or "DROPPED"; "KEYSPACE", "TABLE", "TYPE", "FUNCTION" or "AGGREGATE"; the
    keyspace; then, but for a keyspace, a name; then, of the last two, types of arguments."""
    return string("SCHEMA_CHANGE") + _schema(*what)


def schema_changed(*what, **more):
    """What the statement answers that did it."""
    return Answer(RESULT, struct.pack(">i", 5) + _schema(*what), **more)


def _inet(address, port):
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return bytes([len(packed)]) + packed + struct.pack(">i", port)


@dataclasses.dataclass
class Statement:
    """What PREPARE answers for statements that hold `what`. `pk`: which binds make the partition
    key, in its order."""

    what: str
    binds: tuple = ()
    pk: tuple = ()
    result: tuple = ()

    def body(self, key, version):
        """`key`: its id."""
        head = metadata(self.binds)
        indexes = struct.pack(">i", len(self.pk)) + struct.pack(f">{len(self.pk)}H", *self.pk)
        binds = head[:8] + indexes + head[8:]
        result = metadata(self.result) if self.result else struct.pack(">ii", NO_METADATA, 0)
        ids = _short_bytes(key) + (_short_bytes(metadata_id(self.result)) if version >= 5 else b"")
        return struct.pack(">i", 4) + ids + binds + result


@dataclasses.dataclass
class Request:
    connection: int  # 0: the first that was taken
    version: int
    flags: int
    stream: int
    opcode: int
    body: bytes
    text: str = ""   # of QUERY and PREPARE, and of what EXECUTE names; of BATCH with "; " between
    unknown: Optional[bytes] = None  # the id that EXECUTE or BATCH names and nobody prepared
    at: float = 0.0  # monotonic


def _until_readable(sock):
    """A socket that somebody waits on for long is not really closed by close()."""
    while sock.fileno() >= 0:
        if sock.pending():
            return
        if select.select([sock], [], [], POLL_SECONDS)[0]:
            return
    raise ConnectionError("closed")


class _Socket:
    """A socket, perhaps with TLS, which only one thread at a time may use."""

    def __init__(self, sock):
        self.sock, self.lock = sock, threading.Lock()
        self.fileno, self.close, self.setsockopt = sock.fileno, sock.close, sock.setsockopt
        self.is_tls = isinstance(sock, ssl.SSLSocket)

    def pending(self):
        """Bytes that were decrypted already."""
        return self.sock.pending() if self.is_tls and self.fileno() >= 0 else 0

    def recv(self, count):
        if not self.is_tls:
            return self.sock.recv(count)
        with self.lock:
            return self.sock.recv(count)

    def sendall(self, data):
        if not self.is_tls:
            self.sock.sendall(data)
            return
        with self.lock:
            self.sock.sendall(data)


class _Connection:
    def __init__(self, node, number, sock):
        self.node, self.number, self.sock = node, number, _Socket(sock)
        self.stream = Stream(self.sock, _until_readable)
        self.lock = threading.Lock()
        self.registered = []  # the types of events
        self.packs = False    # once it has started
        self.version = 4

    def serve(self):
        while True:
            version, flags, stream, opcode, body = self.stream.receive()
            self.version = version
            text, unknown = self.node.text_of(opcode, body)
            request = Request(self.number, version, flags, stream, opcode, body, text, unknown,
                              time.monotonic())
            self.node.requests.append(request)
            if opcode == STARTUP:
                self.packs = Reader(body).string_map().get("COMPRESSION") == "lz4"
            for answer in self.node.answers_to(request):
                self._give(request, answer)
            if opcode == REGISTER:
                self.registered = Reader(body).string_list()

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
            flags, body = _with_extras(request, answer)
            data = self.stream.wrap(envelope(0x80 | version, stream, answer.opcode, body, flags))
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
                self.stream.framed, self.stream.packs = request.version >= 5, self.packs
            if answer.cut is not None:
                close_hard(self.sock)
                raise ConnectionError("cut")
            if answer.close:
                raise ConnectionError("closed")


def _with_extras(request, answer):
    """Flags and body of an answer with what stands before its message."""
    flags, body, tracing = answer.flags, answer.body, answer.tracing
    if tracing is None and request.flags & TRACING and answer.opcode == RESULT:
        tracing = uuid.uuid1().bytes
    if answer.payload is not None:
        flags, body = flags | PAYLOAD, bytes_map(answer.payload) + body
    if answer.warnings:
        flags, body = flags | WARNINGS, string_list(answer.warnings) + body
    if tracing is not None:
        flags, body = flags | TRACING, tracing + body
    return flags, body


def _for_execute(request, answer):
    """The rows as EXECUTE asks for them: without columns that the client knows, in version 5 with
    the new ones where they changed since PREPARE."""
    reader = Reader(request.body)
    reader.short_bytes()
    known = reader.short_bytes() if request.version >= 5 else None
    reader.unpack("H")
    skips = reader.unpack("i" if request.version >= 5 else "B") & SKIP_METADATA
    columns, values, state = answer.table
    flags, inner = 0, b""
    if state is not None:
        flags, inner = HAS_MORE, data_bytes(state)
    if known is not None and known != metadata_id(columns):
        head = metadata(columns, flags | METADATA_CHANGED,
                        inner + _short_bytes(metadata_id(columns)))
    elif skips:
        head = struct.pack(">ii", flags | NO_METADATA, len(columns)) + inner
    else:
        head = metadata(columns, flags, inner)
    return dataclasses.replace(answer, body=_rows_body(head, values))


class FakeCassandra:
    """`versions`: what it speaks; `login`: (user, password) that it asks for; `peers`: dictionaries
    of columns as `local` has them; `keyspaces`: name: options of the replication; `packs`: it offers
    LZ4; `tls`: an ssl.SSLContext; `has_peers_v2`: False for what came before 4.0. All may be changed
    while it runs; `requests` and `accepted` (when, monotonic) only grow."""

    def __init__(self, versions=(3, 4, 5), login=None, data_center="datacenter1", packs=False,
                 tls=None, address="127.0.0.1", port=0):
        self.versions, self.login, self.packs, self.tls = versions, login, packs, tls
        self.requests, self.rules, self.prepared, self.statements = [], [], {}, []
        self.connections = []
        self.lock = threading.RLock()  # a rule may ask for what a healthy node says
        self.address = address
        self.server = Fake(self._serve, address, port)
        self.accepted, self.port = self.server.accepted, self.server.port
        self.local = self.row(address, data_center=data_center, port=self.port)
        self.peers = []
        self.has_peers_v2 = True
        self.keyspaces = {"system": fake_tables.LOCAL_STRATEGY,
                          "system_schema": fake_tables.LOCAL_STRATEGY}

    row = staticmethod(fake_tables.node_row)

    # ---- the script ----

    def on(self, what, *answers, times=None):
        """`what`: a part of a statement that is executed, an opcode, or a function of the Request.
        `answers`: Answer, or functions of the Request that give one or a list of them. The newest
        rule that fits and is not used up counts."""
        with self.lock:
            self.rules.insert(0, [what, answers, times])

    @staticmethod
    def _fits(what, request):
        if callable(what):
            return what(request)
        if isinstance(what, int):
            return what == request.opcode
        return what in request.text and request.opcode != PREPARE

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
        return [_for_execute(request, answer)
                if answer.table is not None and request.opcode == EXECUTE else answer
                for answer in flat]

    def prepares(self, what, binds=(), pk=(), result=()):
        """What PREPARE answers for statements that hold `what`, from now on: `binds` and `result`
        are pairs of a name and a type. Without it a statement has a blob for each "?"."""
        with self.lock:
            self.statements.insert(0, Statement(what, tuple(binds), tuple(pk), tuple(result)))

    def forget(self):
        """Prepared statements are known no more, as after a restart."""
        self.prepared.clear()

    def event(self, body):
        """An EVENT for all connections that registered for its type."""
        kind = Reader(body).string()
        for connection in list(self.connections):
            if kind in connection.registered:
                about = Request(connection.number, connection.version, 0, -1, REGISTER, b"")
                connection.send(about, Answer(EVENT, body))

    def cut(self):
        """Ends every open connection by RST."""
        for connection in list(self.connections):
            close_hard(connection.sock)

    # ---- the healthy node ----

    def text_of(self, opcode, body):
        """The text of the statement, and the id that nobody prepared."""
        reader = Reader(body)
        if opcode in (QUERY, PREPARE):
            return reader.long_string(), None
        if opcode == EXECUTE:
            key = reader.short_bytes()
            return self.prepared.get(key, ""), None if key in self.prepared else key
        return self._batch(reader) if opcode == BATCH else ("", None)

    def _batch(self, reader):
        texts, unknown = [], None
        reader.unpack("B")
        for _ in range(reader.unpack("H")):
            if reader.unpack("B") == 0:
                texts.append(reader.long_string())
            else:
                key = reader.short_bytes()
                unknown = unknown if key in self.prepared or unknown else key
                texts.append(self.prepared.get(key, ""))
            for _ in range(reader.unpack("H")):
                reader.bytes()
        return "; ".join(texts), unknown

    def _healthy(self, request):
        if request.version not in self.versions:
            spoken = ", ".join(f"{v}/v{v}" for v in self.versions)
            return error(0x0A, f"Invalid or unsupported protocol version ({request.version}); "
                         f"supported versions are ({spoken})", version=max(self.versions), stream=0)
        known = {OPTIONS: self._supported, STARTUP: self._startup, AUTH_RESPONSE: self._login,
                 REGISTER: lambda _: Answer(READY, b""), QUERY: self._result,
                 EXECUTE: self._result, PREPARE: self._prepare, BATCH: lambda _: Answer()}
        if request.unknown is not None:
            return error(0x2500, f"Prepared query with ID {request.unknown.hex()} not found",
                         _short_bytes(request.unknown))
        if request.opcode not in known:
            return error(0x0A, f"Unknown opcode {request.opcode}")
        return known[request.opcode](request)

    def _supported(self, _):
        return Answer(SUPPORTED, string_multimap({
            "CQL_VERSION": ["3.4.6"], "COMPRESSION": ["lz4"] if self.packs else [],
            "PROTOCOL_VERSIONS": [f"{v}/v{v}" for v in self.versions]}))

    def _startup(self, request):
        method = Reader(request.body).string_map().get("COMPRESSION", "lz4")
        if method != "lz4":
            return error(0x0A, f"Unknown compression algorithm: {method}")
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
        tables = {"local": [self.local], "peers": self.peers, "peers_v2": self.peers,
                  "keyspaces": fake_tables.keyspace_rows(self.keyspaces)}
        if not self.has_peers_v2:
            if "peers_v2" in request.text:
                return error(0x2200, "unconfigured table peers_v2")
            del tables["peers_v2"]
        try:
            found = fake_tables.select(request.text, tables)
        except fake_tables.Unknown as why:
            return error(0x2200, str(why))
        return rows(*found) if found is not None else self._nothing(request)

    def _nothing(self, request):
        statement = self._statement(request.text)
        if statement.result:
            return rows(statement.result, [])
        names = re.match(r"SELECT\s+(.*?)\s+FROM", request.text, re.I | re.S)
        if names is None:
            return Answer()
        return rows([(name.strip(), TEXT) for name in names.group(1).split(",")], [])

    def _statement(self, text):
        with self.lock:
            found = [s for s in self.statements if s.what in text]
        return found[0] if found else Statement(
            text, tuple((f"bind{i}", BLOB) for i in range(text.count("?"))))

    def _prepare(self, request):
        key = uuid.uuid5(uuid.NAMESPACE_OID, request.text).bytes
        self.prepared[key] = request.text
        return Answer(RESULT, self._statement(request.text).body(key, request.version))

    # ---- life ----

    def _serve(self, sock):
        if self.tls is not None:
            sock = self.tls.wrap_socket(sock, server_side=True)
        with sock:
            with self.lock:
                connection = _Connection(self, len(self.connections), sock)
                self.connections.append(connection)
            connection.serve()

    def count(self, opcode):
        return sum(1 for request in list(self.requests) if request.opcode == opcode)

    def down(self):
        """Nobody listens any more, and every open connection ends by RST."""
        self.server.close()
        self.cut()

    def up(self):
        """On the same address and port again."""
        self.server = Fake(self._serve, self.address, self.port, self.accepted)

    def close(self):
        self.down()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class FakeCluster:
    """Nodes on loopback addresses of their own and one port, which know each other. `places`: a pair
    of data centre and rack for each; `tokens`: of each node, spread evenly; `more`: of the nodes."""

    def __init__(self, places=(("datacenter1", "rack1"),) * 3, tokens=1, **more):
        self.tokens, self.more, self.nodes = tokens, more, []
        self.net = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}"
        self.port = 0
        for place in places:
            self._begin(place)
        self._spread()

    def _begin(self, place):
        address = f"{self.net}.{len(self.nodes) + 1}"
        node = FakeCassandra(address=address, port=self.port, **self.more)
        node.place, self.port = place, node.port
        self.nodes.append(node)

    def _spread(self):
        """Gives each node its tokens, and tells all of all."""
        count = len(self.nodes) * self.tokens
        all_tokens = [str(-2**63 + 1 + i * (2**64 // count)) for i in range(count)]
        for i, node in enumerate(self.nodes):
            node.local = node.row(node.address, *node.place, all_tokens[i::len(self.nodes)],
                                  node.port)
        self.tell()

    def tell(self):
        """All nodes see what `local` of the others says now."""
        for node in self.nodes:
            node.peers = [other.local for other in self.nodes if other is not node]

    def add(self, place=("datacenter1", "rack1")):
        """One more node; the others' tokens change too, and nobody sends an event."""
        self._begin(place)
        self._spread()
        return self.nodes[-1]

    def schema_version(self, version, nodes=None):
        """Of the nodes, or all: 16 bytes."""
        for node in nodes or self.nodes:
            node.local["schema_version"] = (fake_tables.UUID, version)

    def keyspace(self, name, **options):
        """`class` is spelled out: keyspace("shop", **{"class": "SimpleStrategy", …})."""
        for node in self.nodes:
            node.keyspaces[name] = options

    def close(self):
        for node in self.nodes:
            node.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def describe(request):
    """For a failed assertion."""
    return f"{OPCODES.get(request.opcode, request.opcode)} {request.text}".strip()
