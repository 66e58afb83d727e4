"""Changes that another program makes in the database show in the API within CATALOGUE_REFRESH."""

import json
import subprocess
import time

import pytest

BOTH_STORES = True

from conftest import wait_for

LIST = "/user-subscription/packages"
REFRESH = 5  # the default, in seconds


def by_hand(server, sql):
    """The program that comes with the database, as a person would use it."""
    program = ["sqlite3", "-bail", "-cmd", ".timeout 5000", server.database, sql] \
        if server.store is None else ["psql", "-q", "-v", "ON_ERROR_STOP=1", server.store.url, "-c", sql]
    done = subprocess.run(program, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def word(server, lite, postgres):
    """What the tables of one database write in another way than those of the other."""
    return lite if server.store is None else postgres


@pytest.fixture(scope="module")
def watched(server):
    client = server.client()
    yield client
    client.close()


def packages(client):
    return {p["slug"]: p for p in json.loads(client.get(LIST).body, parse_float=str)}


def changes(server, client, sql, shows):
    """Runs the SQL; asserts that `shows` becomes true, and that the list has a new ETag."""
    before = client.get(LIST).headers["etag"]
    begun = time.monotonic()
    by_hand(server, sql)
    wait_for(lambda: shows(packages(client)), REFRESH, sql)
    assert time.monotonic() - begun < REFRESH
    after = client.get(LIST).headers["etag"]
    assert after != before
    assert client.get(LIST, headers={"If-None-Match": before}).status == 200
    assert client.get(LIST, headers={"If-None-Match": after}).status == 304


def test_a_renamed_package_shows(server, watched):
    changes(server, watched,
            "UPDATE subscription_packages SET name = 'Básico ☕' WHERE slug = 'free'",
            lambda all: all["free"]["name"] == "Básico ☕")


def test_a_new_price_shows_in_the_list_and_under_its_slug(server, watched):
    changes(server, watched,
            f"UPDATE subscription_packages SET price_monthly = {word(server, 3105, 31.05)}"
            " WHERE slug = 'standard'",
            lambda all: all["standard"]["price_monthly"] == "31.05")
    assert b'"price_monthly":31.05,' in watched.get(f"{LIST}/standard").body


def test_a_package_without_content_is_served_and_its_content_shows_later(server, watched):
    changes(server, watched,
            "INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly,"
            " display_order) VALUES ('team', 'Team', "
            f"{word(server, '4999, 49900', '49.99, 499')}, 3)",
            lambda all: "team" in all)
    found = packages(watched)
    assert list(found) == ["free", "standard", "premium", "team", "enterprise"]
    assert found["team"]["metadata"] == {} and found["team"]["features"] == []
    changes(server, watched,
            "INSERT INTO subscription_package_metadata (package_slug, key, value)"
            " VALUES ('team', 'tagline', 'Together');"
            "INSERT INTO subscription_features (package_slug, feature_id, name)"
            " VALUES ('team', 'sso', 'Single sign-on')",
            lambda all: all["team"]["metadata"] and all["team"]["features"])


def test_an_inactive_package_is_hidden_and_comes_back(server, watched):
    changes(server, watched,
            "UPDATE subscription_packages SET is_active = '0' WHERE slug = 'premium'",
            lambda all: "premium" not in all)
    assert watched.get(f"{LIST}/premium").problem()["code"] == "package-not-found"
    changes(server, watched,
            "UPDATE subscription_packages SET is_active = '1' WHERE slug = 'premium'",
            lambda all: "premium" in all)
    assert watched.get(f"{LIST}/premium").status == 200


def test_a_deleted_package_is_gone(server, watched):
    changes(server, watched,
            "INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly)"
            " VALUES ('brief', 'Brief', 0, 0)", lambda all: "brief" in all)
    changes(server, watched, "DELETE FROM subscription_packages WHERE slug = 'brief'",
            lambda all: "brief" not in all)


def test_a_change_that_says_the_same_keeps_the_etag(server, watched):
    before = watched.get(LIST).headers["etag"]
    by_hand(server, "UPDATE subscription_packages SET updated_at = updated_at + "
            + word(server, "1", "interval '1 ms'"))
    changes(server, watched,
            "UPDATE subscription_packages SET display_order = 0 WHERE slug = 'free'",
            lambda all: all["free"]["display_order"] == 0)
    changes(server, watched,
            "UPDATE subscription_packages SET display_order = 1 WHERE slug = 'free'",
            lambda all: all["free"]["display_order"] == 1)
    assert watched.get(LIST).headers["etag"] == before


def test_a_bad_row_is_named_once_and_the_rest_is_served(server, watched):
    changes(server, watched,
            "INSERT INTO subscription_packages (slug, name, price_monthly, price_yearly, currency)"
            " VALUES ('yen', 'Yen', 100, 1000, 'JPY');"
            "UPDATE subscription_packages SET name = 'Still here' WHERE slug = 'free'",
            lambda all: all["free"]["name"] == "Still here")
    assert "yen" not in packages(watched)
    changes(server, watched,
            "UPDATE subscription_packages SET name = 'And again' WHERE slug = 'free'",
            lambda all: all["free"]["name"] == "And again")
    told = [line for line in server.lines if "yen" in line]
    assert len(told) == 1, server.log
    assert "warning: " in told[0] and "currency" in told[0]
    changes(server, watched,
            "UPDATE subscription_packages SET currency = 'EUR' WHERE slug = 'yen'",
            lambda all: "yen" in all)
