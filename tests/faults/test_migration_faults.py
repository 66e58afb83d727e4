"""Migrations that are cut off, and processes that start at once."""

import os
import sqlite3

import pytest
from disk import Shim, harness


def migrations_of(database):
    connection = sqlite3.connect(database)
    try:
        return [row[0] for row in connection.execute(
            "SELECT name FROM schema_migrations ORDER BY version")]
    finally:
        connection.close()


def packages_of(database):
    connection = sqlite3.connect(database)
    try:
        return [row[0] for row in connection.execute(
            "SELECT slug FROM subscription_packages ORDER BY display_order")]
    finally:
        connection.close()


FILES = sorted(os.listdir(os.path.join(os.path.dirname(__file__), "..", "..", "schema", "sqlite")))
SLUGS = ["free", "standard", "premium", "enterprise"]


def count_operations(start_server, folder):
    """How many writes and syncs a first start does, all told."""
    os.mkdir(folder)
    shim = Shim(folder)
    server = start_server.ready(folder, release=True, env=shim.env)
    counts = shim[Shim.WRITES], shim[Shim.SYNCS]
    server.stop()
    return counts


def cut_at(start_server, folder, which, number):
    """A first start that ends at that write or sync; then one that must complete it."""
    os.mkdir(folder)
    shim = Shim(folder)
    shim[which] = number
    broken = start_server(folder, release=True, env=shim.env)
    assert broken.process.wait(timeout=30) == 137
    server = start_server.ready(folder, release=True)
    server.stop()
    assert migrations_of(server.database) == FILES
    assert packages_of(server.database) == SLUGS


def test_migration_cut_at_any_write_is_completed(start_server, tmp_path):
    """Ended in the middle of the n-th write, whichever that is."""
    writes, _ = count_operations(start_server, tmp_path / "whole")
    step = 1 if harness.LONG else max(1, writes // 12)
    numbers = range(1, writes + 1, step)
    for number in numbers:
        cut_at(start_server, tmp_path / f"w{number}", Shim.EXIT_AT_WRITE, number)
    shortened = "" if harness.LONG else f" (shortened: every {step}th; TD_LONG=1 cuts at each)"
    print(f"\n{len(numbers)} of {writes} writes cut, each start completed{shortened}")


def test_migration_cut_before_any_sync_is_completed(start_server, tmp_path):
    _, syncs = count_operations(start_server, tmp_path / "whole")
    for number in range(1, syncs + 1):
        cut_at(start_server, tmp_path / f"s{number}", Shim.EXIT_AT_SYNC, number)
    print(f"\n{syncs} syncs cut, each start completed")


def test_migration_after_a_power_cut_is_completed(start_server, tmp_path):
    """What a power cut leaves at each sync of a first start is migrated on, too."""
    _, syncs = count_operations(start_server, tmp_path / "whole")
    for number in range(1, syncs + 1):
        folder = tmp_path / f"p{number}"
        os.mkdir(folder)
        shim = Shim(folder, shadow=True)
        shim[Shim.EXIT_AT_SYNC] = number
        broken = start_server(folder, release=True, env=shim.env)
        assert broken.process.wait(timeout=30) == 137
        copy = shim.copy(folder / "copy")
        server = start_server.ready(folder / "copy", release=True)
        server.stop()
        assert migrations_of(copy) == FILES
        assert packages_of(copy) == SLUGS


@pytest.mark.parametrize("count", [2, 8])
def test_migration_of_processes_that_start_at_once(start_server, tmp_path, count):
    """One migrates and populates, all come up."""
    for turn in range(20 if harness.LONG else 3):
        folder = tmp_path / f"turn{turn}"
        os.mkdir(folder)
        servers = [start_server(folder, release=True) for _ in range(count)]
        for server in servers:
            server.wait_ready()
        for file in FILES:
            line = f"Migration {file} completed successfully"
            assert sum(line in server.log for server in servers) == 1
        line = "Upserted package: free"
        assert sum(line in server.log for server in servers) == 1
        for server in servers:
            server.stop()
        assert migrations_of(servers[0].database) == FILES
        assert packages_of(servers[0].database) == SLUGS
