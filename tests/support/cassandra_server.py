#!/usr/bin/env python3
"""Real Cassandra servers of the test's own: one node or several on loopback addresses of their own,
in a temporary folder, with small heaps, ended by their process ids.

usage: cassandra_server.py up [--nodes N] [--version 4.1|5.0] [--auth] [--tls]
       cassandra_server.py down

As a program it is `./dev db up cassandra` and `./dev db down`. The server is the one of Maven's
central repository, kept in build-dev/; CASSANDRA_CONTACT_POINTS names a running one instead.
"""

import argparse
import contextlib
import fcntl
import glob
import json
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

from cql_bytes import CqlClient, CqlError

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FILES = os.path.join(HERE, "cassandra_files")
VERSIONS = {"4.1": "4.1.9", "5.0": "5.0.5"}
HEAP_MB = {"4.1": 256, "5.0": 512}
READY_SECONDS = 120
PORT = 9042
USER = PASSWORD = "cassandra"
STORE_PASSWORD = "loopback"  # of the key store, which holds nothing but this folder's key


def jars(version):
    """The folder of the server's jars, fetched the first time."""
    folder = os.path.join(ROOT, "build-dev", f"cassandra-{VERSIONS[version]}")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    with open(folder + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.exists(os.path.join(folder, "complete")):
            print(f"fetching Cassandra {VERSIONS[version]}", file=sys.stderr, flush=True)
            done = subprocess.run(
                ["mvn", "-q", "-B", "-f", os.path.join(FILES, "pom.xml"),
                 "dependency:copy-dependencies", f"-DoutputDirectory={folder}",
                 f"-Dcassandra.version={VERSIONS[version]}"], stdin=subprocess.DEVNULL,
                capture_output=True, text=True, timeout=900, check=False)
            assert done.returncode == 0, "the server could not be fetched:\n" + done.stdout[-3000:]
            with open(os.path.join(folder, "complete"), "w", encoding="ascii"):
                pass
    return folder


def java():
    """Debian's Java 17, whatever else is on the PATH."""
    found = glob.glob("/usr/lib/jvm/java-17-openjdk-*/bin/java")
    return found[0] if found else "java"


def wait_until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
        time.sleep(0.05)


def _stat(path):
    """The fields of a process or thread from its state on; None: it has ended."""
    try:
        with open(f"{path}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields


def _born(pid):
    """When a running process was started, so that its number's next owner is not taken for it;
    None: it has ended."""
    fields = _stat(f"/proc/{pid}")
    return None if fields is None else int(fields[19])


def _is_stopped(pid):
    """Every thread of it: they stop one after the other."""
    threads = [_stat(f"/proc/{pid}/task/{thread}") for thread in os.listdir(f"/proc/{pid}/task")]
    return all(fields is None or fields[0] == "T" for fields in threads)


def _is_free(address, port):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address, port))
        except OSError:
            return False
    return True


def _free_port(addresses, first_choice):
    """One that is free on all of the addresses."""
    for port in [first_choice, *random.sample(range(20000, 32000), 100)]:
        if all(_is_free(address, port) for address in addresses):
            return port
    raise AssertionError(f"no port is free on {addresses}")


def openssl(*words):
    subprocess.run(["openssl", *words], stdin=subprocess.DEVNULL, capture_output=True, check=True,
                   timeout=60)


def make_key(key, certificate, addresses):
    """A key for the nodes at the addresses; its certificate is its own authority. Both are files."""
    names = ",".join(["DNS:localhost", *(f"IP:{address}" for address in addresses)])
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-keyout", key, "-out",
            certificate, "-subj", "/CN=localhost", "-addext", f"subjectAltName={names}")


