"""Subscribing and reading a subscription: beside a bare loop, pgbench and FastAPI, on the same rows."""

import os
import shutil
import sqlite3

from .context import HERE, running, verdict, words_of
from .load import GetLoad, LoopLoad, PgbenchLoad, SubscribeLoad
from .machine import version_of_postgres, versions_of_python
from .pairs import NOISY_CPU, NOISY_RATE, summarise
from .postgres import SETTINGS, fill_users, flat_figure, make_figure, migrated, write_script
from .servers import POSTGRES_BIN, BenchError, FastApi
from .users import Database

SUBSCRIBE = "POST /user-subscription/subscribe, 64 clients, every answer durable"
READ = "GET /user-subscription/user/{id} on PostgreSQL, 64 kept connections"

INSERT = """WITH made AS (INSERT INTO user_subscriptions (id, user_id, package_id, status, billing_cycle, price,
  currency, started_at, anchor_day, current_period_start, current_period_end, version)
  SELECT gen_random_uuid()::text, 'u' || nextval('peer_user'), p.id, 'active', 'monthly', p.price_monthly, p.currency,
  now(), 15, now(), now() + interval '1 month', 1 FROM subscription_packages p WHERE p.slug = 'standard' RETURNING *)
INSERT INTO subscription_history (id, subscription_id, user_id, action, to_package, to_cycle, price, currency, actor)
  SELECT gen_random_uuid()::text, id, user_id, 'created', 'standard', 'monthly', price, currency, 'user' FROM made;
"""

SELECT = """\\set id random(1, {count})
SELECT s.*, p.slug, p.name, p.rate_limit_per_hour, p.rate_limit_per_day, q.slug FROM users u
  LEFT JOIN LATERAL (SELECT * FROM user_subscriptions s WHERE s.user_id = u.id
    ORDER BY s.status IN ('trialing', 'active', 'past_due') DESC, s.created_at DESC, s.id DESC LIMIT 1) s ON true
  LEFT JOIN subscription_packages p ON p.id = s.package_id
  LEFT JOIN subscription_packages q ON q.id = s.pending_package_id WHERE u.id = 'u' || :id::text;
"""

SUBSCRIBED = """INSERT INTO user_subscriptions (id, user_id, package_id, status, billing_cycle, price, currency, started_at,
  anchor_day, current_period_start, current_period_end, version) SELECT 's' || n, 'u' || n, p.id, 'active', 'monthly', 29.99,
  'USD', now(), 15, now(), now() + interval '1 year', 1 FROM generate_series({first}, {last}) n, subscription_packages p
  WHERE p.slug = 'standard';
INSERT INTO subscription_history (id, subscription_id, user_id, action, actor) SELECT 'h' || n, 's' || n, 'u' || n, 'created',
  'user' FROM generate_series({first}, {last}) n;
VACUUM ANALYZE user_subscriptions; VACUUM ANALYZE subscription_history;"""


# ---- SQLite


def fill_file(path, count):
    with sqlite3.connect(path) as database:
        database.executemany(
            "INSERT INTO users (id, email, first_name, last_name) VALUES (?, ?, 'Ada', 'Lovelace')",
            ((f"u{n}", f"u{n}@example.com") for n in range(1, count + 1)),
        )
    database.close()


class Fresh:
    """A sample on a fresh copy of a database whose users have no subscription yet."""

    def __init__(self, context, database, preload, program=None):
        self.context, self.database, self.preload, self.program = context, database, preload, program

    def sample(self):
        folder, path = self.database.fresh()
        if self.program:
            command = [self.context.program(self.program), path, str(self.context.seconds * 1000)]
            sample = LoopLoad(self.program, command, self.preload).sample()
        else:
            sample = self._sample_ours(folder, path)
        shutil.rmtree(folder)
        return sample

    def _sample_ours(self, folder, path):
        ours = self.context.ours(os.path.basename(folder), preload=self.preload)
        with running(ours):
            ours.start()
            sample = SubscribeLoad(ours, self.database.key, self.context.seconds).sample()
        with sqlite3.connect(path) as stored:
            rows = stored.execute("SELECT count(*) FROM user_subscriptions").fetchone()[0]
            told = stored.execute("SELECT count(*) FROM subscription_history").fetchone()[0]
        stored.close()
        if rows < sample.done or told != rows:
            raise BenchError(f"{sample.done} subscriptions were acknowledged, {rows} and {told} are stored")
        return sample


def measure_subscribe(context):
    database = Database(context, "subscribe")
    context.ours("subscribe-template").command("populate")
    fill_file(database.template, 60_000 if context.quick else 200_000)
    shim = context.program("shim_slow_sync.so")
    rows = [(None, "a bare loop of commits", {"at_least": 2.5, "goal_at_least": 4})]
    rows += [(shim, "a bare loop of commits, fdatasync of 2 ms", {"at_least": 15})]
    figures = []
    for preload, peer_name, target in rows:
        ours, loop = Fresh(context, database, preload), Fresh(context, database, preload, "sqlite_subscribe")
        pairs = context.run_pairs(ours, loop, NOISY_RATE)
        settings = {"journal_mode": "WAL", "synchronous": "FULL", "rows_a_commit": 2}
        figure = make_figure(SUBSCRIBE + ", SQLite", peer_name, pairs, target, settings)
        figure["peer_versions"] = {"sqlite": sqlite3.sqlite_version}
        figures.append(figure)
    return figures


