"""Three nodes, three replicas, `serve` and `back-api` with readers and writers: each node is killed and
comes back, one after the other, and no operation fails; then all three are gone for a while."""

import json
import os
import subprocess
import sys
import threading
import time

import pytest
from disk import ROOT, harness

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from cql_bytes import QUORUM, CqlError  # noqa: E402
from running import Watch  # noqa: E402

LONG = harness.LONG
ALL = 5  # the consistency
PACKAGES = "/user-subscription/packages"
AWAY = 10 if LONG else 3  # seconds that a node is away, at least
STORE_TIMEOUT = 10


@pytest.fixture(scope="module")
def cluster():
    # The servers' own patience is shorter than that of an operation, so that there is time for another node.
    one = cassandra_server.Cluster(3, commitlog="batch", settings={"read_request_timeout": "3000ms"})
    try:
        yield one.start()
    finally:
        one.remove()


class Reading(Watch):
    """Checks each answer, too; one that is wrong counts as 599."""

    def __init__(self, server, path, key, check):
        self.check, self.wrong = check, []
        super().__init__(server, "GET", path, key)

    def _once(self, client):
        answer = client.get(self.path)
        if answer.status != 200:
            self.wrong.append(answer.body[:300])
            return answer.status
        problem = self.check(answer.json())
        if problem is not None:
            self.wrong.append(problem)
        return 200 if problem is None else 599


class Applying(threading.Thread):
    """`catalogue apply` again and again: another tagline each time, in all packages."""

    def __init__(self, env, folder, plans):
        super().__init__(daemon=True)
        self.env, self.folder, self.plans = env, folder, plans
        # Above what an earlier test has written.
        self.first = self.done = self.begun = int(time.time())
        self.failed, self.over = [], False
        self.start()

    def run(self):
        path = os.path.join(self.folder, "plans.json")
        while not self.over:
            self.begun += 1
            for package in self.plans["packages"]:
                package["metadata"]["tagline"] = str(self.begun)
            with open(path, "w", encoding="utf-8") as file:
                json.dump(self.plans, file)
            try:
                done = subprocess.run([harness.executable(release=True), "catalogue", "apply", path], env=self.env,
                                      cwd=self.folder, capture_output=True, text=True, timeout=60, check=False)
            except subprocess.TimeoutExpired:
                self.failed.append("no end within 60 s")
                continue
            if done.returncode != 0:
                self.failed.append(done.stderr)
            else:
                self.done = self.begun

    def end(self):
        self.over = True
        self.join(timeout=60)


class Shop:
    def __init__(self, start_server, folder, cluster, database):
        self.cluster = cluster
        self.env = harness.clean_env(
            DATABASE_URL=database.url, CASSANDRA_CONTACT_POINTS=cluster.contact_points, CASSANDRA_REPLICATION=3,
            CATALOGUE_REFRESH=1, STORE_TIMEOUT=STORE_TIMEOUT, HISTORY_KEEP="1d", PORT=0)
        self.database = database
        self.serve = start_server.ready(folder, release=True, env=self.env)
        self.key = self.serve.make_key()
        self.make_history()
        self.api = start_server.ready(folder, command=("back-api",), release=True, env=self.env)
        exported = self.serve.run("catalogue", "export")
        self.applying = Applying(self.env, str(folder), json.loads(exported.stdout))
        self.users = 0
        self.packages = [Reading(server, PACKAGES, None, self.checks_packages()) for server in (self.serve, self.api)]
        self.histories = [Reading(server, "/user-subscription/user/old/history?limit=100", self.key,
                                  self.check_history) for server in (self.serve, self.api)]
        self.subscribing = Watch(self.serve, "POST", "/user-subscription/subscribe", self.key, self.next_user)

    def make_history(self):
        """A user whose history the event log alone has."""
        client = self.serve.client(self.key)
        assert client.put("/user-subscription/users/old", {
            "email": "old@example.org", "first_name": "A", "last_name": "B"}).status == 201
        assert client.post("/user-subscription/subscribe", {
            "user_id": "old", "package_slug": "standard", "billing_cycle": "monthly"}).status == 201
        self.wait_told()
        self.database.sql("UPDATE users SET created_at = now() - interval '90 days'")
        self.database.sql("INSERT INTO subscription_history (id, subscription_id, user_id, action, actor, created_at)"
                          " SELECT 'h' || n, s.id, 'old', 'renewed', 'system', now() - interval '1 day' * (80 - n)"
                          " FROM user_subscriptions s, generate_series(1, 50) n WHERE user_id = 'old'")
        self.database.sql("UPDATE subscription_history SET created_at = now() - interval '89 days' "
                          "WHERE action = 'created'")
        self.wait_told()
        harness.wait_for(lambda: self.database.sql("SELECT count(*) FROM subscription_history")[0][0] == 0, 40,
                         "a trim")

    def wait_told(self):
        harness.wait_for(lambda: self.database.sql("SELECT count(*) FROM subscription_outbox")[0][0] == 0, 60,
                         "events that are told")

    def checks_packages(self):
        """For one server: whole, and no text is older than one that was shown before. A change of all
        four may show one after the other: nothing holds partitions together."""
        newest = {}

        def check(packages):
            if len(packages) != 4:
                return f"{len(packages)} packages"
            for package in packages:
                if not package["features"]:
                    return "a package without its features"
                tagline = package["metadata"]["tagline"]
                number = int(tagline) if tagline.isdigit() else 0
                if number < newest.get(package["slug"], 0):
                    return f"{number} after {newest[package['slug']]}"
                newest[package["slug"]] = number
            return None
        return check

    def check_history(self, page):
        ids = [item["id"] for item in page["items"] if item["id"].startswith("h")]
        return None if ids == [f"h{n}" for n in range(50, 0, -1)] else f"{len(ids)} rows of history"

    def next_user(self):
        """A user for each subscription, made by another client."""
        self.users += 1
        name = f"new{self.users}"
        self.database.sql("INSERT INTO users (id, email, first_name, last_name) VALUES (%s, %s, 'A', 'B')",
                          (name, f"{name}@example.org"))
        return {"user_id": name, "package_slug": "free", "billing_cycle": "monthly"}

    @property
    def watches(self):
        return [*self.packages, *self.histories, self.subscribing]

    def end(self):
        self.applying.over = True
        for watch in self.watches:
            watch.over = True
        for watch in self.watches:
            watch.end()
        self.applying.end()

    def judge(self, began):
        for watch in (*self.packages, *self.histories):
            assert watch.statuses(began) == [200], (watch.path, watch.wrong[:3])
            assert watch.slowest(began) < STORE_TIMEOUT
        assert self.subscribing.statuses(began) == [201]
        assert not self.applying.failed, self.applying.failed[0]

    def counts(self):
        return [len(watch.seen) for watch in self.watches] + [(self.applying.done - self.applying.first) * 20]


