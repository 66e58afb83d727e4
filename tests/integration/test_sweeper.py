"""What time asks for without a request: periods that have ended are rolled, by one process at a time."""

import time

import pytest

from conftest import LONG, wait_for

BOTH_STORES = True

USERS = "/user-subscription/users"
CLOCK = {"TEST_CLOCK": "2024-01-31T08:00:00Z"}


def subscribe(client, word, cycle="monthly"):
    form = {"email": f"{word}@example.com", "first_name": "Ana", "last_name": "Gil"}
    assert client.put(f"{USERS}/{word}", form).status in (200, 201)
    made = client.post("/user-subscription/subscribe", {
        "user_id": word, "package_slug": "standard", "billing_cycle": cycle})
    assert made.status == 201, made
    return made.json()


def advance(client, words):
    assert client.post("/test/clock", {"advance": words}).status == 200


def stored(server, column="version"):
    return [row[0] for row in server.sql(f"SELECT {column} FROM user_subscriptions ORDER BY user_id")]


def actions(server, word):
    return [row[0] for row in server.sql(
        "SELECT action FROM subscription_history WHERE user_id = ? ORDER BY seq", word)]


@pytest.fixture
def clocked(start_server, tmp_path):
    server = start_server.ready(tmp_path, env=CLOCK)
    return server, server.client(server.make_key())


def test_a_period_that_has_ended_is_rolled_without_a_request(clocked):
    server, client = clocked
    subscribe(client, "ana")
    advance(client, "30d")
    wait_for(lambda: stored(server) == [2], 15, "the renewal in the database")
    assert actions(server, "ana") == ["created", "renewed"]
    row = client.get("/user-subscription/user/ana").json()
    assert row["current_period_start"].startswith("2024-02-29T08:00:0")
    assert row["current_period_end"].startswith("2024-03-31T08:00:0")


def test_a_long_pause_is_caught_up_with_step_by_step(clocked):
    """Ten years are more steps than one write takes."""
    server, client = clocked
    subscribe(client, "ana")
    subscribe(client, "bob", "yearly")
    assert client.post("/user-subscription/cancel", {"user_id": "bob"}).status == 200
    advance(client, "3653d")
    wait_for(lambda: stored(server) == [121, 3], 30, "all renewals in the database")
    assert actions(server, "ana") == ["created"] + ["renewed"] * 120
    assert actions(server, "bob") == ["created", "cancel_scheduled", "canceled"]
    assert client.get("/user-subscription/user/bob").json()["status"] == "canceled"
    page = client.get("/user-subscription/user/ana/history?limit=100").json()
    dates = [item["created_at"][:10] for item in page["items"]]
    assert dates[0] == "2034-01-31" and dates[11] == "2033-02-28"


def figure(client, name):
    for line in client.get("/metrics").text.splitlines():
        if line.startswith(f"tools_dashboard_sweeper_{name} "):
            return float(line.split()[1])
    raise AssertionError(f"no tools_dashboard_sweeper_{name}")


def history_rows(server):
    return server.sql("SELECT count(*) FROM subscription_history")[0][0]


@pytest.fixture
def two(start_server, tmp_path, clocked):
    """Two processes on one database, with 40 subscriptions that one of them has rolled once."""
    server, client = clocked
    other = start_server.ready(tmp_path, env=CLOCK)
    for number in range(40):
        subscribe(client, f"u{number:02}")
    advance(client, "31d")
    wait_for(lambda: stored(server) == [2] * 40, 20, "the renewals")
    assert history_rows(server) == 80
    clients = {s: s.client() for s in (server, other)}
    # Who has the lease rolled them, but for those that one rolled while the clock was advanced.
    wait_for(lambda: sum(figure(c, "rolled_total") for c in clients.values()) == 40, 10, "the figures")
    holder = max(clients, key=lambda s: figure(clients[s], "rolled_total"))
    survivor = other if holder is server else server
    return holder, survivor, survivor.client(client.key)


def test_kill_9_of_who_rolls_lets_the_other_go_on(two):
    holder, survivor, client = two
    holder.kill()
    advance(client, "31d")
    wait_for(lambda: stored(survivor) == [3] * 40, 40, "the renewals after a death")
    assert history_rows(survivor) == 120
    assert figure(client, "rolled_total") >= 40


def test_who_ends_well_hands_over_at_once(two):
    """Without waiting until its lease has expired, which takes ten seconds."""
    holder, survivor, client = two
    holder.stop()
    advance(client, "31d")
    wait_for(lambda: stored(survivor) == [3] * 40, 8, "the renewals after an end")
    assert history_rows(survivor) == 120


