#!/usr/bin/env python3
"""Runs the test suites and adds up what they say.

usage: run_tests.py [--long] [--no-skips] [SUITE | SUITE/PATTERN]…

Ends with the line "N passed, N failed, N skipped" over all suites; exit 1 where something failed
(or was skipped, with --no-skips or CI=true), where a runner crashed, or where nothing ran.
"""
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import builds
import coverage

ROOT = builds.ROOT
PLAIN = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", re.M)
# What TSan runs: everything that shares memory between threads.
TSAN = ("work/", "store/", "store_", "contract/", "catalogue/snapshot", "connect/supervisor", "http/",
        "call/", "api/call", "api/subscriptions", "page/page", "cql/client")


class Counts:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def failed(why):
    print(why, flush=True)
    return Counts(failed=1)


# ---- executables that Meson knows --------------------------------------------------------------

def meson_tests(kind, suite):
    """The tests of a build folder that belong to a suite: name, command, environment, limit."""
    text = subprocess.run(["meson", "introspect", "--tests", builds.folder(kind)], cwd=ROOT,
                          capture_output=True, text=True, check=True).stdout
    return [t for t in json.loads(text) if any(s.split(":")[-1] == suite for s in t["suite"])]


def count_tap(text, code):
    """cmocka's lines; a runner that broke off counts as one more failure."""
    plan = re.search(r"^1\.\.(\d+)", text, re.M)
    good = len(re.findall(r"^ok \d+(?!.*# SKIP)", text, re.M))
    skipped = len(re.findall(r"^(?:not )?ok \d+.*# SKIP", text, re.M))
    bad = len(re.findall(r"^not ok \d+(?!.*# SKIP)", text, re.M))
    if plan is None:
        return Counts(passed=int(code == 0), failed=int(code != 0))
    broke_off = good + bad + skipped < int(plan.group(1)) or (code != 0 and bad == 0)
    none_ran = good + bad + skipped == 0
    return Counts(good, bad + (1 if broke_off or none_ran else 0), skipped)


def sanitizer_env():
    return {
        "CMOCKA_MESSAGE_OUTPUT": "TAP",
        "ASAN_OPTIONS": "detect_stack_use_after_return=1:strict_string_checks=1:abort_on_error=0",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
    }


# TSan of Debian 12 needs addresses that are not shuffled far; not every container allows that.
SETARCH = ["setarch", "-R"] if subprocess.run(
    ["setarch", "-R", "true"], capture_output=True).returncode == 0 else []


def run_limited(command, limit, env, cwd=ROOT):
    """Output and exit code; ends the whole process group after `limit` seconds."""
    child = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace", start_new_session=True)
    try:
        text, _ = child.communicate(timeout=limit)
        return text, child.returncode
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        text, _ = child.communicate()
        return text + f"\nended after {limit} s", 1


def run_meson_test(kind, test):
    env = {**os.environ, **sanitizer_env(), **test["env"], "TD_SOURCE_ROOT": ROOT}
    prefix = SETARCH if kind == "tsan" else []
    limit = test["timeout"] * (20 if os.environ.get("TD_LONG") else 2)
    text, code = run_limited(prefix + test["cmd"], limit, env, cwd=test.get("workdir") or ROOT)
    counts = count_tap(text, code)
    if counts.failed:
        print(f"---- {test['name']} (exit {code}): {' '.join(test['cmd'])}\n{text}", flush=True)
    else:
        for line in re.findall(r"^(?:note|shortened): .*$", text, re.M):
            print(f"{test['name']}: {line}", flush=True)
    return counts


def run_meson_suite(kind, suite, pattern, chosen=lambda name: True):
    tests = [t for t in meson_tests(kind, suite)
             if pattern in f"{suite}/{t['name']}" and chosen(t["name"])]
    total = Counts()
    with ThreadPoolExecutor(builds.JOBS) as pool:
        for counts in pool.map(lambda t: run_meson_test(kind, t), tests):
            total.add(counts)
    return total


# ---- suites ------------------------------------------------------------------------------------

def run_script(name, script, limit):
    """A script of ours that ends with the plain line."""
    text, code = run_limited([sys.executable, script], limit, os.environ)
    print(text, end="", flush=True)
    found = PLAIN.findall(text)
    if not found or (code != 0 and int(found[-1][1]) == 0):
        return failed(f"{name}: the runner broke off")
    return Counts(*(int(n or 0) for n in found[-1]))


