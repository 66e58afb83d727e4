"""Idempotency-Key: one key, one user, the same answer; over restarts, crashes and processes."""

import threading

import pytest

BOTH_STORES = True

USERS = "/user-subscription/users"


def form(word, **more):
    return {"email": f"{word}@example.com", "first_name": "Ana", "last_name": "Gil", **more}


def key(value):
    return {"Idempotency-Key": value}


def users_with(server, word):
    return server.sql("SELECT count(*) FROM users WHERE email LIKE ?", f"{word}@%")[0][0]


def change(server, statement, *values):
    server.sql(statement, *values)


def test_the_first_answer_comes_again(client, server, unique):
    word = unique()
    first = client.post(USERS, form(word), headers=key(word))
    assert first.status == 201 and "idempotency-replayed" not in first.headers
    for value in (word, f'"{word}"'):
        again = client.post(USERS, form(word), headers=key(value))
        assert (again.status, again.body) == (201, first.body)
        assert again.headers["idempotency-replayed"] == "true"
        for name in ("location", "content-type", "cache-control"):
            assert again.headers[name] == first.headers[name]
    assert users_with(server, word) == 1


def test_the_first_answer_stays_when_the_user_has_changed(client, unique):
    word = unique()
    first = client.post(USERS, form(word), headers=key(word))
    client.put(first.headers["location"], form(word, first_name="Eva"))
    assert client.post(USERS, form(word), headers=key(word)).body == first.body


def test_another_body_is_422(client, server, unique):
    word = unique()
    client.post(USERS, form(word), headers=key(word))
    other = client.post(USERS, form("other-" + word), headers=key(word))
    assert other.status == 422
    problem = other.problem()
    assert problem["code"] == "idempotency-mismatch" and "new key" in problem["detail"]
    assert users_with(server, "other-" + word) == 0
    assert client.post(USERS, form(word), headers=key(word)).status == 201


def test_another_key_is_another_request(client, unique):
    word = unique()
    assert client.post(USERS, form(word), headers=key(word)).status == 201
    assert client.post(USERS, form(word), headers=key(word + "-2")).status == 409


def test_keys_of_two_callers_do_not_meet(client, server, unique):
    word = unique()
    other = server.client(server.make_key("other"))
    first = client.post(USERS, form(word), headers=key(word))
    second = other.post(USERS, form("b" + word), headers=key(word))
    assert (first.status, second.status) == (201, 201)
    assert first.json()["id"] != second.json()["id"]
    other.close()


def test_a_conflict_is_kept_too(client, server, unique):
    word = unique()
    owner = client.post(USERS, form(word)).json()
    taken = client.post(USERS, form(word), headers=key(word))
    assert taken.status == 409
    change(server, "DELETE FROM users WHERE id = ?", owner["id"])
    again = client.post(USERS, form(word), headers=key(word))
    assert (again.status, again.body) == (409, taken.body)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.problem()["code"] == "email-taken"


def test_a_kept_conflict_reads_like_any_other(client, unique):
    word = unique()
    client.post(USERS, form(word))
    plain = client.post(USERS, form(word))
    kept = client.post(USERS, form(word), headers=key(word))
    assert plain.json() == kept.json()
    assert plain.headers["content-type"] == kept.headers["content-type"]


def test_refusals_are_not_kept(client, server, unique):
    word = unique()
    head = key(word)
    assert client.post(USERS, {}, headers=head).status == 422
    assert client.request("POST", USERS, b"{", raw=True, headers=head).status == 400
    assert client.request("POST", USERS, b"{}", raw=True,
                          headers={**head, "Content-Type": "text/plain"}).status == 415
    assert client.request("POST", USERS, b"x" * 70000, raw=True, headers=head).status == 413
    stranger = server.client()
    assert stranger.post(USERS, form(word), headers=head).status == 401
    stranger.close()
    client.close()  # after a 413 the connection may be gone
    made = client.post(USERS, form(word), headers=head)
    assert made.status == 201 and "idempotency-replayed" not in made.headers


@pytest.mark.parametrize("value", [
    "", '""', '"', '"abc', 'a b', '"a b"', "a\tb", "x" * 256, '"' + "x" * 256 + '"',
    "é".encode().decode("latin-1")])
def test_a_malformed_key_is_400_and_nothing_is_stored(client, server, unique, value):
    word = unique()
    reply = client.post(USERS, form(word), headers=key(value))
    assert reply.status == 400, reply
    assert "Idempotency-Key" in reply.problem()["detail"]
    assert users_with(server, word) == 0


@pytest.mark.parametrize("length", [1, 255])
def test_keys_of_every_length(client, unique, length):
    value = (unique() * 22)[:length] if length > 1 else "~"
    word = unique()
    assert client.post(USERS, form(word), headers=key(value)).status == 201
    assert client.post(USERS, form(word), headers=key(f'"{value}"')).headers[
        "idempotency-replayed"] == "true"


