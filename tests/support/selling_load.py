"""Subscriptions sold and changed by many clients at once. Every acknowledgement is recorded here,
outside the service, and held against what the database says."""

import asyncio
import collections
import itertools
import json
import random
import re
from typing import NamedTuple

ROOT = "/user-subscription"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
RETRY_SECONDS = 0.05
ACTIONS = {
    "subscribe": ("created",),
    "upgrade": ("upgraded", "downgraded", "cycle_changed", "change_scheduled"),
    "cancel": ("canceled", "cancel_scheduled"),
    "resume": ("resumed",),
}


class Request(NamedTuple):
    verb: str  # "user": make that user
    user: str
    members: dict
    key: str = None


class Ack(NamedTuple):
    request: Request
    subscription: str  # None for a user
    version: int


LIFE = [
    ("user", {}),
    ("subscribe", {"package_slug": "standard", "billing_cycle": "monthly"}),
    ("upgrade", {"package_slug": "premium"}),
    ("cancel", {"when": "period_end"}),
    ("resume", {}),
    ("upgrade", {"package_slug": "free", "when": "period_end"}),
    ("cancel", {"when": "now", "reason": "enough"}),
    ("subscribe", {"package_slug": "enterprise", "billing_cycle": "yearly"}),
]


def lives(prefix):
    """Each client has users of its own, one after the other; every request has its key."""
    def of_client(client):
        for number in itertools.count():
            user = f"{prefix}-{client}-{number}"
            for step, (verb, members) in enumerate(LIFE):
                yield Request(verb, user, members, f"{user}-{step}")
    return of_client


def fights(users, seed):
    """All clients change the same few users, as it comes."""
    def of_client(client):
        rng = random.Random(f"{seed}-{client}")
        while True:
            verb = rng.choice(("subscribe", "subscribe", "upgrade", "upgrade", "cancel", "resume"))
            members = {}
            if verb in ("subscribe", "upgrade"):
                members["package_slug"] = rng.choice(("free", "standard", "premium", "enterprise"))
                members["billing_cycle"] = rng.choice(("monthly", "yearly"))
            if verb == "upgrade":
                members["when"] = rng.choice(("now", "period_end"))
            if verb == "cancel":
                members["when"] = rng.choice(("now", "period_end", "period_end"))
            yield Request(verb, rng.choice(users), members)
    return of_client


class _Connection:
    def __init__(self, host, port, key):
        self.host, self.port, self.key = host, port, key
        self.reader = self.writer = None

    async def __aenter__(self):
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        return self

    async def __aexit__(self, *_):
        self.writer.close()

    async def ask(self, request):
        """Status and body. OSError or EOFError where the connection is lost."""
        if request.verb == "user":
            line = f"PUT {ROOT}/users/{request.user}"
            body = {"email": request.user + "@example.org", "first_name": "Ada", "last_name": "Byron"}
        else:
            line, body = f"POST {ROOT}/{request.verb}", {"user_id": request.user, **request.members}
        text = json.dumps(body)
        more = f"Idempotency-Key: {request.key}\r\n" if request.key and request.verb != "user" else ""
        self.writer.write((
            f"{line} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Bearer {self.key}\r\n{more}"
            f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n{text}").encode())
        head = await self.reader.readuntil(b"\r\n\r\n")
        answer = await self.reader.readexactly(int(LENGTH.search(head).group(1)))
        return int(head[9:12]), json.loads(answer)


class SellingLoad:
    """`acknowledged` has what was answered 200 or 201, in that order; `open` what got no answer;
    `refused` counts the rest by status and code. A 503, and a key that is still busy, is sent again
    with the same key until there is an answer."""

    def __init__(self, servers, key, script, clients=64):
        self.servers, self.key, self.script, self.clients = servers, key, script, clients
        self.acknowledged, self.open = [], []
        self.refused = collections.Counter()
        self.sent_again = 0
        self.on_answer = None
        self.stopped = False
        self.end_at = None

    def _is_over(self):
        return self.stopped or asyncio.get_running_loop().time() >= self.end_at

    def _answered(self, request, status, body):
        if status in (200, 201):
            made = (None, 0) if request.verb == "user" else (body["id"], body["version"])
            self.acknowledged.append(Ack(request, *made))
            if self.on_answer is not None:
                self.on_answer(self)
        else:
            self.refused[status, body["code"]] += 1

    async def _carry_out(self, connection, request):
        while True:
            status, body = await connection.ask(request)
            again = status == 503 or body.get("code") == "idempotency-busy"
            if not again or request.key is None:
                break
            self.sent_again += 1
            await asyncio.sleep(RETRY_SECONDS)
        self._answered(request, status, body)

    async def _client(self, server, requests):
        request = None
        try:
            async with _Connection(server.host, server.port, self.key) as connection:
                for request in requests:
                    if self._is_over():
                        return
                    await self._carry_out(connection, request)
        except (OSError, EOFError):
            if request is not None:
                self.open.append(request)

    async def _run(self, lists, seconds, patience):
        self.end_at = asyncio.get_running_loop().time() + seconds
        await asyncio.wait_for(asyncio.gather(*(
            self._client(self.servers[n % len(self.servers)], requests)
            for n, requests in enumerate(lists))), seconds + patience)

    def run(self, seconds, patience=60):
        """Until the time is over, `stopped` is set, or every connection is lost."""
        asyncio.run(self._run([self.script(n) for n in range(self.clients)], seconds, patience))
        return self

    def settle(self, servers):
        """Sends what got no answer again, with the same keys."""
        self.servers, self.stopped = servers, False
        lists, self.open = [[request] for request in self.open], []
        asyncio.run(self._run(lists, 60, 60))
        assert not self.open, "a connection was lost again"


def find_acknowledged(acknowledged, histories):
    """Every acknowledged change is the step of its version; and no step is two clients' change, but
    for cancellations that were planned already."""
    owners = {}
    for ack in acknowledged:
        request = ack.request
        if request.verb == "user":
            continue
        steps = histories.get(ack.subscription, [])
        assert ack.version <= len(steps), f"lost: {ack}"
        step = steps[ack.version - 1]
        assert step.user == request.user and step.action in ACTIONS[request.verb], f"{ack}: {step}"
        if request.verb in ("subscribe", "upgrade"):
            assert step.to_package == request.members["package_slug"], f"{ack}: {step}"
        place = (ack.subscription, ack.version)
        assert place not in owners or step.action == "cancel_scheduled", f"{ack}, {owners[place]}"
        owners[place] = ack


def find_nothing_else(acknowledged, histories):
    """Every step by a client is one that was acknowledged: nothing was done twice."""
    told = {(ack.subscription, ack.version) for ack in acknowledged if ack.subscription}
    done = {(step.subscription, number) for steps in histories.values()
            for number, step in enumerate(steps, 1) if step.actor != "system"}
    assert done == told, f"not acknowledged: {sorted(done - told)[:5]}"
