"""catalogue export, diff and apply, CATALOGUE_FILE, and every kind of bad file."""

import json
import os

import pytest

from conftest import ROOT, wait_for

LIST = "/user-subscription/packages"


@pytest.fixture
def shop(tmp_path, start_server):
    return start_server.ready(tmp_path)


def exported(shop):
    done = shop.run("catalogue", "export")
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(shop, catalogue, name="plans.json"):
    text = catalogue if isinstance(catalogue, str) else json.dumps(catalogue)
    path = os.path.join(shop.folder, name)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    return path


def test_the_export_of_a_new_store_is_the_built_in_file(shop):
    with open(os.path.join(ROOT, "catalogue", "default.json"), encoding="utf-8") as built_in:
        assert exported(shop) == built_in.read()


def test_an_export_differs_in_nothing_and_applying_it_changes_nothing(shop):
    path = write(shop, exported(shop))
    for command in ("diff", "apply"):
        for more in ((), ("--retire",)):
            done = shop.run("catalogue", command, path, *more)
            assert (done.returncode, done.stdout) == (0, "No difference\n"), done.stderr


def test_a_changed_file_is_told_then_applied_then_served(shop):
    catalogue = json.loads(exported(shop))
    free = catalogue["packages"][0]
    free["name"], free["price_monthly"] = "Básico", "0.99"
    free["metadata"]["tagline"] = "New"
    free["features"][0]["included"] = False
    catalogue["packages"].append({
        "slug": "extra", "name": "Extra", "price_monthly": 5, "price_yearly": 50,
        "currency": "EUR", "rate_limit_per_hour": 1, "rate_limit_per_day": 2})
    path = write(shop, catalogue)
    told = shop.run("catalogue", "diff", path)
    assert told.returncode == 6
    for line in ('~ package free: name: "Free" -> "Básico"',
                 "~ package free: price_monthly: 0.00 -> 0.99",
                 "~ feature free/dashboards: included: true -> false", '+ package extra: "Extra"'):
        assert line in told.stdout.splitlines()
    applied = shop.run("catalogue", "apply", path)
    assert applied.returncode == 0, applied.stderr
    assert applied.stdout.startswith(told.stdout)
    client = shop.client()
    wait_for(lambda: client.get(f"{LIST}/extra").status == 200, 5, "the new package")
    assert b'"price_monthly":0.99,' in client.get(f"{LIST}/free").body
    assert shop.run("catalogue", "diff", path).returncode == 0


def test_what_a_file_lacks_stays_unless_it_is_retired(shop):
    catalogue = json.loads(exported(shop))
    catalogue["packages"].pop(2)
    del catalogue["packages"][0]["metadata"]["cta_text.es"]
    path = write(shop, catalogue)
    assert shop.run("catalogue", "diff", path).returncode == 0
    retired = shop.run("catalogue", "apply", path, "--retire")
    assert retired.returncode == 0, retired.stderr
    assert "- package premium: is no longer on offer" in retired.stdout
    client = shop.client()
    wait_for(lambda: client.get(f"{LIST}/premium").status == 404, 5, "the retired package")
    back = {p["slug"]: p for p in json.loads(exported(shop))["packages"]}
    assert back["premium"]["is_active"] is False and len(back["premium"]["features"]) == 14
    assert "cta_text.es" not in back["free"]["metadata"]


@pytest.mark.parametrize("text, told", [
    ("", "line 1, column 1: not valid JSON"),
    ('{"version": 1,\n "packages": [}', "line 2, column 15: not valid JSON"),
    ('{"version": 1, "packages": [], "packages": []}', "duplicate object key"),
    ('{"version": 1, "packages": [{"slug": "A B"}]}', '/packages/0/slug "A B" is not a slug'),
    ('{"version": 1, "packags": []}', 'did you mean "packages"?'),
    ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "not valid JSON"),
])
def test_a_bad_file_is_refused_by_line_or_field(shop, text, told):
    before = exported(shop)
    for command in ("diff", "apply"):
        done = shop.run("catalogue", command, write(shop, text))
        assert done.returncode == 1, done.stdout
        assert told in done.stderr
    assert exported(shop) == before


def test_all_faults_come_at_once_and_nothing_is_applied(shop):
    catalogue = json.loads(exported(shop))
    catalogue["packages"][0]["name"] = "Changed"
    catalogue["packages"][1]["currency"] = "JPY"
    catalogue["packages"][3]["price_yearly"] = 1.005
    catalogue["packages"][3]["features"][2]["icon"] = 7
    done = shop.run("catalogue", "apply", write(shop, catalogue))
    assert done.returncode == 1
    for pointer in ("/packages/1/currency", "/packages/3/price_yearly",
                    "/packages/3/features/2/icon"):
        assert pointer in done.stderr
    assert '"Changed"' not in exported(shop)


def test_a_file_that_is_not_there_or_too_large_is_named(shop):
    done = shop.run("catalogue", "diff", "nowhere.json")
    assert done.returncode == 1 and "nowhere.json" in done.stderr
    done = shop.run("catalogue", "apply", write(shop, " " * (1024 * 1024 + 1)))
    assert done.returncode == 1 and "1048576 bytes" in done.stderr


def test_catalogue_file_fills_an_empty_store_and_a_bad_one_ends_the_start(tmp_path, start_server):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"version": 1, "packages": [{
        "slug": "only", "name": "Only", "price_monthly": 1, "price_yearly": 10, "currency": "EUR",
        "rate_limit_per_hour": 1, "rate_limit_per_day": 2}]}))
    mine = start_server.ready(tmp_path, env={"CATALOGUE_FILE": str(path)})
    assert [p["slug"] for p in mine.client().get(LIST).json()] == ["only"]
    assert "Upserted package: only - Only" in mine.log
    (tmp_path / "other").mkdir()
    path.write_text('{"version": 1, "packages": 7}')
    bad = start_server(tmp_path / "other", env={"CATALOGUE_FILE": str(path)})
    assert bad.process.wait(timeout=30) == 3
    bad.reader.join(timeout=10)
    assert "/packages must be an array" in bad.log
