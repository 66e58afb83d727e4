"""The same commands of docs/OPERATIONS.md with the production stack, and what it promises beyond: no
password anywhere but in its files, no more rights and ports than it needs, replicas."""

import json
import os
import re

import pytest

import document
import engine as engines

FILE = "docker-compose.prod.yml"
OURS = ("back-postgres-service", "back-cassandra", "back-api_1", "back-api_2", "proxy")
PORTS = {"back-postgres-service": 8101, "back-cassandra": 8102, "back-api_1": 8100, "back-api_2": 8100}
# What differs from the development stack's answer.
SHOWN = {
    "ps": ["back-cassandra … Up (healthy) …", "back-postgres-service … Up (healthy) …",
           "cassandra … Up (healthy) …", "postgresql … Up (healthy) …",
           "proxy … Up (healthy) …:8100->8080/tcp…:80->8080/tcp…",
           "tools-dashboard_back-api_1 … Up (healthy) …",
           "tools-dashboard_back-api_2 … Up (healthy) …",
           "tools-dashboard_cassandra-roles_1 … Exit 0"],
    "exec back-postgres-service env | grep DATABASE_URL": [
        "DATABASE_URL=postgresql://user@postgresql:5432/main_db"],
    "exec back-cassandra env | grep CASSANDRA": [
        "CASSANDRA_CONTACT_POINTS=cassandra", "CASSANDRA_USER=tools_dashboard",
        "CASSANDRA_PASSWORD_FILE=/run/secrets/cassandra_password"],
}


def steps():
    found = document.steps("Verification", "Troubleshooting")
    for step in found:
        step.expected = SHOWN.get(str(step), step.expected)
    return [step for step in found if "sudo " not in step.command]


