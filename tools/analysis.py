#!/usr/bin/env python3
"""gcc's static analyzer and clang-tidy over src/. What they find is mended, or explained in
tools/findings.txt; an explanation that explains nothing any more is a fault as well.

usage: analysis.py gcc|clang-tidy [FILE…]   (all findings of these files, explained or not)

A file's findings are kept in build-dev/analysis/ until the tool, its options, the file or anything
that it includes is another.
"""
import collections
import hashlib
import json
import os
import re
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import builds
from check_layers import functions, without_comments_and_strings

ROOT = builds.ROOT
EXPLAINED = "tools/findings.txt"
MODELS = "tools/models.h"
MODELLED = ("src/base/alloc.c", "src/base/err.c")  # they define what the models describe
# What a file may take on a busy machine, where the slowest take some 30 s. It is a finding, too.
FILE_SECONDS = 300
TIMEOUT_CODE = 124  # of timeout(1)
# How far clang's analyzer goes in a function. Its own bound, 225000, takes three times as long and has
# found nothing more.
NODES_MOST = 60000

Finding = collections.namedtuple("Finding", "path line column check words")
# One file of a build: its command, and all files that it is made of.
Unit = collections.namedtuple("Unit", "path folder command parts")
Row = collections.namedtuple("Row", "number key count reason")

SAID = re.compile(r"^(\S[^:\n]*):(\d+):(\d+): (?:warning|error): (.*) \[([^\]\s]+)\]$", re.M)


# ---- the tools ---------------------------------------------------------------------------------

def models(unit):
    return [] if unit.path in MODELLED else ["-include", os.path.join(ROOT, MODELS)]


def gcc_command(unit):
    """The build's own command, with the analyzer and without anything that it would write."""
    words = iter(unit.command)
    kept = ["gcc"]
    next(words)
    for word in words:
        if word in ("-MQ", "-MF", "-o"):
            next(words)
        elif word not in ("-MD", "-c", "-Werror"):
            kept.append(word)
    return [*kept, *models(unit), "-fanalyzer", "-fdiagnostics-plain-output", "-c", "-o", "/dev/null"]


def tidy_command(unit):
    words = ["-Xclang", "-analyzer-config", "-Xclang", f"max-nodes={NODES_MOST}", *models(unit)]
    return ["clang-tidy", "-p", unit.folder, "--quiet",
            "--config-file=" + os.path.join(ROOT, ".clang-tidy"),
            *(f"--extra-arg={word}" for word in words), os.path.join(ROOT, unit.path)]


TOOLS = {"gcc": ("release", gcc_command), "clang-tidy": ("clang", tidy_command)}


def version(tool):
    """As "gcc 12"; the tool's findings are those of a version."""
    option = "-dumpversion" if tool == "gcc" else "--version"
    text = subprocess.run([tool, option], capture_output=True, text=True, check=True).stdout
    return f"{tool} {re.search(r'[0-9]+', text).group(0)}"


