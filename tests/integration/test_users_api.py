"""Users by the API: what is written is read, by us and by others, and only with a key."""

import re
import threading

import pytest

BOTH_STORES = True

USERS = "/user-subscription/users"
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def form(word, **more):
    return {"email": f"{word}@example.com", "first_name": "Ana", "last_name": "Gil", **more}


def rows(server, statement, *values):
    return server.sql(statement, *values)


def test_put_makes_then_replaces(client, server, unique):
    word = unique()
    made = client.put(f"{USERS}/{word}", form(word, company="Gil y Gil"))
    assert made.status == 201
    assert made.headers["location"] == f"{USERS}/{word}"
    assert made.headers["content-type"] == "application/json"
    assert made.headers["cache-control"] == "no-store"
    user = made.json()
    assert list(user) == ["id", "email", "first_name", "last_name", "company", "created_at",
                          "updated_at"]
    assert user["id"] == word and user["company"] == "Gil y Gil"
    assert TIME.fullmatch(user["created_at"]) and user["created_at"] == user["updated_at"]

    same = client.put(f"{USERS}/{word}", form(word, company="Gil y Gil"))
    assert (same.status, same.json()) == (200, user)
    assert "location" not in same.headers

    changed = client.put(f"{USERS}/{word}", form(word, first_name="Eva"))
    assert changed.status == 200
    assert changed.json()["first_name"] == "Eva" and changed.json()["company"] is None
    assert changed.json()["created_at"] == user["created_at"]
    assert rows(server, "SELECT first_name, company FROM users WHERE id = ?", word) == \
        [("Eva", None)]


def test_post_makes_an_id(client, server, unique):
    word = unique()
    made = client.post(USERS, form(word))
    assert made.status == 201
    user = made.json()
    assert UUID7.fullmatch(user["id"])
    assert made.headers["location"] == f"{USERS}/{user['id']}"
    assert client.get(made.headers["location"]).json() == user
    assert rows(server, "SELECT email FROM users WHERE id = ?", user["id"]) == \
        [(f"{word}@example.com",)]


def test_get_by_id_and_by_email(client, unique):
    word = unique()
    user = client.put(f"{USERS}/{word}", form(word)).json()
    assert client.get(f"{USERS}/{word}").json() == user
    assert client.get(f"{USERS}?email={word}@example.com").json() == user
    assert client.get(f"{USERS}?email={word.upper()}@EXAMPLE.com").json() == user
    head = client.request("HEAD", f"{USERS}/{word}")
    assert (head.status, head.body) == (200, b"")


def test_unknown_users_are_404(client, unique):
    for path in (f"{USERS}/{unique()}", f"{USERS}?email={unique()}@example.com",
                 f"{USERS}?email=not-an-address"):
        reply = client.get(path)
        assert reply.status == 404
        assert reply.problem()["code"] == "user-not-found"
        assert reply.headers["cache-control"] == "no-store"


def test_an_address_belongs_to_one_user(client, server, unique):
    word = unique()
    client.put(f"{USERS}/{word}", form(word))
    other = unique()
    for reply in (client.put(f"{USERS}/{other}", form(word)),
                  client.put(f"{USERS}/{other}", form(word.upper())),
                  client.post(USERS, form(word))):
        assert reply.status == 409
        problem = reply.problem()
        assert problem["code"] == "email-taken" and "e-mail address" in problem["detail"]
    assert rows(server, "SELECT count(*) FROM users WHERE email LIKE ?",
                f"{word}@example.com") == [(1,)]
    # Its own user may keep it, and give it up for another.
    assert client.put(f"{USERS}/{word}", form(word.upper())).status == 200
    assert client.put(f"{USERS}/{word}", form(other)).status == 200
    assert client.post(USERS, form(word)).status == 201


@pytest.mark.parametrize("user_id", [
    "a.b_c:d@e-9", "...", "-", "x" * 64, "0", "auth0%7C1".replace("%7C", ":"), "A%2DB"])
def test_ids_of_every_allowed_form(client, unique, user_id):
    reply = client.put(f"{USERS}/{user_id}", form(unique()))
    assert reply.status in (200, 201), reply
    assert client.get(f"{USERS}/{user_id}").json()["id"] == user_id.replace("%2D", "-")


@pytest.mark.parametrize("text", [
    "José Ñandú", "李小龍", "Ὀδυσσεύς", "אֱלִיעֶזֶר", "محمّد", "👩‍💻", "ﷺ", "i̇", "\u0130", "Zoë",
    "Robert'); DROP TABLE users;--", "' OR '1'='1", '"; --', "\\", '\\"', "%s%n%x", "{{name}}",
    "<script>alert(1)</script>", "${jndi:ldap://x}", '{"$ne": null}', "NULL", "null", "a\\u0000b",
    "../../etc/passwd", "x" * 100, "é" * 100, "𝒳" * 100])
