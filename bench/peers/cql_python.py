"""The Python driver at the work of bench/cql, by the same lines: OP AMOUNT in, JSON out.

Usage: cql_python.py HOST:PORT ROWS    (so many were loaded by another one)

Debian's package with its C parts and libev, protocol 5 as the others. 128 requests are in flight,
each sent again from its own callback on the driver's event loop, rows as plain tuples: its
quickest way.
"""

import json
import random
import sys
import threading
import time

from cassandra import ConsistencyLevel
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.io.libevreactor import LibevConnection
from cassandra.policies import RoundRobinPolicy
from cassandra.query import tuple_factory

IN_FLIGHT = 128
PAGE_ROWS = 5000
TIMEOUT_SECONDS = 60
BODY = "x" * 100
KEYSPACE = (
    "CREATE KEYSPACE IF NOT EXISTS bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
)
TABLE = "CREATE TABLE IF NOT EXISTS bench.%s (id bigint PRIMARY KEY, name text, amount int, body text)"
INSERT = "INSERT INTO bench.%s (id, name, amount, body) VALUES (?, ?, ?, ?)"


def connect(host, port):
    profile = ExecutionProfile(
        load_balancing_policy=RoundRobinPolicy(), consistency_level=ConsistencyLevel.LOCAL_ONE,
        request_timeout=TIMEOUT_SECONDS, row_factory=tuple_factory,
    )  # fmt: skip
    cluster = Cluster(
        [host], port=port, protocol_version=5, compression=False, connection_class=LibevConnection,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile},
    )  # fmt: skip
    session = cluster.connect()
    session.default_fetch_size = PAGE_ROWS
    session.execute(KEYSPACE)
    for table in ("rows", "written"):
        session.execute(TABLE % table)
    return cluster, session


class Round:
    """What all rounds have: the time, the count, the errors and the latencies."""

    def __init__(self, session):
        self.session = session
        self.done = self.errors = 0
        self.latencies = []
        self.ended = threading.Event()

    def note(self, sent, count):
        self.done += count
        self.latencies.append(time.perf_counter() - sent)

    def fail(self, error):
        if self.errors == 0:
            print(error, file=sys.stderr, flush=True)
        self.errors += 1

    def run(self, op):
        cpu, begun = time.process_time(), time.perf_counter()
        self.start()
        self.ended.wait()
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
        sorted_us = sorted(round(latency * 1e6) for latency in self.latencies) or [0]
        return {
            "op": op, "ops": self.done, "seconds": round(seconds, 6), "cpu": round(cpu, 6), "errors": self.errors,
            "p50_us": sorted_us[len(sorted_us) // 2], "p99_us": sorted_us[int(len(sorted_us) * 0.99)],
        }  # fmt: skip


class Single(Round):
    """Statements of one row: so many of them, or for so long."""

    def __init__(self, session, statement, values, most=None, seconds=None):
        super().__init__(session)
        self.statement, self.values = statement, values
        self.most = most
        self.until = None if seconds is None else time.perf_counter() + seconds
        self.started, self.open = 0, IN_FLIGHT
        self.lock = threading.Lock()  # the first ones are sent by the main thread

    def start(self):
        for _ in range(IN_FLIGHT):
            self.next()

    def is_over(self, now):
        return self.started == self.most or (self.until is not None and now >= self.until)

    def next(self):
        now = time.perf_counter()
        with self.lock:
            if self.is_over(now):
                self.open -= 1
                if self.open == 0:
                    self.ended.set()
                return
            number = self.started
            self.started += 1
        future = self.session.execute_async(self.statement, self.values(number))
        future.add_callbacks(self.take, self.give_up, callback_args=(now,))

    def take(self, _rows, sent):
        self.note(sent, 1)
        self.next()

    def give_up(self, error):
        self.fail(error)
        self.next()


class Scan(Round):
    """All rows, page by page, again and again."""

    def __init__(self, session, statement, seconds):
        super().__init__(session)
        self.statement = statement
        self.until = time.perf_counter() + seconds
        self.sent = 0.0
        self.future = None

    def start(self):
        self.sent = time.perf_counter()
        self.future = self.session.execute_async(self.statement)
        self.future.add_callbacks(self.take, self.give_up)

    def take(self, rows):
        now = time.perf_counter()
        self.note(self.sent, len(rows))  # they come decoded
        if now >= self.until:
            self.ended.set()
        elif self.future.has_more_pages:
            self.sent = now
            self.future.start_fetching_next_page()
        else:
            self.start()

    def give_up(self, error):
        self.fail(error)
        self.ended.set()


class Peer:
    def __init__(self, session, loaded):
        self.session, self.loaded = session, loaded
        self.select_one = session.prepare("SELECT id, name, amount, body FROM bench.rows WHERE id = ?")
        self.select_all = session.prepare("SELECT id, name, amount, body FROM bench.rows")
        self.insert_row = session.prepare(INSERT % "rows")
        self.insert_written = session.prepare(INSERT % "written")

    def load(self, amount):
        self.loaded = int(amount)
        return Single(self.session, self.insert_row, self.row_of, most=self.loaded)

    def read(self, amount):
        return Single(self.session, self.select_one, self.random_key, seconds=float(amount))

    def write(self, amount):
        return Single(self.session, self.insert_written, self.random_row, seconds=float(amount))

    def scan(self, amount):
        return Scan(self.session, self.select_all, float(amount))

    @staticmethod
    def row_of(number):
        return (number, f"row {number}", number % 1000, BODY)

    def random_row(self, _number):
        return self.row_of(random.getrandbits(63))

    def random_key(self, _number):
        return (int(random.random() * self.loaded),)


def main():
    host, _, port = sys.argv[1].rpartition(":")
    cluster, session = connect(host, int(port))
    peer = Peer(session, int(sys.argv[2]))
    print("ready", flush=True)
    rounds = {"load": peer.load, "read": peer.read, "write": peer.write, "scan": peer.scan}
    for line in sys.stdin:
        op, amount = line.split()
        print(json.dumps(rounds[op](amount).run(op)), flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
