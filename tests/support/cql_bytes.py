"""The bytes of Cassandra's native protocol, versions 4 and 5, for tests: a small client over a raw
socket, and what the fake server needs. Independent of src/cql/."""

import socket
import struct
import zlib

import lz4.block

ERROR, STARTUP, READY, AUTHENTICATE, OPTIONS, SUPPORTED, QUERY, RESULT = 0, 1, 2, 3, 5, 6, 7, 8
PREPARE, EXECUTE, REGISTER, EVENT, BATCH = 9, 10, 11, 12, 13
AUTH_CHALLENGE, AUTH_RESPONSE, AUTH_SUCCESS = 14, 15, 16
OPCODES = {value: name for name, value in list(globals().items())
           if name.isupper() and isinstance(value, int)}
SEGMENT_MOST = 131071
COMPRESSED, TRACING, PAYLOAD, WARNINGS = 1, 2, 4, 8  # flags of an envelope
HEADER = 9
ONE, QUORUM = 1, 4


# ---- notations ---------------------------------------------------------------------------------

def string(text):
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def long_string(text):
    data = text.encode()
    return struct.pack(">i", len(data)) + data


def data_bytes(data):
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def string_list(texts):
    return struct.pack(">H", len(texts)) + b"".join(map(string, texts))


def string_map(pairs):
    return struct.pack(">H", len(pairs)) + b"".join(string(k) + string(v) for k, v in pairs.items())


def bytes_map(pairs):
    return struct.pack(">H", len(pairs)) + b"".join(
        string(k) + data_bytes(v) for k, v in pairs.items())


def string_multimap(pairs):
    return struct.pack(">H", len(pairs)) + b"".join(
        string(k) + string_list(v) for k, v in pairs.items())


