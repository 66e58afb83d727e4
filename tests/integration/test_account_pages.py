"""What a person does: checkout, account, changes, signing in and out, another password."""

import concurrent.futures
import json
import re

import pytest

from conftest import Servers
from page_client import Browser

BOTH_STORES = True
LINK = re.compile(r"http://\S+/reset-password\?token=([A-Za-z0-9_-]{43})\n")


@pytest.fixture(scope="module")
def shop(tmp_path_factory, store):
    servers = Servers(store)
    yield servers.ready(tmp_path_factory.mktemp("shop"), env={
        "PASSWORD_MEMORY": "8KiB", "TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "debug"})
    servers.end()


@pytest.fixture
def email(unique):
    return f"{unique()}@example.com"


@pytest.fixture
def ana(shop, email):
    """Somebody with a monthly Standard who is signed in."""
    browser = Browser(shop)
    assert browser.check_out("standard", email).location == "/account?notice=subscribed"
    return browser


def one(shop, email):
    """The columns of the user's latest subscription that tests look at."""
    rows = shop.sql("SELECT s.id, p.slug, s.billing_cycle, s.status, s.pending_action "
                    "FROM user_subscriptions s JOIN users u ON u.id = s.user_id "
                    "JOIN subscription_packages p ON p.id = s.package_id WHERE u.email = ? "
                    "ORDER BY s.created_at DESC", email)
    return rows[0]


def actions(shop, email):
    return [row[0] for row in shop.sql(
        "SELECT h.action FROM subscription_history h JOIN users u ON u.id = h.user_id "
        "WHERE u.email = ? ORDER BY h.seq", email)]


# ---- checkout

def test_a_checkout_makes_user_subscription_history_and_session(shop, email):
    browser = Browser(shop)
    answer = browser.check_out("premium", email, billing_cycle="yearly", company="Gil & Co")
    assert (answer.status, answer.location) == (303, "/account?notice=subscribed")
    users = shop.sql("SELECT id, first_name, last_name, company, password_hash FROM users "
                     "WHERE email = ?", email)
    assert len(users) == 1 and tuple(users[0][1:4]) == ("Ana", "Gil", "Gil & Co")
    assert users[0][4].startswith("$argon2id$")
    assert tuple(one(shop, email)[1:4]) == ("premium", "yearly", "active")
    assert actions(shop, email) == ["created"]
    assert shop.sql("SELECT count(*) FROM sessions WHERE user_id = ?", users[0][0])[0][0] == 1
    page = browser.follow(answer)
    assert "You are subscribed." in page.words and "Premium" in page.words
    assert "$799.00 a year" in page.words and "Subscribed to Premium, yearly" in page.words


def test_a_form_that_is_sent_twice_makes_one(shop, email):
    browser = Browser(shop)
    page = browser.get("/checkout/standard")
    fields = {**page.form("Subscribe")["fields"], "first_name": "Ana", "last_name": "Gil",
              "email": email, "password": "correct horse", "terms": "yes"}
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        cookies = dict(browser.cookies)
        twins = [Browser(shop) for _ in range(4)]
        for twin in twins:
            twin.cookies = dict(cookies)
        answers = list(pool.map(
            lambda twin: twin.request("POST", "/checkout/standard", fields), twins))
    assert [(a.status, a.location) for a in answers] == [(303, "/account?notice=subscribed")] * 4
    assert shop.sql("SELECT count(*) FROM users WHERE email = ?", email)[0][0] == 1
    assert actions(shop, email) == ["created"]
    assert "Standard" in twins[3].open("/account").words


def test_wrong_fields_come_back_with_every_answer_but_the_password(shop, email):
    browser = Browser(shop)
    answer = browser.check_out("standard", email, first_name=" ", company="Kept & Co",
                               password="short", terms=None, billing_cycle="yearly")
    assert answer.status == 422
    assert "There is a problem" in answer.words and "<title>Error: Checkout" in answer.source
    for link in ("first_name", "password", "terms"):
        assert f'href="#{link}"' in answer.source
    kept = answer.form("Subscribe")["fields"]
    assert (kept["email"], kept["company"], kept["last_name"]) == (email, "Kept & Co", "Gil")
    assert kept["billing_cycle"] == "yearly" and kept["password"] == ""
    assert "short" not in answer.source
    assert shop.sql("SELECT count(*) FROM users WHERE email = ?", email)[0][0] == 0
    done = browser.press(answer, "Subscribe", first_name="Ana", password="correct horse",
                         terms="yes")
    assert done.location == "/account?notice=subscribed"
    assert one(shop, email)[2] == "yearly"


def test_a_price_that_was_not_shown_is_not_agreed_to(shop, email):
    answer = Browser(shop).check_out("standard", email, seen="100-200-USD")
    assert answer.status == 422 and "The price has changed" in answer.words
    assert answer.form("Subscribe")["fields"]["seen"] == "2999-29900-USD"
    assert shop.sql("SELECT count(*) FROM users WHERE email = ?", email)[0][0] == 0


def test_an_address_that_is_known(shop, ana, email):
    assert ana.get("/account").status == 200
    other = Browser(shop)
    answer = other.check_out("premium", email, password="not the same")
    assert answer.status == 422 and "Sign in, or use another address" in answer.words
    assert "session" not in other.cookies
    known = Browser(shop)
    answer = known.check_out("premium", email.upper())
    assert answer.location == "/account?notice=already"
    assert one(shop, email)[1] == "standard"
    assert "You have a subscription already" in known.follow(answer).words


def test_who_is_signed_in_is_not_asked_again(shop, ana, email):
    page = ana.open("/checkout/premium?billing=yearly")
    assert "Change package" in page.words, "who has a subscription changes it"
    choice = page.form("See what changes")["fields"]
    assert (choice["package_slug"], choice["billing_cycle"]) == ("premium", "yearly")
    cancel = ana.press(ana.get("/account"), "Cancel subscription")
    assert ana.press(cancel, "Cancel subscription", when="now").location == \
        "/account?notice=canceled"
    page = ana.get("/checkout/premium?billing=yearly")
    assert f"You are signed in as {email}." in page.words
    assert set(page.form("Subscribe")["fields"]) == {"csrf_token", "seen", "billing_cycle"}
    assert ana.press(page, "Subscribe").status == 422, "the terms are asked for"
    assert ana.press(page, "Subscribe", terms="yes").location == "/account?notice=subscribed"
    assert ana.press(page, "Subscribe", terms="yes").location == "/account?notice=subscribed"
    assert tuple(one(shop, email)[1:3]) == ("premium", "yearly")
    assert actions(shop, email) == ["created", "canceled", "created"]


def test_a_package_that_is_not_on_offer(shop):
    for slug in ("nothing", "a%2Fb", "%3Cscript%3E"):
        page = Browser(shop).get(f"/checkout/{slug}")
        assert page.status == 404 and "There is no such package" in page.words


# ---- changes

def preview(browser, **choice):
    page = browser.get("/account/change")
    return browser.press(page, "See what changes", **choice)


def test_a_change_at_once_is_what_the_preview_said(shop, ana, email):
    page = preview(ana, package_slug="premium", billing_cycle="yearly", when="now")
    assert "Check the change" in page.words and "Nothing has happened yet." in page.words
    promised = re.search(r"Next date and amount (\w+ \d+, \d{4}): (\S+)", page.words)
    assert actions(shop, email) == ["created"]
    answer = ana.press(page, "Change package")
    assert answer.location == "/account?notice=changed"
    account = ana.follow(answer)
    assert f"Renews on {promised.group(1)} for {promised.group(2)}" in account.words
    assert tuple(one(shop, email)[1:3]) == ("premium", "yearly")
    assert actions(shop, email) == ["created", "upgraded"]
    assert "Changed up from Standard to Premium, yearly" in account.words


def test_a_planned_change_and_taking_it_back(shop, ana, email):
    page = preview(ana, package_slug="free", billing_cycle="monthly", when="period_end")
    assert "You can take the change back until then." in page.words
    account = ana.follow(ana.press(page, "Change package"))
    assert "your package becomes Free, monthly, for $0.00 a month" in account.words
    assert tuple(one(shop, email)[1:5]) == ("standard", "monthly", "active", "change")
    answer = ana.press(account, "Keep my subscription")
    assert answer.location == "/account?notice=kept"
    assert "Keep my subscription" not in ana.follow(answer).words
    assert actions(shop, email) == ["created", "change_scheduled", "resumed"]


def test_what_one_has_is_no_change(ana):
    page = preview(ana, package_slug="standard", billing_cycle="monthly", when="now")
    assert page.status == 422 and "Choose another" in page.words
    page = preview(ana, package_slug="nothing", billing_cycle="monthly", when="now")
    assert page.status == 422 and "Choose a package" in page.words


@pytest.mark.parametrize("field, words", [
    ("when", "Choose when it happens"), ("billing_cycle", "Choose monthly or yearly")])
def test_a_choice_that_is_none_of_ours_changes_nothing(shop, ana, email, field, words):
    page = preview(ana, package_slug="premium", billing_cycle="yearly", when="now")
    for value in ("bogus", "", None, "NOW", "period_end,now"):
        answer = ana.press(page, "Change package", **{field: value})
        assert answer.status == 422 and "There is a problem" in answer.words, (value, answer)
        assert f'href="#{field}">{words}</a>' in answer.source
        assert f'id="{field}-error"' in answer.source
        if value:
            asked = preview(ana, **{"package_slug": "premium", "billing_cycle": "yearly",
                                    "when": "now", field: value})
            assert asked.status == 422 and f'href="#{field}">{words}</a>' in asked.source
    assert actions(shop, email) == ["created"]


def test_cancelling_and_changing_ones_mind(shop, ana, email):
    page = ana.press(ana.get("/account"), "Cancel subscription")
    assert "Why are you leaving?" in page.words
    answer = ana.press(page, "Cancel subscription", reason="Too dear <b>")
    assert answer.location == "/account?notice=cancel_planned"
    account = ana.follow(answer)
    assert "Your subscription ends on" in account.words and "Ends soon" in account.words
    assert "Reason: Too dear <b>" in account.words
    assert one(shop, email)[4] == "cancel"
    again = ana.press(page, "Cancel subscription")
    assert again.location == "/account?notice=cancel_planned", "sent twice is no trouble"
    assert ana.press(account, "Keep my subscription").location == "/account?notice=kept"
    assert actions(shop, email) == ["created", "cancel_scheduled", "resumed"]


def test_cancelling_at_once(shop, ana, email):
    page = ana.get("/account/cancel?when=now")
    assert page.form("Cancel subscription")["fields"]["when"] == "now"
    account = ana.follow(ana.press(page, "Cancel subscription"))
    assert "Your subscription to Standard ended on" in account.words
    assert one(shop, email)[3] == "canceled"
    assert ana.get("/account/change").location == "/account"
    assert ana.get("/account/cancel").location == "/account"
    assert ana.press(page, "Cancel subscription").location == "/account?notice=canceled"
    assert actions(shop, email) == ["created", "canceled"]


def test_a_page_that_is_older_than_the_subscription_does_nothing(shop, ana, email):
    old_cancel = ana.get("/account/cancel?when=now")
    old_preview = preview(ana, package_slug="free", billing_cycle="monthly", when="now")
    new = preview(ana, package_slug="premium", billing_cycle="monthly", when="now")
    assert ana.press(new, "Change package").location == "/account?notice=changed"
    assert ana.press(new, "Change package").location == "/account?notice=changed", "sent twice"
    assert ana.press(old_cancel, "Cancel subscription").location == "/account?notice=stale"
    answer = ana.press(old_preview, "Change package")
    assert "nothing was done" in ana.follow(answer).words
    assert tuple(one(shop, email)[1:4]) == ("premium", "monthly", "active")
    assert actions(shop, email) == ["created", "upgraded"]


def test_history_is_paged(shop, ana, email):
    for _ in range(11):
        cancel = ana.get("/account/cancel")
        account = ana.follow(ana.press(cancel, "Cancel subscription"))
        ana.press(account, "Keep my subscription")
    first = ana.get("/account")
    assert first.source.count("<tr><td><time") == 20
    older = re.search(r'href="(/account\?before=\d+&amp;lang=en)#history">Older', first.source)
    second = ana.get(older.group(1).replace("&amp;", "&"))
    assert second.source.count("<tr><td><time") == 3
    assert "Subscribed to Standard" in second.words and "Newest entries" in second.words
    assert "Older entries" not in second.words
    assert ana.get("/account?before=nonsense").source.count("<tr><td><time") == 20
    assert len(actions(shop, email)) == 23


# ---- signing in and out

def test_signing_out_and_in(ana, shop, email):
    answer = ana.press(ana.get("/account"), "Sign out")
    assert (answer.status, answer.location) == (303, "/sign-in?notice=signed_out")
    assert "session" not in ana.cookies
    assert "You are signed out." in ana.follow(answer).words
    assert ana.get("/account").location == "/sign-in?next=/account"
    answer = ana.sign_in(email.upper())
    assert answer.location == "/account" and "session" in ana.cookies
    assert ana.get("/account").status == 200
    assert ana.get("/sign-in").location == "/account"


def test_signing_in_leads_back_to_where_one_was(shop, ana, email):
    other = Browser(shop)
    page = other.open("/account/change?package_slug=premium&billing_cycle=yearly&when=now")
    answer = other.press(page, "Sign in", email=email, password="correct horse")
    assert answer.location == "/account/change?package_slug=premium&billing_cycle=yearly&when=now"
    assert "Check the change" in other.follow(answer).words


def test_a_session_that_has_expired(shop, ana):
    shop.sql("UPDATE sessions SET expires_at = created_at")
    answer = ana.get("/account")
    assert answer.location == "/sign-in?next=/account"
    assert "Max-Age=0" in answer.cookie("session")


def test_everything_is_said_in_spanish_too(shop, unique):
    browser = Browser(shop, language="es-MX,es;q=0.9")
    page = browser.get("/checkout/standard")
    answer = browser.press(page, "Suscribirse")
    assert answer.status == 422 and "Hay un problema" in answer.words
    answer = browser.press(answer, "Suscribirse", first_name="Ana", last_name="Gil", terms="yes",
                           email=f"{unique()}@example.com", password="caballo correcto")
    account = browser.follow(answer)
    assert 'lang="es"' in account.source and "Ya tienes la suscripción." in account.words
    assert "29,99\xa0US$ al mes" in account.source and " de 20" in account.words
    page = browser.press(account, "Cancelar la suscripción")
    account = browser.follow(browser.press(page, "Cancelar la suscripción"))
    account = browser.follow(browser.press(account, "Conservar mi suscripción"))
    answer = browser.press(account, "Cerrar sesión")
    assert "Has cerrado la sesión." in browser.follow(answer).words


# ---- another password

def make_link(shop, email):
    done = shop.run("user", "reset-password", email)
    assert done.returncode == 0, done.stderr
    assert LINK.fullmatch(done.stdout), "it is alone on stdout"
    return "/reset-password?token=" + LINK.fullmatch(done.stdout).group(1)


@pytest.fixture
def linked(shop):
    """The server's PORT was 0: the command is told where it is."""
    shop.env["PUBLIC_URL"] = shop.url
    yield lambda email: make_link(shop, email)
    del shop.env["PUBLIC_URL"]


def test_a_link_sets_a_new_password_once(shop, ana, email, linked):
    link = linked(email)
    other = Browser(shop)
    page = other.get(link)
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cache-control"] == "no-store"
    assert f"For {email}." in page.words
    other.origin = "null"  # what a browser sends from a page without a referrer
    short = other.press(page, "Set password", password="short")
    assert short.status == 422 and "at least 8 characters" in short.words
    assert short.headers["referrer-policy"] == "no-referrer"
    answer = other.press(short, "Set password", password="another phrase")
    assert answer.location == "/account?notice=password"
    assert "Your new password is set." in other.follow(answer).words
    assert ana.get("/account").location == "/sign-in?next=/account", "other sessions have ended"
    assert other.press(page, "Set password", password="yet another").status in (403, 404)
    third = Browser(shop)
    assert third.get(link).status == 404
    assert "does not work any more" in third.get(link).words
    assert third.sign_in(email).status == 422
    assert third.sign_in(email, "another phrase").location == "/account"


def pass_time(shop, seconds):
    """Links are older by so much."""
    shorter = f"{seconds * 1000}" if shop.store is None else f"interval '{seconds} seconds'"
    shop.sql(f"UPDATE password_resets SET expires_at = expires_at - {shorter}")


def test_a_link_is_void_after_a_later_one_and_after_an_hour(shop, ana, email, linked):
    first, second = linked(email), linked(email)
    assert Browser(shop).get(first).status == 404
    assert Browser(shop).get(second).status == 200
    pass_time(shop, 3590)
    assert Browser(shop).get(second).status == 200
    pass_time(shop, 11)
    assert Browser(shop).get(second).status == 404


def test_a_link_is_in_no_log_and_not_in_the_database(shop, ana, email, linked):
    token = linked(email).split("=")[1]
    browser = Browser(shop)
    page = browser.get(f"/reset-password?token={token}")
    browser.press(page, "Set password", password="another phrase")
    browser.get(f"/reset-password?token={token}&token={token}")
    assert "GET /reset-password" in shop.log, "requests are logged"
    assert token not in shop.log and token not in shop.dump()
    for secret in (browser.cookies["session"], "another phrase"):
        assert secret not in shop.log and secret not in shop.dump()


def test_forged_links(shop):
    for token in ("", "a", "A" * 43, "A" * 42 + "B", "../../x", "A" * 1500):
        page = Browser(shop).get(f"/reset-password?token={token}")
        assert page.status == 404 and "does not work any more" in page.words
    assert Browser(shop).get("/reset-password").status == 404


def test_the_command_says_what_is_wrong(shop, linked, email, ana):
    done = shop.run("user", "reset-password", "nobody@example.com")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no user with that e-mail address" in done.stderr
    data = json.loads(shop.run("user", "reset-password", email.upper(), "--json").stdout)
    assert set(data) == {"user_id", "email", "url", "expires_at"} and data["email"] == email
    assert Browser(shop).get(data["url"][len(shop.url):]).status == 200


def test_the_command_needs_to_know_where_the_service_is(shop, email):
    done = shop.run("user", "reset-password", email)
    assert (done.returncode, done.stdout) == (3, "")
    assert "PORT is 0" in done.stderr and "PUBLIC_URL" in done.stderr


# ---- what time does

def advance(server, key, by):
    answer = server.client(key).post("/test/clock", {"advance": by})
    assert answer.status == 200, answer


def test_time_passes_for_pages_too(start_server, tmp_path, email):
    server = start_server.ready(tmp_path, env={
        "TEST_CLOCK": "2027-01-31T12:00:00Z", "PASSWORD_MEMORY": "8KiB", "SESSION_TTL": "40d"})
    key = server.make_key()
    browser = Browser(server)
    account = browser.follow(browser.check_out("standard", email))
    assert "January 31, 2027 to February 28, 2027" in account.words
    for page in (account, browser.get("/pricing"), browser.get("/problems"), browser.get("/x")):
        assert "Test clock: this service does not run on real time." in page.words
        assert page.headers["test-clock"].startswith("2027-01-31T12:0")
    assert "Its time is 2027-01-31T12:0" in account.words
    planned = browser.press(browser.get("/account/cancel"), "Cancel subscription")
    account = browser.press(browser.follow(planned), "Keep my subscription")
    advance(server, key, "31d")
    account = browser.get("/account")
    assert "February 28, 2027 to March 31, 2027" in account.words
    assert "February 28, 2027 Standard, monthly, renewed $29.99 a month Automatic" in account.words
    server.env["PUBLIC_URL"] = server.url
    link = server.run("user", "reset-password", email).stdout.strip()[len(server.url):]
    del server.env["PUBLIC_URL"]
    assert Browser(server).get(link).status == 200, "the command follows the clock"
    advance(server, key, "61m")
    assert Browser(server).get(link).status == 404
    advance(server, key, "9d")
    assert browser.get("/account").location == "/sign-in?next=/account", "so do sessions"
