"""Fixtures that start the real executable as a process and talk to it from outside.

TOOLS_DASHBOARD is the executable (default: build/tools-dashboard), TOOLS_DASHBOARD_RELEASE one
without sanitizers, for tests that measure. TD_LONG=1 runs what an issue names in full.
"""

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import uuid

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
LISTENING = re.compile(r"Listening on http://(\[[^\]]+\]|[^:]+):(\d+)")
START_SECONDS = 30
LONG = os.environ.get("TD_LONG") == "1"


def executable(release=False):
    plain = os.environ.get("TOOLS_DASHBOARD", os.path.join(ROOT, "build", "tools-dashboard"))
    path = os.environ.get("TOOLS_DASHBOARD_RELEASE", plain) if release else plain
    assert os.access(path, os.X_OK), f"{path} is not built"
    return path


def wait_for(condition, seconds=10, what="the condition"):
    """Polls until the condition gives something true, and gives it back."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
        time.sleep(0.005)


def clean_env(**more):
    """The environment without settings of whoever runs the tests."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS",
            "LSAN_OPTIONS")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env.update({name: str(value) for name, value in more.items()})
    return env


class Reply:
    """An answer: status, headers (names in lower case), body."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def text(self):
        return self.body.decode("utf-8")

    def json(self):
        return json.loads(self.body)

    def problem(self):
        """The body of a refusal, after a look at its form."""
        assert self.headers["content-type"] == "application/problem+json", self.text
        problem = self.json()
        assert problem["status"] == self.status
        assert problem["type"] == "/problems/" + problem["code"]
        assert problem["title"]
        return problem

    def __repr__(self):
        return f"Reply({self.status}, {self.body[:300]!r})"


class Client:
    """One kept connection."""

    def __init__(self, host, port, key=None, timeout=30):
        self.connection = http.client.HTTPConnection(host, port, timeout=timeout)
        self.key = key

    def request(self, method, path, body=None, headers=None, raw=False):
        """`body` is sent as JSON, or where `raw` as the bytes it is."""
        head = {}
        if self.key is not None:
            head["Authorization"] = "Bearer " + self.key
        if body is not None and not raw:
            body = json.dumps(body).encode()
        if body is not None:
            head["Content-Type"] = "application/json"
        head.update(headers or {})
        head = {name: value for name, value in head.items() if value is not None}
        self.connection.request(method, path, body=body, headers=head)
        answer = self.connection.getresponse()
        return Reply(answer.status, answer.getheaders(), answer.read())

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def put(self, path, body=None, **more):
        return self.request("PUT", path, body, **more)

    def post(self, path, body=None, **more):
        return self.request("POST", path, body, **more)

    def close(self):
        self.connection.close()


class Server:
    """A running process of ours; the folder is its working directory and holds its database."""

    def __init__(self, folder, command=("serve",), release=False, env=None, store=None):
        self.folder = str(folder)
        self.store = store  # a PgDatabase; None: the SQLite file in the folder
        if store is not None:
            env = {"DATABASE_URL": store.url, **(env or {})}
        self.env = clean_env(**{"PORT": 0, **(env or {})})
        self.release = release
        self.command = command
        self.lines = []
        self.host = self.port = None
        self.process = subprocess.Popen(
            [executable(release), *command], cwd=self.folder, env=self.env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            errors="replace")
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    @property
    def log(self):
        return "\n".join(self.lines)

    @property
    def database(self):
        return os.path.join(self.folder, "tools-dashboard.db")

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def _listening(self):
        for line in list(self.lines):
            found = LISTENING.search(line)
            if found:
                return found
        assert self.process.poll() is None, \
            f"ended with {self.process.returncode} before it listened:\n{self.log}"
        return None

    def wait_listening(self):
        found = wait_for(self._listening, START_SECONDS, "the line 'Listening on'")
        self.host, self.port = found.group(1).strip("[]"), int(found.group(2))
        return self

    def _ready(self):
        with socket.create_connection((self.host, self.port), timeout=5):
            pass
        client = self.client()
        try:
            return client.get("/readyz").status == 200
        finally:
            client.close()

    def wait_ready(self):
        self.wait_listening()
        wait_for(self._ready, START_SECONDS, "/readyz")
        return self

    def client(self, key=None, timeout=30):
        return Client(self.host, self.port, key, timeout)

    def run(self, *args):
        """A command beside the server, on the same database."""
        return subprocess.run([executable(self.release), *args], cwd=self.folder, env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              check=False)

    def sql(self, statement, *values):
        """The statement by another client, its values as ?; the rows that it gives."""
        if self.store is not None:
            return self.store.sql(statement.replace("%", "%%").replace("?", "%s"), values)
        connection = sqlite3.connect(self.database, timeout=10, isolation_level=None)
        try:
            return connection.execute(statement, values).fetchall()
        finally:
            connection.close()

    def dump(self):
        """All that the database holds, as text."""
        if self.store is not None:
            return self.store.dump()
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)
        try:
            return "\n".join(connection.iterdump())
        finally:
            connection.close()

    def make_key(self, name="test"):
        done = self.run("apikey", "create", "--name", name)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait(timeout=10)
        self.reader.join(timeout=10)

    def stop(self, expected=0):
        """SIGTERM; a sanitizer's finding shows in the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self.reader.join(timeout=10)
        assert code == expected, f"ended with {code}:\n{self.log}"


