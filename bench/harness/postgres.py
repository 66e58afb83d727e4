"""Users on PostgreSQL beside pgbench: the same rows in the same tables of the same server."""

import os

from .context import running, verdict, words_of
from .load import GetLoad, LoopLoad, PgbenchLoad
from .machine import version_of_postgres
from .pairs import NOISY_CPU, NOISY_RATE, rounded, run_pairs, spread, summarise
from .servers import POSTGRES_BIN, BenchError, Ours, Postgres

READ = "GET /user-subscription/users/{id} on PostgreSQL, a million users, 64 kept connections"
WRITE = "Users through the store's port to PostgreSQL, 64 waiting, every answer durable"

# Its default, 128 MB, does not hold a million users and their subscriptions.
BUFFERS = "shared_buffers=512MB"
SETTINGS = {"clients": 64, "threads": 2, "server": BUFFERS}

SELECT = """\\set id random(1, {count})
SELECT id, email, first_name, last_name, company, created_at, updated_at FROM users WHERE id = 'u' || :id::text;
"""

# Ids as random as ours: sequences of numbers would make an index that grows at its end.
INSERT = """\\set a random(0, 4294967295)
\\set b random(0, 4294967295)
INSERT INTO users (id, email, first_name, last_name, company, created_at, updated_at)
  SELECT id, id || '@example.com', 'Ada', 'Lovelace', 'Analytical Engines', now(), now()
  FROM (SELECT 'u' || to_hex(:a::bigint) || to_hex(:b::bigint) AS id) AS made;
"""


def fill_users(postgres, first, last):
    postgres.sql(
        "INSERT INTO users (id, email, first_name, last_name, company) SELECT 'u' || n, 'u' || n || '@example.com',"
        f" 'Ada', 'Lovelace', 'Analytical Engines' FROM generate_series({first}, {last}) AS n;"
    )
    postgres.sql("VACUUM ANALYZE users; CHECKPOINT;")


def write_script(context, name, text):
    path = os.path.join(context.scratch, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)
    return path


def ours_on(context, postgres, name):
    settings = {"DATABASE_URL": postgres.dsn}
    return Ours(context.executable, context.folder(name), settings=settings, beside=[postgres])


def make_figure(name, peer_name, pairs, target, settings):
    figure = {"name": name, "peer_name": peer_name, "peer_versions": {"postgresql": version_of_postgres(POSTGRES_BIN)}}
    figure |= {"peer_settings": settings, "target": target}
    figure |= summarise(pairs, by="rate")
    figure["judged"] = verdict(figure)
    figure["line"] = (
        f"{peer_name}: {figure['ratio']['median']} times its answers a second "
        f"({figure['ours']['per_second']['median']} and {figure['peer']['per_second']['median']}; "
        f"{figure['ours']['cpu_us']['median']} and {figure['peer']['cpu_us']['median']} µs of processor; "
        f"{words_of(target)}: {figure['judged']})"
    )
    return figure


def plain_figure(name, unit, values, target):
    found = rounded(spread(values))
    judged = "met" if found["median"] <= target["at_most"] else "missed"
    return {
        "name": name, "unit": unit, "ours": found, "target": target, "judged": judged,
        "line": f"{name}: {found['median']} {unit} ({words_of(target)}: {judged})",
    }  # fmt: skip


def flat_figure(context, name, many, few):
    """Processor time for each answer with many rows over that with few, warm: two servers take turns, for a
    machine's own drift over minutes is as large as what is looked for. Many turns, for it is small."""
    count = 1 if context.quick else 2 * context.pairs + 1
    pairs = run_pairs(many, few, count, NOISY_CPU, context.repeats)
    target = {"at_most": 1.2}
    figure = {"name": name, "peer_name": "ourselves with few", "target": target} | summarise(pairs, by="cpu")
    figure["judged"] = verdict(figure)
    figure["line"] = f"{name}: {figure['ratio']['median']} times ({words_of(target)}: {figure['judged']})"
    return figure


def migrated(context, name):
    """A server with our tables, and us on it, not started."""
    postgres = Postgres(context.folder("pg") + "/" + name, [BUFFERS])
    ours = ours_on(context, postgres, name)
    postgres.start()
    ours.command("migrate")
    return postgres, ours


def measure_read(context):
    few, many = (100, 1000) if context.quick else (10_000, 1_000_000)
    postgres, ours = migrated(context, "pg-read")
    small, ours_small = migrated(context, "pg-read-few")
    with running(small, postgres, ours_small, ours):
        fill_users(small, 1, few)
        fill_users(postgres, 1, many)

        def load(server, count):
            return GetLoad(server.start(), server.make_key(), "/user-subscription/users/u%d", count, context.seconds)

        ours_load = load(ours, many)
        name = "The same: processor time of server and database, a million users over ten thousand"
        flat = flat_figure(context, name, ours_load, load(ours_small, few))
        script = write_script(context, "select.sql", SELECT.format(count=many))
        peer = PgbenchLoad(postgres, "postgres", script, context.seconds)
        pairs = context.run_pairs(ours_load, peer, NOISY_RATE)
    target = {"at_least": 1.0, "goal_at_least": 1.5}
    return [make_figure(READ, "pgbench -S -M prepared -c 64", pairs, target, SETTINGS), flat]


class Synced:
    """A sample with the number of times that the server waited for its log to be on the disk."""

    def __init__(self, postgres, load):
        self.postgres = postgres
        self.load = load

    def _syncs(self):
        return int(self.postgres.sql("SELECT pg_stat_force_next_flush(); SELECT wal_sync FROM pg_stat_wal;").split()[-1])

    def sample(self):
        before = self._syncs()
        sample = self.load.sample()
        sample.extra["syncs"] = (self._syncs() - before) / sample.done
        return sample


def measure_write(context):
    postgres, _ = migrated(context, "pg-write")
    with running(postgres):
        command = [context.program("lane"), postgres.dsn, str(context.seconds * 1000)]
        lane = Synced(postgres, LoopLoad("lane", command, roots=postgres.roots))
        peer = PgbenchLoad(postgres, "postgres", write_script(context, "insert.sql", INSERT), context.seconds)
        pairs = context.run_pairs(lane, peer, NOISY_RATE)
        check_stored(postgres, pairs)
    target = {"at_least": 1.5, "goal_at_least": 3}
    figure = make_figure(WRITE, "pgbench -M prepared -c 64, one transaction each", pairs, target, SETTINGS)
    syncs = [pair.ours.extra["syncs"] for pair in pairs]
    name = "The same: pg_stat_wal.wal_sync for each acknowledged write"
    return [figure, plain_figure(name, "syncs", syncs, {"at_most": 0.333})]


def check_stored(postgres, pairs):
    stored = int(postgres.sql("SELECT count(*) FROM users;"))
    done = sum(pair.ours.done + pair.peer.done for pair in pairs)
    if stored < done:
        raise BenchError(f"{done} users were acknowledged and {stored} are stored")
