"""A session of the CQL client (src/cql/client/session.h) with nodes that do what real ones cannot be
made to do: what is sent where, how often, and how each request ends."""

import dataclasses
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import pytest

from conftest import LONG, ROOT, clean_env, executable, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cql_session  # noqa: E402
from cql_bytes import (  # noqa: E402
    BATCH, EXECUTE, OPTIONS, PREPARE, QUERY, STARTUP, Reader, string)
from fake_cassandra import (  # noqa: E402
    CLOSE, RESET, SILENCE, TEXT, Answer, FakeCassandra, FakeCluster, error, rows, schema_change,
    schema_changed, status_change, topology_change)
from tcp_proxy import Fake  # noqa: E402

PROBE = os.path.join(os.path.dirname(executable()), "tests", "integration", "cql_session_script")
UNAVAILABLE, OVERLOADED, BOOTSTRAPPING, TRUNCATE = 0x1000, 0x1001, 0x1002, 0x1003
WRITE_TIMEOUT, READ_TIMEOUT, READ_FAILURE, WRITE_FAILURE = 0x1100, 0x1200, 0x1300, 0x1500
SERVER, SYNTAX, INVALID, UNPREPARED = 0, 0x2000, 0x2200, 0x2500
DETAIL = struct.pack(">Hii", 6, 1, 2)  # consistency, two numbers
SHORTENED = "" if LONG else " (shortened: TD_LONG=1 for all)"
QUICK = {"backoff_first_ms": 20, "backoff_most_ms": 100, "backoff_setting_ms": 100}
LIMIT = 30                 # seconds until something must have happened
SLACK = 5 if LONG else 10  # seconds that a busy machine may take for what takes none


def session(*servers, **options):
    return cql_session.Session(*servers, probe=PROBE, **options)


def asked(node, what, opcode=None):
    """How often the node was asked for `what`."""
    return sum(what in r.text and r.opcode in ((QUERY, EXECUTE, BATCH) if opcode is None else
                                               (opcode,)) for r in list(node.requests))


def total(cluster, what, opcode=None):
    return sum(asked(node, what, opcode) for node in cluster.nodes)


@pytest.fixture
def fake():
    with FakeCassandra() as one:
        yield one


@pytest.fixture
def cluster():
    with FakeCluster() as three:
        yield three


def ready(cluster, **options):
    """A session that has a connection to each of three nodes."""
    one = session(cluster.nodes[0], **{**QUICK, **options}).ready()
    wait_for(lambda: one.state()["up"] == str(len(cluster.nodes)), LIMIT, "all nodes")
    return one


# ---- prepared statements

def test_a_statement_is_prepared_once_and_not_for_each_request(fake):
    fake.prepares("FROM t", binds=[("k", TEXT)], pk=[0], result=[("v", TEXT)])
    fake.on("FROM t", rows([("v", TEXT)], [(b"one",)]))
    with session(fake) as s:
        s.ready().statement("get", "SELECT v FROM t WHERE k = ?")
        s.send("a", statement="get", values="x", times=50)
        answers = [s.done("a") for _ in range(50)]
        assert {(a.status, *a.columns, *a.rows) for a in answers} == {("OK", "v", ("one",))}
        assert s.run(statement="get", values="x").rows == [("one",)]
    assert asked(fake, "FROM t", PREPARE) == 1 and asked(fake, "FROM t", EXECUTE) == 51


@pytest.mark.parametrize("version", [4, 5])
def test_a_node_that_forgets_is_told_again(fake, version):
    fake.prepares("FROM t", binds=[("k", TEXT)], result=[("v", TEXT)])
    fake.on("FROM t", rows([("v", TEXT)], [(b"one",)]))
    with session(fake, version=version) as s:
        s.ready().statement("get", "SELECT v FROM t WHERE k = ?")
        assert s.run(statement="get", values="x").rows == [("one",)]
        fake.forget()
        s.send("a", statement="get", values="x", times=5)
        assert {s.done("a").status for _ in range(5)} == {"OK"}
    assert asked(fake, "FROM t", PREPARE) == 2


def test_a_node_that_forgets_for_ever_ends_with_an_error(fake):
    fake.on(EXECUTE, lambda r: error(
        UNPREPARED, "who?", struct.pack(">H", 16) + r.body[2:18]))
    with session(fake) as s:
        s.ready().statement("put", "INSERT INTO t (k) VALUES (?)")
        done = s.run(statement="put", values="x", idempotent=1)
        assert done.status == "CORRUPT" and "again and again" in done.error
        assert not done.may_have_run
    assert asked(fake, "INTO t", PREPARE) <= 6


def test_a_batch_prepares_what_it_lacks_and_what_was_forgotten(fake):
    with session(fake) as s:
        s.ready()
        s.statement("a", "INSERT INTO a (k) VALUES (?)")
        s.statement("b", "INSERT INTO b (k) VALUES (?)")
        assert s.run(batch="a,b", values="x").status == "OK"
        fake.forget()
        assert s.run(batch="a,b,a", values="x").status == "OK"
    assert asked(fake, "INTO a", PREPARE) == 2 and asked(fake, "INTO b", PREPARE) == 2
    assert sum(r.opcode == BATCH and r.unknown is None for r in fake.requests) == 2


def test_changed_columns_are_told_with_the_rows(fake):
    fake.prepares("FROM t", result=[("a", TEXT), ("b", TEXT)])
    fake.on("FROM t", rows([("a", TEXT), ("b", TEXT)], [(b"1", b"2")]))
    with session(fake) as s:
        s.ready().statement("get", "SELECT * FROM t")
        assert s.run(statement="get").columns == ["a", "b"]
        fake.on("FROM t", rows([("b", TEXT), ("c", TEXT)], [(b"2", b"3")]))
        for _ in range(2):
            assert s.run(statement="get").columns == ["b", "c"]
    assert asked(fake, "FROM t", PREPARE) == 1


