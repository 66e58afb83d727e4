"""TEST_CLOCK: what time does to subscriptions, sessions and kept answers, in all processes alike."""

import base64
import hashlib
import re
import secrets
import threading
from datetime import datetime, timedelta, timezone

import pytest

from conftest import wait_for

BOTH_STORES = True

ROOT = "/user-subscription"
CLOCK = "/test/clock"
START = "2027-01-31T12:00:00Z"


def time_of(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.fixture
def clocked(start_server, tmp_path):
    """A server whose test clock starts at START."""
    return start_server.ready(tmp_path, env={"TEST_CLOCK": START})


@pytest.fixture
def client(clocked):
    client = clocked.client(clocked.make_key())
    yield client
    client.close()


def make_user(client, word):
    assert client.put(f"{ROOT}/users/{word}", {
        "email": f"{word}@example.com", "first_name": "A", "last_name": "B"}).status == 201
    return word


def post(client, verb, user_id, key=None, **members):
    head = {} if key is None else {"Idempotency-Key": key}
    reply = client.post(f"{ROOT}/{verb}", {"user_id": user_id, **members}, headers=head)
    assert reply.status in (200, 201), reply
    return reply.json()


def subscribe(client, user_id, slug="standard", cycle="monthly"):
    return post(client, "subscribe", user_id, package_slug=slug, billing_cycle=cycle)


def current(client, user_id):
    return client.get(f"{ROOT}/user/{user_id}").json()


def history(client, user_id):
    """Oldest first."""
    items, query = [], "?limit=100"
    while query:
        page = client.get(f"{ROOT}/user/{user_id}/history{query}").json()
        items += page["items"]
        query = page["next_cursor"] and f"?limit=100&cursor={page['next_cursor']}"
    return items[::-1]


def advance(client, text):
    reply = client.post(CLOCK, {"advance": text})
    assert reply.status == 200, reply
    return time_of(reply.json()["now"])


def set_to(client, text):
    reply = client.post(CLOCK, {"set": text})
    assert reply.status == 200, reply
    return time_of(reply.json()["now"])


# ---- the clock itself --------------------------------------------------------------------------

def test_it_starts_where_it_was_told_and_ticks_on(clocked, client):
    assert "TEST_CLOCK is set" in clocked.log
    made = client.put(f"{ROOT}/users/x", {"email": "x@example.com", "first_name": "A",
                                          "last_name": "B"})
    begun = time_of(made.json()["created_at"])
    assert timedelta(0) <= begun - time_of(START) < timedelta(minutes=1)

    def later():
        told = client.get(f"{ROOT}/users/nobody").headers["test-clock"]
        return time_of(told) > begun + timedelta(milliseconds=20)
    wait_for(later, 10, "the clock's ticking")


def test_every_answer_says_so(clocked, client):
    anonymous = clocked.client()
    for reply in (client.get(f"{ROOT}/users/x"), client.get("/no-such-page"),
                  anonymous.get(f"{ROOT}/packages"), anonymous.get("/livez"),
                  anonymous.get("/pricing"), anonymous.get(f"{ROOT}/users/x"),
                  anonymous.get("/openapi.json"), client.post(CLOCK, {}),
                  client.post(CLOCK, {"advance": "1s"})):
        told = time_of(reply.headers["test-clock"])
        assert timedelta(0) <= told - time_of(START) < timedelta(minutes=2), reply
    assert "2027" in client.post(CLOCK, {"advance": "1d"}).headers["test-clock"]
    assert time_of(anonymous.get("/livez").headers["test-clock"]) > \
        time_of(START) + timedelta(days=1)
    anonymous.close()


def test_advance_and_set(client):
    assert timedelta(days=31) <= advance(client, "31d") - time_of(START) < \
        timedelta(days=31, minutes=1)
    now = set_to(client, "2028-02-29T00:00:00+01:00")
    assert now == datetime(2028, 2, 28, 23, tzinfo=timezone.utc)
    assert advance(client, "250ms") >= now + timedelta(milliseconds=250)
    assert advance(client, "1.5h") >= now + timedelta(minutes=90)


@pytest.mark.parametrize("body, pointer", [
    ({}, ""), ({"advance": "1d", "set": START}, ""), ({"advance": "-1d"}, "/advance"),
    ({"advance": ""}, "/advance"), ({"advance": "1y"}, "/advance"), ({"advance": 5}, "/advance"),
    ({"advance": None}, "/advance"), ({"advance": "9" * 15 + "d"}, "/advance"),
    ({"advance": "3000000d"}, "/advance"), ({"set": "tomorrow"}, "/set"), ({"set": ""}, "/set"),
    ({"set": "2027-01-30T00:00:00Z"}, "/set"), ({"set": "9999-12-31T23:59:59Z"}, "/set"),
    ({"now": START}, "/now")])
def test_what_cannot_be_is_422(client, body, pointer):
    reply = client.post(CLOCK, body)
    assert reply.status == 422, reply
    problem = reply.problem()
    assert problem["code"] == "validation" and problem["errors"][0]["pointer"] == pointer
    told = client.get(f"{ROOT}/users/x").headers["test-clock"]
    assert time_of(told) - time_of(START) < timedelta(minutes=1)


def test_only_with_a_key(clocked, client):
    anonymous = clocked.client()
    reply = anonymous.post(CLOCK, {"advance": "1d"})
    assert reply.status == 401 and reply.problem()["code"] == "unauthorized"
    other = anonymous.post(CLOCK, {"advance": "1d"}, headers={"Authorization": "Bearer td_x"})
    assert other.status == 401
    anonymous.close()
    told = client.get(f"{ROOT}/users/x").headers["test-clock"]
    assert time_of(told) - time_of(START) < timedelta(minutes=1)


def test_a_repeated_request_advances_once(client):
    head = {"Idempotency-Key": "once"}
    first = client.post(CLOCK, {"advance": "31d"}, headers=head)
    again = client.post(CLOCK, {"advance": "31d"}, headers=head)
    assert (again.status, again.body) == (200, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    assert client.post(CLOCK, {"advance": "1d"}, headers=head).status == 422
    refused = client.post(CLOCK, {"set": START}, headers={"Idempotency-Key": "back"})
    assert refused.status == 422
    assert client.post(CLOCK, {"set": "2027-03-10T00:00:00Z"},
                       headers={"Idempotency-Key": "back"}).status == 200


def test_without_the_setting_there_is_no_clock(start_server, tmp_path):
    one = start_server.ready(tmp_path, env={"TEST_CLOCK": START})
    key = one.make_key()
    advance(one.client(key), "300d")
    plain = start_server.ready(tmp_path)
    client = plain.client(key)
    for reply in (client.post(CLOCK, {"advance": "1d"}), client.get(CLOCK),
                  plain.client().post(CLOCK, {"advance": "1d"})):
        assert reply.status == 404 and reply.problem()["code"] == "not-found"
        assert "test-clock" not in reply.headers
    made = client.put(f"{ROOT}/users/real", {"email": "r@example.com", "first_name": "A",
                                             "last_name": "B"}).json()
    assert abs(time_of(made["created_at"]) - datetime.now(timezone.utc)) < timedelta(minutes=5)


def test_it_outlives_a_restart_and_is_that_of_all_processes(start_server, tmp_path):
    one = start_server.ready(tmp_path, env={"TEST_CLOCK": START})
    client = one.client(one.make_key())
    now = advance(client, "100d")
    two = start_server.ready(tmp_path, env={"TEST_CLOCK": "2040-01-01T00:00:00Z"})
    other = two.client(client.key)

    def told(reply):
        return time_of(reply.headers["test-clock"])
    assert timedelta(0) <= told(other.get(f"{ROOT}/users/x")) - now < timedelta(minutes=1)
    later = advance(other, "10d")
    assert told(client.get(f"{ROOT}/users/x")) >= later
    # Answers that need no database follow soon.
    advance(client, "10d")
    wait_for(lambda: told(other.get("/livez")) >= later + timedelta(days=10), 10,
             "the other process's header")
    one.stop()
    three = start_server.ready(tmp_path, env={"TEST_CLOCK": START})
    assert told(three.client(client.key).get(f"{ROOT}/users/x")) >= later + timedelta(days=10)


def test_many_at_once_all_count(clocked, client):
    before = advance(client, "1s")
    start = threading.Barrier(12)
    statuses = []

    def run():
        one = clocked.client(client.key)
        start.wait()
        statuses.append(one.post(CLOCK, {"advance": "1d"}).status)
        one.close()
    threads = [threading.Thread(target=run) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 12
    after = advance(client, "1s")
    assert timedelta(days=12) <= after - before < timedelta(days=12, minutes=5)


# ---- periods -----------------------------------------------------------------------------------

def test_periods_keep_their_day_of_the_month(client, unique):
    user = make_user(client, unique())
    made = subscribe(client, user)
    assert made["current_period_end"].startswith("2027-02-28T12:00:")
    ends = []
    for _ in range(13):
        advance(client, "31d")
        now = current(client, user)
        ends.append(now["current_period_end"][:10])
        assert now["status"] == "active" and now["price"] == made["price"]
    assert ends[0:4] == ["2027-03-31", "2027-04-30", "2027-05-31", "2027-06-30"]
    assert "2028-02-29" in ends
    items = history(client, user)
    assert items[0]["action"] == "created"
    assert {item["action"] for item in items[1:]} == {"renewed"}
    assert {item["actor"] for item in items[1:]} == {"system"}
    assert len(items) == current(client, user)["version"]
    assert [item["created_at"][:10] for item in items[1:4]] == \
        ["2027-02-28", "2027-03-31", "2027-04-30"]


def test_a_long_sleep_is_caught_up_with(client, unique):
    user = make_user(client, unique())
    subscribe(client, user)
    advance(client, "3653d")
    now = current(client, user)
    assert now["version"] == 121
    items = history(client, user)
    assert len(items) == 121
    for older, newer in zip(items[1:], items[2:]):
        days = (time_of(newer["created_at"]) - time_of(older["created_at"])).days
        assert 28 <= days <= 31
    changed = post(client, "upgrade", user, package_slug="premium")
    assert (changed["version"], changed["current_period_end"]) == (122, now["current_period_end"])


def test_what_was_planned_happens_at_the_end(client, unique):
    user, other = make_user(client, unique()), make_user(client, unique())
    end = subscribe(client, user)["current_period_end"]
    subscribe(client, other)
    post(client, "upgrade", user, package_slug="premium", billing_cycle="yearly",
         when="period_end")
    post(client, "cancel", other)
    advance(client, "28d")
    changed, ended = current(client, user), current(client, other)
    assert (changed["package_slug"], changed["billing_cycle"]) == ("premium", "yearly")
    assert changed["current_period_start"] == end and changed["pending_change"] is None
    assert changed["current_period_end"][:10] == "2028-02-29"[:8] + "28" or \
        changed["current_period_end"].startswith("2028-02-2")
    assert ended["status"] == "canceled"
    assert ended["ended_at"] == ended["current_period_end"]
    for verb in ("cancel", "resume"):
        reply = client.post(f"{ROOT}/{verb}", {"user_id": other})
        assert reply.status == 404 and reply.problem()["code"] == "no-subscription"
    items = history(client, other)
    assert [item["action"] for item in items] == ["created", "cancel_scheduled", "canceled"]
    assert items[-1]["actor"] == "system" and items[-1]["created_at"] == ended["ended_at"]
    again = subscribe(client, other, "free")
    assert again["id"] != ended["id"]
    assert history(client, user)[-1]["action"] == "upgraded"


def test_subscribing_after_an_end_that_nobody_has_seen(client, unique):
    """The row in the way has ended, but nobody has written that down yet."""
    user = make_user(client, unique())
    first = subscribe(client, user)
    post(client, "cancel", user)
    advance(client, "40d")
    second = subscribe(client, user, "premium")
    assert second["id"] != first["id"]
    assert [item["action"] for item in history(client, user)] == \
        ["created", "cancel_scheduled", "canceled", "created"]


def test_a_change_after_the_end_meets_the_new_period(client, unique):
    user = make_user(client, unique())
    first = subscribe(client, user)
    advance(client, "29d")
    after = post(client, "upgrade", user, package_slug="premium")
    assert after["current_period_start"] == first["current_period_end"]
    assert after["version"] == 3
    assert [item["action"] for item in history(client, user)] == ["created", "renewed", "upgraded"]


# ---- what else follows it ----------------------------------------------------------------------

def test_kept_answers_end_after_a_day(client, unique):
    word = unique()
    user = make_user(client, word)
    first = post(client, "subscribe", user, key=word, package_slug="free", billing_cycle="monthly")
    advance(client, "23h")
    assert post(client, "subscribe", user, key=word, package_slug="free",
                billing_cycle="monthly") == first
    advance(client, "2h")
    reply = client.post(f"{ROOT}/subscribe", {"user_id": user, "package_slug": "free",
                                              "billing_cycle": "monthly"},
                        headers={"Idempotency-Key": word})
    assert reply.status == 409 and reply.problem()["code"] == "already-subscribed"


def test_sessions_follow_it(clocked, client, unique):
    user = make_user(client, unique())
    token = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    end = time_of(START) + timedelta(days=10)
    clocked.sql("INSERT INTO sessions (hash, user_id, created_at, expires_at) "
                "VALUES (?, ?, ?, ?)", hashlib.sha256(token.encode()).digest(), user,
                *([0, int(end.timestamp() * 1000)] if clocked.store is None
                  else [time_of(START), end]))
    browser = clocked.client()
    head = {"Cookie": "session=" + token}
    advance(client, "9d")
    assert browser.get(f"{ROOT}/user/me", headers=head).problem()["code"] == "no-subscription"
    advance(client, "1d")
    assert browser.get(f"{ROOT}/user/me", headers=head).status == 401
    browser.close()


def test_a_bad_start_is_a_wrong_setting(clocked):
    done = clocked.run("config")
    assert done.returncode == 0
    assert re.search(r"TEST_CLOCK\s+2027-01-31T12:00:00Z", done.stdout)
