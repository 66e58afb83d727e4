"""How the process ends: what is in flight is answered, what was acknowledged is there, in time."""

import http.client
import signal
import socket
import sqlite3
import threading
import time

from conftest import LONG, wait_for
from page_client import Browser


def hold_database(path):
    """Another program's open write transaction: writes wait until it ends."""
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    return holder


def test_sigterm_when_idle(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    server.stop()
    assert "Stopped" in server.lines[-1]


def test_sigint_ends_it_too(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(timeout=20) == 0


def test_sigterm_with_requests_in_flight_loses_nothing(start_server, tmp_path):
    """Clients write as fast as they can; the signal comes in the middle. Whatever was answered
    with 201 is in the database, and every answer is whole: 201, or 503, or no connection."""
    for _ in range(5 if LONG else 2):
        folder = tmp_path / f"run-{time.monotonic_ns()}"
        folder.mkdir()
        server = start_server.ready(folder)
        key = server.make_key()
        acknowledged, strange = [], []

        def write(worker, server=server, key=key, acknowledged=acknowledged, strange=strange):
            client = server.client(key)
            for n in range(100000):
                name = f"u{worker}-{n}"
                user = {"email": f"{name}@example.com", "first_name": "A", "last_name": "B"}
                try:
                    reply = client.put(f"/user-subscription/users/{name}", user)
                except (OSError, Exception):  # pylint: disable=broad-except
                    return
                if reply.status == 201:
                    acknowledged.append(name)
                elif reply.status != 503:
                    strange.append(reply)
                if reply.headers.get("connection") == "close":
                    return

        workers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
        for worker in workers:
            worker.start()
        wait_for(lambda acknowledged=acknowledged: len(acknowledged) >= 100, 30)
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 9
        for worker in workers:
            worker.join(timeout=30)
        assert strange == []
        with sqlite3.connect(server.database) as database:
            stored = {row[0] for row in database.execute("SELECT id FROM users")}
        assert set(acknowledged) <= stored
        assert "Stopped" in server.lines[-1]


def send_put(server, key, name):
    """A request whose answer is read later."""
    body = f'{{"email":"{name}@example.com","first_name":"A","last_name":"B"}}'
    sock = socket.create_connection((server.host, server.port), timeout=30)
    sock.sendall((f"PUT /user-subscription/users/{name} HTTP/1.1\r\nHost: x\r\n"
                  f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\n\r\n{body}").encode())
    return sock


def waiting(server):
    """Operations that a lane holds, as /metrics tells."""
    text = server.client().get("/metrics").text
    return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if line.startswith(("tools_dashboard_lane_waiting{", "tools_dashboard_lane_running{")))


def test_a_request_that_waits_for_the_store_is_answered_before_the_end(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    key = server.make_key()
    holder = hold_database(server.database)
    sock = send_put(server, key, "late")
    wait_for(lambda: waiting(server) >= 1)
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "Received SIGTERM" in server.log)
    holder.execute("COMMIT")
    holder.close()
    assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")
    sock.close()
    assert server.process.wait(timeout=20) == 0
    with sqlite3.connect(server.database) as database:
        assert database.execute("SELECT count(*) FROM users WHERE id = 'late'").fetchone() == (1,)


def test_while_stopping_it_is_not_ready(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    key = server.make_key()
    kept = server.client()
    assert kept.get("/readyz").status == 200
    holder = hold_database(server.database)
    sock = send_put(server, key, "late")
    wait_for(lambda: waiting(server) >= 1)
    begun = b"GET /readyz?verbose HTTP/1.1\r\nHost: x\r\n"
    half = socket.create_connection((server.host, server.port), timeout=20)
    half.sendall(begun)
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "Received SIGTERM" in server.log)
    half.sendall(b"\r\n")
    answer = half.recv(65536)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 503 ")
    holder.execute("COMMIT")
    holder.close()
    assert sock.recv(65536).startswith(b"HTTP/1.1 201 ")
    assert server.process.wait(timeout=20) == 0


def test_shutdown_timeout_is_kept_when_the_store_hangs(start_server, tmp_path):
    server = start_server.ready(tmp_path, env={"SHUTDOWN_TIMEOUT": "1", "STORE_TIMEOUT": "20"})
    key = server.make_key()
    holder = hold_database(server.database)
    sock = send_put(server, key, "never")
    wait_for(lambda: waiting(server) >= 1)
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert sock.recv(65536).startswith(b"HTTP/1.1 503 ")
    assert server.process.wait(timeout=20) == 0
    assert time.monotonic() - begin < 3
    holder.execute("ROLLBACK")
    holder.close()
    sock.close()


def test_a_second_sigint_ends_it_at_once(start_server, tmp_path):
    server = start_server.ready(tmp_path, env={"SHUTDOWN_TIMEOUT": "30", "STORE_TIMEOUT": "25"})
    key = server.make_key()
    holder = hold_database(server.database)
    sock = send_put(server, key, "never")
    wait_for(lambda: waiting(server) >= 1)
    server.process.send_signal(signal.SIGINT)
    wait_for(lambda: "Received SIGINT" in server.log)
    begin = time.monotonic()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(timeout=20) == 128 + signal.SIGINT
    assert time.monotonic() - begin < 10
    holder.execute("ROLLBACK")
    holder.close()
    sock.close()


def test_sigterm_during_the_start(start_server, tmp_path):
    """The database is locked, so that the start cannot get on; the end comes all the same."""
    start_server.ready(tmp_path).stop()
    database = str(tmp_path / "tools-dashboard.db")
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    server = start_server(tmp_path, env={"SHUTDOWN_TIMEOUT": "1"}).wait_listening()
    wait_for(lambda: "Opening SQLite" in server.log)
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=20) in (0, 128 + signal.SIGTERM)
    assert time.monotonic() - begin < 6
    holder.close()


def test_shutdown_timeout_is_kept_while_a_password_is_hashed(start_server, tmp_path):
    """A row of somebody else's asks for as much work as is allowed: some seconds."""
    server = start_server.ready(tmp_path, env={"SHUTDOWN_TIMEOUT": "1"})
    with sqlite3.connect(server.database) as database:
        database.execute(
            "INSERT INTO users (id, email, first_name, last_name, password_hash) VALUES ('u', 'u@example.org', 'A', 'B',"
            " '$argon2id$v=19$m=1048576,t=4,p=1$c2FsdHNhbHRzYWx0c2FsdA$MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE')")
    database.close()

    def sign_in():
        try:
            Browser(server).sign_in("u@example.org")
        except (OSError, http.client.HTTPException):
            pass  # cut off

    waiter = threading.Thread(target=sign_in, daemon=True)
    waiter.start()
    wait_for(lambda: 'lane_running{lane="password-1"} 1' in server.client().get("/metrics").text)
    begin = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(timeout=20)
    assert time.monotonic() - begin < 3
    waiter.join(timeout=10)
