"""/openapi.json describes what the server does, all of it, and nothing else."""

import glob
import json
import os
import re
import subprocess
import sys

import pytest

from conftest import LONG, ROOT, clean_env

HERE = os.path.dirname(os.path.abspath(__file__))
# For people, and described by their looks: pages and what they load.
PAGES = ("src/page/",)
CLOCK = "/test/clock"  # there only where TEST_CLOCK is set


@pytest.fixture(scope="module")
def document(server):
    client = server.client()
    reply = client.get("/openapi.json")
    client.close()
    assert reply.status == 200
    return reply.json()


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def strings_in(text, names):
    """The value of C string literals and macros side by side: PACKAGES "/{slug}"."""
    value = ""
    for part in re.findall(r'"((?:[^"\\]|\\.)*)"|([A-Z_]+)', text):
        value += part[0] if part[1] == "" else names.get(part[1], "?")
    return value


def routes_in(path):
    """The (method, pattern) of every row of routes in a C file."""
    source = open(path, encoding="utf-8").read()
    names = dict(re.findall(r'^#define ([A-Z_]+)\s+"([^"]*)"', source, re.M))
    row = re.compile(r'(?:\{|\.method\s*=\s*)"(GET|POST|PUT|PATCH|DELETE)",\s*(?:\.pattern\s*=\s*)?'
                     r'((?:"(?:[^"\\]|\\.)*"|[A-Z_]+|\s)+),')
    return {(m.group(1), strings_in(m.group(2), names)) for m in row.finditer(source)}


def all_routes():
    found = set()
    for path in glob.glob(os.path.join(ROOT, "src", "**", "*.c"), recursive=True):
        name = os.path.relpath(path, ROOT)
        if not name.startswith(PAGES + ("src/http/",)):
            found |= routes_in(path)
    return found


def test_every_route_is_described_and_the_other_way_round(document):
    described = {(method, path) for method, path, _ in operations(document)}
    pages = {("GET", "/problems/{code}")}
    registered = all_routes()
    assert len(registered) >= 10, "the search for routes finds none"
    assert described - pages == registered


def test_the_version_is_the_program_s(server, document):
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["version"] in server.run("version").stdout


def test_every_problem_of_the_table_is_listed(document):
    table = open(os.path.join(ROOT, "src", "base", "problem.h"), encoding="utf-8").read()
    codes = re.findall(r'X\([A-Z_]+,\s*"([a-z-]+)",', table)
    assert len(codes) > 15
    assert document["components"]["schemas"]["ProblemCode"]["enum"] == codes


def resolve(document, schema):
    while "$ref" in schema:
        found = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def assert_only_described(document, schema, value, where):
    """Answers may grow, so the schemas are open; but what we send must be described."""
    schema = resolve(document, schema)
    if isinstance(value, list):
        for n, item in enumerate(value):
            assert_only_described(document, schema["items"], item, f"{where}/{n}")
    elif isinstance(value, dict) and "properties" in schema:
        for name, member in value.items():
            assert name in schema["properties"], f"{where}/{name} is not described"
            assert_only_described(document, schema["properties"][name], member, f"{where}/{name}")


def answer_schema(document, path, method, status, kind="application/json"):
    answer = resolve(document, document["paths"][path][method]["responses"][str(status)])
    return answer["content"][kind]["schema"]


def test_answers_have_no_member_that_is_not_described(document, client, unique):
    user = {"email": f"{unique()}@example.com", "first_name": "A", "last_name": "B"}
    users, health = "/user-subscription/users", "/user-subscription/health"
    subscribe, cancel = "/user-subscription/subscribe", "/user-subscription/cancel"
    one, history = "/user-subscription/user/{user_id}", "/user-subscription/user/{user_id}/history"
    user_id = unique()
    client.put(f"{users}/{user_id}", {**user, "email": f"{user_id}@example.com"})
    wish = {"user_id": user_id, "package_slug": "standard", "billing_cycle": "monthly"}
    for path, method, reply in [
            ("/user-subscription/packages", "get", client.get("/user-subscription/packages")),
            (users, "post", client.post(users, user)),
            (users, "post", client.post(users, user)),
            (users, "post", client.post(users, {"email": 1})),
            (one, "get", client.get(f"/user-subscription/user/{user_id}")),
            (subscribe, "post", client.post(subscribe, wish)),
            (subscribe, "post", client.post(subscribe, wish)),
            (cancel, "post", client.post(cancel, {"user_id": user_id, "reason": "x"})),
            (one, "get", client.get(f"/user-subscription/user/{user_id}")),
            (history, "get", client.get(f"/user-subscription/user/{user_id}/history")),
            (health, "get", client.get(health)),
            ("/readyz", "get", client.get("/readyz?verbose"))]:
        kind = reply.headers["content-type"]
        schema = answer_schema(document, path, method, reply.status, kind)
        assert_only_described(document, schema, reply.json(), path)