def sees_all(node):
    """Every replica answers, asked through this node."""
    try:
        with node.client(timeout=10) as client:
            client.query("SELECT * FROM tools_dashboard.content_population WHERE name = 'catalogue'", ALL)
            return True
    except (OSError, ConnectionError, CqlError):
        return False


def health(server):
    client = server.client()
    try:
        return client.get("/health").json()["status"]
    finally:
        client.close()


@pytest.fixture
def shop(start_server, tmp_path, cluster, pg_database):
    one = Shop(start_server, tmp_path, cluster, pg_database)
    yield one
    one.end()


def test_each_node_is_killed_and_comes_back_and_nothing_fails(shop, cluster):
    began = time.monotonic()
    for node in cluster.nodes:
        before, killed = shop.counts(), time.monotonic()
        node.kill()
        harness.wait_for(lambda: time.monotonic() > killed + AWAY and all(
            now > then + 20 for now, then in zip(shop.counts(), before)), 60, "work while a node is away")
        node.start()
        harness.wait_for(lambda: all(map(sees_all, cluster.nodes)), 90, "that all see each other")
        shop.judge(began)
    applied = shop.applying.done
    harness.wait_for(lambda: shop.applying.done > applied, 30, "another change")
    shop.end()
    shop.judge(began)
    shop.wait_told()
    print(f"{sum(len(watch.seen) for watch in shop.watches)} answers and {shop.applying.done - shop.applying.first} changes, the slowest "
          f"answer after {max(watch.slowest(began) for watch in shop.watches):.1f} s")
    for server in (shop.serve, shop.api):
        client = server.client()
        harness.wait_for(lambda: {package["metadata"]["tagline"] for package in client.get(PACKAGES).json()} ==
                         {str(shop.applying.done)}, 30, "the last change")
    rows = 0
    with cluster.nodes[0].client(timeout=30) as client:
        for name in shop.database.column("SELECT id FROM users WHERE id LIKE 'new%'"):
            rows += len(client.query(f"SELECT id FROM tools_dashboard.subscription_events WHERE user_id = '{name}' "
                                     f"AND month = '{time.strftime('%Y-%m', time.gmtime())}'", QUORUM))
    assert rows == shop.database.sql("SELECT count(*) FROM user_subscriptions WHERE user_id LIKE 'new%'")[0][0] > 10


def test_all_nodes_gone_and_back(shop, cluster):
    began = time.monotonic()
    shop.applying.end()
    shop.judge(began)
    for node in cluster.nodes:
        node.send(9)
    for node in cluster.nodes:
        node.wait_gone()
    gone = time.monotonic()
    for server in (shop.serve, shop.api):
        harness.wait_for(lambda server=server: health(server) == "degraded", 20, "degraded")
        assert server.client().get("/readyz").status == 200
    harness.wait_for(lambda: all(watch.since(gone) and watch.seen[-1][2] == 503 for watch in shop.histories), 30,
                     "503 for what needs Cassandra")
    cluster.start()
    harness.wait_for(lambda: all(map(sees_all, cluster.nodes)), 90, "that all see each other")
    there = time.monotonic()
    for server in (shop.serve, shop.api):
        harness.wait_for(lambda server=server: health(server) == "ready", 12 if LONG else 30, "ready")
    harness.wait_for(lambda: all(watch.is_steady(there) for watch in shop.histories), 12 if LONG else 30, "history")
    assert all(watch.statuses(began) == [200] and watch.since(there) for watch in shop.packages), \
        [watch.wrong[:3] for watch in shop.packages]
    assert shop.subscribing.statuses(began) == [201] and shop.subscribing.since(there)
    for watch in shop.histories:
        assert set(watch.statuses(began)) <= {200, 503}, watch.wrong[:3]
    shop.end()
    shop.wait_told()
