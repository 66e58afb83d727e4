"""What answers like a PostgreSQL server up to a point (protocol 3.0), or not at all."""

import struct

from tcp_proxy import read_exactly

SSL_REQUEST = 80877103


def http(sock):
    """A web server that was sent something else than a request."""
    sock.recv(4096)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")


def ssh(sock):
    """One that speaks first."""
    sock.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    sock.recv(4096)


def broken_tls(sock):
    """Agrees to TLS, then sends no TLS."""
    sock.recv(4096)
    sock.sendall(b"S")
    sock.recv(4096)
    sock.sendall(b"this is not a TLS record, whatever its first bytes may say")


def _startup(sock):
    """Reads the start-up packet, after refusing TLS."""
    while True:
        (length,) = struct.unpack(">i", read_exactly(sock, 4))
        packet = read_exactly(sock, length - 4)
        if struct.unpack(">i", packet[:4])[0] != SSL_REQUEST:
            return
        sock.sendall(b"N")


def error(state, text, severity="FATAL"):
    """Refuses every login with this SQLSTATE."""
    fields = b"".join(name + value.encode() + b"\0" for name, value in
                      ((b"S", severity), (b"V", severity), (b"C", state), (b"M", text))) + b"\0"

    def answer(sock):
        _startup(sock)
        sock.sendall(b"E" + struct.pack(">i", len(fields) + 4) + fields)
    return answer


def after_login(rest):
    """Lets everybody in, then sends these bytes and closes."""
    def answer(sock):
        _startup(sock)
        sock.sendall(b"R\0\0\0\x08\0\0\0\0" + rest)
        sock.recv(4096)
    return answer


def answering(rest, *replies):
    """The same, but the connection stays: each thing that is asked gets the next of the replies."""
    def answer(sock):
        _startup(sock)
        sock.sendall(b"R\0\0\0\x08\0\0\0\0" + rest)
        for reply in replies:
            sock.recv(4096)
            sock.sendall(reply)
        sock.recv(4096)
    return answer