def test_rows_have_the_columns_that_were_known_when_they_were_asked_for(fake):
    """One that was sent before a change is answered after it, in the old shape."""
    fake.prepares("FROM t", result=[("a", TEXT), ("b", TEXT)])
    old = rows([("a", TEXT), ("b", TEXT)], [(b"1", b"2")])
    fake.on("FROM t", old)
    with session(fake) as s:
        s.ready().statement("get", "SELECT * FROM t")
        assert s.run(statement="get").columns == ["a", "b"]
        old.delay = 0.5
        s.send("old", statement="get")
        wait_for(lambda: asked(fake, "FROM t", EXECUTE) == 2)
        fake.on("FROM t", rows([("b", TEXT), ("c", TEXT)], [(b"2", b"3")]))
        assert s.run(statement="get").columns == ["b", "c"]
        late = s.done("old")
        assert (late.columns, late.rows) == (["a", "b"], [("1", "2")])


def test_version_4_has_columns_with_every_answer(fake):
    fake.prepares("FROM t", result=[("a", TEXT)])
    fake.on("FROM t", rows([("a", TEXT)], [(b"1",)]))
    with session(fake, version=4) as s:
        s.ready().statement("get", "SELECT * FROM t")
        assert s.run(statement="get").columns == ["a"]
        fake.on("FROM t", rows([("b", TEXT)], [(b"2",)]))
        assert s.run(statement="get").columns == ["b"]


def test_a_prepare_that_is_never_answered_holds_up_each_request_to_its_own_deadline(fake):
    fake.on(PREPARE, SILENCE)
    with session(fake) as s:
        s.ready().statement("put", "INSERT INTO t (k) VALUES (?)")
        begin = time.monotonic()
        s.send("short", statement="put", values="x", timeout=200)
        s.send("long", statement="put", values="x", timeout=900)
        at, _ = s.timed("done short TIMEOUT may=0")
        assert 0.19 < at - begin < 0.2 + SLACK
        at, _ = s.timed("done long TIMEOUT may=0")
        assert 0.89 < at - begin < 0.9 + SLACK
    assert asked(fake, "INTO t", EXECUTE) == 0


def test_a_statement_may_be_freed_while_its_prepare_is_under_way(fake):
    fake.on(PREPARE, SILENCE)
    with session(fake) as s:
        s.ready().statement("put", "INSERT INTO t (k) VALUES (?)")
        assert s.run(statement="put", values="x", timeout=100).status == "TIMEOUT"
        s.say("free put")
        assert s.run(text="SELECT a FROM other").status == "OK"
        fake.cut()


def test_a_mistake_in_a_statement_comes_with_its_first_request(fake):
    fake.on(PREPARE, error(SYNTAX, "line 1:0 no viable alternative"))
    with session(fake) as s:
        s.ready().statement("bad", "INSRT")
        done = s.run(statement="bad")
        assert (done.status, done.native, done.may_have_run) == ("INVALID", SYNTAX, False)
        assert "no viable alternative" in done.error


# ---- the retry table

# error, its rest, is it tried elsewhere: (idempotent, not idempotent), may it have run
TABLE = [
    (UNAVAILABLE, DETAIL, (True, False), True),
    (BOOTSTRAPPING, b"", (True, True), False),
    (OVERLOADED, b"", (True, False), True),
    (TRUNCATE, b"", (True, False), True),
    (SERVER, b"", (True, False), True),
    (WRITE_TIMEOUT, DETAIL + string("SIMPLE"), (True, False), True),
    (READ_TIMEOUT, DETAIL + b"\1", (True, False), True),
    (READ_FAILURE, DETAIL + b"\0\0\0\0\0", (False, False), True),
    (WRITE_FAILURE, DETAIL + b"\0\0\0\0" + string("SIMPLE"), (False, False), True),
    (SYNTAX, b"", (False, False), False),
    (INVALID, b"", (False, False), False),
]


@pytest.mark.parametrize("idempotent", [1, 0])
@pytest.mark.parametrize("code, rest, retried, ran", TABLE)
def test_what_failed_is_tried_elsewhere_where_that_is_safe(
        cluster, code, rest, retried, ran, idempotent):
    """The first node that is asked fails, the others do not."""
    lock, failed = threading.Lock(), []

    def first_fails(_):
        with lock:
            failed.append(1)
            return error(code, "no", rest) if len(failed) == 1 else Answer()
    for node in cluster.nodes:
        node.on("INTO t", first_fails)
    with ready(cluster) as s:
        done = s.run(text="INSERT INTO t (k) VALUES (1)", idempotent=idempotent)
        if retried[0 if idempotent else 1]:
            assert done.status == "OK"
            assert [asked(n, "INTO t") for n in cluster.nodes].count(1) == 2
        else:
            assert done.status != "OK" and done.native == code
            assert done.may_have_run is ran
            assert total(cluster, "INTO t") == 1


@pytest.mark.parametrize("what", [RESET, CLOSE])
@pytest.mark.parametrize("idempotent", [1, 0])
def test_a_connection_that_is_cut_behind_a_request(cluster, what, idempotent):
    lock, cut = threading.Lock(), []

    def first_is_cut(_):
        with lock:
            cut.append(1)
            return what if len(cut) == 1 else Answer()
    for node in cluster.nodes:
        node.on("INTO t", first_is_cut)
    with ready(cluster) as s:
        done = s.run(text="INSERT INTO t (k) VALUES (1)", idempotent=idempotent)
        counts = sorted(asked(n, "INTO t") for n in cluster.nodes)
        if idempotent:
            assert (done.status, counts) == ("OK", [0, 1, 1])
        else:
            assert (done.status, counts) == ("UNAVAILABLE", [0, 0, 1])
            assert done.may_have_run


def test_a_batch_that_was_not_possible_may_have_run_in_part(cluster):
    for node in cluster.nodes:
        node.on(BATCH, error(UNAVAILABLE, "no", DETAIL))
    with ready(cluster) as s:
        s.statement("a", "UPDATE a SET n = n + 1 WHERE k = ?")
        done = s.run(batch="a,a", values="x", timeout=1000)
        assert (done.native, done.may_have_run) == (UNAVAILABLE, True)
    assert sum(r.opcode == BATCH for n in cluster.nodes for r in n.requests) == 1


def test_an_error_on_prepare_is_repeated_elsewhere_whatever_is_prepared(cluster):
    for node in cluster.nodes[:2]:
        node.on(PREPARE, error(SERVER, "java.lang.OutOfMemoryError"))
    with ready(cluster) as s:
        s.statement("put", "INSERT INTO t (k) VALUES (?)")
        outcomes = {s.run(statement="put", values="x", timeout=3000).status for _ in range(6)}
        assert outcomes <= {"OK", "INTERNAL"} and "OK" in outcomes
    assert asked(cluster.nodes[0], "INTO t", EXECUTE) <= 6


