"""`docker compose` v2, whose loader is the Go module compose-go, makes of both files what
docker-compose 1.29 makes of them."""

import json
import os

import pytest
import yaml

import engine as engines

LOADER = os.path.join(engines.HERE, "loader")
NOWHERE = "/nowhere/secrets"


@pytest.fixture(scope="module")
def loader(tmp_path_factory):
    program = str(tmp_path_factory.mktemp("loader") / "loader")
    done = engines.run("bash", "-c", f"cd {LOADER} && go build -buildvcs=false -o {program} .")
    assert done.returncode == 0, done.stderr
    return program


def by_v1(file):
    done = engines.run("docker-compose", "-f", file, "config", env={"SECRETS_DIR": NOWHERE})
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@pytest.mark.parametrize("file", ["docker-compose.dev.yml", "docker-compose.prod.yml"])
def test_both_read_the_same(loader, file):
    done = engines.run(loader, file, env={"SECRETS_DIR": NOWHERE})
    assert done.returncode == 0, done.stderr
    v2, v1 = json.loads(done.stdout), by_v1(file)
    assert v2["name"] == engines.PROJECT
    assert v2["networks"]["default"]["name"] == "tools-dashboard_default"
    assert set(v2["services"]) == set(v1["services"]) and set(v2["volumes"]) == set(v1["volumes"])
    for name, service in v2["services"].items():
        other = v1["services"][name]
        assert service.get("environment", {}) == other.get("environment", {}), name
        assert service.get("container_name") == other.get("container_name")
        assert {key: value["condition"] for key, value in service.get("depends_on", {}).items()} == \
            {key: value["condition"] for key, value in other.get("depends_on", {}).items()}
        assert len(service.get("ports", [])) == len(other.get("ports", []))
        assert service.get("deploy", {}).get("replicas") == other.get("deploy", {}).get("replicas")
        assert bool(service.get("read_only")) == bool(other.get("read_only"))


def test_it_refuses_a_production_stack_without_passwords_too(loader):
    done = engines.run(loader, "docker-compose.prod.yml", env={"SECRETS_DIR": ""})
    assert done.returncode == 1 and "./dev secrets" in done.stderr
