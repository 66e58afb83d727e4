"""What test_degradation.py has its cells played with: processes that are asked all the time, and
dependencies that go away and come back.

Each process is asked for everything that the table in docs/OPERATIONS.md speaks of, again and again,
and every answer is kept with its time.
"""

import http.client
import itertools
import os
import shutil
import signal
import sqlite3
import struct
import threading
import time

from disk import ROOT, find_shim, harness
from pg_server import url
from tcp_proxy import Proxy

STORE_TIMEOUT = 3     # seconds, of the processes under test
SHUTDOWN_TIMEOUT = 5
NEXT_TRY = 1          # the pause between two tries of a start
PAUSE = 0.05          # between two rounds of requests
SUBSCRIBED, SUBSCRIPTION, HISTORY = "subscribe", "subscription", "history"
RECORDS = (SUBSCRIBED, SUBSCRIPTION, HISTORY)
PAGES = {"packages": "/user-subscription/packages", "pricing": "/pricing", "sign-in": "/sign-in"}
ALL = (*PAGES, *RECORDS)
GOOD = ("200", "201")
SELLERS = itertools.count()
USER = {"first_name": "Ada", "last_name": "Lovelace"}


class Asker(threading.Thread):
    """Asks its questions one after the other, again and again; `seen` has (begin, end, answer) of
    each. A question is a function of a client that gives the answer as text; "cut": there was none."""

    def __init__(self, server, questions, key=None):
        super().__init__(daemon=True)
        self.server, self.questions, self.key = server, questions, key
        self.seen = {name: [] for name in questions}
        self.asking = (0, None)  # when the question began that is asked now, and its name
        self.over = threading.Event()
        self.start()

    def run(self):
        client = self.server.client(self.key, timeout=30)
        while not self.over.wait(PAUSE):
            for name, question in self.questions.items():
                begin = time.monotonic()
                self.asking = (begin, name)
                try:
                    answer = question(client)
                except (OSError, http.client.HTTPException):
                    answer = "cut"
                    client.close()
                    client = self.server.client(self.key, timeout=30)
                self.seen[name].append((begin, time.monotonic(), answer))
        client.close()


def _status(answer):
    """As text. One 503 is as good as another only where it says when to come again."""
    lacks = answer.status == 503 and "retry-after" not in answer.headers
    return f"{answer.status}-without-Retry-After" if lacks else str(answer.status)


class Seller:
    """Subscribes one user after the other; `sold` are those that were acknowledged."""

    def __init__(self, prefix):
        self.names = (f"{prefix}-{number}" for number in itertools.count())
        self.waiting = None  # a user that is there and has no subscription
        self.sold = []

    def __call__(self, client):
        if self.waiting is None:
            added = self._add(client)
            if added not in GOOD:
                return added
        body = {"user_id": self.waiting, "package_slug": "standard", "billing_cycle": "monthly"}
        # So that an attempt whose answer was lost is told what became of it.
        status = _status(client.post("/user-subscription/subscribe", body,
                                     headers={"Idempotency-Key": self.waiting}))
        if status == "201":
            self.sold.append(self.waiting)
            self.waiting = None
        return status

    def _add(self, client):
        name = next(self.names)
        status = _status(client.put(f"/user-subscription/users/{name}", {**USER, "email": name + "@example.org"}))
        if status in GOOD:
            self.waiting = name
        return status


def _get(path):
    return lambda client: _status(client.get(path))


def _readiness(client):
    answer = client.get("/readyz")
    return f"{_status(answer)} {answer.json()['status']}"


def _health(client):
    """As /readyz, and the databases that it calls up."""
    answer = client.get("/health")
    body = answer.json()
    up = [name for name, check in body["checks"].items() if check.get("status") == "up"]
    return " ".join([_status(answer), body["status"], *up])


