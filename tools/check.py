#!/usr/bin/env python3
"""Everything that can be said about the sources without running them.

Ends with the line "N passed, N failed".
"""
import os
import re
import subprocess
import sys
import time

import analysis
import builds
import hardening
from check_layers import functions, without_comments_and_strings

ROOT = builds.ROOT
FUNCTION_MOST = 80
FILE_MOST = 800
PARAMETERS_MOST = 8  # the aim is six


def tracked(*patterns):
    """Tracked and new files; those that were deleted and not yet committed are left out."""
    text = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "--", *patterns], cwd=ROOT,
                          capture_output=True, text=True, check=True).stdout
    return sorted(p for p in set(text.splitlines()) if os.path.isfile(os.path.join(ROOT, p)))


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def command_problems(command, **kw):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace",
                          stdin=subprocess.DEVNULL, **kw)
    if done.returncode == 0:
        return []
    lines = (done.stdout + done.stderr).splitlines()
    return lines or [f"{' '.join(command)} ended with {done.returncode}"]


def check_format():
    return command_problems(["clang-format", "--dry-run", "-Werror", *tracked("*.c", "*.h")])


def check_layers():
    return command_problems([sys.executable, "tools/check_layers.py"])


def check_headers():
    return command_problems(["tools/check_headers.sh"])


def is_shell(path):
    if path.endswith(".sh"):
        return True
    first = read(path)[:40].split("\n")[0]
    return first.startswith("#!") and re.search(r"\b(ba|da)?sh$", first) is not None


def check_shell():
    names = [p for p in tracked() if os.path.getsize(os.path.join(ROOT, p)) < 200000]
    files = [p for p in names if "." not in os.path.basename(p).lstrip(".") or p.endswith(".sh")]
    return command_problems(["shellcheck", *[p for p in files if is_shell(p)]])


def check_python():
    """Syntax, names that nobody defines, imports that nobody uses."""
    first = [p for p in tracked() if "." not in os.path.basename(p)]
    files = tracked("*.py") + [p for p in first if re.match(r"#!.*python", read(p)[:40])]
    return command_problems(["pyflakes3", *files])


# Words that say that something is left to do, and names of whoever wrote it. The letters are kept
# apart so that this file does not find itself.
UNFINISHED = re.compile("|".join([
    r"\bTO" r"DO\b", r"\bFIX" r"ME\b", r"(?<![\"X])\bX" r"XX\b(?!\")", r"\bHA" r"CK\b",
    r"(?i:not (?:yet )?impl" r"emented)", r"(?i:\bst" r"ubs?\b)"]))
AUTHOR = re.compile(r"@aut" r"hor|^\W*Auth" r"or:|Written b" r"y |Generated w" r"ith|Co-Auth" r"ored",
                    re.M)
PLACES = re.compile(r"/wo" r"rk/(?:main|shared|steering|\.library)|/fa" r"rm/|/tm" r"p/w/")


def check_words():
    problems = []
    for path in tracked():
        if path.endswith((".png", ".ico", ".woff2", ".lock", "package-lock.json")) or \
                "/corpus/" in path:
            continue
        text = read(path)
        rules = [AUTHOR, PLACES]
        if path.startswith(("src/", "templates/", "static/", "schema/", "tests/", "tools/", "dev")):
            rules.append(UNFINISHED)
        for rule in rules:
            for match in rule.finditer(text):
                line = text.count("\n", 0, match.start()) + 1
                problems.append(f"{path}:{line}: {match.group(0).strip()!r} does not belong here")
    return problems


def check_sizes():
    problems = []
    for path in tracked("src/*.c", "src/*.h", "tests/*.c", "tests/*.h", "bench/*.c"):
        text = read(path)
        lines = text.count("\n")
        if lines > FILE_MOST:
            problems.append(f"{path}: {lines} lines, more than {FILE_MOST}: two jobs in one file?")
        for (number, name), begin, end in functions(without_comments_and_strings(text)):
            if end - begin - 1 > FUNCTION_MOST:
                problems.append(f"{path}:{number}: {end - begin - 1} lines, more than "
                                f"{FUNCTION_MOST}: {name.strip()}")
    return problems


def check_parameters():
    problems = []
    for path in tracked("src/*.h"):
        text = without_comments_and_strings(read(path))
        for match in re.finditer(r"^[a-z][\w \t*]*?(\w+)\(([^;{}()]*)\)[^;{}]*;", text, re.M):
            count = match.group(2).count(",") + 1
            if count > PARAMETERS_MOST:
                line = text.count("\n", 0, match.start()) + 1
                problems.append(f"{path}:{line}: {match.group(1)} has {count} parameters")
    return problems


def check_gcc():
    return [] if builds.build("release") else ["gcc: the build failed or warns"]


def check_clang():
    return [] if builds.build("clang") else ["clang: the build failed or warns"]


def check_hardening():
    return [line for kind in ("release", "clang")
            for line in hardening.problems(os.path.join(builds.folder(kind), "tools-dashboard"))]


def check_analyzer():
    return analysis.problems("gcc")


def check_tidy():
    return analysis.problems("clang-tidy")


CHECKS = [check_format, check_layers, check_headers, check_shell, check_python, check_words,
          check_sizes, check_parameters, check_gcc, check_clang, check_hardening, check_analyzer,
          check_tidy]


def main():
    passed = failed = 0
    for check in CHECKS:
        name = check.__name__.removeprefix("check_")
        begin = time.monotonic()
        problems = check()
        print(f"{'FAILED' if problems else 'ok':6} {name:10} {time.monotonic() - begin:5.1f} s",
              flush=True)
        for problem in problems[:60]:
            print("    " + problem, flush=True)
        passed, failed = passed + (not problems), failed + bool(problems)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
