"""docs/OPERATIONS.md, "Verification" and "Troubleshooting", with the development stack: every command
in a pseudo-terminal, in order, and what it should show."""

import json
import os

import pytest

import document
import engine as engines

# They change the host: what they say is checked, and they are not run.
HOST_COMMANDS = ("sudo sysctl -w vm.max_map_count=1048575",
                 'echo "vm.max_map_count=1048575" | sudo tee -a /etc/sysctl.conf')
STEPS = document.steps("Verification", "Troubleshooting")


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack("docker-compose.dev.yml")


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_document_says_what_happens(stack, step):
    if step.command not in HOST_COMMANDS:
        stack.follow(step)


def test_a_browser_gets_from_the_prices_to_an_account(stack):
    stack.visit("http://localhost")


def test_doctor_in_a_container_says_which_database_is_away(stack):
    """A container that is stopped has no name any more; one that is paused answers nothing."""
    report, found = stack.doctor("back-api")
    assert found == {} and report["in_container"]
    maps = next(check for check in report["checks"] if check["id"] == "host.max_map_count")
    with open("/proc/sys/vm/max_map_count", encoding="ascii") as file:
        enough = int(file.read()) >= 1048575
    assert enough or all(line in maps["fix"] for line in HOST_COMMANDS), maps
    for service, layer in (("postgresql", "postgres"), ("cassandra", "cassandra")):
        stack.compose(f"pause {service}")
        try:
            found = stack.doctor("back-api")[1]
            assert list(found) == [f"{layer}.protocol"] and found[f"{layer}.protocol"]["fix"], found
        finally:
            stack.compose(f"unpause {service}")
    stack.compose("stop postgresql")
    found = stack.doctor("back-api")[1]
    assert list(found) == ["postgres.dns"] and "postgresql" in found["postgres.dns"]["cause"], found
    stack.compose("start postgresql")
    stack.until(lambda: stack.doctor("back-api")[1] == {}, 60, "that doctor finds all well")


def test_the_ports_are_open_on_loopback_alone(stack):
    bindings = stack.published()
    assert {port for _, port in bindings} == {80, 8100, 8101, 8102, 5432, 9042}
    assert {address for address, _ in bindings} == {"127.0.0.1"}


def test_the_network_has_the_name_that_others_join(stack):
    assert "tools-dashboard_default" in stack.engine.docker("network", "ls").stdout.split()


def test_a_template_that_is_changed_shows_while_the_stack_runs(stack):
    path = os.path.join(engines.ROOT, "templates", "pricing.html")
    with open(path, encoding="utf-8") as file:
        before = file.read()
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(before.replace('<main id="main">', '<main id="main"><!-- changed -->'))
        stack.until(lambda: "<!-- changed -->" in stack.get("http://localhost/pricing"), 30,
                    "the changed template")
    finally:
        with open(path, "w", encoding="utf-8") as file:
            file.write(before)


def test_our_layers_add_at_most_30_megabytes(stack):
    lines = stack.engine.docker("history", "--format", "{{.Size}} {{.CreatedBy}}", "--human=false",
                                "tools-dashboard").stdout.splitlines()
    sizes = [int(line.split()[0]) for line in lines]
    base = stack.engine.docker("history", "--format", "{{.ID}}", engines.BASE).stdout.split()
    ours = sum(sizes[:len(sizes) - len(base)])
    assert 0 < ours <= 30e6, lines


def test_all_of_ours_run_the_same_image(stack):
    containers = stack.containers()
    assert len({containers[name]["Image"] for name in
                ("back-postgres-service", "back-cassandra", "back-api")}) == 1


def test_the_image_says_what_it_is_and_how_it_is_ended(stack):
    text = stack.engine.docker("image", "inspect", "tools-dashboard").stdout
    config = json.loads(text)[0]["Config"]
    assert config["Labels"]["org.opencontainers.image.title"] == "tools-dashboard"
    assert config["User"] == "10001" and config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == ["tools-dashboard"]
    assert config["Healthcheck"]["Test"] == ["CMD", "tools-dashboard", "healthcheck"]


def test_the_document_has_both_lines_for_the_number_of_maps():
    assert [step.command for step in STEPS if "sudo " in step.command] == list(HOST_COMMANDS)
