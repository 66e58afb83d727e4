"""What a Cassandra node tells of itself, for the fake one: the tables of its cluster and of its
schema, and the part of SELECT that reads them. Types and columns are those of Cassandra 4.1."""

import ipaddress
import re
import struct
import uuid

from cql_bytes import data_bytes, string

BIGINT, BLOB, BOOLEAN, INT = b"\0\x02", b"\0\x03", b"\0\x04", b"\0\x09"
TEXT, UUID, INET = b"\0\x0d", b"\0\x0c", b"\0\x10"
TEXT_SET, TEXT_MAP = b"\0\x22\0\x0d", b"\0\x21\0\x0d\0\x0d"
STORAGE_PORT = 7000
LOCAL_STRATEGY = {"class": "org.apache.cassandra.locator.LocalStrategy"}

_COLUMNS = {
    "local": "key bootstrapped broadcast_address broadcast_port cluster_name cql_version data_center "
             "gossip_generation host_id listen_address listen_port native_protocol_version "
             "partitioner rack release_version rpc_address rpc_port schema_version tokens",
    "peers_v2": "peer peer_port data_center host_id native_address native_port preferred_ip "
                "preferred_port rack release_version schema_version tokens",
    "peers": "peer data_center host_id preferred_ip rack release_version rpc_address schema_version "
             "tokens",
    "keyspaces": "keyspace_name durable_writes replication",
}
_SELECT = re.compile(r"SELECT\s+(?P<list>.*?)\s+FROM\s+(?P<keyspace>system|system_schema)\."
                     r"(?P<table>local|peers_v2|peers|keyspaces)\b"
                     r"(?:\s+WHERE\s+(?P<column>peer|keyspace_name)\s*=\s*'(?P<value>[^']*)')?",
                     re.I | re.S)


def text_set(texts):
    return struct.pack(">i", len(texts)) + b"".join(data_bytes(t.encode()) for t in texts)


def text_map(pairs):
    return struct.pack(">i", len(pairs)) + b"".join(
        data_bytes(k.encode()) + data_bytes(v.encode()) for k, v in pairs.items())


def number(value):
    return struct.pack(">i", value)


def node_row(address, data_center="datacenter1", rack="rack1", tokens=("0",), port=9042):
    """A node's row of system.local, peers and peers_v2 at once: column: (type, value)."""
    inet = ipaddress.ip_address(address).packed
    host = uuid.uuid5(uuid.NAMESPACE_OID, address).bytes
    row = {
        "key": (TEXT, b"local"), "cluster_name": (TEXT, b"fake"),
        "bootstrapped": (TEXT, b"COMPLETED"), "data_center": (TEXT, data_center.encode()),
        "rack": (TEXT, rack.encode()), "release_version": (TEXT, b"4.1.9"),
        "cql_version": (TEXT, b"3.4.6"), "native_protocol_version": (TEXT, b"5"),
        "host_id": (UUID, host), "schema_version": (UUID, b"\1" * 16),
        "partitioner": (TEXT, b"org.apache.cassandra.dht.Murmur3Partitioner"),
        "tokens": (TEXT_SET, text_set(tokens)), "gossip_generation": (INT, number(1)),
        "preferred_ip": (INET, None), "preferred_port": (INT, None)}
    row.update({name: (INET, inet) for name in (
        "peer", "rpc_address", "native_address", "broadcast_address", "listen_address")})
    row.update({name: (INT, number(port)) for name in ("native_port", "rpc_port")})
    row.update({name: (INT, number(STORAGE_PORT)) for name in (
        "peer_port", "broadcast_port", "listen_port")})
    return row


def keyspace_rows(keyspaces):
    """`keyspaces`: a name: the options of its replication."""
    return [{"keyspace_name": (TEXT, name.encode()), "durable_writes": (BOOLEAN, b"\1"),
             "replication": (TEXT_MAP, text_map(options))} for name, options in keyspaces.items()]


def metadata(columns, flags=0, inner=b"", place=("ks", "t")):
    """`columns`: pairs of a name and a type. `inner`: what the flags announce before them."""
    head = struct.pack(">ii", flags | 1, len(columns)) + inner
    return head + b"".join(map(string, place)) + b"".join(string(n) + kind for n, kind in columns)


class Unknown(Exception):
    """A column that the table does not have."""


def _is_wanted(row, column, value):
    if column is None:
        return True
    wanted = ipaddress.ip_address(value).packed if column == "peer" else value.encode()
    return row[column][1] == wanted


def select(text, tables):
    """What a SELECT of `tables` (name: rows) gives: columns, and a tuple of bytes for each row. None:
    it reads something else."""
    found = _SELECT.match(text)
    if found is None or found["table"].lower() not in tables:
        return None
    table = found["table"].lower()
    known = _COLUMNS[table].split()
    names = [name.strip() for name in found["list"].split(",")]
    names = known if names == ["*"] else names
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Unknown(f"Undefined column name {unknown[0]} in table {found['keyspace']}.{table}")
    column = found["column"] and found["column"].lower()
    kept = [row for row in tables[table] if _is_wanted(row, column, found["value"])]
    kinds = (kept or [node_row("127.0.0.1") | keyspace_rows({"k": {}})[0]])[0]
    return [(name, kinds[name][0]) for name in names], \
        [tuple(row[name][1] for name in names) for row in kept]
