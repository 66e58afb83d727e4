"""Load on a side: wrk with kept connections, or a bare loop that measures itself."""

import json
import os
import re
import subprocess

from .measure import Window
from .servers import PACKAGES, POSTGRES_BIN, BenchError, find_program

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def run_wrk(server, path, seconds, connections, script, arguments=()):
    """One sample of `server` under wrk with one thread."""
    command = [find_program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "-s", os.path.join(HERE, script)]
    command += [server.url + path, "--", *arguments]
    with Window(server.roots) as window:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = next((x for x in done.stdout.splitlines() if x.startswith("JSON")), None)
    if done.returncode != 0 or line is None:
        raise BenchError(f"{' '.join(command)}: {done.stdout}{done.stderr}")
    counted = json.loads(line.removeprefix("JSON"))
    if counted["errors"]:
        raise BenchError(f"{server.name}{path}: {counted['errors']} wrong answers of {counted['done']}")
    return window.sample(
        counted["done"], counted["us"] / 1e6, p50_us=counted["p50_us"], p99_us=counted["p99_us"]
    )


class PackagesLoad:
    """GET of the list of packages."""

    def __init__(self, server, seconds, connections=64):
        self.server = server
        self.seconds = seconds
        self.connections = connections

    def sample(self):
        return run_wrk(self.server, PACKAGES, self.seconds, self.connections, "report.lua")


class PutLoad:
    """PUT of users with random ids; every sample has ids of its own."""

    def __init__(self, server, key, seconds, connections=64):
        self.server = server
        self.key = key
        self.seconds = seconds
        self.connections = connections
        self.rounds = 0

    def sample(self):
        self.rounds += 1
        arguments = (self.key, str(self.rounds))
        return run_wrk(self.server, "/", self.seconds, self.connections, "put_users.lua", arguments)


class LoopLoad:
    """A program of bench/ that prints one line of JSON: done, seconds, cpu, and more."""

    def __init__(self, name, command, preload=None, roots=()):
        self.name = name
        self.command = command
        self.preload = preload
        self.roots = list(roots)  # a database whose time counts too

    def sample(self, *more):
        environment = dict(os.environ)
        if self.preload:
            environment["LD_PRELOAD"] = self.preload
        with Window(self.roots) as window:
            done = subprocess.run(
                [*self.command, *more], env=environment, capture_output=True, text=True, check=False
            )
        if done.returncode != 0:
            raise BenchError(f"{self.name}: {done.stderr.strip()}")
        counted = json.loads(done.stdout)
        return window.sample_of_child(
            counted.pop("done"), counted.pop("seconds"), counted.pop("cpu"), **counted
        )


class GetLoad:
    """GET of random numbers of a path, "…/u%d"."""

    def __init__(self, server, key, path, count, seconds, connections=64):
        self.server = server
        self.arguments = (key, path, str(count))
        self.seconds = seconds
        self.connections = connections
        self.rounds = 0

    def sample(self):
        self.rounds += 1
        arguments = (*self.arguments, str(self.rounds))
        return run_wrk(self.server, "/", self.seconds, self.connections, "get_random.lua", arguments)


class SubscribeLoad:
    """POST subscribe for one user after the other; a server's users are used up by all its samples."""

    def __init__(self, server, key, seconds, connections=64):
        self.server = server
        self.key = key
        self.seconds = seconds
        self.connections = connections
        self.next_user = 1

    def sample(self):
        arguments = (self.key, str(self.next_user))
        sample = run_wrk(self.server, "/", self.seconds, self.connections, "subscribe.lua", arguments)
        self.next_user += sample.done + self.connections  # those that were cut off may have been done
        return sample


class PgbenchLoad:
    """pgbench with a script of its own: 64 clients, prepared; what counts is the server's time."""

    def __init__(self, postgres, database, script, seconds, clients=64):
        self.postgres = postgres
        self.command = [
            f"{POSTGRES_BIN}/pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds),
            "-f", script, "-h", "127.0.0.1", "-p", str(postgres.port), "-U", "bench", database,
        ]  # fmt: skip

    def sample(self):
        with Window(self.postgres.roots) as window:
            done = subprocess.run(self.command, capture_output=True, text=True, check=False)
        count = re.search(r"number of transactions actually processed: (\d+)", done.stdout)
        rate = re.search(r"tps = ([\d.]+)", done.stdout)
        failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
        if done.returncode != 0 or count is None or rate is None or (failed and int(failed.group(1))):
            raise BenchError(f"pgbench: {done.stdout}{done.stderr}")
        return window.sample(int(count.group(1)), int(count.group(1)) / float(rate.group(1)))
