"""Attacks on the pages of an account: sessions, forms, guessing, other people's data."""

import concurrent.futures
import re
import socket
import statistics
import time

import pytest

from conftest import Servers
from page_client import Browser

BOTH_STORES = True
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
PROXY = {"TRUSTED_PROXIES": "127.0.0.1", "LOG_LEVEL": "debug"}


@pytest.fixture(scope="module")
def start(tmp_path_factory, store):
    """start(env) starts a server of the module's."""
    servers = Servers(store)
    yield lambda env: servers.ready(tmp_path_factory.mktemp("shop"), env={**PROXY, **env})
    servers.end()


@pytest.fixture(scope="module")
def shop(start):
    return start({"PASSWORD_MEMORY": "8KiB"})


@pytest.fixture
def email(unique):
    return f"{unique()}@example.com"


def subscriber(shop, email):
    browser = Browser(shop)
    assert browser.check_out("standard", email).location == "/account?notice=subscribed"
    return browser


@pytest.fixture
def ana(shop, email):
    return subscriber(shop, email)


def actions(shop, email):
    return [row[0] for row in shop.sql(
        "SELECT h.action FROM subscription_history h JOIN users u ON u.id = h.user_id "
        "WHERE u.email = ? ORDER BY h.seq", email)]


def reset_link(shop, email):
    shop.env["PUBLIC_URL"] = shop.url
    link = shop.run("user", "reset-password", email).stdout.strip()[len(shop.url):]
    del shop.env["PUBLIC_URL"]
    return link


# ---- sessions

def test_a_session_that_somebody_planted_is_never_used(shop, email):
    planted = "A" * 42 + "E"
    for button in ("Subscribe", "Sign in"):
        victim = Browser(shop)
        page = victim.get("/checkout/standard" if button == "Subscribe" else "/sign-in")
        victim.cookies["session"] = planted  # after the page, right before its button
        answer = victim.press(page, button, email=email, password="correct horse",
                              first_name="Ana", last_name="Gil", terms="yes")
        assert answer.status == 303 and TOKEN.fullmatch(victim.cookies["session"])
        assert victim.cookies["session"] != planted
        attacker = Browser(shop)
        attacker.cookies["session"] = planted
        assert attacker.get("/account").location == "/sign-in?next=/account"


def planted_between(shop, attacker, path, button, fields):
    """The victim's page is open, the attacker's session comes, the button is pressed: and pressed
    again where the form is shown again. The victim's browser and the last answer."""
    victim = Browser(shop)
    page = victim.get(path)
    victim.cookies["session"] = attacker.cookies["session"]
    answer = victim.press(page, button, **fields)
    assert answer.status == 403 and "Nothing was done; send it again." in answer.words
    assert victim.cookies["session"] == attacker.cookies["session"]
    return victim, answer


def test_signing_in_under_anothers_session_ends_it(shop, ana, email, unique):
    theirs = f"{unique()}@example.com"
    attacker = subscriber(shop, theirs)
    right = {"email": email, "password": "correct horse"}
    victim, page = planted_between(shop, attacker, "/sign-in", "Sign in", right)
    wrong = victim.press(page, "Sign in", email=email, password="wrong password")
    assert wrong.status == 422 and "do not belong together" in wrong.words
    assert victim.cookies["session"] == attacker.cookies["session"], "still the old one"
    answer = victim.press(wrong, "Sign in", **right)
    assert answer.location == "/account"
    assert victim.cookies["session"] not in (attacker.cookies["session"], ana.cookies["session"])
    account = victim.get("/account")
    assert email in account.source and theirs not in account.source
    assert attacker.get("/account").location == "/sign-in?next=/account", "it has ended"
    assert ana.get("/account").status == 200, "the owner's other browser stays signed in"


