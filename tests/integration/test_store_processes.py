"""Two processes on one file, and other programs beside them."""

import os
import sqlite3
import sys
import threading
import time

import pytest

from conftest import ROOT, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "faults"))
from load import Load  # noqa: E402  (needs the path above)


def user(name):
    return {"email": f"{name}@example.org", "first_name": "Ada", "last_name": "Lovelace"}


@pytest.fixture
def pair(start_server, tmp_path):
    first = start_server.ready(tmp_path)
    return first, start_server.ready(tmp_path), first.make_key()


def test_what_one_process_acknowledged_the_other_reads(pair):
    first, second, key = pair
    clients = [first.client(key), second.client(key)]
    for number in range(30):
        writer, reader = clients[number % 2], clients[1 - number % 2]
        name = f"u{number}"
        assert writer.put(f"/user-subscription/users/{name}", user(name)).status == 201
        assert reader.get(f"/user-subscription/users/{name}").json()["email"] == \
            f"{name}@example.org"


def test_revoked_key_is_refused_by_both_at_once(pair):
    first, second, key = pair
    row = first.run("apikey", "list").stdout.splitlines()[-1].split()[0]
    assert second.client(key).get("/user-subscription/users/u").status == 404
    assert first.run("apikey", "revoke", row).returncode == 0
    assert second.client(key).get("/user-subscription/users/u").status == 401
    assert first.client(key).get("/user-subscription/users/u").status == 401


def test_both_write_under_load_and_none_starves(pair):
    """Writers of both processes all the time: no refusal, both go on."""
    first, second, key = pair
    loads = [Load(first, key, clients=16, prefix="a"), Load(second, key, clients=16, prefix="b")]
    for load in loads:
        load.begin(3)
    for load in loads:
        load.end()
    counts = [len(load.acknowledged) for load in loads]
    assert [load.refused for load in loads] == [{}, {}]
    assert min(counts) > 0
    connection = sqlite3.connect(first.database)
    written = {row[0] for row in connection.execute("SELECT id FROM users")}
    connection.close()
    assert set(loads[0].acknowledged) | set(loads[1].acknowledged) <= written
    print(f"\nacknowledged by each: {counts}")


def test_lock_of_another_program_answers_in_time_and_stops_nothing_else(start_server, tmp_path):
    """Writes get their 503 at STORE_TIMEOUT, reads go on, and afterwards all is well."""
    server = start_server.ready(tmp_path, env={"STORE_TIMEOUT": "500ms"})
    client = server.client(server.make_key())
    assert client.put("/user-subscription/users/a", user("a")).status == 201
    holder = sqlite3.connect(server.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    begin = time.monotonic()
    answer = client.put("/user-subscription/users/b", user("b"))
    took = time.monotonic() - begin
    assert answer.status == 503
    assert answer.problem()["code"] == "store-unavailable"
    assert "retry-after" in answer.headers
    assert 0.3 < took < 3
    assert client.get("/user-subscription/users/a").status == 200
    assert client.get("/user-subscription/packages").status == 200
    holder.execute("ROLLBACK")
    holder.close()
    assert client.put("/user-subscription/users/b", user("b")).status == 201
    wait_for(lambda: client.get("/readyz").status == 200, what="/readyz")


def test_lock_of_another_program_does_not_hold_up_the_end(start_server, tmp_path):
    """SIGTERM while writes wait behind a lock: the process ends in its time."""
    server = start_server.ready(tmp_path, env={"STORE_TIMEOUT": "30s", "SHUTDOWN_TIMEOUT": "2s"})
    key = server.make_key()
    holder = sqlite3.connect(server.database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(
        server.client(key).put("/user-subscription/users/a", user("a"))))
    waiting.start()
    client = server.client()
    wait_for(lambda: 'lane_running{lane="sqlite-write"} 1' in
             client.get("/metrics").text.replace("tools_dashboard_", ""),
             what="the write under way")
    client.close()
    begin = time.monotonic()
    server.stop()  # with 0: ended by itself, before the time was over
    assert time.monotonic() - begin < 5
    waiting.join(timeout=5)
    assert [answer.status for answer in answers] == [503]
    holder.execute("ROLLBACK")
    holder.close()
