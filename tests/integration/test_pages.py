"""The pages from outside, without a browser: what is replaced from folders, what the database
changes, what a browser is told when something is wrong."""

import os
import sqlite3

import pytest

from conftest import wait_for

HTML = {"Accept": "text/html"}


def page(client, path="/pricing?lang=en", **headers):
    return client.get(path, headers={**HTML, **headers})


def write(folder, name, text):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def test_a_change_in_the_database_shows_on_the_page(start_server, tmp_path):
    """Renamed and repriced with another program: name, saving and ETag follow, script stays text."""
    server = start_server.ready(tmp_path, env={"CATALOGUE_REFRESH": "1"})
    client = server.client()
    before = page(client)
    assert "Saves $60.88 a year (17%)" in before.text
    with sqlite3.connect(server.database) as db:
        db.execute("UPDATE subscription_packages SET name = ?, price_yearly = 30000 "
                   "WHERE slug = 'standard'", ("<script>x</script>",))
    db.close()
    after = wait_for(lambda: (found := page(client)).text != before.text and found, 10, "the change")
    assert "Continue with &lt;script&gt;x&lt;/script&gt;" in after.text
    assert "<script" not in after.text
    assert "Saves $59.88 a year (17%)" in after.text
    assert after.headers["etag"] != before.headers["etag"]
    assert page(client, **{"If-None-Match": after.headers["etag"]}).status == 304
    client.close()


def test_templates_texts_and_files_are_read_again(start_server, tmp_path):
    """Each of the three folders: a change shows without a restart; a broken file is said once, by
    name and line, and changes nothing."""
    folders = {name: str(tmp_path / name) for name in ("templates", "locales", "static")}
    write(folders["templates"], "partials/foot.html", "<p>foot one</p></body></html>\n")
    write(folders["locales"], "fr.json", '{"language.name": "Français"}')
    write(folders["static"], "style.css", "body { color: #111 }")
    server = start_server.ready(tmp_path, env={
        "TEMPLATES_DIR": folders["templates"], "LOCALES_DIR": folders["locales"],
        "STATIC_DIR": folders["static"]})
    client = server.client()
    assert "foot one" in page(client).text
    assert "Français" in page(client, "/pricing?lang=fr").text
    assert client.get("/static/style.css").text == "body { color: #111 }"

    write(folders["templates"], "partials/foot.html", "<p>foot two, longer</p>\n")
    wait_for(lambda: "foot two" in page(client).text, 10, "the new template")
    write(folders["static"], "style.css", "body { color: #222222 }")
    wait_for(lambda: client.get("/static/style.css").text == "body { color: #222222 }", 10,
             "the new style")

    write(folders["templates"], "partials/foot.html", "<p>\n{{#open}}</p>")
    wait_for(lambda: "partials/foot:2:1" in server.log, 10, "the warning")
    assert "foot two" in page(client).text
    write(folders["locales"], "fr.json", '{"language.name": "Français", "card.continue": "Suite"}')
    wait_for(lambda: server.log.count("partials/foot:2:1") == 2, 10, "said again after a change")
    write(folders["templates"], "partials/foot.html", "<p>foot three</p>")
    wait_for(lambda: "foot three" in page(client).text, 10, "the repaired template")
    assert ">Suite<" in page(client, "/pricing?lang=fr").text
    client.close()


def test_a_broken_template_at_the_start_is_a_wrong_setting(start_server, tmp_path):
    write(str(tmp_path / "t"), "pricing.html", "{{#a}}")
    server = start_server(tmp_path, env={"TEMPLATES_DIR": str(tmp_path / "t")})
    assert server.process.wait(timeout=30) == 3
    server.reader.join(timeout=10)
    assert "pricing:1:1: this section is never closed" in server.log