def test_signing_in_again_makes_another_session(shop, ana, email):
    before = ana.cookies["session"]
    token = ana.get("/account/cancel").form("Cancel subscription")["fields"]["csrf_token"]
    login = {"email": email, "password": "correct horse", "csrf_token": token}
    for forged in ("", "A" * 43):
        assert ana.request("POST", "/sign-in", {**login, "csrf_token": forged}).status == 403
    assert ana.request("POST", "/sign-in", {**login, "password": "wrong"}).status == 422
    assert ana.cookies["session"] == before
    assert ana.request("POST", "/sign-in", login).location == "/account"
    assert ana.cookies["session"] != before and ana.get("/account").status == 200
    thief = Browser(shop)
    thief.cookies["session"] = before
    assert thief.get("/account").status == 303


def test_checking_out_under_anothers_session_buys_nothing_for_them(shop, unique):
    theirs, mine = f"{unique()}@example.com", f"{unique()}@example.com"
    attacker = subscriber(shop, theirs)
    attacker.press(attacker.get("/account/cancel"), "Cancel subscription", when="now")
    order = {"email": mine, "password": "correct horse", "first_name": "Ana", "last_name": "Gil",
             "terms": "yes"}
    _, page = planted_between(shop, attacker, "/checkout/standard", "Subscribe", order)
    assert theirs in page.words, "it says whose account it would be"
    assert actions(shop, theirs) == ["created", "canceled"]
    assert shop.sql("SELECT count(*) FROM users WHERE email = ?", mine)[0][0] == 0


def test_a_new_password_under_anothers_session_ends_it(shop, ana, email, unique):
    attacker = subscriber(shop, f"{unique()}@example.com")
    link = reset_link(shop, email)
    victim, page = planted_between(shop, attacker, link, "Set password",
                                   {"password": "another phrase"})
    answer = victim.press(page, "Set password", password="another phrase")
    assert answer.location == "/account?notice=password"
    assert email in victim.get("/account").source
    assert attacker.get("/account").status == 303 and ana.get("/account").status == 303


def test_a_new_password_leaves_no_session_of_the_old_one(start, unique):
    shop = start({"PASSWORD_MEMORY": "1MiB"})
    email = f"{unique()}@example.com"
    subscriber(shop, email)
    for number in range(4):
        old, new = (f"phrase {number - 1}" if number else "correct horse"), f"phrase {number}"
        browsers = [Browser(shop) for _ in range(12)]
        pages = [browser.get("/sign-in") for browser in browsers]
        owner = Browser(shop)
        page = owner.get(reset_link(shop, email))
        shop.sql("DELETE FROM throttles")

        def act(i):
            if i == 5:
                return owner.press(page, "Set password", password=new).status
            return browsers[i].press(pages[i], "Sign in", email=email, password=old).status

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(act, range(12)))
        assert answers[5] == 303 and set(answers) <= {303, 422, 429}, answers
        for browser in browsers:
            assert browser.get("/account").status == 303, "of the old password"
        assert owner.get("/account").status == 200


def test_each_sign_in_has_a_session_of_its_own_and_signing_out_ends_it(shop, ana, email):
    first = ana.cookies["session"]
    assert TOKEN.fullmatch(first)
    ana.press(ana.get("/account"), "Sign out")
    thief = Browser(shop)
    thief.cookies["session"] = first
    assert thief.get("/account").status == 303, "the old token is dead"
    ana.sign_in(email)
    assert ana.cookies["session"] != first
    other = Browser(shop)
    other.sign_in(email)
    assert other.cookies["session"] not in (first, ana.cookies["session"])
    assert ana.get("/account").status == 200, "two browsers at once are fine"


def test_tokens_that_were_made_up(shop):
    for token in ("", "x", "A" * 43, "' OR 1=1 --", "A" * 42 + "=", "A" * 3000, "%00"):
        browser = Browser(shop)
        browser.cookies["session"] = token
        answer = browser.get("/account")
        assert answer.location == "/sign-in?next=/account", (token, answer)


def test_the_store_has_only_hashes(shop, ana):
    dump = shop.dump()
    assert ana.cookies["session"] not in dump and "correct horse" not in dump
    assert ana.cookies["session"] not in shop.log and "correct horse" not in shop.log


def parts(cookie):
    first, *rest = cookie.split("; ")
    return first.partition("=")[0], {part.partition("=")[0]: part.partition("=")[2]
                                     for part in rest}


