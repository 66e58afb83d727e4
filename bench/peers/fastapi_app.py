"""The peer: `GET /user-subscription/packages` as a FastAPI service that reads its database.

Three selects a request (packages, metadata, features) on a pooled connection, answered in the same
shape as ours. It checks nothing, sets no security headers and keeps no log, which favours it.
BENCH_DATABASE is a `postgresql://` URL (asyncpg, its default pool) or the path of a SQLite file
(aiosqlite, one connection a worker).
"""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

DATABASE = os.environ["BENCH_DATABASE"]

PACKAGES = """SELECT id, slug, name, description, price_monthly, price_yearly, currency,
       rate_limit_per_hour, rate_limit_per_day, display_order
  FROM subscription_packages WHERE is_active ORDER BY display_order, slug"""
METADATA = "SELECT package_slug, key, value FROM subscription_package_metadata"
FEATURES = """SELECT package_slug, feature_id, name, description, included, icon, category
  FROM subscription_features ORDER BY package_slug, display_order, feature_id"""


class Postgres:
    """asyncpg with its default pool of ten connections."""

    async def open(self):
        import asyncpg

        self.pool = await asyncpg.create_pool(DATABASE)

    async def close(self):
        await self.pool.close()

    async def read(self):
        async with self.pool.acquire() as connection:
            return (
                await connection.fetch(PACKAGES),
                await connection.fetch(METADATA),
                await connection.fetch(FEATURES),
            )

    async def subscribe(self, user_id, package_slug, billing_cycle):
        async with self.pool.acquire() as connection:
            return dict(await connection.fetchrow(SUBSCRIBE, user_id, package_slug, billing_cycle))

    @staticmethod
    def money(amount):
        return float(amount)


# One statement: what the rules of ours decide before they write is decided by nobody here.
SUBSCRIBE = """WITH made AS (INSERT INTO user_subscriptions (id, user_id, package_id, status, billing_cycle, price,
  currency, started_at, anchor_day, current_period_start, current_period_end, version)
  SELECT gen_random_uuid()::text, $1, id, 'active', $3, price_monthly, currency, now(), 15, now(), now() + interval '1 month', 1
  FROM subscription_packages WHERE slug = $2 RETURNING *),
 told AS (INSERT INTO subscription_history (id, subscription_id, user_id, action, to_package, to_cycle, price, currency, actor)
  SELECT gen_random_uuid()::text, id, user_id, 'created', $2, $3, price, currency, 'api:bench' FROM made)
 SELECT id, user_id, status, billing_cycle, price, currency, started_at FROM made"""


class Sqlite:
    """aiosqlite, one connection in each worker."""

    async def open(self):
        import aiosqlite

        self.connection = await aiosqlite.connect(DATABASE)
        self.connection.row_factory = aiosqlite.Row

    async def close(self):
        await self.connection.close()

    async def read(self):
        fetch = self.connection.execute_fetchall
        return await fetch(PACKAGES), await fetch(METADATA), await fetch(FEATURES)

    @staticmethod
    def money(amount):
        return amount / 100


database = Postgres() if DATABASE.startswith("postgres") else Sqlite()


@asynccontextmanager
async def lifespan(_app):
    await database.open()
    yield
    await database.close()


app = FastAPI(lifespan=lifespan)


@app.get("/user-subscription/packages")
async def list_packages():
    packages, metadata, features = await database.read()
    by_slug = {}
    answer = []
    for row in packages:
        package = dict(row)
        package["price_monthly"] = database.money(row["price_monthly"])
        package["price_yearly"] = database.money(row["price_yearly"])
        package["metadata"] = {}
        package["features"] = []
        by_slug[row["slug"]] = package
        answer.append(package)
    for row in metadata:
        if row["package_slug"] in by_slug:
            by_slug[row["package_slug"]]["metadata"][row["key"]] = row["value"]
    for row in features:
        if row["package_slug"] in by_slug:
            by_slug[row["package_slug"]]["features"].append(
                {
                    "id": row["feature_id"],
                    "name": row["name"],
                    "description": row["description"],
                    "included": bool(row["included"]),
                    "icon": row["icon"],
                    "category": row["category"],
                }
            )
    return JSONResponse(answer)


@app.post("/user-subscription/subscribe", status_code=201)
async def subscribe(request: Request):
    form = await request.json()
    row = await database.subscribe(form["user_id"], form["package_slug"], form["billing_cycle"])
    return JSONResponse({**row, "price": float(row["price"]), "started_at": row["started_at"].isoformat()}, status_code=201)