class Node:
    """One server. What is changed of its addresses or of `commitlog` holds from the next start on.
    `public_address` is where clients are told to find it, for something that stands between."""

    def __init__(self, cluster, number, address):
        self.cluster, self.number, self.address = cluster, number, address
        self.public_address = None  # the address
        self.folder = os.path.join(cluster.folder, f"node{number}")
        self.commitlog = cluster.commitlog
        self.process = self.pid = self.born = None

    @property
    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def _token(self):
        count = self.cluster.count
        return (2 * self.number - 1) * 2**63 // count - 2**63

    def _settings(self):
        """What cassandra.yaml holds: JSON, which is YAML."""
        cluster = self.cluster
        folders = {name: os.path.join(self.folder, name) for name in (
            "commitlog", "saved_caches", "hints", "cdc_raw")}
        first = cluster.nodes[0].address
        settings = {
            "cluster_name": "tests", "num_tokens": 1, "initial_token": str(self._token()),
            "auto_bootstrap": False, "endpoint_snitch": "SimpleSnitch",
            "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
            "commitlog_sync": self.commitlog,
            "data_file_directories": [os.path.join(self.folder, "data")],
            **{f"{name}_directory": path for name, path in folders.items()},
            "seed_provider": [{
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": f"{first}:{cluster.storage_port}"}]}],
            "listen_address": self.address, "rpc_address": self.address,
            "storage_port": cluster.storage_port, "native_transport_port": cluster.port,
            "start_native_transport": True,
            "authenticator": "PasswordAuthenticator" if cluster.auth else "AllowAllAuthenticator",
            "authorizer": "CassandraAuthorizer" if cluster.auth else "AllowAllAuthorizer",
        }
        if self.public_address is not None:
            settings["broadcast_rpc_address"] = self.public_address
        if self.commitlog == "periodic":
            settings["commitlog_sync_period"] = "10000ms"
        if cluster.tls:
            settings["client_encryption_options"] = {
                "enabled": True, "optional": False, "keystore": cluster.path("keys.p12"),
                "keystore_password": STORE_PASSWORD, "store_type": "PKCS12"}
        return {**settings, **cluster.settings}

    def _command(self):
        cluster, library = self.cluster, jars(self.cluster.version)
        agent = next(name for name in os.listdir(library) if name.startswith("jamm-"))
        with open(os.path.join(FILES, "java17.options"), encoding="ascii") as file:
            options = [word for line in file if not line.startswith("#") for word in line.split()]
        heap = cluster.heap_mb
        return [java(), f"-javaagent:{os.path.join(library, agent)}", *options,
                f"-Xms{heap}m", f"-Xmx{heap}m", *cluster.java_options,
                f"-Dcassandra.ring_delay_ms={100 if cluster.count == 1 else 2000}",
                f"-Dcassandra.config=file://{self.folder}/cassandra.yaml",
                f"-Dcassandra.storagedir={self.folder}",
                f"-Dlogback.configurationFile={FILES}/logback.xml",
                f"-Djava.io.tmpdir={self.folder}", "-cp", os.path.join(library, "*"),
                "org.apache.cassandra.service.CassandraDaemon"]

    def begin(self):
        """Starts the process and does not wait for it."""
        assert not self.is_running(), f"the node {self.number} runs already"
        os.makedirs(self.folder, exist_ok=True)
        with open(os.path.join(self.folder, "cassandra.yaml"), "w", encoding="utf-8") as file:
            json.dump(self._settings(), file, indent=1)
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                self._command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True)
        self.pid, self.born = self.process.pid, _born(self.process.pid)
        self.cluster.save()  # so that `down` finds it even if `up` is ended meanwhile
        return self

    def start(self):
        return self.begin().wait_ready()

    def is_running(self):
        if self.process is not None and self.process.poll() is not None:
            return False
        return self.pid is not None and _born(self.pid) == self.born

    def answers(self):
        """Whether OPTIONS gets an answer."""
        assert self.is_running(), f"the node {self.number} ended:\n{self.log[-4000:]}"
        try:
            with self.client(start=False, timeout=5) as client:
                return "CQL_VERSION" in client.options()
        except (OSError, ConnectionError):
            return False

    def wait_ready(self):
        wait_until(self.answers, READY_SECONDS, f"the answer of the node {self.number}")
        return self

    def client(self, **more):
        """A plain client of this node (cql_bytes.py)."""
        cluster = self.cluster
        if cluster.auth:
            more = {"user": USER, "password": PASSWORD, **more}
        if cluster.tls:
            more["tls"] = ssl.create_default_context(cafile=cluster.path("ca.pem"))
        return CqlClient(self.address, cluster.port, **more)

    def sees(self, count):
        """Whether its tables list that many other nodes."""
        try:
            with self.client() as client:
                return len(client.query("SELECT peer FROM system.peers_v2")) == count
        except (OSError, ConnectionError, CqlError):
            return False

    def lists(self, other):
        """Whether its tables list the other node where it is now."""
        address = other.public_address or other.address
        with self.client() as client:
            rows = client.query("SELECT native_address FROM system.peers_v2")
        return (bytes(map(int, address.split("."))),) in rows

    def send(self, number):
        if self.is_running():
            os.kill(self.pid, number)

    def wait_gone(self):
        wait_until(lambda: not self.is_running(), 60, f"the end of the node {self.number}")

    def stop(self):
        self.send(signal.SIGTERM)
        self.wait_gone()

    def kill(self):
        """kill -9; returns when the process is gone."""
        self.send(signal.SIGKILL)
        self.wait_gone()

    def pause(self):
        """It hangs: connections stay open, nothing is answered."""
        self.send(signal.SIGSTOP)
        wait_until(lambda: _is_stopped(self.pid), 10, "that the process stands still")

    def resume(self):
        self.send(signal.SIGCONT)

    def restart(self):
        self.stop()
        return self.start()


class Cluster:
    """`count` nodes. `commitlog` is "periodic", or "batch": what was acknowledged survives kill -9.
    `java_options` come behind those of java17.options and overrule them; `settings` are more of
    cassandra.yaml.
    """

    def __init__(self, count=1, version="4.1", auth=False, tls=False, commitlog="periodic",
                 folder=None, heap_mb=None, java_options=(), settings=None):
        self.count, self.version, self.auth, self.tls = count, version, auth, tls
        self.commitlog, self.java_options = commitlog, java_options
        self.settings = settings or {}
        self.heap_mb = heap_mb or HEAP_MB[version] + (64 if count > 1 else 0)
        self.folder = folder or tempfile.mkdtemp(prefix="td-cassandra-", dir="/tmp")
        net = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}"
        addresses = [f"{net}.{number}" for number in range(1, count + 1)]
        self.port = _free_port(addresses, PORT)
        self.storage_port = _free_port(addresses, 7000)
        self.nodes = [Node(self, number, address)
                      for number, address in enumerate(addresses, 1)]

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def contact_points(self):
        return ",".join(f"{node.address}:{self.port}" for node in self.nodes)

    def _make_keys(self):
        key, ca = self.path("key.pem"), self.path("ca.pem")
        make_key(key, ca, [node.address for node in self.nodes])
        openssl("pkcs12", "-export", "-inkey", key, "-in", ca, "-out", self.path("keys.p12"),
                "-passout", f"pass:{STORE_PASSWORD}")

    def start(self):
        """The first node, then the others at once; returns when each sees all others."""
        if self.tls and not os.path.exists(self.path("keys.p12")):
            self._make_keys()
        begun = [node for node in self.nodes if not node.is_running()]
        for node in begun[:1]:
            node.start()
        for node in begun[1:]:
            node.begin()
        for node in self.nodes:
            node.wait_ready()
            wait_until(lambda node=node: node.sees(self.count - 1), READY_SECONDS,
                       f"that the node {node.number} sees all others")
        return self

    def agrees(self):
        """Whether all nodes that run have the same schema: until then a write to a new table can
        fail."""
        versions = set()
        for node in self.nodes:
            if node.is_running():
                with node.client() as client:
                    versions.update(client.query("SELECT schema_version FROM system.local"))
        return len(versions) == 1

    def stop(self):
        for node in self.nodes:
            node.resume()
            node.send(signal.SIGTERM)
        for node in self.nodes:
            node.wait_gone()

    def remove(self):
        """Ends all nodes at once and deletes their data."""
        for node in self.nodes:
            node.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- kept between two calls of the program ----

    def save(self):
        state = {"count": self.count, "version": self.version, "auth": self.auth, "tls": self.tls,
                 "port": self.port, "storage_port": self.storage_port,
                 "nodes": [[node.address, node.pid, node.born] for node in self.nodes]}
        with open(self.path("cluster.json"), "w", encoding="utf-8") as file:
            json.dump(state, file)

    @classmethod
    def load(cls, folder):
        """The one that save() kept in the folder; None: there is none."""
        try:
            with open(os.path.join(folder, "cluster.json"), encoding="utf-8") as file:
                state = json.load(file)
        except OSError:
            return None
        one = cls(state["count"], state["version"], state["auth"], state["tls"], folder=folder)
        one.port, one.storage_port = state["port"], state["storage_port"]
        for node, (address, pid, born) in zip(one.nodes, state["nodes"]):
            node.address, node.pid, node.born = address, pid, born
        return one