def test_cookies_over_http(shop, email):
    browser = Browser(shop)
    page = browser.get("/checkout/standard")
    name, form = parts(page.cookie("csrf"))
    assert form == {"Path": "/", "HttpOnly": "", "SameSite": "Lax"}
    answer = browser.check_out("standard", email)
    name, session = parts(answer.cookie("session"))
    assert name == "session"
    assert session == {"Path": "/", "HttpOnly": "", "SameSite": "Lax", "Max-Age": "2592000"}
    assert "Max-Age=0" in answer.cookie("csrf"), "what forms were bound to goes"


def test_cookies_over_https(start, email):
    shop = start({"PASSWORD_MEMORY": "8KiB", "PUBLIC_URL": "https://plans.example.com",
                  "SESSION_TTL": "2h"})
    browser = Browser(shop)
    browser.origin = "https://plans.example.com"
    answer = browser.check_out("standard", email)
    assert answer.status == 303
    name, session = parts(answer.cookie("__Host-session"))
    assert session == {"Path": "/", "HttpOnly": "", "SameSite": "Lax", "Max-Age": "7200",
                       "Secure": ""}
    assert "Domain" not in answer.cookie("__Host-session") and not answer.cookie("session")
    assert browser.get("/account").status == 200
    plain = Browser(shop)
    plain.cookies = {"session": browser.cookies["__Host-session"]}
    assert plain.get("/account").status == 303, "a name without the prefix is not looked at"
    browser.origin = shop.url
    page = browser.get("/account")
    assert browser.press(page, "Sign out").status == 403, "PUBLIC_URL is the only origin"
    browser.origin = "https://plans.example.com"
    assert browser.press(page, "Sign out").status == 303


def test_pages_of_one_visitor_are_kept_by_nobody(shop, ana):
    visitor = Browser(shop)
    for browser, path in ((ana, "/account"), (ana, "/account/change"), (ana, "/account/cancel"),
                          (visitor, "/sign-in"), (visitor, "/checkout/standard"),
                          (visitor, "/reset-password?token=x"), (visitor, "/account")):
        page = browser.get(path)
        assert page.headers["cache-control"] == "no-store", path
        assert "etag" not in page.headers
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert "Sign out" not in visitor.get("/pricing").words
    assert ana.get("/pricing").source == visitor.get("/pricing").source


# ---- forms

FORMS = [
    ("/account/cancel", {"when": "now"}),
    ("/account/keep", {}),
    ("/account/change", {"package_slug": "premium", "billing_cycle": "yearly", "when": "now"}),
    ("/sign-out", {}),
]


@pytest.mark.parametrize("path, fields", FORMS)
def test_a_form_without_its_token_is_refused(shop, ana, email, unique, path, fields):
    bob = subscriber(shop, f"{unique()}@example.com")
    visitor = Browser(shop)
    theirs = bob.get("/account/cancel").form("Cancel subscription")["fields"]["csrf_token"]
    strangers = visitor.get("/sign-in").form("Sign in")["fields"]["csrf_token"]
    mine = ana.get("/account/cancel").form("Cancel subscription")["fields"]["csrf_token"]
    forged = [None, "", "x", "A" * 43, theirs, strangers, mine[:-1], mine + "A",
              ana.cookies["session"], mine.swapcase()]
    for token in forged:
        sent = fields if token is None else {**fields, "csrf_token": token}
        answer = ana.request("POST", path, sent)
        assert answer.status == 403, (token, answer)
        assert "This form cannot be taken" in answer.words
    assert actions(shop, email) == ["created"] and ana.get("/account").status == 200


@pytest.mark.parametrize("path, fields", FORMS)
def test_a_form_from_another_site_is_refused(shop, ana, email, path, fields):
    token = ana.get("/account/cancel").form("Cancel subscription")["fields"]["csrf_token"]
    sent = {**fields, "csrf_token": token}
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": ""},
                    {"Origin": f"http://evil.{shop.host}:{shop.port}"},
                    {"Origin": f"http://{shop.host}:{shop.port + 1}"},
                    {"Origin": f"http://{shop.host}:{shop.port}.evil.example"},
                    {"Origin": f"{shop.url}/x"}, {"Origin": f"ftp://{shop.host}:{shop.port}"},
                    {"Origin": None, "Sec-Fetch-Site": "cross-site"},
                    {"Origin": None, "Sec-Fetch-Site": "same-site"}):
        answer = ana.request("POST", path, sent, headers)
        assert answer.status == 403, (headers, answer)
    assert actions(shop, email) == ["created"] and ana.get("/account").status == 200


