"""GET /user-subscription/packages and …/packages/{slug}: shape, encodings, validators."""

import gzip
import json
import re
import subprocess

import pytest

BOTH_STORES = True

LIST = "/user-subscription/packages"
WANTED = [
    ("free", "0.00", "0.00", 10, 100),
    ("standard", "29.99", "299.00", 100, 2000),
    ("premium", "79.99", "799.00", 500, 10000),
    ("enterprise", "299.99", "2999.00", 5000, 100000),
]
MEMBERS = ["id", "slug", "name", "description", "price_monthly", "price_yearly", "currency",
           "rate_limit_per_hour", "rate_limit_per_day", "display_order", "metadata", "features"]


def unpack(reply):
    coding = reply.headers.get("content-encoding")
    if coding == "gzip":
        return gzip.decompress(reply.body)
    if coding == "br":
        return subprocess.run(["brotli", "-d", "-c"], input=reply.body, capture_output=True,
                              check=True).stdout
    assert coding is None
    return reply.body


def test_the_four_packages_in_order_with_exact_money(anonymous):
    reply = anonymous.get(LIST)
    assert reply.status == 200
    assert reply.headers["content-type"] == "application/json"
    packages = json.loads(reply.body, parse_float=str)
    found = [(p["slug"], p["price_monthly"], p["price_yearly"], p["rate_limit_per_hour"],
              p["rate_limit_per_day"]) for p in packages]
    assert found == WANTED
    assert [p["display_order"] for p in packages] == [1, 2, 3, 4]
    for package in packages:
        assert list(package) == MEMBERS
        assert package["currency"] == "USD"
        assert {"tagline", "highlight", "cta_text"} <= set(package["metadata"])
        assert [list(f) for f in package["features"]] == \
            [["id", "name", "description", "included", "icon", "category"]] * 14
    assert [p["metadata"]["highlight"] for p in packages].count("true") == 1


def test_each_slug_is_the_same_object_as_in_the_list(anonymous):
    body = anonymous.get(LIST).text
    for slug, *_ in WANTED:
        reply = anonymous.get(f"{LIST}/{slug}")
        assert reply.status == 200
        assert reply.text in body


def test_an_unknown_slug_is_a_problem_that_names_it(anonymous):
    problem = anonymous.get(f"{LIST}/gold").problem()
    assert problem["code"] == "package-not-found"
    assert '"gold"' in problem["detail"]
    for slug in ("FREE", "free%20", "%C3%B1", "a" * 500, "free%2Ffree", ".."):
        assert anonymous.get(f"{LIST}/{slug}").problem()["status"] == 404


@pytest.mark.parametrize("path", [LIST, f"{LIST}/premium", "/openapi.json"])
@pytest.mark.parametrize("accept, coding", [
    (None, None), ("identity", None), ("gzip", "gzip"), ("br", "br"), ("gzip, br", "br"),
    ("br;q=0, gzip;q=0.5", "gzip"), ("gzip;q=0", None), ("unheard-of", None)])
def test_every_coding_unpacks_to_the_same_bytes(anonymous, path, accept, coding):
    plain = anonymous.get(path)
    reply = anonymous.get(path, headers={"Accept-Encoding": accept})
    assert reply.status == 200
    assert reply.headers.get("content-encoding") == coding
    assert "accept-encoding" in reply.headers["vary"].lower()
    assert int(reply.headers["content-length"]) == len(reply.body)
    assert unpack(reply) == plain.body


@pytest.mark.parametrize("path", [LIST, f"{LIST}/free", "/openapi.json"])
def test_each_coding_has_its_strong_etag_and_its_304(anonymous, path):
    tags = {}
    for coding in ("identity", "gzip", "br"):
        headers = {"Accept-Encoding": coding}
        tag = anonymous.get(path, headers=headers).headers["etag"]
        assert re.fullmatch(r'"[0-9a-z-]+"', tag)
        tags[coding] = tag
        for match in (tag, f'"x", {tag}', f"W/{tag}", "*"):
            reply = anonymous.get(path, headers={**headers, "If-None-Match": match})
            assert reply.status == 304, match
            assert reply.body == b""
            assert reply.headers["etag"] == tag
            assert "vary" in reply.headers and "cache-control" in reply.headers
        assert anonymous.get(path, headers={**headers, "If-None-Match": '"x"'}).status == 200
    assert len(set(tags.values())) == 3


@pytest.mark.parametrize("coding", ["identity", "gzip", "br"])
def test_head_has_the_headers_of_get(anonymous, coding):
    for path in (LIST, f"{LIST}/free", f"{LIST}/gold", "/openapi.json"):
        headers = {"Accept-Encoding": coding}
        get = anonymous.get(path, headers=headers)
        head = anonymous.request("HEAD", path, headers=headers)
        assert head.status == get.status
        assert head.body == b""
        for name in ("content-length", "content-type", "content-encoding", "etag", "vary"):
            assert head.headers.get(name) == get.headers.get(name), name


def test_other_methods_are_refused_with_allow(anonymous):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        reply = anonymous.request(method, LIST, body={})
        assert reply.problem()["code"] == "method-not-allowed"
        assert "GET" in reply.headers["allow"]


def test_two_processes_on_one_file_give_the_same_etags(server, start_server, anonymous):
    other = start_server.ready(server.folder).client()
    for path in (LIST, f"{LIST}/standard"):
        for coding in ("identity", "gzip", "br"):
            headers = {"Accept-Encoding": coding}
            assert other.get(path, headers=headers).headers["etag"] == \
                anonymous.get(path, headers=headers).headers["etag"]
    other.close()
