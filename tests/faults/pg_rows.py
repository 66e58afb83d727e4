"""The faults of a PostgreSQL that the service is connected to: how each begins and ends.

Numbers are those of the list of faults that every connector is tested with; those that concern the
start alone, or are tested more closely elsewhere, are named in ELSEWHERE.
"""

import dataclasses
import os
import resource
import signal
import typing

import pg_fakes
from disk import harness
from tcp_proxy import Fake


# Half of CONNECT_BACKOFF_FAST_MS and of CONNECT_BACKOFF_SLOW_MS.
FAST, SLOW = 0.75, 5.0


@dataclasses.dataclass
class Row:
    number: str
    fault: str
    how: str  # real, proxy, fake
    begin: typing.Callable
    end: typing.Callable
    hold: float = 3.0      # seconds that it lasts
    recovers: float = 2.0  # seconds, at most, once it is over
    is_seen: bool = True   # somebody notices it
    hangs: float = 0.0     # seconds that each attempt takes, at least
    pause_most: float = FAST  # between attempts, where chance makes them short
    env: dict = dataclasses.field(default_factory=dict)


def _mode(mode):
    def begin(world):
        world.proxy.set(mode)
        world.proxy.cut()
    return begin


def _pass(world):
    world.proxy.set("pass")


def _freeze(world):
    world.proxy.set("silent")
    world.proxy.freeze()


def _thaw(world):
    """The network is back; what was sent into the hole is not."""
    world.proxy.set("pass")
    world.proxy.cut(reset=False)


def _stop_processes(world):
    world.pg.signal_all(signal.SIGSTOP)


def _continue_processes(world):
    world.pg.signal_all(signal.SIGCONT)


def _drip(world):
    world.proxy.rate = 1
    world.proxy.cut()


def _pour(world):
    world.proxy.rate = None
    world.proxy.cut()


def _through_fake(answer):
    """Connections lead to something that is not the database."""
    def begin(world):
        world.fake = Fake(answer)
        world.proxy.target = world.fake.port
        world.proxy.cut()
    return begin


def _from_fake(world):
    world.proxy.target = world.pg.port
    world.proxy.cut()
    world.fake.close()


def _cut_in_results(world):
    world.proxy.cut_after = 37
    world.cuts = 0


def _uncut(world):
    world.proxy.cut_after = None


def _restart(mode):
    def begin(world):
        world.pg.stop(mode)
        world.pg.start(*world.options)
    return begin


def _kill_postmaster(world):
    world.pg.kill()
    world.pg.start(*world.options)


def _kill_backends(world):
    world.pg.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                 " WHERE application_name LIKE 'tools-dashboard%'")


def _nothing(_world):
    pass


def _stop(world):
    world.pg.stop("fast")


def _start(world):
    world.pg.start(*world.options)


def _socket_alone(world):
    """How a container image's first start sets the server up."""
    world.pg.stop("fast")
    world.pg.start(*world.options, "listen_addresses=''")


def _with_tcp(world):
    world.pg.stop("fast")
    world.pg.start(*world.options)


def _change_password(world):
    world.pg.sql("ALTER ROLE app PASSWORD 'another'")
    _kill_backends(world)


def _change_password_back(world):
    world.pg.sql("ALTER ROLE app PASSWORD 'pass'")


def _rename_database(world):
    world.pg.sql(f'ALTER DATABASE "{world.database}" WITH ALLOW_CONNECTIONS false')
    _kill_backends(world)
    world.pg.sql(f'ALTER DATABASE "{world.database}" RENAME TO "{world.database}_gone"')


def _rename_database_back(world):
    world.pg.sql(f'ALTER DATABASE "{world.database}_gone" RENAME TO "{world.database}"')
    world.pg.sql(f'ALTER DATABASE "{world.database}" WITH ALLOW_CONNECTIONS true')


def _no_name(world):
    world.set_names("")
    world.proxy.cut()


def _name_again(world):
    world.set_names(f"db.test {world.proxy.host}\n")


def _move(world):
    """The server is at another address now, and the old one refuses."""
    world.set_names(f"db.test {world.second.host}\n")
    world.second.set("pass")
    world.proxy.set("refuse")
    world.proxy.cut()


def _occupy(world):
    """All connections that the role may have are somebody else's."""
    world.pg.sql("ALTER ROLE app CONNECTION LIMIT 0")
    _kill_backends(world)


def _free(world):
    world.pg.sql("ALTER ROLE app CONNECTION LIMIT -1")


def _fill_disk(world):
    world.sql("CREATE OR REPLACE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
              " RAISE EXCEPTION 'could not extend file: No space left on device'"
              " USING ERRCODE = '53100'; END $$")
    world.sql("CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON users"
              " FOR EACH STATEMENT EXECUTE FUNCTION full_disk()")


def _empty_disk(world):
    world.sql("DROP TRIGGER full_disk ON users")