@pytest.fixture(scope="module")
def passwords(tmp_path_factory):
    """By name, as ./dev secrets makes them."""
    folder = str(tmp_path_factory.mktemp("stack") / "secrets")
    done = engines.run("./dev", "secrets", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"SECRETS_DIR={folder}\n"
    assert os.stat(folder).st_mode & 0o777 == 0o700
    made = {}
    for name in os.listdir(folder):
        with open(os.path.join(folder, name), encoding="ascii") as file:
            made[name] = file.read()
    assert len(set(made.values())) == 3 and all(len(text) == 48 for text in made.values())
    assert engines.run("./dev", "secrets", folder).stderr.count("made ") == 0  # never replaced
    return {"": folder, **made}


@pytest.fixture(scope="module")
def stack(make_stack, passwords):
    return make_stack(FILE, {"SECRETS_DIR": passwords[""]})


def secret_in(text, passwords):
    return [name for name, secret in passwords.items() if name and secret in text]


def asked_inside(stack, container, port, path):
    """What a service answers to its own container, which may ask for all."""
    return stack.engine.docker("exec", container, "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}; printf "
                               f"'GET {path} HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3").stdout


def test_without_passwords_it_is_refused_and_names_the_command_that_makes_them(make_stack):
    bare = make_stack(FILE, {"SECRETS_DIR": ""})
    for words in ("config", "up -d"):
        text, code = bare.shell(f"docker-compose -f {FILE} {words}")
        assert code != 0 and "./dev secrets" in text, text


@pytest.mark.parametrize("step", steps(), ids=str)
def test_the_document_says_what_happens_in_production_too(stack, passwords, step):
    text = stack.follow(step)
    assert secret_in(text, passwords) == []
    if " env " in step.command:
        assert not re.search(r"PASSWORD=|://[^/@]*:[^/@]*@", text), text


def test_a_browser_gets_from_the_prices_to_an_account(stack):
    stack.visit("http://localhost")


def test_no_password_is_in_logs_processes_inspections_layers_or_metrics(stack, passwords):
    docker = stack.engine.docker
    for name, one in stack.containers().items():
        texts = {"inspect": json.dumps(one), "history": docker("history", "--no-trunc", one["Image"]).stdout}
        logs = docker("logs", one["Id"])
        texts["logs"] = logs.stdout + logs.stderr
        if one["State"]["Running"]:
            texts["top"] = docker("top", one["Id"], "-eo", "pid,args").stdout
            texts["env"] = docker("exec", one["Id"], "env").stdout
        if name in PORTS:
            texts["metrics"] = asked_inside(stack, one["Id"], PORTS[name], "/metrics")
            texts["health"] = asked_inside(stack, one["Id"], PORTS[name], "/health")
            assert "tools_dashboard_" in texts["metrics"] and '"checks"' in texts["health"], name
        for what, text in texts.items():
            assert secret_in(text, passwords) == [], (name, what)
    assert secret_in(engines.run("ps", "-e", "-ww", "-o", "args").stdout, passwords) == []


def test_metrics_are_for_those_with_a_key(stack, passwords):
    url = "http://localhost/metrics"
    assert stack.get(url, **{"X-Forwarded-For": "127.0.0.1"}) == "401"
    key = stack.engine.docker("exec", f"{engines.PROJECT}_back-api_1", "tools-dashboard", "apikey", "create",
                              "--name", "metrics").stdout.strip()
    text = stack.get(url, Authorization=f"Bearer {key}")
    assert "tools_dashboard_" in text and secret_in(text, {**passwords, "key": key}) == []


def test_no_password_is_in_a_layer_of_an_image(stack, passwords):
    """The layers' contents, file by file, as another machine would get them."""
    files = " ".join(f"-f {passwords['']}/{name}" for name in passwords if name)
    for patterns, found in (("-e /usr/local/bin/tools-dashboard", True), (files, False)):
        text = stack.shell(f"docker save tools-dashboard tools-dashboard_proxy | grep -acF {patterns}")[0]
        assert (int(text.split()[-1]) > 0) == found, (patterns, text)


def test_ours_run_as_nobody_special_without_privileges_on_a_read_only_root(stack):
    containers = stack.containers()
    for name in OURS:
        one = containers[name]
        assert one["HostConfig"]["CapDrop"] == ["ALL"] and one["HostConfig"]["ReadonlyRootfs"], name
        assert one["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"], name
        lines = stack.engine.docker("top", one["Id"], "-eo", "pid,uid").stdout.splitlines()[1:]
        assert lines and all(line.split()[1] in ("10001", "33") for line in lines), lines


def test_memory_and_logs_are_limited_and_what_ends_is_started_again(stack):
    for name, one in stack.containers().items():
        config = one["HostConfig"]
        assert config["Memory"] > 0, name
        assert config["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "5"}, name
        assert config["RestartPolicy"]["Name"] in ("unless-stopped", "on-failure"), name


def test_ours_wait_for_their_databases_for_ever(stack):
    containers = stack.containers()
    for name in OURS[:4]:
        text = stack.engine.docker("exec", containers[name]["Id"], "tools-dashboard", "config", "--json").stdout
        assert re.search(r'"CONNECT_MAX_RETRIES"[^}]*"-1"', text), (name, text)


def test_nothing_but_the_proxy_can_be_reached_from_outside(stack):
    assert {port for _, port in stack.published()} == {80, 8100}


def test_the_proxy_alone_is_believed_what_it_says_of_others(stack):
    """The page's addresses of itself are https where whoever may say so says so."""
    words = ("exec 3<>/dev/tcp/back-api/8100; printf 'GET /pricing HTTP/1.0\\r\\nHost: shop.test\\r\\n"
             "X-Forwarded-Proto: https\\r\\n\\r\\n' >&3; cat <&3")

    def answer(name):
        return stack.engine.docker("exec", name, "bash", "-c", words).stdout
    # Names are looked up every 30 s: a proxy that has just come may be unknown that long.
    stack.until(lambda: "<https://shop.test/pricing>" in answer("proxy"), 40, "that the proxy is believed")
    assert "<http://shop.test/pricing>" in answer("cassandra")


def test_doctor_in_a_container_finds_all_well_and_tells_no_password(stack, passwords):
    for name in ("back-api_1", "back-postgres-service", "back-cassandra"):
        one = stack.containers()[name]["Id"]
        report, found = stack.doctor(one)
        assert found == {} and report["in_container"], found
        text = stack.engine.docker("exec", one, "tools-dashboard", "doctor").stdout
        assert secret_in(text + json.dumps(report), passwords) == []


def test_the_role_that_everybody_knows_is_locked_and_ours_is_no_administrator(stack, passwords):
    def cqlsh(user, password, words):
        return stack.engine.docker("exec", "cassandra", "cqlsh", "-u", user, "-p", password, "-e", words)
    done = cqlsh("cassandra", "cassandra", "LIST ROLES")
    assert done.returncode != 0 and "not permitted to log in" in done.stdout + done.stderr
    done = cqlsh("tools_dashboard", passwords["cassandra_password"], "CREATE ROLE other")
    assert done.returncode != 0 and "sufficient privileges" in done.stderr
    done = cqlsh("admin", passwords["cassandra_admin_password"], "LIST ROLES")
    assert done.returncode == 0 and "tools_dashboard" in done.stdout, done.stderr
    done = cqlsh("admin", passwords["cassandra_admin_password"], "DESCRIBE KEYSPACE tools_dashboard")
    assert "'class': 'NetworkTopologyStrategy', 'datacenter1': '1'" in done.stdout


def test_replicas_come_and_go_and_the_proxy_follows(stack):
    stack.compose("up -d --scale back-api=3")
    names = [f"back-api_{number}" for number in (1, 2, 3)]
    stack.until(lambda: all(stack.containers()[name]["State"]["Health"]["Status"] == "healthy"
                            for name in names), 60, "that all three are healthy")
    for name in names[:2]:
        stack.engine.docker("stop", f"{engines.PROJECT}_{name}")
        answers = [stack.get("http://localhost:8100/user-subscription/packages") for _ in range(20)]
        assert all('"slug":"free"' in answer for answer in answers), answers


def test_while_no_replica_answers_the_proxy_says_so_and_keeps_links_to_itself(stack):
    replicas = [name for name in stack.containers() if name.startswith("back-api_")]
    stack.engine.docker("stop", "-t", "5", *(stack.containers()[name]["Id"] for name in replicas))
    for path in ("pricing", "user-subscription/packages", "reset-password?token=fromaletter"):
        answer = stack.shell(f"curl -si http://localhost:8100/{path}")[0]
        assert answer.startswith("HTTP/1.1 503") and "Retry-After: 2" in answer, answer
    logs = stack.engine.docker("logs", "proxy")
    assert "/pricing" in logs.stderr + logs.stdout and "fromaletter" not in logs.stderr + logs.stdout
