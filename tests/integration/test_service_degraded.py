"""A store that fails while the service runs: the last packages are served, and it says so."""

import sqlite3

from conftest import wait_for


def execute(path, statement):
    connection = sqlite3.connect(path, timeout=30)
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute(statement)
    connection.commit()
    connection.close()


def test_the_last_packages_are_served_while_they_cannot_be_read(start_server, tmp_path):
    server = start_server.ready(tmp_path, env={"CATALOGUE_REFRESH": "100ms"})
    client = server.client()
    before = client.get("/user-subscription/packages")
    execute(server.database, "ALTER TABLE subscription_features RENAME TO gone")
    wait_for(lambda: client.get("/readyz").json()["status"] == "degraded")
    assert client.get("/readyz").status == 200
    assert client.get("/health").status == 200
    after = client.get("/user-subscription/packages")
    assert (after.status, after.body, after.headers["etag"]) == \
        (200, before.body, before.headers["etag"])
    assert client.get("/pricing").status == 200
    age = client.get("/health").json()["checks"]["catalogue"]["age_seconds"]
    wait_for(lambda: client.get("/health").json()["checks"]["catalogue"]["age_seconds"] > age)
    execute(server.database, "ALTER TABLE gone RENAME TO subscription_features")
    wait_for(lambda: client.get("/readyz").json()["status"] == "ready")
    server.stop()
    assert len([line for line in server.lines if "could not be read again" in line]) == 1
    assert len([line for line in server.lines if "can be read again" in line]) == 1


def test_a_row_outside_the_rules_is_left_out_and_named_once(start_server, tmp_path):
    server = start_server.ready(tmp_path, env={"CATALOGUE_REFRESH": "100ms"})
    client = server.client()
    execute(server.database, "UPDATE subscription_packages SET currency = 'us dollars'"
            " WHERE slug = 'premium'")
    wait_for(lambda: len(client.get("/user-subscription/packages").json()) == 3)
    reads = "tools_dashboard_catalogue_reads_total "
    count = int(client.get("/metrics").text.split("\n" + reads)[1].split("\n")[0])
    wait_for(lambda: int(client.get("/metrics").text.split("\n" + reads)[1].split("\n")[0])
             >= count + 3)
    server.stop()
    named = [line for line in server.lines if "is left out" in line]
    assert len(named) == 1 and "premium" in named[0] and "warning: " in named[0]