class Process:
    """One process and those that ask it."""

    def __init__(self, server, key):
        self.server = server
        self.seller = Seller(f"{server.command[0]}-{next(SELLERS)}")
        self.askers = [
            Asker(server, {"livez": _get("/livez"), "readyz": _readiness, "health": _health}),
            Asker(server, {**{name: _get(path) for name, path in PAGES.items()}, "metrics": _get("/metrics")}),
            Asker(server, {SUBSCRIBED: self.seller, SUBSCRIPTION: _get("/user-subscription/user/first"),
                           HISTORY: _get("/user-subscription/user/first/history")}, key)]
        self.began = time.monotonic()

    def end(self):
        for asker in self.askers:
            asker.over.set()
        for asker in self.askers:
            asker.join(timeout=40)

    def seen(self):
        return {name: list(rows) for asker in self.askers for name, rows in asker.seen.items()}

    def last(self, since, count=1):
        """{name: its last answers} of what was asked since then; None where something was not asked
        often enough."""
        rows = {name: [answer for begin, _, answer in rows[-count:] if begin >= since]
                for name, rows in self.seen().items()}
        return rows if all(len(answers) == count for answers in rows.values()) else None

    def differs(self, name, answer, row):
        """Whether that is not what the row of the table says."""
        if name in ("livez", "metrics"):
            return answer != "200"
        if name in ("readyz", "health"):
            return not (answer + " ").startswith(row.readiness + " ")
        return answer != "503" if name in row.refused else answer not in GOOD

    def is_as(self, row, since):
        last = self.last(since)
        return last is not None and not any(self.differs(name, answers[0], row)
                                            for name, answers in last.items())

    def is_well(self, since):
        last = self.last(since, 3)
        return last is not None and all(
            answer in (*GOOD, "200 ready") or answer.startswith("200 ready ")
            for answers in last.values() for answer in answers)

    def strange(self, row, since, until):
        """What was answered otherwise than the row says."""
        return [f"{self.server.command[0]}: {name} was {answer} after {begin - since:.2f} s"
                for name, rows in self.seen().items() for begin, end, answer in rows
                if begin >= since and end <= until and self.differs(name, answer, row)]

    def waits(self, name, since, seconds):
        """Whether that was asked since then and has had no answer for so long."""
        begin, asked = self.asker_of(name).asking
        return asked == name and begin >= since and time.monotonic() - begin > seconds \
            and self.asker_of(name).seen[name][-1][0] < begin

    def asker_of(self, name):
        return next(asker for asker in self.askers if name in asker.questions)

    def last_bad(self, since):
        """When the last answer came that was not as it should be."""
        return max((end for name, rows in self.seen().items() for begin, end, answer in rows
                    if end >= since and answer not in GOOD and not answer.startswith("200 ready")),
                   default=since)

    def slowest(self):
        return max(((end - begin, name) for name, rows in self.seen().items() for begin, end, _ in rows),
                   default=(0, ""))


class World:
    """Where processes of a cell live. `names` and `clock` are what they believe of both."""

    def __init__(self, folder, start_server):
        self.folder, self.start_server = str(folder), start_server
        self.names, self.clock = os.path.join(self.folder, "names"), os.path.join(self.folder, "clock")
        self.env = {"STORE_TIMEOUT": STORE_TIMEOUT, "SHUTDOWN_TIMEOUT": SHUTDOWN_TIMEOUT,
                    "CONNECT_TIMEOUT": 5, "CONNECT_MAX_RETRIES": -1,
                    "CONNECT_INITIAL_DELAY": f"{NEXT_TRY}s", "CONNECT_MAX_DELAY": f"{NEXT_TRY}s",
                    "CATALOGUE_REFRESH": 1}
        self.key = None
        self.processes = []
        self.marks = {}
        self.set_clock(0)

    def set_clock(self, seconds):
        with open(self.clock, "r+b" if os.path.exists(self.clock) else "wb") as file:
            file.write(struct.pack("=q", seconds))

    def launch(self, command, **more):
        """Starts a process and waits only until it listens."""
        server = self.start_server(self.folder, command=(command,), release=True,
                                   env={**self.env, **more}).wait_listening()
        process = Process(server, self.key)
        self.processes.append(process)
        return process

    def prepare(self):
        """A process that runs once: tables, packages, a key, and the user `first`. Gives the key."""
        server = self.start_server.ready(self.folder, release=True, env=self.env)
        self.key = server.make_key()
        client = server.client(self.key)
        assert client.put("/user-subscription/users/first", {**USER, "email": "first@example.org"}).status == 201
        assert client.post("/user-subscription/subscribe", {
            "user_id": "first", "package_slug": "standard", "billing_cycle": "monthly"}).status == 201
        client.close()
        self.settle(server)
        server.stop()
        return self.key

    def settle(self, server):
        """What a later start needs is there."""

    def end_asking(self):
        for process in self.processes:
            process.end()

    def close(self):
        self.end_asking()

    def mark(self):
        """From here on lines of the log count."""
        self.marks = {process: len(process.server.lines) for process in self.processes}

    def lines(self, process):
        return process.server.lines[self.marks.get(process, 0):]

    def lost(self):
        """Those whose subscription was acknowledged and is not there once, with its history."""
        sold = {"first"}.union(*(process.seller.sold for process in self.processes))
        kept = {user for user, count in self.rows(
            "SELECT user_id, count(*) FROM user_subscriptions GROUP BY user_id") if count == 1}
        told = {user for user, count in self.rows(
            "SELECT user_id, count(*) FROM subscription_history WHERE action = 'created' GROUP BY user_id")
            if count == 1}
        return sorted(sold - (kept & told)), len(sold)

    def rows(self, statement):
        raise NotImplementedError