def test_every_node_that_was_tried_is_in_the_error(cluster):
    for node in cluster.nodes:
        node.on("INTO t", error(OVERLOADED, "too busy"))
    with ready(cluster) as s:
        done = s.run(text="INSERT INTO t (k) VALUES (1)", idempotent=1, timeout=500)
        assert (done.status, done.native) == ("BUSY", OVERLOADED)
        for node in cluster.nodes:
            assert f"{node.address}:{node.port}" in done.error
    assert total(cluster, "INTO t") >= 3


def test_overload_is_answered_by_pauses(fake):
    fake.on("INTO t", error(OVERLOADED, "too busy"))
    with session(fake) as s:
        s.ready()
        assert s.run(text="INSERT INTO t (k) VALUES (1)", idempotent=1, timeout=1500
                     ).status == "BUSY"
    assert 3 <= asked(fake, "INTO t") <= 30


def test_timestamps_grow_and_stay_the_same_over_a_retry(cluster):
    for node in cluster.nodes:
        node.on("INTO t", error(OVERLOADED, "no"), times=1)
    with ready(cluster) as s:
        for _ in range(5):
            assert s.run(text="INSERT INTO t (k) VALUES (1)", idempotent=1).status == "OK"
        assert s.run(text="INSERT INTO t (k) VALUES (2)", timestamp=77).status == "OK"
        assert s.run(text="INSERT INTO t (k) VALUES (3)", timestamp=-1).status == "OK"
    sent = sorted((r.at, _timestamp(r.body), r.text) for n in cluster.nodes for r in n.requests
                  if "INTO t" in r.text)
    own = [stamp for _, stamp, text in sent if "(1)" in text]
    assert own == sorted(own) and len(own) == 8 and len(set(own)) == 5
    assert abs(own[0] / 1e6 - time.time()) < 60
    assert [stamp for _, stamp, text in sent if "(2)" in text] == [77]
    assert [stamp for _, stamp, text in sent if "(3)" in text] == [None]


def _timestamp(body):
    """Of a QUERY of version 5 without values."""
    reader = Reader(body)
    reader.long_string(), reader.unpack("H")
    flags = reader.unpack("i")
    assert flags & ~0x20 == 0
    return reader.unpack("q") if flags & 0x20 else None


# ---- deadlines, streams and room

def test_a_silent_node_costs_each_request_its_own_deadline_only(fake):
    fake.on("FROM t", SILENCE)
    with session(fake) as s:
        s.ready()
        begin = time.monotonic()
        s.send("a", text="SELECT a FROM t", timeout=300, idempotent=1)
        s.send("b", text="SELECT a FROM t", timeout=700)
        at, line = s.timed("done a TIMEOUT may=1")
        assert 0.29 < at - begin < 0.3 + SLACK and f"{fake.address}:{fake.port}" in line
        at, _ = s.timed("done b TIMEOUT may=1")
        assert 0.69 < at - begin < 0.7 + SLACK
        assert s.run(text="SELECT a FROM other").status == "OK"
    assert asked(fake, "FROM t") == 2


def test_a_stream_is_not_used_again_before_its_answer(fake):
    """Late answers belong to nobody, and no request gets one that is not its own."""
    fake.on("FROM slow", rows([("a", TEXT)], [(b"slow",)], delay=3.0))
    fake.on("FROM quick", rows([("a", TEXT)], [(b"quick",)]))
    with session(fake, in_flight_most=40) as s:
        s.ready()
        s.send("slow", text="SELECT a FROM slow", timeout=100, times=20)
        for _ in range(20):
            assert s.done("slow").status == "TIMEOUT"
        for _ in range(100):
            assert s.run(text="SELECT a FROM quick").rows == [("quick",)]
        given_up = {r.stream for r in fake.requests if "FROM slow" in r.text}
        begin = min(r.at for r in fake.requests if "FROM slow" in r.text)
        before = {r.stream for r in fake.requests
                  if "FROM quick" in r.text and r.at < begin + 2.9}
        assert len(given_up) == 20 and not given_up & before
        time.sleep(max(0, begin + 3.5 - time.monotonic()))  # all late answers are here
        s.send("many", text="SELECT a FROM quick", times=39)
        assert {s.done("many").rows[0][0] for _ in range(39)} == {"quick"}
        assert len(fake.accepted) == 2


def test_too_many_requests_without_an_answer_end_the_connection(fake):
    fake.on("FROM t", SILENCE)
    with session(fake, **QUICK) as s:
        s.ready()
        s.send("a", text="SELECT a FROM t", timeout=200, times=300)
        assert {s.done("a").status for _ in range(300)} <= {"TIMEOUT", "UNAVAILABLE"}
        wait_for(lambda: len(fake.accepted) == 3, LIMIT, "another connection")
        assert "never answered" in s.line("notice DOWN ")
        s.ready()
        assert s.run(text="SELECT a FROM other").status == "OK"


def test_a_heartbeat_ends_a_node_that_is_silent(fake):
    with session(fake, heartbeat_ms=200, heartbeat_timeout_ms=1000, **QUICK) as s:
        s.ready().line("notice READY ")
        fake.on(lambda r: True, SILENCE)
        line = s.line("notice DOWN ")
        assert "LOST" in line and "heartbeat" in line
        s.line("notice LOST ")
        fake.rules.clear()
        s.line("notice READY ")
        s.ready()
        assert s.run(text="SELECT a FROM t").status == "OK"


def test_without_any_connection_a_request_waits_for_wait_ms_at_most():
    with FakeCassandra() as node:
        place = f"{node.address}:{node.port}"
    with session(place, wait_ms=400, **QUICK) as s:
        begin = time.monotonic()
        s.send("a", text="SELECT a FROM t", timeout=20000, idempotent=1)
        s.send("b", text="SELECT a FROM t", timeout=100)
        at, _ = s.timed("done b UNAVAILABLE may=0")
        assert 0.09 < at - begin < 0.4 + SLACK
        at, line = s.timed("done a UNAVAILABLE may=0")
        assert 0.39 < at - begin < 0.4 + SLACK
        assert place in line and "refused" in line


