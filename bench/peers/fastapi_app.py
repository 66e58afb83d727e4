"""The peer: `GET /user-subscription/packages` as a FastAPI service that reads its database.

Three selects a request (packages, metadata, features) on a pooled connection, answered in the same
shape as ours. It checks nothing, sets no security headers and keeps no log, which favours it.
BENCH_DATABASE is a `postgresql://` URL (asyncpg, its default pool) or the path of a SQLite file
(aiosqlite, one connection a worker).
"""

import os
from contextlib import asynccontextmanager

from fastapi import FastAPI
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

    @staticmethod
    def money(amount):
        return float(amount)


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
