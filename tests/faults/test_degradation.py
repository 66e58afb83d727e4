"""Each dependency away at each moment: the table "What is away, and when" of docs/OPERATIONS.md, a
test for each of its rows, which reads from there what it asserts.

While it is away every process is asked for everything each 50 ms: /livez never fails, each answer is
what the row says, the log stays short, it is over by itself in time, and no subscription that was
acknowledged is lost. With TD_LONG=1 an outage lasts 10 s and bounds hold in full.
"""

import dataclasses
import http.client
import os
import re
import sys
import time

import pytest
from disk import ROOT, Shim, harness

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from degrading import (ALL, NEXT_TRY, RECORDS, SHUTDOWN_TIMEOUT, STORE_TIMEOUT, SUBSCRIBED,  # noqa: E402
                       File, Stores, stop)
from tcp_proxy import Proxy  # noqa: E402

LONG = harness.LONG
HOLD = 10 if LONG else 2
GRACE = 0.5 if LONG else 3  # seconds over STORE_TIMEOUT until an answer is here
LOCK = 30      # seconds that Cassandra's lock of migrations lasts
START_LINES = 30  # that a start and a stop have at most, whatever is away
SETTLES = 12   # seconds until all is as the row says: a start without Cassandra waits 5 for it
REFUSED = {"–": (), "writes": (SUBSCRIBED,), "in flight": (SUBSCRIBED,), "records": RECORDS, "all": ALL}


# ---- the table ---------------------------------------------------------------------------------

@dataclasses.dataclass
class Row:
    away: str
    when: str
    readiness: str
    refused: tuple
    lines: int
    lines_a_try: int
    within: float  # seconds; None: nothing that could be over


def _seconds(text):
    words = {"–": None, "the next try": NEXT_TRY + 1, "the next start": None,
             "`SHUTDOWN_TIMEOUT`": SHUTDOWN_TIMEOUT}
    return words[text] if text in words else float(text.removesuffix(" s"))


def _row(cells):
    away, when, readiness, refused, lines, within = cells[:6]
    count, _, tries = lines.partition(" and ")
    return Row(away, when, readiness, REFUSED[refused], int(count),
               int(tries.removesuffix(" a try") or 0), _seconds(within))


def read_table():
    with open(os.path.join(ROOT, "docs", "OPERATIONS.md"), encoding="utf-8") as file:
        section = re.search(r"(?ms)^### What is away, and when$(.*?)^##", file.read()).group(1)
    rows = [[cell.strip() for cell in line.strip("|").split("|")]
            for line in section.splitlines() if line.startswith("| ")]
    return {(cells[0], cells[1]): _row(cells) for cells in rows[1:]}


TABLE = read_table()
MOMENTS = ("before the start", "during migration", "running", "during shutdown")
STORES = ("PostgreSQL", "Cassandra", "both", "name service", "clock")
CELLS = [("disk", when) for when in MOMENTS] + [(away, when) for when in MOMENTS for away in STORES]


def test_the_table_has_each_dependency_at_each_moment(tell):
    assert sorted(TABLE) == sorted(CELLS)
    if not LONG:
        tell([f"shortened: TD_LONG=1 has outages of 10 s, bounds in full, and waits {LOCK} s for a lock"])


# ---- what goes away ----------------------------------------------------------------------------

def _refuse(*names):
    def begin(world):
        for name in names:
            getattr(world, name).set("refuse")
            getattr(world, name).cut()
    return begin


def _pass(*names):
    def end(world):
        for name in names:
            getattr(world, name).set("pass")
    return end


def _no_names(world):
    """And connections are lost, so that names are asked for."""
    world.set_names(False)
    world.postgres.cut()
    world.cassandra.cut()


def _fill_disk(world):
    world.shim[Shim.DISK_FULL] = 1


def _empty_disk(world):
    world.shim[Shim.DISK_FULL] = 0


FAULTS = {
    "PostgreSQL": (_refuse("postgres"), _pass("postgres")),
    "Cassandra": (_refuse("cassandra"), _pass("cassandra")),
    "both": (_refuse("postgres", "cassandra"), _pass("postgres", "cassandra")),
    "name service": (_no_names, lambda world: world.set_names(True)),
    "clock": (lambda world: world.set_clock(3600), lambda world: world.set_clock(0)),
    "disk": (_fill_disk, _empty_disk),
}


# ---- how a cell is played ----------------------------------------------------------------------

class Played:
    """What one cell showed; `problems` is empty where all was as the row says."""

    def __init__(self, row):
        self.row = row
        self.settled = self.recovered = None
        self.lines = 0
        self.problems = ["did not come to its end"]

    def expect(self, so, words):
        if not so:
            self.problems.append(words)

    def text(self):
        """In the columns of running.TABLE_HEAD."""
        def seconds(value):
            return "-" if value is None else f"{value:.1f} s"
        verdict = "FAILED" if self.problems else "ok"
        return (f"{'':4}{self.row.away + ', ' + self.row.when:41}{'':7}{verdict:9}{seconds(self.settled):>8}"
                f"{seconds(self.recovered):>9}{'':>12}  {self.lines} lines of log")


