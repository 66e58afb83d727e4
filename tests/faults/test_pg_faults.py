"""Faults of PostgreSQL under a running service, one row after the other, on a real server.

The table of what was seen is printed as the run's result. With TD_LONG=1 the bounds hold in full;
otherwise recovery has three times as long and five seconds more, for a machine that is busy.
"""

import struct
import sys
import time
import os

import pytest
from disk import ROOT, find_shim, harness

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
from pg_rows import ELSEWHERE, ROWS  # noqa: E402
from pg_server import PgServer, url  # noqa: E402
from running import Outcome, begin, play  # noqa: E402
from tcp_proxy import Proxy  # noqa: E402

LONG = harness.LONG
OPTIONS = ("max_connections=40", "fsync=off")
RESULTS = []


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
def test_a_fault_is_noticed_answered_and_recovered_from(start_server, tmp_path, world, row):
    """Without a restart of ours: the catalogue stays served, all else is 200 or 503 in time."""
    outcome = Outcome(row)
    outcome.problems.append("did not come to its end")
    RESULTS.append(outcome)
    service = begin(start_server, tmp_path, world.url, row.env, world.preload)
    world.service = service
    try:
        RESULTS[-1] = outcome = play(row, service, world, LONG)
    finally:
        service.end()
    assert not outcome.problems, "; ".join(outcome.problems) + "\n" + service.server.log[-3000:]


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


def table():
    """The result, for the end of the run."""
    if not RESULTS:
        return []
    lines = [f"{'':4}{'fault':38}{'how':7}{'noticed':>9}{'over in':>9}{'tries':>7}  seen"]
    for outcome in RESULTS:
        def seconds(value):
            return "-" if value is None else f"{value:.1f} s"
        lines.append(f"{outcome.row.number:4}{outcome.row.fault:38}{outcome.row.how:7}"
                     f"{seconds(outcome.detected):>9}{seconds(outcome.recovered):>9}"
                     f"{outcome.attempts:>7}  {outcome.seen}")
        lines.extend(f"{'':8}FAILED: {problem}" for problem in outcome.problems)
    lines.extend(f"{number:4}{fault:38}{where}" for number, fault, where in ELSEWHERE)
    return lines
