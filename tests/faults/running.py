"""A fault while the service runs: what its users see, how soon it is noticed, how soon it is over.

Everything is seen from outside: HTTP, the log, /proc, and the connections that a proxy took.
"""

import http.client
import os
import threading
import time

from disk import ROOT, harness

STORE_TIMEOUT = 3  # seconds, of the service under test
FIRST_PAUSE = 0.05  # half of CONNECT_BACKOFF_FIRST_MS
LANES = 3          # connections that it has besides the supervisor's
GRACE = 0.3 if harness.LONG else 2  # seconds over STORE_TIMEOUT until an answer is here
BODY = {"email": "ada@example.org", "first_name": "Ada", "last_name": "Lovelace"}


class Watch:
    """Sends one request again and again, and keeps what came back and how long it took."""

    def __init__(self, server, method, path, key=None, body=None):
        self.server, self.method, self.path, self.key, self.body = server, method, path, key, body
        self.seen = []  # (begin, seconds, status; 0: no answer)
        self.over = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _once(self, client):
        body = self.body() if callable(self.body) else self.body
        return client.request(self.method, self.path, body).status

    def _run(self):
        client = self.server.client(self.key, timeout=30)
        while not self.over:
            begin = time.monotonic()
            try:
                status = self._once(client)
            except (OSError, http.client.HTTPException):
                status = 0
                client.close()
                client = self.server.client(self.key, timeout=30)
            except (LookupError, TypeError, ValueError):  # an answer in another form
                status = 598
            self.seen.append((begin, time.monotonic() - begin, status))
            time.sleep(0.02)
        client.close()

    def since(self, begin):
        return [row for row in self.seen if row[0] >= begin]

    def statuses(self, begin):
        return sorted({row[2] for row in self.since(begin)})

    def slowest(self, begin):
        return max((row[1] for row in self.since(begin)), default=0)

    def first(self, begin, wanted):
        """When the first answer with that status ended, in seconds since `begin`; or None."""
        for at, took, status in self.since(begin):
            if status == wanted:
                return at + took - begin
        return None

    def last_refusal(self, end):
        """When the last answer came that was none, in seconds after `end`; 0 where all were good."""
        return max((at + took - end for at, took, status in list(self.seen)
                    if status not in (200, 201)), default=0)

    def is_steady(self, begin):
        """The last five requests were sent after `begin` and answered as they should be."""
        last = self.seen[-5:]
        return len(last) == 5 and all(
            at > begin and status in (200, 201) for at, _, status in last)

    def end(self):
        self.over = True
        self.thread.join(timeout=40)


class Service:
    """A running `serve` on PostgreSQL, with watches on what it answers."""

    def __init__(self, server, key):
        self.server, self.key = server, key
        self.number = 0
        self.packages = Watch(server, "GET", "/user-subscription/packages")
        self.readiness = Watch(server, "GET", "/readyz")
        self.reads = Watch(server, "GET", "/user-subscription/users/first", key)
        self.writes = Watch(server, "PUT", "/user-subscription/users/second", key, self._body)

    def _body(self):
        self.number += 1
        return {**BODY, "email": f"second{self.number}@example.org"}

    @property
    def watches(self):
        return (self.packages, self.readiness, self.reads, self.writes)

    def end(self):
        for watch in self.watches:
            watch.over = True
        for watch in self.watches:
            watch.end()

    def status(self):
        client = self.server.client()
        try:
            return client.get("/readyz?verbose").json()["checks"]["postgresql"]["status"]
        finally:
            client.close()

    def resources(self):
        folder = f"/proc/{self.server.process.pid}"
        return len(os.listdir(folder + "/fd")), len(os.listdir(folder + "/task"))

    def works(self):
        """A write and a read of what was written, now."""
        client = self.server.client(self.key)
        self.number += 1
        email = f"works{self.number}@example.org"
        try:
            put = client.put("/user-subscription/users/works", {**BODY, "email": email})
            if put.status not in (200, 201):
                return False
            return client.get("/user-subscription/users/works").json()["email"] == email
        finally:
            client.close()


def environment(url, more=None):
    return {"DATABASE_URL": url, "STORE_TIMEOUT": STORE_TIMEOUT, "CONNECT_TIMEOUT": 5,
            "CONNECT_MAX_RETRIES": -1, "CONNECT_INITIAL_DELAY": "100ms",
            "CONNECT_MAX_DELAY": "500ms", **(more or {})}


def begin(start_server, folder, url, env=None, preload=None):
    server = start_server.ready(folder, release=True,
                                env={**environment(url, env), **(preload or {})})
    key = server.make_key()
    client = server.client(key)
    assert client.put("/user-subscription/users/first",
                      {**BODY, "email": "first@example.org"}).status in (200, 201)
    client.close()
    return Service(server, key)


class Outcome:
    """What one row showed; `problems` is empty where all was as it should be."""

    def __init__(self, row):
        self.row = row
        self.detected = self.recovered = None
        self.attempts = self.most_attempts = self.log_lines = 0
        self.seen = ""
        self.problems = []

    def expect(self, so, words):
        if not so:
            self.problems.append(words)


def detection(service, began):
    """When the first request was refused, in seconds; or None."""
    times = [watch.first(began, 503) for watch in (service.reads, service.writes, service.readiness)]
    return min((at for at in times if at is not None), default=None)