def wait_until(condition, seconds):
    """False where it does not come true."""
    try:
        harness.wait_for(condition, seconds)
    except AssertionError:
        return False
    return True


def settle_and_hold(world, played, began, row=None):
    """All is as the row says, and stays so."""
    row = row or played.row
    for process in world.processes:
        if not wait_until(lambda process=process: process.is_as(row, began), SETTLES):
            played.expect(False, f"{process.server.command[0]} did not come to {row}: {process.last(began)}")
            return
    settled = time.monotonic()
    played.settled = settled - began
    harness.wait_for(lambda: time.monotonic() >= settled + HOLD, HOLD + 5, "the time that it lasts")
    for process in world.processes:
        strange = process.strange(row, settled, time.monotonic())
        played.expect(not strange, "; ".join(strange[:5]))


def recover(world, played, ended):
    """All is well again by itself, in time."""
    within = played.row.within or 0
    bound = within if LONG else within * 3 + 5
    for process in world.processes:
        well = wait_until(lambda process=process: process.is_well(ended), bound + 10)
        played.expect(well, f"{process.server.command[0]} did not recover: {process.last(ended, 3)}")
    played.recovered = max(process.last_bad(ended) for process in world.processes) - ended
    played.expect(played.recovered <= bound, f"over after {played.recovered:.1f} s, not within {bound:g}")


def is_about_it(line):
    """Not what every start says."""
    return re.search(r"warning: |error: |Retrying in|is back| again", line) and "HTTP_MAX_CONNECTIONS" not in line


def count_lines(world, played, seconds):
    row = played.row
    most = row.lines + row.lines_a_try * (1 + int(seconds / NEXT_TRY))
    for process in world.processes:
        lines = [line for line in world.lines(process) if is_about_it(line)]
        played.lines = max(played.lines, len(lines))
        played.expect(lines or most == 0 or row.when == "during shutdown", "nothing of it in the log")
        played.expect(len(lines) <= most, f"{len(lines)} lines of log, not {most} at most:\n" + "\n".join(lines))
        every = world.lines(process)
        played.expect(not any("no answer in time" in line for line in every), "a refusal was called no answer")
        played.expect(len(every) <= most + START_LINES, f"{len(every)} lines of log:\n" + "\n".join(every))


def judge(world, played):
    """What holds in every cell."""
    for process in world.processes:
        live = {answer for _, _, answer in process.seen()["livez"]}
        played.expect(live == {"200"}, f"/livez was {sorted(live)}")
        took, name = process.slowest()
        played.expect(took < STORE_TIMEOUT + GRACE, f"{name} took {took:.1f} s")
        played.expect(process.server.process.poll() is None, "a process ended")
    world.end_asking()
    lost, sold = world.lost()
    played.expect(not lost, f"{len(lost)} of {sold} acknowledged subscriptions are lost: {lost[:3]}")


def play(world, played, begin, end, began=None):
    """Holds the fault, ends it, waits until all is well, and judges."""
    if began is None:
        began = time.monotonic()
        begin(world)
    settle_and_hold(world, played, began)
    finish(world, played, end, began)


def finish(world, played, end, began):
    ended = time.monotonic()
    end(world)
    recover(world, played, ended)
    count_lines(world, played, time.monotonic() - began)
    judge(world, played)


def before_the_start(world, played, begin, end):
    began = time.monotonic()
    begin(world)
    for command in world.COMMANDS:
        world.launch(command)
    play(world, played, begin, end, began)


def launch_all(world):
    """Processes that work, and with connections for whatever is asked."""
    for command in world.COMMANDS:
        world.launch(command)
    for process in world.processes:
        harness.wait_for(lambda process=process: process.is_well(0), 20, "a process that works")
        harness.wait_for(lambda process=process: len(process.seller.sold) > 5, 20, "subscriptions")
    world.mark()


def running(world, played, begin, end):
    launch_all(world)
    play(world, played, begin, end)


def running_while_the_clock_jumps(world, played, _, end):
    """An hour ahead, two hours back, and right again."""
    launch_all(world)
    for seconds in (3600, -3600):
        began = time.monotonic()
        world.set_clock(seconds)
        settle_and_hold(world, played, began)
    finish(world, played, end, began)