def test_examples_of_request_bodies_are_taken(document, client):
    """In this order one makes the next possible."""
    bodies = {path: item["post"]["requestBody"]["content"]["application/json"]["example"]
              for path, item in document["paths"].items() if "post" in item}
    user = bodies["/user-subscription/users"]
    assert client.put("/user-subscription/users/customer-1001", user).status in (200, 201)
    for verb in ("subscribe", "upgrade", "cancel", "resume"):
        reply = client.post(f"/user-subscription/{verb}", bodies[f"/user-subscription/{verb}"])
        assert reply.status in (200, 201), reply


def schemes_of(operation, document):
    return {name for one in operation.get("security", document["security"]) for name in one}


def test_who_may_ask_is_described(document):
    """Subscriptions are for users too; users and the clock are for keys only."""
    for method, path, operation in operations(document):
        expected = set()
        if "subscriptions" in operation["tags"]:
            expected = {"apiKey", "session"}
        elif "users" in operation["tags"] or path in (CLOCK, "/metrics"):
            expected = {"apiKey"}
        assert schemes_of(operation, document) == expected, (method, path)


def schemathesis(server, api_key, *more):
    """Its output, after all that it did went well."""
    program = os.path.join(os.path.dirname(sys.executable), "st")
    assert os.access(program, os.X_OK), \
        "schemathesis is missing: run this through ./dev test, which installs tests/requirements.txt"
    command = [program, "--config-file", os.path.join(HERE, "schemathesis.toml"), "run",
               f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {api_key}",
               "--checks", "all", "--request-timeout", "10", "--no-shrink", "--no-color",
               "--max-examples", "200" if LONG else "15", *more]
    if not LONG:
        command += ["--seed", "20261123"]
    done = subprocess.run(command, cwd=server.folder, env=clean_env(), capture_output=True,
                          text=True, timeout=1800 if LONG else 300, check=False)
    print(done.stdout[-300:])
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    assert server.process.poll() is None, server.log
    assert json.loads(server.client().get("/readyz").body)["status"] == "ready"
    return done.stdout


def test_the_server_keeps_to_its_document(server, api_key):
    """Positive and negative data for every operation, from schemathesis."""
    output = schemathesis(server, api_key, "--exclude-path", CLOCK)
    cases = re.search(r"(\d+) generated", output)
    assert cases and int(cases.group(1)) > 100, output[-2000:]


def test_the_test_clock_keeps_to_its_document(start_server, tmp_path):
    server = start_server.ready(tmp_path, env={"TEST_CLOCK": "2026-11-23T08:00:00Z"})
    schemathesis(server, server.make_key(), "--include-path", CLOCK)


def test_every_code_in_the_sources_is_in_the_table(document):
    codes = document["components"]["schemas"]["ProblemCode"]["enum"]
    for path in glob.glob(os.path.join(ROOT, "src", "**", "*.c"), recursive=True):
        if os.path.relpath(path, ROOT).startswith(PAGES):
            continue
        source = open(path, encoding="utf-8").read()
        for code in re.findall(r'(?:\b[45]\d\d,\s*|\.code = )"([a-z]+(?:-[a-z]+)*)"', source):
            assert code in codes, f"{path}: {code}"


def test_every_problem_has_its_page(document, anonymous):
    for code in document["components"]["schemas"]["ProblemCode"]["enum"]:
        reply = anonymous.get(f"/problems/{code}", headers={"Accept": "text/html"})
        assert reply.status == 200, code
        assert reply.headers["content-type"].startswith("text/html")
    assert anonymous.get("/problems/no-such-problem").status == 404
