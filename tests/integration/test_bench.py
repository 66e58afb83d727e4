"""The benchmarks measure: a short round of each gives figures. How good they are is not judged."""

import json
import os
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAMS = ["sqlite_loop", "sqlite_batch", "sqlite_subscribe", "lane", "cql", "cql_codec", "events", "fake_node", "shim_slow_sync.so"]
COMPARED = {"packages": 3, "content": 2, "users": 2, "lane": 1, "pg-read": 2, "pg-write": 1, "subscribe": 2, "subscribe-pg": 1,
            "subscription": 3}
DRIVERS = {"cql-read": 1, "cql-fake": 2, "events": 1}
PLAIN = {"cql-codec": 2, "start": 1, "memory": 1, "memory-both": 1, "connections": 1}


@pytest.fixture(scope="module")
def build():
    """The folder of an ordinary build, with the programs of bench/ in it."""
    executable = os.environ.get("TOOLS_DASHBOARD_RELEASE", os.path.join(ROOT, "build/tools-dashboard"))
    folder = os.path.dirname(executable)
    targets = ["tools-dashboard", *(f"bench/{name}" for name in PROGRAMS)]
    subprocess.run(["ninja", "-C", folder, *targets], check=True, stdout=subprocess.DEVNULL)
    return folder


def run_quick(build, output, *names):
    command = [sys.executable, os.path.join(ROOT, "bench/run"), "--quick", "--offline"]
    command += ["--build", build, "--output", str(output), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(output.read_text())


@pytest.mark.parametrize("compared", [COMPARED, DRIVERS], ids=["servers", "drivers"])
def test_quick_run_gives_a_ratio_for_every_comparison(build, tmp_path, compared):
    # Each figure has both sides of every pair, none of them empty.
    parts = run_quick(build, tmp_path / "results.json", *compared)["parts"]
    for name, count in compared.items():
        figures = [figure for figure in parts[name]["figures"] if "ratio" in figure]
        assert len(figures) == count
        for figure in figures:
            assert figure["ratio"]["min"] > 0
            assert figure["ours"]["cpu_us"]["median"] > 0 and figure["peer"]["per_second"]["median"] > 0
            assert len(figure["samples"]) == figure["pairs"] == 1


def test_quick_run_gives_start_and_memory(build, tmp_path):
    # The figures without a peer are there, with the commit they belong to.
    parts = run_quick(build, tmp_path / "results.json", *PLAIN)["parts"]
    for name, count in PLAIN.items():
        assert parts[name]["build"]["commit"]
        assert len(parts[name]["figures"]) == count
        assert all(figure["ours"]["median"] > 0 for figure in parts[name]["figures"])


def test_unknown_name_is_refused_with_the_known_ones():
    # A mistyped name must not look like a run without figures.
    command = [sys.executable, os.path.join(ROOT, "bench/run"), "packges"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "packages" in done.stderr
