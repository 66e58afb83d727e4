"""Faults of Cassandra under a running `serve` whose records are in PostgreSQL, one row after the
other, on a real node.

What needs Cassandra is a page of history that was trimmed from PostgreSQL, and content that somebody
changes. The catalogue stays served, and what needs PostgreSQL alone is answered as ever. The table of
what was seen is printed as the run's result; bounds as in test_pg_faults.py.
"""

import os
import re
import struct
import sys
import time

import pytest
from disk import ROOT, find_shim, harness

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from cassandra_rows import ELSEWHERE, ROWS  # noqa: E402
from cql_bytes import CqlError  # noqa: E402
from pg_server import PgServer, url  # noqa: E402
from running import (BODY, FIRST_PAUSE, Outcome, Service, Watch, check_leaks,  # noqa: E402
                     detection, environment, judge, lines_elsewhere, lines_of, recover, tries,
                     words)
from tcp_proxy import Proxy  # noqa: E402

LONG = harness.LONG
OLD = "/user-subscription/user/first/history?limit=100"
HOLDERS = 3  # the control connection, the node's, the supervisor's patience


class Readiness(Watch):
    """200 while everything is there, 503 while it is degraded."""

    def _once(self, client):
        return 200 if client.get("/readyz?verbose").json()["status"] == "ready" else 503


class ContentService(Service):
    def __init__(self, server, key, world):  # pylint: disable=super-init-not-called
        self.server, self.key, self.world = server, key, world
        self.number, self.expected = 0, None
        self.packages = Watch(server, "GET", "/user-subscription/packages")
        self.readiness = Readiness(server, "GET", "/readyz?verbose")
        self.reads = Watch(server, "GET", OLD, key)
        self.writes = Watch(server, "PUT", "/user-subscription/users/second", key, self._body)

    def status(self):
        client = self.server.client()
        try:
            return client.get("/readyz?verbose").json()["checks"]["cassandra"]["status"]
        finally:
            client.close()

    def works(self):
        """What another client writes now is what we show."""
        try:
            if self.expected is None:
                self.world.number += 1
                self.world.query(f"UPDATE {self.world.keyspace}.subscription_package_metadata SET value = "
                                 f"'{self.world.number}' WHERE package_slug = 'free' AND key = 'tagline'")
                self.expected = str(self.world.number)
        except (OSError, ConnectionError, CqlError):
            return False
        client = self.server.client()
        try:
            shown = client.get("/user-subscription/packages").json()[0]["metadata"].get("tagline")
        finally:
            client.close()
        if shown != self.expected:
            return False
        self.expected = None
        return True

    def told(self):
        client = self.server.client()
        try:
            return float(re.search(r"^tools_dashboard_events_told_total (\S+)$",
                                   client.get("/metrics").body.decode(), re.M).group(1))
        finally:
            client.close()


