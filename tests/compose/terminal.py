"""Runs a command as a person does: in a shell, on a pseudo-terminal."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

SIZE = struct.pack("HHHH", 50, 250, 0, 0)  # rows and columns: wide, so that tables are not folded
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def _take_terminal():
    """In the child: the slave side is the terminal of its session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def _read_all(master, child, end):
    text = b""
    while time.monotonic() < end:
        ready, _, _ = select.select([master], [], [], 0.1)
        try:
            piece = os.read(master, 65536) if ready else None
        except OSError:  # every process has closed its side
            return text
        if piece == b"" or (piece is None and child.poll() is not None):
            return text
        text += piece or b""
    os.killpg(child.pid, signal.SIGKILL)
    return text + b"\nended: it took too long"


def run(command, cwd, env, limit=120):
    """What it wrote, without colours, and its exit code."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, SIZE)
    child = subprocess.Popen(["bash", "-c", command], stdin=slave, stdout=slave, stderr=slave,
                             cwd=cwd, env={**env, "TERM": "xterm"}, start_new_session=True,
                             preexec_fn=_take_terminal)
    os.close(slave)
    text = _read_all(master, child, time.monotonic() + limit)
    os.close(master)
    code = child.wait(10)
    return ESCAPES.sub("", text.decode("utf-8", "replace")).replace("\r", ""), code
