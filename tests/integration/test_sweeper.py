"""What time asks for without a request: periods that have ended are rolled, by one process at a time."""

import pytest

from conftest import wait_for

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


def test_two_processes_roll_each_once_and_the_other_goes_on(start_server, tmp_path, clocked):
    server, client = clocked
    other = start_server.ready(tmp_path, env=CLOCK)
    for number in range(40):
        subscribe(client, f"u{number:02}")
    advance(client, "31d")
    wait_for(lambda: stored(server) == [2] * 40, 20, "the renewals")
    assert len(server.sql("SELECT id FROM subscription_history")) == 80
    other.kill()
    advance(client, "31d")
    wait_for(lambda: stored(server) == [3] * 40, 30, "the renewals after a death")
    assert len(server.sql("SELECT id FROM subscription_history")) == 120
    text = client.get("/metrics").text
    assert "tools_dashboard_sweeper_rolled_total" in text


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


def test_sigterm_ends_it_at_once(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    server.stop()
    assert "error: " not in server.log