# ---- PostgreSQL


def populated(context, name, users):
    postgres, ours = migrated(context, name)
    ours.command("populate")
    fill_users(postgres, 1, users)
    return postgres, ours


def fastapi_figure(context, postgres, ours, key, first):
    """Processor time, for there the peer's rate is a small part of ours."""
    python = context.python_of_peers()
    peer = FastApi(python, os.path.join(HERE, "peers"), "FastAPI", postgres.dsn, beside=[postgres])
    with running(peer):
        peer.start()
        load = SubscribeLoad(peer, key, context.seconds)
        load.next_user = first
        pairs = context.run_pairs(SubscribeLoad(ours, key, context.seconds), load, NOISY_CPU)
    target = {"at_most": 0.125, "goal_at_most": 0.1}
    figure = {"name": SUBSCRIBE + ", PostgreSQL", "peer_name": "FastAPI, asyncpg"}
    versions = versions_of_python(python, ["fastapi", "uvicorn", "pydantic", "asyncpg"])
    figure |= {"peer_versions": versions | {"postgresql": version_of_postgres(POSTGRES_BIN)}}
    figure |= {"peer_settings": peer.settings, "target": target} | summarise(pairs, by="cpu")
    figure["judged"] = verdict(figure)
    figure["line"] = f"FastAPI: {figure['ratio']['median']} of its processor time ({words_of(target)}: {figure['judged']})"
    return figure


def measure_subscribe_pg(context):
    users = 150_000 if context.quick else 1_200_000
    postgres, ours = populated(context, "subscribe", users)
    with running(postgres, ours):
        postgres.sql(f"CREATE SEQUENCE peer_user START {users // 3} CACHE 100;")
        ours.start()
        key = ours.make_key()
        peer = PgbenchLoad(postgres, "postgres", write_script(context, "subscribe.sql", INSERT), context.seconds)
        load = SubscribeLoad(ours, key, context.seconds)
        pairs = context.run_pairs(load, peer, NOISY_RATE)
        target = {"at_least": 1.0, "goal_at_least": 2}
        name = SUBSCRIBE + ", PostgreSQL"
        figures = [make_figure(name, "pgbench -M prepared -c 64, one statement each", pairs, target, SETTINGS)]
        if not context.offline:
            postgres.sql("TRUNCATE user_subscriptions CASCADE;")
            figures.append(fastapi_figure(context, postgres, ours, key, 2 * users // 3))
    return figures


def load_of(context, ours, count):
    return GetLoad(ours.start(), ours.make_key(), "/user-subscription/user/u%d", count, context.seconds)


def measure_read(context):
    few, many = (100, 1000) if context.quick else (1_000, 1_000_000)
    small, ours_small = populated(context, "selling-read-few", few)
    postgres, ours = populated(context, "selling-read", many)
    with running(small, postgres, ours_small, ours):
        small.sql(SUBSCRIBED.format(first=1, last=few))
        postgres.sql(SUBSCRIBED.format(first=1, last=many))
        ours_load = load_of(context, ours, many)
        name = "The same: processor time of server and database, a million users over a thousand"
        flat = flat_figure(context, name, ours_load, load_of(context, ours_small, few))
        script = write_script(context, "subscription.sql", SELECT.format(count=many))
        peer = PgbenchLoad(postgres, "postgres", script, context.seconds)
        pairs = context.run_pairs(ours_load, peer, NOISY_RATE)
    target = {"at_least": 1.0, "goal_at_least": 1.5}
    figure = make_figure(READ, "pgbench -S -M prepared -c 64", pairs, target, SETTINGS)
    return [figure, flat, flat_of_sqlite(context, few, many)]


def subscribed_file(context, name, count):
    """Us, not started, on a file with that many users, each with a subscription."""
    ours = context.ours(name)
    ours.command("migrate")
    ours.command("populate")
    with sqlite3.connect(ours.database) as database:
        package = database.execute("SELECT id FROM subscription_packages WHERE slug = 'standard'").fetchone()[0]
        numbers = range(1, count + 1)
        database.executemany(
            "INSERT INTO users (id, email, first_name, last_name) VALUES (?, ?, 'Ada', 'Lovelace')",
            ((f"u{n}", f"u{n}@example.com") for n in numbers))
        database.executemany(
            "INSERT INTO user_subscriptions (id, user_id, package_id, status, billing_cycle, price, currency, started_at,"
            " anchor_day, current_period_start, current_period_end, version, created_at, updated_at) VALUES"
            f" (?, ?, '{package}', 'active', 'monthly', 2999, 'USD', 1, 15, 1, 32503680000000, 1, 1, 1)",
            ((f"s{n}", f"u{n}") for n in numbers))
    database.close()
    return ours


def flat_of_sqlite(context, few, many):
    small, ours = subscribed_file(context, "selling-read-few-lite", few), subscribed_file(context, "selling-read-lite", many)
    name = "GET /user-subscription/user/{id} on SQLite: processor time, a million users over a thousand"
    with running(small, ours):
        return flat_figure(context, name, load_of(context, ours, many), load_of(context, small, few))
