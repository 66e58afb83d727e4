#!/usr/bin/env python3
"""Fuzzes each target and adds its executions to tests/fuzz/README.md.

usage: fuzz.py [SECONDS [TARGET…]] [--merge]

Two targets run at a time. Inputs that reach new code are kept in build-dev/fuzz/TARGET for the next
run; --merge takes the smallest set of them that reaches everything into tests/fuzz/corpus/TARGET.
An input that breaks a target is left in build-dev/fuzz/TARGET-crash-…; exit 1 then.
"""
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import builds

ROOT = builds.ROOT
FUZZ = os.path.join(ROOT, "tests", "fuzz")
WORK = os.path.join(ROOT, "build-dev", "fuzz")
README = os.path.join(FUZZ, "README.md")
FILES_MOST = 150  # of one corpus in the repository
LONGEST = {"catalogue": 4096, "cql_topology": 2048, "http_form": 2048, "http_guard": 2048, "template": 2048, "locale": 2048}  # bytes; others 512
ROW = re.compile(r"^\| `(\w+)` \| (.*?) \| ([\d ]+) \| (.*?) \|$", re.M)


def targets():
    return sorted(f[len("fuzz_"):-len(".c")] for f in os.listdir(FUZZ)
                  if f.startswith("fuzz_") and f.endswith(".c"))


def fuzzer_env():
    return {**os.environ, "ASAN_OPTIONS": "detect_leaks=1", "UBSAN_OPTIONS": "print_stacktrace=1"}


def flags_of(target):
    flags = [f"-max_len={LONGEST.get(target, 512)}", "-timeout=10", "-rss_limit_mb=2048",
             "-print_final_stats=1"]
    words = os.path.join(FUZZ, "dictionaries", target + ".dict")
    return flags + ([f"-dict={words}"] if os.path.exists(words) else [])


def fuzz(target, seconds):
    """Executions, and the output where something was found."""
    kept = os.path.join(WORK, target)
    os.makedirs(kept, exist_ok=True)
    program = os.path.join(builds.folder("fuzz"), "tests", "fuzz", "fuzz_" + target)
    done = subprocess.run(
        [program, kept, os.path.join(FUZZ, "corpus", target), f"-max_total_time={seconds}",
         f"-artifact_prefix={kept}-", *flags_of(target)],
        cwd=WORK, env=fuzzer_env(), capture_output=True, text=True, errors="replace")
    found = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    count = int(found.group(1)) if found else 0
    print(f"{target:16} {count:12,} executions".replace(",", " "), flush=True)
    return count, "" if done.returncode == 0 else done.stderr[-6000:]


def merge(target):
    """The fewest inputs that reach everything, small ones first, into the repository's corpus."""
    corpus = os.path.join(FUZZ, "corpus", target)
    fresh = os.path.join(WORK, target + "-merged")
    shutil.rmtree(fresh, ignore_errors=True)
    os.makedirs(fresh)
    program = os.path.join(builds.folder("fuzz"), "tests", "fuzz", "fuzz_" + target)
    subprocess.run([program, "-merge=1", fresh, os.path.join(WORK, target), *flags_of(target)],
                   cwd=WORK, env=fuzzer_env(), capture_output=True, check=True)
    found = sorted((os.path.join(fresh, f) for f in os.listdir(fresh)), key=os.path.getsize)
    seeds = [f for f in os.listdir(corpus) if f.startswith(("seed-", "found-"))]
    for name in os.listdir(corpus):
        if name not in seeds:
            os.unlink(os.path.join(corpus, name))
    for path in found[:FILES_MOST - len(seeds)]:
        shutil.copy(path, os.path.join(corpus, os.path.basename(path)[:16]))
    print(f"{target:16} {len(os.listdir(corpus)):4} files", flush=True)


def add_to_readme(counts):
    with open(README, encoding="utf-8") as file:
        text = file.read()

    def row(match):
        target, parser, so_far, found = match.groups()
        total = int(so_far.replace(" ", "")) + counts.get(target, 0)
        digits = f"{total:,}".replace(",", " ")
        return f"| `{target}` | {parser} | {digits} | {found} |"
    with open(README, "w", encoding="utf-8") as file:
        file.write(ROW.sub(row, text))


def main():
    words = [a for a in sys.argv[1:] if not a.startswith("--")]
    seconds = int(words[0]) if words else 60
    chosen = words[1:] or targets()
    unknown = [t for t in chosen if t not in targets()]
    if unknown:
        sys.exit(f"error: there is no target {' '.join(unknown)}; known: {' '.join(targets())}")
    os.makedirs(WORK, exist_ok=True)
    if not builds.build("fuzz", *[f"tests/fuzz/fuzz_{t}" for t in chosen]):
        return 1
    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(chosen, pool.map(lambda t: fuzz(t, seconds), chosen)))
    add_to_readme({target: count for target, (count, _) in results.items()})
    for target, (_, text) in results.items():
        if text:
            print(f"---- {target}\n{text}", flush=True)
    if "--merge" in sys.argv[1:]:
        for target in chosen:
            merge(target)
    return 1 if any(text for _, text in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