class Servers:
    """Starts processes and ends all that are left at the end of the test. Each folder has its
    database: a file in it, or one of `databases`."""

    def __init__(self, databases=None):
        self.all = []
        self.databases = databases

    def __call__(self, folder, **more):
        if self.databases is not None:
            more = {"store": self.databases.of(folder), **more}
        server = Server(folder, **more)
        self.all.append(server)
        return server

    def ready(self, folder, **more):
        return self(folder, **more).wait_ready()

    def end(self):
        failed = None
        for server in self.all:
            if server.process.returncode is not None:
                continue
            try:
                server.stop()
            except (AssertionError, subprocess.TimeoutExpired) as error:
                failed = failed or error
        if failed:
            raise failed


def pytest_generate_tests(metafunc):
    """A file with BOTH_STORES = True runs on SQLite and on a real PostgreSQL."""
    if getattr(metafunc.module, "BOTH_STORES", False):
        if "store" not in metafunc.fixturenames:
            metafunc.fixturenames.append("store")
        metafunc.parametrize("store", ["sqlite", "postgresql"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def store(request):
    """None for SQLite, else the databases by folder."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return None
    return PgDatabases(request.getfixturevalue("pg"))


@pytest.fixture
def start_server(store):
    """start_server.ready(folder, env={…}) starts one; start_server(folder) does not wait."""
    servers = Servers(store)
    yield servers
    servers.end()


class PgDatabase:
    """An empty database on a real PostgreSQL, seen through somebody else's client."""

    def __init__(self, pg, name):
        self.pg, self.name = pg, pg.database(name)
        self.url = f"postgresql://user:pass@127.0.0.1:{pg.port}/{self.name}"

    def sql(self, text, args=None):
        return self.pg.sql(text, self.name, args)

    def column(self, text, args=None):
        return [row[0] for row in self.sql(text, args)]

    def connect(self):
        return self.pg.connect(self.name)

    def dump(self):
        """All that it holds, as text."""
        return subprocess.run(["pg_dump", self.url], capture_output=True, text=True, timeout=60,
                              check=True).stdout


class PgDatabases:
    """A database for each folder, made when it is first asked for."""

    def __init__(self, pg):
        self.pg = pg
        self.by_folder = {}

    def of(self, folder):
        if str(folder) not in self.by_folder:
            self.by_folder[str(folder)] = PgDatabase(self.pg, "test_" + uuid.uuid4().hex[:12])
        return self.by_folder[str(folder)]


@pytest.fixture(scope="session")
def pg():
    """One PostgreSQL for all tests that leave it running."""
    from pg_server import PgServer
    one = PgServer()
    try:
        yield one.start("max_connections=200")
    finally:
        one.remove()


@pytest.fixture
def pg_database(pg):
    """pg_database.url leads to a database of the test's own."""
    return PgDatabase(pg, "test_" + uuid.uuid4().hex[:12])


@pytest.fixture(scope="module")
def server(tmp_path_factory, store):
    """One server for all tests of a file that need nothing special."""
    servers = Servers(store)
    yield servers.ready(tmp_path_factory.mktemp("server"))
    servers.end()


@pytest.fixture(scope="module")
def api_key(server):
    return server.make_key()


@pytest.fixture
def client(server, api_key):
    """A client with a key."""
    client = server.client(api_key)
    yield client
    client.close()


@pytest.fixture
def anonymous(server):
    """A client without one."""
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def unique():
    """unique() is a word that no other test uses."""
    return lambda: uuid.uuid4().hex[:12]