def test_what_waits_is_bounded_and_not_lost(fake):
    fake.on("FROM t", Answer(delay=0.3))
    with session(fake, in_flight_most=4, waiting_most=20) as s:
        s.ready()
        s.send("a", text="SELECT a FROM t", times=30)
        ended = [s.done("a") for _ in range(30)]
        busy = [a for a in ended if a.status == "BUSY"]
        assert len(busy) == 6 and not any(a.may_have_run for a in busy)
        assert sum(a.status == "OK" for a in ended) == 24
        state = s.state()
        assert (state["flight"], state["waiting"]) == ("0", "0")
    assert asked(fake, "FROM t") == 24


def test_what_waits_goes_on_when_a_connection_comes_back(fake):
    fake.on("INTO t", Answer())
    with session(fake, wait_ms=20000, **QUICK) as s:
        s.ready()
        fake.on(STARTUP, error(BOOTSTRAPPING, "not yet"))
        fake.cut()
        s.line("notice LOST ")
        s.send("a", text="INSERT INTO t (k) VALUES (1)", times=20)
        wait_for(lambda: s.state()["waiting"] == "20")
        fake.rules.pop(0)
        for _ in range(20):
            assert s.done("a").status == "OK"
    assert asked(fake, "INTO t") == 20


def test_a_request_is_sent_again_from_its_own_callback(fake):
    fake.on("FROM bad", error(INVALID, "no such table"))
    with session(fake) as s:
        s.ready()
        s.send("a", text="SELECT a FROM t", again=200, times=4)
        s.send("b", text="SELECT a FROM bad", again=200)
        assert {s.done("a").status for _ in range(4)} == {"OK"}
        assert s.done("b").status == "INVALID"
    assert asked(fake, "FROM t") == 804 and asked(fake, "FROM bad") == 201


def test_an_answer_that_is_too_large_fails_its_own_request_only(fake):
    fake.on("FROM large", rows([("a", TEXT)], [(b"x" * 5000,)], delay=0.2))
    fake.on("FROM small", rows([("a", TEXT)], [(b"x",)], delay=0.4), times=10)
    fake.on("FROM small", rows([("a", TEXT)], [(b"x",)]))
    fake.rules.append(fake.rules.pop(0))
    with session(fake, answer_most=4000, **QUICK) as s:
        s.ready()
        s.send("small", text="SELECT a FROM small", idempotent=1, times=10)
        s.send("large", text="SELECT a FROM large", idempotent=1)
        large = s.done("large")
        assert large.status == "TOOBIG" and "4000" in large.error
        assert {s.done("small").status for _ in range(10)} == {"OK"}
    assert asked(fake, "FROM large") == 1


def test_answers_that_cannot_be_read_are_not_asked_for_for_ever(cluster):
    for node in cluster.nodes:
        node.on("FROM t", Answer(body=struct.pack(">iii", 2, 1, 99)))
    with ready(cluster) as s:
        done = s.run(text="SELECT a FROM t", idempotent=1, timeout=3000)
        assert done.status == "CORRUPT" and done.may_have_run
    assert total(cluster, "FROM t") <= 2


# ---- speculation

def test_a_slow_node_is_helped_by_a_second_one(cluster):
    slow = cluster.nodes[0]
    slow.on("FROM t", rows([("a", TEXT)], [(b"slow",)], delay=3.0))
    for node in cluster.nodes[1:]:
        node.on("FROM t", rows([("a", TEXT)], [(b"quick",)]))
    with ready(cluster, speculative_ms=100) as s:
        for _ in range(6):
            assert s.run(text="SELECT a FROM t", idempotent=1).rows == [("quick",)]
        assert asked(slow, "FROM t") >= 1
        time.sleep(3.2)  # the late answers come
        for _ in range(30):
            s.send("other", text="SELECT b FROM other")
        assert {s.done("other").columns[0] for _ in range(30)} == {"b"}
        assert all(len(n.accepted) <= 2 for n in cluster.nodes)


def test_only_what_is_idempotent_is_asked_for_twice(cluster):
    for node in cluster.nodes:
        node.on("INTO t", Answer(delay=1.5))
    with ready(cluster, speculative_ms=50) as s:
        assert s.run(text="INSERT INTO t (k) VALUES (1)").status == "OK"
        assert total(cluster, "INTO t") == 1
        assert s.run(text="INSERT INTO t (k) VALUES (1)", idempotent=1).status == "OK"
        assert total(cluster, "INTO t") == 4


# ---- contact points and the cluster

def silent_server():
    return Fake(lambda sock: time.sleep(10))


def test_a_silent_contact_point_costs_a_stagger(fake):
    with silent_server() as silent:
        begin = time.monotonic()
        with session(f"127.0.0.1:{silent.port}", fake, stagger_ms=200) as s:
            s.ready()
            assert time.monotonic() - begin < 0.2 + SLACK < 5 + SLACK
            assert s.run(text="SELECT a FROM t").status == "OK"
            # Only what has failed is told of, and the silent one was left in time.
            assert "silent" not in s.report()


def test_all_addresses_in_vain_are_told_and_waiting_goes_on(fake):
    gone = FakeCassandra()
    gone.close()
    fake.on(STARTUP, error(BOOTSTRAPPING, "not yet"))
    with session(gone, fake, "nowhere.invalid:9042", **QUICK) as s:
        for _ in range(2):
            status, text = s.wait()
            assert status not in ("OK", "TIMEOUT")
            assert f"{gone.address}:{gone.port}" in text and "refused" in text
            assert f"{fake.address}:{fake.port}" in text and "not yet" in text
            assert "nowhere.invalid:9042" in text
        classes = {name for name, _, _ in s.failures()}
        assert classes == {"REFUSED", "BOOTSTRAPPING", "NAME"}
        counts = s.counts()
        assert counts.pop("made") == 0 and set(counts) == classes and min(counts.values()) >= 2
        assert s.state()["oldest"] == "0"
        assert s.wait(1)[0] in ("TIMEOUT", "UNAVAILABLE", "NOTFOUND")
        fake.rules.clear()
        wait_for(lambda: s.wait()[0] == "OK", LIMIT, "a connection")
        assert s.counts()["made"] == 2
        wait_for(lambda: int(s.state()["oldest"]) > 100, LIMIT, "the connections to grow older")


def test_a_wait_that_ends_says_what_is_known_so_far():
    with silent_server() as silent:
        with session(f"127.0.0.1:{silent.port}", connect_ms=60000) as s:
            assert s.wait(200) == ("TIMEOUT", "no address has answered yet")