def running_without_names(world, played, begin, end):
    """Nobody asks for names while connections stand; then they are lost."""
    launch_all(world)
    world.set_names(False)
    began = time.monotonic()
    harness.wait_for(lambda: time.monotonic() >= began + HOLD, HOLD + 5, "the time that it lasts")
    played.expect(not any(process.last_bad(began) > began for process in world.processes),
                  "a name was needed without a loss")
    played.expect(not any(map(is_about_it, sum(map(world.lines, world.processes), []))), "it was told of")
    play(world, played, begin, end)


def running_and_back_in_turn(world, played, begin, end):
    """PostgreSQL is back first, and until Cassandra is, too, it is as if that were away alone."""
    launch_all(world)
    began = time.monotonic()
    begin(world)
    settle_and_hold(world, played, began)
    back = time.monotonic()
    world.postgres.set("pass")
    settle_and_hold(world, played, back, TABLE["Cassandra", "running"])
    for process in world.processes:
        told = [line for line in world.lines(process) if "told to the event log again" in line]
        played.expect(not told, "events were called told while Cassandra was away")
    finish(world, played, end, began)


MIGRATES = {"PostgreSQL": ["900_slow.sql"], "Cassandra": ["900_slow.cql"], "disk": ["900_slow.sql"]}


def begin_migration(world, away):
    world.add_migrations()
    for command in world.COMMANDS:
        world.launch(command)
    for name in MIGRATES.get(away, ["900_slow.sql", "900_slow.cql"]):
        harness.wait_for(lambda name=name: "Executing migration: " + name in world.processes[0].server.log, 20,
                         "a migration")


def during_migration(world, played, begin, end):
    begin_migration(world, played.row.away)
    play(world, played, begin, end)


def during_cassandras_migration(world, played, begin, end):
    """It goes on when the lock has run out that was held when the connection was lost, which nobody
    waits for in an ordinary run."""
    during_migration(world, played, begin, end)
    if not LONG:
        return
    done = wait_until(lambda: "Migration 900_slow.cql completed" in world.processes[0].server.log, LOCK + 10)
    played.expect(done, "the migration was not completed")


def ends(world, played, code, since, seconds):
    """The process ends by itself; and the next start has all."""
    for process in world.processes:
        done = wait_until(lambda process=process: process.server.process.poll() is not None, seconds)
        played.expect(done and process.server.process.returncode == code,
                      f"{process.server.command[0]} ended with {process.server.process.returncode}, not {code}")
        process.server.reader.join(timeout=10)
    played.recovered = time.monotonic() - since
    played.expect(played.recovered <= seconds, f"ended after {played.recovered:.1f} s")


def start_again(world, played):
    for command in world.COMMANDS:
        server = world.start_server(world.folder, command=(command,), release=True, env=world.env).wait_listening()
        ready = wait_until(lambda server=server: server.client().get("/readyz").status == 200, 20)
        played.expect(ready, f"{command} did not start again:\n{server.log}")
    lost, sold = world.lost()
    played.expect(not lost, f"{len(lost)} of {sold} acknowledged subscriptions are lost: {lost[:3]}")


def during_migration_on_a_full_disk(world, played, begin, end):
    """Nothing else can be done than to end; whoever starts it again has what was there before."""
    begin_migration(world, played.row.away)
    began = time.monotonic()
    begin(world)
    ends(world, played, 4, began, 20)
    world.end_asking()
    for process in world.processes:
        strange = [line for line in process.strange(played.row, 0, began) if "livez" in line]
        played.expect(not strange, "; ".join(strange))
        played.expect("disk is full" in process.server.lines[-1], process.server.lines[-1])
    count_lines(world, played, 0)
    end(world)
    start_again(world, played)


def shutdown_without_answers(world, played, _, end):
    """Names are looked up, and nobody answers."""
    def begin(world):
        world.set_names(False, silent=True)
        world.postgres.cut()
        world.cassandra.cut()
    during_shutdown(world, played, begin, end)


def refuses(process):
    client = process.server.client(timeout=5)
    try:
        return client.get("/readyz").status == 503
    except (OSError, http.client.HTTPException):
        return True
    finally:
        client.close()


def during_shutdown(world, played, begin, end):
    """With a subscription in flight, which is answered before the end though its own deadline is later;
    and nothing new is taken."""
    row = played.row
    world.env["STORE_TIMEOUT"] = 6 * SHUTDOWN_TIMEOUT
    launch_all(world)
    held = time.monotonic()
    world.hold()
    for process in world.processes:
        harness.wait_for(lambda process=process: process.waits(SUBSCRIBED, held, 0.3), 10, "a subscription in flight")
    world.mark()
    began = time.monotonic()
    for process in world.processes:
        stop(process)
    begin(world)
    for process in world.processes:
        played.expect(wait_until(lambda process=process: refuses(process), 2), "requests were still taken")
    world.release()
    ends(world, played, 0, began, row.within + (0.5 if LONG else 4))
    world.end_asking()
    for process in world.processes:
        answer = [answer for begin, _, answer in process.seen()[SUBSCRIBED] if begin < began][-1]
        wanted = "503" if row.refused else "201"
        played.expect(answer == wanted, f"{process.server.command[0]}: what was in flight was answered {answer}")
        live = {answer for at, _, answer in process.seen()["livez"] if at < began} | {
            answer for _, _, answer in process.seen()["livez"] if answer != "cut"}
        played.expect(live == {"200"}, f"/livez was {sorted(live)}")
    count_lines(world, played, 0)
    end(world)
    start_again(world, played)


