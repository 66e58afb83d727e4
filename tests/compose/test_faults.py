"""The development stack when it is started, set or stopped as it should not be."""

import os
import threading
import time

import pytest
import yaml

import engine as engines
from conftest import LONG

DEV = os.path.join(engines.ROOT, "docker-compose.dev.yml")
DATABASES = ("postgresql", "cassandra")
OURS = ("back-postgres-service", "back-cassandra", "back-api")
LATE = 90 if LONG else 5
AWAY = 60 if LONG else 8
EDGES = [("back-postgres-service", "postgresql"), ("back-cassandra", "cassandra"),
         ("back-api", "back-postgres-service"), ("back-api", "back-cassandra")]
# What is started when, without any depends_on: names, then seconds to wait, and so on.
ORDERS = {
    "both databases late": [OURS, LATE, DATABASES],
    "all at once": [DATABASES + OURS],
    "postgresql late": [("cassandra", *OURS), LATE, ("postgresql",)],
    "cassandra late": [("postgresql", *OURS), LATE, ("cassandra",)],
    "the api first": [("back-api",), ("back-cassandra",), ("back-postgres-service",), DATABASES],
    "the api last": [("back-postgres-service",), ("back-cassandra",), DATABASES, ("back-api",)],
}
URL = "http://localhost:8100/user-subscription/packages"


@pytest.fixture
def start(make_stack, tmp_path):
    """start(change): a new stack from the development file after change(services)."""
    made = []

    def begin(change=lambda services: None):
        with open(DEV, encoding="utf-8") as file:
            content = yaml.safe_load(file)
        change(content["services"])
        path = str(tmp_path / "docker-compose.yml")
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(content, file)
        made.append(make_stack(f"{path} --project-directory {engines.ROOT}"))
        made[-1].compose("build -q back-api")
        return made[-1]

    yield begin
    for stack in made:
        stack.remove()


def without_depends_on(services):
    for service in services.values():
        service.pop("depends_on", None)


def health(stack, name):
    one = stack.containers().get(name)
    return one and one["State"].get("Health", {}).get("Status")


def wait_healthy(stack, seconds=180):
    stack.until(lambda: all(health(stack, name) == "healthy" for name in OURS), seconds,
                "the health of all of ours")
    assert stack.get(URL).count('"slug":') == 4 and '"tagline":' in stack.get(URL)


def starts(stack):
    """When each of ours was started, and how often again."""
    return {name: (stack.containers()[name]["State"]["StartedAt"],
                   stack.containers()[name]["RestartCount"]) for name in OURS}


def started_in(order, start):
    stack = start(without_depends_on)
    for step in ORDERS[order]:
        if isinstance(step, tuple):
            stack.compose("up -d --no-deps " + " ".join(step))
        else:
            time.sleep(step)  # what is asked for: a database that comes this much later
    return stack


def started_without(edge, start):
    stack = start(lambda services: services[edge[0]]["depends_on"].pop(edge[1]))
    stack.compose("up -d")
    return stack


# The first one alone in an ordinary run.
STARTS = [(started_in, order) for order in ORDERS] + [(started_without, edge) for edge in EDGES]


@pytest.mark.parametrize("begin, how", STARTS if LONG else STARTS[:1])
def test_it_comes_up_however_it_is_started(start, begin, how):
    stack = begin(how, start)
    wait_healthy(stack)
    if how == "both databases late":
        print(f"databases {LATE} s late and {AWAY} s away" +
              ("" if LONG else f", one of {len(STARTS)} starts (TD_LONG=1: 90 s, 60 s, all)"))
        assert_a_database_may_go_away(stack)


def assert_a_database_may_go_away(stack):
    """For each database: stopped under load; the catalogue is answered all the time, and afterwards
    all of ours are well again, untouched."""
    before = starts(stack)
    for name in DATABASES:
        answers, stopping = [], threading.Event()

        def load(answers=answers, stopping=stopping):
            while not stopping.is_set():
                answers.append('"slug":"free"' in stack.get(URL))

        threads = [threading.Thread(target=load) for _ in range(2)]
        for thread in threads:
            thread.start()
        stack.compose(f"stop {name}")
        time.sleep(AWAY)  # what is asked for: away for this long
        stack.compose(f"start {name}")
        wait_healthy(stack)
        stopping.set()
        for thread in threads:
            thread.join()
        assert len(answers) > 100 and all(answers), (name, len(answers), answers.count(False))
    assert starts(stack) == before


@pytest.mark.parametrize("service, setting, value, name", [
    ("back-postgres-service", "DATABASE_URL", "postgresql://user:pass@localhost:5432/main_db", "postgresql"),
    ("back-cassandra", "CASSANDRA_CONTACT_POINTS", "localhost", "cassandra")])
def test_a_service_that_is_pointed_at_localhost_says_so(start, service, setting, value, name):
    stack = start(lambda services: services[service]["environment"].update({setting: value}))
    stack.compose(f"up -d --no-deps {service}")
    stack.until(lambda: "localhost is the container itself" in stack.compose(f"logs {service}"), 30,
                "the name of the mistake")
    hint = next(line for line in stack.compose(f"logs {service}").splitlines()
                if "localhost is the container itself" in line)
    assert name in hint.split("localhost is the container itself")[1], hint


def test_without_databases_ours_end_with_4_and_are_started_again(start):
    quick = {} if LONG else {"CONNECT_INITIAL_DELAY": "100ms", "CONNECT_MAX_DELAY": "300ms"}
    stack = start(lambda services: [services[name]["environment"].update(quick) for name in OURS[:2]])
    stack.compose("up -d --no-deps " + " ".join(OURS[:2]))
    for name in OURS[:2]:
        stack.until(lambda name=name: stack.containers()[name]["RestartCount"] >= 1, 120,
                    f"that {name} is started again")
        assert "Failed to connect after 5 attempts" in stack.compose(f"logs {name}")
    events = stack.engine.docker("events", "--since", "5m", "--until", "0s", "--filter", "event=die",
                                 "--format", "{{.Actor.Attributes.name}} {{.Actor.Attributes.exitCode}}")
    for name in OURS[:2]:
        assert f"{name} 4" in events.stdout, events.stdout + events.stderr
