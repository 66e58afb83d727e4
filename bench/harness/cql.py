"""The CQL client beside the Java and the Python driver: the same rows of the same Cassandra, each
driver a process that stays warm and is told by lines what to do (bench/cql.c)."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time

from .context import HERE, running, verdict, words_of
from .load import LoopLoad
from .measure import Sample, Window
from .pairs import NOISY_RATE, Pair, rounded, run_rounds, spread, summarise
from .servers import BenchError, find_program

sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests", "support"))
import cassandra_server  # noqa: E402

ROWS = 100_000
WARM_SECONDS = 90  # Cassandra and the Java driver get quicker for that long
ANSWER_SECONDS = 120
PYTHON = "/usr/bin/python3"  # Debian's, for which python3-cassandra is
HEAP = "-Xmx512m"
SERVER = {"heap_mb": 1024, "java_options": ("-XX:TieredStopAtLevel=4",)}

NAMES = {
    "read": "CQL, one row by its key from Cassandra, 128 in flight",
    "write": "CQL, one row written to Cassandra, 128 in flight",
    "scan": "CQL, 100,000 rows from Cassandra in pages of 5,000",
}

FAKE_NAMES = {
    "read": "CQL, one row by its key from a node with nothing behind it, 128 in flight",
    "write": "CQL, one row written to a node with nothing behind it, 128 in flight",
}


class Lines:
    """A process that says "ready", answers lines and ends with its input."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.command = command
        self.environment = environment
        self.process = None
        self.log = tempfile.TemporaryFile()

    def start(self):
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, bufsize=0,
            env=self.environment,
        )  # fmt: skip
        self.ready = self.read_line().decode().split()
        return self

    def last_words(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace").strip()[-1000:]

    def read_line(self):
        ready, _, _ = select.select([self.process.stdout], [], [], ANSWER_SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if not line.endswith(b"\n"):
            raise BenchError(f"{self.name} ended or was silent: {' '.join(self.command)}: {self.last_words()}")
        return line

    def stop(self):
        if self.process is not None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
        self.log.close()


class Driver(Lines):
    """Answers lines "OP AMOUNT" with lines of JSON. Its own processor time is what counts; the
    server's counts as the load's."""

    def __init__(self, name, command, server, environment=None):
        super().__init__(name, command, environment)
        self.roots = server.roots

    def ask(self, op, amount):
        self.process.stdin.write(f"{op} {amount}\n".encode())
        answer = json.loads(self.read_line())
        if answer["errors"] or not answer["ops"]:
            counts = f"{answer['errors']} errors, {answer['ops']} operations"
            raise BenchError(f"{self.name}: {op}: {counts}: {self.last_words()}")
        return answer

    def sample(self, op, seconds):
        with Window([self.process.pid, *self.roots]) as window:
            answer = self.ask(op, seconds)
        return Sample(
            seconds=answer["seconds"], done=answer["ops"], cpu=answer["cpu"],
            load_cpu=max(0.0, window.side - answer["cpu"]), foreign=window.foreign(window.side),
            extra={"p50_us": answer["p50_us"], "p99_us": answer["p99_us"]},
        )  # fmt: skip


class Turn:
    """One kind of work of a driver."""

    def __init__(self, driver, op, seconds):
        self.driver = driver
        self.op = op
        self.seconds = seconds

    def sample(self):
        return self.driver.sample(self.op, self.seconds)


class Node:
    """A Cassandra of its own, with a heap and a compiler as servers have them."""

    def __init__(self):
        self.cluster = cassandra_server.Cluster(**SERVER)

    def start(self):
        try:
            self.cluster.start()
        except AssertionError as error:
            raise BenchError(f"Cassandra does not start: {error}") from error
        return self

    @property
    def address(self):
        return self.cluster.contact_points

    @property
    def roots(self):
        return [node.pid for node in self.cluster.nodes]

    def stop(self):
        self.cluster.remove()


class FakeNode(Lines):
    """A node with nothing behind it (bench/fake_node.c)."""

    def __init__(self, context):
        super().__init__("fake_node", [context.program("fake_node"), "127.0.0.1:0", str(ROWS)])

    @property
    def address(self):
        return self.ready[1]

    @property
    def roots(self):
        return [self.process.pid]


# ---- the peers -------------------------------------------------------------------------------------------------------


def java_classes(context):
    """Where the Java driver, all that it needs and its program are; made where they are missing."""
    source = os.path.join(HERE, "peers", "java")
    folder = os.path.join(context.work, "java")
    program = os.path.join(source, "CqlPeer.java")
    made = os.path.join(folder, "CqlPeer.class")
    newest = max(os.path.getmtime(os.path.join(source, name)) for name in ("pom.xml", "CqlPeer.java"))
    if os.path.exists(made) and os.path.getmtime(made) > newest:
        return folder
    pom = os.path.join(source, "pom.xml")
    command = ["mvn", "-q", "-B", "-Dstyle.color=never", "-f", pom]
    command += ["dependency:copy-dependencies", f"-DoutputDirectory={folder}"]
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    command = [find_program("javac"), "-cp", os.path.join(folder, "*"), "-d", folder, program]
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    return folder


def version_of_java_driver(folder):
    prefix = "java-driver-core-"
    name = next(name for name in os.listdir(folder) if name.startswith(prefix))
    return name.removeprefix(prefix).removesuffix(".jar")


def version_of_python_driver():
    code = "import cassandra; print(cassandra.__version__)"
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError("python3-cassandra is missing: install what [bench] in tools/packages.txt names")
    return done.stdout.strip()


def our_driver(context, server):
    return Driver("ours", [context.program("cql"), server.address], server)


def java_driver(context, server):
    folder = java_classes(context)
    command = [cassandra_server.java(), HEAP, "-cp", f"{folder}/*:{folder}", "CqlPeer", server.address, str(ROWS)]
    driver = Driver("the Java driver", command, server)
    driver.versions = {"java-driver-core": version_of_java_driver(folder)}
    driver.settings = {"heap": HEAP, "protocol": 5, "compression": "none"}
    return driver


def python_driver(server):
    command = [PYTHON, "-B", os.path.join(HERE, "peers", "cql_python.py"), server.address, str(ROWS)]
    driver = Driver("the Python driver", command, server, {"PATH": os.environ["PATH"]})
    driver.versions = {"python3-cassandra": version_of_python_driver()}
    driver.settings = {"protocol": 5, "reactor": "libev", "rows": "tuples", "compression": "none"}
    return driver


# ---- figures ---------------------------------------------------------------------------------------------------------


def make_figure(name, peer, rounds, at, by, target):
    """Ours, the first of each round, beside the one at `at`."""
    pairs = [Pair(samples[0], samples[at], noisy) for samples, noisy in rounds]
    figure = {"name": name, "peer_name": peer.name, "peer_versions": peer.versions}
    figure |= {"peer_settings": peer.settings, "target": target}
    figure |= summarise(pairs, by)
    figure["judged"] = verdict(figure)
    figure["line"] = (
        f"{figure['ratio_of']}, beside {peer.name}: {figure['ratio']['median']} "
        f"({figure['ours']['per_second']['median']} and {figure['peer']['per_second']['median']} a second, "
        f"{figure['ours']['cpu_us']['median']} and {figure['peer']['cpu_us']['median']} µs of processor; "
        f"{words_of(target)}: {figure['judged']})"
    )
    return figure


def warm_up(turns, seconds):
    """None of this counts."""
    until = time.monotonic() + seconds
    for turn in turns:
        turn.sample()
    while time.monotonic() < until:
        for turn in turns:
            turn.sample()


def measure_op(context, op, python_share):
    name = NAMES[op]
    server = Node()
    with running(server):
        server.start()
        ours, python = our_driver(context, server), python_driver(server)
        peers = [python] if context.offline else [python, java_driver(context, server)]
        with running(ours, *peers):
            for driver in (ours, *peers):
                driver.start()
            ours.ask("load", ROWS)
            turns = [Turn(driver, op, context.seconds) for driver in (ours, *peers)]
            warm_up(turns, 0 if context.quick else WARM_SECONDS)
            rounds = run_rounds(turns, context.pairs, NOISY_RATE, context.repeats)
    figures = []
    if not context.offline:
        figures.append(make_figure(name, peers[1], rounds, 2, "rate", {"at_least": 1.0}))
        figures.append(make_figure(name, peers[1], rounds, 2, "cpu", {"at_most": 0.5}))
    figures.append(make_figure(name, peers[0], rounds, 1, "cpu", {"at_most": python_share}))
    return figures


def measure_read(context):
    return measure_op(context, "read", 0.1)


def measure_write(context):
    return measure_op(context, "write", 0.1)


def measure_scan(context):
    return measure_op(context, "scan", 0.2)


def measure_fake(context):
    figures = []
    server = FakeNode(context)
    with running(server):
        server.start()
        ours, python = our_driver(context, server), python_driver(server)
        with running(ours, python):
            ours.start()
            ours.ask("load", ROWS)
            python.start()
            for op, name in FAKE_NAMES.items():
                turns = [Turn(driver, op, context.seconds) for driver in (ours, python)]
                warm_up(turns, 0)
                rounds = run_rounds(turns, context.pairs, NOISY_RATE, context.repeats)
                figures.append(make_figure(name, python, rounds, 1, "rate", {"at_least": 10}))
    return figures


def plain_figure(name, unit, samples):
    values = [sample.rate for sample in samples]
    found = rounded(spread(values))
    return {
        "name": name, "unit": unit, "ours": found, "target": {}, "judged": "",
        "line": f"{name}: {found['median']} {unit}",
    }  # fmt: skip


def measure_codec(context):
    names = {
        "read": ("The CQL codec alone: a request written and framed, an answer of one row read", "requests/s"),
        "scan": ("The CQL codec alone: pages of 5,000 rows read", "rows/s"),
    }
    figures = []
    for op, (name, unit) in names.items():
        loop = LoopLoad("cql_codec", [context.program("cql_codec"), op, str(context.seconds)])
        samples = [loop.sample() for _ in range(context.pairs)]
        figures.append(plain_figure(name, unit, samples))
    return figures
