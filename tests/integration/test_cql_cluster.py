"""Sessions of the CQL client (src/cql/client/session.h) with three real nodes, while these are killed,
stopped, restarted, moved, cut off and garbled, one after the other under load. `cql_load` reads and
writes and judges every answer; what is asserted here is what it saw, and what the servers say."""

import collections
import json
import os
import queue
import random
import subprocess
import sys
import threading
import time

import pytest
from cassandra.cluster import Cluster as Driver

from conftest import LONG, ROOT, clean_env, executable, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from cql_bytes import ONE, QUORUM, CqlError  # noqa: E402
from tcp_proxy import Proxy  # noqa: E402

DRIVER = "tools-dashboard cql"
TIMEOUT_MS = 10000  # of each request
MARGIN_MS = 300 if LONG else 2000
RECOVERY = 2.5 if LONG else 6.0  # seconds: the longest pause of 1.5 s and a handshake
CUTS = 40 if LONG else 6
FLIPS = 80 if LONG else 8
RATE = 800 if LONG else 300  # requests a second
TRACED = 3000 if LONG else 1000
# ThreadSanitizer needs addresses that are not shuffled far; not every container allows that.
SETARCH = ["setarch", "-R"] if subprocess.run(
    ["setarch", "-R", "true"], capture_output=True, check=False).returncode == 0 else []
SHORTENED = "" if LONG else " (shortened: TD_LONG=1 for all)"


def program(name, kind="release"):
    """`kind`: the build. Never one that TD_LONG=1 does not build."""
    if kind == "tsan":
        folder = os.path.dirname(os.environ["TOOLS_DASHBOARD_TSAN"])
    else:
        folder = os.path.dirname(executable(release=kind == "release"))
    return os.path.join(folder, "tests", "integration", name)


