"""A power cut while subscriptions are sold and changed: every acknowledged change is on the disk, with
its step of history, and what is there can be explained."""

import os
import random
import sqlite3

import pytest
from disk import Shim, harness
from explain_history import explain
from selling_load import SellingLoad, find_acknowledged, lives

COPIES = 100 if harness.LONG else 20


def histories_of(database):
    """Read by another client; the file must be whole."""
    connection = sqlite3.connect(database)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return explain(lambda text: connection.execute(text).fetchall())
    finally:
        connection.close()


def cut_power(start_server, shim, folder, count, every):
    """Sells until `count` power cuts have come, each at a random acknowledgement; each copy with the
    number of those before it, and the load."""
    server = start_server.ready(folder, release=True, env=shim.env)
    load = SellingLoad([server], server.make_key(), lives("u"))
    rng = random.Random(os.environ.get("TD_SEED", "7"))
    taken, following = [], [rng.randrange(1, every)]

    def on_answer(load):
        known = len(load.acknowledged)
        if known >= following[0] and len(taken) < count:
            taken.append((known, shim.copy(os.path.join(folder, f"copy{len(taken)}"))))
            following[0] = known + rng.randrange(1, every)
            load.stopped = len(taken) == count

    load.on_answer = on_answer
    return server, load, taken


def test_power_cut_loses_no_acknowledged_change(start_server, make_shim, tmp_path):
    server, load, taken = cut_power(start_server, make_shim(shadow=True), tmp_path, COPIES, 400)
    load.run(240 if harness.LONG else 60)
    server.stop()
    assert len(taken) == COPIES and not load.refused
    steps = 0
    for known, copy in taken:
        histories = histories_of(copy)
        find_acknowledged(load.acknowledged[:known], histories)
        steps = sum(map(len, histories.values()))
    assert steps > 0
    print(f"\n{len(taken)} power cuts, {len(load.acknowledged)} acknowledged writes, {steps} steps of "
          "history at the last, none lost")


def test_power_cut_is_seen_on_a_disk_that_forgets(start_server, make_shim, tmp_path):
    """Where syncs are not believed the same test fails: so it can fail."""
    shim = make_shim(shadow=True)
    server, load, taken = cut_power(start_server, shim, tmp_path, 1, 100)
    shim[Shim.FORGETFUL] = 1
    load.run(60)
    server.stop()
    known, copy = taken[0]
    with pytest.raises(AssertionError, match="lost"):
        find_acknowledged(load.acknowledged[:known], histories_of(copy))
