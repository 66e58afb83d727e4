"""What was acknowledged is on the disk: after a power cut, kill -9, and with few fdatasyncs."""

import os
import random
import threading

import pytest
from disk import Shim, harness, users_of
from load import Load

LONG = harness.LONG


def start(start_server, folder, shim=None):
    server = start_server.ready(folder, release=True, env=shim.env if shim else None)
    return server, server.make_key()


def snapshots(shim, folder, count, every):
    """Calls back at random acknowledgements; each copy with what was acknowledged before it."""
    taken = []
    rng = random.Random(os.environ.get("TD_SEED", "7"))
    state = {"next": rng.randrange(1, every)}

    def on_answer(load):
        if len(load.acknowledged) < state["next"]:
            return
        known = list(load.acknowledged)
        taken.append((known, shim.copy(os.path.join(folder, f"copy{len(taken)}"))))
        state["next"] = len(known) + rng.randrange(1, every)
        load.stopped = len(taken) == count

    return taken, on_answer


def test_power_cut_at_a_random_acknowledgement_loses_none(start_server, make_shim, tmp_path):
    """A copy without what was written after the last returned fsync has every acknowledged user."""
    shim = make_shim(shadow=True)
    server, key = start(start_server, tmp_path, shim)
    load = Load(server, key)
    taken, load.on_answer = snapshots(shim, tmp_path, 100 if LONG else 20, 400)
    load.run(120 if LONG else 40)
    server.stop()
    assert len(taken) >= (100 if LONG else 20)
    assert load.refused == {}
    for known, copy in taken:
        missing = set(known) - users_of(copy)
        assert not missing, f"{len(missing)} of {len(known)} acknowledged users are lost"
    print(f"\n{len(taken)} power cuts, {len(load.acknowledged)} acknowledged users, none lost")


def test_power_cut_detector_sees_a_disk_that_forgets(start_server, make_shim, tmp_path):
    """The same test fails where syncs are not believed: so it can fail."""
    shim = make_shim(shadow=True)
    server, key = start(start_server, tmp_path, shim)
    shim[Shim.FORGETFUL] = 1
    load = Load(server, key)
    taken, load.on_answer = snapshots(shim, tmp_path, 1, 100)
    load.run(20)
    server.stop()
    known, copy = taken[0]
    assert set(known) - users_of(copy)


def test_power_cut_during_checkpoints_loses_none(start_server, make_shim, tmp_path):
    """Long enough that the WAL is moved into the file and begun anew."""
    shim = make_shim(shadow=True)
    server, key = start(start_server, tmp_path, shim)
    wal = server.database + "-wal"
    load = Load(server, key)
    state = {"size": 0, "resets": 0}

    def on_answer(load):
        """A copy now and then; ends when the file has grown by a checkpoint."""
        if len(load.acknowledged) % 500:
            return
        state["resets"] = os.path.getsize(server.database)
        if state["resets"] > 1 << 20 and os.path.getsize(wal) > 0:
            load.stopped = True

    load.on_answer = on_answer
    load.run(60)
    known = list(load.acknowledged)
    copy = shim.copy(os.path.join(tmp_path, "copy"))
    server.stop()
    assert state["resets"] > 1 << 20, "no checkpoint happened"
    assert not set(known) - users_of(copy)


@pytest.mark.parametrize("delay_ms, most", [(0, 1 / 3), (2, 1 / 10)])
def test_fdatasyncs_are_shared_by_acknowledgements(
        start_server, make_shim, tmp_path, delay_ms, most):
    """64 writers: at most a third of a sync for each, a tenth where a sync takes 2 ms."""
    shim = make_shim()
    server, key = start(start_server, tmp_path, shim)
    shim[Shim.DELAY_MS] = delay_ms
    before = shim[Shim.SYNCS]
    load = Load(server, key).run(10 if LONG else 3)
    syncs = shim[Shim.SYNCS] - before
    server.stop()
    count = len(load.acknowledged)
    print(f"\n{count} acknowledged users, {syncs} syncs: {syncs / max(count, 1):.3f} each")
    assert count >= 200 and syncs > 0
    assert syncs <= count * most


def test_kill_under_load_loses_no_acknowledged_user(start_server, tmp_path):
    """kill -9 again and again on one database; checked after each round by the next start."""
    rounds, seconds, least = (10, 10, 2000) if LONG else (2, 2, 100)
    server, key = start(start_server, tmp_path)
    acknowledged = []
    for number in range(rounds):
        load = Load(server, key, prefix=f"r{number}-")
        cut = threading.Timer(seconds, server.process.kill)
        # Where the disk is slow, the round goes on until it has its acknowledgements.
        started = {"cut": False}

        def on_answer(load, started=started, cut=cut):
            if not started["cut"] and len(load.acknowledged) >= least:
                started["cut"] = True
                cut.start()

        load.on_answer = on_answer
        load.run(seconds * 20)
        server.kill()
        assert len(load.acknowledged) >= least
        acknowledged += load.acknowledged
        server = start_server.ready(tmp_path, release=True)
        client = server.client(key)
        for user in random.Random(number).sample(load.acknowledged, 50):
            assert client.get(f"/user-subscription/users/{user}").status == 200
        client.close()
        missing = set(acknowledged) - users_of(server.database)
        assert not missing, f"{len(missing)} of {len(acknowledged)} acknowledged users are lost"
    server.stop()
    note = "" if LONG else " (shortened: TD_LONG=1 runs 10 rounds of at least 10 s and 2,000)"
    print(f"\n{rounds} kills, {len(acknowledged)} acknowledged users, none lost{note}")


def test_full_disk_refuses_and_recovers(start_server, make_shim, tmp_path):
    """No space: 503 with Retry-After for writes, reads go on; space again: writes go on. What was
    acknowledged before is there."""
    shim = make_shim()
    server, key = start(start_server, tmp_path, shim)
    client = server.client(key)
    body = {"email": "a@example.org", "first_name": "Ada", "last_name": "Lovelace"}
    assert client.put("/user-subscription/users/a", body).status == 201
    shim[Shim.DISK_FULL] = 1
    body["email"] = "b@example.org"
    answer = client.put("/user-subscription/users/b", body)
    assert answer.status == 503
    assert answer.problem()["code"] == "store-unavailable"
    assert "retry-after" in answer.headers
    assert client.get("/user-subscription/users/a").status == 200
    assert client.get("/user-subscription/packages").status == 200
    assert client.get("/user-subscription/users/b").status == 404
    shim[Shim.DISK_FULL] = 0
    assert client.put("/user-subscription/users/b", body).status == 201
    client.close()
    server.stop()
    assert users_of(server.database) == {"a", "b"}
