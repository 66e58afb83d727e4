"""The Compose file and the image's recipe, as far as they can be read without an engine. What they do
on one: tests/compose."""

import json
import os
import re
import subprocess

from conftest import ROOT, clean_env


def resolved(name):
    """What docker-compose makes of the file."""
    done = subprocess.run(["docker-compose", "-f", name, "config"], cwd=ROOT, capture_output=True,
                          text=True, timeout=60, check=False, env=clean_env())
    assert done.returncode == 0, done.stderr
    import yaml
    return yaml.safe_load(done.stdout)


def test_docker_compose_accepts_the_development_stack():
    services = resolved("docker-compose.dev.yml")["services"]
    postgres = services["postgresql"]
    assert postgres["image"] == "postgres:15"
    assert postgres["healthcheck"]["test"] == [
        "CMD", "pg_isready", "-h", "127.0.0.1", "-U", "user", "-d", "main_db"]
    assert (postgres["healthcheck"]["interval"], postgres["healthcheck"]["timeout"],
            postgres["healthcheck"]["retries"]) == ("5s", "5s", 5)
    assert postgres["healthcheck"]["start_period"]
    back = services["back-postgres-service"]
    assert back["container_name"] == "back-postgres-service"
    assert back["build"]
    assert back["command"] == ["back-postgres"]
    assert back["depends_on"] == {"postgresql": {"condition": "service_healthy"}}
    assert back["restart"] == "on-failure"
    assert back["environment"]["DATABASE_URL"] == \
        "postgresql://user:pass@postgresql:5432/main_db"
    cassandra = services["cassandra"]
    assert cassandra["image"] == "cassandra:4"
    assert cassandra["healthcheck"]["test"] == ["CMD", "cqlsh", "-e", "describe cluster"]
    assert (cassandra["healthcheck"]["interval"], cassandra["healthcheck"]["timeout"],
            cassandra["healthcheck"]["retries"]) == ("10s", "10s", 10)
    assert cassandra["healthcheck"]["start_period"]
    back = services["back-cassandra"]
    assert back["container_name"] == "back-cassandra"
    assert back["build"]
    assert back["command"] == ["back-cassandra"]
    assert back["depends_on"] == {"cassandra": {"condition": "service_healthy"}}
    assert back["environment"] == {"CASSANDRA_CONTACT_POINTS": "cassandra", "PORT": "8102"}
    for service in services.values():
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), port


def dockerfile():
    with open(os.path.join(ROOT, "Dockerfile"), encoding="utf-8") as file:
        return file.read()


def test_the_image_is_made_in_two_stages_and_runs_as_nobody_special():
    text = dockerfile()
    stages = re.findall(r"(?m)^FROM (\S+)", text)
    assert stages == ["debian:12-slim", "debian:12-slim"]
    final = text[text.rindex("FROM "):]
    for name in ("ENTRYPOINT", "CMD"):
        assert json.loads(re.search(rf"(?m)^{name} (.*)$", final).group(1))
    assert re.search(r"(?m)^USER (?!0|root)", final)
    assert "STOPSIGNAL SIGTERM" in final and "ENV HOST=0.0.0.0" in final


def test_the_image_has_every_library_that_the_executable_needs():
    """What the executable is linked with; and libpq and libssl, which it loads itself."""
    binary = os.environ["TOOLS_DASHBOARD_RELEASE"]
    linked = subprocess.run(["ldd", binary], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"(lib[\w.+-]+\.so[\d.]*) => (/\S+)", linked)
    names += [(name, name) for name in ("libpq.so.5", "libssl.so.3")]
    packages = set()
    for _, path in names:
        owner = subprocess.run(["dpkg", "-S", "*/" + os.path.basename(path)], capture_output=True,
                               text=True, check=False).stdout
        packages.update(line.split(":")[0] for line in owner.splitlines())
    final = dockerfile()[dockerfile().rindex("FROM "):]
    wanted = {"libmicrohttpd12", "libpq5", "libsqlite3-0", "libjansson4", "libsodium23", "zlib1g",
              "libbrotli1", "liblz4-1", "libssl3"}
    assert wanted <= packages
    for package in wanted:
        assert re.search(rf"\b{re.escape(package)}\b", final), package
