"""Bad input to the users API: exact status, a text that names the thing and the fix, and nothing
is stored."""

import json
import re

import pytest

BOTH_STORES = True

USERS = "/user-subscription/users"
GOOD = {"email": "good@example.com", "first_name": "Ana", "last_name": "Gil"}


@pytest.fixture(autouse=True)
def stores_nothing(server):
    def dump():
        return server.sql("SELECT count(*) FROM users")

    before = dump()
    yield
    assert dump() == before


def without(name):
    return {key: value for key, value in GOOD.items() if key != name}


FIELDS = [
    # body, {pointer: words of its detail}
    ({}, {"/email": "missing", "/first_name": "missing", "/last_name": "missing"}),
    (without("email"), {"/email": "missing"}),
    ({**GOOD, "email": ""}, {"/email": "empty"}),
    ({**GOOD, "email": "nobody"}, {"/email": "no @"}),
    ({**GOOD, "email": "@example.com"}, {"/email": "before its @"}),
    ({**GOOD, "email": "a@"}, {"/email": "domain"}),
    ({**GOOD, "email": "a@localhost"}, {"/email": "domain"}),
    ({**GOOD, "email": "a b@example.com"}, {"/email": "character"}),
    ({**GOOD, "email": "a@exa mple.com"}, {"/email": "domain"}),
    ({**GOOD, "email": "a..b@example.com"}, {"/email": "dot"}),
    ({**GOOD, "email": "a@example..com"}, {"/email": "domain"}),
    ({**GOOD, "email": "a@127.0.0.1"}, {"/email": "domain"}),
    ({**GOOD, "email": "a@[127.0.0.1]"}, {"/email": "domain"}),
    ({**GOOD, "email": '"a b"@example.com'}, {"/email": "character"}),
    ({**GOOD, "email": "a@example.com\n"}, {"/email": "domain"}),
    ({**GOOD, "email": "a\u0000@example.com"}, {"/email": "character"}),
    ({**GOOD, "email": "a\u202e@example.com"}, {"/email": "character"}),
    ({**GOOD, "email": "a" * 65 + "@example.com"}, {"/email": "64"}),
    ({**GOOD, "email": "a" * 60 + "@" + "b" * 60 + "." + "c" * 60 + "." + "d" * 60 + "." + "e" * 20},
     {"/email": "254"}),
    ({**GOOD, "email": "a@example.com'; DROP TABLE users;--"}, {"/email": "domain"}),
    ({**GOOD, "email": None}, {"/email": "null"}),
    ({**GOOD, "email": 1}, {"/email": "number"}),
    ({**GOOD, "email": 1.5}, {"/email": "number"}),
    ({**GOOD, "email": True}, {"/email": "boolean"}),
    ({**GOOD, "email": ["a@example.com"]}, {"/email": "array"}),
    ({**GOOD, "email": {"$ne": None}}, {"/email": "object"}),
    ({**GOOD, "first_name": ""}, {"/first_name": "empty"}),
    ({**GOOD, "first_name": "   "}, {"/first_name": "empty"}),
    ({**GOOD, "first_name": "\u200b\u00a0"}, {"/first_name": "empty"}),
    ({**GOOD, "first_name": "x" * 101}, {"/first_name": "100"}),
    ({**GOOD, "first_name": "é" * 101}, {"/first_name": "100"}),
    ({**GOOD, "first_name": "a\nb"}, {"/first_name": "control"}),
    ({**GOOD, "first_name": "a\u0000b"}, {"/first_name": "control"}),
    ({**GOOD, "first_name": "a\u001b[31mb"}, {"/first_name": "control"}),
    ({**GOOD, "last_name": "a\u202eb"}, {"/last_name": "direction"}),
    ({**GOOD, "last_name": "a\u2066b"}, {"/last_name": "direction"}),
    ({**GOOD, "last_name": "a\u2028b"}, {"/last_name": "line"}),
    ({**GOOD, "company": ""}, {"/company": "empty"}),
    ({**GOOD, "company": "x" * 201}, {"/company": "200"}),
    ({**GOOD, "company": 7}, {"/company": "number"}),
    ({**GOOD, "compny": "x"}, {"/compny": 'did you mean "company"'}),
    ({**GOOD, "frist_name": "x"}, {"/frist_name": 'did you mean "first_name"'}),
    ({**GOOD, "id": "x"}, {"/id": "not a known member"}),
    ({**GOOD, "created_at": "x"}, {"/created_at": "not a known member"}),
    ({**GOOD, "a/b~c": 1}, {"/a~1b~0c": "not a known member"}),
    ({**GOOD, "": 1}, {"/": "not a known member"}),
    ({**GOOD, "x" * 500: 1}, {"": "500 bytes"}),
    ({**GOOD, "__proto__": {"admin": True}}, {"/__proto__": "not a known member"}),
    ([], {"": "an array; an object is expected"}),
    ("text", {"": "a string; an object is expected"}),
    (17, {"": "a number; an object is expected"}),
    (None, {"": "null; an object is expected"}),
    ({"email": 1, "first_name": "", "last_name": "a\nb", "company": [], "x": 1},
     {"/email": "number", "/first_name": "empty", "/last_name": "control", "/company": "array",
      "/x": "not a known member"}),
]


@pytest.mark.parametrize("body,expected", FIELDS)
@pytest.mark.parametrize("method,path", [("PUT", f"{USERS}/bad"), ("POST", USERS)])
def test_wrong_fields_are_422_all_at_once(client, method, path, body, expected):
    reply = client.request(method, path, json.dumps(body).encode(), raw=True)
    assert reply.status == 422, reply
    problem = reply.problem()
    assert problem["code"] == "validation" and problem["detail"]
    details = {error["pointer"]: error["detail"] for error in problem["errors"]}
    assert set(details) == set(expected)
    for pointer, words in expected.items():
        assert words in details[pointer], details


