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


# What people were told to run, and some of what each has to show.
TOLD = {
    "down": [], "build back-postgres-service back-cassandra": [], "up": [], "ps": [],
    "logs back-postgres-service": ["PostgreSQL connection pool created successfully",
                                   "Upserted package: free - Free"],
    "logs back-cassandra": ["Cassandra session created successfully", "Upserted metadata: free.tagline"],
    "ps postgresql": ["(healthy)"], "ps cassandra": ["(healthy)"], "logs postgresql": [], "logs cassandra": [],
    "restart postgresql cassandra": [],
    "exec back-postgres-service env | grep DATABASE_URL": [
        "DATABASE_URL=postgresql://user:pass@postgresql:5432/main_db"],
    "exec back-cassandra env | grep CASSANDRA": ["CASSANDRA_CONTACT_POINTS=cassandra"],
    'exec postgresql psql -U user -d main_db -c "\\dt"': [
        "subscription_packages", "user_subscriptions", "subscription_history"],
    'exec postgresql psql -U user -d main_db -c "SELECT slug, name, price_monthly FROM subscription_packages '
    'ORDER BY display_order;"': ["Free", "Standard", "Premium", "Enterprise"],
    'exec cassandra cqlsh -e "DESCRIBE KEYSPACE tools_dashboard;"': [
        "subscription_package_metadata", "subscription_features"],
    "curl http://localhost:8100/user-subscription/packages": ['"slug":"free"', '"slug":"enterprise"'],
}


def test_the_document_has_every_command_that_people_were_told():
    for command, shown in TOLD.items():
        full = command if command.startswith("curl") else f"docker-compose -f docker-compose.dev.yml {command}"
        found = [step for step in STEPS if step.command == full]
        assert found, f"{full} is not in the document"
        text = "\n".join(line for step in found for line in step.expected)
        assert all(words in text for words in shown), (command, text)


@pytest.fixture(scope="module")
def stack(make_stack):
    return make_stack("docker-compose.dev.yml")


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_document_says_what_happens(stack, step):
    if step.command in HOST_COMMANDS:
        return
    if " restart " not in step.command:
        stack.follow(step)
        return
    before = untouched(stack)
    stack.follow(step)
    stack.until(lambda: stack.doctor("back-api")[1] == {}, 120, "that doctor finds all well")
    assert untouched(stack) == before


def untouched(stack):
    """When each of ours was started, and how often again."""
    return {name: (one["State"]["StartedAt"], one["RestartCount"])
            for name, one in stack.containers().items() if name.startswith("back-")}


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
    try:
        found = stack.doctor("back-api")[1]
        assert list(found) == ["postgres.dns"], found
        assert found["postgres.dns"]["target"].startswith("postgresql") and found["postgres.dns"]["fix"], found
    finally:
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
