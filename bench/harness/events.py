"""The relay: events from the outbox in PostgreSQL into the event log, beside the same rows written
into the same table by a loop that does nothing else."""

import re
import time
import urllib.request

from .content import databases, settings_of
from .context import judge, running
from .load import LoopLoad
from .measure import Window
from .pairs import NOISY_RATE, rounded, spread, summarise
from .servers import BenchError

NAME = "Events from PostgreSQL's outbox into Cassandra, one node, all on two cores"
# Enough for a large shop, or as much as the server gives.
RATE = {"at_least": 20000}
USERS = 1000

# Half a year of a thousand subscriptions, as bench/events.c writes them.
PREPARE = f"""
INSERT INTO users (id, email, first_name, last_name, created_at)
SELECT 'u' || n, 'u' || n || '@example.org', 'A', 'B', '2026-01-01Z' FROM generate_series(0, {USERS - 1}) n;
INSERT INTO user_subscriptions (id, user_id, package_id, status, billing_cycle, price, currency, started_at,
  anchor_day, current_period_start, current_period_end)
SELECT 's' || n, 'u' || n, p.id, 'active', 'monthly', 29.99, 'USD', '2026-01-01Z', 1, '2026-01-01Z', '2099-01-01Z'
FROM generate_series(0, {USERS - 1}) n, subscription_packages p WHERE p.slug = 'standard';
"""
FILL = f"""
INSERT INTO subscription_history (id, subscription_id, user_id, action, from_package, to_package, from_cycle,
  to_cycle, price, currency, actor, created_at)
SELECT to_char(now(), 'YYYYMMDDHH24MISSUS') || lpad(n::text, 8, '0'), 's' || mod(n, {USERS}), 'u' || mod(n, {USERS}), 'renewed', 'standard', 'standard', 'monthly',
  'monthly', 29.99, 'USD', 'system', '2026-01-01Z'::timestamptz + interval '30 days' * mod(n / {USERS}, 6)
FROM generate_series(0, %d - 1) n;
ANALYZE subscription_history; ANALYZE subscription_outbox;
"""


class Relay:
    """Fills the outbox while nobody works it off, then starts us and takes the time until it is empty."""

    name = "tools-dashboard"

    def __init__(self, ours, postgres, cluster, count):
        self.ours, self.postgres, self.count = ours, postgres, count
        self.nodes = [node.pid for node in cluster.nodes]

    def told(self):
        with urllib.request.urlopen(self.ours.url + "/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = re.search(r"^tools_dashboard_events_told_total (\S+)$", text, re.M)
        return int(float(found.group(1))) if found else 0

    def wait(self, wanted):
        until = time.monotonic() + 300
        while time.monotonic() < until:
            told = self.told()
            if told >= wanted:
                return told
            time.sleep(0.25)  # the figure is that of some seconds
        raise BenchError(f"{self.told()} of {wanted} events were told")

    def sample(self):
        self.postgres.sql(FILL % self.count)
        with running(self.ours):
            self.ours.start()
            before = self.wait(1)
            begun = time.monotonic()
            with Window([self.ours.process.pid, *self.postgres.roots, *self.nodes]) as window:
                self.wait(self.count)
            seconds = time.monotonic() - begun
        return window.sample(self.count - before, seconds)


def measure(context):
    count = 5000 if context.quick else 100_000
    with databases(context, "events", heap_mb=1024, java_options=("-XX:TieredStopAtLevel=4",)) as (postgres, cluster):
        settings = settings_of(postgres, cluster) | {"EVENTS_RATE": "1000000"}
        ours = context.ours("events", settings=settings)
        with running(ours):
            ours.start()  # makes tables, the keyspace and the trigger
        postgres.sql(PREPARE)
        address, port = cluster.contact_points.split(":")
        command = [context.program("events"), address, port, "tools_dashboard", str(count)]
        nodes = [node.pid for node in cluster.nodes]
        bare = LoopLoad("the same rows, written alone", command, roots=nodes)
        relay = Relay(ours, postgres, cluster, count)
        if not context.quick:
            for side in (bare, relay) * 3:  # the server's compiler
                side.sample()
        pairs = context.run_pairs(relay, bare, NOISY_RATE)
    figure = {"name": NAME, "peer_name": bare.name, "target": {}}
    figure |= summarise(pairs, by="rate")
    figure["judged"] = ""  # the rate is
    figure["line"] = (
        f"relay: {figure['ours']['per_second']['median']} events a second, {figure['ratio']['median']} of what the "
        "server takes when it does nothing else"
    )
    rates = [pair.ours.rate for pair in pairs]
    rate = {"name": f"{NAME}: the rate", "unit": "events/s", "target": RATE, "ours": rounded(spread(rates))}
    rate["measured"] = len(rates)
    rate["judged"] = judge(rate["ours"]["median"], RATE)
    rate["line"] = f"relay: {rate['ours']['median']} events a second (at least 20000: {rate['judged']})"
    return [rate, figure]
