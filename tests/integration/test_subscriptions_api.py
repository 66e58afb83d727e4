"""Subscriptions by the API: every outcome of every route, with a key and with a session."""

import base64
import hashlib
import random
import re
import secrets
import threading
from datetime import datetime, timedelta, timezone

import pytest

from conftest import LONG, wait_for

BOTH_STORES = True

ROOT = "/user-subscription"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
MEMBERS = ["id", "user_id", "package_id", "package_slug", "package_name", "status",
           "billing_cycle", "price", "currency", "started_at", "current_period_start",
           "current_period_end", "pending_change", "cancel_at_period_end", "canceled_at",
           "ended_at", "rate_limit_per_hour", "rate_limit_per_day", "version", "created_at",
           "updated_at"]
ITEM_MEMBERS = ["id", "subscription_id", "user_id", "action", "from_package", "to_package",
                "from_cycle", "to_cycle", "price", "currency", "reason", "actor", "created_at"]


def make_user(client, word):
    reply = client.put(f"{ROOT}/users/{word}", {
        "email": f"{word}@example.com", "first_name": "Ana", "last_name": "Gil"})
    assert reply.status == 201, reply
    return word


@pytest.fixture
def user(client, unique):
    """The id of a user of the test's own."""
    return make_user(client, unique())


def post(client, verb, user_id, key=None, **members):
    head = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"{ROOT}/{verb}", {"user_id": user_id, **members}, headers=head)


def subscribe(client, user_id, slug="standard", cycle="monthly", **more):
    return post(client, "subscribe", user_id, package_slug=slug, billing_cycle=cycle, **more)


def current(client, user_id):
    return client.get(f"{ROOT}/user/{user_id}")


def history(client, user_id, query=""):
    reply = client.get(f"{ROOT}/user/{user_id}/history{query}")
    assert reply.status == 200, reply
    return reply.json()


def actions(client, user_id):
    return [item["action"] for item in history(client, user_id, "?limit=100")["items"]]


def refused(reply, status, code):
    assert reply.status == status, reply
    problem = reply.problem()
    assert problem["code"] == code
    return problem


def time_of(text):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text), text
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def live_rows(server, user_id):
    return server.sql("SELECT count(*) FROM user_subscriptions WHERE user_id = ? AND "
                      "status IN ('trialing', 'active', 'past_due')", user_id)[0][0]


# ---- subscribing -------------------------------------------------------------------------------

def test_subscribe(client, server, user):
    made = subscribe(client, user)
    assert made.status == 201, made
    assert made.headers["location"] == f"{ROOT}/user/{user}"
    assert made.headers["content-type"] == "application/json"
    assert made.headers["cache-control"] == "no-store"
    body = made.json()
    package = client.get(f"{ROOT}/packages/standard").json()
    assert list(body) == MEMBERS
    assert UUID7.fullmatch(body["id"])
    assert (body["user_id"], body["status"], body["version"]) == (user, "active", 1)
    assert body["package_id"] == package["id"]
    assert (body["package_slug"], body["package_name"]) == ("standard", package["name"])
    assert (body["billing_cycle"], body["price"], body["currency"]) == \
        ("monthly", package["price_monthly"], package["currency"])
    assert body["rate_limit_per_hour"] == package["rate_limit_per_hour"]
    assert body["rate_limit_per_day"] == package["rate_limit_per_day"]
    assert (body["pending_change"], body["cancel_at_period_end"]) == (None, False)
    assert (body["canceled_at"], body["ended_at"]) == (None, None)
    assert body["started_at"] == body["current_period_start"] == body["created_at"] == \
        body["updated_at"]
    length = time_of(body["current_period_end"]) - time_of(body["started_at"])
    assert timedelta(days=28) <= length <= timedelta(days=31)
    assert current(client, user).json() == body
    assert '"price":%.2f,' % package["price_monthly"] in made.text
    assert live_rows(server, user) == 1


def test_subscribe_yearly(client, user):
    body = subscribe(client, user, "premium", "yearly").json()
    package = client.get(f"{ROOT}/packages/premium").json()
    assert body["price"] == package["price_yearly"]
    start, end = time_of(body["started_at"]), time_of(body["current_period_end"])
    assert (end.year, end.month) == (start.year + 1, start.month)


