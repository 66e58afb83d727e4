"""Runs `tools-dashboard doctor --json` and looks at its report."""

import json
import os
import subprocess
import time

from conftest import LONG, clean_env, executable

LAYERS = ["dns", "tcp", "tls", "protocol", "auth", "database", "version", "writable", "capacity",
          "migrations", "data", "replication", "schema_agreement"]
HOST = ["host.max_map_count", "host.disk", "host.clock"]
MEMBERS = ["id", "target", "status", "duration_ms", "message", "cause", "fix", "docs"]
CODES = {"ok": 0, "warn": 0, "fail": 6}


def shim(name):
    """A library to be preloaded, which the tests of faults and of integration have."""
    built = os.path.dirname(executable(release=True))
    for folder in ("faults", "integration"):
        path = os.path.join(built, "tests", folder, name + ".so")
        if os.path.exists(path):
            return path
    raise AssertionError(f"{name}.so is not built")


def ids_of(engine):
    words = ["keyspace" if engine == "cassandra" and word == "database" else word
             for word in LAYERS]
    return [f"{engine}.{word}" for word in words]


class Report:
    """What one run said; `seconds` it took, `text` of stdout and stderr."""

    def __init__(self, done, seconds):
        self.code, self.seconds, self.text = done.returncode, seconds, done.stdout + done.stderr
        self.json = json.loads(done.stdout)
        self.status, self.checks = self.json["status"], self.json["checks"]

    def all(self, name):
        found = [check for check in self.checks if check["id"] == name]
        assert found, f"no check {name} in {self.text}"
        return found

    def one(self, name):
        found = self.all(name)
        assert len(found) == 1, found
        return found[0]

    def status_of(self, name):
        return self.one(name)["status"]

    def in_time(self, timeout):
        """Within CONNECT_TIMEOUT, and what a busy machine takes to start a process."""
        return self.seconds < timeout + (1 if LONG else 4)

    def bad(self):
        """{id: status} of what warns or fails, without this machine's own."""
        return {check["id"]: check["status"] for check in self.checks
                if check["status"] in ("warn", "fail") and not check["id"].startswith("host.")}


def doctor(env, folder="/", wrong=False):
    """The report, after a look at its shape. `wrong`: a setting is."""
    began = time.monotonic()
    preloads = "LD_PRELOAD" in env  # which a sanitizer cannot have before it
    done = subprocess.run([executable(preloads), "doctor", "--json"], cwd=folder, env=clean_env(**env),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.stdout, done.stderr
    report = Report(done, time.monotonic() - began)
    assert list(report.json) == ["status", "version", "in_container", "checks"]
    assert report.code == (3 if wrong else CODES[report.status]), report.text
    for check in report.checks:
        assert list(check) == MEMBERS, check
        assert check["message"] and check["target"] is not None, check
        assert check["duration_ms"] >= 0
        assert check["docs"] == "docs/OPERATIONS.md#" + check["id"].replace(".", "")
        needs_words = check["status"] in ("warn", "fail")
        assert bool(check["cause"]) == bool(check["fix"]) == needs_words, check
    assert [check["id"] for check in report.checks][0] == "config"
    assert [check["id"] for check in report.checks][-3:] == HOST
    return report


def expect_failure(report, engine, layer, target=None):
    """Nothing else fails; what comes after it is skipped. Gives the check."""
    names = ids_of(engine)
    wanted = f"{engine}.{layer}"
    check = report.one(wanted)
    assert check["status"] == "fail", report.text
    assert [c["id"] for c in report.checks if c["status"] == "fail"] == [wanted], report.text
    for name in names[names.index(wanted) + 1:]:
        assert report.status_of(name) == "skip", report.one(name)
    for name in names[:names.index(wanted)]:
        assert report.status_of(name) in ("ok", "skip", "warn"), report.one(name)
    if target is not None:
        assert check["target"] == target
    return check