class World:
    """A node that is told to clients where a proxy stands, and PostgreSQL without one."""

    def __init__(self, folder):
        self.cluster = cassandra_server.Cluster(1, commitlog="batch")
        self.node = self.cluster.nodes[0]
        self.node.public_address = self.node.address.rpartition(".")[0] + ".101"
        self.proxy = Proxy(self.cluster.port, host=self.node.public_address, port=self.cluster.port,
                           target_host=self.node.address)
        self.keyspace, self.number = "faults", 0
        self.pg = PgServer().start("fsync=off")
        self.names, self.clock = os.path.join(folder, "names"), os.path.join(folder, "clock")
        self.set_names(f"db.test {self.proxy.host}\n")
        self.set_clock(0)
        self.service = self.fake = None

    def set_names(self, text):
        with open(self.names + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(self.names + ".new", self.names)

    def set_clock(self, seconds):
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as file:
            file.write(struct.pack("=q", seconds))

    def start(self):
        self.cluster.start()
        self.pg.sql("CREATE DATABASE main_db")
        return self

    @property
    def env(self):
        return {**environment(url(self.pg.port, "main_db")), "CATALOGUE_REFRESH": 1, "HISTORY_KEEP": "1d",
                "CASSANDRA_CONTACT_POINTS": f"db.test:{self.cluster.port}", "CASSANDRA_KEYSPACE": self.keyspace,
                "LD_PRELOAD": find_shim("shim_world"), "SHIM_NAMES": self.names, "SHIM_CLOCK": self.clock}

    def query(self, statement):
        with self.node.client(timeout=10) as client:
            return client.query(statement)

    def sql(self, text):
        return self.pg.sql(text, "main_db")

    def remove(self):
        self.proxy.close()
        self.cluster.remove()
        self.pg.remove()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    one = World(str(tmp_path_factory.mktemp("world")))
    try:
        yield one.start()
    finally:
        one.remove()


def trim_history(world, server):
    """A user whose history is in the event log alone."""
    key = server.make_key()
    client = server.client(key)
    assert client.put("/user-subscription/users/first", {**BODY, "email": "first@example.org"}).status in (200, 201)
    client.post("/user-subscription/subscribe",
                {"user_id": "first", "package_slug": "standard", "billing_cycle": "monthly"})
    harness.wait_for(lambda: world.sql("SELECT count(*) FROM subscription_outbox")[0][0] == 0, 30, "told events")
    for table_name, column in (("users", "id"), ("subscription_history", "user_id")):
        world.sql(f"UPDATE {table_name} SET created_at = now() - interval '40 days' WHERE {column} = 'first'")
    harness.wait_for(lambda: world.sql("SELECT trimmed_to FROM subscription_event_log")[0][0] > 0, 30, "a trim")
    return key, client


def begin(start_server, folder, world):
    server = start_server.ready(folder, release=True, env=world.env)
    key, client = trim_history(world, server)
    service = ContentService(server, key, world)
    client.close()
    return service


def play(row, service, world):
    outcome = Outcome(row)
    harness.wait_for(service.works, 30, "a service that works before the fault")
    harness.wait_for(lambda: service.readiness.seen and service.readiness.seen[-1][2] == 200, 20, "readiness")
    before, lines = service.resources(), len(service.server.lines)
    began = time.monotonic()
    row.begin(world)
    harness.wait_for(lambda: time.monotonic() >= began + row.hold, row.hold + 5, "the time that it lasts")
    row.end(world)
    service.expected = None
    ended = time.monotonic()
    recover(row, service, outcome, ended, LONG)
    outcome.detected = detection(service, began)
    outcome.seen = words(service, began)
    judge(service, outcome, began)
    outcome.expect(set(service.writes.statuses(began)) <= {200, 201}, "PostgreSQL's writes were refused, too")
    passed = time.monotonic() - began
    outcome.attempts = world.proxy.count_since(began)
    outcome.most_attempts = HOLDERS * (tries(passed, FIRST_PAUSE, row.pause_most, row.hangs) + 2)
    outcome.expect(outcome.attempts <= outcome.most_attempts,
                   f"{outcome.attempts} attempts, not {outcome.most_attempts} at most")
    outcome.log_lines = len(service.server.lines) - lines
    outcome.expect(outcome.log_lines <= 24, f"{outcome.log_lines} lines of log")
    check_leaks(service, before, outcome)
    return outcome


def change_subscription(service):
    """An event, which the relay must tell."""
    client = service.server.client(service.key)
    try:
        subscription = client.get("/user-subscription/user/first").json()
        other = "premium" if subscription["package_slug"] == "standard" else "standard"
        return client.post("/user-subscription/upgrade", {"user_id": "first", "package_slug": other}).status
    finally:
        client.close()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.number}: {row.fault}" for row in ROWS])
def test_a_fault_is_noticed_answered_and_recovered_from(start_server, tmp_path, world, tell, row):
    """Without a restart of ours; and then what happens is told to the event log again."""
    outcome = Outcome(row)
    outcome.problems.append("did not come to its end")
    service = begin(start_server, tmp_path, world)
    world.service = service
    try:
        outcome = play(row, service, world)
        told = service.told()
        assert change_subscription(service) == 200
        harness.wait_for(lambda: service.told() > told, 20, "an event that is told")
    finally:
        service.end()
        tell(lines_of(outcome))
    assert not outcome.problems, "; ".join(outcome.problems) + "\n" + service.server.log[-3000:]


@pytest.mark.parametrize("mode", ["refuse", "silent", "hang"])
def test_sigterm_during_an_outage_ends_at_once(start_server, tmp_path, world, mode):
    """Row 32: while it backs off, or an attempt to reconnect hangs, with requests under way."""
    service = begin(start_server, tmp_path, world)
    try:
        world.proxy.set(mode)
        world.proxy.cut()
        harness.wait_for(lambda: service.status() == "down", 15, "the outage")
    finally:
        service.end()
    began = time.monotonic()
    service.server.stop()
    took = time.monotonic() - began
    world.proxy.set("pass")
    assert took < (1.5 if LONG else 5)


def test_sigterm_while_a_node_hangs_keeps_its_time(start_server, tmp_path, world):
    """Row 32: with requests that nobody answers."""
    service = begin(start_server, tmp_path, world)
    harness.wait_for(service.works, 30, "a service that works")
    world.node.pause()
    try:
        harness.wait_for(lambda: any(status == 503 for _, _, status in service.reads.seen), 20, "a 503")
        service.end()
        began = time.monotonic()
        service.server.stop()
        assert time.monotonic() - began < 8.5
    finally:
        world.node.resume()


def test_what_is_played_elsewhere_is_there(tell):
    """The table does not name tests that nobody has."""
    if not LONG:
        tell(["shortened: TD_LONG=1 has outages of 15 and 30 s, and the bounds in full"])
    tell(lines_elsewhere(ELSEWHERE))
