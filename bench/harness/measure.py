"""What a sample is: processor time of all processes of a side, and how much of the machine
something else used meanwhile."""

import os
import resource
import time
from dataclasses import asdict, dataclass, field

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()


def read_processes():
    """{pid: (parent, seconds of processor time with that of ended children)}"""
    processes = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        # After the name: state, parent, ...; utime, stime, cutime, cstime are 11 to 14 from here.
        processes[int(name)] = (int(fields[1]), sum(map(int, fields[11:15])) / TICK)
    return processes


def cpu_of_trees(roots):
    """Processor seconds used so far by the processes `roots` and everything below them."""
    processes = read_processes()
    children = {}
    for pid, (parent, _) in processes.items():
        children.setdefault(parent, []).append(pid)
    total, left = 0.0, [pid for pid in roots if pid in processes]
    while left:
        pid = left.pop()
        total += processes[pid][1]
        left += children.get(pid, [])
    return total


def cpu_of_machine():
    """Processor seconds that the machine has been busy (stolen time too)."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _idle, _wait, irq, softirq, steal = map(int, file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def cpu_of_harness():
    """Processor seconds of this process and of the load generators that it has waited for."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


@dataclass
class Sample:
    """One round of load on one side."""

    seconds: float
    done: int
    cpu: float  # of all processes of the side
    load_cpu: float  # of the load generator and the harness
    foreign: float  # share of the whole machine that anything else used
    errors: int = 0
    extra: dict = field(default_factory=dict)

    @property
    def rate(self):
        return self.done / self.seconds

    @property
    def cpu_us(self):
        return self.cpu * 1e6 / self.done

    def as_dict(self):
        values = asdict(self)
        extra = values.pop("extra")
        values = {key: round(value, 6) for key, value in values.items()}
        return values | extra | {"rate": round(self.rate, 1), "cpu_us": round(self.cpu_us, 3)}


class Window:
    """with Window(roots) as window: ...; then window.sample(done=...)"""

    def __init__(self, roots):
        self.roots = roots

    def __enter__(self):
        self.side = -cpu_of_trees(self.roots)
        self.load = -cpu_of_harness()
        self.machine = -cpu_of_machine()
        self.seconds = -time.perf_counter()
        return self

    def __exit__(self, *_):
        self.seconds += time.perf_counter()
        self.machine += cpu_of_machine()
        self.load += cpu_of_harness()
        self.side += cpu_of_trees(self.roots)

    def foreign(self, side):
        share = (self.machine - self.load - side) / (self.seconds * CORES)
        return min(1.0, max(0.0, share))

    def sample(self, done, seconds=None, errors=0, **extra):
        return Sample(
            seconds=seconds or self.seconds,
            done=done,
            cpu=self.side,
            load_cpu=self.load,
            foreign=self.foreign(self.side),
            errors=errors,
            extra=extra,
        )

    def sample_of_child(self, done, seconds, cpu, errors=0, **extra):
        """For a side that was itself a child of the harness (a bare loop): it says its own time."""
        return Sample(
            seconds=seconds,
            done=done,
            cpu=cpu + self.side,
            load_cpu=max(0.0, self.load - cpu),
            foreign=self.foreign(self.side),
            errors=errors,
            extra=extra,
        )
