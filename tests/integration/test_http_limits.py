"""Limits and deadlines: every client that takes its time, or too much, and what the others notice."""

import concurrent.futures
import os
import resource
import selectors
import socket
import time

import pytest

from framing import wire

LONG = os.environ.get("TD_LONG") == "1"
GET = b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"
CLOSING = b"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def seconds_until_closed(sock, limit=10):
    begin = time.monotonic()
    data, closed = wire.read_to_end(sock, limit)
    assert closed, "still open after %s s" % limit
    return time.monotonic() - begin, data


def drip(sock, payload, every=0.05, limit=10):
    """One byte at a time, until the other side closes: what it said, and when."""
    begin = time.monotonic()
    sock.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(sock, selectors.EVENT_READ)
    data = b""
    for i in range(len(payload)):
        assert time.monotonic() - begin < limit, "the drip was never ended"
        try:
            sock.send(payload[i : i + 1])
        except (BrokenPipeError, ConnectionResetError):
            return data, time.monotonic() - begin
        if selector.select(every):
            try:
                piece = sock.recv(65536)
            except ConnectionResetError:
                piece = b""
            data += piece
            if not piece:
                return data, time.monotonic() - begin
    raise AssertionError("the whole drip was taken")


# ---- Deadlines ---------------------------------------------------------------------------------


def test_dripped_header_ends_at_the_header_deadline():
    """Bytes that keep coming do not move the deadline of the whole header."""
    with wire.Probe(HEADER_MS=800) as p, p.connect() as sock:
        data, after = drip(sock, b"GET /hello HTTP/1.1\r\nX: " + b"a" * 500)
        assert 0.7 < after < 2.5
        assert wire.parse(data)[0].status == 408


def test_dripped_header_on_a_kept_connection_ends_too():
    with wire.Probe(HEADER_MS=800) as p, p.connect() as sock:
        sock.sendall(GET)
        assert b"200 OK" in sock.recv(65536)
        data, after = drip(sock, b"GET /hello HTTP/1.1\r\nX: " + b"a" * 500)
        assert 0.7 < after < 2.5
        assert wire.parse(data)[0].status == 408


def test_silence_within_a_header_ends_at_the_header_deadline():
    with wire.Probe(HEADER_MS=500) as p, p.connect() as sock:
        sock.sendall(b"GET /hello HT")
        after, data = seconds_until_closed(sock)
        assert 0.4 < after < 2
        assert wire.parse(data)[0].status == 408


def test_dripped_body_ends_at_the_request_deadline():
    with wire.Probe(HEADER_MS=400, REQUEST_MS=900) as p, p.connect() as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n")
        data, after = drip(sock, b"x" * 900)
        assert 0.8 < after < 2.5
        assert wire.parse(data)[0].status == 408


def test_idle_connection_ends_at_the_idle_deadline_not_before():
    """Neither a fresh connection nor a kept one is in a header while it is silent."""
    with wire.Probe(HEADER_MS=200, IDLE_MS=1000) as p, p.connect() as fresh, p.connect() as kept:
        kept.sendall(GET)
        assert b"200 OK" in kept.recv(65536)
        after, data = seconds_until_closed(fresh)
        assert 0.8 < after < 2.5 and data == b""
        after, data = seconds_until_closed(kept)
        assert data == b""


def test_client_that_does_not_read_is_ended():
    with wire.Probe(SEND_MS=600) as p, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect((p.host, p.port))
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: h\r\n\r\n")

        def timed_out():
            return b"timed_out_total 1\n" in wire.get(p, "/metrics").body

        wire.wait_for(timed_out, 8, "the end of a client that does not read")