def test_a_server_before_4_has_no_peers_v2_and_before_3_no_keyspaces():
    with FakeCassandra(versions=(3, 4)) as old:
        old.has_peers_v2 = False
        old.on("system_schema", error(INVALID, "unconfigured table system_schema.keyspaces"))
        with session(old) as s:
            s.ready()
            assert s.run(text="SELECT a FROM t").status == "OK"
            assert s.state()["version"] == "4"


@pytest.mark.parametrize("connections", [1, 3])
def test_a_version_that_is_listed_and_not_taken_falls_back(fake, connections):
    def only_4(request):
        return error(0x0A, "Invalid or unsupported protocol version (5); supported versions are "
                     "(3/v3, 4/v4)", version=4, stream=0) if request.version == 5 else \
            fake._startup(request)  # pylint: disable=protected-access
    fake.on(STARTUP, only_4)
    with session(fake, node_connections=connections) as s:
        s.ready()
        wait_for(lambda: s.state()["connections"] == str(1 + connections), LIMIT, "connections")
        assert s.state()["version"] == "4"
        assert s.run(text="SELECT a FROM t").status == "OK"
        assert s.failures() == []
        assert s.counts() == {"made": 1 + connections}


def test_a_node_that_joins_is_found_within_a_second_of_its_event(cluster):
    with ready(cluster) as s:
        added = cluster.add()
        looks = total(cluster, "system.peers")
        for node in cluster.nodes[:3]:
            for _ in range(5):
                node.event(topology_change("NEW_NODE", added.address, added.port))
        wait_for(lambda: s.state()["up"] == "4", 1 + SLACK, "the new node")
        time.sleep(1.3)  # ten events make one look
        assert total(cluster, "system.peers") - looks == 1


def test_a_changed_keyspace_makes_a_look_and_a_changed_table_does_not(fake):
    with session(fake) as s:
        s.ready()
        assert asked(fake, "system.peers") == 1
        fake.event(schema_change("CREATED", "TABLE", "shop", "t"))
        fake.event(status_change("DOWN", "127.0.0.1", fake.port))
        time.sleep(1.3)
        assert asked(fake, "system.peers") == 1
        fake.event(schema_change("CREATED", "KEYSPACE", "shop"))
        wait_for(lambda: asked(fake, "system.peers") == 2, 1 + SLACK, "a look")


def test_a_look_is_repeated_without_events(fake):
    with session(fake, refresh_ms=100) as s:
        s.ready()
        wait_for(lambda: asked(fake, "system.peers") >= 5, 2 + SLACK, "looks")
        assert len(fake.accepted) == 2


def test_up_is_tried_at_once(cluster):
    with ready(cluster, backoff_first_ms=60000, backoff_most_ms=60000,
               backoff_setting_ms=60000) as s:
        node = cluster.nodes[2]
        node.cut()
        wait_for(lambda: s.state()["up"] == "2")
        cluster.nodes[0].event(status_change("UP", node.address, node.port))
        wait_for(lambda: s.state()["up"] == "3", SLACK, "the node that is up")


def test_the_oldest_connection_stays_so_where_others_are_replaced(cluster):
    with ready(cluster) as s:
        made, oldest = s.counts()["made"], int(s.state()["oldest"])
        wait_for(lambda: int(s.state()["oldest"]) >= oldest + 500, LIMIT, "them to grow older")
        cluster.nodes[0].cut()  # the control connection's, too
        wait_for(lambda: s.counts()["made"] >= made + 2 and s.state()["connections"] == "4", LIMIT, "new ones")
        assert int(s.state()["oldest"]) >= 500
        assert s.counts() == {"made": made + 2}


def test_nodes_leave_when_several_looks_have_missed_them(cluster):
    with ready(cluster, refresh_ms=50) as s:
        for node in cluster.nodes:
            node.peers = [row for row in node.peers if row is not cluster.nodes[2].local]
        cluster.nodes[2].close()
        wait_for(lambda: s.state()["nodes"] == "2", LIMIT, "the node to leave")
        assert s.state()["up"] == "2"


def test_two_rows_with_one_address_do_not_take_it_from_each_other(cluster):
    """One is of a node that is no more; the connections stay."""
    stale = cluster.nodes[0].row(cluster.nodes[1].address, port=cluster.port)
    stale["host_id"] = (stale["host_id"][0], b"\7" * 16)
    with ready(cluster, refresh_ms=50) as s:
        for node in cluster.nodes:
            node.peers = [stale] + node.peers + [stale]
        looks = total(cluster, "system.peers")
        wait_for(lambda: total(cluster, "system.peers") > looks + 6, LIMIT, "looks")
        assert s.state()["up"] == "3" and len(cluster.nodes[1].accepted) <= 2


def test_a_node_whose_address_is_another_one_is_the_same_node(cluster):
    with ready(cluster, refresh_ms=50) as s:
        node = cluster.nodes[2]
        moved = FakeCassandra(address=f"{cluster.net}.77", port=cluster.port)
        with moved:
            moved.local = dict(node.local)
            inet = socket.inet_aton(moved.address)
            for name in ("peer", "rpc_address", "native_address"):
                moved.local[name] = (moved.local[name][0], inet)
            node.local = moved.local
            cluster.tell()
            moved.peers = cluster.nodes[0].peers
            wait_for(lambda: len(moved.accepted) >= 1, LIMIT, "the new address")
            wait_for(lambda: s.state()["up"] == "3")
            assert s.state()["nodes"] == "3"


def test_a_node_of_another_cluster_is_refused(cluster):
    stranger = cluster.nodes[2]
    stranger.on("SELECT cluster_name", rows([("cluster_name", TEXT)], [(b"other",)]))
    with session(cluster.nodes[0], **QUICK) as s:
        s.ready()
        wait_for(lambda: "CLUSTER" in {name for name, _, _ in s.failures()}, LIMIT, "a refusal")
        assert '"other"' in s.report()
        wait_for(lambda: s.state()["up"] == "2", LIMIT, "the others")