class Load:
    """A running cql_load. What its lines say is added up until take()."""

    def __init__(self, points, kind="release", env=None, **settings):
        self.settings = {"timeout_ms": TIMEOUT_MS, "margin_ms": MARGIN_MS, **settings}
        command = [program("cql_load", kind), points,
                   *(f"{name}={value}" for name, value in self.settings.items())]
        if kind == "tsan":
            command = SETARCH + command
        self.connections = settings.get("node_connections", 1)
        self.process = subprocess.Popen(
            command, env=clean_env(**(env or {})), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.lines, self.told = queue.Queue(), []
        for target in (self._read_lines, self._read_errors):
            threading.Thread(target=target, daemon=True).start()
        self._forget()

    def _read_lines(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))
        self.lines.put(None)

    def _read_errors(self):
        self.told.extend(self.process.stderr)

    def _tell(self, command):
        try:
            self.process.stdin.write(command + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # whoever reads what it says sees that it has ended

    def next_line(self, seconds):
        line = self.lines.get(timeout=seconds)
        assert line is not None, f"ended with {self.process.wait()}:\n" + "".join(self.told)
        return line

    def wait_connected(self, seconds=30):
        """Milliseconds that it took, and why it waited."""
        waited = []
        while "connected_ms" not in (line := self.next_line(seconds)):
            waited.append(line["waiting"])
        return line["connected_ms"], waited

    def _forget(self):
        self.counts, self.failed = collections.Counter(), collections.Counter()
        self.by_node, self.heard = collections.Counter(), collections.Counter()
        self.events = []
        self.slowest_ms = self.gap_ms = 0
        self.first_wrong, self.failures = "", {}

    def _add(self, line):
        for name in ("reads", "writes", "wrong", "late"):
            self.counts[name] += line[name]
        self.failed.update(line["failed"])
        self.by_node.update(line["by_node"])
        self.events += line["events"]
        self.slowest_ms = max(self.slowest_ms, line["slowest_ms"])
        self.gap_ms = max(self.gap_ms, line["gap_ms"])
        self.first_wrong = self.first_wrong or line["first_wrong"]
        self.failures.update(line["failures"])

    def look(self):
        """The state now."""
        self._tell("stats")
        line = self.next_line(30)
        self._add(line)
        return line

    def is_whole(self, nodes=3):
        """Whether it has all connections that it should have."""
        line = self.look()
        return line["nodes"] == line["nodes_up"] == nodes and \
            line["connections"] == nodes * self.connections + 1

    def hears(self, place):
        """Whether the node has answered since it was asked for the last time."""
        self.look()
        heard, self.heard[place] = self.heard[place], self.by_node[place]
        return self.by_node[place] != heard

    def judge(self, may_fail):
        """What must hold whatever happened; begins anew."""
        self.look()
        story = f"{dict(self.counts)} failed {dict(self.failed)} slowest {self.slowest_ms} ms, " \
            f"gap {self.gap_ms} ms, nodes {dict(self.by_node)} {self.failures or ''}"
        assert self.counts["wrong"] == 0, self.first_wrong
        assert self.counts["late"] == 0, story
        assert self.slowest_ms <= TIMEOUT_MS + MARGIN_MS, story
        assert self.counts["reads"] and self.counts["writes"], story
        if not may_fail:
            assert not self.failed, story
        self._forget()
        return story

    def end(self):
        """Lets what is under way end; the last line. A sanitizer's finding shows in the code."""
        self._tell("end")
        code = self.process.wait(timeout=60)
        assert code == 0, f"ended with {code}:\n" + "".join(self.told)
        lines = []
        while (line := self._next_or_none()) is not None:
            lines.append(line)
        self._add(lines[-1])
        assert lines[-1]["in_flight"] == 0, lines[-1]

    def _next_or_none(self):
        return self.lines.get(timeout=10)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


class World:
    """The cluster; the third node is behind a proxy, for all who are told of it by the others."""

    def __init__(self):
        # The servers' own patience is shorter than that of a request, so that there is time for
        # another node.
        self.cluster = cassandra_server.Cluster(3, commitlog="batch", settings={
            "read_request_timeout": "2000ms"})
        self.nodes, self.port = self.cluster.nodes, self.cluster.port
        self.net = self.nodes[0].address.rsplit(".", 1)[0]
        self.nodes[2].public_address = f"{self.net}.103"
        self.proxy, self.tables = None, 0
        self.open_proxy()

    def open_proxy(self):
        if self.proxy is not None:
            self.proxy.close()
        behind = self.nodes[2]
        self.proxy = Proxy(self.port, host=behind.public_address, port=self.port,
                           target_host=behind.address)

    def start(self):
        self.cluster.start()
        with self.nodes[0].client() as client:
            for copies in (1, 3):
                client.query(f"CREATE KEYSPACE ks{copies} WITH replication = "
                             f"{{'class': 'SimpleStrategy', 'replication_factor': {copies}}}")
        return self

    def table(self, copies):
        """A new one: whoever writes to it knows all that is in it."""
        self.tables += 1
        name = f"ks{copies}.items{self.tables}"
        with self.nodes[0].client() as client:
            client.query(f"CREATE TABLE {name} (key int PRIMARY KEY, version bigint, body blob)")
        wait_for(self.cluster.agrees, 60, "that all nodes have the table")
        return name

    def public(self, node):
        return node.public_address or node.address

    def place(self, node):
        return f"{self.public(node)}:{self.port}"

    @property
    def points(self):
        return ",".join(map(self.place, self.nodes))

    def clients(self):
        """Our connections as each node's own table has them."""
        rows = []
        for node in self.nodes:
            with node.client() as client:
                rows.append([row for row in client.query(
                    "SELECT driver_name, driver_version, protocol_version, connection_stage "
                    "FROM system_views.clients") if row[0] == DRIVER.encode()])
        return rows

    def remove(self):
        self.proxy.close()
        self.cluster.remove()


@pytest.fixture(scope="module")
def world():
    one = World()
    try:
        yield one.start()
    finally:
        one.remove()


# ---- what the servers see

def test_reads_go_where_the_data_are(world):
    asked = TRACED * 51 // 50  # a server that is busy drops a trace now and then
    done = subprocess.run(
        [program("cql_trace"), world.nodes[0].address, str(world.port), world.table(1),
         "1000000", str(asked)], env=clean_env(), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    reads = {bytes.fromhex(trace): int(key) for key, trace in map(str.split, done.stdout.splitlines())}
    assert len(reads) == asked

    def coordinators():
        with world.nodes[0].client(timeout=60) as client:
            try:
                rows = dict(client.query(
                    "SELECT session_id, coordinator FROM system_traces.sessions", QUORUM))
            except CqlError:  # on a busy machine
                return None
        known = reads.keys() & rows.keys()
        return {trace: rows[trace] for trace in known} if len(known) >= TRACED else None
    rows = wait_for(coordinators, 60, "that the traces are written")
    storage = {world.public(node): node.address for node in world.nodes}
    driver = Driver([world.nodes[0].address], port=world.port)
    try:
        metadata = driver.connect().cluster.metadata
        hits = sum(
            coordinator == bytes(map(int, storage[owner.address].split(".")))
            for trace, coordinator in rows.items()
            for owner in metadata.get_replicas("ks1", reads[trace].to_bytes(4, "big")))
    finally:
        driver.shutdown()
    print(f"{hits} of {len(rows)} prepared reads were coordinated by the replica{SHORTENED}")
    assert len(set(rows.values())) == 3
    assert hits >= 0.95 * len(rows)


def test_the_servers_list_our_connections_and_no_more(world):
    """After each fault, too: judge()."""
    load = Load(world.points, node_connections=2, table=world.table(3))
    try:
        load.wait_connected()
        wait_for(load.is_whole, 20, "all connections")
        # One is the control connection; those that others closed just before may be listed still.
        wait_for(lambda: sorted(map(len, world.clients())) == [2, 2, 3], 10, "2 + 2 + 3")
        assert {row[1:] for node in world.clients() for row in node} == {
            (b"0.1.0", (5).to_bytes(4, "big"), b"ready")}
        load.end()
        wait_for(lambda: not any(world.clients()), 10, "that none is left")
    finally:
        load.kill()


# ---- contact points

@pytest.mark.parametrize("hole", ["hang", "silent"])
def test_a_contact_point_that_swallows_everything_costs_a_moment(world, hole):
    first, second = world.place(world.nodes[0]), world.place(world.nodes[1])
    with Proxy(world.port, hole, host=f"{world.net}.201") as hole:
        load = Load(f"{hole.host}:{hole.port},{first},{second}", rate=0)
        try:
            took_ms, waited = load.wait_connected()
            assert not waited and took_ms < (1000 if LONG else 3000)
            load.end()
        finally:
            load.kill()


def test_all_nodes_move_at_once_and_are_found_by_their_names(world, tmp_path):
    """At first the names are not known at all."""
    names = tmp_path / "names"
    hosts = [f"db{node.number}.test" for node in world.nodes]

    def tell_names():
        new = tmp_path / "names.new"
        new.write_text("".join(f"{host} {world.public(node)}\n"
                               for host, node in zip(hosts, world.nodes)))
        new.rename(names)
    names.touch()
    shim = os.path.join(os.path.dirname(executable(release=True)), "tests/faults/shim_world.so")
    load = Load(",".join(f"{host}:{world.port}" for host in hosts), rate=100, table=world.table(3),
                env={"LD_PRELOAD": shim, "SHIM_NAMES": names})
    try:
        waiting = load.next_line(30)["waiting"]
        assert all(host in waiting for host in hosts)
        tell_names()
        load.wait_connected()
        wait_for(load.is_whole, 20, "all connections")
        wait_for(lambda: load.look() and load.counts["reads"] * load.counts["writes"], 20, "rows")

        for node in world.nodes:
            node.kill()
        wait_for(lambda: not load.look()["is_ready"], 20, "that it has noticed")
        for node in world.nodes:
            node.address = f"{world.net}.{20 + node.number}"
        world.nodes[2].public_address = f"{world.net}.123"
        world.open_proxy()
        world.cluster.start()
        begin = time.monotonic()
        tell_names()
        wait_for(load.is_whole, 30, "all connections again")
        took = time.monotonic() - begin
        print(f"all nodes moved: whole again after {took:.2f} s{SHORTENED}")
        assert took <= RECOVERY
        assert load.look()["report"] == ""
        for node in world.nodes:
            wait_for(lambda place=world.place(node): load.hears(place), 20, "answers of all nodes")
        print(load.judge(may_fail=True))
        load.end()
    finally:
        load.kill()


# ---- under load

@pytest.fixture(scope="class")
def loads(world):
    """By build and number of copies, beside each other. Where there is one copy only, requests fail as long as
    its node is away."""
    quick = {"heartbeat_ms": 1000, "heartbeat_timeout_ms": 2000}
    wanted = [("release", 3, {"rate": RATE, "readers": 24, "writers": 16, **quick}),
              ("asan", 1, {"rate": 100, "lz4": 1, "consistency": ONE, **quick})]
    if LONG:
        wanted += [("tsan", 3, {"rate": 200, "node_connections": 2, **quick}),
                   ("asan", 1, {"rate": 200, "speculative_ms": 300, **quick})]
    ours = [Load(world.points, kind, table=world.table(copies), **more)
            for kind, copies, more in wanted]
    try:
        for load in ours:
            load.wait_connected()
            wait_for(load.is_whole, 30, "all connections")
        for load in ours:
            for node in world.nodes:
                wait_for(lambda load=load, place=world.place(node): load.look() and
                         load.by_node[place] > 20, 20, "answers of all nodes")
        yield ours
        for load in ours:
            load.end()
    finally:
        for load in ours:
            load.kill()


def wait_whole(world, loads, what, node, bound=RECOVERY):
    """From now on, when the node can be reached again, until all loads use all nodes."""
    begin = time.monotonic()
    for load in loads:
        wait_for(load.is_whole, 30, f"{what}: all connections of {load.settings}")
    took = time.monotonic() - begin
    assert took <= bound, f"{what}: whole again after {took:.2f} s only"
    for load in loads:
        wait_for(lambda load=load: load.hears(world.place(node)), 20, f"{what}: its answers")
    return took


def judge(world, loads, what, took):
    """What they saw, and that no connection was left behind."""
    print(f"{what}: whole again after {took:.2f} s{SHORTENED}")
    for load in loads:
        story = load.judge(may_fail=not load.settings["table"].startswith("ks3"))
        print(f"    {load.settings['table']}: {story}")
    count = sum(3 * load.connections + 1 for load in loads)
    wait_for(lambda: sum(map(len, world.clients())) == count, 10,
             f"{what}: {count} connections in the servers' tables")


def go_on_without(world, loads, node, seconds):
    """Some time in which the others answer; what each of them answers to the first load."""
    others = [world.place(other) for other in world.nodes if other is not node]
    for load in loads:
        wait_for(lambda load=load: load.look()["nodes_up"] == 2, 20, "that the node is missed")
    before = [loads[0].by_node[place] for place in others]
    end = time.monotonic() + seconds
    for load in loads:
        reads = load.counts["reads"]
        wait_for(lambda load=load, reads=reads: load.look() and time.monotonic() > end and
                 load.counts["reads"] > reads, 20 + seconds, "answers of the others")
    loads[0].look()
    return [loads[0].by_node[place] - count for place, count in zip(others, before)]


def damage(world, loads, name, positions):
    """Each in the middle of an answer of the third node, at one of the loads."""
    node, took = world.nodes[2], 0
    for position in positions:
        setattr(world.proxy, name, position)
        wait_for(lambda: getattr(world.proxy, name) is None, 20, name)
        took = max(took, wait_whole(world, loads, name, node))
    place = world.place(node)
    felt = sum(event["kind"] == "down" and event["address"] == place
               for load in loads for event in load.events)
    judge(world, loads, f"{name}, {len(positions)} times", took)
    assert felt >= len(positions) / 2  # the others hit a control connection


class TestFaults:
    """In this order, with the same sessions."""

    def test_killed(self, world, loads):
        node = world.nodes[1]
        node.kill()
        shares = go_on_without(world, loads, node, 10 if LONG else 1)
        assert min(shares) > 0.6 * max(shares)  # whoever is left bears as much as the other
        node.start()
        judge(world, loads, "kill -9", wait_whole(world, loads, "kill -9", node))

    def test_stopped(self, world, loads):
        node = world.nodes[1]
        node.pause()
        try:
            go_on_without(world, loads, node, 30 if LONG else 1)
        finally:
            node.resume()
        node.wait_ready()
        judge(world, loads, "SIGSTOP", wait_whole(world, loads, "SIGSTOP", node))

    def test_restarted(self, world, loads):
        node = world.nodes[0]
        node.restart()
        judge(world, loads, "restart", wait_whole(world, loads, "restart", node))

    def test_moved(self, world, loads):
        node = world.nodes[1]
        node.stop()
        node.address = f"{world.net}.12"
        node.start()
        wait_for(lambda: all(other.lists(node) for other in world.nodes if other is not node),
                 60, "that the others list the new address")
        # They tell of it by an event, after which a second passes before we look.
        judge(world, loads, "another address",
              wait_whole(world, loads, "another address", node, RECOVERY + 1))

    def test_cut_in_mid_frame(self, world, loads):
        rng = random.Random(1)
        damage(world, loads, "cut_after", [rng.randint(1, 3000) for _ in range(CUTS)])

    def test_flipped_in_mid_frame(self, world, loads):
        rng = random.Random(2)
        damage(world, loads, "flip_after", [rng.randint(1, 3000) for _ in range(FLIPS)])
