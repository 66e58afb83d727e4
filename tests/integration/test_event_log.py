"""The history of subscriptions on its way from PostgreSQL to the event log in Cassandra, and read from
both: real servers, python3-cassandra as the other client."""

import datetime
import os
import re
import sys
import time

import pytest

from conftest import LONG, ROOT, wait_for

sys.path.append("/usr/lib/python3/dist-packages")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
from cassandra.cluster import Cluster as Driver  # noqa: E402
import cassandra_server  # noqa: E402
from page_client import Browser  # noqa: E402

WAITING = 500_000 if LONG else 20_000
RATE = 20_000 if LONG else 5_000
QUICK = {"CONNECT_INITIAL_DELAY": "100ms", "CONNECT_MAX_DELAY": "200ms"}
DAY = datetime.timedelta(days=1)
HISTORY = "id, user_id, subscription_id, action, from_package, to_package, from_cycle, to_cycle, price, " \
          "currency, reason, actor, created_at, seq"


@pytest.fixture(scope="module")
def cluster():
    one = cassandra_server.Cluster(1, commitlog="batch", heap_mb=512)
    try:
        yield one.start()
    finally:
        one.remove()


@pytest.fixture
def up(cluster):
    """The cluster runs when the test has ended."""
    yield cluster
    for node in cluster.nodes:
        if not node.is_running():
            node.start()


@pytest.fixture
def env(cluster, pg_database, unique):
    return {"DATABASE_URL": pg_database.url, "CASSANDRA_CONTACT_POINTS": cluster.contact_points,
            "CASSANDRA_KEYSPACE": "t_" + unique(), **QUICK}


@pytest.fixture
def ask(cluster, env):
    """ask(statement) gives the rows of another client; {} in it is the keyspace."""
    driver, session = None, None

    def run(statement):
        nonlocal driver, session
        if session is None or not cluster.nodes[0].is_running():
            driver = Driver([cluster.nodes[0].address], port=cluster.port, connect_timeout=30)
            session = driver.connect()
            session.default_timeout = 120
        return list(session.execute(statement.format(env["CASSANDRA_KEYSPACE"])))

    yield run
    if driver is not None:
        driver.shutdown()


def make_user(server, client, name):
    user = {"email": f"{name}@example.org", "first_name": "A", "last_name": "B"}
    assert client.put(f"/user-subscription/users/{name}", user).status == 201
    return client.post("/user-subscription/subscribe", {
        "user_id": name, "package_slug": "standard", "billing_cycle": "monthly"}).status


def add_history(pg_database, user, count, from_time, to_time):
    """Rows as one of ours would be, by another client, evenly over that time; identifiers grow, as ours do."""
    pg_database.sql(
        "INSERT INTO subscription_history (id, subscription_id, user_id, action, from_package, to_package, "
        "from_cycle, to_cycle, price, currency, actor, created_at) "
        "SELECT %s || lpad(n::text, 8, '0'), s.id, s.user_id, 'renewed', 'standard', 'standard', 'monthly', "
        "'monthly', 29.99, 'USD', 'system', %s::timestamptz + (%s::timestamptz - %s::timestamptz) * n / %s "
        "FROM user_subscriptions s, generate_series(0, %s - 1) n WHERE s.user_id = %s ORDER BY n",
        (f"{time.time_ns():016x}-", from_time, to_time, from_time, count, count, user))


def told(ask):
    return ask("SELECT " + HISTORY + ", month FROM {}.subscription_events")


def count_told(ask, users, months):
    """By partition: a count over everything takes longer than a server waits."""
    return sum(ask("SELECT count(*) FROM {}.subscription_events WHERE user_id = '" + user +
                   "' AND month = '" + month + "'")[0][0] for user in users for month in months)


def waiting(pg_database):
    return pg_database.column("SELECT count(*) FROM subscription_outbox")[0]


def metric(client, name):
    return float(re.search(rf"^tools_dashboard_{name} (\S+)$", client.get("/metrics").body.decode(),
                           re.M).group(1))


