"""Cassandra's password, and the key of our certificate, come out nowhere: on a real node that asks for
both a password and TLS, while all is well, while it is away, and with everything that may be set wrong."""

import concurrent.futures
import os
import socket
import subprocess
import sys

import pytest

from conftest import ROOT, clean_env, executable, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
# pylint: disable=wrong-import-position
import cassandra_server  # noqa: E402
from hidden import PARTS, SECRET, clean, command_lines, lines_of  # noqa: E402

COMMANDS = (("config",), ("config", "--json"), ("doctor",), ("doctor", "--json"), ("migrate", "status"),
            ("migrate", "--dry-run"), ("populate",), ("catalogue", "export"), ("healthcheck",))
STARTS = (("back-cassandra",), ("serve",), ("back-api",), ("migrate",), ("catalogue", "export"),
          ("doctor",), ("config",))
LOOKED_AT = ("/readyz?verbose", "/livez", "/health", "/user-subscription/health", "/metrics", "/pricing",
             "/user-subscription/packages", "/openapi.json")


@pytest.fixture(scope="module")
def cluster():
    """The role `keeper` has the secret as its password."""
    one = cassandra_server.Cluster(1, auth=True, tls=True)
    try:
        one.start()
        with one.nodes[0].client() as client:
            quoted = SECRET.replace("'", "''")
            client.query(f"CREATE ROLE keeper WITH PASSWORD = '{quoted}' AND LOGIN = true "
                         "AND SUPERUSER = true")
        yield one
    finally:
        one.remove()


@pytest.fixture(scope="module")
def keys(cluster):
    """Two pairs for clients: (key, certificate), files in the cluster's folder."""
    pairs = []
    for name in ("ours", "others"):
        pair = cluster.path(name + "-key.pem"), cluster.path(name + ".pem")
        cassandra_server.make_key(*pair, [cluster.nodes[0].address])
        pairs.append(pair)
    return pairs


@pytest.fixture
def parts(keys):
    """What must not be seen."""
    found = set(PARTS)
    for key, _ in keys:
        with open(key, encoding="ascii") as file:
            found |= lines_of(file.read())
    return found


@pytest.fixture
def env(cluster, keys, pg_database, unique):
    """What leads to both databases."""
    return {"DATABASE_URL": pg_database.url, "CASSANDRA_CONTACT_POINTS": cluster.contact_points,
            "CASSANDRA_KEYSPACE": "t_" + unique(), "CASSANDRA_TLS": "verify-full",
            "CASSANDRA_TLS_CA": cluster.path("ca.pem"), "CASSANDRA_TLS_KEY": keys[0][0],
            "CASSANDRA_TLS_CERT": keys[0][1], "CASSANDRA_USER": "keeper",
            "CASSANDRA_PASSWORD": SECRET, "STORE_TIMEOUT": 30, "LOG_LEVEL": "debug"}


def away(client):
    return client.get("/health").json()["checks"]["cassandra"]["status"] == "down"


@pytest.mark.parametrize("form, given", [("text", "value"), ("json", "file")])
def test_services_show_it_nowhere(start_server, tmp_path, cluster, env, parts, form, given):
    if given == "file":
        path = tmp_path / "secret"
        path.write_text(SECRET + "\n", encoding="utf-8")
        del env["CASSANDRA_PASSWORD"]
        env["CASSANDRA_PASSWORD_FILE"] = path
    node = cluster.nodes[0]
    env = {**env, "LOG_FORMAT": form, "CONNECT_TIMEOUT": 2, "CATALOGUE_REFRESH": "200ms"}
    servers = [start_server.ready(tmp_path, command=(command,), env=env)
               for command in ("back-cassandra", "serve")]
    texts = [command_lines(server.process.pid) for server in servers]
    texts += [done.stdout + done.stderr for done in (servers[1].run(*words) for words in COMMANDS)]
    try:
        node.kill()
        wait_for(lambda: away(servers[1].client()), 30, "the loss")
        for server in servers:
            texts += [server.client().get(path).text for path in LOOKED_AT]
        done = servers[1].run("doctor")
        assert "cassandra.tcp" in done.stdout
        texts.append(done.stdout + done.stderr)
    finally:
        node.start()
    wait_for(lambda: not away(servers[1].client()), 60, "the way back")
    for server in servers:
        texts += [server.client().get(path).text for path in LOOKED_AT]
        server.stop()
        texts.append(server.log)
    for text in texts:
        clean(text, text[:60], parts)


def closed_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def written(folder, text):
    path = folder / "given"
    path.write_text(text, encoding="utf-8")
    return path


# name: (settings beside the right ones, the code that a service ends with)
WRONG = {
    "password": (lambda keys, folder: {"CASSANDRA_PASSWORD": SECRET + "x"}, 4),
    "no-user": (lambda keys, folder: {"CASSANDRA_USER": ""}, 3),
    "unreachable": (lambda keys, folder: {"CASSANDRA_CONTACT_POINTS": f"127.0.0.1:{closed_port()}"}, 4),
    "unknown-host": (lambda keys, folder: {"CASSANDRA_CONTACT_POINTS": "no-such-host.invalid"}, 4),
    "no-tls": (lambda keys, folder: {"CASSANDRA_TLS": "disable", "CASSANDRA_TLS_CA": "",
                                     "CASSANDRA_TLS_KEY": "", "CASSANDRA_TLS_CERT": ""}, 4),
    "authority": (lambda keys, folder: {"CASSANDRA_TLS_CA": keys[1][1]}, 4),
    "key-of-another": (lambda keys, folder: {"CASSANDRA_TLS_KEY": keys[1][0]}, 3),
    "key-that-is-none": (lambda keys, folder: {"CASSANDRA_TLS_KEY": written(folder, SECRET)}, 3),
    "key-as-certificate": (lambda keys, folder: {"CASSANDRA_TLS_CERT": keys[0][0]}, 3),
    "key-as-authority": (lambda keys, folder: {"CASSANDRA_TLS_CA": keys[0][0]}, 3),
    "file-of-two-lines": (lambda keys, folder: {
        "CASSANDRA_PASSWORD": "", "CASSANDRA_PASSWORD_FILE": written(folder, SECRET + "\n" + SECRET)}, 3),
    "file-and-value": (lambda keys, folder: {
        "CASSANDRA_PASSWORD_FILE": written(folder, SECRET)}, 3),
    "url": (lambda keys, folder: {
        "CASSANDRA_CONTACT_POINTS": f"cassandra://keeper:{SECRET}@127.0.0.1:9042"}, 3),
    "part-of-a-url": (lambda keys, folder: {
        "CASSANDRA_CONTACT_POINTS": f"keeper:{SECRET}@127.0.0.1"}, 3),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_failure_shows_it_nowhere(tmp_path, env, keys, parts, name):
    make, code = WRONG[name]
    env = clean_env(**{**env, **make(keys, tmp_path), "CONNECT_MAX_RETRIES": 0, "CONNECT_TIMEOUT": 2,
                       "PORT": 0})

    def run(words):
        return subprocess.run([executable(), *words], cwd=tmp_path, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120, check=False, env=env)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        ended = list(zip(STARTS, pool.map(run, STARTS)))
    for words, done in ended:
        clean(done.stdout + done.stderr, f"{' '.join(words)} with {name}", parts)
    codes = {words[0]: done.returncode for words, done in ended}
    assert codes["back-cassandra"] == code, ended[0][1].stderr
    assert all(codes[word] in (3, 4) for word in ("serve", "back-api", "migrate")), codes
    assert codes["doctor"] in (3, 6), codes
