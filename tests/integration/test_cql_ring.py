"""Tokens and replicas as another driver computes them, for random keys and rings."""

import os
import pathlib
import random
import subprocess

from cassandra.metadata import Murmur3Token, NetworkTopologyStrategy, SimpleStrategy
from cassandra.murmur3 import murmur3
from conftest import executable

LONG = os.environ.get("TD_LONG") == "1"
RINGS = 4000 if LONG else 400
KEYS = 100000 if LONG else 5000


class Host:
    def __init__(self, place, data_center, rack):
        self.place, self.datacenter, self.rack = place, data_center, rack


def ask(lines):
    """What the probe prints, a line each."""
    probe = pathlib.Path(executable()).parent / "tests/integration/cql_ring_probe"
    done = subprocess.run([probe], input="\n".join(lines) + "\n", capture_output=True, text=True,
                          timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_tokens_are_those_of_another_driver():
    rng = random.Random(1)
    keys = [rng.randbytes(rng.randint(1, 70)) for _ in range(KEYS)]
    assert [int(line) for line in ask("key " + key.hex() for key in keys)] == \
        [murmur3(key) for key in keys]
    print(f"{KEYS} keys" + ("" if LONG else " (shortened: TD_LONG=1 for 100000)"))


def random_ring(rng):
    """Hosts by token."""
    racks = ["r1", "r2", "r3", "r4"][:rng.randint(1, 4)]
    hosts = [Host(place, rng.choice("abc"), rng.choice(racks))
             for place in range(rng.randint(1, 15))]
    tokens = rng.sample(range(-2**63 + 1, 2**63, 2**40), 4 * len(hosts))
    return hosts, {tokens.pop(): host for host in hosts for _ in range(rng.randint(1, 4))}


def random_replication(rng):
    """Options, and the other driver's strategy."""
    if rng.random() < 0.5:
        options = {"replication_factor": rng.choice(["1", "2", "3", "3/1", "7"])}
        return "org.apache.cassandra.locator.SimpleStrategy", options, SimpleStrategy(options)
    # "d" is nowhere.
    options = {dc: rng.choice(["1", "2", "3", "4", "3/1", "5/2", "9"])
               for dc in rng.sample("abcd", rng.randint(1, 4))}
    return "org.apache.cassandra.locator.NetworkTopologyStrategy", options, \
        NetworkTopologyStrategy(options)


def ring_lines(hosts, owners, class_name, options):
    for host in hosts:
        tokens = [str(token) for token, owner in owners.items() if owner is host]
        yield " ".join(["node", host.datacenter, host.rack, *tokens])
    yield f"option class {class_name}"
    for name, value in options.items():
        yield f"option {name} {value}"
    yield " ".join(["show", *(str(token) for token in sorted(owners))])


def test_replicas_are_those_of_another_driver():
    rng = random.Random(2)
    lines, wanted = [], []
    for _ in range(RINGS):
        hosts, owners = random_ring(rng)
        class_name, options, strategy = random_replication(rng)
        lines += ring_lines(hosts, owners, class_name, options)
        ring = {Murmur3Token(token): host for token, host in owners.items()}
        replicas = strategy.make_token_replica_map(ring, sorted(ring))
        wanted += [([host.place for host in replicas.get(token, ())], options)
                   for token in sorted(ring)]
    answers = ask(lines)
    assert len(answers) == len(wanted)
    compared = 0
    for answer, (places, options) in zip(answers, wanted):
        # The other driver may list a node twice, in the place of another one, where more replicas
        # are asked for than there are racks.
        if len(set(places)) == len(places):
            assert {int(place) for place in answer.split()} == set(places), options
            compared += 1
    assert compared > 0.95 * len(wanted)
    print(f"{compared} ranges of {RINGS} rings" + ("" if LONG else " (shortened: TD_LONG=1 for 4000)"))