MODES = {
    "before the start": before_the_start, "during migration": during_migration, "running": running,
    "during shutdown": during_shutdown,
    ("disk", "during migration"): during_migration_on_a_full_disk,
    ("Cassandra", "during migration"): during_cassandras_migration,
    ("clock", "running"): running_while_the_clock_jumps,
    ("name service", "running"): running_without_names,
    ("name service", "during shutdown"): shutdown_without_answers,
    ("both", "running"): running_and_back_in_turn,
}


# ---- the cells ---------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def gate():
    """Where the node is told to clients."""
    cluster = cassandra_server.Cluster(1, commitlog="batch")
    node = cluster.nodes[0]
    node.public_address = node.address.rpartition(".")[0] + ".101"
    try:
        cluster.start()
        with Proxy(cluster.port, host=node.public_address, port=cluster.port, target_host=node.address) as proxy:
            yield proxy
    finally:
        cluster.remove()


@pytest.fixture(scope="module")
def prepared(gate, pg, tmp_path_factory):
    """(database, keyspace, key) for the cells that do not change the schema."""
    servers = harness.Servers()
    database = harness.PgDatabase(pg, "degradation")
    one = Stores(tmp_path_factory.mktemp("prepared"), servers, database, gate, "degradation")
    try:
        yield database, "degradation", one.prepare()
    finally:
        one.close()
        servers.end()


@pytest.fixture
def world(request, start_server, tmp_path):
    away, when = (request.node.callspec.params[name] for name in ("away", "when"))
    get = request.getfixturevalue
    if away == "disk":
        one = File(tmp_path, start_server, get("make_shim")())
        one.prepare()
    elif when == "during migration":
        one = Stores(tmp_path, start_server, get("pg_database"), get("gate"), "t_" + get("pg_database").name[-12:])
        one.prepare()
    else:
        database, keyspace, key = get("prepared")
        one = Stores(tmp_path, start_server, database, get("gate"), keyspace)
        one.key = key
    yield one
    one.close()


@pytest.mark.parametrize("away, when", CELLS)
def test_away(world, away, when, tell):
    played = Played(TABLE[away, when])
    try:
        MODES.get((away, when), MODES[when])(world, played, *FAULTS[away])
        played.problems.pop(0)
    finally:
        tell([played.text()])
    logs = "\n".join(process.server.log[-5000:] for process in world.processes)
    assert not played.problems, "\n".join(played.problems) + "\n" + logs


def test_a_first_start_on_a_full_disk_ends(start_server, make_shim, tmp_path):
    """And the next one, when there is room, finds nothing half made."""
    shim = make_shim()
    shim[Shim.DISK_FULL] = 1
    server = start_server(tmp_path, release=True, env=shim.env)
    assert server.process.wait(timeout=30) == 4, server.log
    server.reader.join(timeout=10)
    assert "disk is full" in server.lines[-1] and len(server.lines) < START_LINES, server.log
    shim[Shim.DISK_FULL] = 0
    start_server.ready(tmp_path, release=True, env=shim.env).stop()


def test_a_full_disk_stays_known_while_nobody_writes(start_server, make_shim, tmp_path):
    """It is no success that something was looked at; and the log has one line for many refusals."""
    shim = make_shim()
    server = start_server.ready(tmp_path, release=True, env=shim.env)
    client = server.client(server.make_key())
    body = {"email": "a@example.org", "first_name": "Ada", "last_name": "Lovelace"}
    shim[Shim.DISK_FULL] = 1
    for _ in range(3):
        assert client.put("/user-subscription/users/a", body).status == 503
        began = time.monotonic()
        seen = []
        harness.wait_for(lambda: seen.append(client.get("/readyz").json()["status"])
                         or time.monotonic() > began + 0.7, 5)
        assert set(seen) == {"degraded"}
    shim[Shim.DISK_FULL] = 0
    harness.wait_for(lambda: client.get("/readyz").json()["status"] == "ready", 5, "readiness")
    client.close()
    server.stop()
    told = [line for line in server.lines if "disk is full" in line]
    assert len(told) == 1 and told[0].endswith("check=sqlite.writable"), told
    assert len([line for line in server.lines if "SQLite works again" in line]) == 1

