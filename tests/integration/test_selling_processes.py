"""Two processes on one database sell to the same few users at once, while time passes: what every user's
history says can be explained, and has all that was acknowledged."""

import os
import threading
import time

import pytest

from conftest import LONG
from explain_history import explain
from selling_load import SellingLoad, fights, find_acknowledged, find_nothing_else

BOTH_STORES = True

USERS = ["one", "two", "three"]
REFUSALS = {(404, "no-subscription"), (409, "already-subscribed"), (409, "no-change"),
            (409, "nothing-planned")}
LOST_EVERY_RACE = (503, "overloaded")  # a change that another one overtook some thirty times: not made


class Clock:
    """Sets the test clock forward again and again, in a thread of its own."""

    def __init__(self, server, key):
        self.server, self.key = server, key
        self.over = threading.Event()
        self.advanced = 0
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        client = self.server.client(self.key)
        while not self.over.wait(0.1):
            self.advanced += client.post("/test/clock", {"advance": "40d"}).status == 200
        client.close()

    def end(self):
        self.over.set()
        self.thread.join(timeout=40)


def begin(start_server, folder, **env):
    """Two processes, a key, and the users."""
    servers = [start_server.ready(folder, env=env), start_server.ready(folder, env=env)]
    key = servers[0].make_key()
    client = servers[0].client(key)
    for word in USERS:
        assert client.put(f"/user-subscription/users/{word}", {
            "email": f"{word}@example.org", "first_name": "Ada", "last_name": "Byron"}).status == 201
    client.close()
    return servers, key


def fight(servers, key):
    seed = os.environ.get("TD_SEED", "7")
    load = SellingLoad(servers, key, fights(USERS, seed), clients=32)
    enough = time.monotonic() + (30 if LONG else 5)

    def on_answer(load):
        load.stopped = time.monotonic() >= enough and len(load.acknowledged) >= 100

    load.on_answer = on_answer
    load.run(120)
    assert set(load.refused) <= REFUSALS | {LOST_EVERY_RACE}, load.refused
    assert load.refused[LOST_EVERY_RACE] <= len(load.acknowledged) / 50, load.refused
    assert not load.open
    assert len(load.acknowledged) >= 100, load.refused
    return load


def judge(server, load):
    histories = explain(server.sql)
    find_acknowledged(load.acknowledged, histories)
    find_nothing_else(load.acknowledged, histories)
    return histories


def test_two_processes_sell_to_the_same_users(start_server, tmp_path):
    servers, key = begin(start_server, tmp_path)
    load = fight(servers, key)
    histories = judge(servers[0], load)
    verbs = {ack.request.verb for ack in load.acknowledged}
    assert verbs == {"subscribe", "upgrade", "cancel", "resume"}
    assert len(histories) > len(USERS)
    print(f"\n{len(load.acknowledged)} acknowledged changes, {dict(load.refused)} refused")


def test_two_processes_sell_while_periods_end(start_server, tmp_path):
    """Both processes' requests and sweepers roll what has ended, each period once."""
    servers, key = begin(start_server, tmp_path, TEST_CLOCK="2027-01-31T12:00:00Z")
    clock = Clock(servers[1], key)
    try:
        load = fight(servers, key)
    finally:
        clock.end()
    histories = judge(servers[0], load)
    rolled = sum(step.actor == "system" for steps in histories.values() for step in steps)
    print(f"\n{len(load.acknowledged)} acknowledged changes, {clock.advanced} times 40 days, "
          f"{rolled} periods ended")
    assert rolled >= 3


@pytest.mark.parametrize("spoil, words", [
    ("DELETE FROM subscription_history WHERE action = 'resumed'", "steps"),
    ("UPDATE subscription_history SET to_package = 'free' WHERE action = 'created'", "does not come"),
    ("UPDATE user_subscriptions SET billing_cycle = 'yearly'", "told"),
    ("UPDATE subscription_history SET action = 'downgraded' WHERE action = 'upgraded'", "name"),
])
def test_the_checker_sees_what_cannot_be(start_server, tmp_path, spoil, words):
    server = start_server.ready(tmp_path)
    client = server.client(server.make_key())
    client.put("/user-subscription/users/one", {
        "email": "one@example.org", "first_name": "Ada", "last_name": "Byron"})
    for verb, members in (("subscribe", {"package_slug": "standard", "billing_cycle": "monthly"}),
                          ("upgrade", {"package_slug": "premium"}), ("cancel", {}), ("resume", {})):
        assert client.post(f"/user-subscription/{verb}", {"user_id": "one", **members}).status < 300
    client.close()
    assert [len(steps) for steps in explain(server.sql).values()] == [4]
    server.sql(spoil)
    with pytest.raises(AssertionError, match=words):
        explain(server.sql)