def test_a_user_has_one_subscription(client, server, user):
    first = subscribe(client, user).json()
    problem = refused(subscribe(client, user, "free"), 409, "already-subscribed")
    assert "upgrade" in problem["detail"]
    assert current(client, user).json() == first
    assert live_rows(server, user) == 1


def test_unknown_users_and_packages_are_404(client, user, unique):
    refused(subscribe(client, unique()), 404, "user-not-found")
    problem = refused(subscribe(client, user, "no-such"), 404, "package-not-found")
    assert "no-such" in problem["detail"]
    refused(current(client, user), 404, "no-subscription")
    for verb in ("cancel", "resume"):
        refused(post(client, verb, unique()), 404, "user-not-found")
        refused(post(client, verb, user), 404, "no-subscription")
    refused(post(client, "upgrade", unique(), package_slug="free"), 404, "user-not-found")
    refused(post(client, "upgrade", user, package_slug="free"), 404, "no-subscription")
    refused(post(client, "upgrade", user, package_slug="no-such"), 404, "package-not-found")
    refused(current(client, unique()), 404, "user-not-found")
    refused(client.get(f"{ROOT}/user/{unique()}/history"), 404, "user-not-found")


def test_no_subscription_names_the_user(client, user):
    assert refused(current(client, user), 404, "no-subscription")["user_id"] == user


def test_after_the_end_one_may_subscribe_again(client, server, user):
    first = subscribe(client, user).json()
    ended = post(client, "cancel", user, when="now").json()
    assert (ended["status"], ended["version"]) == ("canceled", 2)
    assert ended["ended_at"] == ended["canceled_at"] is not None
    assert current(client, user).json() == ended
    refused(post(client, "cancel", user), 404, "no-subscription")
    second = subscribe(client, user, "free").json()
    assert second["id"] != first["id"]
    assert current(client, user).json() == second
    assert live_rows(server, user) == 1
    assert server.sql("SELECT count(*) FROM user_subscriptions WHERE user_id = ?", user) == [(2,)]


# ---- changing ----------------------------------------------------------------------------------

def test_upgrade_at_once_keeps_the_period(client, user):
    before = subscribe(client, user).json()
    reply = post(client, "upgrade", user, package_slug="premium")
    assert reply.status == 200 and "location" not in reply.headers
    after = reply.json()
    assert list(after) == MEMBERS
    assert (after["package_slug"], after["version"]) == ("premium", 2)
    assert after["price"] == client.get(f"{ROOT}/packages/premium").json()["price_monthly"]
    assert after["billing_cycle"] == "monthly"
    for name in ("id", "started_at", "current_period_start", "current_period_end", "created_at"):
        assert after[name] == before[name]
    assert current(client, user).json() == after
    assert actions(client, user) == ["upgraded", "created"]


def test_another_cycle_begins_a_period(client, user):
    before = subscribe(client, user).json()
    after = post(client, "upgrade", user, package_slug="standard", billing_cycle="yearly").json()
    assert after["billing_cycle"] == "yearly"
    assert time_of(after["current_period_start"]) >= time_of(before["current_period_start"])
    assert time_of(after["current_period_end"]) - time_of(after["current_period_start"]) >= \
        timedelta(days=365)
    assert actions(client, user) == ["cycle_changed", "created"]


def test_down_is_a_change_too(client, user):
    subscribe(client, user, "premium")
    assert post(client, "upgrade", user, package_slug="free", billing_cycle=None).status == 200
    assert actions(client, user) == ["downgraded", "created"]


def test_a_change_for_the_end_of_the_period(client, user):
    before = subscribe(client, user).json()
    after = post(client, "upgrade", user, package_slug="premium", billing_cycle="yearly",
                 when="period_end").json()
    assert after["package_slug"] == "standard" and after["price"] == before["price"]
    assert after["pending_change"] == {
        "action": "change", "package_slug": "premium", "billing_cycle": "yearly",
        "at": before["current_period_end"]}
    assert current(client, user).json() == after
    refused(post(client, "upgrade", user, package_slug="premium", billing_cycle="yearly",
                 when="period_end"), 409, "no-change")
    resumed = post(client, "resume", user).json()
    assert resumed["pending_change"] is None
    assert actions(client, user) == ["resumed", "change_scheduled", "created"]


