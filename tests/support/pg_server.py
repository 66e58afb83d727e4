"""A real PostgreSQL of the test's own, by pg_cluster.sh."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.parse

import psycopg2

HERE = os.path.dirname(os.path.abspath(__file__))


def _owned(*command):
    """The command as the servers' owner."""
    if os.getuid() != 0:
        return list(command)
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


def binary(name):
    root = "/usr/lib/postgresql"
    return os.path.join(root, max(os.listdir(root), key=int), "bin", name)


class PgServer:
    """One server; `options` hold until the next start."""

    def __init__(self, folder=None):
        self.folder = folder or tempfile.mkdtemp(prefix="td-pg-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        self.port = self.pid = None

    @property
    def data(self):
        return os.path.join(self.folder, "data")

    def _script(self, *args):
        done = subprocess.run(["sh", os.path.join(HERE, "pg_cluster.sh"), *args], check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    def start(self, *options):
        self.port, self.pid = map(int, self._script("start", self.folder, *options))
        return self

    def stop(self, mode="fast"):
        self._script("stop", self.folder, mode)

    def kill(self):
        """kill -9 of the postmaster and of all that belongs to it; returns when they are gone."""
        os.kill(self.pid, signal.SIGSTOP)  # so that nobody is born meanwhile
        pids = [self.pid, *self.children()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        end = time.monotonic() + 20
        while any(self._runs(pid) for pid in pids):
            assert time.monotonic() < end, "a killed server does not end"
            time.sleep(0.01)
        # Where nobody reaps it, a dead process still looks alive to the next server.
        os.unlink(os.path.join(self.data, "postmaster.pid"))
        os.unlink(os.path.join(self.folder, f".s.PGSQL.{self.port}.lock"))

    @staticmethod
    def _runs(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                return file.read().rpartition(")")[2].split()[0] not in "ZX"
        except OSError:
            return False

    def children(self):
        path = f"/proc/{self.pid}/task/{self.pid}/children"
        with open(path, encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]

    def signal_all(self, number):
        for pid in [self.pid, *self.children()]:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def connect(self, database="postgres", **more):
        parts = {"host": "127.0.0.1", "port": self.port, "user": "user", "password": "pass",
                 "dbname": database, "connect_timeout": 10, **more}
        connection = psycopg2.connect(**parts)
        connection.autocommit = True
        return connection

    def sql(self, text, database="postgres", args=None):
        connection = self.connect(database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(text, args)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def database(self, name):
        """A fresh, empty database."""
        self.sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        self.sql(f'CREATE DATABASE "{name}"')
        return name

    def standby(self):
        """A streaming standby of this server, not yet started."""
        other = PgServer()
        subprocess.run(
            _owned(binary("pg_basebackup"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "user",
                   "-D", other.data, "-R", "-X", "stream", "-c", "fast"),
            env={**os.environ, "PGPASSWORD": "pass"}, check=True, capture_output=True, timeout=60)
        return other

    def promote(self):
        subprocess.run(_owned(binary("pg_ctl"), "-D", self.data, "-w", "promote"), check=True,
                       capture_output=True, timeout=60)

    def remove(self):
        try:
            self.signal_all(signal.SIGCONT)
            self.stop("immediate")
        except (AssertionError, OSError):
            pass
        shutil.rmtree(self.folder, ignore_errors=True)


def url(port, database, user="user", password="pass", host="127.0.0.1", query=""):
    quote = lambda text: urllib.parse.quote(text, safe="")
    return f"postgresql://{quote(user)}:{quote(password)}@{host}:{port}/{database}{query}"
