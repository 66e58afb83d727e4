"""How soon it answers, and what memory it needs."""

import os
import socket
import subprocess
import sys
import time

from .context import judge, running
from .load import PutLoad, run_wrk
from .pairs import rounded, spread
from .servers import PACKAGES, BenchError, free_port

# A start that waited this share of its time for a processor is noisy.
NOISY_START = 0.2

HERE = os.path.dirname(os.path.abspath(__file__))


def figure_of(name, unit, values, at_most, **more):
    figure = {"name": name, "unit": unit, "target": {"at_most": at_most}}
    figure["ours"] = rounded(spread(values))
    figure["measured"] = len(values)
    figure["judged"] = judge(figure["ours"]["median"], figure["target"])
    figure["line"] = f"{name}: {figure['ours']['median']} {unit} (at most {at_most}: {figure['judged']})"
    return figure | more


def first_answer(port, deadline):
    """Asks again and again until the list of packages is answered 200."""
    request = f"GET {PACKAGES} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode()
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                connection.sendall(request)
                if connection.recv(64).startswith(b"HTTP/1.1 200"):
                    return time.perf_counter()
        except OSError:
            pass
        time.sleep(0.0002)
    raise BenchError("no answer within the time")


def scheduled(pid):
    """Milliseconds that its threads ran, and that they waited for a processor."""
    ran, waited = 0, 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as file:
                fields = file.read().split()
        except FileNotFoundError:
            continue  # the thread that starts the service ends when that is done
        ran += int(fields[0])
        waited += int(fields[1])
    return ran / 1e6, waited / 1e6


def start_once(ours):
    """(milliseconds to the first answer, of which it ran, and waited for a processor)"""
    port = free_port()
    environment = ours.environment | {"PORT": str(port)}
    from_time = time.perf_counter()
    ours.process = subprocess.Popen(
        [ours.executable, "serve"], env=environment, cwd=ours.folder,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with running(ours):
        took = (first_answer(port, from_time + 10) - from_time) * 1000
        return took, *scheduled(ours.process.pid)


def is_noisy_start(start):
    took, _, waited = start
    return waited > NOISY_START * took


def start_quietly(ours, repeats):
    """Again where it had to wait for a processor; the attempt that waited least is kept."""
    best = start_once(ours)
    for _ in range(repeats):
        if not is_noisy_start(best):
            break
        best = min(best, start_once(ours), key=lambda start: start[2] / start[0])
    return best


def measure_start(context):
    ours = context.ours("start")
    with running(ours):
        ours.start()  # the first run, which makes the database
    starts = [start_quietly(ours, context.repeats) for _ in range(3 if context.quick else 20)]
    more = {
        "cpu_ms": rounded(spread([ran for _, ran, _ in starts])),
        "waited_ms": rounded(spread([waited for _, _, waited in starts])),
        "noisy": sum(map(is_noisy_start, starts)),
    }
    name = "From exec to the first 200 (not the first run)"
    return [figure_of(name, "ms", [took for took, _, _ in starts], 50, **more)]


def measure_memory(context):
    ours = context.ours("memory")
    wait = 1 if context.quick else 10
    with running(ours):
        ours.start()
        users = PutLoad(ours, ours.make_key(), 1)
        asked = 0
        while asked < 10000:
            asked += run_wrk(ours, PACKAGES, 1, 64, "report.lua").done
            asked += run_wrk(ours, "/pricing", 1, 64, "report.lua").done
            asked += users.sample().done
        time.sleep(wait)  # the figure is defined by this wait
        value = ours.resident_mib()
    name = f"Resident memory {wait} s after 10,000 requests and more (packages, page, users written)"
    return [figure_of(name, "MiB", [value], 15, requests=asked)]


def measure_connections(context):
    count = 1000 if context.quick else 10000
    ours = context.ours("connections")
    with running(ours):
        ours.start()
        before = ours.resident_mib()
        command = [sys.executable, os.path.join(HERE, "idle.py"), str(ours.port), str(count), PACKAGES]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            if holder.stdout.readline() != f"ready {count}\n":
                raise BenchError(f"{count} connections could not be opened")
            value = ours.resident_mib()
            holder.stdin.close()
            holder.wait()
    name = f"Resident memory with {count:,} idle connections, each served once"
    return [figure_of(name, "MiB", [value], 110, before=round(before, 1))]