def test_no_change(client, user):
    subscribe(client, user)
    for more in ({}, {"billing_cycle": "monthly"}, {"when": "period_end"}):
        refused(post(client, "upgrade", user, package_slug="standard", **more), 409, "no-change")
    assert actions(client, user) == ["created"]


def test_cancel_and_take_it_back(client, user):
    before = subscribe(client, user).json()
    planned = post(client, "cancel", user, reason="  too dear  ").json()
    assert planned["status"] == "active" and planned["cancel_at_period_end"] is True
    assert planned["canceled_at"] is not None and planned["ended_at"] is None
    assert planned["pending_change"] == {"action": "cancel", "package_slug": None,
                                         "billing_cycle": None,
                                         "at": before["current_period_end"]}
    again = post(client, "cancel", user, when="period_end")
    assert (again.status, again.json()) == (200, planned)
    back = post(client, "resume", user).json()
    assert (back["cancel_at_period_end"], back["pending_change"], back["canceled_at"]) == \
        (False, None, None)
    refused(post(client, "resume", user), 409, "nothing-planned")
    items = history(client, user)["items"]
    assert [item["action"] for item in items] == ["resumed", "cancel_scheduled", "created"]
    assert items[1]["reason"] == "too dear"


def test_cancel_now_after_it_was_planned(client, user):
    subscribe(client, user)
    planned = post(client, "cancel", user).json()
    ended = post(client, "cancel", user, when="now").json()
    assert ended["status"] == "canceled" and ended["canceled_at"] == planned["canceled_at"]
    assert ended["pending_change"] is None and ended["cancel_at_period_end"] is False


# ---- history -----------------------------------------------------------------------------------

def test_history(client, server, api_key, user):
    assert history(client, user) == {"items": [], "next_cursor": None}
    made = subscribe(client, user).json()
    post(client, "upgrade", user, package_slug="premium", billing_cycle="yearly")
    post(client, "cancel", user, when="now", reason="Adiós, ¿sí?")
    answer = history(client, user)
    assert list(answer) == ["items", "next_cursor"] and answer["next_cursor"] is None
    ended, changed, created = answer["items"]
    for item in (ended, changed, created):
        assert list(item) == ITEM_MEMBERS
        assert item["subscription_id"] == made["id"] and item["user_id"] == user
        assert item["actor"] == "api:test"
    premium = client.get(f"{ROOT}/packages/premium").json()
    assert (created["from_package"], created["to_package"]) == (None, "standard")
    assert (created["from_cycle"], created["to_cycle"]) == (None, "monthly")
    assert (created["price"], created["created_at"]) == (made["price"], made["created_at"])
    assert (changed["from_package"], changed["to_package"]) == ("standard", "premium")
    assert (changed["from_cycle"], changed["to_cycle"]) == ("monthly", "yearly")
    assert (changed["price"], changed["currency"]) == (premium["price_yearly"], "USD")
    assert (ended["from_package"], ended["to_package"], ended["to_cycle"]) == \
        ("premium", None, None)
    assert (ended["price"], ended["reason"]) == (None, "Adiós, ¿sí?")
    assert server.sql("SELECT count(*) FROM subscription_history WHERE user_id = ?", user) == \
        [(3,)]


def test_history_comes_in_pages(client, user):
    subscribe(client, user, "free")
    for n in range(24):
        assert post(client, "upgrade", user,
                    package_slug="standard" if n % 2 == 0 else "free").status == 200
    whole = history(client, user, "?limit=100")
    assert len(whole["items"]) == 25 and whole["next_cursor"] is None
    first = history(client, user)
    assert len(first["items"]) == 20 and first["next_cursor"]
    pages, query = [], "?limit=7"
    while query:
        page = history(client, user, query)
        pages += page["items"]
        query = f"?limit=7&cursor={page['next_cursor']}" if page["next_cursor"] else None
    assert pages == whole["items"]
    last = history(client, user, f"?limit=5&cursor={first['next_cursor']}")
    assert len(last["items"]) == 5 and last["next_cursor"] is None


