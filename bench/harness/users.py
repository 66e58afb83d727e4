"""PUT /user-subscription/users/{id} beside a bare loop of commits, and the lane beside bare batches."""

import os
import shutil
import sqlite3

from .context import running, verdict, words_of
from .load import LoopLoad, PutLoad
from .pairs import NOISY_RATE, summarise
from .servers import BenchError

NAME = "PUT /user-subscription/users/{id}, 64 clients, every answer durable"


class Database:
    """A migrated database with a key, of which every sample gets a fresh copy."""

    def __init__(self, context, name):
        self.context = context
        self.name = name
        self.rounds = 0
        maker = context.ours(name + "-template")
        maker.command("migrate")
        self.key = maker.make_key()
        with sqlite3.connect(maker.database) as database:
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        self.template = maker.database

    def fresh(self):
        """Folder and path of a copy."""
        self.rounds += 1
        folder = self.context.folder(f"{self.name}-{self.rounds}")
        path = os.path.join(folder, "tools-dashboard.db")
        shutil.copy(self.template, path)
        return folder, path


class FreshPut:
    """A sample on a server that was started on a fresh copy; what it acknowledged must be there."""

    def __init__(self, context, database, preload=None):
        self.context = context
        self.database = database
        self.preload = preload

    def sample(self):
        folder, path = self.database.fresh()
        ours = self.context.ours(os.path.basename(folder), preload=self.preload)
        with running(ours):
            ours.start()
            sample = PutLoad(ours, self.database.key, self.context.seconds).sample()
        with sqlite3.connect(path) as stored:
            rows = stored.execute("SELECT count(*) FROM users").fetchone()[0]
        stored.close()
        shutil.rmtree(folder)
        if rows < sample.done:
            raise BenchError(f"{sample.done} users were acknowledged and {rows} are stored")
        return sample


class FreshLoop:
    """A sample of a program of bench/ on a fresh copy."""

    def __init__(self, context, database, program, preload=None, arguments=lambda: ()):
        self.context = context
        self.database = database
        self.program = program
        self.preload = preload
        self.arguments = arguments

    def sample(self):
        folder, path = self.database.fresh()
        command = [self.context.program(self.program), path, str(self.context.seconds * 1000)]
        sample = LoopLoad(self.program, command, self.preload).sample(*self.arguments())
        shutil.rmtree(folder)
        if sample.errors:
            raise BenchError(f"{self.program}: {sample.errors} operations failed")
        return sample


def make_figure(name, peer_name, pairs, target, settings):
    figure = {"name": name, "peer_name": peer_name}
    figure["peer_versions"] = {"sqlite": sqlite3.sqlite_version}
    figure["peer_settings"] = settings
    figure["target"] = target
    figure |= summarise(pairs, by="rate")
    ratio = figure["ratio"]["median"]
    figure["judged"] = verdict(figure)
    figure["line"] = (
        f"{peer_name}: {ratio} times its answers a second "
        f"({figure['ours']['per_second']['median']} and {figure['peer']['per_second']['median']}; "
        f"{words_of(target)}: {figure['judged']})"
    )
    return figure


def measure_users(context):
    database = Database(context, "users")
    settings = {"journal_mode": "WAL", "synchronous": "FULL", "wal_autocheckpoint": 4000, "rows_a_commit": 1}
    figures = []
    shim = context.program("shim_slow_sync.so")
    rows = [(None, "a bare loop of commits", {"at_least": 2.5, "goal_at_least": 4})]
    rows += [(shim, "a bare loop of commits, fdatasync of 2 ms", {"at_least": 15})]
    for preload, peer_name, target in rows:
        ours = FreshPut(context, database, preload)
        loop = FreshLoop(context, database, "sqlite_loop", preload)
        pairs = context.run_pairs(ours, loop, NOISY_RATE)
        more = {"fdatasync_us": 2000} if preload else {}
        figures.append(make_figure(NAME, peer_name, pairs, target, settings | more))
    return figures


def measure_lane(context):
    database = Database(context, "lane")
    lane = FreshLoop(context, database, "lane")
    batch = [64]

    class Remembering:
        """The loop commits batches of the size that the lane had just before."""

        @staticmethod
        def sample():
            sample = lane.sample()
            batch[0] = max(1, round(sample.extra["batch"]))
            return sample

    loop = FreshLoop(context, database, "sqlite_batch", arguments=lambda: (str(batch[0]),))
    pairs = context.run_pairs(Remembering, loop, NOISY_RATE)
    settings = {"journal_mode": "WAL", "synchronous": "FULL", "wal_autocheckpoint": 4000, "rows_a_commit": "as the lane"}
    name = "The lane alone, 64 users waiting"
    peer_name = "a bare loop of the same batches"
    return [make_figure(name, peer_name, pairs, {"at_least": 0.6}, settings)]