class Stores(World):
    """Records in PostgreSQL, content in Cassandra; each behind a name and a proxy. `serve` and
    `back-api`."""

    COMMANDS = ("serve", "back-api")

    def __init__(self, folder, start_server, database, gate, keyspace):  # pylint: disable=too-many-arguments
        super().__init__(folder, start_server)
        self.database, self.cassandra = database, gate
        self.postgres, self.holder = Proxy(database.pg.port), None
        self.env.update({
            "DATABASE_URL": url(self.postgres.port, database.name, host="db.test"),
            "CASSANDRA_CONTACT_POINTS": f"content.test:{gate.port}", "CASSANDRA_KEYSPACE": keyspace,
            "LD_PRELOAD": find_shim("shim_world"), "SHIM_NAMES": self.names, "SHIM_CLOCK": self.clock})
        self.set_names(True)

    def set_names(self, known, silent=False):
        """Not known: they are not found; silent: there is no answer."""
        addresses = ("-", "-") if silent else (self.postgres.host, self.cassandra.host)
        with open(self.names + ".new", "w", encoding="ascii") as file:
            if known or silent:
                file.write(f"db.test {addresses[0]}\ncontent.test {addresses[1]}\n")
        os.rename(self.names + ".new", self.names)

    def settle(self, server):
        harness.wait_for(lambda: self.rows("SELECT count(*) FROM kept_catalogue")[0][0] == 1, 20,
                         "content that is kept")

    def add_migrations(self):
        """A version whose migrations take a while on both."""
        target = os.path.join(self.folder, "schema")
        shutil.copytree(os.path.join(ROOT, "schema"), target)
        with open(os.path.join(target, "postgres", "900_slow.sql"), "w", encoding="ascii") as file:
            file.write("CREATE TABLE slow (a int);\nSELECT pg_sleep(1.5);\nCREATE TABLE slower (a int);\n")
        with open(os.path.join(target, "cassandra", "900_slow.cql"), "w", encoding="ascii") as file:
            file.writelines(f"CREATE TABLE IF NOT EXISTS slow{n} (a int PRIMARY KEY);\n" for n in range(15))
        self.env["SCHEMA_DIR"] = target

    def rows(self, statement):
        return self.database.sql(statement)

    def hold(self):
        """Who subscribes waits until release()."""
        self.holder = self.database.connect()
        self.holder.autocommit = False
        self.holder.cursor().execute("LOCK TABLE user_subscriptions IN EXCLUSIVE MODE")

    def release(self):
        self.holder.close()

    def close(self):
        super().close()
        self.postgres.close()


class File(World):
    """Everything in a SQLite file, on a disk that can be full. `serve`."""

    COMMANDS = ("serve",)

    def __init__(self, folder, start_server, shim):
        super().__init__(folder, start_server)
        self.shim, self.holder = shim, None
        self.env.update(shim.env)

    def add_migrations(self):
        """A version whose migration takes a while."""
        target = os.path.join(self.folder, "schema")
        shutil.copytree(os.path.join(ROOT, "schema"), target)
        with open(os.path.join(target, "sqlite", "900_slow.sql"), "w", encoding="ascii") as file:
            file.write("CREATE TABLE slow AS WITH RECURSIVE n(i) AS"
                       " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT i FROM n;\n")
        self.env["SCHEMA_DIR"] = target

    def rows(self, statement):
        connection = sqlite3.connect(self.shim.database, timeout=30)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def hold(self):
        self.holder = sqlite3.connect(self.shim.database, isolation_level=None, check_same_thread=False)
        self.holder.execute("BEGIN IMMEDIATE")

    def release(self):
        self.holder.close()


def stop(process):
    """Sends SIGTERM; the process says that it has it."""
    process.server.process.send_signal(signal.SIGTERM)
    harness.wait_for(lambda: "Received SIGTERM" in process.server.log, 10, "the signal")