def test_site_name_and_public_url_show(start_server, tmp_path):
    server = start_server.ready(tmp_path, env={"SITE_NAME": "Ana & Co <x>",
                                               "PUBLIC_URL": "https://shop.example"})
    client = server.client()
    reply = page(client)
    assert "Pricing · Ana &amp; Co &lt;x&gt;" in reply.text
    assert 'hreflang="es" href="https://shop.example/pricing?lang=es"' in reply.text
    cookie = page(client, "/pricing?lang=es").headers["set-cookie"]
    assert cookie.startswith("__Host-lang=es; ") and "; Secure" in cookie
    client.close()


@pytest.mark.parametrize("path, status", [
    ("/pricing/", 404), ("/checkout/", 404), ("/checkout/free/more", 404), ("/checkout/none", 404),
    ("/static/", 404), ("/static/none.css", 404), ("/problems/none", 404), ("/PRICING", 404),
])
def test_what_is_not_there_is_not_there(anonymous, path, status):
    assert page(anonymous, path).status == status


def test_languages_of_a_request(anonymous):
    """Query before cookie before header; the answer says which, and what it depended on."""
    rows = [
        ("/pricing", {}, "en"),
        ("/pricing", {"Accept-Language": "es-MX,en;q=0.5"}, "es"),
        ("/pricing", {"Accept-Language": "es;q=0"}, "en"),
        ("/pricing", {"Accept-Language": "en", "Cookie": "a=b; lang=es"}, "es"),
        ("/pricing?lang=en", {"Cookie": "lang=es", "Accept-Language": "es"}, "en"),
        ("/pricing?lang=xx", {"Cookie": "lang=yy", "Accept-Language": "es"}, "es"),
        ("/checkout/free", {"Accept-Language": "es"}, "es"),
        ("/nothing", {"Accept-Language": "es"}, "es"),
    ]
    for path, headers, lang in rows:
        reply = page(anonymous, path, **headers)
        assert reply.headers["content-language"] == lang, (path, headers)
        assert f'<html lang="{lang}">' in reply.text
        assert "accept-language" in reply.headers["vary"].lower()


def test_only_a_choice_sets_a_cookie(anonymous):
    assert "set-cookie" not in page(anonymous, "/pricing").headers
    assert "set-cookie" not in page(anonymous, "/pricing?lang=xx").headers
    assert "set-cookie" not in page(anonymous, "/pricing?lang=es", Cookie="lang=es").headers
    assert page(anonymous, "/pricing?lang=es").headers["set-cookie"].startswith("lang=es; ")


def test_pages_answer_head_like_get(anonymous):
    for path in ("/pricing?lang=en", "/checkout/free?lang=en", "/problems", "/static/style.css"):
        get, head = page(anonymous, path), anonymous.request("HEAD", path, headers=HTML)
        assert head.status == get.status == 200
        assert head.body == b""
        assert head.headers["content-type"] == get.headers["content-type"]
        assert head.headers["content-length"] == get.headers["content-length"]


def test_a_browser_that_comes_too_early_is_told_so(start_server, tmp_path):
    """While the database is held by another program: 503 with Retry-After as a page, the pages that
    need no data as ever; afterwards pricing, without a restart."""
    holder = sqlite3.connect(tmp_path / "tools-dashboard.db", isolation_level=None)
    holder.execute("PRAGMA journal_mode = WAL")
    holder.execute("BEGIN EXCLUSIVE")
    server = start_server(tmp_path).wait_listening()
    client = server.client()
    reply = page(client)
    assert reply.status == 503
    assert int(reply.headers["retry-after"]) >= 1
    assert reply.headers["content-type"].startswith("text/html")
    assert "We are starting" in reply.text
    assert "Estamos arrancando" in page(client, "/checkout/free?lang=es").text
    assert 'href="/pricing?lang=en"' in reply.text  # try again
    assert 'href="//' not in page(client, "//example.org/checkout").text
    assert page(client, "/problems").status == 200
    assert client.get("/static/style.css").status == 200
    holder.execute("ROLLBACK")
    holder.close()
    wait_for(lambda: page(client).status == 200, 10, "the pricing page")
    client.close()