def test_text_of_every_kind_is_kept_as_it_is(client, server, unique, text):
    word = unique()
    body = form(word, first_name=text, last_name=text, company=text)
    made = client.put(f"{USERS}/{word}", body)
    assert made.status == 201, made
    read = client.get(f"{USERS}/{word}").json()
    assert (read["first_name"], read["last_name"], read["company"]) == (text, text, text)
    assert rows(server, "SELECT first_name, last_name, company FROM users WHERE id = ?", word) == \
        [(text, text, text)]


def test_addresses_of_other_scripts(client, unique):
    word = unique()
    email = f"{word}.用户@例子.测试"
    assert client.put(f"{USERS}/{word}", form(word, email=email)).json()["email"] == email
    query = "".join(f"%{byte:02X}" for byte in email.encode())
    assert client.get(f"{USERS}?email={query}").json()["id"] == word


def test_spaces_at_the_ends_are_not_kept(client, unique):
    word = unique()
    body = form(word, email=f"  {word}@example.com ", first_name="\u3000Ana\u00a0", company=" x ")
    user = client.put(f"{USERS}/{word}", body).json()
    assert user["email"] == f"{word}@example.com"
    assert (user["first_name"], user["company"]) == ("Ana", "x")
    assert client.get(f"{USERS}?email=%20{word}@example.com+").json() == user


# ---- keys --------------------------------------------------------------------------------------

def test_without_a_key_is_401(anonymous, server, unique):
    word = unique()
    for method, path, body in (("GET", f"{USERS}/x", None), ("GET", USERS, None),
                               ("PUT", f"{USERS}/{word}", form(word)),
                               ("POST", USERS, form(word)), ("PUT", f"{USERS}/{word}", {})):
        reply = anonymous.request(method, path, body)
        assert reply.status == 401
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert "apikey create" in reply.problem()["detail"]
    assert rows(server, "SELECT count(*) FROM users WHERE id = ?", word) == [(0,)]


@pytest.mark.parametrize("value", [
    "Bearer", "Bearer ", "Bearer td_", "Basic dXNlcjpwYXNz", "td_x", "Bearer td_" + "A" * 32,
    "Bearer " + "x" * 4000])
def test_a_malformed_key_is_401_at_once(anonymous, value):
    reply = anonymous.get(f"{USERS}/x", headers={"Authorization": value})
    assert reply.status == 401
    assert "www-authenticate" in reply.headers
    assert "x" * 100 not in reply.text


def test_a_well_formed_key_of_another_database_is_401(start_server, tmp_path, anonymous):
    other = start_server.ready(tmp_path)
    reply = anonymous.get(f"{USERS}/x", headers={"Authorization": "Bearer " + other.make_key()})
    assert reply.status == 401
    assert "unknown or was revoked" in reply.problem()["detail"]


def test_401_comes_before_what_else_is_wrong(start_server, tmp_path, server, unique):
    other = start_server.ready(tmp_path)
    stranger = server.client(other.make_key())
    for method, path, body in (("PUT", f"{USERS}/x", {}), ("PUT", f"{USERS}/a%20b", form("a")),
                               ("POST", USERS, [1]), ("GET", f"{USERS}/{unique()}", None),
                               ("GET", USERS, None)):
        assert stranger.request(method, path, body).status == 401, (method, path)
    assert stranger.request("PUT", f"{USERS}/x", b"{", raw=True).status == 401
    stranger.close()


def test_a_new_key_works_at_once_and_a_revoked_one_never_more(server, unique):
    key = server.make_key("short-lived")
    client = server.client(key)
    assert client.put(f"{USERS}/{unique()}", form(unique())).status == 201
    listed = server.run("apikey", "list").stdout
    key_id = next(line for line in listed.splitlines() if "short-lived" in line).split()[0]
    done = server.run("apikey", "revoke", key_id)
    assert done.returncode == 0, done.stderr
    word = unique()
    assert client.put(f"{USERS}/{word}", form(word)).status == 401
    assert client.get(f"{USERS}/{word}").status == 401
    assert rows(server, "SELECT count(*) FROM users WHERE id = ?", word) == [(0,)]
    client.close()


def test_keys_are_nowhere_in_the_log_nor_in_the_database(server, api_key, client, unique):
    client.put(f"{USERS}/{unique()}", form(unique()))
    assert api_key not in server.log
    assert api_key not in server.dump()


# ---- many at once ------------------------------------------------------------------------------

def test_many_clients_write_and_read_their_own(server, api_key, unique):
    failures = []

    def work(number):
        client = server.client(api_key)
        for turn in range(20):
            word = f"{prefix}-{number}-{turn}"
            if client.put(f"{USERS}/{word}", form(word)).status != 201 or \
                    client.get(f"{USERS}/{word}").json()["email"] != f"{word}@example.com":
                failures.append(word)
        client.close()

    prefix = unique()
    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert rows(server, "SELECT count(*) FROM users WHERE id LIKE ?", prefix + "-%") == [(320,)]
