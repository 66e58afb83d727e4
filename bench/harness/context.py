"""What every part of a run needs: where things are, how long to measure, what to end."""

import contextlib
import os
import subprocess

from .pairs import REPEATS, run_pairs
from .servers import BenchError, Ours

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Context:
    def __init__(self, options, work, scratch):
        self.quick = options.quick
        self.offline = options.offline
        self.pairs = options.pairs
        self.seconds = options.seconds
        self.repeats = 0 if options.quick else REPEATS
        self.work = work
        self.scratch = scratch
        self.build = os.path.abspath(options.build)
        self.executable = os.path.join(self.build, "tools-dashboard")
        if not os.access(self.executable, os.X_OK):
            raise BenchError(f"{self.executable} is not there: build it first (./dev build)")

    def folder(self, name):
        path = os.path.join(self.scratch, name)
        os.makedirs(path, exist_ok=True)
        return path

    def program(self, name):
        return os.path.join(self.build, "bench", name)

    def ours(self, name, **more):
        return Ours(self.executable, self.folder(name), **more)

    def run_pairs(self, ours, peer, noisy_above):
        return run_pairs(ours, peer, self.pairs, noisy_above, self.repeats)

    def python_of_peers(self):
        """The interpreter that has what bench/requirements.txt names; made where it is missing."""
        with open(os.path.join(HERE, "requirements.txt"), encoding="utf-8") as file:
            wanted = file.read()
        folder = os.path.join(self.work, "venv")
        stamp = os.path.join(folder, "requirements.txt")
        python = os.path.join(folder, "bin", "python")
        with contextlib.suppress(FileNotFoundError):
            with open(stamp, encoding="utf-8") as file:
                if file.read() == wanted:
                    return python
        subprocess.run(["python3", "-m", "venv", folder], check=True)
        requirements = os.path.join(HERE, "requirements.txt")
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", requirements], check=True)
        with open(stamp, "w", encoding="utf-8") as file:
            file.write(wanted)
        return python


@contextlib.contextmanager
def running(*servers):
    """Ends what was started, the last one first, whatever happens."""
    try:
        yield
    finally:
        for server in reversed(servers):
            server.stop()


def judge(value, target):
    """Whether a target is met: "missed", "met", "goal met" where there is a goal too."""
    if "at_most" in target and value > target["at_most"]:
        return "missed"
    if "at_least" in target and value < target["at_least"]:
        return "missed"
    if "goal_at_most" in target:
        return "goal met" if value <= target["goal_at_most"] else "goal missed"
    if "goal_at_least" in target:
        return "goal met" if value >= target["goal_at_least"] else "met"
    return "met"


def verdict(figure):
    """As judge(), but where most of the pairs were noisy nothing is claimed."""
    if figure["noisy_pairs"] * 2 > figure["pairs"]:
        return "noisy, not judged"
    return judge(figure["ratio"]["median"], figure["target"])


WORDS = {
    "at_most": "at most",
    "at_least": "at least",
    "goal_at_most": "goal: at most",
    "goal_at_least": "goal: at least",
}


def words_of(target):
    return ", ".join(f"{WORDS[kind]} {value}" for kind, value in target.items())
