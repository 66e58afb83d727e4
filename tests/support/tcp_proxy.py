"""A byte-level TCP proxy on a loopback address that misbehaves on demand, and servers that are none.

It counts the connections it took, so that a test can tell a reconnect storm.
"""

import socket
import struct
import threading
import time

POLL_SECONDS = 0.05


def close_hard(sock):
    """Closes with RST instead of FIN."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError:
        pass
    _close(sock)


def _close(sock):
    """Closes for every thread that waits on it, too."""
    sock.close()


def _listen(port, backlog=128, host="127.0.0.1"):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(backlog)
    return sock


class _Link:
    """One connection through the proxy: a thread for each direction."""

    def __init__(self, proxy, client, target):
        self.proxy, self.client = proxy, client
        self.server = socket.create_connection((proxy.target_host, target), timeout=10)
        self.frozen = proxy.mode == "silent"
        self.open = True
        for sock in (self.client, self.server):
            sock.settimeout(POLL_SECONDS)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for args in ((self.client, self.server, False), (self.server, self.client, True)):
            threading.Thread(target=self._pump, args=args, daemon=True).start()

    def _pump(self, source, sink, to_client):
        while self.open:
            if self.frozen:
                time.sleep(POLL_SECONDS)
                continue
            try:
                data = source.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                data = b""
            if to_client and data and self.proxy.freeze_when is not None \
                    and self.proxy.freeze_when(data):
                self.frozen, self.proxy.freeze_when = True, None
            while self.frozen and self.open:
                time.sleep(POLL_SECONDS)
            if not data or not self._forward(sink, data, to_client):
                self.end()

    def _send(self, sink, data):
        """No call waits longer than POLL_SECONDS: a socket that somebody still waits on is not
        really closed by close()."""
        left = memoryview(data)
        while left and self.open:
            try:
                left = left[sink.send(left):]
            except TimeoutError:
                pass
        return self.open

    def _forward(self, sink, data, to_client):
        try:
            if to_client and self.proxy.rate:
                for byte in data:
                    sink.sendall(bytes([byte]))
                    time.sleep(1 / self.proxy.rate)
                    if not self.open:
                        return False
                return True
            if to_client and self.proxy.cut_when is not None and self.proxy.cut_when(data):
                self.proxy.cut_when = None
                close_hard(self.client)
                return False
            flip_at = self._due("flip_after", len(data)) if to_client else None
            if flip_at is not None:
                at = min(flip_at, len(data) - 1)
                data = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]
            cut_at = self._due("cut_after", len(data)) if to_client else None
            if cut_at is not None:
                self._send(sink, data[:cut_at])
                close_hard(self.client)
                return False
            return self._send(sink, data)
        except OSError:
            return False

    def _due(self, name, count):
        """Where within the next bytes it happens, which is then over; None: not there."""
        with self.proxy.lock:
            left = getattr(self.proxy, name)
            is_due = left is not None and left <= count
            if left is not None:
                setattr(self.proxy, name, None if is_due else left - count)
        return left if is_due else None

    def end(self, reset=False):
        self.open = False
        for sock in (self.client, self.server):
            (close_hard if reset else _close)(sock)
        with self.proxy.lock:
            self.proxy.links.discard(self)


class Proxy:
    """`mode` is one of
        pass    every byte both ways
        refuse  nobody listens
        hang    connection requests get no answer (the queue is full)
        close   accepts, then closes
        reset   accepts, then RST
        silent  accepts, then nothing
    `rate` (bytes/s towards the client), `cut_after` (bytes towards the client, then RST),
    `flip_after` (bytes towards the client, then one bit is another one) and
    `cut_when` (RST in the place of the first data towards the client for which it gives true) hold
    for links that are open; so does `freeze_when` (from that data on no byte passes there)."""

    def __init__(self, target, mode="pass", host="127.0.0.1", port=0, target_host="127.0.0.1"):
        self.target, self.target_host, self.host = target, target_host, host
        self.lock = threading.Lock()
        self.links = set()
        self.accepted = []  # when, monotonic
        self.rate = self.cut_after = self.flip_after = None
        self.cut_when = self.freeze_when = None
        self.mode = None
        self.listener = None
        self.fillers = []
        with _listen(port, host=host) as sock:
            self.port = sock.getsockname()[1]
        self.set(mode)

    def set(self, mode):
        """What happens to connections from now on; those that are open stay."""
        self._stop_listening()
        self.mode = mode
        if mode == "refuse":
            return
        self.listener = _listen(self.port, 0 if mode == "hang" else 128, self.host)
        if mode == "hang":
            self._fill()
        else:
            threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _fill(self):
        for _ in range(4):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex((self.host, self.port))
            self.fillers.append(sock)

    def _stop_listening(self):
        if self.listener is not None:
            try:
                self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            except OSError:
                pass
            self.listener.close()
            self.listener = None
        for sock in self.fillers:
            sock.close()
        self.fillers = []

    def _accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            self.accepted.append(time.monotonic())
            if self.mode in ("close", "reset"):
                (close_hard if self.mode == "reset" else _close)(client)
                continue
            try:
                link = _Link(self, client, self.target)
            except OSError:
                close_hard(client)
                continue
            with self.lock:
                self.links.add(link)

    def cut(self, reset=True):
        """Ends every open connection."""
        with self.lock:
            links = list(self.links)
        for link in links:
            link.end(reset)

    def freeze(self, frozen=True):
        """Open connections stay open and no byte passes: what a lost network looks like."""
        with self.lock:
            for link in self.links:
                link.frozen = frozen

    def count_since(self, begin):
        return sum(1 for at in list(self.accepted) if at >= begin)

    def close(self):
        self._stop_listening()
        self.cut()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Fake:
    """A server that answers each connection by `answer(sock)` and then closes it."""

    def __init__(self, answer, host="127.0.0.1", port=0, accepted=None):
        self.answer = answer
        self.accepted = [] if accepted is None else accepted  # when, monotonic
        self.listener = _listen(port, host=host)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.accepted.append(time.monotonic())
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            client.settimeout(10)
            try:
                self.answer(client)
            except OSError:
                pass

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_exactly(sock, count):
    data = b""
    while len(data) < count:
        more = sock.recv(count - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data