def _read_only(world):
    world.pg.sql("ALTER ROLE app SET default_transaction_read_only = on")
    _kill_backends(world)


def _writable(world):
    world.pg.sql("ALTER ROLE app RESET default_transaction_read_only")


def _clock(seconds):
    return lambda world: world.set_clock(seconds)


def _change_type(world):
    world.sql("ALTER TABLE users ALTER COLUMN company TYPE varchar(200)")


def _change_type_back(world):
    world.sql("ALTER TABLE users ALTER COLUMN company TYPE text")


def _few_files(world):
    pid = world.service.server.process.pid
    world.limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    open_now = max(int(fd) for fd in os.listdir(f"/proc/{pid}/fd"))
    world.proxy.cut()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (min(8, open_now), world.limits[1]))


def _many_files(world):
    resource.prlimit(world.service.server.process.pid, resource.RLIMIT_NOFILE, world.limits)


FAKE_STARTING = pg_fakes.error("57P03", "the database system is starting up")
# What somebody has to set right is tried again every 10 s.
WRONG = {"recovers": 11.0, "pause_most": SLOW}

# Shortened; with TD_LONG=1 as long as the name says, and one that ends while an attempt is given its
# whole time.
LONG_OUTAGES = (12, 15) if harness.LONG else (8,)

ROWS = [
    Row("1", "connection refused", "proxy", _mode("refuse"), _pass),
    Row("2", "SYN into a black hole", "proxy", _mode("hang"), _pass, hold=4, hangs=1),
    Row("3", "accepted, then silence", "proxy", _mode("silent"), _thaw, hold=4, hangs=1),
    Row("4", "accepted, then closed", "proxy", _mode("close"), _pass),
    Row("4", "accepted, then reset", "proxy", _mode("reset"), _pass),
    Row("5", "a handshake of one byte a second", "proxy", _drip, _pour, hold=4, hangs=1),
    Row("6", "a web server behind the port", "fake", _through_fake(pg_fakes.http), _from_fake,
        **WRONG),
    Row("7", "half-open: no byte passes any more", "proxy", _freeze, _thaw, hold=5, hangs=1),
    *(Row("7", f"cut off for {hold} s, old links stay dead", "proxy", _freeze, _pass, hold=hold,
          hangs=1) for hold in LONG_OUTAGES),
    Row("8", "frozen (SIGSTOP)", "real", _stop_processes, _continue_processes, hold=5, hangs=1),
    Row("9", "reset in the middle of a result", "proxy", _cut_in_results, _uncut, hold=1,
        is_seen=False),
    Row("12", "restarted, fast", "real", _restart("fast"), _nothing, hold=0),
    Row("12", "restarted, immediate", "real", _restart("immediate"), _nothing, hold=0),
    Row("12", "kill -9 of the server", "real", _kill_postmaster, _nothing, hold=0),
    Row("12", "its sessions terminated", "real", _kill_backends, _nothing, hold=0, is_seen=False),
    Row("12", "stopped, and started later", "real", _stop, _start),
    Row("13", "recovering for long (57P03)", "fake", _through_fake(FAKE_STARTING), _from_fake,
        hold=5),
    Row("15", "password changed, then right again", "real", _change_password,
        _change_password_back, **WRONG),
    Row("16", "database gone, then there again", "real", _rename_database, _rename_database_back,
        **WRONG),
    Row("17", "name unknown, then known again", "proxy", _no_name, _name_again),
    Row("18", "address of the name changed", "proxy", _move, _nothing, hold=1, is_seen=False),
    Row("19", "too many connections", "real", _occupy, _free),
    Row("20", "disk full (53100)", "fake", _fill_disk, _empty_disk, hold=1.5),
    Row("21", "sessions read-only", "real", _read_only, _writable, **WRONG),
    Row("22", "clock an hour ahead, then back", "real", _clock(3600), _clock(0), hold=2,
        is_seen=False),
    Row("22", "clock an hour behind, then right", "real", _clock(-3600), _clock(0), hold=2,
        is_seen=False),
    Row("24", "plans stale: a column's type changed", "real", _change_type, _change_type_back,
        hold=1.5, is_seen=False),
    Row("31", "no file descriptors left", "real", _few_files, _many_files, hold=3),
]

# Played by a test of its own, since it begins before the service does.
FIRST_START = Row("14", "first start: a socket alone, then TCP", "real", _socket_alone, _with_tcp)

# What is no fault of a running service, or has closer tests of its own.
ELSEWHERE = [
    ("28", "two and ten migrators, one killed", "integration/test_pg_migrate.py"),
    ("29", "BOM, CRLF, UTF-16, NUL in a migration", "integration/test_migrate_files.py"),
    ("32", "end during connecting, back-off, work", "integration/test_pg_connect.py and"
     " test_sigterm_during_an_outage below"),
]
