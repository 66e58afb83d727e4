"""kill -9 of the service and of PostgreSQL while subscriptions are sold and changed: nothing that was
acknowledged is lost, nothing is done twice, and every history is whole; seen by other clients."""

import threading
import time

import pytest
from disk import harness

from explain_history import explain
from pg_server import PgServer, url
from selling_load import SellingLoad, find_acknowledged, find_nothing_else, lives

LONG = harness.LONG
ROUNDS, SECONDS, LEAST = (10, 20, 5000) if LONG else (2, 2, 300)


class Sqlite:
    """The service is killed, on a file."""

    def __init__(self, start_server, folder):
        self.start_server, self.folder = start_server, folder
        self.env = {}
        self.server = None
        self.start()

    def start(self):
        self.server = self.start_server.ready(self.folder, release=True, env=self.env)

    def sql(self, text):
        return self.server.sql(text)

    def fault(self, load):
        """Ends the load."""
        self.server.kill()

    def end(self):
        self.server.stop()


class Postgres(Sqlite):
    """The service is killed, on a PostgreSQL that goes on."""

    def __init__(self, start_server, folder):
        self.pg = PgServer().start("max_connections=40")
        self.pg.database("main_db")
        super().__init__(start_server, folder)

    def start(self):
        self.env = {"DATABASE_URL": url(self.pg.port, "main_db")}
        super().start()

    def sql(self, text):
        return self.pg.sql(text, "main_db")

    def end(self):
        self.pg.remove()


class PostgresKilled(Postgres):
    """PostgreSQL is killed and started again under a service that goes on."""

    def fault(self, load):
        self.pg.kill()
        self.pg.start("max_connections=40")
        load.stopped = True  # each client ends with an answer to what it had sent

    def start(self):
        if self.server is None:
            super().start()


def play_round(world, key, number):
    """A load that meets the fault after its time and its number; what it had acknowledged."""
    load = SellingLoad([world.server], key, lives(f"r{number}"))
    failed = []

    def cut():
        try:
            begin = time.monotonic()
            harness.wait_for(lambda: time.monotonic() >= begin + SECONDS
                             and len(load.acknowledged) >= LEAST, SECONDS * 20, "enough answers")
            world.fault(load)
        except Exception as error:  # pylint: disable=broad-except
            failed.append(error)
            load.stopped = True

    thread = threading.Thread(target=cut)
    thread.start()
    load.run(SECONDS * 30)
    thread.join()
    assert not failed, failed
    world.start()
    load.settle([world.server])
    assert not load.refused, load.refused
    return load


@pytest.mark.parametrize("make", [Sqlite, Postgres, PostgresKilled])
def test_kill_loses_and_doubles_nothing(start_server, tmp_path, make):
    world = make(start_server, tmp_path)
    acknowledged, again = [], 0
    try:
        key = world.server.make_key()
        for number in range(ROUNDS):
            load = play_round(world, key, number)
            assert len(load.acknowledged) >= LEAST
            acknowledged += load.acknowledged
            again += load.sent_again
            histories = explain(world.sql)
            find_acknowledged(acknowledged, histories)
            find_nothing_else(acknowledged, histories)
        users = {row[0] for row in world.sql("SELECT id FROM users")}
        assert {ack.request.user for ack in acknowledged} <= users
    finally:
        world.end()
    note = "" if LONG else " (shortened: TD_LONG=1 runs 10 rounds of 20 s and 5,000 each)"
    print(f"\n{ROUNDS} kills, {len(acknowledged)} acknowledged writes, {again} sent again, "
          f"none lost, none twice{note}")