# ---- ./dev db ----------------------------------------------------------------------------------

def _folder():
    base = os.environ.get("TMPDIR", "/tmp")
    return os.path.join(base, f"tools-dashboard-cassandra-{os.getuid()}")


def _print_settings(cluster):
    print(f"CASSANDRA_CONTACT_POINTS={cluster.contact_points}")
    if cluster.auth:
        print(f"CASSANDRA_USER={USER}\nCASSANDRA_PASSWORD={PASSWORD}")
    if cluster.tls:
        print(f"CASSANDRA_TLS=verify-full\nCASSANDRA_TLS_CA={cluster.path('ca.pem')}")


def up(wanted):
    given = os.environ.get("CASSANDRA_CONTACT_POINTS")
    if given:
        print(f"CASSANDRA_CONTACT_POINTS={given}")
        return
    folder = _folder()
    cluster = Cluster.load(folder)
    if cluster is not None and wanted != (
            cluster.count, cluster.version, cluster.auth, cluster.tls):
        if any(node.is_running() for node in cluster.nodes):
            sys.exit("error: a Cassandra with other options runs: ./dev db down ends it")
        cluster = None
    if cluster is None:
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder, mode=0o700)
        count, version, auth, tls = wanted
        cluster = Cluster(count, version, auth, tls, folder=folder)
    try:
        cluster.start()
    except BaseException:
        cluster.stop()
        raise
    _print_settings(cluster)


def down():
    cluster = Cluster.load(_folder())
    if cluster is not None:
        cluster.stop()


@contextlib.contextmanager
def _one_at_a_time():
    with open(_folder() + ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main():
    parser = argparse.ArgumentParser(prog="./dev db")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("down")
    one = verbs.add_parser("up")
    one.add_argument("--nodes", type=int, default=1, choices=range(1, 6))
    one.add_argument("--version", default="4.1", choices=sorted(VERSIONS))
    one.add_argument("--auth", action="store_true")
    one.add_argument("--tls", action="store_true")
    args = parser.parse_args()
    try:
        with _one_at_a_time():
            if args.verb == "up":
                up((args.nodes, args.version, args.auth, args.tls))
            else:
                down()
    except AssertionError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
