"""Methods, statuses, conditional requests, encodings, and what a handler is told of its request."""

import json
import socket

import pytest

from framing import wire


@pytest.fixture(scope="module")
def probe():
    with wire.Probe() as p:
        yield p


@pytest.fixture(scope="module")
def behind_proxy():
    with wire.Probe(PROXIES="127.0.0.1, 10.0.0.0/8", URL="https://example.com") as p:
        yield p


def shown(answer):
    lines = answer.body.decode().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def problem(answer, code):
    assert answer.one("Content-Type") == "application/problem+json"
    body = json.loads(answer.body)
    assert body["type"] == "/problems/" + code and body["code"] == code
    assert body["status"] == answer.status and body["title"]
    return body


@pytest.mark.parametrize("target", ["/hello", "/prepared", "/nope", "/show/x", "/await?ms=1", "/silent"])
def test_head_is_get_without_a_body(probe, target):
    head = wire.get(probe, target, method="HEAD")
    full = wire.get(probe, target)
    assert head.status == full.status and head.body == b""
    same = lambda a: {n: v for n, v in a.headers if n not in ("Date",)}
    if not target.startswith("/show"):
        assert same(head) == same(full)
    assert int(head.one("Content-Length")) == len(full.body) or target.startswith("/show")


def test_kept_connection_after_head_and_304(probe):
    """Neither leaves bytes behind that the next answer would be mixed up with."""
    requests = b""
    for line, more in [(b"HEAD /prepared", b""), (b"GET /prepared", b'If-None-Match: "tag1"\r\n'),
                       (b"HEAD /prepared", b'If-None-Match: "tag1"\r\n'), (b"OPTIONS /prepared", b""),
                       (b"GET /hello", b"Connection: close\r\n")]:
        requests += line + b" HTTP/1.1\r\nHost: h\r\n" + more + b"\r\n"
    data, closed = wire.exchange(probe, requests)
    assert closed
    statuses = [line for line in data.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert [int(s.split()[1]) for s in statuses] == [200, 304, 304, 204, 200]
    assert data.endswith(b"\r\n\r\nhello\n")


@pytest.mark.parametrize("value,status", [
    ('"tag1"', 304), ('W/"tag1"', 304), ("*", 304), ('"x", "tag1"', 304), ('"tag1-gz"', 200), ("tag1", 200),
])
def test_if_none_match(probe, value, status):
    answer = wire.get(probe, "/prepared", "If-None-Match: " + value)
    assert answer.status == status
    assert answer.one("ETag") == '"tag1"' and answer.one("Cache-Control") == "public, max-age=60"
    assert answer.one("Vary") == "Accept-Encoding"


@pytest.mark.parametrize("accept,encoding,etag", [
    ("gzip", "gzip", '"tag1-gz"'), ("br", "br", '"tag1-br"'), ("gzip, deflate, br", "br", '"tag1-br"'),
    ("gzip;q=0", None, '"tag1"'), ("identity", None, '"tag1"'), ("zstd", None, '"tag1"'),
])
def test_encodings_each_have_their_etag(probe, accept, encoding, etag):
    answer = wire.get(probe, "/prepared", "Accept-Encoding: " + accept)
    assert answer.one("Content-Encoding") == encoding and answer.one("ETag") == etag
    again = wire.get(probe, "/prepared", "Accept-Encoding: " + accept, "If-None-Match: " + etag)
    assert again.status == 304 and again.one("ETag") == etag


def test_not_found_and_not_allowed(probe):
    problem(wire.get(probe, "/nope"), "not-found")
    answer = wire.get(probe, "/hello", method="DELETE")
    assert answer.status == 405 and answer.one("Allow") == "GET, HEAD, OPTIONS"
    problem(answer, "method-not-allowed")
    answer = wire.get(probe, "/echo")
    assert answer.status == 405 and answer.one("Allow") == "POST, OPTIONS"


def test_not_found_keeps_the_connection(probe):
    """What is not refused for its framing costs no connection, with a body or without."""
    one = b"POST /nope HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc"
    last = b"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    assert [a.status for a in wire.ask(probe, one + one + last)] == [404, 404, 200]


def test_options(probe):
    answer = wire.get(probe, "/echo/1", method="OPTIONS")
    assert answer.status == 204 and answer.one("Allow") == "PUT, DELETE, OPTIONS"
    assert wire.get(probe, "*", method="OPTIONS").status == 204
    assert wire.get(probe, "/nope", method="OPTIONS").status == 404


@pytest.mark.parametrize("target,types,status", [
    ("/json", ["Content-Type: application/json"], 200),
    ("/json", ["Content-Type: application/json; charset=utf-8"], 200),
    ("/json", ["Content-Type: application/json; charset=latin1"], 415),
    ("/json", ["Content-Type: text/plain"], 415), ("/json", [], 415),
    ("/json", ["Content-Type: application/json", "Content-Encoding: gzip"], 415),
    ("/form", ["Content-Type: application/x-www-form-urlencoded"], 200),
    ("/form", ["Content-Type: multipart/form-data; boundary=x"], 415),
])
def test_content_type(probe, target, types, status):
    answer = wire.post(probe, target, b"{}", *types)
    assert answer.status == status
    if status == 415:
        problem(answer, "unsupported-media-type")


def test_body_in_pieces_arrives_whole(probe):
    body = bytes(range(256)) * 200
    with probe.connect() as sock:
        sock.sendall(b"PUT /echo/1 HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 997):
            sock.sendall(body[at : at + 997])
        data, closed = wire.read_to_end(sock)
    assert closed and wire.parse(data)[0].body == body


def test_every_cut_of_a_request_is_the_same_request(probe):
    whole = b"POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
    for cut in range(1, len(whole)):
        with probe.connect() as sock:
            sock.sendall(whole[:cut])
            sock.sendall(whole[cut:])
            data, closed = wire.read_to_end(sock)
        assert closed and wire.parse(data)[0].body == b"hello"


def test_parameters_and_query(probe):
    seen = shown(wire.get(probe, "/show/a%2Fb%20%C3%A9?x=1&y=a+b%26c&x=2"))
    assert seen["pattern"] == "/show/{id}" and seen["id"] == "a/b é"
    assert b"query x=1\nquery y=a b&c\nquery x=2\n" in wire.get(probe, "/show/z?x=1&y=a+b%26c&x=2").body
    assert wire.get(probe, "/show/fixed").body == b"hello\n"
    assert wire.get(probe, "/show/").status == 404
    assert wire.get(probe, "/show/a/").status == 404
    problem(wire.get(probe, "/show/a?x=%ff"), "bad-request")


def test_cookies(probe):
    answer = wire.get(probe, "/show/x", 'Cookie: a=b; session="s 1"; c=d')
    assert shown(answer)["session"] == "s 1"
    assert answer.one("Set-Cookie") == "seen=1; HttpOnly"


def test_forwarded_is_believed_only_from_proxies(probe, behind_proxy):
    headers = ["X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.1.2.3", "X-Forwarded-Proto: http, https"]
    seen = shown(wire.get(probe, "/show/x", *headers))
    assert (seen["remote"], seen["https"], seen["loopback"]) == ("127.0.0.1", "0", "1")
    seen = shown(wire.get(behind_proxy, "/show/x", *headers))
    assert (seen["remote"], seen["https"], seen["loopback"]) == ("203.0.113.9", "1", "0")
    assert shown(wire.get(behind_proxy, "/show/x"))["remote"] == "127.0.0.1"
    lines = ["X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 203.0.113.9",
             "X-Forwarded-Proto: https", "X-Forwarded-Proto: http"]
    seen = shown(wire.get(behind_proxy, "/show/x", *lines))
    assert (seen["remote"], seen["https"]) == ("203.0.113.9", "0")


@pytest.mark.parametrize("target", ["/hello", "/prepared", "/nope", "/%zz"])
def test_hsts_where_public_url_is_https(probe, behind_proxy, target):
    assert behind_proxy and wire.get(behind_proxy, target).one("Strict-Transport-Security")
    assert not wire.get(probe, target).header("Strict-Transport-Security")


def test_absolute_form_and_host(probe):
    payload = b"GET http://H:80/show/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    assert shown(wire.ask(probe, payload)[0])["host"] == "h:80"
    assert shown(wire.get(probe, "/show/x"))["host"] == "h"


def test_http_1_0(probe):
    answers = wire.ask(probe, b"GET /show/x HTTP/1.0\r\n\r\n")
    assert answers[0].status == 200 and shown(answers[0])["host"] == ""
    keep = b"GET /hello HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"
    assert len(wire.ask(probe, keep + b"GET /hello HTTP/1.0\r\n\r\n")) == 2


def test_waiting_requests_are_continued(probe):
    assert wire.get(probe, "/await?ms=20").body == b"woken\n"
    assert wire.get(probe, "/await-now").body == b"woken\n"
    assert wire.get(probe, "/await-twice").body == b"twice\n"
    assert wire.post(probe, "/await?ms=5", b"abc").body == b"woken\n"
    answer = wire.get(probe, "/await-not")
    assert answer.status == 503 and answer.one("Retry-After") == "1"
    problem(answer, "overloaded")


@pytest.mark.parametrize("target", ["/hello", "/prepared", "/await?ms=50"])
def test_client_that_closes_its_side_is_answered_and_closed(probe, target):
    """The library misses an end that arrives together with the request; the ticker does not."""
    for _ in range(5):
        with probe.connect() as sock:
            sock.sendall(b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % target.encode())
            sock.shutdown(socket.SHUT_WR)
            data, closed = wire.read_to_end(sock, 5)
            assert closed and wire.parse(data)[0].status == 200


def test_faults_of_a_handler_are_500(probe):
    problem(wire.get(probe, "/silent"), "internal-error")
    answer = wire.get(probe, "/bad-header")
    problem(answer, "internal-error")
    assert not answer.header("Set-Cookie")
