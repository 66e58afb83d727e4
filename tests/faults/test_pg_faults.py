"""Faults of PostgreSQL under a running service, one row after the other, on a real server.

The table of what was seen is printed as the run's result. With TD_LONG=1 the bounds hold in full;
otherwise recovery has three times as long and five seconds more, for a machine that is busy.
"""

import itertools
import os
import struct
import sys
import threading
import time

import pytest
from disk import ROOT, find_shim, harness

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
from pg_rows import ELSEWHERE, FIRST_START, ROWS  # noqa: E402
from pg_server import PgServer, url  # noqa: E402
from running import (BODY, STORE_TIMEOUT, Outcome, Service, begin,  # noqa: E402
                     environment, lines_elsewhere, lines_of, play, recover, tries)
from tcp_proxy import Proxy  # noqa: E402

LONG = harness.LONG
OPTIONS = ("max_connections=40", "fsync=off")


class World:
    """One server, two ways to it, and what the service believes of names and of the time."""

    def __init__(self, folder):
        self.options = OPTIONS
        self.pg = PgServer().start(*OPTIONS)
        self.pg.sql("CREATE ROLE app LOGIN PASSWORD 'pass'")
        self.database = "main_db"
        self.pg.sql(f'CREATE DATABASE "{self.database}" OWNER app')
        self.proxy = Proxy(self.pg.port)
        self.second = Proxy(self.pg.port, "refuse", host="127.0.0.2", port=self.proxy.port)
        self.names = os.path.join(folder, "names")
        self.clock = os.path.join(folder, "clock")
        self.set_names(f"db.test {self.proxy.host}\n")
        self.set_clock(0)
        self.service = self.fake = None

    @property
    def url(self):
        return url(self.proxy.port, self.database, user="app", host="db.test")

    @property
    def preload(self):
        return {"LD_PRELOAD": find_shim("shim_world"), "SHIM_NAMES": self.names,
                "SHIM_CLOCK": self.clock}

    def set_names(self, text):
        with open(self.names + ".new", "w", encoding="ascii") as file:
            file.write(text)
        os.rename(self.names + ".new", self.names)

    def set_clock(self, seconds):
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as file:
            file.write(struct.pack("=q", seconds))

    def attempts_since(self, begin):
        """Connections that were made, whatever became of them."""
        return self.proxy.count_since(begin) + self.second.count_since(begin)

    def sql(self, text):
        return self.pg.sql(text, self.database)

    def remove(self):
        self.proxy.close()
        self.second.close()
        self.pg.remove()


@pytest.fixture
def world(tmp_path):
    one = World(str(tmp_path))
    yield one
    one.remove()


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.number}: {row.fault}" for row in ROWS])
def test_a_fault_is_noticed_answered_and_recovered_from(start_server, tmp_path, world, tell, row):
    """Without a restart of ours: the catalogue stays served, all else is 200 or 503 in time."""
    outcome = Outcome(row)
    outcome.problems.append("did not come to its end")
    service = begin(start_server, tmp_path, world.url, row.env, world.preload)
    world.service = service
    try:
        outcome = play(row, service, world, LONG)
    finally:
        service.end()
        tell(lines_of(outcome))
    assert not outcome.problems, "; ".join(outcome.problems) + "\n" + service.server.log[-3000:]


def test_no_dead_connection_is_used_after_an_outage(start_server, tmp_path, world):
    """Old links stay dead, and nobody asked meanwhile: those that are idle tell nothing of it."""
    service = begin(start_server, tmp_path, world.url, preload=world.preload)
    service.end()
    world.proxy.set("silent")
    world.proxy.freeze()
    harness.wait_for(lambda: service.status() == "down", 10, "the outage")
    world.proxy.set("pass")
    harness.wait_for(lambda: service.status() == "up", 10, "the end of the outage")
    client = service.server.client(service.key)
    for _ in range(4):
        began = time.monotonic()
        assert client.get("/user-subscription/users/first").status == 200
        assert service.works()
        assert time.monotonic() - began < (1 if LONG else STORE_TIMEOUT)
    client.close()


