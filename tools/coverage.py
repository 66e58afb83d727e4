"""How many lines of each parser the fuzz corpora reach: tests/fuzz/parsers.txt says which target's
corpus must reach which file, and it must be nine in ten."""
import json
import os
import subprocess
import sys

import builds

LEAST = 90.0  # per cent of a file's lines
TABLE = os.path.join(builds.ROOT, "tests", "fuzz", "parsers.txt")


def read_table():
    """File and its targets."""
    with open(TABLE, encoding="utf-8") as file:
        rows = [line.split(":") for line in file if line.strip() and not line.startswith("#")]
    return [(path.strip(), targets.split()) for path, targets in rows]


def programs():
    """What must be built for it, relative to the build folder."""
    return sorted({f"tests/fuzz/replay_{t}" for _, targets in read_table() for t in targets})


def replay(target):
    """The profile of a replayed corpus; None: the replay failed."""
    raw = os.path.join(builds.folder("cov"), target + ".profraw")
    program = program_of(target)
    corpus = os.path.join(builds.ROOT, "tests", "fuzz", "corpus", target)
    done = subprocess.run([program, corpus], env={**os.environ, "LLVM_PROFILE_FILE": raw},
                          stdin=subprocess.DEVNULL, capture_output=True)
    return raw if done.returncode == 0 else None


def program_of(target):
    return os.path.join(builds.folder("cov"), "tests", "fuzz", "replay_" + target)


def line_rates(target):
    """Per cent of the lines of each source file that one target reaches."""
    raw = replay(target)
    if raw is None:
        return None
    merged = raw.removesuffix("raw") + "data"
    subprocess.run(["llvm-profdata", "merge", "-sparse", raw, "-o", merged], check=True)
    text = subprocess.run(["llvm-cov", "export", "-summary-only", f"-instr-profile={merged}",
                           program_of(target)], capture_output=True, text=True, check=True).stdout
    return {os.path.relpath(f["filename"], builds.ROOT): f["summary"]["lines"]["percent"]
            for f in json.loads(text)["data"][0]["files"]}


def measure():
    """Prints a line a file and gives (passed, failed)."""
    rates, passed, failed = {}, 0, 0
    for path, targets in read_table():
        for target in targets:
            if target not in rates:
                rates[target] = line_rates(target)
        reached = max((rates[t] or {}).get(path, 0.0) for t in targets)
        good = reached >= LEAST
        passed, failed = passed + good, failed + (not good)
        print(f"{'ok' if good else 'FAILED':6} {reached:5.1f} % {path} by {' '.join(targets)}", flush=True)
    return passed, failed


if __name__ == "__main__":
    sys.exit(1 if not builds.build("cov", *programs()) or measure()[1] else 0)
