"""What it costs us that the packages and their content are in PostgreSQL, or in PostgreSQL and
Cassandra: nothing for an answer, some memory."""

import contextlib
import json
import os
import sys
import time

from .context import running, verdict, words_of
from .footprint import figure_of
from .load import PackagesLoad, PutLoad, run_wrk
from .pairs import NOISY_CPU, summarise
from .servers import PACKAGES, BenchError, Postgres, get

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "tests", "support"))
import cassandra_server  # noqa: E402

NAME = "GET /user-subscription/packages, 64 kept connections, by where the content is"
ALIKE = {"at_most": 1.1}


@contextlib.contextmanager
def databases(context, name, **cassandra):
    """(PostgreSQL, a Cassandra cluster of one node)"""
    postgres = Postgres(os.path.join(context.scratch, f"{name}-postgres"))
    cluster = cassandra_server.Cluster(**cassandra)
    try:
        with running(postgres):
            postgres.start()
            cluster.start()
            yield postgres, cluster
    finally:
        cluster.remove()


def settings_of(postgres, cluster=None):
    settings = {"DATABASE_URL": postgres.dsn}
    if cluster is not None:
        settings["CASSANDRA_CONTACT_POINTS"] = cluster.contact_points
    return settings


def packages_of(server):
    """Without the ids, which each database makes for itself."""
    return [{k: v for k, v in row.items() if k != "id"} for row in json.loads(get(server.url + PACKAGES)[0])]


def compare(context, ours, peer, where):
    """`ours` has its content there, `peer` in SQLite."""
    if packages_of(ours) != packages_of(peer):
        raise BenchError(f"content in {where} is not what it is in SQLite")
    pairs = context.run_pairs(
        PackagesLoad(ours, context.seconds), PackagesLoad(peer, context.seconds), NOISY_CPU
    )
    figure = {"name": f"{NAME}: {where}", "peer_name": "ourselves on SQLite", "target": ALIKE}
    figure |= summarise(pairs, by="cpu")
    figure["judged"] = verdict(figure)
    figure["line"] = (
        f"content in {where}: {figure['ratio']['median']} of the CPU of SQLite for each answer "
        f"({words_of(ALIKE)}: {figure['judged']})"
    )
    return figure


def measure_cost(context):
    figures = []
    with databases(context, "content") as (postgres, cluster):
        # Their own databases: the second finds nothing of the first.
        postgres.sql("CREATE DATABASE second")
        both = settings_of(postgres, cluster)
        both["DATABASE_URL"] = both["DATABASE_URL"].replace("/postgres", "/second")
        sides = [("PostgreSQL", settings_of(postgres)), ("Cassandra", both)]
        sqlite = context.ours("content-sqlite")
        with running(sqlite):
            sqlite.start()
            for where, settings in sides:
                ours = context.ours(f"content-{where}", settings=settings)
                with running(ours):
                    ours.start()
                    figures.append(compare(context, ours, sqlite, where))
    return figures


def measure_memory(context):
    wait = 1 if context.quick else 10
    with databases(context, "memory") as (postgres, cluster):
        ours = context.ours("memory-both", settings=settings_of(postgres, cluster))
        with running(ours):
            ours.start()
            users = PutLoad(ours, ours.make_key(), 1)
            asked = 0
            while asked < 10000:
                asked += run_wrk(ours, PACKAGES, 1, 64, "report.lua").done
                asked += run_wrk(ours, "/pricing", 1, 64, "report.lua").done
                asked += users.sample().done
            time.sleep(wait)  # the figure is defined by this wait
            value = ours.resident_mib()
    name = f"Resident memory with PostgreSQL and Cassandra, {wait} s after 10,000 requests and more"
    return [figure_of(name, "MiB", [value], 22, requests=asked)]
