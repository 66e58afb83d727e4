"""How the process starts: what it says and in which order, what it leaves behind, how fast."""

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import time

import pytest

from conftest import LONG, clean_env, executable, wait_for

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z ")
MIGRATIONS = ["001_users.sql", "002_subscription_packages.sql", "003_user_subscriptions.sql",
              "004_keys_and_answers.sql", "005_selling.sql", "006_subscriptions_of_a_user.sql"]


def messages(server):
    """The lines without their times and without what depends on the machine's limits."""
    lines = [TIME.sub("", line) for line in server.lines]
    return [line for line in lines if not line.startswith("warning: HTTP_MAX_CONNECTIONS")]


def test_first_start_says_each_step_in_order(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    wait_for(lambda: "initialized" in server.log)
    lines = messages(server)
    assert lines[0] == f"Listening on {server.url}"
    assert lines[1] == "Opening SQLite database at tools-dashboard.db"
    assert lines[2] == f"Running {len(MIGRATIONS)} migration files..."
    steps = [step for name in MIGRATIONS for step in
             (f"Executing migration: {name}", f"Migration {name} completed successfully")]
    assert lines[3:3 + len(steps)] == steps
    assert lines[3 + len(steps):] == [
        "SQLite database opened successfully", "Populating subscription packages...",
        "Upserted package: free - Free", "Upserted package: standard - Standard",
        "Upserted package: premium - Premium", "Upserted package: enterprise - Enterprise",
        "SQLite service initialized successfully"]


def test_later_start_changes_nothing(start_server, tmp_path):
    start_server.ready(tmp_path).stop()
    server = start_server.ready(tmp_path)
    wait_for(lambda: "initialized" in server.log)
    lines = messages(server)
    assert f"Schema is up to date ({len(MIGRATIONS)} migrations)" in lines
    assert "Found 4 existing subscription packages, skipping population" in lines
    assert not [line for line in lines if "Executing" in line or "Upserted" in line]
    assert lines[-1] == "SQLite service initialized successfully"


def test_stopping_leaves_one_file_for_its_owner_alone(start_server, tmp_path):
    start_server.ready(tmp_path).stop()
    assert [path.name for path in tmp_path.iterdir()] == ["tools-dashboard.db"]
    assert stat.S_IMODE((tmp_path / "tools-dashboard.db").stat().st_mode) == 0o600


def test_http_answers_before_the_database_does(start_server, tmp_path):
    """A locked database: HTTP is there, says why it is not ready, and becomes ready."""
    start_server.ready(tmp_path).stop()
    database = tmp_path / "tools-dashboard.db"
    holder = subprocess.Popen(
        ["/usr/bin/python3", "-c", "import sqlite3, sys\n"
         "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
         "c.execute('PRAGMA locking_mode=EXCLUSIVE'); c.execute('BEGIN EXCLUSIVE')\n"
         "print('held', flush=True); sys.stdin.read()", str(database)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        server = start_server(tmp_path, env={"STORE_TIMEOUT": "25"}).wait_listening()
        client = server.client()
        live = client.get("/livez")
        assert (live.status, live.json()) == (200, {"status": "live"})
        # The starter's thread says so a moment after HTTP listens.
        wait_for(lambda: client.get("/readyz").json()["reason"] == "the database is being opened")
        ready = client.get("/readyz?verbose")
        assert ready.status == 503
        assert ready.json()["status"] == "unready"
        assert ready.json()["checks"]["sqlite"]["status"] == "connecting"
        assert int(ready.headers["retry-after"]) >= 1
        refused = client.get("/user-subscription/packages")
        assert (refused.status, refused.problem()["code"]) == (503, "store-unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        page = client.get("/pricing", headers={"Accept": "text/html"})
        assert page.status == 503
        assert page.headers["content-type"].startswith("text/html")
        assert int(page.headers["retry-after"]) >= 1
        assert client.get("/metrics").status == 200
        assert server.run("healthcheck", "--port", str(server.port)).returncode == 1
    finally:
        holder.stdin.close()
        holder.wait(timeout=10)
    server.wait_ready()
    assert server.client().get("/user-subscription/packages").status == 200
    assert server.client().get("/readyz").json() == {"status": "ready"}


def test_health_bodies(server, anonymous):
    for path in ("/readyz?verbose", "/health", "/user-subscription/health"):
        reply = anonymous.get(path)
        assert reply.status == 200
        body = reply.json()
        assert body["status"] == "ready"
        assert set(body["checks"]) == {"sqlite", "catalogue"}
        assert set(body["checks"]["sqlite"]) == {"status", "since", "last_error", "next_attempt_in"}
        assert body["checks"]["sqlite"]["status"] == "up"
        assert body["checks"]["catalogue"]["source"] == "sqlite"
        assert body["checks"]["catalogue"]["age_seconds"] <= 10
        assert reply.headers["cache-control"] == "no-store"
    assert anonymous.request("HEAD", "/livez").status == 200
    assert server.port


def test_metrics_are_prometheus_text(anonymous):
    anonymous.get("/user-subscription/packages")
    reply = anonymous.get("/metrics")
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    sample = re.compile(r'^([a-z_:]+)(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+(Inf)?$')
    families, seen = {}, set()
    for line in reply.text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in families, f"{name} is there twice"
            families[name] = kind
        elif not line.startswith("#"):
            found = sample.match(line)
            assert found, line
            base = re.sub(r"_(bucket|sum|count)$", "", found.group(1))
            assert found.group(1) in families or base in families, line
            assert line.rsplit(" ", 1)[0] not in seen
            seen.add(line.rsplit(" ", 1)[0])
    for name in ("tools_dashboard_build_info", "process_cpu_seconds_total",
                 "process_resident_memory_bytes", "process_open_fds", "process_start_time_seconds",
                 "http_server_requests_total", "http_server_request_duration_seconds",
                 "tools_dashboard_lane_waiting", "tools_dashboard_lane_batch_size",
                 "tools_dashboard_lane_refused_total", "tools_dashboard_lane_expired_total",
                 "tools_dashboard_store_up", "tools_dashboard_catalogue_age_seconds"):
        assert name in families, name


def test_metrics_from_elsewhere_need_a_key(start_server, tmp_path):
    server = start_server.ready(tmp_path, env={"TRUSTED_PROXIES": "127.0.0.1"})
    client = server.client()
    elsewhere = {"X-Forwarded-For": "203.0.113.9"}
    assert client.get("/metrics").status == 200
    refused = client.get("/metrics", headers=elsewhere)
    assert refused.status == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")
    with_key = server.client(server.make_key())
    reply = with_key.get("/metrics", headers=elsewhere)
    assert reply.status == 200 and "tools_dashboard_ready 1" in reply.text


def test_metrics_behind_a_proxy_that_nobody_told_us_of(anonymous):
    assert anonymous.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status == 401


def test_a_port_in_use_is_named_with_the_way_out(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = subprocess.run([executable(), "serve"], cwd=tmp_path, env=clean_env(PORT=port),
                              capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert f"port {port} on 127.0.0.1 is in use" in done.stderr
    assert "PORT=" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_not_ours(tmp_path):
    done = subprocess.run([executable(), "serve"], cwd=tmp_path,
                          env=clean_env(PORT=0, HOST="192.0.2.1"), capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 1
    assert "192.0.2.1 is no address of this machine" in done.stderr


def test_the_executable_alone_in_another_folder(start_server, tmp_path, monkeypatch):
    home = tmp_path / "bin"
    home.mkdir()
    copy = shutil.copy(executable(), home / "td")
    monkeypatch.setenv("TOOLS_DASHBOARD", str(copy))
    server = start_server.ready(home)
    client = server.client()
    assert len(client.get("/user-subscription/packages").json()) == 4
    assert client.get("/pricing").status == 200
    server.stop()
    assert sorted(path.name for path in home.iterdir()) == ["td", "tools-dashboard.db"]


@pytest.mark.parametrize("env", [{"container": "podman"}, {"JOURNAL_STREAM": "9:1"}])
def test_no_time_where_the_collector_puts_one(start_server, tmp_path, env):
    server = start_server.ready(tmp_path, env=env)
    server.stop()
    assert server.lines and not [line for line in server.lines if TIME.match(line)]


def test_a_time_before_each_line_unless_in_a_container(start_server, tmp_path):
    server = start_server.ready(tmp_path)
    server.stop()
    collected = os.path.exists("/.dockerenv") or os.path.exists("/run/.containerenv")
    assert {bool(TIME.match(line)) for line in server.lines} == {not collected}


def test_json_lines(start_server, tmp_path):
    server = start_server(tmp_path, env={"LOG_FORMAT": "json"}).wait_ready()
    server.stop()
    rows = [json.loads(line) for line in server.lines]
    for row in rows:
        assert list(row)[:4] == ["time", "level", "message", "event"]
        assert TIME.match(row["time"] + " ")
        assert row["level"] in ("debug", "info", "warning", "error")
    assert "http.listening" in [row["event"] for row in rows]


def test_log_level_leaves_lines_out(start_server, tmp_path):
    server = start_server(tmp_path, env={"LOG_LEVEL": "error", "PORT": free_port()})
    server.host, server.port = "127.0.0.1", int(server.env["PORT"])
    wait_for(lambda: connects(server.port))
    server.stop()
    assert server.lines == []


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False


def test_systemd_is_told(start_server, tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(20)
        folder = tmp_path / "run"
        folder.mkdir()
        server = start_server.ready(folder, env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "200000"})
        told = ""
        while "READY=1" not in told or "WATCHDOG=1" not in told:
            told += listener.recv(4096).decode() + "\n"
        server.stop()
        while "STOPPING=1" not in told:
            told += listener.recv(4096).decode() + "\n"


def test_a_broken_template_folder_is_a_wrong_setting(tmp_path):
    folder = tmp_path / "templates"
    folder.mkdir()
    (folder / "pricing.html").write_text("{{#open}}")
    done = subprocess.run([executable(), "serve"], cwd=tmp_path,
                          env=clean_env(PORT=0, TEMPLATES_DIR=folder), capture_output=True,
                          text=True, timeout=30, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr.count("error: ") == 1
    assert not (tmp_path / "tools-dashboard.db").exists()


def cpu_ms(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat_file:
        fields = stat_file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def start_and_ask(start_server, folder):
    """Milliseconds from exec to the first 200, the processor's time of them, the server."""
    port = free_port()
    begin = time.monotonic()
    server = start_server(folder, release=True, env={"PORT": port})
    server.host, server.port = "127.0.0.1", port
    wait_for(lambda: connects(port))
    wait_for(lambda: server.client().get("/user-subscription/packages").status == 200)
    return (time.monotonic() - begin) * 1000, cpu_ms(server.process.pid), server


def test_exec_to_first_200_and_memory(start_server, tmp_path):
    """At most 50 ms after the first run, of which the processor's share is looked at here, since
    others use the machine too; at most 15 MiB after 10,000 requests."""
    start_server.ready(tmp_path, release=True).stop()
    runs = []
    for _ in range(7):
        wall, cpu, server = start_and_ask(start_server, tmp_path)
        runs.append((wall, cpu))
        if len(runs) < 7:
            server.stop()
    wall, cpu = min(runs)[0], sorted(run[1] for run in runs)[3]
    client = server.client()
    for _ in range(10000):
        assert client.get("/user-subscription/packages").status == 200
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as status:
        resident = int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) / 1024
    print(f"exec to first 200: {wall:.0f} ms (best of 7), {cpu:.0f} ms of processor (median); "
          f"resident after 10,000 requests: {resident:.1f} MiB")
    assert cpu <= 50
    assert wall <= (50 if LONG else 1000)
    assert resident <= 15