def suite_checks(pattern):
    return run_script("checks", "tools/check.py", 1800)


def suite_canary(pattern):
    return run_script("canary", "tests/canary/run.py", 900)


def suite_planted(pattern):
    return run_script("planted", "tools/fuzz_canary.py", 2400)


def suite_unit(pattern):
    if not builds.build("asan"):
        return failed("unit: the build failed")
    return run_meson_suite("asan", "unit", pattern)


def suite_contract(pattern):
    if not builds.build("asan"):
        return failed("contract: the build failed")
    return run_meson_suite("asan", "contract", pattern)


def suite_tsan(pattern):
    if not builds.build("tsan"):
        return failed("tsan: the build failed")
    total = Counts()
    for suite in ("unit", "contract"):
        total.add(run_meson_suite("tsan", suite, "",
                                  lambda name: name.startswith(TSAN) or suite == "contract"))
    return total


def suite_replay(pattern):
    if not builds.build("asan"):
        return failed("replay: the build failed")
    return run_meson_suite("asan", "replay", pattern)


def suite_coverage(pattern):
    if not builds.build("cov", *coverage.programs()):
        return failed("coverage: the build failed")
    return Counts(*coverage.measure())


def run_files(name, report, pattern, env, options):
    """One pytest, whose report is counted."""
    if os.path.exists(report):
        os.unlink(report)
    command = [os.path.join(ROOT, "build-dev", "venv", "bin", "python"), "-m", "pytest", "-q",
               "-p", "no:cacheprovider", "-rfEs", "--durations=5", "-o", "junit_logging=system-out",
               f"--junitxml={report}", *options]
    if "/" in pattern:
        command += ["-k", pattern.split("/", 1)[1]]
    begin = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL).returncode
    print(f"{name}: pytest ended with {code} after {time.monotonic() - begin:.0f} s", flush=True)
    return count_junit(report, code)


def count_junit(report, code):
    if not os.path.exists(report):
        return failed("pytest broke off without a report")
    total = Counts()
    tree = ElementTree.parse(report).getroot()
    for case in tree.iter("testcase"):
        for line in (case.findtext("system-out") or "").splitlines():
            if "TD_LONG" in line or "shortened" in line:
                print(f"{case.get('name')}: {line.strip()}", flush=True)
    for suite in tree.iter("testsuite"):
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        total.add(Counts(int(suite.get("tests", 0)) - bad - skipped, bad, skipped))
    if code != 0 and total.failed == 0:
        total.failed = 1
    return total


def run_pytest(name, pattern, kinds=None, alone=(), together=True):
    """As many files `together` as there are processors: mostly they wait. `alone`: files that measure,
    and so run by themselves, before the others."""
    python = builds.venv()
    if kinds is None:
        kinds = ["release", "asan"] + (["tsan"] if os.environ.get("TD_LONG") else [])
    if python is None or not all(map(builds.build, kinds)):
        return failed(f"{name}: a build failed")
    report = os.path.join(ROOT, "build-dev", name)
    env = {**os.environ, **sanitizer_env(), "PYTHONDONTWRITEBYTECODE": "1",
           "TOOLS_DASHBOARD": os.path.join(builds.folder("asan"), "tools-dashboard"),
           "TOOLS_DASHBOARD_RELEASE": os.path.join(builds.folder("release"), "tools-dashboard"),
           "TOOLS_DASHBOARD_TSAN": os.path.join(builds.folder("tsan"), "tools-dashboard")}
    alone = [f"tests/{name}/{file}" for file in alone]
    total = Counts()
    if alone and "/" not in pattern:
        total.add(run_files(name, report + "-alone.xml", pattern, env, alone))
    others = [f"tests/{name}"]
    if together:
        others += ["-n", str(builds.JOBS), "--dist", "loadfile"]
    if "/" not in pattern:
        others += [f"--ignore={path}" for path in alone]
    total.add(run_files(name, report + ".xml", pattern, env, others))
    return total


def suite_integration(pattern):
    return run_pytest("integration", pattern, alone=["test_cql_cluster.py"])


def suite_faults(pattern):
    return run_pytest("faults", pattern, alone=["test_pg_load.py"])


