"""GET /user-subscription/packages: us, a file of the same bytes in nginx, FastAPI with a database."""

import json
import os
import sqlite3

from .context import HERE, running, verdict, words_of
from .load import PackagesLoad
from .machine import version_of_nginx, version_of_postgres, versions_of_python
from .pairs import NOISY_CPU, summarise
from .servers import (
    PACKAGES,
    POSTGRES_BIN,
    BenchError,
    FastApi,
    Nginx,
    Postgres,
    catalogue_sql,
    get,
    same_packages,
)

NAME = "GET /user-subscription/packages, 64 kept connections"


def compare(context, ours, peer, versions, target):
    pairs = context.run_pairs(
        PackagesLoad(ours, context.seconds), PackagesLoad(peer, context.seconds), NOISY_CPU
    )
    figure = {"name": NAME, "peer_name": peer.name, "peer_versions": versions}
    figure["peer_settings"] = peer.settings
    figure["target"] = target
    figure |= summarise(pairs, by="cpu")
    figure["judged"] = verdict(figure)
    figure["line"] = (
        f"{peer.name}: {figure['ratio']['median']} of its CPU for each answer "
        f"({figure['ours']['cpu_us']['median']} and {figure['peer']['cpu_us']['median']} us; "
        f"{words_of(target)}: {figure['judged']})"
    )
    return figure


def nginx_peers(context, body, headers):
    """(server, target): the plain one, and the best that tuning gives."""
    plain = {"at_most": 0.8}
    tuned = {"goal_at_most": 1.0}
    rows = [("nginx", 1, False, plain), ("nginx, tuned, 1 worker", 1, True, tuned)]
    rows += [("nginx, tuned, 2 workers", 2, True, tuned)]
    for index, (name, workers, is_tuned, target) in enumerate(rows):
        folder = context.folder(f"nginx{index}")
        yield Nginx(folder, name, workers, is_tuned, body, headers), target


def check_same(peer, body):
    if not same_packages(get(peer.url + PACKAGES)[0], body):
        raise BenchError(f"{peer.name} does not answer what we answer")


def measure_nginx(context, ours, body, headers):
    versions = {"nginx": version_of_nginx()}
    for peer, target in nginx_peers(context, body, headers):
        with running(peer):
            peer.start()
            check_same(peer, body)
            yield compare(context, ours, peer, versions, target)


def measure_fastapi(context, ours, body, packages):
    python = context.python_of_peers()
    names = ["fastapi", "starlette", "pydantic", "uvicorn", "uvloop", "httptools"]
    app = os.path.join(HERE, "peers")
    postgres = Postgres(os.path.join(context.scratch, "postgres"))
    with running(postgres):
        postgres.start(packages)
        peer = FastApi(python, app, "FastAPI, asyncpg, PostgreSQL", postgres.dsn, [postgres])
        versions = versions_of_python(python, [*names, "asyncpg"])
        versions["postgresql"] = version_of_postgres(POSTGRES_BIN)
        with running(peer):
            peer.start()
            check_same(peer, body)
            yield compare(context, ours, peer, versions, {"at_most": 0.02})
    path = os.path.join(context.folder("fastapi"), "packages.db")
    with sqlite3.connect(path) as database:
        database.executescript(catalogue_sql(packages, "sqlite"))
    database.close()
    peer = FastApi(python, app, "FastAPI, aiosqlite, SQLite", path)
    versions = versions_of_python(python, [*names, "aiosqlite"])
    with running(peer):
        peer.start()
        check_same(peer, body)
        yield compare(context, ours, peer, versions, {"at_most": 0.02})


def measure(context):
    ours = context.ours("packages")
    with running(ours):
        ours.start()
        body, headers = get(ours.url + PACKAGES)
        figures = list(measure_nginx(context, ours, body, headers))
        if not context.offline:
            figures += measure_fastapi(context, ours, body, json.loads(body))
    return figures