def test_rows_by_others_keep_nobody_waiting(clocked):
    """Rows that cannot be read, or have half a plan: each is named once, and the others are rolled."""
    server, client = clocked
    for word in ("ana", "bob", "eva", "leo", "zoe"):
        subscribe(client, word)
    far = "'20000-01-01T00:00:00Z'" if server.store else "568971820800000"
    server.sql(f"UPDATE user_subscriptions SET canceled_at = {far} WHERE user_id = 'ana'")
    server.sql("UPDATE user_subscriptions SET pending_action = 'change' WHERE user_id = 'bob'")
    # PostgreSQL's numbers have one that is none.
    odd = "price = 'NaN'" if server.store else "pending_action = 'change'"
    server.sql(f"UPDATE user_subscriptions SET {odd} WHERE user_id = 'leo'")
    server.sql("UPDATE user_subscriptions SET cancel_at_period_end = ? WHERE user_id = 'eva'", True)
    names = [row[0] for row in server.sql(
        "SELECT id FROM user_subscriptions WHERE user_id IN ('ana', 'bob', 'leo')")]
    advance(client, "62d")
    wait_for(lambda: actions(server, "zoe") == ["created", "renewed", "renewed"], 15, "the renewals")
    wait_for(lambda: actions(server, "eva") == ["created", "canceled"], 15, "the end")
    wait_for(lambda: figure(client, "stuck") == 3, 10, "the figure")
    rounds = figure(client, "last_run_seconds")
    wait_for(lambda: figure(client, "last_run_seconds") > rounds + 2, 20, "more rounds")
    for name in names:
        # By the store as it reads it, or by the sweeper.
        lines = [line for line in server.lines if name in line and ("left out" in line or "not looked after" in line)]
        assert len(lines) == 1, server.log
    assert stored(server) == [1, 1, 2, 1, 3]


def test_an_end_in_the_middle_of_catching_up_loses_nothing(start_server, tmp_path, clocked):
    """SIGTERM ends it within seconds, every version has its row, and the next start goes on."""
    server, client = clocked
    for number in range(20):
        subscribe(client, f"u{number:02}")
    advance(client, "14610d")
    wait_for(lambda: max(stored(server)) > 1, 20, "the first renewals")
    begun = time.monotonic()
    server.stop()
    assert time.monotonic() - begun < (5 if LONG else 15)
    versions = stored(server)
    assert [row[0] for row in server.sql(
        "SELECT count(*) FROM subscription_history GROUP BY user_id ORDER BY user_id")] == versions
    server = start_server.ready(tmp_path, env=CLOCK)
    wait_for(lambda: stored(server) == [481] * 20, 60, "all renewals")
    assert history_rows(server) == 481 * 20


def test_what_has_expired_is_deleted(start_server, tmp_path):
    """At the start and once a minute: so the second start finds it."""
    server = start_server.ready(tmp_path, env=CLOCK)
    client = server.client(server.make_key())
    reply = client.post(USERS, {"email": "a@example.com", "first_name": "A", "last_name": "B"},
                        headers={"Idempotency-Key": "one"})
    assert reply.status == 201
    assert server.sql("SELECT count(*) FROM idempotency WHERE key = 'one'")[0][0] == 1
    advance(client, "2d")
    server.stop()
    server = start_server.ready(tmp_path, env=CLOCK)
    wait_for(lambda: server.sql("SELECT count(*) FROM idempotency WHERE key = 'one'")[0][0] == 0, 30,
             "the end of the kept answer")


def test_sessions_links_and_throttles_that_have_expired_are_deleted(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    client = server.client(server.make_key())
    subscribe(client, "ana")
    server.stop()
    moment = "to_timestamp(? / 1000.0)" if server.store else "?"
    hour = 3600 * 1000
    now = int(time.time() * 1000)
    for number, expires in ((1, now - hour), (2, now + hour)):
        server.sql(f"INSERT INTO sessions (hash, user_id, created_at, expires_at)"
                   f" VALUES (?, 'ana', {moment}, {moment})", bytes([number] * 32), now - 2 * hour, expires)
        server.sql(f"INSERT INTO throttles (subject, count, expires_at) VALUES (?, 1, {moment})",
                   f"account:{number}", expires)
    server.sql(f"INSERT INTO password_resets (user_id, hash, expires_at) VALUES ('ana', ?, {moment})",
               bytes(32), now - hour)
    server = start_server.ready(tmp_path)
    tables = ("sessions", "throttles", "password_resets")
    wait_for(lambda: [server.sql(f"SELECT count(*) FROM {table}")[0][0] for table in tables] == [1, 1, 0],
             30, "the end of what has expired")
    assert figure(server.client(), "deleted_total") == 3


def test_sigterm_ends_it_at_once(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    server.stop()
    assert "error: " not in server.log
