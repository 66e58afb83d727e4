"""Fixtures for the stack: an engine, its images, and Compose as a person calls it.

TD_LONG=1 runs every fault that is listed; otherwise some of them.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request

import pytest

import engine as engines
import terminal

LONG = os.environ.get("TD_LONG") == "1"
LOOKS = ("logs", "ps", "exec", "curl")  # commands that change nothing: repeated until they show it


@pytest.fixture(scope="session")
def engine():
    try:
        one = engines.Engine()
    except engines.Unavailable as error:
        pytest.skip(str(error))
    try:
        if not one.is_ours():
            assert not one.strangers(), \
                "a stack of this name is there already; these tests would take it down with its " \
                "data. If it can go: docker-compose -f docker-compose.dev.yml down -v"
        print("stand-ins for", one.make_images() or "no image")
        yield one
    finally:
        one.stop()


class Stack:
    """One Compose file on the engine."""

    def __init__(self, engine, file, env=None):
        self.engine, self.file = engine, file
        self.extra = env or {}

    def env(self):
        return {**engines.environment(**self.engine.env()), **self.extra}

    def shell(self, command, limit=600):
        """Runs it in a pseudo-terminal; what it wrote, and its exit code."""
        return terminal.run(command.replace("docker-compose.dev.yml", self.file), engines.ROOT,
                            self.env(), limit)

    def compose(self, words, limit=600):
        text, code = self.shell(f"docker-compose -f {self.file} {words}", limit)
        assert code == 0, f"{words} ended with {code}:\n{text[-4000:]}"
        return text

    def follow(self, step, seconds=90):
        """Runs a step of the document; asserts that it shows what it should. Commands that only look
        are repeated until it is there."""
        command = step.command + (" -d" if step.command.endswith(" up") else "")
        looks = any(f" {word} " in f" {step} " for word in LOOKS)
        end = time.monotonic() + seconds
        while True:
            text, code = self.shell(command)
            missing = step.missing(text)
            if missing is None and code == 0:
                return text
            assert looks and time.monotonic() < end, \
                f"{command}\nended with {code}, without: {missing}\n{text[-6000:]}"
            time.sleep(0.5)

    def until(self, condition, seconds, what):
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            assert time.monotonic() < end, f"{what} did not come true within {seconds} s"
            time.sleep(0.2)

    def get(self, url, **headers):
        """The body, or the number of a refusal; "" while nothing answers."""
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers),
                                        timeout=10) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            return str(error.code)
        except OSError:
            return ""

    def visit(self, url):
        """A real browser: prices, checkout, account."""
        node = os.path.join(os.path.dirname(sys.executable), "node")
        script = os.path.join(engines.ROOT, "tests", "browser", "stack.mjs")
        text, code = self.shell(f"{node} {script} {url}", 120)
        assert code == 0 and text.count("subscribed to") == 4, text

    # ---- what the engine says of the containers ----

    def containers(self):
        """By name; a service's replicas are NAME_1, NAME_2."""
        names = self.engine.docker("ps", "-aq", "--filter",
                                   f"label=com.docker.compose.project={engines.PROJECT}").stdout
        found = json.loads(self.engine.docker("inspect", *names.split()).stdout)
        return {one["Name"].strip("/").replace(f"{engines.PROJECT}_", ""): one for one in found}

    def published(self):
        """(address, port) of what can be reached from this machine, or from outside."""
        return {(binding["HostIp"], int(binding["HostPort"]))
                for one in self.containers().values()
                for bindings in (one["NetworkSettings"]["Ports"] or {}).values()
                for binding in bindings or []}

    def doctor(self, container):
        """What `doctor` says in it: its report, and by id the checks that fail."""
        done = self.engine.docker("exec", container, "tools-dashboard", "doctor", "--json")
        report = json.loads(done.stdout)
        found = {check["id"]: check for check in report["checks"] if check["status"] == "fail"}
        assert done.returncode == (6 if found else 0), done.stderr
        return report, found

    def remove(self):
        self.shell(f"docker-compose -f {self.file} down -v --remove-orphans -t 5")


@pytest.fixture(scope="module")
def make_stack(engine):
    """make_stack(FILE): a Stack that is taken down with its data at the module's end."""
    made = []

    def make(file, env=None):
        made.append(Stack(engine, file, env))
        return made[-1]

    yield make
    for stack in made:
        stack.remove()