def words(service, began):
    def of(watch):
        return "/".join(str(status or "cut") for status in watch.statuses(began)) or "none"
    return f"pages {of(service.packages)}, reads {of(service.reads)}, writes {of(service.writes)}"


def play(row, service, world, long):
    """Begins the fault, holds it, ends it, waits until all is well, and judges."""
    outcome = Outcome(row)
    harness.wait_for(service.works, 20, "a service that works before the fault")
    before, lines = service.resources(), len(service.server.lines)
    began = time.monotonic()
    row.begin(world)
    end_at = began + row.hold
    while time.monotonic() < end_at:
        time.sleep(0.05)
    row.end(world)
    recover(row, service, outcome, time.monotonic(), long)
    outcome.detected = detection(service, began)
    outcome.seen = words(service, began)
    judge(service, outcome, began)
    _count_attempts(outcome, world.attempts_since(began), time.monotonic() - began)
    outcome.log_lines = len(service.server.lines) - lines
    outcome.expect(outcome.log_lines <= 24, f"{outcome.log_lines} lines of log")
    check_leaks(service, before, outcome)
    return outcome


def recover(row, service, outcome, ended, long):
    """Waits until all is well; `recovered` is when the last request was refused."""
    bound = row.recovers if long else row.recovers * 3 + 5
    watches = (service.reads, service.writes, service.readiness)
    try:
        harness.wait_for(service.works, bound + 5, "a service that works again")
        works = time.monotonic() - ended
        harness.wait_for(lambda: all(watch.is_steady(ended) for watch in watches), bound + 5,
                         "a service that goes on working")
    except AssertionError as error:
        outcome.problems.append(str(error))
        return
    outcome.recovered = max([works, *(watch.last_refusal(ended) for watch in watches)])
    outcome.expect(outcome.recovered <= bound,
                   f"recovered after {outcome.recovered:.1f} s, not within {bound:g}")


def judge(service, outcome, began):
    outcome.expect(service.packages.statuses(began) == [200], "the catalogue was not served")
    for watch in (service.reads, service.writes):
        strange = set(watch.statuses(began)) - {200, 201, 503}
        outcome.expect(not strange, f"answers {sorted(strange)} to {watch.method}")
        outcome.expect(watch.slowest(began) < STORE_TIMEOUT + GRACE,
                       f"{watch.method} took {watch.slowest(began):.1f} s")
    outcome.expect(not outcome.row.is_seen or outcome.detected is not None, "was not noticed")
    outcome.expect(service.server.process.poll() is None, "the process ended")


TABLE_HEAD = (f"{'':4}{'fault':41}{'how':7}{'verdict':9}{'noticed':>8}{'over in':>9}"
              f"{'tries':>7}{'of':>5}  seen")


def lines_of(outcome):
    """Its row of the table, which is the run's result; and what was wrong."""
    def seconds(value):
        return "-" if value is None else f"{value:.1f} s"

    verdict = "FAILED" if outcome.problems else "ok"
    yield (f"{outcome.row.number:4}{outcome.row.fault:41}{outcome.row.how:7}{verdict:9}"
           f"{seconds(outcome.detected):>8}{seconds(outcome.recovered):>9}"
           f"{outcome.attempts:>7}{outcome.most_attempts:>5}  {outcome.seen}")
    for problem in outcome.problems:
        yield f"{'':8}FAILED: {problem}"


def lines_elsewhere(elsewhere):
    """Those that are played by other tests, each of which is there."""
    for number, fault, where in elsewhere:
        path, _, name = where.partition("::")
        if "/" in path and " " not in path:
            with open(os.path.join(ROOT, "tests", path), encoding="utf-8") as file:
                assert not name or f"def {name}(" in file.read(), where
        yield f"{number:4}{fault:41}{where}"


def tries(seconds, first, most, hangs=0.0):
    """How often one may try within that time whose pauses double, from one attempt's beginning to the
    next one's."""
    count, pause = 1, first
    at = max(pause, hangs)
    while at <= seconds:
        count += 1
        pause = min(pause * 2, most)
        at += max(pause, hangs)
    return count


def _count_attempts(outcome, attempts, seconds):
    """All from the fault's beginning until all was well again. The supervisor backs off all the time,
    each lane as long as the supervisor has not noticed; in the end each has its connection. The
    pauses are the shortest that src/connect/schedule.c gives."""
    row = outcome.row
    unnoticed = seconds if outcome.detected is None else outcome.detected
    outcome.attempts = attempts
    outcome.most_attempts = (
        tries(seconds, FIRST_PAUSE, row.pause_most, row.hangs) + 1
        + LANES * (tries(unnoticed, FIRST_PAUSE, row.pause_most, row.hangs) + 1))
    outcome.expect(attempts <= outcome.most_attempts,
                   f"{attempts} attempts, not {outcome.most_attempts} at most")


def check_leaks(service, before, outcome):
    def as_before():
        files, threads = service.resources()
        return files <= before[0] + 3 and threads <= before[1] + 1
    try:
        harness.wait_for(as_before, 15, "as many descriptors and threads as before")
    except AssertionError:
        outcome.problems.append(f"descriptors and threads: {before} before, "
                                f"{service.resources()} after")
