"""Reads every subscription and its history by somebody else's client, and replays it: each step must
fit the one before, and the last must leave the row that is there.

A checker of its own: it shares nothing with the service but the names in the database.
"""

from collections import defaultdict
from typing import NamedTuple

LIVE = ("trialing", "active", "past_due")


class Row(NamedTuple):
    id: str
    user: str
    package: str
    status: str
    cycle: str
    price: object  # minor units or a decimal number, as the store has it; likewise times
    currency: str
    started_at: object
    period_start: object
    period_end: object
    pending_action: str
    pending_package: str
    pending_cycle: str
    pending_price: object
    pending_currency: str
    pending_at: object
    cancel_at_period_end: object
    ended_at: object
    updated_at: object
    version: int


class Step(NamedTuple):
    subscription: str
    user: str
    action: str
    from_package: str
    to_package: str
    from_cycle: str
    to_cycle: str
    price: object
    currency: str
    actor: str
    at: object


ROWS = """SELECT s.id, s.user_id, p.slug, s.status, s.billing_cycle, s.price, s.currency, s.started_at,
    s.current_period_start, s.current_period_end, s.pending_action, q.slug, s.pending_billing_cycle,
    s.pending_price, s.pending_currency, s.pending_at, s.cancel_at_period_end, s.ended_at,
    s.updated_at, s.version
    FROM user_subscriptions s JOIN subscription_packages p ON p.id = s.package_id
    LEFT JOIN subscription_packages q ON q.id = s.pending_package_id"""
STEPS = """SELECT subscription_id, user_id, action, from_package, to_package, from_cycle, to_cycle,
    price, currency, actor, created_at FROM subscription_history ORDER BY seq"""


class _Replay:
    """What one subscription's history says so far."""

    def __init__(self, step):
        _expect(step.action == "created", step, "history does not begin with created")
        _expect(step.from_package is None and step.from_cycle is None, step, "comes from something")
        self.first = self.last = step
        self.live = True
        self.plan = None  # or the step that planned
        self._take_over(step)
        self.period_start = step.at

    def _take_over(self, step):
        _expect(None not in (step.to_package, step.to_cycle, step.price, step.currency), step,
                "leads nowhere")
        self.package, self.cycle = step.to_package, step.to_cycle
        self.price, self.currency = step.price, step.currency

    def add(self, step):
        _expect(self.live, step, "comes after the end")
        _expect(step.user == self.first.user, step, "is another user's")
        _expect((step.from_package, step.from_cycle) == (self.package, self.cycle), step,
                f"does not come from {self.package} {self.cycle}")
        _expect(step.at >= self.last.at, step, "is earlier than the step before")
        apply = getattr(self, "_" + step.action, None)
        _expect(apply is not None, step, "cannot come after created")
        apply(step)
        self.last = step

    def _change(self, step):
        """What the step is called fits what it does; the system only carries out plans."""
        same = step.to_package == self.package
        _expect(same == (step.action == "cycle_changed"), step, "has another's name")
        _expect(not same or step.to_cycle != self.cycle, step, "changes nothing")
        before = self.price * (12 if self.cycle == "monthly" else 1)
        if step.actor == "system":
            _expect(self.plan is not None and self.plan[2:] == (
                step.to_package, step.to_cycle, step.price, step.currency), step, "was not planned")
        if step.actor == "system" or step.to_cycle != self.cycle:
            self.period_start = step.at
        self._take_over(step)
        after = self.price * (12 if self.cycle == "monthly" else 1)
        _expect(same or (after < before) == (step.action == "downgraded"), step, "has another's name")
        self.plan = None

    _upgraded = _downgraded = _cycle_changed = _change

    def _renewed(self, step):
        _expect(step.actor == "system" and self.plan is None, step, "renews what is planned to change")
        self._stay(step)
        _expect(step.at > self.period_start, step, "renews a period that has not begun")
        self.period_start = step.at

    def _stay(self, step):
        _expect((step.to_package, step.to_cycle, step.price, step.currency) ==
                (self.package, self.cycle, self.price, self.currency), step, "changes something")

    def _change_scheduled(self, step):
        _expect((step.to_package, step.to_cycle) != (self.package, self.cycle), step, "plans nothing")
        plan = ("change", None, step.to_package, step.to_cycle, step.price, step.currency)
        _expect(plan != self.plan, step, "plans what was planned")
        self.plan = plan

    def _cancel_scheduled(self, step):
        self._lead_nowhere(step)
        _expect(self.plan is None or self.plan[0] != "cancel", step, "plans what was planned")
        self.plan = ("cancel", None, None, None, None, None)

    def _resumed(self, step):
        _expect(self.plan is not None, step, "takes back what was not planned")
        self._stay(step)
        self.plan = None

    def _canceled(self, step):
        self._lead_nowhere(step)
        _expect(step.actor != "system" or (self.plan or "?")[0] == "cancel", step, "was not planned")
        self.plan, self.live = None, False

    @staticmethod
    def _lead_nowhere(step):
        _expect((step.to_package, step.to_cycle, step.price, step.currency) == (None,) * 4, step,
                "leads somewhere")

    def leaves(self, row):
        """None, or what of the row the history does not explain."""
        plan = self.plan or (None,) * 6
        wanted = {
            "user": self.first.user, "package": self.package, "cycle": self.cycle,
            "price": self.price, "currency": self.currency, "started_at": self.first.at,
            "period_start": self.period_start, "updated_at": self.last.at,
            "ended_at": None if self.live else self.last.at,
            "pending_action": plan[0], "pending_package": plan[2], "pending_cycle": plan[3],
            "pending_price": plan[4], "pending_currency": plan[5],
            "pending_at": row.period_end if self.plan else None,
            "cancel_at_period_end": plan[0] == "cancel",
        }
        wrong = {name: (getattr(row, name), value) for name, value in wanted.items()
                 if getattr(row, name) != value}
        if (row.status in LIVE) != self.live:
            wrong["status"] = row.status
        return wrong or None


def _expect(so, step, words):
    assert so, f"{words}: {step}"


def _replay(steps):
    """The replays by subscription. A user's next subscription begins after the end of the last."""
    replays, latest = {}, {}
    for step in steps:
        if step.subscription in replays:
            _expect(latest[step.user] is replays[step.subscription], step, "comes after a later one's")
            replays[step.subscription].add(step)
            continue
        before = latest.get(step.user)
        _expect(before is None or not before.live, step, "is a second live one")
        latest[step.user] = replays[step.subscription] = _Replay(step)
    return replays


def explain(sql):
    """`sql(text)` gives the rows of a query. Gives the steps of each subscription, in order; fails
    where a row or a step cannot be explained."""
    rows = [Row(*row) for row in sql(ROWS)]
    steps = [Step(*row) for row in sql(STEPS)]
    replays, histories = _replay(steps), defaultdict(list)
    for step in steps:
        histories[step.subscription].append(step)
    live = [row.user for row in rows if row.status in LIVE]
    assert len(live) == len(set(live)), "a user has two live subscriptions"
    assert {row.id for row in rows} == set(replays), "subscriptions and history do not belong together"
    for row in rows:
        assert row.version == len(histories[row.id]), f"{row}: {len(histories[row.id])} steps"
        wrong = replays[row.id].leaves(row)
        assert wrong is None, f"{row.id} (there, told): {wrong}; {histories[row.id][-4:]}"
    return histories
