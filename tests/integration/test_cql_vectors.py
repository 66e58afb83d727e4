"""Vectors, which came with Cassandra 5.0 and which the other driver does not know: what a real server
made of their literals ours reads, and what ours writes the server reads."""

import json
import os
import pathlib
import random
import subprocess
import sys
import uuid

import pytest
from conftest import ROOT, executable

from test_cql_values import bytes_of, edge_int, float_of, random_decimal, random_text, varint_of

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import cassandra_server  # noqa: E402  pylint: disable=wrong-import-position

LONG = os.environ.get("TD_LONG") == "1"
ROUNDS = 200 if LONG else 10  # of each type


def number_of(bits):
    def make(rng):
        value = edge_int(rng, bits)
        return str(value), value
    return make


def text(rng):
    value = random_text(rng)
    return "'%s'" % value.replace("'", "''"), value.encode().hex()


def boolean(rng):
    value = rng.random() < 0.5
    return str(value).lower(), value


def blob(rng):
    value = bytes_of(rng)[0]
    return "0x" + value.hex(), value.hex()


def some_uuid(rng):
    value = uuid.UUID(bytes=rng.randbytes(16))
    return str(value), value.hex


def timeuuid(rng):
    value = uuid.uuid1(clock_seq=rng.getrandbits(14))
    return str(value), value.hex


def inet(rng):
    packed = rng.randbytes(4)
    return "'%d.%d.%d.%d'" % tuple(packed), packed.hex()


def number(maker):
    def make(rng):
        value, shown = maker(rng)
        return repr(value) if isinstance(value, float) else str(value), shown
    return make


def date(rng):
    days = edge_int(rng, 20)
    return str(days + 2**31), days


def time(rng):
    ns = rng.randrange(86400 * 10**9)
    return "'%02d:%02d:%02d.%09d'" % (ns // 10**9 // 3600, ns // 10**9 // 60 % 60, ns // 10**9 % 60,
                                      ns % 10**9), ns


def duration(rng):
    parts = [rng.randrange(100) for _ in range(3)]
    return "%dmo%dd%dns" % tuple(parts), parts


def several(left, right, make, low, high):
    """A literal of parts, and how they are shown."""
    def made(rng):
        parts = [make(rng) for _ in range(rng.randint(low, high))]
        return left + ", ".join(p[0] for p in parts) + right, [p[1] for p in parts]
    return made


def pair(rng):
    return "('a', 1)", [b"a".hex(), 1]


def udt(rng):
    literal, shown = text(rng)
    return "{a: %s, b: -7}" % literal, [shown, -7]


def small_map(rng):
    literal, shown = text(rng)
    return "{1: %s}" % literal, [1, shown]


ELEMENTS = [
    ("float", number(float_of)), ("double", number(lambda r: (v := r.gauss(0, 1e9), v))),
    ("int", number_of(32)), ("bigint", number_of(64)), ("smallint", number_of(16)),
    ("tinyint", number_of(8)), ("boolean", boolean), ("text", text), ("blob", blob),
    ("uuid", some_uuid), ("timeuuid", timeuuid), ("inet", inet), ("timestamp", number_of(40)),
    ("date", date), ("time", time), ("duration", duration), ("varint", number(varint_of)),
    ("decimal", number(random_decimal)),
    ("vector<float, 2>", several("[", "]", number(float_of), 2, 2)),
    ("vector<text, 2>", several("[", "]", text, 2, 2)),
    ("frozen<list<int>>", several("[", "]", number_of(32), 1, 4)),
    ("frozen<map<int, text>>", small_map), ("frozen<tuple<text, int>>", pair), ("frozen<u>", udt),
]


@pytest.fixture(scope="module")
def client():
    cluster = cassandra_server.Cluster(version="5.0")
    try:
        cluster.start()
        with cluster.nodes[0].client(version=5) as one:
            one.query("CREATE KEYSPACE ks WITH replication = "
                      "{'class': 'SimpleStrategy', 'replication_factor': 1}")
            one.query("USE ks")
            one.query("CREATE TYPE u (a text, b int)")
            yield one
    finally:
        cluster.remove()


def read_with_ours(rows):
    """What the tool shows of pairs of a type and a cell, and the cell as it writes it again."""
    tool = pathlib.Path(executable()).parent / "tests" / "support" / "cql-values"
    done = subprocess.run([tool], input="".join(f"{o.hex()} {c.hex()}\n" for o, c in rows),
                          capture_output=True, text=True, timeout=120, check=False)
    lines = [line.rpartition(" ") for line in done.stdout.splitlines()]
    assert (len(lines), done.stderr) == (len(rows), ""), done.stdout
    return [(json.loads(shown), bytes.fromhex(again)) for shown, _, again in lines]


@pytest.mark.parametrize("kind, make", ELEMENTS, ids=[kind for kind, _ in ELEMENTS])
def test_vectors_of_a_server(client, kind, make):
    rng = random.Random(kind)
    table = "v%d" % [k for k, _ in ELEMENTS].index(kind)
    dimension = rng.randint(1, 5)
    client.query(f"CREATE TABLE {table} (k int PRIMARY KEY, v vector<{kind}, {dimension}>, "
                 f"again vector<{kind}, {dimension}>)")
    vectors = [several("[", "]", make, dimension, dimension)(rng) for _ in range(ROUNDS)]
    for k, (literal, _) in enumerate(vectors):
        client.query(f"INSERT INTO {table} (k, v) VALUES ({k}, {literal})")
    cells = [client.query(f"SELECT v FROM {table} WHERE k = {k}")[0][0] for k in range(ROUNDS)]
    option = client.columns[0][1]
    ours = read_with_ours([(option, cell) for cell in cells])
    assert [shown for shown, _ in ours] == [shown for _, shown in vectors]
    for k, (_, cell) in enumerate(ours):
        client.query(f"UPDATE {table} SET again = ? WHERE k = {k}", values=[cell])
        one, other = client.query(f"SELECT toJson(v), toJson(again) FROM {table} WHERE k = {k}")[0]
        assert one == other is not None and cell == cells[k]
    print(f"{ROUNDS} vectors" + ("" if LONG else " (200 with --long)"))
