"""Framing attacks over raw sockets: whatever a request says about its own end, what follows it is
never taken for a request that the sender's other side did not mean."""

import pytest

from framing import wire
from framing.cases import HIDDEN, NONE, cases

ROWS = cases()


@pytest.fixture(scope="module")
def probe():
    with wire.Probe(HEADER_MS=500, REQUEST_MS=500, IDLE_MS=500, SEND_MS=2000) as p:
        yield p
        assert wire.get(p, "/count").body == b"0\n", "a hidden request has run"


def hidden_runs(probe):
    return int(wire.get(probe, "/count").body)


def test_there_are_enough_cases():
    """At least 60 attacks, each with a hidden request."""
    assert len(ROWS) >= 60
    assert all(HIDDEN[:11] in payload for _, payload, _ in ROWS)


def test_pipelined_requests_are_answered_in_order():
    """The control: a second request that is really there is answered, and counted, so the tests below
    would see one."""
    with wire.Probe(IDLE_MS=500) as p:
        first = b"GET /hello HTTP/1.1\r\nHost: h\r\n\r\n"
        answers = wire.ask(p, first + HIDDEN)
        assert [a.status for a in answers] == [200, 200]
        assert answers[1].body == b"HIDDEN\n"
        assert hidden_runs(p) == 1


@pytest.mark.parametrize("name,payload,statuses", ROWS, ids=[row[0] for row in ROWS])
def test_hidden_request_never_runs(probe, name, payload, statuses):
    data, closed = wire.exchange(probe, payload, seconds=8)
    assert closed, "%s: the connection stays open: %r" % (name, data[:300])
    assert b"HIDDEN\n" not in data, "%s: the hidden request was answered" % name
    answers = wire.parse(data, heads=payload.startswith(b"HEAD"))
    assert len(answers) <= 1, "%s: %d answers" % (name, len(answers))
    status = answers[0].status if answers else NONE
    assert status in statuses, "%s: %d" % (name, status)