def test_a_data_centre_that_is_not_there_names_those_that_are():
    with FakeCluster(places=(("north", "r1"), ("south", "r1"))) as two:
        with session(two.nodes[0], dc="nrth", **QUICK) as s:
            status, text = s.wait()
            assert status == "NOTFOUND" and '"nrth"' in text
            assert "north" in text and "south" in text
            assert [name for name, _, _ in s.failures()] == ["DATA_CENTRE"]
        with session(two.nodes[0], dc="south") as s:
            s.ready()
            for _ in range(10):
                assert s.run(text="SELECT a FROM t").address == \
                    f"{two.nodes[1].address}:{two.port}"
            state = s.state()
            assert (state["nodes"], state["dc"]) == ("1", "south")


def test_names_are_looked_up_in_every_round():
    """A name that has no address is asked for again and again."""
    with session("nowhere.invalid:9042", **QUICK) as s:
        wait_for(lambda: any(times > 3 for _, times, _ in s.failures()), LIMIT, "rounds")


@pytest.fixture(name="certificate", scope="module")
def make_certificate(tmp_path_factory):
    """Of three names and no address, and what serves with it."""
    folder = tmp_path_factory.mktemp("names")
    key, cert = str(folder / "key.pem"), str(folder / "cert.pem")
    names = "subjectAltName=" + ",".join(f"DNS:db{i}.test" for i in (1, 2, 3))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                    "-subj", "/CN=node", "-addext", names],
                   stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


def named(path, names, *servers, **options):
    """A session to which `names` are all that there are; the library that does so stands before all
    others, where a sanitizer would have to."""
    path.write_text("".join(f"{name} {address}\n" for name, address in names.items()))
    release = os.path.dirname(executable(release=True))
    env = clean_env(LD_PRELOAD=os.path.join(release, "tests", "faults", "shim_world.so"), SHIM_NAMES=path)
    probe = os.path.join(release, "tests", "integration", "cql_session_script")
    return cql_session.Session(*servers, probe=probe, env=env, **options)


@pytest.mark.parametrize("late", [False, True])
def test_each_node_has_the_name_of_the_contact_point_that_leads_to_it(certificate, tmp_path, late):
    """Rows of peers have addresses only; names may be answered after the first node has told of all."""
    cert, context = certificate
    with FakeCluster(tls=context) as three:
        names = {f"db{i}.test": node.address for i, node in enumerate(three.nodes, 1)}
        first = names | ({"db2.test": "-", "db3.test": "-"} if late else {})
        with named(tmp_path / "names", first, *(f"{name}:{three.port}" for name in names),
                   ca=cert, **QUICK) as s:
            s.ready()
            if late:
                wait_for(lambda: "db2" in s.report() or three.nodes[1].address in s.report(), LIMIT)
                assert s.state()["up"] == "1"
                new = tmp_path / "new"
                new.write_text("".join(f"{name} {address}\n" for name, address in names.items()))
                new.rename(tmp_path / "names")
            wait_for(lambda: s.state()["up"] == "3", LIMIT, "all nodes")


def test_one_name_for_all_nodes(certificate):
    cert, context = certificate
    with FakeCluster(tls=context) as three:
        with ready(three, ca=cert, tls_name="db2.test") as s:
            assert s.run(text="SELECT a FROM t").status == "OK"
        with session(three.nodes[0], ca=cert, tls_name="other.test", **QUICK) as s:
            wait_for(lambda: "other.test" in s.report(), LIMIT, "a refusal")


def test_a_resolver_that_hangs_holds_one_thread_for_each_name(tmp_path):
    def lookups(pid):
        tasks = f"/proc/{pid}/task"
        return sum(open(f"{tasks}/{task}/comm", encoding="ascii").read() == "cql-lookup\n"
                   for task in os.listdir(tasks))
    names = {"db1.test": "-", "db2.test": "-"}
    with named(tmp_path / "names", names, "db1.test:9042", "db2.test:9042",
               connect_ms=50, **QUICK) as s:
        wait_for(lambda: any(times > 5 for _, times, _ in s.failures()), LIMIT, "rounds")
        assert lookups(s.process.pid) == 2


def test_a_control_connection_that_ends_at_once_is_not_made_as_fast(fake):
    """It tells what the cluster looks like, and ends."""
    peers = fake._result  # pylint: disable=protected-access
    fake.on("system.peers_v2", lambda r: [peers(r), Answer(raw=b"", cut=0, delay=0.02)])
    with session(fake, backoff_first_ms=200, backoff_most_ms=200, backoff_setting_ms=200) as s:
        s.ready()
        before = len(fake.accepted)
        time.sleep(2)
        assert 3 <= len(fake.accepted) - before <= 22
        assert s.run(text="SELECT a FROM t").status == "OK"  # not over that connection


# ---- agreement on a schema

def test_a_schema_change_is_answered_once_all_nodes_have_it(cluster):
    for node in cluster.nodes:
        node.on("CREATE", schema_changed("CREATED", "TABLE", "shop", "t", warnings=("beware",)))
    with ready(cluster) as s:
        cluster.schema_version(b"\2" * 16, cluster.nodes[:1])
        timer = threading.Timer(0.6, cluster.schema_version, (b"\2" * 16,))
        begin = time.monotonic()
        timer.start()
        done = s.run(text="CREATE TABLE shop.t (k int PRIMARY KEY)")
        assert done.status == "OK" and done.agreed and done.warnings == 1
        assert time.monotonic() - begin > 0.55
        assert total(cluster, "CREATE") == 1


def test_a_schema_that_is_never_agreed_on_is_told_after_agreement_ms(cluster):
    for node in cluster.nodes:
        node.on("CREATE", schema_changed("CREATED", "KEYSPACE", "shop"))
    with ready(cluster, agreement_ms=500) as s:
        cluster.schema_version(b"\2" * 16, cluster.nodes[:1])
        begin = time.monotonic()
        done = s.run(text="CREATE KEYSPACE shop")
        assert done.status == "OK" and not done.agreed
        assert 0.45 < time.monotonic() - begin < 0.5 + SLACK
        # … and a request's own deadline comes first, prepared or not.
        s.statement("create", "CREATE KEYSPACE shop")
        begin = time.monotonic()
        done = s.run(statement="create", timeout=300)
        assert done.status == "OK" and not done.agreed
        assert time.monotonic() - begin < 0.5 + SLACK
        s.say("agree 300")
        line = s.line("agree ")
        assert line.startswith("agree TIMEOUT ") and "2 different schemas" in line
        cluster.schema_version(b"\3" * 16)
        s.say("agree 5000")
        assert s.line("agree ") == "agree OK "


# ---- how failures are told

