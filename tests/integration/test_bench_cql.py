"""bench/cql, which outside measurements run: lines in, lines of JSON out, against a real server and
seen by another client."""

import json
import os
import select
import subprocess
import sys

import pytest

from conftest import ROOT, clean_env, executable, wait_for

sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
import cassandra_server  # noqa: E402  pylint: disable=wrong-import-position

FOLDER = os.path.dirname(executable(release=True))
PROGRAM = os.path.join(FOLDER, "bench", "cql")
FIGURES = {"op", "ops", "seconds", "cpu", "errors", "p50_us", "p99_us"}
BODY = b"x" * 100


@pytest.fixture(scope="module", autouse=True)
def program():
    subprocess.run(["ninja", "-C", FOLDER, "bench/cql"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def node():
    cluster = cassandra_server.Cluster()
    try:
        yield cluster.start().nodes[0]
    finally:
        cluster.remove()


class Lines:
    """The program, connected: what it answers to a line, within a minute."""

    def __init__(self, node):
        self.process = subprocess.Popen(
            [PROGRAM, node.cluster.contact_points], env=clean_env(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        assert self.line() == "ready"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], 60)
        assert ready, "no answer within 60 s"
        return self.process.stdout.readline().decode().rstrip("\n")

    def ask(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        return json.loads(self.line())

    def end(self):
        """Exit code and stderr, once its input has ended."""
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors.decode()


def check_figures(answer, op, seconds):
    assert set(answer) == FIGURES
    assert (answer["op"], answer["errors"]) == (op, 0)
    assert answer["ops"] > 0 and answer["cpu"] > 0 and answer["seconds"] >= seconds
    assert 0 < answer["p50_us"] <= answer["p99_us"]


def test_every_operation_is_measured_and_really_done(node):
    # What it says it wrote is there, in full, for another client.
    with Lines(node) as lines, node.client() as client:
        answer = lines.ask("load 1000")
        check_figures(answer, "load", 0)
        assert answer["ops"] == 1000
        rows = client.query("SELECT id, name, amount, body FROM bench.rows")
        assert sorted(rows) == sorted(
            (n.to_bytes(8, "big"), b"row %d" % n, n.to_bytes(4, "big"), BODY)
            for n in range(1000))
        check_figures(lines.ask("read 0.2"), "read", 0.2)
        answer = lines.ask("write 0.2")
        check_figures(answer, "write", 0.2)
        [(count,)] = client.query("SELECT count(*) FROM bench.written")
        assert int.from_bytes(count, "big") == answer["ops"]
        answer = lines.ask("scan 0.2")
        check_figures(answer, "scan", 0.2)
        assert answer["ops"] % 1000 == 0  # rows; all of them in one page
        assert lines.end() == (0, "")


def test_what_cannot_be_run_is_answered_with_an_error(node):
    # It says so on both ways, and takes the next line.
    with Lines(node) as lines:
        for line in ("fly 1", "read", "read -1", "read nan", "read 1 2", "load 1.5", "load 0", ""):
            answer = lines.ask(line)
            assert set(answer) == {"op", "error"} and "say load N" in answer["error"], line
        check_figures(lines.ask("load 10"), "load", 0)
        code, errors = lines.end()
        assert code == 0 and errors.count("say load N") == 8


def test_rows_that_were_loaded_before_are_counted(node):
    # Another process of the same tables reads them; one whose tables are empty says what to do.
    with Lines(node) as lines, node.client() as client:
        lines.ask("load 100")
        assert lines.end()[0] == 0
        with Lines(node) as others:
            check_figures(others.ask("read 0.1"), "read", 0.1)
            check_figures(others.ask("scan 0.1"), "scan", 0.1)
        client.query("TRUNCATE bench.rows")
        with Lines(node) as others:
            assert "is empty: say load N" in others.ask("scan 0.1")["error"]
            assert "is empty: say load N" in others.ask("read 0.1")["error"]


def test_wrong_rows_are_errors(node):
    # Every column is decoded: one that changed is found by reading and by scanning.
    with Lines(node) as lines, node.client() as client:
        def finds(line):  # on a busy machine a round may be over after the first, right row
            return lines.ask(line)["errors"] > 0

        lines.ask("load 3")
        client.query("UPDATE bench.rows SET amount = 7 WHERE id = 1")
        wait_for(lambda: finds("read 0.1"), 60)
        assert finds("scan 0.1")
        client.query("DELETE FROM bench.rows WHERE id = 1")
        wait_for(lambda: finds("read 0.1"), 60)
        assert finds("scan 0.1")
        errors = lines.end()[1].splitlines()
        assert [line.split(":")[0] for line in errors] == ["read", "scan", "read", "scan"]


def test_no_server_ends_it_with_the_reason():
    done = subprocess.run([PROGRAM, "127.0.0.1:1"], env=clean_env(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1 and "127.0.0.1:1" in done.stderr and "refused" in done.stderr
    assert done.stdout == ""


def test_its_use_is_told():
    done = subprocess.run([PROGRAM], env=clean_env(), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "HOST:PORT" in done.stderr