@pytest.mark.parametrize("query", [
    "limit=0", "limit=101", "limit=-1", "limit=", "limit=ten", "limit=1.5", "limit=1e1",
    "limit=5&limit=6", "limit=%201", "limit=0000001", "cursor=", "cursor=1", "cursor=!",
    "cursor=p1&cursor=p2", "cursor=p", "cursor=p0", "cursor=p-1", "cursor=P1", "cursor=p1%20",
    "cursor=p" + "9" * 19, "cursor=p" + "1" * 500])
def test_history_refuses_what_it_cannot_read(client, user, query):
    problem = refused(client.get(f"{ROOT}/user/{user}/history?{query}"), 400, "bad-request")
    assert "limit" in problem["detail"] or "cursor" in problem["detail"]


# ---- what they send ----------------------------------------------------------------------------

@pytest.mark.parametrize("verb, members, pointers", [
    ("subscribe", {}, ["/package_slug", "/billing_cycle"]),
    ("subscribe", {"package_slug": "", "billing_cycle": ""}, ["/package_slug", "/billing_cycle"]),
    ("subscribe", {"package_slug": "free", "billing_cycle": "weekly"}, ["/billing_cycle"]),
    ("subscribe", {"package_slug": "free", "billing_cycle": None}, ["/billing_cycle"]),
    ("subscribe", {"package_slug": "free", "billing_cycle": "monthly", "when": "now"}, ["/when"]),
    ("subscribe", {"package_slug": "free", "billing_cycle": "monthly", "price": 0}, ["/price"]),
    ("upgrade", {}, ["/package_slug"]),
    ("upgrade", {"package_slug": "free", "when": "tomorrow"}, ["/when"]),
    ("upgrade", {"package_slug": 1, "billing_cycle": "Monthly"},
     ["/package_slug", "/billing_cycle"]),
    ("cancel", {"when": ""}, ["/when"]),
    ("cancel", {"reason": "x" * 1001}, ["/reason"]),
    ("cancel", {"reason": "a\u202eb"}, ["/reason"]),
    ("cancel", {"reason": ""}, ["/reason"]),
    ("cancel", {"package_slug": "free"}, ["/package_slug"]),
    ("resume", {"when": "now"}, ["/when"]),
])
def test_wrong_fields_are_422(client, server, user, verb, members, pointers):
    subscribe(client, user) if verb != "subscribe" else None
    before = server.sql("SELECT count(*) FROM subscription_history WHERE user_id = ?", user)
    problem = refused(post(client, verb, user, **members), 422, "validation")
    assert sorted(error["pointer"] for error in problem["errors"]) == sorted(pointers)
    assert server.sql("SELECT count(*) FROM subscription_history WHERE user_id = ?", user) == \
        before


@pytest.mark.parametrize("user_id", ["", ".", "..", "a b", "a/b", "x" * 65, "é", "%00"])
def test_ids_that_are_none_are_422(client, user_id):
    for verb in ("cancel", "resume"):
        problem = refused(post(client, verb, user_id), 422, "validation")
        assert problem["errors"][0]["pointer"] == "/user_id"
    if user_id not in ("", ".", "..", "a/b", "%00", "é"):
        refused(client.get(f"{ROOT}/user/{user_id.replace(' ', '%20')}"), 422, "validation")


def test_bodies_that_are_not_json(client):
    for verb in ("subscribe", "upgrade", "cancel", "resume"):
        path = f"{ROOT}/{verb}"
        refused(client.request("POST", path, b"{", raw=True), 400, "bad-request")
        refused(client.request("POST", path, b"", raw=True), 400, "bad-request")
        refused(client.request("POST", path, b"[]", raw=True), 422, "validation")
        refused(client.request("POST", path, b"{}", raw=True,
                               headers={"Content-Type": "text/plain"}), 415,
                "unsupported-media-type")