def test_signing_in_and_checking_out_are_guarded_too(shop, ana, email, unique):
    visitor = Browser(shop)
    mine = visitor.get("/sign-in").form("Sign in")["fields"]["csrf_token"]
    other = Browser(shop).get("/sign-in").form("Sign in")["fields"]["csrf_token"]
    login = {"email": email, "password": "correct horse"}
    fresh = f"{unique()}@example.com"
    order = {"email": fresh, "password": "correct horse", "first_name": "A", "last_name": "B",
             "terms": "yes", "billing_cycle": "monthly"}
    for path, fields in (("/sign-in", login), ("/checkout/standard", order)):
        for token in ("", other, "A" * 43):
            answer = visitor.request("POST", path, {**fields, "csrf_token": token})
            assert answer.status == 403 and "Nothing was done; send it again." in answer.words
            assert "session" not in visitor.cookies and "correct horse" not in answer.source
        answer = visitor.request("POST", path, {**fields, "csrf_token": mine},
                                 {"Origin": "https://evil.example"})
        assert answer.status == 403 and not answer.cookie("session")
    assert shop.sql("SELECT count(*) FROM users WHERE email = ?", fresh)[0][0] == 0
    assert visitor.request("POST", "/sign-in", {**login, "csrf_token": mine}).status == 303


def test_hiding_where_a_form_comes_from_helps_nobody(shop, ana, email):
    link = reset_link(shop, email)
    victim = Browser(shop)
    page = victim.get(link)
    fields = {**page.form("Set password")["fields"], "password": "another phrase"}
    for headers in ({"Origin": "https://evil.example"},
                    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
                    {"Origin": "null", "Sec-Fetch-Site": "same-site"}):
        assert victim.request("POST", "/reset-password", fields, headers).status == 403
    forged = {**fields, "csrf_token": "A" * 43}
    assert victim.request("POST", "/reset-password", forged, {"Origin": "null"}).status == 403
    assert victim.request("POST", "/reset-password", fields, {"Origin": "null"}).status == 303


def test_a_form_that_was_recorded_is_worth_nothing_later(shop, ana, email):
    page = ana.get("/account/cancel?when=now")
    recorded = page.form("Cancel subscription")["fields"]
    ana.press(ana.get("/account"), "Sign out")
    thief = Browser(shop)
    answer = thief.request("POST", "/account/cancel", recorded)
    assert answer.location == "/sign-in?next=/account"
    ana.sign_in(email)
    assert ana.request("POST", "/account/cancel", recorded).status == 403, "of an old session"
    assert actions(shop, email) == ["created"]


def test_fields_that_come_twice(shop, ana, email):
    fields = ana.get("/account/cancel").form("Cancel subscription")["fields"]
    for name in fields:
        answer = ana.request("POST", "/account/cancel", [*fields.items(), (name, "now")])
        assert answer.status == 400, (name, answer)
    assert actions(shop, email) == ["created"]
    for path in ("/account/change?package_slug=free&package_slug=premium",
                 "/sign-in?next=/account&next=//evil.example", "/account?before=1&before=2"):
        assert ana.get(path).status == 400
    assert ana.request("POST", "/account/cancel?when=now&csrf_token=" + fields["csrf_token"],
                       {}).status == 403, "a query is no form"


def test_bodies_that_are_no_forms(shop, ana):
    for headers, body, status in (
            ({"Content-Type": "application/json"}, "{}", 415),
            ({"Content-Type": "text/plain"}, "when=now", 415),
            ({"Content-Type": "multipart/form-data; boundary=x"}, "--x--", 415),
            ({}, "when=%zz", 400), ({}, b"when=%ff", 400), ({}, b"when=\xff", 400),
            ({}, "reason=%00", 400),
            ({}, "&".join(f"a{i}=b" for i in range(300)), 400)):
        answer = ana.request("POST", "/account/cancel", headers=headers, body=body)
        assert answer.status == status, (body[:20], answer)
        assert answer.headers["content-type"].startswith("text/html")
    assert ana.request("POST", "/account/cancel", body="x" * 9000).status == 413