OPEN_WRITES = ("SELECT 1 FROM pg_locks l JOIN pg_class c ON c.oid = l.relation"
               " WHERE c.relname = 'users' AND l.mode = 'RowExclusiveLock'")


def test_a_write_that_was_cut_off_before_its_commit_holds_up_nobody(start_server, tmp_path, world):
    """The server has not noticed, so its transaction stays open; nobody waits for its locks."""
    service = begin(start_server, tmp_path, world.url, preload=world.preload)
    service.end()

    numbers = itertools.count()

    def write():
        """Something else each time, so that the row is changed."""
        client = service.server.client(service.key)
        try:
            return client.put("/user-subscription/users/first",
                              {**BODY, "email": f"first{next(numbers)}@example.org"}).status
        finally:
            client.close()

    world.proxy.freeze_when = lambda data: world.sql(OPEN_WRITES)
    cut = threading.Thread(target=write)
    cut.start()
    harness.wait_for(lambda: world.proxy.freeze_when is None, 10, "a write that is under way")
    world.proxy.set("silent")
    world.proxy.freeze()
    harness.wait_for(lambda: service.status() == "down", 10, "the outage")
    world.proxy.set("pass")
    harness.wait_for(lambda: service.status() == "up", 10, "the end of the outage")
    harness.wait_for(lambda: write() == 200, 2 if LONG else 6, "a write to the same user")
    cut.join()


def test_a_first_start_on_a_socket_alone_is_waited_for(start_server, tmp_path, world, tell):
    """Row 14: there is a server, but nobody at its port; it ends, and begins again with TCP."""
    outcome = Outcome(FIRST_START)
    outcome.problems.append("did not come to its end")
    earlier = begin(start_server, tmp_path, url(world.pg.port, world.database, user="app"))
    earlier.end()
    earlier.server.stop()
    FIRST_START.begin(world)
    world.pg.connect(world.database, host=world.pg.folder).close()
    began = time.monotonic()
    direct = url(world.pg.port, world.database, user="app")
    server = start_server(tmp_path, release=True, env=environment(direct)).wait_listening()
    harness.wait_for(lambda: "(attempt 5)" in server.log, 20, "the fifth attempt")
    assert "refused" in server.log
    service = Service(server, earlier.key)
    try:
        harness.wait_for(lambda: service.readiness.statuses(began) == [503], 10, "/readyz")
        outcome.detected = service.readiness.first(began, 503)
        FIRST_START.end(world)
        outcome.problems.clear()
        recover(FIRST_START, service, outcome, time.monotonic(), LONG)
    finally:
        service.end()
    outcome.attempts = server.log.count("Failed to connect") + 1
    outcome.most_attempts = tries(time.monotonic() - began, first=0.1, most=0.5)
    outcome.expect(outcome.attempts <= outcome.most_attempts, f"{outcome.attempts} attempts")
    tell(lines_of(outcome))
    assert not outcome.problems, "; ".join(outcome.problems) + "\n" + server.log[-3000:]


@pytest.mark.parametrize("mode", ["refuse", "silent", "hang"])
def test_sigterm_during_an_outage_ends_at_once(start_server, tmp_path, world, mode):
    """Row 32: while it backs off, or an attempt to reconnect hangs, with a write in flight."""
    service = begin(start_server, tmp_path, world.url, preload=world.preload)
    try:
        world.proxy.set(mode)
        world.proxy.cut()
        harness.wait_for(lambda: service.status() == "down", 10, "the outage")
    finally:
        service.end()
    began = time.monotonic()
    service.server.stop()
    assert time.monotonic() - began < (1.5 if LONG else 5)


def test_what_is_played_elsewhere_is_there(tell):
    if not LONG:
        tell(["shortened: TD_LONG=1 has outages of 12 and 15 s, and the bounds in full"])
    tell(lines_elsewhere(ELSEWHERE))
