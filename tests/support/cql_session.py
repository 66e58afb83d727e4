"""A session of the C client, driven over the standard input of cql_session_script.

    with Session(fake) as session:
        session.ready()
        session.send("1", text="SELECT * FROM users")
        assert session.done("1").status == "OK"
"""

import dataclasses
import re
import subprocess
import threading
import time

LIMIT = 30  # seconds until a line has come


@dataclasses.dataclass
class Done:
    """How a request ended."""

    status: str
    may_have_run: bool
    native: int      # the server's error, or -1
    agreed: bool
    address: str
    warnings: int
    traced: bool
    columns: list
    rows: list
    error: str


_DONE = re.compile(
    r"done \S+ (?P<status>\S+) may=(?P<may>\d) native=(?P<native>-?\d+) agreed=(?P<agreed>\d) "
    r"at=(?P<at>\S*) warnings=(?P<warnings>\d+) trace=(?P<trace>\d)"
    r"(?: columns=(?P<columns>\S*)(?: rows=(?P<rows>.*))?)?(?: error=(?P<error>.*))?$", re.S)


def parse(line):
    found = _DONE.match(line)
    assert found is not None, line
    rows = found["rows"]
    return Done(found["status"], found["may"] == "1", int(found["native"]), found["agreed"] == "1",
                found["at"], int(found["warnings"]), found["trace"] == "1",
                (found["columns"] or "").split(",") if found["columns"] else [],
                [tuple(row.split("|")) for row in rows.split(",")] if rows else [],
                found["error"] or "")


def _point(server):
    return f"{server.address}:{server.port}"


class Session:
    """`servers`: contact points, as objects with an address and a port, or texts HOST:PORT."""

    def __init__(self, *servers, probe, opens=True, env=None, **options):
        self.lines, self.taken = [], 0
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [probe], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", env=env)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        if opens:
            points = ",".join(s if isinstance(s, str) else _point(s) for s in servers)
            self.say("open", points=points, **options)
            assert self.line("open ") == "open OK "

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append((time.monotonic(), line.rstrip("\n")))
                self.changed.notify_all()
        with self.changed:
            self.lines.append((time.monotonic(), None))
            self.changed.notify_all()

    def say(self, command, **words):
        text = words.pop("text", None)
        parts = [command] + [f"{name}={value}" for name, value in words.items()]
        parts += [] if text is None else [f"text={text}"]
        self.process.stdin.write(" ".join(parts) + "\n")
        self.process.stdin.flush()

    def _take(self, prefix):
        for i, (_, line) in enumerate(self.lines):
            if line is not None and line.startswith(prefix):
                return self.lines.pop(i)
        return None

    def timed(self, prefix, seconds=LIMIT):
        """When the next line with this beginning came, and the line, which is taken."""
        end = time.monotonic() + seconds
        with self.changed:
            while True:
                found = self._take(prefix)
                if found is not None:
                    return found
                ended = any(line is None for _, line in self.lines)
                left = end - time.monotonic()
                assert left > 0 and not ended, (
                    f"no line {prefix!r} {'before the end' if ended else 'in time'}: "
                    f"{self.lines} {self._stderr() if ended else ''}")
                self.changed.wait(left)

    def _stderr(self):
        return self.process.stderr.read()

    def line(self, prefix, seconds=LIMIT):
        return self.timed(prefix, seconds)[1]

    def has(self, prefix):
        with self.changed:
            return any(line is not None and line.startswith(prefix) for _, line in self.lines)

    # ---- commands

    def wait(self, milliseconds=20000):
        """(status, text) of cql_session_wait()."""
        self.say(f"wait {milliseconds}")
        return tuple(self.line("wait ").split(" ", 2)[1:])

    def ready(self):
        status, text = self.wait()
        assert status == "OK", text
        return self

    def state(self):
        self.say("state")
        return dict(pair.split("=", 1) for pair in self.line("state ").split(" ")[1:])

    def counts(self):
        """{"made": N}, and {CLASS: N} of attempts in vain."""
        self.say("counts")
        return {name: int(number) for name, number in
                (pair.split("=") for pair in self.line("counts ").split(" ")[1:])}

    def report(self):
        self.say("report")
        return self.line("report ")[len("report "):]

    def failures(self):
        """[(class, times, text)]"""
        self.say("failures")
        self.line("failures")
        found = []
        with self.changed:
            while True:
                one = self._take("failure ")
                if one is None:
                    return found
                name, times, text = one[1].split(" ", 3)[1:]
                found.append((name, int(times), text))

    def statement(self, name, cql):
        self.say(f"statement {name} {cql}")
        assert self.line("statement ") == "statement OK"

    def send(self, name, **words):
        self.say(f"send {name}", **words)

    def done(self, name, seconds=LIMIT):
        return parse(self.line(f"done {name} ", seconds))

    def run(self, seconds=LIMIT, **words):
        self.send("run", **words)
        return self.done("run", seconds)

    def close(self):
        """Ends the session; the process must end cleanly."""
        if self.process.poll() is None:
            self.process.stdin.close()
        code = self.process.wait(LIMIT)
        self.reader.join(LIMIT)
        assert code == 0, (code, self._stderr(), self.lines[-5:])

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.close()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()
            self.process.stderr.close()
