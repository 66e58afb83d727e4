"""Fixtures for faults: the real executable with a shim between it and its disk (shim_fsync.c)."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from disk import Shim, harness  # noqa: E402  (needs the path above)
from running import TABLE_HEAD  # noqa: E402

start_server = harness.start_server
store = harness.store
pg = harness.pg
pg_database = harness.pg_database


@pytest.fixture
def make_shim(tmp_path):
    """make_shim(shadow=True): a shim around tmp_path's database."""
    return lambda **more: Shim(tmp_path, **more)


LINES = {}  # by file


@pytest.fixture
def tell(record_property):
    """tell(lines): they belong to the file's table."""
    return lambda lines: [record_property("fault", line) for line in lines]


def pytest_runtest_logreport(report):
    if report.when == "teardown":
        lines = [line for name, line in report.user_properties if name == "fault"]
        if lines:
            LINES.setdefault(report.nodeid.partition("::")[0], []).extend(lines)


def pytest_terminal_summary(terminalreporter):
    """The tables of faults are results, not noise of tests that pass."""
    for file, lines in sorted(LINES.items()):
        terminalreporter.write_line(file)
        for line in [TABLE_HEAD, *lines]:
            terminalreporter.write_line(line)
