"""The probe server as a process, and HTTP over bare sockets: nothing here corrects what it sends."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]


def probe_path():
    """HTTP_PROBE, or the one of the build whose executable is tested."""
    given = os.environ.get("HTTP_PROBE")
    if given:
        return given
    tested = os.environ.get("TOOLS_DASHBOARD", str(ROOT / "build" / "tools-dashboard"))
    path = pathlib.Path(tested).parent / "tests" / "support" / "http-probe"
    assert path.exists(), "%s is not built; or set HTTP_PROBE" % path
    return str(path)


def is_sanitized():
    """True where what it takes in memory says nothing."""
    code = pathlib.Path(probe_path()).read_bytes()
    return b"__asan_init" in code or b"__tsan_init" in code


class Probe:
    """The server; settings are its PROBE_… variables."""

    def __init__(self, host="127.0.0.1", **settings):
        env = dict(os.environ, PROBE_PORT="0", PROBE_HOST=host)
        env.update({"PROBE_" + name: str(value) for name, value in settings.items()})
        self.process = subprocess.Popen(
            [probe_path()], env=env, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )
        self.lines = []
        self.port = None
        for raw in self.process.stderr:
            line = raw.decode()
            self.lines.append(line)
            found = re.match(r"Listening on http://(.*):(\d+)$", line.strip())
            if found:
                self.host = found.group(1).strip("[]")
                self.port = int(found.group(2))
                break
        if self.port is None:
            self.process.wait(10)
            raise RuntimeError("no Listening line: " + "".join(self.lines))

    def connect(self, timeout=10):
        return socket.create_connection((self.host, self.port), timeout=timeout)

    def stop(self, timeout=20):
        """Ends it with SIGTERM: its exit code and what it wrote since it listened."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        rest = self.process.communicate(timeout=timeout)[1].decode()
        return self.process.returncode, rest

    def __enter__(self):
        return self

    def __exit__(self, *_):
        code, rest = self.stop()
        assert code == 0, "the probe ended with %s: %s" % (code, rest)


def read_to_end(sock, seconds=10):
    """All that comes until the other side closes; and whether it did in that time."""
    data = b""
    deadline = time.monotonic() + seconds
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return data, False
        sock.settimeout(left)
        try:
            piece = sock.recv(65536)
        except socket.timeout:
            return data, False
        except ConnectionResetError:
            return data, True
        if not piece:
            return data, True
        data += piece


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def one(self, name):
        values = self.header(name)
        return values[0] if len(values) == 1 else None


def parse(data, heads=0):
    """The answers in a stream, by Content-Length; the first `heads` of them answer HEAD."""
    answers = []
    while data:
        head, mark, rest = data.partition(b"\r\n\r\n")
        if not mark:
            raise ValueError("no end of header in %r" % data[:200])
        lines = head.decode("latin-1").split("\r\n")
        status = int(re.match(r"HTTP/1\.[01] (\d{3}) ", lines[0]).group(1))
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        answer = Answer(status, headers, b"")
        if 100 <= status < 200:
            data = rest
            continue
        lengths = {v for n, v in headers if n.lower() == "content-length"}
        length = int(lengths.pop()) if lengths else 0
        if status in (204, 304) or heads > 0:
            heads -= 1
            length = 0
        answer.body, data = rest[:length], rest[length:]
        if status in (400, 413) and answer.body.startswith(b"HTTP/1.1 %d " % status):
            # libmicrohttpd 0.9.75's own answer to a Content-Length that is no number has its header
            # twice, and there is no way in for us before it; 1.0 sends it once.
            answers.append(answer)
            break
        if len(answer.body) < length:
            raise ValueError("the body is %d bytes short" % (length - len(answer.body)))
        answers.append(answer)
    return answers


def exchange(probe, payload, seconds=10):
    """Sends and reads to the end: the raw bytes, and whether the server closed."""
    with probe.connect() as sock:
        try:
            sock.sendall(payload)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return read_to_end(sock, seconds)


def ask(probe, payload, seconds=10):
    """For requests that end the connection themselves: their answers."""
    data, closed = exchange(probe, payload, seconds)
    assert closed, "the server did not close: %r" % data[:300]
    return parse(data)


def get(probe, target, *headers, method="GET"):
    lines = ["%s %s HTTP/1.1" % (method, target), "Host: h", "Connection: close", *headers]
    data, closed = exchange(probe, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
    assert closed
    return parse(data, heads=1 if method == "HEAD" else 0)[0]


def post(probe, target, body, *headers, method="POST"):
    lines = [
        "%s %s HTTP/1.1" % (method, target),
        "Host: h",
        "Connection: close",
        "Content-Length: %d" % len(body),
        *headers,
    ]
    return ask(probe, ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)[0]


def wait_for(condition, seconds=10, what="the condition"):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("%s did not come true in %s s" % (what, seconds))
        time.sleep(0.005)
