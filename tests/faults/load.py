"""Users put by many clients at once, every acknowledgement recorded here, outside the server."""

import asyncio
import itertools
import json
import re
import time

ANSWER = re.compile(rb"HTTP/1\.1 (\d\d\d) .*?\r\n\r\n", re.S)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


class _Client(asyncio.Protocol):
    def __init__(self, load, done):
        self.load, self.done = load, done
        self.buffer = b""
        self.user = self.transport = None
        self.began = 0

    def connection_made(self, transport):
        self.transport = transport
        self._next()

    def _next(self):
        if self.load.is_over():
            self.transport.close()
            return
        self.user = self.load.next_user()
        self.began = time.monotonic()
        body = json.dumps({"email": self.user + "@example.org", "first_name": "Ada",
                           "last_name": "Lovelace"})
        self.transport.write((
            f"PUT /user-subscription/users/{self.user} HTTP/1.1\r\nHost: {self.load.host}\r\n"
            f"Authorization: Bearer {self.load.key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode())

    def data_received(self, data):
        self.buffer += data
        head = ANSWER.match(self.buffer)
        if head is None:
            return
        length = int(LENGTH.search(head.group(0)).group(1))
        if len(self.buffer) < head.end() + length:
            return
        self.buffer = self.buffer[head.end() + length:]
        self.load.answered(self.user, int(head.group(1)), self.began)
        self._next()

    def connection_lost(self, reason):
        if not self.done.done():
            self.done.set_result(None)


class Load:
    """`acknowledged` has each user whose 201 was read, in that order; `refused` counts by status."""

    def __init__(self, server, key, clients=64, prefix="u"):
        self.host, self.port, self.key, self.clients = server.host, server.port, key, clients
        self.numbers = (f"{prefix}{n}" for n in itertools.count())
        self.acknowledged = []
        self.refused = {}
        self.on_answer = None
        self.trace = None  # or a list: (begin, seconds, status) of each answer
        self.stopped = False
        self.end_at = None

    def next_user(self):
        return next(self.numbers)

    def is_over(self):
        return self.stopped or asyncio.get_running_loop().time() >= self.end_at

    def answered(self, user, status, began):
        if self.trace is not None:
            self.trace.append((began, time.monotonic() - began, status))
        if status in (200, 201):
            self.acknowledged.append(user)
            if self.on_answer is not None:
                self.on_answer(self)
        else:
            self.refused[status] = self.refused.get(status, 0) + 1

    async def _run(self, seconds):
        loop = asyncio.get_running_loop()
        self.end_at = loop.time() + seconds
        ends = []
        for _ in range(self.clients):
            done = loop.create_future()
            ends.append(done)
            try:
                await loop.create_connection(
                    lambda done=done: _Client(self, done), self.host, self.port)
            except OSError:
                done.set_result(None)
        await asyncio.wait_for(asyncio.gather(*ends), seconds + 30)

    def run(self, seconds):
        """Until the time is over, `stopped` is set, or every connection is lost."""
        asyncio.run(self._run(seconds))
        return self