def _http(sock):
    sock.recv(100)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def _postgres(sock):
    sock.recv(100)
    sock.sendall(b"E\0\0\0\x0bSFATAL\0\0")


def _tls(sock):
    sock.recv(100)
    sock.sendall(b"\x15\x03\x03\x00\x02\x02\x0a")


SERVERS = [
    ("NOT_CQL", lambda: Fake(_http), ["HTTP"]),
    ("NOT_CQL", lambda: Fake(_postgres), ["PostgreSQL"]),
    ("TLS_EXPECTED", lambda: Fake(_tls), ["TLS"]),
    ("SILENT", silent_server, ["silent"]),
    ("CLOSED", lambda: Fake(lambda sock: None), ["closed"]),
]


@pytest.mark.parametrize("name, server, words", SERVERS)
def test_what_a_server_is_that_is_none_is_told(name, server, words):
    with server() as other:
        with session(f"127.0.0.1:{other.port}", connect_ms=300, **QUICK) as s:
            status, text = s.wait()
            assert status not in ("OK", "TIMEOUT") or name == "SILENT", text
            assert f"127.0.0.1:{other.port}" in text
            assert all(word in text for word in words), text
            assert {found for found, _, _ in s.failures()} == {name}
            assert s.report() == text


@pytest.mark.parametrize("name, script, words", [
    ("OVERLOADED", (STARTUP, error(OVERLOADED, "too many connections")), ["too many connections"]),
    ("BOOTSTRAPPING", (STARTUP, error(BOOTSTRAPPING, "not yet")), ["not yet"]),
    ("SERVER", (STARTUP, error(SERVER, "java.lang.Error")), ["java.lang.Error"]),
    ("AUTH", (STARTUP, error(0x100, "Provided username")), ["Provided username"]),
    ("AUTH_UNAVAILABLE", (STARTUP, error(0x100, "Unable to perform authentication: no")),
     ["Unable to perform authentication"]),
    ("VERSION", (STARTUP, error(0x0A, "Invalid or unsupported protocol version (5)", version=4,
                                stream=0)), ["version"]),
    ("KEYSPACE", ("USE ", error(INVALID, "Keyspace 'shop' does not exist")), ["'shop'"]),
])
def test_what_a_node_refuses_is_told(fake, name, script, words):
    fake.on(*script)
    with session(fake, keyspace="shop", **QUICK) as s:
        status, text = s.wait()
        assert status not in ("OK", "TIMEOUT"), text
        assert f"{fake.address}:{fake.port}" in text
        assert all(word in text for word in words), text
        assert {found for found, _, _ in s.failures()} == {name}
        fake.rules.clear()
        wait_for(lambda: s.wait()[0] == "OK", LIMIT, "it to work again")
        assert s.report() == ""


def test_a_server_that_is_too_old_is_told():
    with FakeCassandra(versions=(1, 2, 3)) as old:
        old.on(OPTIONS, lambda r: old._supported(r))  # pylint: disable=protected-access
        with session(old, **QUICK) as s:
            status, text = s.wait()
            assert status == "MISMATCH" and "2.2" in text
            assert {found for found, _, _ in s.failures()} == {"VERSION"}


# ---- closing

def test_closing_ends_what_is_under_way(cluster):
    for node in cluster.nodes:
        node.on("FROM slow", SILENCE)
        node.on("FROM busy", error(OVERLOADED, "no"))
    cluster.nodes[0].on(PREPARE, SILENCE)
    with ready(cluster, in_flight_most=200, node_connections=2) as s:
        s.statement("p", "INSERT INTO t (k) VALUES (?)")
        s.send("slow", text="SELECT a FROM slow", idempotent=1, times=1500)
        s.send("busy", text="SELECT a FROM busy", idempotent=1, times=50)
        s.send("p", statement="p", values="x", times=50, again=2)
        wait_for(lambda: int(s.state()["waiting"]) > 0)
        s.say("close")
        ended = [s.done("slow") for _ in range(1500)]
        assert {a.status for a in ended} == {"STOPPING"}
        assert {s.done("busy").status for _ in range(50)} <= {"STOPPING", "BUSY"}
        assert {s.done("p").status for _ in range(50)} <= {"STOPPING", "OK"}
        s.line("closed")


@pytest.mark.parametrize("moment", range(40 if LONG else 8))
def test_closing_is_clean_at_any_moment(cluster, moment):
    """While names are looked up, while it races, looks at the cluster, prepares, agrees."""
    for node in cluster.nodes:
        node.on("FROM t", rows([("a", TEXT)], [(b"x",)], delay=0.01))
        node.on("CREATE", schema_changed("CREATED", "KEYSPACE", "shop"))
        node.on("FROM bad", RESET, times=3)
    cluster.schema_version(b"\2" * 16, cluster.nodes[:1])
    with session(cluster.nodes[0], "nowhere.invalid:9042", "localhost:1",
                 speculative_ms=5, refresh_ms=20, **QUICK) as s:
        s.statement("p", "INSERT INTO t (k) VALUES (?)")
        s.send("a", text="SELECT a FROM t", idempotent=1, times=300, again=3)
        s.send("b", text="SELECT a FROM bad", idempotent=1, times=50)
        s.send("c", text="CREATE KEYSPACE shop", times=3)
        s.send("p", statement="p", values="x", times=50, again=1)
        time.sleep(0.013 * moment)
        s.say("close")
        s.line("closed")
        for name, times in (("a", 300), ("b", 50), ("c", 3), ("p", 50)):
            for _ in range(times):
                s.done(name)
    print(f"closed after {13 * moment} ms{SHORTENED}")


# ---- a life that is cut, or has no memory, somewhere

def live(s, seconds=LIMIT):
    """What a session does: each request ends, and what is idempotent ends well."""
    s.statement("get", "SELECT v FROM t WHERE k = ?")
    s.send("get", statement="get", values="x", idempotent=1, timeout=15000, times=2)
    s.send("put", text="INSERT INTO t (k) VALUES (1)", timeout=15000)
    return [s.done("get", seconds) for _ in range(2)], s.done("put", seconds)


def lively():
    node = FakeCassandra()
    node.prepares("FROM t", binds=[("k", TEXT)], pk=[0], result=[("v", TEXT)])
    node.on("FROM t", rows([("v", TEXT)], [(b"one",)]))
    return node


