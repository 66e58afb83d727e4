"""Every problem code of the document is answered by a running service at least once, here."""

import os
import re
import socket
import threading
import urllib.parse

import pytest

from conftest import ROOT, Reply, wait_for
from test_subscriptions_api import Browser, make_session
from test_users_held_store import Hold

API = "/user-subscription"
# Takes thousands of requests at once: a store in hand says so to the same code in a unit test.
ELSEWHERE = {"overloaded": "tests/unit/api/test_call.c"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    from conftest import Servers
    servers = Servers()
    yield servers.ready(tmp_path_factory.mktemp("codes"), env={
        "HTTP_HEADER_TIMEOUT": "300ms", "STORE_TIMEOUT": "1s", "PASSWORD_MEMORY": "8KiB"})
    servers.end()


def raw(server, data):
    """The answer to these bytes, read until the other side closes or has said all."""
    with socket.create_connection((server.host, server.port), timeout=10) as sock:
        sock.sendall(data)
        text = b""
        while True:
            try:
                piece = sock.recv(65536)
            except ConnectionResetError:
                piece = b""
            text += piece
            if not piece:
                break
    head, _, body = text.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = [line.split(": ", 1) for line in lines[1:]]
    return Reply(int(lines[0].split()[1]), headers, body)


def form(word, **more):
    return {"email": f"{word}@example.com", "first_name": "Ana", "last_name": "Gil", **more}


class Case:
    """What the cases below have in common: a user with a subscription, and one without."""

    def __init__(self, server, client, word):
        self.server, self.client = server, client
        self.user, self.other = "a" + word, "b" + word
        for one in (self.user, self.other):
            assert client.put(f"{API}/users/{one}", form(one)).status == 201
        assert self.sell("subscribe", package_slug="free", billing_cycle="monthly").status == 201

    def sell(self, verb, user=None, key=None, **members):
        return self.client.post(f"{API}/{verb}", {"user_id": user or self.user, **members},
                                headers={"Idempotency-Key": key})

    def raw(self, head, body=b""):
        return raw(self.server, b"GET / HTTP/1.1\r\nHost: x\r\n".replace(
            b"GET / HTTP/1.1", head[0]) + head[1] + b"\r\n" + body)


def bad_request(c):
    return c.client.request("POST", f"{API}/users", b"{", raw=True)


def unauthorized(c):
    return c.server.client().get(f"{API}/users/x")


def forbidden(c):
    browser = Browser(c.server, make_session(c.server, c.user), origin="https://evil.example")
    return browser.post(f"{API}/cancel", {"user_id": c.user})


def not_found(c):
    return c.client.get("/there-is-no-such-address")


def package_not_found(c):
    return c.client.get(f"{API}/packages/none")


def user_not_found(c):
    return c.client.get(f"{API}/users/nobody")


def no_subscription(c):
    return c.client.get(f"{API}/user/{c.other}")


def method_not_allowed(c):
    return c.client.request("DELETE", f"{API}/packages")


def request_timeout(c):
    return raw(c.server, b"GET / HTTP/1.1\r\nHost: x")


def email_taken(c):
    return c.client.post(f"{API}/users", form(c.user))


def already_subscribed(c):
    return c.sell("subscribe", package_slug="free", billing_cycle="monthly")


def no_change(c):
    return c.sell("upgrade", package_slug="free")


def nothing_planned(c):
    return c.sell("resume")


def idempotency_busy(c):
    """Whichever comes first waits for a database that somebody else holds; the other is told so."""
    replies = []

    def post():
        client = c.server.client(c.client.key)
        replies.append(client.post(f"{API}/cancel", {"user_id": c.user},
                                   headers={"Idempotency-Key": "busy"}))
        client.close()
    with Hold(c.server):
        threads = [threading.Thread(target=post) for _ in range(2)]
        for thread in threads:
            thread.start()
        reply = wait_for(lambda: [reply for reply in list(replies) if reply.status == 409], 20,
                         "the 409 of one of two requests")[0]
    for thread in threads:
        thread.join()
    return reply


def length_required(c):
    return c.raw((b"POST /user-subscription/users HTTP/1.1",
                  b"Transfer-Encoding: chunked\r\nContent-Type: application/json\r\n"),
                 b"2\r\n{}\r\n0\r\n\r\n")


def payload_too_large(c):
    return c.client.request("POST", f"{API}/users", b"x" * 70000, raw=True)


def uri_too_long(c):
    return raw(c.server, b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")


def unsupported_media_type(c):
    return c.client.request("POST", f"{API}/users", b"{}", raw=True,
                            headers={"Content-Type": "text/plain"})


def expectation_failed(c):
    return c.raw((b"POST /user-subscription/users HTTP/1.1",
                  b"Expect: the-unexpected\r\nContent-Length: 0\r\n"))


def validation(c):
    return c.client.post(f"{API}/users", {})


def idempotency_mismatch(c):
    c.sell("cancel", key="one")
    return c.sell("cancel", key="one", reason="another")


def too_many_requests(c):
    """The sixth wrong password for one account."""
    client = c.server.client()
    page = client.get("/sign-in")
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text).group(1)
    cookie = page.headers["set-cookie"].split(";")[0]
    body = urllib.parse.urlencode({"csrf_token": token, "email": f"{c.user}@example.com",
                                   "password": "wrong horse battery"}).encode()
    for _ in range(6):
        reply = client.request("POST", "/sign-in", body, raw=True, headers={
            "Content-Type": "application/x-www-form-urlencoded", "Cookie": cookie})
    assert int(reply.headers["retry-after"]) >= 1
    client.close()
    return reply


def headers_too_large(c):
    lines = b"".join(b"X-%d: y\r\n" % n for n in range(70))
    return c.raw((b"GET /livez HTTP/1.1", lines))


def internal_error(c):
    """A table is not what it was: nobody foresaw that."""
    c.server.sql("ALTER TABLE subscription_history RENAME TO lost")
    try:
        return c.client.get(f"{API}/user/{c.user}/history")
    finally:
        c.server.sql("ALTER TABLE lost RENAME TO subscription_history")


def method_unknown(c):
    return c.client.request("BREW", f"{API}/packages")


def store_unavailable(c):
    with Hold(c.server):
        return c.client.put(f"{API}/users/{c.user}", form(c.user, company="Late"))


def table():
    text = open(os.path.join(ROOT, "src", "base", "problem.h"), encoding="utf-8").read()
    return [(code, int(status)) for code, status in
            re.findall(r'X\([A-Z_]+,\s*"([a-z-]+)",\s*(\d+)', text)]


@pytest.mark.parametrize("code, status", table())
def test_each_code_is_answered(server, client, unique, code, status):
    if code in ELSEWHERE:
        with open(os.path.join(ROOT, ELSEWHERE[code]), encoding="utf-8") as file:
            assert f'"{code}"' in file.read()
        return
    reply = globals()[code.replace("-", "_")](Case(server, client, unique()))
    assert reply.status == status, reply
    if reply.headers["content-type"].startswith("text/html"):
        assert code == "too-many-requests"  # a page's own words
    else:
        assert reply.problem()["code"] == code