def suite_compose(pattern):
    python = builds.venv()
    path = os.path.dirname(python or "") + os.pathsep + os.environ["PATH"]
    if python is None or not browser_modules({**os.environ, "PATH": path}):
        return failed("compose: npm ci failed")
    return run_pytest("compose", pattern, kinds=[], together=False)


def suite_browser(pattern):
    where = os.path.join(ROOT, "tests", "browser")
    python = builds.venv()
    if python is None or not builds.build("release", "tools-dashboard"):
        return failed("browser: a build failed")
    env = {**os.environ, "PATH": os.path.dirname(python) + os.pathsep + os.environ["PATH"],
           "TOOLS_DASHBOARD": os.path.join(builds.folder("release"), "tools-dashboard")}
    if not browser_modules(env):
        return failed("browser: npm ci failed")
    text, code = run_limited(["npm", "--prefix", where, "--silent", "test"], 1800, env)
    print(text, end="", flush=True)
    found = PLAIN.findall(text)
    if not found or (code != 0 and int(found[-1][1]) == 0):
        return failed("browser: the runner broke off")
    return Counts(*(int(n or 0) for n in found[-1]))


def browser_modules(env):
    """What tests/browser imports, installed when its list has changed; False: it failed."""
    where = os.path.join(ROOT, "tests", "browser")
    wanted = os.path.join(where, "package-lock.json")
    made = os.path.join(where, "node_modules", ".package-lock.json")
    if os.path.exists(made) and not newer(wanted, made):
        return True
    return builds.run_quiet(["npm", "--prefix", where, "ci", "--no-audit", "--no-fund"], env=env)


def newer(one, other):
    return os.path.getmtime(one) > os.path.getmtime(other)


# In this order; a suite whose folder or file is not there is left out.
SUITES = [
    ("checks", suite_checks, "tools/check.py"),
    ("canary", suite_canary, "tests/canary/run.py"),
    ("unit", suite_unit, "tests/unit/meson.build"),
    ("contract", suite_contract, "tests/contract/meson.build"),
    ("tsan", suite_tsan, "tests/unit/meson.build"),
    ("replay", suite_replay, "tests/fuzz/meson.build"),
    ("coverage", suite_coverage, "tests/fuzz/parsers.txt"),
    ("planted", suite_planted, "tests/fuzz/canaries.json"),
    ("integration", suite_integration, "tests/integration/conftest.py"),
    ("browser", suite_browser, "tests/browser/run.mjs"),
    ("faults", suite_faults, "tests/faults/conftest.py"),
    ("compose", suite_compose, "tests/compose/conftest.py"),
]


def chosen_suites(names):
    known = [name for name, _, _ in SUITES]
    for name in names:
        if name.split("/")[0] not in known:
            sys.exit(f"error: there is no suite {name}; known: {' '.join(known)}")
    for name, run, needs in SUITES:
        wanted = [n for n in names if n.split("/")[0] == name]
        if (wanted or not names) and os.path.exists(os.path.join(ROOT, needs)):
            yield name, run, wanted[0] if wanted and "/" in wanted[0] else ""


def parse_arguments(arguments):
    flags = [a for a in arguments if a.startswith("--")]
    for flag in flags:
        if flag not in ("--long", "--no-skips"):
            sys.exit(f"error: there is no flag {flag}; known: --long --no-skips")
    if "--long" in flags:
        os.environ["TD_LONG"] = "1"
    no_skips = "--no-skips" in flags or os.environ.get("CI") == "true"
    return no_skips, [a for a in arguments if not a.startswith("--")]


def main():
    no_skips, names = parse_arguments(sys.argv[1:])
    os.makedirs(os.path.join(ROOT, "build-dev"), exist_ok=True)
    total, rows = Counts(), []
    for name, run, pattern in chosen_suites(names):
        begin = time.monotonic()
        print(f"==== {name}", flush=True)
        counts = run(pattern)
        if counts.passed + counts.failed + counts.skipped == 0:
            counts = failed(f"{name}: no test was executed")
        total.add(counts)
        rows.append(f"{name:12} {str(counts):44} {time.monotonic() - begin:5.0f} s")
    print("\n" + "\n".join(rows) + "\n", flush=True)
    if total.passed + total.failed == 0:
        total.failed = 1
    print(total, flush=True)
    return 1 if total.failed or (no_skips and total.skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