def test_client_that_reads_slowly_gets_all_of_it():
    """A slow reader that reads is not one that does not read."""
    with wire.Probe(SEND_MS=1000) as p, socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sock.settimeout(10)
        sock.connect((p.host, p.port))
        sock.sendall(b"GET /big HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        got, pause = 0, 0.05
        while True:
            piece = sock.recv(1 << 20)
            if not piece:
                break
            got += len(piece)
            if got < 3 << 20:
                selectors.DefaultSelector().select(pause)
        assert got > 32 << 20


def test_awaiting_request_has_no_deadline_of_ours():
    with wire.Probe(HEADER_MS=200, REQUEST_MS=200, SEND_MS=200, IDLE_MS=200) as p:
        assert wire.get(p, "/await?ms=900").body == b"woken\n"


# ---- Sizes -------------------------------------------------------------------------------------


def statuses_by_size(probe, make, sizes):
    found = {}
    for size in sizes:
        data, closed = wire.exchange(probe, make(size))
        assert closed, "%d: stays open" % size
        answers = wire.parse(data)
        assert len(answers) == 1, "%d bytes: closed without an answer" % size
        found[size] = answers[0].status
    return found


SIZES = [*range(1000, 2000, 97), *range(2000, 2100, 3), *range(3900, 4200, 7), *range(4200, 12000, 61), 20000]


def test_every_header_size_gets_200_or_431():
    """No size falls between our limit and the library's memory, where it would close in silence."""
    with wire.Probe() as p:
        def one(size):
            return b"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: " + b"a" * size + b"\r\n\r\n"
        found = statuses_by_size(p, one, SIZES)
        assert set(found.values()) == {200, 431}
        assert all(status == (200 if size <= 4000 else 431) for size, status in found.items() if not 4000 < size < 4100)

        def many(size):
            return b"GET /hello HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + b"X: a\r\n" * (size // 6) + b"\r\n"
        found = statuses_by_size(p, many, range(60, 12000, 240))
        assert set(found.values()) == {200, 431}


def test_every_target_size_gets_404_or_414():
    with wire.Probe() as p:
        def make(size):
            return b"GET /" + b"a" * size + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        found = statuses_by_size(p, make, SIZES)
        assert set(found.values()) == {404, 414}, found
        assert all(status == (404 if size < 2048 else 414) for size, status in found.items())


def test_largest_target_and_header_together_are_answered():
    """Both limits reached at once, and a pipelined request in the same packet, still leave room for the
    longest answer's header."""
    with wire.Probe() as p:
        head = b"GET /prepared?" + b"a=bcdefg&" * 220 + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        payload = head + b"X: " + b"a" * 3900 + b"\r\n\r\n"
        data, closed = wire.exchange(p, payload + GET)
        assert closed and wire.parse(data)[0].status == 200


@pytest.mark.parametrize("target,length,status", [
    ("/echo", 65536, 200), ("/echo", 65537, 413), ("/small", 16, 200), ("/small", 17, 413),
    ("/nope", 65536, 404), ("/nope", 65537, 413),
])
def test_body_limit_is_exact(target, length, status):
    with wire.Probe() as p:
        assert wire.post(p, target, b"x" * length).status == status


def test_too_large_body_is_refused_before_it_is_sent():
    """413 comes on the header alone, and instead of 100 Continue."""
    with wire.Probe() as p, p.connect() as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
        data, closed = wire.read_to_end(sock)
        assert closed and b"100 Continue" not in data
        answer = wire.parse(data)[0]
        assert answer.status == 413 and answer.one("Connection") == "close"


def test_expected_continue_is_sent():
    with wire.Probe() as p, p.connect() as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n")
        assert sock.recv(1000).startswith(b"HTTP/1.1 100 ")
        sock.sendall(b"abc")
        data, _ = wire.read_to_end(sock)
        assert wire.parse(data)[0].body == b"abc"


# ---- How many ----------------------------------------------------------------------------------


def is_open(sock, seconds=0.3):
    data, closed = wire.read_to_end(sock, seconds)
    return not closed


def served(sock):
    sock.sendall(GET)
    sock.settimeout(10)
    return b"200 OK" in sock.recv(65536)


def test_per_address_limit_closes_the_one_too_many():
    """A limit that was set holds for loopback too; who leaves makes room."""
    with wire.Probe(PER_ADDRESS=3) as p:
        socks = [p.connect() for _ in range(3)]
        assert all(served(s) for s in socks)
        with p.connect() as fourth:
            assert not is_open(fourth, 5)
        socks.pop().close()

        def has_room():
            with p.connect() as again:
                try:
                    return served(again)
                except (ConnectionResetError, BrokenPipeError):
                    return False

        wire.wait_for(has_room, 5, "room for another")
        for s in socks:
            s.close()


def test_per_address_limit_spares_loopback_and_proxies():
    with wire.Probe() as p:
        socks = [p.connect() for _ in range(300)]
        assert served(socks[-1])
        for s in socks:
            s.close()
    with wire.Probe(PER_ADDRESS=3, PROXIES="127.0.0.0/8") as p:
        socks = [p.connect() for _ in range(10)]
        assert all(served(s) for s in socks)
        for s in socks:
            s.close()


def test_full_server_closes_idle_connections_for_new_ones():
    with wire.Probe(MAX=10) as p:
        socks = [p.connect() for _ in range(10)]
        assert all(served(s) for s in socks)
        begin = time.monotonic()
        with p.connect() as new:
            assert served(new)
        assert time.monotonic() - begin < 5
        for s in socks:
            s.close()


def test_full_server_lets_new_ones_wait_while_all_are_busy():
    with wire.Probe(MAX=4) as p:
        socks = [p.connect() for _ in range(4)]
        for s in socks:
            s.sendall(b"GET /await?ms=700 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        with p.connect() as new:
            begin = time.monotonic()
            assert served(new)
            assert time.monotonic() - begin > 0.3
        for s in socks:
            assert wire.parse(wire.read_to_end(s)[0])[0].body == b"woken\n"
            s.close()


def test_lowered_limit_is_one_warning():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with wire.Probe(MAX=hard + 1000) as p:
        warnings = [line for line in p.lines if line.startswith("warning: ")]
        assert len(warnings) == 1 and "HTTP_MAX_CONNECTIONS lowered from %d" % (hard + 1000) in warnings[0]


def open_files(count):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = hard - 300
    return min(count, most)


def test_slow_clients_leave_an_ordinary_one_alone(capsys):
    """2,000 clients that drip their header; an ordinary one is answered in under a second."""
    count = open_files(2000 if LONG else 500)
    with capsys.disabled():
        print(" [%d slow clients%s]" % (count, "" if LONG else "; TD_LONG=1: 2000"), end="")
    with wire.Probe(HEADER_MS=20000) as p:
        slow = []
        for _ in range(count):
            s = p.connect()
            s.sendall(b"GET /hello HTTP/1.1\r\nX: ")
            slow.append(s)
        for _ in range(3):
            for s in slow:
                s.sendall(b"a")
            begin = time.monotonic()
            assert wire.get(p, "/prepared").status == 200
            assert time.monotonic() - begin < 1
        for s in slow:
            s.close()


def resident_kib(pid):
    with open("/proc/%d/status" % pid) as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    raise AssertionError("no VmRSS")


def test_many_idle_connections_are_each_served_once(capsys):
    """10,000 connections are open at the same time, and each is answered; what they cost is printed."""
    count = open_files(10000 if LONG else 2000)
    with wire.Probe() as p:
        before = resident_kib(p.process.pid)
        socks = [p.connect() for _ in range(count)]
        for s in socks:
            s.sendall(GET)
        for s in socks:
            s.settimeout(10)
            assert b"200 OK" in s.recv(65536)
        after = resident_kib(p.process.pid)
        with capsys.disabled():
            print(" [%d idle: %d KiB, %.2f KiB each%s]" % (
                count, after, (after - before) / count, "" if LONG else "; TD_LONG=1: 10000"), end="")
        if not wire.is_sanitized():
            assert after < (110 << 10)
        for s in socks:
            s.close()


# ---- Stopping ----------------------------------------------------------------------------------


def test_stop_answers_what_was_asked_and_closes_the_rest():
    p = wire.Probe()
    idle, busy = p.connect(), p.connect()
    assert served(idle)
    busy.sendall(b"GET /await?ms=500 HTTP/1.1\r\nHost: h\r\n\r\n")
    wire.wait_for(lambda: b"awaiting_requests 1\n" in wire.get(p, "/metrics").body)
    p.process.terminate()
    answer = wire.parse(wire.read_to_end(busy)[0])[0]
    assert answer.body == b"woken\n" and answer.one("Connection") == "close"
    assert wire.read_to_end(idle) == (b"", True)
    code, rest = p.stop()
    assert code == 0 and rest.strip() == "stopped"
    for s in (idle, busy):
        s.close()


def test_stop_cuts_off_what_takes_too_long():
    """Requests that still await at the deadline are resumed and closed; a later wake is harmless."""
    p = wire.Probe(STOP_MS=300)
    socks = [p.connect() for _ in range(20)]
    for s in socks:
        s.sendall(b"GET /await?ms=60000 HTTP/1.1\r\nHost: h\r\n\r\n")
    wire.wait_for(lambda: b"awaiting_requests 20\n" in wire.get(p, "/metrics").body)
    begin = time.monotonic()
    code, rest = p.stop()
    assert code == 0 and rest.strip() == "stopped, some were cut off"
    assert time.monotonic() - begin < 3
    for s in socks:
        assert wire.read_to_end(s) == (b"", True)
        s.close()


def test_stop_while_slow_clients_hang_on_is_quick():
    p = wire.Probe()
    socks = [p.connect() for _ in range(100)]
    for s in socks:
        s.sendall(b"GET /hello HT")
    begin = time.monotonic()
    code, rest = p.stop()
    assert code == 0 and time.monotonic() - begin < 2
    for s in socks:
        s.close()


def test_awaits_under_load_are_each_answered_once():
    """Wakes from another thread, from within the handler, taken back, and twice in a row, mixed."""
    with wire.Probe() as p:
        targets = ["/await?ms=0", "/await?ms=1", "/await-now", "/await-not", "/await-twice", "/await?ms=3"]

        def run(seed):
            with p.connect() as sock:
                sock.settimeout(20)
                payload = b"".join(
                    b"GET %s HTTP/1.1\r\nHost: h\r\n\r\n" % targets[(seed + i) % len(targets)].encode()
                    for i in range(60)) + CLOSING
                sock.sendall(payload)
                return [a.status for a in wire.parse(wire.read_to_end(sock, 30)[0])]

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for seed, statuses in enumerate(pool.map(run, range(16))):
                wanted = [503 if targets[(seed + i) % len(targets)] == "/await-not" else 200 for i in range(60)]
                assert statuses == wanted + [200]


def test_clients_that_leave_while_they_are_awaited_do_no_harm():
    with wire.Probe() as p:
        for _ in range(200):
            with p.connect() as sock:
                sock.sendall(b"GET /await?ms=2 HTTP/1.1\r\nHost: h\r\n\r\n")
        wire.wait_for(lambda: b"awaiting_requests 0\n" in wire.get(p, "/metrics").body)
        assert wire.get(p, "/hello").status == 200


def test_port_in_use_names_the_port_and_the_way_out():
    with wire.Probe() as p:
        with pytest.raises(RuntimeError) as error:
            wire.Probe(PORT=p.port)
        text = str(error.value)
        assert "port %d on 127.0.0.1 is in use" % p.port in text and "PORT=%d" % (p.port + 1) in text


def test_listens_on_ipv6_and_on_all_addresses_of_a_name():
    with wire.Probe(host="::1") as p:
        assert p.host == "::1" and wire.get(p, "/hello").status == 200
    with wire.Probe(host="localhost") as p:
        for family, _, _, _, address in socket.getaddrinfo("localhost", p.port, type=socket.SOCK_STREAM):
            with socket.socket(family) as sock:
                sock.settimeout(5)
                sock.connect(address)
                assert served(sock)
    with wire.Probe(host="::") as p, socket.create_connection(("127.0.0.1", p.port)) as sock:
        assert served(sock)
    with pytest.raises(RuntimeError) as error:
        wire.Probe(host="192.0.2.1")
    assert "192.0.2.1 is no address of this machine" in str(error.value)