def test_two_keys_in_one_request_are_400(server, api_key, unique):
    client = server.client(api_key)
    body = b'{"email": "%s@example.com", "first_name": "a", "last_name": "b"}' % unique().encode()
    connection = client.connection
    connection.putrequest("POST", USERS)
    for name, value in (("Authorization", "Bearer " + api_key),
                        ("Content-Type", "application/json"), ("Content-Length", str(len(body))),
                        ("Idempotency-Key", "a"), ("Idempotency-Key", "b")):
        connection.putheader(name, value)
    connection.endheaders(body)
    assert connection.getresponse().status == 400
    client.close()


def test_put_and_get_ignore_it(client, unique):
    word = unique()
    assert client.put(f"{USERS}/{word}", form(word), headers=key(word)).status == 201
    changed = client.put(f"{USERS}/{word}", form(word, first_name="Eva"), headers=key(word))
    assert (changed.status, changed.json()["first_name"]) == (200, "Eva")


def test_an_entry_that_has_expired_is_gone(client, server, unique):
    word = unique()
    first = client.post(USERS, form(word), headers=key(word)).json()
    change(server, "DELETE FROM users WHERE id = ?", first["id"])
    assert client.post(USERS, form(word), headers=key(word)).json() == first
    change(server, "UPDATE idempotency SET expires_at = "
           + ("1" if server.store is None else "'1970-01-01'"))
    second = client.post(USERS, form(word), headers=key(word))
    assert second.status == 201 and "idempotency-replayed" not in second.headers
    assert second.json()["id"] != first["id"]


def test_fifty_at_once_make_one_user(server, api_key, unique):
    word = unique()
    replies = []
    start = threading.Barrier(50)

    def post():
        client = server.client(api_key)
        start.wait()
        replies.append(client.post(USERS, form(word), headers=key(word)))
        client.close()

    threads = [threading.Thread(target=post) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(replies) == 50
    made = [reply for reply in replies if reply.status == 201]
    busy = [reply for reply in replies if reply.status == 409]
    assert len(made) + len(busy) == 50
    assert len({reply.body for reply in made}) == 1
    assert sum("idempotency-replayed" not in reply.headers for reply in made) == 1
    for reply in busy:
        assert reply.problem()["code"] == "idempotency-busy"
        assert int(reply.headers["retry-after"]) >= 1
    assert users_with(server, word) == 1
    client = server.client(api_key)
    assert client.post(USERS, form(word), headers=key(word)).body == made[0].body
    client.close()


def test_replayed_after_a_restart(start_server, tmp_path, unique):
    word = unique()
    server = start_server.ready(tmp_path)
    api_key = server.make_key()
    first = server.client(api_key).post(USERS, form(word), headers=key(word))
    server.stop()
    again = start_server.ready(tmp_path).client(api_key).post(USERS, form(word), headers=key(word))
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    assert users_with(server, word) == 1


def test_replayed_by_a_second_process_on_the_same_database(start_server, tmp_path, unique):
    word = unique()
    one, two = start_server.ready(tmp_path), start_server.ready(tmp_path)
    api_key = one.make_key()
    first = one.client(api_key).post(USERS, form(word), headers=key(word))
    again = two.client(api_key).post(USERS, form(word), headers=key(word))
    assert first.status == 201 and (again.status, again.body) == (201, first.body)
    assert again.headers["idempotency-replayed"] == "true"
    other = two.client(api_key).post(USERS, form("b" + word), headers=key(word))
    assert other.status == 422


def test_two_processes_at_once_make_one_user(start_server, tmp_path, unique):
    servers = [start_server.ready(tmp_path), start_server.ready(tmp_path)]
    api_key = servers[0].make_key()
    for _ in range(10):
        word = unique()
        replies = []
        start = threading.Barrier(8)

        def post(server, word=word, replies=replies, start=start):
            client = server.client(api_key)
            start.wait()
            replies.append(client.post(USERS, form(word), headers=key(word)))
            client.close()

        threads = [threading.Thread(target=post, args=(servers[i % 2],)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        made = [reply for reply in replies if reply.status == 201]
        assert len({reply.body for reply in made}) == 1, replies
        assert all(reply.status in (201, 409) for reply in replies)
        assert users_with(servers[0], word) == 1


def test_kill_in_mid_request_then_the_same_key_again(start_server, tmp_path, unique):
    server = start_server.ready(tmp_path)
    api_key = server.make_key()
    for turn in range(5):
        words = [unique() for _ in range(20)]
        answers = {}

        def post(word, server=server, answers=answers):
            client = server.client(api_key)
            try:
                answers[word] = client.post(USERS, form(word), headers=key(word))
            except OSError:
                pass  # the process is gone: nobody knows whether it was done
            except Exception as error:  # a half answer
                assert "http.client" in type(error).__module__, error
            client.close()

        threads = [threading.Thread(target=post, args=(word,)) for word in words]
        for number, thread in enumerate(threads):
            thread.start()
            if number == 3 * turn:
                server.kill()
        for thread in threads:
            thread.join()
        server = start_server.ready(tmp_path)
        client = server.client(api_key)
        for word in words:
            again = client.post(USERS, form(word), headers=key(word))
            assert again.status == 201
            if word in answers:
                assert again.body == answers[word].body
                assert again.headers["idempotency-replayed"] == "true"
            assert users_with(server, word) == 1
        client.close()