def spoil(node, change):
    """`change(answer, number)` for every answer of the node."""
    lock, numbers = threading.Lock(), []
    old = list(node.rules)

    def spoiled(request):
        with lock:
            numbers.append(1)
            number = len(numbers) - 1
        for what, answers, _ in old:
            if node._fits(what, request):  # pylint: disable=protected-access
                return [change(a, number) for a in answers]
        return change(node._healthy(request), number)  # pylint: disable=protected-access
    node.on(lambda r: True, spoiled)


@pytest.mark.parametrize("version", [4, 5])
def test_a_whole_life_byte_by_byte(version):
    with lively() as node:
        spoil(node, lambda answer, _: dataclasses.replace(answer, pieces=1))
        with session(node, version=version, wait_ms=15000) as s:
            gets, put = live(s)
            assert [g.rows for g in gets] == [[("one",)]] * 2 and put.status == "OK"


CUTS = range(0, 400, 1 if LONG else 97)


@pytest.mark.parametrize("number", range(14))
def test_a_whole_life_with_a_cut_anywhere(number):
    """One of the answers is cut: all goes on over another connection, and nothing is run twice that
    must not be."""
    for cut in sorted({*CUTS, 0, 1, 8, 9, 13}):
        with lively() as node:
            spoil(node, lambda answer, n, cut=cut:
                  dataclasses.replace(answer, cut=cut) if n == number else answer)
            with session(node, wait_ms=15000, **QUICK) as s:
                gets, put = live(s)
                assert [g.rows for g in gets] == [[("one",)]] * 2, (number, cut, gets)
                assert put.status == "OK" or put.may_have_run, (number, cut, put)
                assert asked(node, "INTO t") <= 1
    print(f"cuts at {len({*CUTS, 0, 1, 8, 9, 13})} places{SHORTENED}")


@pytest.mark.parametrize("what", [OPTIONS, STARTUP, "SELECT cluster_name", "system.local",
                                  "system.peers", "system_schema", PREPARE, EXECUTE])
@pytest.mark.parametrize("cut", [0, 5, 11])
def test_what_is_always_cut_ends_by_its_deadline(what, cut):
    with lively() as node:
        node.on(what, Answer(cut=cut))
        with session(node, wait_ms=500, **QUICK) as s:
            s.statement("get", "SELECT v FROM t WHERE k = ?")
            begin = time.monotonic()
            s.send("get", statement="get", values="x", idempotent=1, timeout=1000, times=2)
            for _ in range(2):
                assert s.done("get").status in ("UNAVAILABLE", "TIMEOUT", "CORRUPT")
            assert time.monotonic() - begin < 1 + SLACK


@pytest.mark.parametrize("start", range(1, 11 if LONG else 6))
def test_no_memory_anywhere_ends_nothing_but_what_lacked_it(start):
    """An allocation fails, or all do for a while: requests end, and the session goes on."""
    for first in range(start, 260, 10 if LONG else 45):
        for count in (1, 30) if LONG else (1 if first % 2 else 10,):
            with lively() as node, session(opens=False) as s:
                s.say(f"fault {first} {count}")
                s.say("open", points=f"{node.address}:{node.port}", wait_ms=15000, **QUICK)
                assert s.line("open ") == "open OK "
                live(s)
                s.say("fault 0 0")
                wait_for(lambda: s.wait()[0] == "OK", LIMIT, "a connection")
                assert s.run(statement="get", values="x").rows == [("one",)], (first, count)
    print(f"every {10 if LONG else 45}th allocation from the {start}th on{SHORTENED}")


# ---- rows that are none of a healthy cluster

def _without(name):
    def change(row):
        row[name] = (row[name][0], None)
    return change


def _with(name, value):
    def change(row):
        row[name] = (row[name][0], value)
    return change


@pytest.mark.parametrize("change", [
    _without("host_id"), _without("data_center"), _without("rack"), _without("tokens"),
    _without("schema_version"), _without("native_address"), _with("native_address", b"\0" * 4),
    _with("native_address", b"\0" * 16), _with("native_port", struct.pack(">i", 1)),
    _with("tokens", struct.pack(">i", 1) + struct.pack(">i", 3) + b"abc"),
    _with("data_center", b"\xff" * 3000), _with("host_id", b"\1" * 16)])
def test_odd_rows_of_peers_do_no_harm(cluster, change):
    for row in cluster.nodes[0].peers:
        change(row)
    with session(cluster.nodes[0], refresh_ms=50, **QUICK) as s:
        s.ready()
        looks = asked(cluster.nodes[0], "system.peers")
        wait_for(lambda: asked(cluster.nodes[0], "system.peers") > looks + 5, LIMIT, "looks")
        assert s.run(text="SELECT a FROM t").status == "OK"
        assert len(cluster.nodes[0].accepted) == 2


@pytest.mark.parametrize("change", [
    _without("host_id"), _without("tokens"), _without("rack"), _without("rpc_address")])
def test_odd_rows_of_local_do_no_harm(fake, change):
    change(fake.local)
    with session(fake, refresh_ms=50, **QUICK) as s:
        s.ready()
        wait_for(lambda: asked(fake, "system.peers") > 5, LIMIT, "looks")
        assert s.run(text="SELECT a FROM t").status == "OK"
        assert len(fake.accepted) == 2


def test_a_node_without_a_row_of_itself_is_told_and_asked_again(fake):
    fake.on("system.local WHERE key='local'", lambda r: (
        fake._result(r) if "cluster_name" in r.text  # pylint: disable=protected-access
        else rows([("key", TEXT)], [])))
    with session(fake, **QUICK) as s:
        status, text = s.wait()
        assert status not in ("OK", "TIMEOUT") and f"{fake.address}:{fake.port}" in text
        fake.rules.clear()
        wait_for(lambda: s.wait()[0] == "OK", LIMIT, "a connection")


def test_more_nodes_than_are_tried_in_a_round(fake):
    """None of them but one is there; contact points still have their turn."""
    fake.peers = [fake.row(f"127.1.{i // 200}.{i % 200 + 1}", port=1) for i in range(600)]
    with session(fake, **QUICK) as s:
        s.ready()
        assert s.state()["nodes"] == "601"
        fake.cut()
        wait_for(lambda: len(fake.accepted) >= 4, LIMIT, "connections again")
        s.ready()
        assert s.run(text="SELECT a FROM t").status == "OK"