def test_longest_reason_is_kept(client, user):
    subscribe(client, user)
    reason = "é" * 1000
    assert post(client, "cancel", user, reason=reason).status == 200
    assert history(client, user)["items"][0]["reason"] == reason


# ---- who asks ----------------------------------------------------------------------------------

def test_without_a_key_or_session_is_401(anonymous, user):
    for reply in (current(anonymous, user), subscribe(anonymous, user),
                  post(anonymous, "cancel", user), post(anonymous, "resume", user),
                  post(anonymous, "upgrade", user, package_slug="free"),
                  anonymous.get(f"{ROOT}/user/me"),
                  anonymous.get(f"{ROOT}/user/{user}/history")):
        refused(reply, 401, "unauthorized")
        assert reply.headers["www-authenticate"].startswith("Bearer")


def test_a_revoked_key_is_401(server, user):
    client = server.client(server.make_key("gone"))
    assert subscribe(client, user).status == 201
    name = [line.split()[0] for line in server.run("apikey", "list").stdout.splitlines()
            if " gone" in line]
    assert server.run("apikey", "revoke", name[0]).returncode == 0
    for reply in (subscribe(client, user), current(client, user), post(client, "cancel", user),
                  subscribe(client, user, "no-such"), client.get(f"{ROOT}/user/{user}/history"),
                  post(client, "cancel", user, key="k")):
        refused(reply, 401, "unauthorized")
    client.close()


def make_session(server, user_id, days=1):
    """The token of a session that was written straight into the database."""
    token = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
    digest = hashlib.sha256(token.encode()).digest()
    now = datetime.now(timezone.utc)
    times = [now, now + timedelta(days=days)]
    if server.store is None:
        times = [int(t.timestamp() * 1000) for t in times]
    server.sql("INSERT INTO sessions (hash, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
               digest, user_id, *times)
    return token


class Browser:
    """A client with a session's cookie in the place of a key."""

    def __init__(self, server, token, origin=None):
        self.client = server.client()
        self.head = {"Cookie": f"session={token}"}
        if origin:
            self.head["Origin"] = origin

    def get(self, path, headers=None):
        return self.client.get(path, headers={**self.head, **(headers or {})})

    def post(self, path, body, headers=None):
        return self.client.post(path, body, headers={**self.head, **(headers or {})})


@pytest.fixture
def browser(server, user):
    return Browser(server, make_session(server, user))


def test_a_session_is_for_the_user_s_own(client, browser, user):
    none = refused(browser.get(f"{ROOT}/user/me"), 404, "no-subscription")
    assert none["user_id"] == user
    made = subscribe(browser, user)
    assert made.status == 201, made
    assert browser.get(f"{ROOT}/user/me").json() == made.json() == current(browser, user).json()
    assert post(browser, "upgrade", user, package_slug="premium").status == 200
    assert post(browser, "cancel", user).status == 200
    assert post(browser, "resume", user).status == 200
    items = history(browser, user)["items"]
    assert [item["actor"] for item in items] == ["user"] * 4
    assert items == history(client, user)["items"]


def test_another_user_s_data_is_404(client, browser, unique):
    other = make_user(client, unique())
    subscribe(client, other)
    for user_id in (other, unique()):
        answers = [current(browser, user_id), subscribe(browser, user_id),
                   browser.get(f"{ROOT}/user/{user_id}/history"),
                   post(browser, "upgrade", user_id, package_slug="free"),
                   post(browser, "cancel", user_id), post(browser, "resume", user_id)]
        for answer in answers:
            refused(answer, 404, "user-not-found")
    # What is known and what is not look alike, byte by byte.
    assert current(browser, other).body == current(browser, unique()).body
    assert actions(client, other) == ["created"]


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "A" * 42, "é" * 20, '""', "A" * 500])
def test_a_cookie_that_is_no_session_is_401(server, user, token):
    browser = Browser(server, token.encode().decode("latin-1"))
    refused(current(browser, user), 401, "unauthorized")
    refused(browser.get(f"{ROOT}/user/me"), 401, "unauthorized")


