"""Values of Cassandra's types as another driver writes them: ours reads the same, and writes the
same bytes."""

import ipaddress
import json
import os
import pathlib
import random
import struct
import subprocess
import uuid
from decimal import Decimal

from cassandra import cqltypes, util
from conftest import executable

LONG = os.environ.get("TD_LONG") == "1"
VALUES = 20000 if LONG else 2000
PROTOCOL = 4


class Pairs:
    """A map whose keys need no hash."""

    def __init__(self, pairs):
        self.pairs = pairs

    def __len__(self):
        return len(self.pairs)

    def items(self):
        return self.pairs


def edge_int(rng, bits):
    """An integer of so many bits; often at the end of a byte."""
    size = rng.choice([n for n in (7, 8, 15, 16, 23, 31, 32, 63, 64, 127, 200) if n < bits] + [bits - 1])
    value = rng.choice([0, 1, (1 << size) - 1, 1 << size, rng.getrandbits(size)])
    value = -value if rng.random() < 0.5 else value
    return max(-(1 << bits - 1), min((1 << bits - 1) - 1, value))


def shown_int(value):
    """A number as the tool shows it: hexadecimal where it does not fit 64 bits."""
    if -(1 << 63) <= value < 1 << 63:
        return value
    size = 1
    while not -(1 << 8 * size - 1) <= value < 1 << 8 * size - 1:
        size += 1
    return value.to_bytes(size, "big", signed=True).hex()


def random_text(rng):
    return "".join(rng.choice("aZ09 é€😀") for _ in range(rng.randrange(12)))


def random_decimal(rng):
    unscaled, scale = edge_int(rng, 120), rng.randrange(-40, 40)
    digits = tuple(int(c) for c in str(abs(unscaled)))
    return Decimal((1 if unscaled < 0 else 0, digits, -scale)), [scale, shown_int(unscaled)]


def random_duration(rng):
    parts = [abs(edge_int(rng, 32)), abs(edge_int(rng, 32)), abs(edge_int(rng, 63))]
    parts = [min(parts[0], 2**31 - 1), min(parts[1], 2**31 - 1), parts[2]]
    parts = [-p for p in parts] if rng.random() < 0.5 else parts
    return util.Duration(*parts), parts


def same(make):
    return lambda rng: (value := make(rng), value)


def bytes_of(rng):
    value = rng.randbytes(rng.randrange(20))
    return value, value.hex()


def text_of(rng):
    value = random_text(rng)
    return value, value.encode().hex()


def ascii_of(rng):
    value = "".join(chr(rng.randrange(128)) for _ in range(rng.randrange(9)))
    return value, value.encode().hex()


def uuid_of(rng):
    value = uuid.UUID(bytes=rng.randbytes(16))
    return value, value.hex


def inet_of(rng):
    make = rng.choice([lambda: ipaddress.IPv4Address(rng.getrandbits(32)),
                       lambda: ipaddress.IPv6Address(rng.getrandbits(128))])
    value = make()
    return str(value), value.packed.hex()


def time_of(rng):
    ns = rng.choice([0, 86399999999999, rng.randrange(86400 * 10**9)])
    return util.Time(ns), ns


def date_of(rng):
    days = edge_int(rng, 32)
    return util.Date(days), days


def varint_of(rng):
    value = edge_int(rng, 300)
    return value, shown_int(value)


def float_of(rng):
    value = struct.unpack(">f", struct.pack(">f", rng.choice([0.0, -1.5, rng.gauss(0, 1e9)])))[0]
    return value, value


