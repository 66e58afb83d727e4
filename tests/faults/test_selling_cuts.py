"""A connection that is cut after the write and before the answer, between us and PostgreSQL and between
a client and us: sent again with the same Idempotency-Key a request gets the one result, and without
a key nothing is doubled."""

import collections
import http.client

import pytest
from disk import harness
from explain_history import explain
from pg_server import url
from tcp_proxy import Proxy

ROOT = "/user-subscription"
READY = b"Z\0\0\0\5I"  # of PostgreSQL: what came before is committed
CUTS = 20 if harness.LONG else 3
BEFORE = [("subscribe", {"package_slug": "standard", "billing_cycle": "monthly"}), ("cancel", {})]
# What is sent, how many of BEFORE it needs, its step of history, and how a repetition may be refused.
VERBS = {
    "subscribe": (*BEFORE[0], 0, "created", "already-subscribed"),
    "upgrade": ("upgrade", {"package_slug": "premium"}, 1, "upgraded", "no-change"),
    "cancel": ("cancel", {"when": "now"}, 1, "canceled", "no-subscription"),
    "resume": ("resume", {}, 2, "resumed", "nothing-planned"),
}


class World:
    """The service on PostgreSQL; `proxy` is the connection to be cut, `server.port` where to ask."""

    timeout = "10s"

    def __init__(self, server, sql, proxy, key):
        self.server, self.sql, self.proxy, self.key = server, sql, proxy, key

    def ask(self, request, key=None, cut=None):
        """The reply, or None where the connection was lost."""
        port = self.client_port if cut is not None else self.server.port
        client = harness.Client(self.server.host, port, self.key)
        verb, body = request
        self.proxy.cut_when = cut
        try:
            return client.post(f"{ROOT}/{verb}", body, headers={"Idempotency-Key": key})
        except (OSError, http.client.HTTPException):
            return None
        finally:
            client.close()

    def ask_and_cut(self, request, key, step):
        """The cut comes in the place of the word that the step is committed."""
        user = request[1]["user_id"]
        return self.ask(request, key, lambda data: READY in data and step in self.actions(user))

    def was_cut(self):
        """Whether the last cut came; none is to come any more."""
        came, self.proxy.cut_when = self.proxy.cut_when is None, None
        return came

    client_port = property(lambda self: self.server.port)

    def until_answered(self, request, key=None):
        """Sent again as a client does after a 503."""
        def answer():
            reply = self.ask(request, key)
            busy = reply.status == 503 or b"idempotency-busy" in reply.body
            return None if busy else reply
        return harness.wait_for(answer, 30, "an answer")

    def actions(self, user):
        return [row[0] for row in self.sql(
            "SELECT action FROM subscription_history WHERE user_id = '%s' ORDER BY seq" % user)]

    def make_user(self, user, steps):
        """A user on whom so many of BEFORE were done."""
        client = self.server.client(self.key)
        body = {"email": user + "@example.org", "first_name": "Ada", "last_name": "Byron"}
        harness.wait_for(lambda: client.put(f"{ROOT}/users/{user}", body).status in (200, 201), 30,
                         "a user")
        client.close()
        for number, (verb, members) in enumerate(BEFORE[:steps]):
            self.until_answered((verb, {"user_id": user, **members}), f"{user}-{number}")


class CutFromClient(World):
    """The cut is between the client and us."""

    client_port = property(lambda self: self.proxy.port)

    def ask_and_cut(self, request, key, step):
        return self.ask(request, key, lambda data: data.startswith(b"HTTP/1.1 "))


class CutForLonger(World):
    """No other connection to PostgreSQL is made before the answer: we cannot find out ourselves."""

    timeout = "1s"

    def ask_and_cut(self, request, key, step):
        self.proxy.set("refuse")
        try:
            return super().ask_and_cut(request, key, step)
        finally:
            self.proxy.set("pass")


@pytest.fixture(params=["to_postgresql", "to_postgresql_for_longer", "to_client"])
def world(request, start_server, tmp_path, pg_database):
    port, name = pg_database.pg.port, pg_database.name
    if request.param != "to_client":
        make = World if request.param == "to_postgresql" else CutForLonger
        with Proxy(port) as proxy:
            server = start_server.ready(tmp_path, release=True, env={
                "DATABASE_URL": url(proxy.port, name), "CONNECT_INITIAL_DELAY": "20ms",
                "CONNECT_MAX_DELAY": "100ms", "CONNECT_MAX_RETRIES": -1, "STORE_TIMEOUT": make.timeout})
            yield make(server, pg_database.sql, proxy, server.make_key())
            server.stop()
        return
    server = start_server.ready(tmp_path, release=True, env={"DATABASE_URL": url(port, name)})
    with Proxy(server.port) as proxy:
        yield CutFromClient(server, pg_database.sql, proxy, server.make_key())


def check_retry(world, request, key, reply, step, refusal):
    """What the client is told when it sends again what may have been done."""
    again = world.until_answered(request, key)
    if key is not None:
        assert again.status in (200, 201), again
        assert reply is None or reply.status == 503 or again.body == reply.body
    elif again.status not in (200, 201):
        assert again.problem()["code"] == refusal, again
    assert world.actions(request[1]["user_id"]).count(step) == 1


@pytest.mark.parametrize("keyed", [True, False], ids=["with_a_key", "without"])
@pytest.mark.parametrize("verb", VERBS)
def test_cut_after_the_write_is_one_result(world, verb, keyed):
    """Where we can connect again we find out ourselves what became of it; else the client does."""
    name, members, steps, step, refusal = VERBS[verb]
    told, cuts, lost = collections.Counter(), 0, 0
    for number in range(CUTS):
        user = f"{verb}-{number}"
        world.make_user(user, steps)
        request = (name, {"user_id": user, **members})
        key = f"cut-{user}" if keyed else None
        reply = world.ask_and_cut(request, key, step)
        cuts += world.was_cut()
        told[reply and reply.status] += 1
        lost += (reply is None or reply.status == 503) and step in world.actions(user)
        check_retry(world, request, key, reply, step, refusal)
    explain(world.sql)
    print(f"\n{verb}: {cuts} cuts, {dict(told)} told, {lost} written without an answer")
    assert cuts and set(told) <= {None, 200, 201, 503}, told
    assert lost or type(world) is World


def test_cut_after_the_clock_was_set_advances_it_once(start_server, tmp_path, pg_database):
    """Without a key too: the store knows its own write again, though it is not there as it was."""
    with Proxy(pg_database.pg.port) as proxy:
        server = start_server.ready(tmp_path, release=True, env={
            "DATABASE_URL": url(proxy.port, pg_database.name), "CONNECT_INITIAL_DELAY": "20ms",
            "CONNECT_MAX_DELAY": "100ms", "CONNECT_MAX_RETRIES": -1, "TEST_CLOCK": "2027-01-31T12:00:00Z"})
        world = World(server, pg_database.sql, proxy, server.make_key())

        def offset():
            return pg_database.sql("SELECT offset_ms FROM test_clock")[0][0]
        client, cuts = server.client(world.key), 0
        for _ in range(CUTS):
            before = offset()
            proxy.cut_when = lambda data, old=before: READY in data and offset() != old
            reply = client.post("/test/clock", {"advance": "1h"})
            cuts += world.was_cut()
            assert reply.status == 200, reply
            assert offset() - before == 3600_000
        client.close()
        server.stop()
    assert cuts
