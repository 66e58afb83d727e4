"""Holds many idle connections from a process of its own: idle.py PORT COUNT PATH

Each connection asks once and is answered once; then `ready N` is printed, and they stay open until
standard input ends. Several loopback addresses are used, so that ports do not run out.
"""

import resource
import socket
import sys


def read_answer(connection):
    """One answer with a Content-Length; its status."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed before an answer")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    left = length - len(body)
    while left > 0:
        left -= len(connection.recv(65536))
    return int(head.split()[1])


def main():
    port, count, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    held = []
    for number in range(count):
        source = (f"127.0.{1 + number // 5000}.1", 0)
        connection = socket.create_connection(("127.0.0.1", port), timeout=10, source_address=source)
        connection.sendall(request)
        status = read_answer(connection)
        if status != 200:
            raise SystemExit(f"connection {number} was answered {status}")
        held.append(connection)
    print("ready", len(held), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
