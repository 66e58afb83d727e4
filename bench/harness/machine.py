"""What the figures were measured on and with."""

import datetime
import os
import platform
import re
import statistics
import subprocess
import time

from .servers import find_program


def read_first(path, pattern):
    with open(path, encoding="utf-8") as file:
        found = re.search(pattern, file.read(), re.MULTILINE)
    return found.group(1).strip() if found else "unknown"


def output_of(*command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return (done.stdout + done.stderr).strip()


def median_sync_us(folder):
    """Median time of an fdatasync after 8 kB were written over."""
    path = os.path.join(folder, "sync")
    times = []
    with open(path, "wb", buffering=0) as file:
        file.write(bytes(1 << 20))
        os.fsync(file.fileno())
        for _ in range(300):
            file.seek(0)
            file.write(bytes(8192))
            from_ns = time.perf_counter_ns()
            os.fdatasync(file.fileno())
            times.append((time.perf_counter_ns() - from_ns) / 1000)
    os.remove(path)
    return round(statistics.median(times))


def describe_machine(folder):
    memory = int(read_first("/proc/meminfo", r"MemTotal:\s+(\d+)")) / 1048576
    return {
        "cpu": read_first("/proc/cpuinfo", r"model name\s*:(.*)"),
        "cores": os.cpu_count(),
        "memory_gib": round(memory, 1),
        "system": read_first("/etc/os-release", r'PRETTY_NAME="(.*)"'),
        "kernel": platform.release(),
        "filesystem": output_of("stat", "-f", "-c", "%T", folder),
        "fdatasync_us": median_sync_us(folder),
        "wrk": output_of("wrk", "-v").split("\n", maxsplit=1)[0].split(" [")[0],
        "python": platform.python_version(),
    }


def describe_build(root, executable):
    commit = output_of("git", "-C", root, "rev-parse", "--short=12", "HEAD")
    changed = output_of("git", "-C", root, "status", "--porcelain", "--", "src", "schema", "catalogue")
    now = datetime.datetime.now(datetime.timezone.utc)
    return {
        "commit": commit + ("+changes" if changed else ""),
        "version": output_of(executable, "version"),
        "measured_at": now.isoformat(timespec="seconds"),
    }


def version_of_nginx():
    return output_of(find_program("nginx"), "-v").rpartition("/")[2]


def version_of_postgres(folder):
    return output_of(f"{folder}/postgres", "--version").split(") ")[-1].split(" (")[0]


def versions_of_python(python, names):
    code = "import importlib.metadata as m, sys; print(*(m.version(n) for n in sys.argv[1:]))"
    return dict(zip(names, output_of(python, "-c", code, *names).split()))
