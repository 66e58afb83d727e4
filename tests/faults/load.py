"""Users put by many clients at once, every acknowledgement recorded here, outside the server."""

import asyncio
import itertools
import json
import re
import threading
import time

ANSWER = re.compile(rb"HTTP/1\.1 (\d\d\d) .*?\r\n\r\n", re.S)
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


PATIENCE = 30  # seconds after the load's end, for what was sent before it

# In the place of a status.
CLOSED, HUNG = 0, -1


class _Client(asyncio.Protocol):
    def __init__(self, load, done):
        self.load, self.done = load, done
        self.buffer = b""
        self.user = self.transport = None  # user: whose request waits for its answer
        self.began = 0

    def connection_made(self, transport):
        self.transport = transport
        self._next()

    def _next(self):
        self.user = None
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
        self.give_up(CLOSED)

    def give_up(self, why):
        """No answer comes any more, if one was waited for."""
        if self.user is not None:
            self.load.unanswered(self.user, why, self.began)
            self.user = None
        if not self.done.done():
            self.done.set_result(None)


class Load:
    """`acknowledged` has each user whose 201 was read, in that order; `refused` counts by status;
    `lost` has who got no answer: the connection was CLOSED, or all ended and the request HUNG."""

    def __init__(self, server, key, clients=64, prefix="u"):
        self.host, self.port, self.key, self.clients = server.host, server.port, key, clients
        self.numbers = (f"{prefix}{n}" for n in itertools.count())
        self.acknowledged = []
        self.refused = {}
        self.lost = {}
        self.on_answer = None
        self.trace = None  # or a list: (begin, seconds, status, CLOSED or HUNG) of each request
        self.stopped = False
        self.end_at = None
        self.thread = self.error = None

    def next_user(self):
        return next(self.numbers)

    def is_over(self):
        return self.stopped or asyncio.get_running_loop().time() >= self.end_at

    def _note(self, status, began):
        if self.trace is not None:
            self.trace.append((began, time.monotonic() - began, status))

    def answered(self, user, status, began):
        self._note(status, began)
        if status in (200, 201):
            self.acknowledged.append(user)
            if self.on_answer is not None:
                self.on_answer(self)
        else:
            self.refused[status] = self.refused.get(status, 0) + 1

    def unanswered(self, user, why, began):
        self._note(why, began)
        self.lost[user] = why

    async def _run(self, seconds, patience):
        loop = asyncio.get_running_loop()
        self.end_at = loop.time() + seconds
        clients = []
        for _ in range(self.clients):
            client = _Client(self, loop.create_future())
            clients.append(client)
            try:
                await loop.create_connection(lambda client=client: client, self.host, self.port)
            except OSError:
                client.give_up(CLOSED)
        await asyncio.wait([client.done for client in clients], timeout=seconds + patience)
        hung = [client for client in clients if not client.done.done()]
        for client in hung:
            client.give_up(HUNG)
            client.transport.abort()
        if hung:
            raise TimeoutError(f"{len(hung)} requests have no answer {patience} s after the end")

    def run(self, seconds, patience=PATIENCE):
        """Until the time is over, `stopped` is set, or every connection is lost."""
        asyncio.run(self._run(seconds, patience))
        return self

    def _run_apart(self, *args):
        try:
            self.run(*args)
        except Exception as error:  # pylint: disable=broad-except # end() raises it
            self.error = error

    def begin(self, seconds, patience=PATIENCE):
        """run() in a thread of its own; end() follows."""
        self.thread = threading.Thread(target=self._run_apart, args=(seconds, patience), daemon=True)
        self.thread.start()
        return self

    def end(self):
        """Waits for the thread, and raises what it ended with."""
        self.thread.join()
        if self.error is not None:
            raise self.error