def as_told(row):
    """A row of history as the event log has it."""
    row = list(row)
    row[12] = row[12].astimezone(datetime.timezone.utc).replace(tzinfo=None)
    row[12] = row[12].replace(microsecond=row[12].microsecond // 1000 * 1000)
    return tuple(row) + (row[12].strftime("%Y-%m"),)


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def test_every_row_of_history_is_told_once_with_all_it_says(start_server, tmp_path, env, ask, pg_database):
    alone = {key: value for key, value in env.items() if not key.startswith("CASSANDRA")}
    before = start_server.ready(tmp_path, env=alone)
    assert make_user(before, before.client(before.make_key()), "early") == 201
    add_history(pg_database, "early", 50, now() - 200 * DAY, now())
    before.stop()
    server = start_server.ready(tmp_path, env=env)
    client = server.client(server.make_key())
    assert make_user(server, client, "late") == 201
    assert client.post("/user-subscription/upgrade", {
        "user_id": "late", "package_slug": "premium", "billing_cycle": "yearly"}).status == 200
    assert client.post("/user-subscription/cancel", {
        "user_id": "late", "when": "now", "reason": "too much, café"}).status == 200
    wait_for(lambda: waiting(pg_database) == 0, 30, "an empty outbox")
    rows = sorted(as_told(row) for row in pg_database.sql(f"SELECT {HISTORY} FROM subscription_history"))
    assert len(rows) > 53
    assert sorted(tuple(row) for row in told(ask)) == rows
    for row in ask("SELECT created_at, writetime(action), ttl(action) FROM {}.subscription_events"):
        assert row[1] == round(row[0].replace(tzinfo=datetime.timezone.utc).timestamp() * 1000) * 1000
        assert row[2] is None
    # Newest first.
    (month,) = {row[-1] for row in rows if row[1] == "late"}
    seqs = [row[0] for row in ask("SELECT seq FROM {}.subscription_events WHERE user_id = 'late' AND month = '" +
                                  month + "'")]
    assert seqs == sorted(seqs, reverse=True) and len(seqs) > 2


def test_an_event_lives_for_what_is_left_of_its_time(start_server, tmp_path, env, ask, pg_database):
    server = start_server.ready(tmp_path, env={**env, "EVENTS_TTL": "30d"})
    client = server.client(server.make_key())
    assert make_user(server, client, "u") == 201
    add_history(pg_database, "u", 40, now() - 40 * DAY, now())
    wait_for(lambda: waiting(pg_database) == 0, 30, "an empty outbox")
    rows = ask("SELECT created_at, ttl(action) FROM {}.subscription_events")
    assert 30 <= len(rows) <= 31
    for created_at, ttl in rows:
        age = (now().replace(tzinfo=None) - created_at).total_seconds()
        assert abs(ttl - (30 * 86400 - age)) < 30


def test_cassandra_away_until_many_wait(start_server, tmp_path, env, up, ask, pg_database):
    # The build whose memory is judged: a sanitizer keeps what was freed.
    server = start_server.ready(tmp_path, release=True, env={**env, "EVENTS_RATE": RATE})
    client = server.client(server.make_key())
    assert make_user(server, client, "bulk") == 201
    wait_for(lambda: waiting(pg_database) == 0, 30, "an empty outbox")
    up.nodes[0].kill()
    wait_for(lambda: client.get("/health").json()["status"] == "degraded", 30, "degraded")
    from_time, to_time = now() - 40 * DAY, now() - 5 * DAY
    print(f"{WAITING} events wait, at most {RATE} are told in a second")
    resident = metric_of_process(client)
    done, users = 0, 0
    while done < WAITING:
        part = min(50_000, WAITING - done)
        add_history(pg_database, "bulk", part, from_time, to_time)
        done += part
        users += 1
        assert make_user(server, client, f"meanwhile{users}") == 201
    wait_for(lambda: metric(client, "events_waiting") >= WAITING, 60, "the backlog in /metrics")
    assert metric(client, "events_oldest_seconds") > 86400
    assert metric_of_process(client) < resident + 8 * 2**20
    assert re.search(r"warning: \d+ events wait for the event log", server.log)
    assert server.log.count("Events cannot be told to the event log") == 1

    up.nodes[0].start()
    begun = wait_for(lambda: metric(client, "events_told_total") > 1 and (
        time.monotonic(), metric(client, "events_told_total")), 60, "the first events told")
    wait_for(lambda: metric(client, "events_waiting") == 0, 60 + 4 * WAITING / RATE, "an empty outbox")
    assert waiting(pg_database) == 0
    rate = (WAITING - begun[1]) / (time.monotonic() - begun[0])
    print(f"worked off at {rate:.0f} events a second")
    assert rate <= RATE * 1.1
    assert metric_of_process(client) < resident + 8 * 2**20
    wait_for(lambda: "The event log has caught up" in server.log, 30, "the line")
    months = pg_database.column("SELECT DISTINCT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM') "
                                "FROM subscription_history")
    names = pg_database.column("SELECT id FROM users")
    history = pg_database.column("SELECT count(*) FROM subscription_history")[0]
    assert history == WAITING + 1 + users
    assert count_told(ask, names, months) == history


def metric_of_process(client):
    return float(re.search(r"^process_resident_memory_bytes (\S+)$", client.get("/metrics").body.decode(),
                           re.M).group(1))


def test_processes_share_and_one_that_is_killed_loses_nothing(start_server, tmp_path, env, ask, pg_database):
    slow = {**env, "EVENTS_RATE": 1000, "STORE_TIMEOUT": 3}
    servers = [start_server.ready(tmp_path, command=(command,), env=slow)
               for command in ("serve", "back-api", "back-api")]
    client = servers[0].client(servers[0].make_key())
    assert make_user(servers[0], client, "shared") == 201
    add_history(pg_database, "shared", 6000, now() - 20 * DAY, now())
    for server in servers[:2]:
        wait_for(lambda: metric(server.client(), "events_told_total") > 500, 30, "a share of the work")
    servers[2].kill()
    wait_for(lambda: waiting(pg_database) == 0, 60, "an empty outbox")
    rows = told(ask)
    assert sorted(row[0] for row in rows) == sorted(pg_database.column("SELECT id FROM subscription_history"))


def pages_of(client, user, limit):
    items, cursor = [], ""
    while cursor is not None:
        answer = client.get(f"/user-subscription/user/{user}/history?limit={limit}{cursor}")
        assert answer.status == 200, answer.body
        page = answer.json()
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["next_cursor"] and "&cursor=" + page["next_cursor"]
    return items


@pytest.fixture
def old_shop(start_server, tmp_path, env, pg_database):
    """old_shop(count, first, last): user "u" with that many rows of history from before there was an
    event log, the first of them that of the start."""
    def make(count, first, last):
        alone = {key: value for key, value in env.items() if not key.startswith("CASSANDRA")}
        server = start_server.ready(tmp_path, env=alone)
        assert make_user(server, server.client(server.make_key()), "u") == 201
        for table in ("users", "subscription_history"):
            pg_database.sql(f"UPDATE {table} SET created_at = %s", (first,))
        add_history(pg_database, "u", count - 1, first, last)
        items = pages_of(server.client(server.make_key()), "u", 100)
        server.stop()
        return items
    return make


def test_history_is_read_from_both(start_server, tmp_path, env, up, old_shop, pg_database):
    whole = old_shop(76, now() - 400 * DAY, now() - 1 * DAY)
    assert len(whole) == 76
    server = start_server.ready(tmp_path, env={**env, "HISTORY_KEEP": "100d"})
    client = server.client(server.make_key())
    wait_for(lambda: metric(client, "history_trimmed_total") > 50, 30, "trimmed history")
    left = pg_database.column("SELECT count(*) FROM subscription_history WHERE user_id = 'u'")[0]
    assert 15 < left < 25
    for limit in (1, 7, left, left + 1, 76, 100):
        assert pages_of(client, "u", limit) == whole, limit

    # Cassandra away: what is in the records is served, what is older needs it.
    up.nodes[0].kill()
    wait_for(lambda: client.get("/health").json()["status"] == "degraded", 30, "degraded")
    first = client.get("/user-subscription/user/u/history?limit=10")
    assert first.status == 200 and first.json()["items"] == whole[:10]
    answer = client.get("/user-subscription/user/u/history?limit=100")
    assert (answer.status, answer.problem()["code"]) == (503, "store-unavailable")
    assert answer.headers["retry-after"]
    # Who came after what was trimmed has nothing there.
    assert make_user(server, client, "young") == 201
    assert len(pages_of(client, "young", 10)) == 1


def test_only_what_was_told_is_trimmed(start_server, tmp_path, env, up, old_shop, pg_database):
    def kept():
        return pg_database.column("SELECT count(*) FROM subscription_history")[0]

    whole = old_shop(20, now() - 40 * DAY, now() - 30 * DAY)
    start_server.ready(tmp_path, command=("back-cassandra",), env=env).stop()
    start_server.ready(tmp_path, env=env).stop()  # which keeps the content
    pg_database.sql("DELETE FROM subscription_event_log")
    pg_database.sql("DELETE FROM subscription_outbox")
    up.nodes[0].kill()
    server = start_server.ready(tmp_path, env={**env, "HISTORY_KEEP": "1d"})
    client = server.client(server.make_key())
    wait_for(lambda: metric(client, "events_waiting") == 20, 30, "the backlog in /metrics")
    wait_for(lambda: metric(client, "events_failures_total") >= 3, 30, "some rounds")
    assert (kept(), metric(client, "history_trimmed_total")) == (20, 0)
    assert pages_of(client, "u", 7) == whole
    up.nodes[0].start()
    wait_for(lambda: kept() == 0, 60, "that it is trimmed once it is told")
    wait_for(lambda: metric(client, "history_trimmed_total") == 20, 20, "the number in /metrics")

    def is_whole():
        """A node that has just come back may be too slow for a while: 503."""
        answers = [client.get(f"/user-subscription/user/u/history?limit={limit}") for limit in (7, 100)]
        return all(answer.status == 200 for answer in answers) and pages_of(client, "u", 100) == whole

    wait_for(is_whole, 40, "all of the history, from the event log")


def test_the_account_page_shows_older_history_where_it_is(start_server, tmp_path, env, up, old_shop):
    old_shop(30, now() - 40 * DAY, now() - 30 * DAY)
    server = start_server.ready(tmp_path, env={**env, "HISTORY_KEEP": "1d"})
    client = server.client(server.make_key())
    wait_for(lambda: metric(client, "history_trimmed_total") == 30, 30, "trimmed history")
    visitor = Browser(server)
    server.env["PUBLIC_URL"] = server.url  # its PORT was 0
    link = server.run("user", "reset-password", "u@example.org").stdout.strip()
    visitor.press(visitor.get(link[link.index("/reset-password"):]), "Set password", password="correct horse")
    page = visitor.get("/account")
    assert page.status == 200 and "Nothing has happened yet" not in page.words
    older = re.search(r'href="(/account\?before=[^"#]+)', page.source).group(1).replace("&amp;", "&")
    page = visitor.get(older)
    assert page.status == 200 and page.source.count("<tr><td><time") == 20
    older = re.search(r'href="(/account\?before=[^"#]+)', page.source).group(1).replace("&amp;", "&")
    page = visitor.get(older)
    assert page.status == 200 and page.source.count("<tr><td><time") == 10
    assert not re.search(r'href="/account\?before=', page.source)
    up.nodes[0].kill()
    wait_for(lambda: client.get("/health").json()["status"] == "degraded", 30, "degraded")
    assert visitor.get("/account").status == 200
    assert visitor.get("/account/cancel").status == 200
    assert visitor.get(older).status == 503


def test_a_row_of_another_client_outside_the_rules_is_left_out_and_named_once(
        start_server, tmp_path, env, ask, old_shop, pg_database):
    whole = old_shop(3, now() - 70 * DAY, now() - 40 * DAY)
    server = start_server.ready(tmp_path, env={**env, "HISTORY_KEEP": "1d"})
    client = server.client(server.make_key())
    wait_for(lambda: pg_database.column("SELECT count(*) FROM subscription_history")[0] == 0, 30, "trimmed")
    at = now() - 60 * DAY
    for identifier, action in [("good", "renewed"), ("bad", "exploded")]:
        ask("INSERT INTO {}.subscription_events (user_id, month, seq, id, subscription_id, action, price, "
            f"actor, created_at) VALUES ('u', '{at:%Y-%m}', 1000, '{identifier}', 's', '{action}', 1.50, 'x', "
            f"'{at:%Y-%m-%d}')")
    for _ in range(3):
        items = pages_of(client, "u", 50)
        assert [item["id"] for item in items] == ["good"] + [item["id"] for item in whole]
    assert server.log.count("/bad is left out: action is not a word of ours") == 1


@pytest.mark.parametrize("more, words", [
    ({"HISTORY_KEEP": "31d", "EVENTS_TTL": "30d"}, "HISTORY_KEEP: it is longer than EVENTS_TTL"),
    ({"HISTORY_KEEP": "all days"}, "HISTORY_KEEP: "),
    ({"HISTORY_KEEP": "31d", "CASSANDRA_CONTACT_POINTS": ""},
     "HISTORY_KEEP: older history is deleted only where Cassandra has it"),
    ({"EVENTS_RATE": "0"}, "EVENTS_RATE: '0' is not within 1 to 1000000"),
])
def test_settings_that_cannot_be(start_server, tmp_path, env, more, words):
    server = start_server(tmp_path, env={**env, **more})
    assert server.process.wait(timeout=20) == 3
    assert words in server.log