def test_looking_never_changes_anything(shop, ana, email):
    for path in ("/account/keep", "/sign-out"):
        assert ana.get(path).location == "/account"
    for path in ("/account/cancel?when=now", "/account/change?package_slug=free&"
                 "billing_cycle=monthly&when=now"):
        assert ana.get(path).status == 200
    assert actions(shop, email) == ["created"] and ana.get("/account").status == 200


SCRIPT = "\"'><script>alert(1)</script>&amp;{{t.skip}}"


def test_script_in_every_field(shop, unique):
    email = f"{unique()}@example.com"
    browser = Browser(shop)
    wrong = browser.check_out("standard", SCRIPT, first_name=SCRIPT, last_name=SCRIPT,
                              company=SCRIPT, terms=SCRIPT, billing_cycle=SCRIPT, seen=SCRIPT,
                              password=SCRIPT)
    assert wrong.status == 422
    assert wrong.form("Subscribe")["fields"]["company"] == SCRIPT, "kept, as text"
    answer = browser.check_out("standard", email, first_name=SCRIPT, last_name=SCRIPT,
                               company=SCRIPT, password=SCRIPT)
    account = browser.follow(answer)
    cancel = browser.press(account, "Cancel subscription")
    again = browser.press(cancel, "Cancel subscription", when=SCRIPT, reason=SCRIPT)
    assert again.status == 422
    ended = browser.follow(browser.press(again, "Cancel subscription", when="now", reason=SCRIPT))
    assert f"Reason: {SCRIPT}" in ended.words and f"{SCRIPT} {SCRIPT}, {email}" in ended.words
    pages = [wrong, account, again, ended]
    for path in ("/sign-in?next=", "/account?notice=", "/account?before=", "/reset-password?token=",
                 "/account/change?package_slug=", "/account/change?when="):
        pages.append(Browser(shop).get(path + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"))
        pages.append(browser.get(path + "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"))
    pages.append(Browser(shop).sign_in(SCRIPT, SCRIPT))
    for page in pages:
        assert "<script" not in page.source
        assert "unsafe" not in page.headers.get("content-security-policy", "")


def test_signing_in_leads_to_no_other_site(shop, ana, email):
    for target in ("//evil.example", "https://evil.example", "/\\evil.example", "/account//x",
                   "/account\r\nX: y", "javascript:alert(1)", "/pricing", "/checkout/../sign-out"):
        visitor = Browser(shop)
        page = visitor.get("/sign-in")
        answer = visitor.press(page, "Sign in", email=email, password="correct horse",
                               next=target)
        assert answer.location == "/account", target


# ---- other people's data

def test_a_form_for_somebody_elses_subscription(shop, ana, email, unique):
    other = f"{unique()}@example.com"
    bob = subscriber(shop, other)
    theirs = bob.get("/account/cancel").form("Cancel subscription")["fields"]
    answer = ana.press(ana.get("/account/cancel"), "Cancel subscription", when="now",
                       subscription_id=theirs["subscription_id"], version=theirs["version"])
    assert answer.location == "/account?notice=stale"
    assert actions(shop, email) == ["created"] and actions(shop, other) == ["created"]
    for path in ("/account", "/account/change", "/account/cancel"):
        assert other not in ana.get(path).source
        assert other not in ana.get(path + "?user_id=" + theirs["subscription_id"]).source


def test_a_session_works_for_its_user_only(shop, ana, email, unique):
    bob = subscriber(shop, f"{unique()}@example.com")
    assert email in ana.get("/account").source and email not in bob.get("/account").source
    swapped = Browser(shop)
    token = ana.cookies["session"]
    swapped.cookies["session"] = ("B" if token[0] == "A" else "A") + token[1:]
    assert swapped.get("/account").status == 303


# ---- the one address that is a secret

SECRET = "/reset-password?token=" + "A" * 43


@pytest.mark.parametrize("method, path, headers, status", [
    ("GET", SECRET, {}, 404),
    ("HEAD", SECRET, {}, 404),
    ("GET", SECRET.replace("?", "/?"), {}, 404),
    ("GET", SECRET.replace("?", "/x?"), {}, 404),
    ("GET", SECRET.replace("?", "/?"), {"Accept": "application/json"}, 404),
    ("PUT", SECRET, {}, 405),
    ("DELETE", SECRET, {"Accept": "application/json"}, 405),
    ("OPTIONS", SECRET, {}, 204),
    ("GET", SECRET + "&token=x", {}, 400),
    ("GET", SECRET + "%ff", {}, 400),
    ("POST", SECRET, {"Content-Length": "0", "Origin": "https://evil.example"}, 403),
    ("POST", SECRET, {"Content-Length": "3"}, 404),
    ("POST", SECRET, {"Content-Length": "3", "Content-Type": "text/plain"}, 415),
    ("POST", SECRET, {"Content-Length": "99999"}, 413),
    ("POST", SECRET, {}, 404),
    ("GET", SECRET, {"Host": "a b"}, 400),
    ("POST", SECRET, {"Transfer-Encoding": "chunked", "Content-Length": "3"}, 400),
    ("POST", SECRET, {"Transfer-Encoding": "gzip"}, 400),
], ids=lambda value: str(value)[:24])
def test_a_secret_address_is_kept_and_passed_on_by_nobody(shop, method, path, headers, status):
    lines = {"Host": f"{shop.host}:{shop.port}", "Accept": "text/html", "Connection": "close",
             "Content-Type": "application/x-www-form-urlencoded", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection((shop.host, shop.port), timeout=30) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + b"a=b")
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode().lower()
    assert answer.startswith(f"http/1.1 {status} "), answer[:200]
    assert "\r\nreferrer-policy: no-referrer\r\n" in answer, answer[:600]
    assert "\r\ncache-control: no-store\r\n" in answer, answer[:600]


def test_nor_where_the_store_is_away(start_server, tmp_path):
    server = start_server(tmp_path, store=None,
                          env={"DATABASE_URL": "postgresql://user:pass@127.0.0.1:1/td"})
    server.wait_listening()
    page = Browser(server).get(SECRET)
    assert page.status == 503 and SECRET in page.source, "the link to try again has the token"
    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"


# ---- guessing

def refusals(shop, emails):
    return [Browser(shop).sign_in(email, "wrong password") for email in emails]


def test_signing_in_tells_not_who_is_known(shop, ana, email, unique):
    nobody = f"{unique()}@example.com"
    shop.sql("UPDATE users SET password_hash = NULL WHERE email = ?", email)
    bob = f"{unique()}@example.com"
    subscriber(shop, bob)
    answers = refusals(shop, [bob, nobody, email])
    assert {(a.status, a.location) for a in answers} == {(422, None)}
    texts = {re.sub(r"[\w.]+@example\.com|[\w-]{43}", "", a.source) for a in answers}
    assert len(texts) == 1
    names = {tuple(sorted(n for n in a.headers if n != "set-cookie")) for a in answers}
    assert len(names) == 1


def times(shop, known, unique):
    """Medians for a wrong password: of a known address, and of unknown ones."""
    took = {"known": [], "unknown": []}
    for _ in range(12):
        for kind, email in (("known", known), ("unknown", f"{unique()}@example.com")):
            browser = Browser(shop)
            page = browser.get("/sign-in")
            shop.sql("DELETE FROM throttles")
            begin = time.monotonic()
            answer = browser.press(page, "Sign in", email=email, password="wrong password")
            took[kind].append(time.monotonic() - begin)
            assert answer.status == 422
    return [statistics.median(took[kind]) for kind in ("known", "unknown")]


def test_nor_by_the_time_it_takes(start, unique):
    shop = start({"PASSWORD_MEMORY": "4MiB"})
    known = f"{unique()}@example.com"
    subscriber(shop, known)
    known_s, unknown_s = times(shop, known, unique)
    assert 0.6 < unknown_s / known_s < 1.6, f"{known_s:.4f} s and {unknown_s:.4f} s"


def test_nor_after_the_memory_for_a_hash_was_raised(start_server, tmp_path, unique):
    shop = start_server.ready(tmp_path, env={**PROXY, "PASSWORD_MEMORY": "1MiB"})
    emails = [f"{unique()}@example.com" for _ in range(2)]
    for email in emails:
        subscriber(shop, email)
    shop.stop()
    shop = start_server.ready(tmp_path, env={**PROXY, "PASSWORD_MEMORY": "8MiB"})

    def parameters():
        rows = shop.sql("SELECT password_hash FROM users WHERE email = ?", emails[0])
        return rows[0][0].split("$")[3]

    assert parameters() == "m=1024,t=2,p=1"
    known_s, unknown_s = times(shop, emails[1], unique)
    assert 0.6 < unknown_s / known_s < 1.6, f"{known_s:.4f} s and {unknown_s:.4f} s"
    assert Browser(shop).sign_in(emails[0], "wrong password").status == 422
    assert parameters() == "m=1024,t=2,p=1"
    for _ in range(2):
        assert Browser(shop).sign_in(emails[0]).status == 303
        assert parameters() == "m=8192,t=2,p=1", "made anew at the first sign-in"


def test_five_wrong_passwords_for_an_account(shop, ana, email, unique):
    for i in range(5):
        assert Browser(shop).sign_in(email, f"wrong {i}").status == 422
    for password in ("wrong", "correct horse"):
        answer = Browser(shop).sign_in(email.upper(), password)
        assert answer.status == 429 and "Too many tries" in answer.words
        assert 0 < int(answer.headers["retry-after"]) <= 900
        assert "Try again in 15 minutes." in answer.words
    checkout = Browser(shop).check_out("standard", email)
    assert checkout.status == 429, "the checkout is no way around"
    assert ana.get("/account").status == 200, "who is signed in is not locked out"
    fresh = f"{unique()}@example.com"
    assert Browser(shop).check_out("standard", fresh).status == 303, "others are not either"
    nobody = f"{unique()}@example.com"
    seen = [Browser(shop).sign_in(nobody, "wrong").status for _ in range(6)]
    assert seen == [422] * 5 + [429], "an unknown address is counted alike"


def test_a_right_password_gives_the_tries_back(shop, ana, email):
    for _ in range(3):
        for _ in range(4):
            assert Browser(shop).sign_in(email, "wrong").status == 422
        assert Browser(shop).sign_in(email).status == 303


def test_fifty_wrong_passwords_from_an_address(shop, unique):
    def tries(address, count):
        return [Browser(shop, address=address).sign_in(f"{unique()}@example.com", "wrong").status
                for _ in range(count)]

    address = "203.0.113.77"
    assert tries(address, 50) == [422] * 50
    assert tries(address, 1) == [429] and tries("203.0.113.78", 1) == [422]
    assert tries("2001:db8:1:2::1", 25) + tries("2001:db8:1:2:ffff::9", 25) == [422] * 50
    assert tries("2001:db8:1:2::77", 1) == [429], "a /64 is one"
    assert tries("2001:db8:1:3::1", 1) == [422]


def test_a_new_password_ends_the_wait(shop, ana, email):
    for i in range(6):
        Browser(shop).sign_in(email, f"wrong {i}")
    link = reset_link(shop, email)
    browser = Browser(shop)
    assert browser.press(browser.get(link), "Set password",
                         password="another phrase").location == "/account?notice=password"
    assert Browser(shop).sign_in(email, "another phrase").status == 303


def test_a_link_is_used_once_even_by_many_at_once(shop, ana, email):
    link = reset_link(shop, email)
    browsers = [Browser(shop) for _ in range(6)]
    pages = [browser.get(link) for browser in browsers]
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(
            lambda i: browsers[i].press(pages[i], "Set password", password=f"another phrase {i}"),
            range(6)))
    assert sorted(answer.status for answer in answers) == [303] + [404] * 5
    winner = [answer.status for answer in answers].index(303)
    assert Browser(shop).sign_in(email, f"another phrase {winner}").status == 303
