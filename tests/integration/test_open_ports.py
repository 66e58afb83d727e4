"""What a process listens on is what docs/OPERATIONS.md says, and nothing else."""

import glob
import os
import random
import re
import socket
import subprocess
import sys

import pytest

from conftest import ROOT, clean_env, executable, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from tcp_proxy import Proxy  # noqa: E402

LISTENS = "0A"
ROW = re.compile(r"^\| ((?:`[\w-]+`(?:, )?)+) \| (\d+|–) \|", re.M)


def documented():
    """{command: port, or None} of the table of processes."""
    with open(os.path.join(ROOT, "docs", "OPERATIONS.md"), encoding="utf-8") as file:
        text = file.read()
    return {name: None if port == "–" else int(port)
            for names, port in ROW.findall(text) for name in re.findall(r"`([\w-]+)`", names)}


def own_sockets(pid):
    """The inodes of its sockets."""
    found = set()
    for path in glob.glob(f"/proc/{pid}/fd/*"):
        try:
            target = os.readlink(path)
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            found.add(target[8:-1])
    return found


def address_of(text):
    """"0100007F:1F90" as (address, port)."""
    host, port = text.split(":")
    words = [bytes.fromhex(host[i:i + 8])[::-1] for i in range(0, len(host), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(words)), int(port, 16)


def table(pid, name):
    with open(f"/proc/{pid}/net/{name}", encoding="ascii") as file:
        return [line.split() for line in file][1:]


def open_ports(pid):
    """Where others may reach the process: (protocol, address, port) of its own sockets."""
    inodes = own_sockets(pid)
    found = set()
    for name in ("tcp", "tcp6"):
        found |= {("tcp", *address_of(row[1])) for row in table(pid, name)
                  if row[9] in inodes and row[3] == LISTENS}
    for name in ("udp", "udp6", "raw", "raw6"):
        found |= {(name, *address_of(row[1])) for row in table(pid, name)
                  if row[9] in inodes and row[2].split(":")[1] == "0000"}
    for row in table(pid, "unix"):
        if row[6] in inodes and int(row[3], 16) & 0x10000:  # it accepts
            found.add(("unix", row[7] if len(row) > 7 else "", 0))
    return found


@pytest.fixture(scope="module")
def cluster():
    one = cassandra_server.Cluster(1, commitlog="batch")
    try:
        yield one.start()
    finally:
        one.remove()


@pytest.fixture
def stores(cluster, pg_database, unique):
    return {"DATABASE_URL": pg_database.url, "CASSANDRA_CONTACT_POINTS": cluster.contact_points,
            "CASSANDRA_KEYSPACE": "t_" + unique(), "STORE_TIMEOUT": 30}


@pytest.fixture
def host():
    """A loopback address that nobody else listens on, so that the documented port is free."""
    return ".".join(["127", *(str(random.randint(2, 254)) for _ in range(3))])


def only(pid, expected):
    """Name services come and go at a start: what is open in the end counts."""
    wait_for(lambda: open_ports(pid) == expected, 10, f"exactly {expected}")


def test_every_command_that_listens_is_in_the_table():
    ports = documented()
    assert set(ports) == {"serve", "back-postgres", "back-cassandra", "back-api", "doctor", "migrate",
                          "populate"}
    assert {name for name, port in ports.items() if port is None} == {"doctor", "migrate", "populate"}


def test_the_sockets_of_this_process_are_seen():
    """The look itself: a listener of each kind, and nothing that only connects. Other files' proxies
    may listen in this process meanwhile."""
    before = open_ports(os.getpid())
    with socket.socket() as tcp, socket.socket(socket.AF_INET6) as tcp6, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, \
            socket.socket(socket.AF_UNIX) as unix, socket.socket() as out:
        tcp.bind(("127.0.0.1", 0))
        assert open_ports(os.getpid()) == before, "bound, and nobody can connect"
        tcp.listen()
        tcp6.bind(("::1", 0))
        tcp6.listen()
        udp.bind(("127.0.0.1", 0))
        unix.bind("\0td-open-ports-" + str(os.getpid()))
        unix.listen()
        out.connect(tcp.getsockname())
        assert open_ports(os.getpid()) - before == {
            ("tcp", *tcp.getsockname()), ("tcp", *tcp6.getsockname()[:2]),
            ("udp", *udp.getsockname()), ("unix", "@td-open-ports-" + str(os.getpid()), 0)}


@pytest.mark.parametrize("release", [False, True], ids=["sanitized", "release"])
def test_serve_alone_listens_on_one_port(start_server, tmp_path, host, release):
    server = start_server.ready(tmp_path, release=release, env={"HOST": host, "PORT": ""})
    only(server.process.pid, {("tcp", host, documented()["serve"])})


def test_each_process_of_the_stack_listens_on_one_port(start_server, tmp_path, stores, host):
    """All three at once, connected to both databases, after some requests."""
    ports = documented()
    for command in ("back-postgres", "back-cassandra", "back-api"):
        server = start_server.ready(tmp_path, command=(command,), env={
            **stores, "HOST": host, "PORT": ""})
        for path in ("/health", "/metrics", "/readyz"):
            assert server.client().get(path).status == 200
        only(server.process.pid, {("tcp", host, ports[command])})


def test_serve_with_both_databases_listens_on_one_port(start_server, tmp_path, stores, host):
    server = start_server.ready(tmp_path, env={**stores, "HOST": host, "PORT": ""})
    only(server.process.pid, {("tcp", host, documented()["serve"])})


def test_by_default_only_this_machine_can_connect(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    only(server.process.pid, {("tcp", "127.0.0.1", server.port)})


@pytest.mark.parametrize("command", [("doctor",), ("migrate",), ("populate",)], ids=lambda c: c[0])
def test_a_command_listens_on_nothing(tmp_path, command, pg):
    """Seen while it waits for a database that hangs."""
    with Proxy(pg.port) as proxy:
        proxy.set("silent")
        done = subprocess.Popen(
            [executable(), *command], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=clean_env(
                DATABASE_URL=f"postgresql://user:pass@127.0.0.1:{proxy.port}/d", CONNECT_TIMEOUT=2,
                CONNECT_MAX_RETRIES=0, PORT=0))
        seen, connected = set(), False
        while done.poll() is None:
            try:
                seen |= open_ports(done.pid)
                connected = connected or bool(own_sockets(done.pid))
            except OSError:
                break  # it has ended meanwhile
        assert done.wait(timeout=30) in (4, 6)
        assert connected and seen == set()