# class, [option], a random value and how the tool shows it
SIMPLE = [
    (cqltypes.AsciiType, 0x01, ascii_of),
    (cqltypes.LongType, 0x02, same(lambda rng: edge_int(rng, 64))),
    (cqltypes.BytesType, 0x03, bytes_of),
    (cqltypes.BooleanType, 0x04, same(lambda rng: rng.random() < 0.5)),
    (cqltypes.CounterColumnType, 0x05, same(lambda rng: edge_int(rng, 64))),
    (cqltypes.DecimalType, 0x06, random_decimal),
    (cqltypes.DoubleType, 0x07, same(lambda rng: rng.choice([0.0, 1e308, 5e-324, rng.gauss(0, 1e9)]))),
    (cqltypes.FloatType, 0x08, float_of),
    (cqltypes.Int32Type, 0x09, same(lambda rng: edge_int(rng, 32))),
    (cqltypes.DateType, 0x0b, same(lambda rng: edge_int(rng, 53))),
    (cqltypes.UUIDType, 0x0c, uuid_of),
    (cqltypes.UTF8Type, 0x0d, text_of),
    (cqltypes.IntegerType, 0x0e, varint_of),
    (cqltypes.TimeUUIDType, 0x0f, uuid_of),
    (cqltypes.InetAddressType, 0x10, inet_of),
    (cqltypes.SimpleDateType, 0x11, date_of),
    (cqltypes.TimeType, 0x12, time_of),
    (cqltypes.ShortType, 0x13, same(lambda rng: edge_int(rng, 16))),
    (cqltypes.ByteType, 0x14, same(lambda rng: edge_int(rng, 8))),
    (cqltypes.DurationType, 0x15, random_duration),
]


def counted(type_id, options):
    return struct.pack(">HH", type_id, len(options)) + b"".join(options)


def random_type(rng, depth):
    """The other driver's class, its [option], and what makes a value and how it is shown."""
    kind = rng.choice(["simple", "list", "set", "map", "tuple", "udt"] if depth > 0 else ["simple"])
    if kind == "simple":
        cls, type_id, make = rng.choice(SIMPLE)
        return cls, struct.pack(">H", type_id), make
    if kind in ("list", "set"):
        cls, option, make = random_type(rng, depth - 1)
        outer = cqltypes.ListType if kind == "list" else cqltypes.SetType
        return (outer.apply_parameters([cls]), struct.pack(">H", 0x20 if kind == "list" else 0x22) + option,
                lambda r: tuple(zip(*[make(r) for _ in range(r.randrange(1, 5))])))
    if kind == "map":
        key, value = random_type(rng, depth - 1), random_type(rng, depth - 1)
        return (cqltypes.MapType.apply_parameters([key[0], value[0]]),
                struct.pack(">H", 0x21) + key[1] + value[1], lambda r: random_map(r, key[2], value[2]))
    fields = [random_type(rng, depth - 1) for _ in range(rng.randrange(1, 4))]
    make = lambda r: tuple(zip(*[(None, None) if r.random() < 0.2 else f[2](r) for f in fields]))
    if kind == "tuple":
        return (cqltypes.TupleType.apply_parameters([f[0] for f in fields]),
                counted(0x31, [f[1] for f in fields]), make)
    names = [f"f{i}" for i in range(len(fields))]
    option = struct.pack(">HH2sH1sH", 0x30, 2, b"ks", 1, b"u", len(fields)) + \
        b"".join(struct.pack(">H", len(n)) + n.encode() + f[1] for n, f in zip(names, fields))
    return cqltypes.UserType.make_udt_class("ks", "u", names, [f[0] for f in fields]), option, make


def random_map(rng, key, value):
    pairs = [(key(rng), value(rng)) for _ in range(rng.randrange(1, 4))]
    return Pairs([(k[0], v[0]) for k, v in pairs]), [part for k, v in pairs for part in (k[1], v[1])]


def plain(shown):
    return [plain(part) for part in shown] if isinstance(shown, (list, tuple)) else shown


def test_values_of_every_type_as_another_driver_has_them():
    rng = random.Random(20)
    rows = []
    for number in range(VALUES):
        cls, option, make = random_type(rng, number % 4)
        value, shown = make(rng)
        rows.append((option, cls.to_binary(value, PROTOCOL), plain(shown)))
    tool = pathlib.Path(executable()).parent / "tests" / "support" / "cql-values"
    done = subprocess.run([tool], input="".join(f"{o.hex()} {c.hex()}\n" for o, c, _ in rows),
                          capture_output=True, text=True, timeout=120, check=False)
    lines = done.stdout.splitlines()
    assert (len(lines), done.stderr) == (len(rows), "")
    for (option, cell, shown), line in zip(rows, lines):
        read, _, again = line.rpartition(" ")
        assert again == cell.hex(), f"{option.hex()} {cell.hex()}: {line}"
        assert json.loads(read) == shown, f"{option.hex()} {cell.hex()}: {line}"
    print(f"{len(rows)} values" + ("" if LONG else " (20,000 with --long)"))
