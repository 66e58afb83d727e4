"""The faults of a Cassandra that the service is connected to: how each begins and ends.

Numbers are those of the list of faults that every connector is tested with, as in pg_rows.py; those
that concern the start alone, or are tested more closely elsewhere, are named in ELSEWHERE.
"""

import pg_fakes
from disk import harness
from pg_rows import FAST, SLOW, Row
from pg_rows import (_clock, _drip, _few_files, _freeze, _many_files, _mode, _name_again, _no_name,
                     _nothing, _pass, _pour, _thaw)
from tcp_proxy import Fake


def _web_server(world):
    """Connections lead to something that is no node."""
    world.fake = Fake(pg_fakes.http)
    world.proxy.target_host, world.proxy.target = "127.0.0.1", world.fake.port
    world.proxy.cut()


def _node_again(world):
    world.proxy.target_host, world.proxy.target = world.node.address, world.cluster.port
    world.proxy.cut()
    world.fake.close()


def _cut_in_results(world):
    world.proxy.cut_after = 150


def _uncut(world):
    world.proxy.cut_after = None


def _flip_a_bit(world):
    world.proxy.flip_after = 150


def _unflip(world):
    world.proxy.flip_after = None


def _pause(world):
    world.node.pause()


def _resume(world):
    world.node.resume()


def _kill_and_start(world):
    world.node.kill()
    world.node.start()


def _restart(world):
    world.node.restart()


def _stop(world):
    world.node.kill()


def _start(world):
    world.node.start()


def _drop_keyspace(world):
    with world.node.client() as client:
        client.query(f"DROP KEYSPACE {world.keyspace}")


def _make_keyspace(world):
    done = world.service.server.run("populate")
    assert done.returncode == 0, done.stderr


WRONG = {"recovers": 11.0, "pause_most": SLOW}
LONG_OUTAGES = (15, 30) if harness.LONG else (8,)

ROWS = [
    Row("1", "connection refused", "proxy", _mode("refuse"), _pass),
    Row("2", "SYN into a black hole", "proxy", _mode("hang"), _pass, hold=4, hangs=1),
    Row("3", "accepted, then silence", "proxy", _mode("silent"), _thaw, hold=4, hangs=1, recovers=12),
    Row("4", "accepted, then closed", "proxy", _mode("close"), _pass),
    Row("4", "accepted, then reset", "proxy", _mode("reset"), _pass),
    Row("5", "a handshake of one byte a second", "proxy", _drip, _pour, hold=4, hangs=1, recovers=12),
    Row("6", "a web server behind the port", "fake", _web_server, _node_again, **WRONG),
    Row("7", "half-open: no byte passes any more", "proxy", _freeze, _thaw, hold=5, hangs=1, recovers=12),
    *(Row("7", f"cut off for {hold} s, old links stay dead", "proxy", _freeze, _pass, hold=hold,
          hangs=1, recovers=12) for hold in LONG_OUTAGES),
    Row("8", "frozen (SIGSTOP)", "real", _pause, _resume, hold=5, hangs=1, recovers=12),
    Row("9", "reset in the middle of a result", "proxy", _cut_in_results, _uncut, hold=1,
        is_seen=False),
    Row("11", "a wrong bit (CRC) in an answer", "proxy", _flip_a_bit, _unflip, hold=1, is_seen=False,
        recovers=12),
    Row("12", "kill -9, started again at once", "real", _kill_and_start, _nothing, hold=0),
    Row("12", "stopped and started again", "real", _restart, _nothing, hold=0),
    Row("13", "away, and slow to start", "real", _stop, _start, hold=8 if harness.LONG else 3),
    Row("16", "keyspace gone, then there again", "real", _drop_keyspace, _make_keyspace, recovers=12),
    Row("17", "name unknown, then known again", "proxy", _no_name, _name_again),
    Row("22", "clock an hour ahead, then back", "real", _clock(3600), _clock(0), hold=2,
        is_seen=False),
    Row("22", "clock an hour behind, then right", "real", _clock(-3600), _clock(0), hold=2,
        is_seen=False),
    Row("31", "no file descriptors left", "real", _few_files, _many_files, hold=3),
]

assert FAST < SLOW

# What is no fault of a running service, or has closer tests of its own; each names one that is there.
ELSEWHERE = [
    ("10", "segments split anywhere", "integration/test_cql_session.py::test_a_whole_life_byte_by_byte"),
    ("14", "started before it", "integration/test_cassandra_start.py::test_a_port_that_opens_late"),
    ("15", "password wrong, then put right",
     "integration/test_cassandra_login.py::test_a_password_that_is_put_right_is_used_without_a_restart"),
    ("18", "all nodes move", "integration/test_cql_cluster.py::test_all_nodes_move_at_once_and_are_found_by_their_names"),
    ("19", "too many connections (closed at once)", "row 4"),
    ("20", "disk full: the port closes, it lives on", "row 1"),
    ("23", "streams that are never answered",
     "integration/test_cql_session.py::test_too_many_requests_without_an_answer_end_the_connection"),
    ("24", "statements forgotten", "integration/test_cql_session.py::test_a_node_that_forgets_is_told_again"),
    ("25", "UP and DOWN flapping", "integration/test_cql_session.py::test_up_is_tried_at_once"),
    ("26", "odd rows of peers", "integration/test_cql_session.py::test_odd_rows_of_peers_do_no_harm"),
    ("27", "versions of the protocol",
     "integration/test_cql_session.py::test_a_version_that_is_listed_and_not_taken_falls_back"),
    ("28", "migrators at once, one killed",
     "integration/test_cassandra_service.py::test_what_a_killed_migrator_began_the_next_completes"),
    ("29", "BOM, CRLF, NUL in a migration", "integration/test_migrate_files.py"),
    ("30", "trailing bytes, unknown errors", "unit/cql/test_error.c"),
]
