#!/usr/bin/env python3
"""Plants the bugs of tests/fuzz/canaries.json, one into a copy of each parser, and sees whether the
fuzzer finds them within 60 seconds. The product's sources stay as they are.

usage: fuzz_canary.py [TARGET…]

A row: target, file, the text to replace and what with; "seeds": begin with the corpus, else with
nothing but the dictionary. Ends with the line "N passed, N failed".
"""
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import builds
import fuzz

SECONDS = 60
WORK = os.path.join(builds.folder("fuzz"), "canaries")


class Unplanted(Exception):
    """The bug could not be put into a copy: the parser changed, and the row must follow."""


def run_step(command):
    done = subprocess.run(command, cwd=builds.folder("fuzz"), capture_output=True, text=True)
    if done.returncode != 0:
        raise Unplanted(done.stderr[:2000])


def compile_command(path):
    """The arguments that the fuzz build compiles a source file with."""
    with open(os.path.join(builds.folder("fuzz"), "compile_commands.json"), encoding="utf-8") as file:
        for row in json.load(file):
            if os.path.realpath(os.path.join(row["directory"], row["file"])) == \
                    os.path.realpath(os.path.join(builds.ROOT, path)):
                return shlex.split(row["command"])
    raise Unplanted(f"{path} is in no build")


def link_command(target):
    text = subprocess.run(["ninja", "-C", builds.folder("fuzz"), "-t", "commands",
                           f"tests/fuzz/fuzz_{target}"], capture_output=True, text=True,
                          check=True).stdout
    return shlex.split(text.strip().splitlines()[-1])


def plant(row):
    """Builds the target with the patched copy of its parser; the program's path."""
    name = row["target"]
    with open(os.path.join(builds.ROOT, row["file"]), encoding="utf-8") as file:
        text = file.read()
    if text.count(row["from"]) != 1:
        raise Unplanted(f"{row['file']} has {row['from']!r} {text.count(row['from'])} times")
    source = os.path.join(WORK, name + "_planted.c")
    with open(source, "w", encoding="utf-8") as file:
        file.write(text.replace(row["from"], row["to"]))
    command = compile_command(row["file"])
    command[command.index("-o") + 1] = source + ".o"
    command[command.index("-c") + 1] = source
    for flag in ("-MF", "-MQ"):
        command[command.index(flag) + 1] = source + ".d"
    run_step(command)
    command = link_command(name)
    program = os.path.join(WORK, "fuzz_" + name)
    command[command.index("-o") + 1] = program
    # Before the libraries: what the copy defines is not looked for in them.
    command.insert(command.index("-o") + 3, source + ".o")
    run_step(command)
    return program


def is_found(row):
    try:
        program = plant(row)
    except Unplanted as why:
        print(f"FAILED {row['target']:16} mend tests/fuzz/canaries.json: {why}", flush=True)
        return False
    kept = os.path.join(WORK, row["target"] + "-corpus")
    shutil.rmtree(kept, ignore_errors=True)
    os.makedirs(kept)
    corpora = [kept] + ([os.path.join(fuzz.FUZZ, "corpus", row["target"])] if row.get("seeds") else [])
    begin = time.monotonic()
    done = subprocess.run([program, *corpora, f"-max_total_time={SECONDS}", "-seed=1",
                           f"-artifact_prefix={kept}-", *fuzz.flags_of(row["target"])],
                          cwd=WORK, env=fuzz.fuzzer_env(), capture_output=True, text=True,
                          errors="replace")
    found = done.returncode != 0 and ("ERROR: " in done.stderr or "runtime error" in done.stderr)
    print(f"{'ok' if found else 'FAILED':6} {row['target']:16} a bug planted in {row['file']}: "
          f"{'found' if found else 'not found'} after {time.monotonic() - begin:.0f} s", flush=True)
    return found


def main():
    with open(os.path.join(fuzz.FUZZ, "canaries.json"), encoding="utf-8") as file:
        rows = [r for r in json.load(file) if not sys.argv[1:] or r["target"] in sys.argv[1:]]
    if not builds.build("fuzz", *[f"tests/fuzz/fuzz_{r['target']}" for r in rows]):
        print("0 passed, 1 failed")
        return 1
    os.makedirs(WORK, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(is_found, rows))
    bare = set(fuzz.targets()) - {r["target"] for r in rows} if not sys.argv[1:] else set()
    for target in sorted(bare):
        print(f"FAILED {target:16} has no planted bug in tests/fuzz/canaries.json")
    print(f"{sum(results)} passed, {len(results) - sum(results) + len(bare)} failed", flush=True)
    return 0 if all(results) and not bare else 1


if __name__ == "__main__":
    sys.exit(main())