class Reader:
    """Takes notations off the front of a body."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        assert count <= len(self.data) - self.at, "the body ends early"
        self.at += count
        return self.data[self.at - count:self.at]

    def unpack(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))[0]

    def string(self):
        return self.take(self.unpack("H")).decode()

    def long_string(self):
        return self.take(self.unpack("i")).decode()

    def bytes(self):
        count = self.unpack("i")
        return None if count < 0 else self.take(count)

    def string_list(self):
        return [self.string() for _ in range(self.unpack("H"))]

    def string_map(self):
        return {self.string(): self.string() for _ in range(self.unpack("H"))}

    def short_bytes(self):
        return self.take(self.unpack("H"))

    def bytes_map(self):
        return {self.string(): self.bytes() for _ in range(self.unpack("H"))}

    def string_multimap(self):
        return {self.string(): self.string_list() for _ in range(self.unpack("H"))}


# ---- envelopes and segments --------------------------------------------------------------------

def envelope(version, stream, opcode, body=b"", flags=0):
    return struct.pack(">BBhBi", version, flags, stream, opcode, len(body)) + body


def crc24(data):
    crc = 0x875060
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1974F0B
    return crc


def compressed(data):
    """An envelope of version 4 whose body is compressed; without a body as it is."""
    head, body = bytearray(data[:HEADER]), data[HEADER:]
    if not body:
        return data
    body = struct.pack(">i", len(body)) + lz4.block.compress(body, store_size=False)
    head[1] |= COMPRESSED
    return bytes(head[:5]) + struct.pack(">i", len(body)) + body


def _segment_header(payload, whole, packs):
    """The header without its CRC, and the payload as it is sent."""
    if not packs:
        return (len(payload) | whole << 17).to_bytes(3, "little"), payload
    packed, plain = lz4.block.compress(payload, store_size=False), len(payload)
    if len(packed) >= plain:
        packed, plain = payload, 0
    return (len(packed) | plain << 17 | whole << 34).to_bytes(5, "little"), packed


def _segment(payload, whole, packs):
    header, payload = _segment_header(payload, int(whole), packs)
    crc32 = zlib.crc32(payload, zlib.crc32(b"\xfa\x2d\x55\xca"))
    return header + crc24(header).to_bytes(3, "little") + payload + crc32.to_bytes(4, "little")


def segments(data, packs=False):
    """An envelope as the segments of version 5, compressed where that makes them shorter."""
    if len(data) <= SEGMENT_MOST:
        return _segment(data, True, packs)
    return b"".join(_segment(data[at:at + SEGMENT_MOST], False, packs)
                    for at in range(0, len(data), SEGMENT_MOST))


class Stream:
    """One end of a connection: envelopes over a socket, in segments once `framed`, compressed once
    `packs`. `before_read` is called with the socket before each recv()."""

    def __init__(self, sock, before_read=lambda sock: None):
        self.sock, self.framed, self.packs, self.inner = sock, False, False, b""
        self.before_read = before_read

    def _exactly(self, count):
        data = bytearray()
        while len(data) < count:
            self.before_read(self.sock)
            more = self.sock.recv(count - len(data))
            if not more:
                raise ConnectionError("closed")
            data += more
        return bytes(data)

    def _inner(self, count):
        while len(self.inner) < count:
            size = 5 if self.packs else 3
            header = self._exactly(size + 3)
            assert crc24(header[:size]) == int.from_bytes(header[size:], "little"), "a wrong CRC24"
            bits = int.from_bytes(header[:size], "little")
            payload = self._exactly(bits & SEGMENT_MOST)
            crc32 = int.from_bytes(self._exactly(4), "little")
            assert zlib.crc32(payload, zlib.crc32(b"\xfa\x2d\x55\xca")) == crc32, "a wrong CRC32"
            plain = bits >> 17 & SEGMENT_MOST if self.packs else 0
            self.inner += lz4.block.decompress(payload, plain) if plain else payload
        data, self.inner = self.inner[:count], self.inner[count:]
        return data

    def receive(self):
        """(version, flags, stream, opcode, body); ConnectionError at the end."""
        take = self._inner if self.framed else self._exactly
        version, flags, stream, opcode, size = struct.unpack(">BBhBi", take(HEADER))
        body = take(size)
        if flags & COMPRESSED:
            body = lz4.block.decompress(body[4:], int.from_bytes(body[:4], "big"))
        return version, flags, stream, opcode, body

    def wrap(self, data):
        if self.framed:
            return segments(data, self.packs)
        return compressed(data) if self.packs else data


# ---- a client ----------------------------------------------------------------------------------

class CqlError(Exception):
    def __init__(self, code, text):
        super().__init__(f"0x{code:04x}: {text}")
        self.code = code


class CqlClient:
    """One connection, one request at a time. `tls`: an ssl.SSLContext. `packs`: LZ4. The last answer's
    `flags`, `tracing`, `warnings` and `payload` stay until the next one, as do `columns`: pairs of a
    name and the bytes of its type."""

    def __init__(self, address, port, version=4, user=None, password=None, tls=None, timeout=20,
                 start=True, packs=False):
        sock = socket.create_connection((address, port), timeout=timeout)
        self.sock = tls.wrap_socket(sock, server_hostname=address) if tls else sock
        self.version, self.stream = version, Stream(self.sock)
        self.flags, self.tracing, self.warnings, self.payload = 0, None, [], {}
        self.packs, self.columns = packs, []
        try:
            if start:
                self._start(user, password)
        except BaseException:
            self.close()
            raise

    def request(self, opcode, body=b"", flags=0):
        """The opcode and the body of the answer; an ERROR is raised."""
        self.sock.sendall(self.stream.wrap(envelope(self.version, 1, opcode, body, flags)))
        _, self.flags, stream, answer, data = self.stream.receive()
        assert stream == 1, f"an answer on the stream {stream}"
        reader = Reader(data)
        self.tracing = reader.take(16) if self.flags & TRACING else None
        self.warnings = reader.string_list() if self.flags & WARNINGS else []
        self.payload = reader.bytes_map() if self.flags & PAYLOAD else {}
        if answer == ERROR:
            raise CqlError(reader.unpack("i"), reader.string())
        return answer, reader

    def options(self):
        answer, reader = self.request(OPTIONS)
        assert answer == SUPPORTED
        return reader.string_multimap()

    def _start(self, user, password):
        options = {"CQL_VERSION": "3.0.0", **({"COMPRESSION": "lz4"} if self.packs else {})}
        answer, _ = self.request(STARTUP, string_map(options))
        self.stream.framed, self.stream.packs = self.version >= 5, self.packs
        if answer == AUTHENTICATE:
            token = f"\0{user}\0{password}".encode()
            answer, _ = self.request(AUTH_RESPONSE, data_bytes(token))
            assert answer == AUTH_SUCCESS
        else:
            assert answer == READY

    def query(self, text, consistency=ONE, values=()):
        """The rows, each a tuple of bytes or None. `values`: bytes or None for each "?"."""
        flags = struct.pack(">i" if self.version >= 5 else ">B", 1 if values else 0)
        bound = struct.pack(">H", len(values)) + b"".join(map(data_bytes, values)) if values else b""
        answer, reader = self.request(
            QUERY, long_string(text) + struct.pack(">H", consistency) + flags + bound)
        assert answer == RESULT
        return self._rows(reader) if reader.unpack("i") == 2 else []

    def _rows(self, reader):
        flags, columns = reader.unpack("i"), reader.unpack("i")
        if flags & 2:
            reader.bytes()
        if flags & 1:
            reader.string(), reader.string()
        self.columns = []
        for _ in range(columns):
            if not flags & 1:
                reader.string(), reader.string()
            name, begin = reader.string(), reader.at
            self._type(reader)
            self.columns.append((name, reader.data[begin:reader.at]))
        return [tuple(reader.bytes() for _ in range(columns)) for _ in range(reader.unpack("i"))]

    @classmethod
    def _type(cls, reader):
        kind = reader.unpack("H")
        if kind == 0:
            reader.string()
        elif kind == 0x30:
            reader.string(), reader.string()
        for _ in range({0x20: 1, 0x21: 2, 0x22: 1}.get(kind, 0)):
            cls._type(reader)
        if kind in (0x30, 0x31):
            for _ in range(reader.unpack("H")):
                if kind == 0x30:
                    reader.string()
                cls._type(reader)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
