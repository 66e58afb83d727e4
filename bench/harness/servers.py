"""Starting and ending us and the peers, each on a free port of loopback, from a scratch folder."""

import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

PACKAGES = "/user-subscription/packages"
POSTGRES_BIN = "/usr/lib/postgresql/15/bin"
READY_WITHIN = 20.0


class BenchError(Exception):
    """The measurement cannot be made; the text says why and what to do."""


def find_program(name):
    """Its path; some of Debian's servers are not on everybody's PATH."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        raise BenchError(f"{name} is missing: install what [bench] in tools/packages.txt names")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read(), answer.headers


def wait_until(condition, what, process=None, within=READY_WITHIN):
    """Polls until condition() gives something true."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise BenchError(f"{what}: the process ended with {process.returncode}")
        try:
            value = condition()
            if value:
                return value
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.02)
    raise BenchError(f"{what}: not within {within:.0f} s")


class Server:
    """A process that serves HTTP; `roots` are the processes whose time counts, with all below."""

    name = "server"

    def __init__(self):
        self.process = None
        self.port = 0
        self.beside = []  # other servers that are part of this side (a database)

    @property
    def roots(self):
        return [self.process.pid] + [root for server in self.beside for root in server.roots]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self):
        wait_until(lambda: get(self.url + PACKAGES), f"{self.name} does not answer", self.process)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Ours(Server):
    """`tools-dashboard serve` on a database file of its own."""

    name = "tools-dashboard"

    def __init__(self, executable, folder, preload=None, port=0, settings=None, beside=()):
        super().__init__()
        self.beside = list(beside)
        self.executable = executable
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.database = os.path.join(folder, "tools-dashboard.db")
        self.log = os.path.join(folder, "serve.log")
        self.environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": "sqlite:///" + self.database,
            "PORT": str(port),
        } | (settings or {})
        self.preload = preload

    def command(self, *arguments):
        done = subprocess.run(
            [self.executable, *arguments], env=self.environment, cwd=self.folder,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise BenchError(f"tools-dashboard {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout.strip()

    def start(self):
        environment = dict(self.environment)
        if self.preload:
            environment["LD_PRELOAD"] = self.preload
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [self.executable, "serve"], env=environment, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.port = wait_until(self.read_port, "tools-dashboard does not listen", self.process)
        self.wait_ready()
        return self

    def read_port(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            found = re.search(r"Listening on http://\S*:(\d+)", log.read())
        return int(found.group(1)) if found else None

    def make_key(self):
        return self.command("apikey", "create", "--name", "bench")

    def resident_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmRSS:\s+(\d+) kB", status.read()).group(1)) / 1024


# Headers that nginx makes itself.
NGINX_OWN = {
    "connection", "date", "server", "content-type", "content-length", "last-modified", "etag",
    "accept-ranges", "keep-alive",
}  # fmt: skip

NGINX_CONF = """{user}worker_processes {workers};
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    server_tokens off;
    keepalive_requests 1000000000;
    sendfile {sendfile};
    {tuning}
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/www;
        default_type "{content_type}";
        {headers}
    }}
}}
"""


class Nginx(Server):
    """Debian's nginx with the same bytes as a file, and the same headers but those of its own."""

    def __init__(self, folder, name, workers, tuned, body, headers):
        super().__init__()
        self.name = name
        self.folder = folder
        self.port = free_port()
        self.settings = {
            "workers": workers,
            "access_log": "off",
            "sendfile": "off" if tuned else "on",
            "tcp_nopush": "off" if tuned else "on",
            "open_file_cache": "max=100 inactive=1h, valid 1h" if tuned else "off",
        }
        tuning = "open_file_cache max=100 inactive=1h; open_file_cache_valid 1h;"
        self.write(workers, tuning if tuned else "tcp_nopush on;", tuned, body, headers)

    def write(self, workers, tuning, tuned, body, headers):
        path = f"{self.folder}/www{PACKAGES}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(body)
        lines = [
            'add_header {} "{}";'.format(name, value.replace('"', '\\"'))
            for name, value in headers.items()
            if name.lower() not in NGINX_OWN
        ]
        with open(f"{self.folder}/nginx.conf", "w", encoding="utf-8") as file:
            file.write(
                NGINX_CONF.format(
                    user="user root;\n" if os.getuid() == 0 else "",
                    workers=workers,
                    folder=self.folder,
                    port=self.port,
                    sendfile="off" if tuned else "on",
                    tuning=tuning,
                    content_type=headers.get("Content-Type", "application/json"),
                    headers="\n        ".join(lines),
                )
            )

    def start(self):
        self.process = subprocess.Popen(
            [find_program("nginx"), "-c", f"{self.folder}/nginx.conf", "-p", self.folder, "-e", f"{self.folder}/error.log"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.wait_ready()
        return self


SCHEMA = """
CREATE TABLE subscription_packages (
    id text PRIMARY KEY, slug text NOT NULL UNIQUE, name text NOT NULL, description text NOT NULL,
    price_monthly {money} NOT NULL, price_yearly {money} NOT NULL, currency text NOT NULL,
    rate_limit_per_hour integer NOT NULL, rate_limit_per_day integer NOT NULL,
    display_order integer NOT NULL, is_active {boolean} NOT NULL);
CREATE TABLE subscription_package_metadata (
    package_slug text NOT NULL, key text NOT NULL, value text NOT NULL,
    PRIMARY KEY (package_slug, key));
CREATE TABLE subscription_features (
    package_slug text NOT NULL, feature_id text NOT NULL, name text NOT NULL, description text,
    included {boolean} NOT NULL, icon text, category text, display_order integer NOT NULL,
    PRIMARY KEY (package_slug, feature_id));
"""


def quote(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, (int, float)):
        return str(value)
    return "'" + value.replace("'", "''") + "'"


def catalogue_sql(packages, kind):
    """The catalogue that we answered with, as tables of a peer's database."""
    types = {"postgres": ("numeric(12,2)", "boolean"), "sqlite": ("integer", "integer")}[kind]
    statements = [SCHEMA.format(money=types[0], boolean=types[1])]

    def insert(table, *values):
        statements.append(f"INSERT INTO {table} VALUES ({', '.join(map(quote, values))});")

    for package in packages:
        prices = [package["price_monthly"], package["price_yearly"]]
        if kind == "sqlite":
            prices = [round(price * 100) for price in prices]
        insert(
            "subscription_packages", package["id"], package["slug"], package["name"],
            package["description"], *prices, package["currency"], package["rate_limit_per_hour"],
            package["rate_limit_per_day"], package["display_order"], True,
        )  # fmt: skip
        for key, value in package["metadata"].items():
            insert("subscription_package_metadata", package["slug"], key, value)
        for order, feature in enumerate(package["features"]):
            insert(
                "subscription_features", package["slug"], feature["id"], feature["name"],
                feature["description"], feature["included"], feature["icon"], feature["category"], order,
            )  # fmt: skip
    return "\n".join(statements)


class Postgres(Server):
    """A private cluster with Debian's programs and PostgreSQL's defaults, but for `settings`."""

    name = "PostgreSQL"

    def __init__(self, folder, settings=()):
        super().__init__()
        self.folder = folder
        self.settings = ["listen_addresses=127.0.0.1", "max_connections=200", *settings]
        self.port = free_port()
        # The server refuses to run as root.
        self.user = "postgres" if os.getuid() == 0 else None
        os.makedirs(folder)
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)

    def run(self, *command, text=None):
        done = subprocess.run(
            command, input=text, user=self.user, group=self.user, extra_groups=[] if self.user else None,
            cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise BenchError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    @property
    def dsn(self):
        return f"postgresql://bench@127.0.0.1:{self.port}/postgres"

    def start(self, packages=None):
        """With the packages' tables for a peer, or with an empty database."""
        data = f"{self.folder}/data"
        self.run(f"{POSTGRES_BIN}/initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8",
            "--no-locale")  # fmt: skip
        self.process = subprocess.Popen(
            [f"{POSTGRES_BIN}/postgres", "-D", data, "-p", str(self.port), "-k", self.folder,
             *(word for setting in self.settings for word in ("-c", setting))],
            user=self.user, group=self.user, extra_groups=[] if self.user else None, cwd=self.folder,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        def is_ready():
            return subprocess.run(
                [f"{POSTGRES_BIN}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            ).returncode == 0  # fmt: skip

        wait_until(is_ready, "PostgreSQL does not answer", self.process)
        if packages is not None:
            self.sql(catalogue_sql(packages, "postgres") + "\nVACUUM ANALYZE;")
        return self

    def sql(self, text):
        """What psql prints, tuples only."""
        return self.run("psql", "-qAt", "-v", "ON_ERROR_STOP=1", self.dsn, text=text)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)  # fast: ends the sessions
            self.process.wait(timeout=30)


class FastApi(Server):
    """bench/peers/fastapi_app.py under uvicorn: uvloop, httptools, 2 workers, no access log."""

    def __init__(self, python, app_folder, name, database, beside=()):
        super().__init__()
        self.name = name
        self.python = python
        self.app_folder = app_folder
        self.database = database
        self.beside = list(beside)
        self.port = free_port()
        self.settings = {"workers": 2, "loop": "uvloop", "http": "httptools", "access_log": "off"}

    def start(self):
        self.process = subprocess.Popen(
            [self.python, "-m", "uvicorn", "fastapi_app:app", "--host", "127.0.0.1",
             "--port", str(self.port), "--workers", "2", "--loop", "uvloop", "--http", "httptools",
             "--no-access-log", "--log-level", "warning"],
            cwd=self.app_folder, env=dict(os.environ, BENCH_DATABASE=self.database),
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.wait_ready()
        return self


def same_packages(body, other):
    """Whether two answers say the same, whatever their spacing and order of keys."""
    return json.loads(body) == json.loads(other)
