"""Fixtures for faults: the real executable with a shim between it and its disk (shim_fsync.c)."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from disk import Shim, harness  # noqa: E402  (needs the path above)

start_server = harness.start_server
store = harness.store
pg = harness.pg
pg_database = harness.pg_database


@pytest.fixture
def make_shim(tmp_path):
    """make_shim(shadow=True): a shim around tmp_path's database."""
    return lambda **more: Shim(tmp_path, **more)


def pytest_terminal_summary(terminalreporter):
    """The tables of faults are results, not noise of tests that pass."""
    for name in ("test_pg_faults", "test_cassandra_faults"):
        module = sys.modules.get(name)
        for line in module.table() if module else []:
            terminalreporter.write_line(line)