def test_a_session_that_has_expired_is_401(server, user):
    browser = Browser(server, make_session(server, user, days=-1))
    refused(browser.get(f"{ROOT}/user/me"), 401, "unauthorized")


def test_a_session_is_no_key(browser, user):
    refused(browser.get(f"{ROOT}/users/{user}"), 401, "unauthorized")


def test_the_key_counts_where_both_come(server, api_key, client, browser, unique):
    other = make_user(client, unique())
    head = {"Authorization": "Bearer " + api_key}
    assert browser.get(f"{ROOT}/users/{other}", headers=head).status == 200
    refused(browser.get(f"{ROOT}/user/{other}", headers=head), 404, "no-subscription")
    refused(browser.get(f"{ROOT}/user/me", headers={"Authorization": "Bearer td_x"}), 401,
            "unauthorized")


def test_to_a_key_me_is_an_id_like_any_other(client):
    assert client.get(f"{ROOT}/user/me").problem()["code"] in ("user-not-found",
                                                               "no-subscription")


def test_pages_of_other_sites_change_nothing(server, browser, user):
    ours = f"http://{server.host}:{server.port}"
    for head in ({"Origin": "https://evil.example"}, {"Origin": "null"},
                 {"Origin": f"{ours}.evil.example"}, {"Origin": f"http://{server.host}:1"},
                 {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
                 {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}):
        reply = browser.post(f"{ROOT}/subscribe", {
            "user_id": user, "package_slug": "free", "billing_cycle": "monthly"}, headers=head)
        refused(reply, 403, "forbidden")
        assert browser.get(f"{ROOT}/user/me", headers=head).status == 404  # reading is harmless
    assert live_rows(server, user) == 0
    for head in ({"Origin": ours}, {"Sec-Fetch-Site": "same-origin"}, {}):
        assert post(browser, "cancel", user, when="now").status in (200, 404)
        reply = browser.post(f"{ROOT}/subscribe", {
            "user_id": user, "package_slug": "free", "billing_cycle": "monthly"}, headers=head)
        assert reply.status == 201, reply


# ---- repeated requests -------------------------------------------------------------------------

def test_each_change_is_made_once(client, user, unique):
    calls = [("subscribe", {"package_slug": "standard", "billing_cycle": "monthly"}, 201),
             ("upgrade", {"package_slug": "premium"}, 200), ("cancel", {}, 200),
             ("resume", {}, 200)]
    first = {}
    for verb, members, status in calls:
        key = unique()
        first[verb] = post(client, verb, user, key=key, **members)
        assert first[verb].status == status, first[verb]
        again = post(client, verb, user, key=key, **members)
        assert (again.status, again.body) == (status, first[verb].body)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("location") == first[verb].headers.get("location")
        refused(post(client, verb, user + "x", key=key, **members), 422, "idempotency-mismatch")
    assert actions(client, user) == ["resumed", "cancel_scheduled", "upgraded", "created"]


def test_refusals_of_the_rules_are_kept(client, user, unique):
    def twice(status, code, verb, **members):
        key = unique()
        one = post(client, verb, user, key=key, **members)
        refused(one, status, code)
        return lambda: (one, post(client, verb, user, key=key, **members))

    kept = [twice(404, "no-subscription", "cancel"),
            twice(404, "package-not-found", "subscribe", package_slug="none",
                  billing_cycle="monthly"),
            twice(404, "no-subscription", "upgrade", package_slug="free")]
    subscribe(client, user)
    kept += [twice(409, "already-subscribed", "subscribe", package_slug="free",
                   billing_cycle="monthly"),
             twice(409, "no-change", "upgrade", package_slug="standard"),
             twice(409, "nothing-planned", "resume")]
    post(client, "cancel", user, when="now")
    for again in kept:
        one, two = again()
        assert (two.status, two.body) == (one.status, one.body)
        assert two.headers["idempotency-replayed"] == "true"
        assert two.headers["content-type"] == "application/problem+json"


def test_an_unknown_user_is_kept(client, unique):
    word, key = unique(), unique()
    one = subscribe(client, word, key=key)
    refused(one, 404, "user-not-found")
    make_user(client, word)
    assert subscribe(client, word, key=key).body == one.body
    assert subscribe(client, word).status == 201


def test_keys_of_a_session_and_of_an_api_key_do_not_meet(client, browser, user, unique):
    key = unique()
    assert subscribe(client, user, key=key).status == 201
    refused(subscribe(browser, user, key=key), 409, "already-subscribed")


def test_what_is_wrong_is_not_kept(client, user, unique):
    key = unique()
    refused(post(client, "subscribe", user, key=key), 422, "validation")
    assert subscribe(client, user, key=key).status == 201


def at_once(clients, act):
    replies = [None] * len(clients)
    start = threading.Barrier(len(clients))

    def run(n):
        start.wait()
        replies[n] = act(clients[n], n)
        clients[n].close()

    threads = [threading.Thread(target=run, args=(n,)) for n in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies


def test_fifty_at_once_with_one_key_make_one(client, server, api_key, user, unique):
    key = unique()
    replies = at_once([server.client(api_key) for _ in range(50)],
                      lambda one, _: subscribe(one, user, key=key))
    made = [reply for reply in replies if reply.status == 201]
    assert len({reply.body for reply in made}) == 1
    for reply in replies:
        if reply.status != 201:
            refused(reply, 409, "idempotency-busy")
    assert sum("idempotency-replayed" not in reply.headers for reply in made) == 1
    assert live_rows(server, user) == 1 and actions(client, user) == ["created"]
    assert subscribe(client, user, key=key).body == made[0].body


def test_fifty_at_once_without_a_key_make_one(client, server, api_key, user):
    replies = at_once([server.client(api_key) for _ in range(50)],
                      lambda one, _: subscribe(one, user))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 49
    assert live_rows(server, user) == 1 and actions(client, user) == ["created"]


def test_changes_at_once_all_have_their_row_of_history(client, server, api_key, user):
    subscribe(client, user, "free")
    slugs = ["standard", "premium", "enterprise", "free"]
    replies = at_once([server.client(api_key) for _ in range(16)],
                      lambda one, n: post(one, "upgrade", user, package_slug=slugs[n % 4]))
    done = [reply.json() for reply in replies if reply.status == 200]
    for reply in replies:
        if reply.status != 200:
            refused(reply, 409, "no-change")
    assert sorted(one["version"] for one in done) == list(range(2, 2 + len(done)))
    items = history(client, user, "?limit=100")["items"]
    assert len(items) == 1 + len(done)
    for newer, older in zip(items, items[1:]):
        assert newer["from_package"] == older["to_package"]
    assert current(client, user).json()["package_slug"] == items[0]["to_package"]


def test_replayed_after_a_restart_and_by_another_process(start_server, tmp_path, unique):
    key, word = unique(), unique()
    one = start_server.ready(tmp_path)
    api_key = one.make_key()
    client = one.client(api_key)
    make_user(client, word)
    first = subscribe(client, word, key=key)
    assert first.status == 201
    upgraded = post(client, "upgrade", word, key=key, package_slug="premium")
    assert upgraded.status == 200
    two = start_server.ready(tmp_path)
    one.stop()
    three = start_server.ready(tmp_path)
    for server in (two, three):
        client = server.client(api_key)
        assert subscribe(client, word, key=key).body == first.body
        again = post(client, "upgrade", word, key=key, package_slug="premium")
        assert again.body == upgraded.body and again.headers["idempotency-replayed"] == "true"
        client.close()


def test_two_processes_at_once_make_one(start_server, tmp_path, unique):
    servers = [start_server.ready(tmp_path), start_server.ready(tmp_path)]
    api_key = servers[0].make_key()
    client = servers[0].client(api_key)
    for keyed in (True, False):
        for _ in range(5):
            word, key = make_user(client, unique()), unique() if keyed else None
            replies = at_once([servers[n % 2].client(api_key) for n in range(8)],
                              lambda one, _, word=word, key=key: subscribe(one, word, key=key))
            made = [reply for reply in replies if reply.status == 201]
            assert len({reply.body for reply in made}) == 1, replies
            assert all(reply.status in (201, 409) for reply in replies), replies
            assert live_rows(servers[0], word) == 1 and actions(client, word) == ["created"]


# ---- what others write -------------------------------------------------------------------------

def test_a_package_that_was_retired_is_not_sold_but_kept(start_server, tmp_path, unique):
    server = start_server.ready(tmp_path, env={"CATALOGUE_REFRESH": "100ms"})
    client = server.client(server.make_key())
    word, other, key = make_user(client, unique()), make_user(client, unique()), unique()
    first = subscribe(client, word, key=key)
    server.sql("UPDATE subscription_packages SET is_active = "
               + ("0" if server.store is None else "false") + " WHERE slug = 'standard'")
    wait_for(lambda: client.get(f"{ROOT}/packages/standard").status == 404)
    refused(subscribe(client, other), 404, "package-not-found")
    refused(post(client, "upgrade", word, package_slug="standard"), 404, "package-not-found")
    assert current(client, word).json() == first.json()
    assert subscribe(client, word, key=key).body == first.body


# ---- everything at once ------------------------------------------------------------------------

def explain(items):
    """Walks a history, oldest first: each row must follow from what the one before left."""
    live = {}
    for item in items:
        one, action = item["subscription_id"], item["action"]
        if action == "created":
            assert not live, (item, live)
            live[one] = {"package": item["to_package"], "cycle": item["to_cycle"],
                         "planned": False}
            continue
        state = live[one]
        assert (item["from_package"], item["from_cycle"]) == (state["package"], state["cycle"])
        if action == "canceled":
            del live[one]
        elif action in ("change_scheduled", "cancel_scheduled"):
            state["planned"] = True
        elif action == "resumed":
            assert state["planned"], item
            state["planned"] = False
        else:
            assert action in ("upgraded", "downgraded", "cycle_changed"), item
            assert (item["to_package"], item["to_cycle"]) != (state["package"], state["cycle"])
            live[one] = {"package": item["to_package"], "cycle": item["to_cycle"],
                         "planned": False}
    return live


def random_call(client, user, dice):
    slug = dice.choice(["free", "standard", "premium", "enterprise"])
    cycle = dice.choice(["monthly", "yearly"])
    when = dice.choice(["now", "period_end", None])
    return dice.choice([
        lambda: subscribe(client, user, slug, cycle),
        lambda: post(client, "upgrade", user, package_slug=slug, billing_cycle=cycle, when=when),
        lambda: post(client, "cancel", user, when=when),
        lambda: post(client, "resume", user)])()


def test_two_processes_do_everything_for_the_same_users(start_server, tmp_path, unique):
    servers = [start_server.ready(tmp_path), start_server.ready(tmp_path)]
    api_key = servers[0].make_key()
    client = servers[0].client(api_key)
    users = [make_user(client, unique()) for _ in range(3)]
    rounds = 400 if LONG else 25
    print(f"8 clients, {rounds} calls each ({'full' if LONG else 'shortened'})")
    done = {user: 0 for user in users}
    lock = threading.Lock()

    def act(one, n):
        dice = random.Random(n)
        for _ in range(rounds):
            user = dice.choice(users)
            reply = random_call(one, user, dice)
            assert reply.status in (200, 201, 404, 409), reply
            if reply.status in (200, 201):
                with lock:
                    done[user] += 1
        return True

    assert all(at_once([servers[n % 2].client(api_key) for n in range(8)], act))
    for user in users:
        items, query = [], "?limit=100"
        while query:
            page = history(client, user, query)
            items += page["items"]
            query = page["next_cursor"] and f"?limit=100&cursor={page['next_cursor']}"
        live = explain(items[::-1])
        now = current(client, user).json()
        assert live_rows(servers[0], user) == len(live) == (now["status"] == "active")
        if live:
            assert (now["package_slug"], now["billing_cycle"]) == \
                (live[now["id"]]["package"], live[now["id"]]["cycle"])
            assert (now["pending_change"] is not None) == live[now["id"]]["planned"]
        assert now["version"] == sum(item["subscription_id"] == now["id"] for item in items)
        # A cancellation of what is cancelled already is answered 200 without a row of its own.
        assert len(items) <= done[user]