SYNTAX = [
    # bytes, words of the detail
    (b"", "empty"),
    (b" ", "line 1"),
    (b"{", "line 1, column"),
    (b'{"email":\n "a",\n}', "line 3"),
    (b"{'email': 'a'}", "line 1, column"),
    (b'{"email": "a"} x', "line 1, column"),
    (b'{"email": "a", "email": "b"}', "duplicate"),
    (b'{"email": "a\xff"}', "UTF-8: byte 13"),
    (b'{"email": "\xed\xa0\x80"}', "UTF-8: byte 12"),
    (b'{"email": "\xc0\xaf"}', "UTF-8"),
    (b'{"email": "\\ud800"}', "line 1"),
    (b'{"email": "a\x00b"}', "line 1"),
    (b'{"email": "a\tb"}', "line 1"),
    (b'\xef\xbb\xbf{}', "line 1"),
    (b"email=a%40example.com", "line 1"),
    (b"<user/>", "line 1"),
    (b"NaN", "line 1"),
    (b'{"email": 1e999}', "line 1"),
    (b'{"email": 123456789012345678901234567890}', "line 1"),
    (b"[" * 17 + b"]" * 17, "nested"),
    (b"[" * 60000, "nested"),
    (b'{"a":' * 5000, "nested"),
]


@pytest.mark.parametrize("body,words", SYNTAX)
@pytest.mark.parametrize("method,path", [("PUT", f"{USERS}/bad"), ("POST", USERS)])
def test_what_is_no_json_is_400_with_its_place(client, method, path, body, words):
    reply = client.request(method, path, body, raw=True)
    assert reply.status == 400, reply
    problem = reply.problem()
    assert problem["code"] == "bad-request"
    assert words in problem["detail"]


@pytest.mark.parametrize("content_type", [
    None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
    "application/json; charset=latin1", "application/jsonx", "text/json"])
def test_other_content_types_are_415(client, content_type):
    reply = client.request("PUT", f"{USERS}/bad", json.dumps(GOOD).encode(), raw=True,
                           headers={"Content-Type": content_type})
    assert reply.status == 415, reply
    assert "application/json" in reply.text


@pytest.mark.parametrize("content_type", [
    "application/json", "Application/JSON", "application/json;charset=utf-8",
    'application/json ; charset="UTF-8"'])
def test_json_with_its_parameter_is_read(client, content_type):
    reply = client.request("PUT", f"{USERS}/bad", b"{}", raw=True,
                           headers={"Content-Type": content_type})
    assert reply.status == 422, reply


def test_a_body_over_the_limit_is_413(client):
    body = json.dumps({**GOOD, "company": "x" * 70000}).encode()
    reply = client.request("PUT", f"{USERS}/bad", body, raw=True)
    assert reply.status == 413, reply
    assert reply.problem()["code"] == "payload-too-large"


def test_a_chunked_body_is_411(server, api_key):
    client = server.client(api_key)
    reply = client.request("PUT", f"{USERS}/bad", (part for part in [b"{}"]), raw=True,
                           headers={"Transfer-Encoding": "chunked"})
    assert reply.status == 411, reply
    client.close()


IDS = ["a%20b", "a%2Fb", "%2E", "%2E%2E", "a%27b", "%C3%B1", "x" * 65, "a+b", "a%25", "a%7Cb",
       "a,b", "a%0Ab", "%3Cscript%3E", "a;b", "~a", "a%22b"]


@pytest.mark.parametrize("user_id", IDS)
def test_ids_outside_the_rule_are_422(client, user_id):
    for reply in (client.put(f"{USERS}/{user_id}", GOOD), client.get(f"{USERS}/{user_id}")):
        assert reply.status == 422, reply
        errors = reply.problem()["errors"]
        assert [error["pointer"] for error in errors] == ["/user_id"]
        assert "1 to 64 characters" in errors[0]["detail"]


@pytest.mark.parametrize("path", [f"{USERS}/a%00b", f"{USERS}/%FF", f"{USERS}?email=%FF",
                                  f"{USERS}?email=a%00", f"{USERS}/%zz"])
def test_paths_that_are_no_text_are_400(client, path):
    assert client.get(path).status == 400


@pytest.mark.parametrize("query", ["", "?email=", "?mail=a@example.com",
                                   "?email=a@example.com&email=b@example.com"])
def test_a_search_needs_one_address(client, query):
    reply = client.get(USERS + query)
    assert reply.status == 400
    assert "email=" in reply.problem()["detail"]


@pytest.mark.parametrize("method,path,allow", [
    ("DELETE", f"{USERS}/x", "GET, HEAD, PUT"), ("PUT", USERS, "GET, HEAD, POST"),
    ("PATCH", f"{USERS}/x", "GET, HEAD, PUT"), ("POST", f"{USERS}/x", "GET, HEAD, PUT")])
def test_other_methods_are_405_with_allow(client, method, path, allow):
    reply = client.request(method, path, GOOD if method != "DELETE" else None)
    assert reply.status == 405
    allowed = {name for name in re.split(r",\s*", reply.headers["allow"]) if name != "OPTIONS"}
    assert allowed == set(allow.split(", "))


def test_no_answer_repeats_what_would_run_in_a_page(client):
    body = {**GOOD, "<script>alert(1)</script>": 1}
    reply = client.put(f"{USERS}/bad", body)
    assert reply.status == 422
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-content-type-options"] == "nosniff"