def units(kind):
    """Those of src/ in the build, which must be up to date."""
    folder = builds.folder(kind)
    text = subprocess.run(["ninja", "-C", folder, "-t", "deps"], capture_output=True, text=True,
                          check=True).stdout
    made_of = {}
    for block in text.split("\n\n"):
        lines = block.splitlines()
        if lines and ": #deps" in lines[0]:
            made_of[lines[0].split(": #deps")[0]] = [line.strip() for line in lines[1:]]
    with open(os.path.join(folder, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    found = []
    for entry in entries:
        path = os.path.relpath(os.path.join(folder, entry["file"]), ROOT)
        if path.startswith("src/") and entry["output"] in made_of:
            found.append(Unit(path, folder, shlex.split(entry["command"]), made_of[entry["output"]]))
    return found


def said(unit, text):
    found = set()
    for name, line, column, words, check in SAID.findall(text):
        path = os.path.relpath(os.path.join(unit.folder, name), ROOT)
        check = check.split(",")[0].removeprefix("-W").removeprefix("error=")
        found.add(Finding(path, int(line), int(column), check, words))
    return found


def run_tool(tool, unit):
    """The findings of a file. A tool that breaks off has found that."""
    command = TOOLS[tool][1](unit)
    done = subprocess.run(["timeout", str(FILE_SECONDS), *command], cwd=unit.folder,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    found = said(unit, done.stdout + done.stderr)
    if done.returncode == TIMEOUT_CODE:
        found.add(Finding(unit.path, 0, 0, "time", f"not done after {FILE_SECONDS} s"))
    elif done.returncode != 0 and not found:
        found.add(Finding(unit.path, 0, 0, "end", (done.stderr or done.stdout)[:300]))
    return found


# ---- what is kept ------------------------------------------------------------------------------

def digest_of(path, known):
    if path not in known:
        with open(path, "rb") as file:
            known[path] = hashlib.sha256(file.read()).hexdigest()
    return known[path]


def key_of(tool, unit, known):
    """Of all that the findings come from; the same in every copy of the tree."""
    parts = [os.path.join(unit.folder, part) for part in sorted(unit.parts)]
    parts += [os.path.join(ROOT, name) for name in (".clang-tidy", MODELS, "tools/analysis.py")]
    words = [version(tool), *TOOLS[tool][1](unit), *(digest_of(part, known) for part in parts)]
    return hashlib.sha256("\0".join(words).replace(ROOT, "").encode()).hexdigest()


def findings(tool, chosen=()):
    """All that the tool finds in src/, or in the chosen files."""
    kept = os.path.join(ROOT, "build-dev", "analysis")
    os.makedirs(kept, exist_ok=True)
    known = {}

    def of_unit(unit):
        place = os.path.join(kept, key_of(tool, unit, known))
        if os.path.exists(place):
            with open(place, encoding="utf-8") as file:
                return {Finding(*row) for row in json.load(file)}
        found = run_tool(tool, unit)
        if not any(f.check in ("time", "end") for f in found):
            new = f"{place}.{os.getpid()}"
            with open(new, "w", encoding="utf-8") as file:
                json.dump(sorted(found), file)
            os.replace(new, place)
        return found

    wanted = [unit for unit in units(TOOLS[tool][0]) if not chosen or unit.path in chosen]
    with ThreadPoolExecutor(builds.JOBS) as pool:
        return set().union(*pool.map(of_unit, wanted))


# ---- what is explained -------------------------------------------------------------------------

def function_at(path, line):
    """The function's name; "-" outside of all."""
    where = os.path.join(ROOT, path)
    if os.path.exists(where):
        with open(where, encoding="utf-8") as file:
            text = without_comments_and_strings(file.read())
        for (begin, head), _, end in functions(text):
            if begin <= line <= end:
                return re.search(r"(\w+)\(", head).group(1)
    return "-"


def explained(text):
    """The rows of the list for each tool and version: {"gcc 12": [Row…]}.

    A row is "FILE FUNCTION CHECK [times N]"; the reason stands below it, further in."""
    rows, version_now = {}, None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("["):
            version_now = line.strip("[]")
        elif line.startswith((" ", "\t")):
            last = rows[version_now][-1]
            rows[version_now][-1] = last._replace(reason=f"{last.reason} {line.strip()}".strip())
        elif line and not line.startswith("#"):
            words = line.split()
            count = int(words[4]) if len(words) > 4 else 1
            rows.setdefault(version_now, []).append(Row(number, tuple(words[:3]), count, ""))
    return rows


def judge(found, rows, where=EXPLAINED):
    """What is neither mended nor explained, and what the rows explain without need."""
    by_key = collections.defaultdict(list)
    for finding in sorted(found):
        by_key[(finding.path, function_at(finding.path, finding.line), finding.check)].append(finding)
    problems = []
    for row in rows:
        there = by_key.pop(row.key, [])
        if not row.reason:
            problems.append(f"{where}:{row.number}: no reason is given")
        if len(there) != row.count:
            problems.append(f"{where}:{row.number}: explained {row.count} times, found {len(there)} "
                            f"times: {' '.join(row.key)}")
            problems += map(line_of, there)
    for (_, name, _), there in by_key.items():
        problems += [f"{line_of(finding)} in {name}" for finding in there]
    return problems


def line_of(finding):
    return f"{finding.path}:{finding.line}:{finding.column}: {finding.words} [{finding.check}]"


def problems(tool):
    """What `./dev check` says. Another version of the tool finds other things: then its explanations
    are those of the version in the list, and none is too many."""
    with open(os.path.join(ROOT, EXPLAINED), encoding="utf-8") as file:
        rows = explained(file.read())
    now = version(tool)
    found = findings(tool)
    if now in rows:
        return judge(found, rows[now])
    known = {row.key for name, more in rows.items() if name.split()[0] == tool for row in more}
    return judge({f for f in found if (f.path, function_at(f.path, f.line), f.check) not in known}, [])


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in TOOLS:
        sys.exit(f"usage: analysis.py {'|'.join(TOOLS)} [FILE…]")
    for finding in sorted(findings(sys.argv[1], sys.argv[2:])):
        print(f"{line_of(finding)} in {function_at(finding.path, finding.line)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
