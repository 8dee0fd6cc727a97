"""Random histories of one account, held against the reference after every step.

    python -m tests.faults.machine --steps 20000 --seed 1 [--database sqlite|postgresql]

Hypothesis draws the steps and shrinks what fails. After each step: the same verdict (and the limit
at fault), the same balance, credits and limit states, and a doctor without complaints. The books
are looked at inside a transaction that is rolled back, so that looking tidies nothing away.
Prints one line of JSON, and what differs with the history that shows it (`--no-shrink`: at once).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from billing_plugin import Billing, Money, errors, operations
from billing_plugin.context import is_sqlite
from billing_plugin.operations import Submission, Usage
from tests.factories import SECRET_KEY
from tests.faults import places
from tests.faults.reference import Account, Entry, Raise, Refused, Wish
from tests.faults.reference_limits import Dims, Limit, buckets, state

STARTS = (
    datetime(2026, 3, 9, 14, 32, tzinfo=UTC),
    datetime(2026, 2, 28, 23, 59, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 59, 999_999, tzinfo=UTC),  # Berlin loses an hour
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # and wins it back
    datetime(2026, 12, 31, 12, 0, tzinfo=UTC),  # in ISO week 53
)
DIMS = st.builds(
    Dims,
    key=st.sampled_from([None, "key_a"]),
    agent=st.sampled_from([None, "bot"]),
    provider=st.sampled_from(["p", "q"]),
    model=st.sampled_from(["m", "n"]),
    team=st.sampled_from([None, "x", 7]),
)
NANOS = st.sampled_from([0, 1]) | st.integers(1, 60) | st.integers(60, 500)
KEYS = st.sampled_from([None, None, None, "k1", "k2", "k3"])
BACK = st.sampled_from([None, None, 0, 1, 45, 3_000, 100_000, 3_000_000, -200])
WISHES = st.tuples(DIMS, NANOS, BACK, KEYS)
RARE_KEYS = st.sampled_from([None] * 12 + ["k1", "k2", "k3", "k4"])
PARTS = st.tuples(DIMS, NANOS, BACK, RARE_KEYS)
AMOUNTS = st.integers(0, 400) | st.integers(0, 1_500)
INDEX = st.integers(0, 50)
LASTING = st.sampled_from([1, 5, 60, 4_000, 90_000])
PLANS = st.one_of(
    st.fixed_dictionaries(
        {
            "window": st.sampled_from(["total", "daily", "weekly", "monthly", 3_600, 100]),
            "zone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
        }
    ),
    st.fixed_dictionaries(
        {
            "window": st.sampled_from(["daily", "monthly", 64, 100, 5_000]),
            "technique": st.just("sliding"),
        }
    ),
)
SCOPES = st.sampled_from(
    [
        {},
        {},
        {"filters": {"key": ["key_a"]}},
        {"filters": {"agent": ["bot"]}},
        {"filters": {"provider": ["q", "p"], "model": ["m"]}},
        {"filters": {"metadata.team": ["x", "7"]}},
        {"partitions": ["model"]},
        {"partitions": ["metadata.team"]},
        {"filters": {"provider": ["p"]}, "partitions": ["metadata.team", "key"]},
    ]
)
ACTIONS = st.sampled_from(["hard", "hard", "hard", "soft", "shadow"])
TAKEN = st.sampled_from(["all", "all", "less", "nothing", "more", "much"])
CAPTURES = st.sampled_from(["refuse", "refuse", "if_available", "if_available", "overdraft"])
OTHER = st.none() | st.tuples(st.sampled_from(["p", "q"]), st.sampled_from(["x", 7]))
LIMITS = st.tuples(PLANS, SCOPES, ACTIONS, AMOUNTS)


class Machine(RuleBasedStateMachine):
    """One history. `source` says where its database comes from; `steps` counts them all."""

    source: places.Files | places.Databases
    steps: Counter[str] = Counter()

    @initialize(
        start=st.sampled_from(STARTS), credit=st.integers(0, 4_000), first=st.none() | LIMITS
    )
    def begin(self, start: datetime, credit: int, first: Any) -> None:
        self.stack = ExitStack()
        url = self.stack.enter_context(self.source.fresh())
        self.model = Account(start)
        self.billing = Billing(
            url, clock=lambda: self.model.now, processor="fake", secret_keys=SECRET_KEY
        )
        self.stack.callback(self.billing.close)
        self.operator = self.billing.operator()
        self.account_id: str = operations.create_account(self.operator, "A").id
        self.entry_ids: dict[str, int] = {}
        self.hold_ids: list[str] = []
        self.limit_ids: list[str] = []
        self.raise_ids: list[str] = []
        if credit:
            self.adjust(nanos=credit, kind="support", key=None)
        if first:
            plan, scope, action, amount = first
            self.set_limit(plan=plan, scope=scope, action=action, amount=amount, key=None)

    def teardown(self) -> None:
        if not hasattr(self, "stack"):
            return
        with self.stack:
            for number, limit_id in enumerate(self.limit_ids):
                if self.model.limits[number].active:
                    self.same_notices(number, limit_id)
            same("seals", operations.verify_ledger(self.operator).broken, [])

    # -- charging

    @rule(wish=WISHES)
    def charge(self, wish: Any) -> None:
        self.charge_one(wish)

    @rule(wish=WISHES)
    def charge_more(self, wish: Any) -> None:
        self.charge_one(wish)

    def charge_one(self, wish: Any) -> None:
        meant = self.a_wish(wish)
        actor = self.actor(meant.dims)

        def real() -> str:
            used = usage_of(meant.dims, meant.nanos, meant.at)
            done = operations.record_usage(actor, self.account_id, used, idempotency_key=meant.key)
            return "replayed" if done.replayed else "ok"

        self.agree("charge", real, lambda: self.model.charge(meant))

    @rule(wishes=st.lists(PARTS, min_size=2, max_size=5))
    def batch(self, wishes: list[Any]) -> None:
        first = wishes[0][0]
        meant = [self.a_wish((with_caller(dims, first), *rest)) for dims, *rest in wishes]

        def real() -> list[str]:
            said = [Submission(usage_of(w.dims, w.nanos, w.at), w.key) for w in meant]
            found = operations.record_usage_batch(self.actor(first), self.account_id, said)
            return [word_of(outcome) for outcome in found]

        def model() -> list[str]:
            return [getattr(one, "code", one) for one in self.model.charge_all(meant)]

        self.agree("batch", real, model)

    # -- holds

    @rule(dims=DIMS, nanos=NANOS, lasting_s=LASTING, key=KEYS)
    def hold_one(self, dims: Dims, nanos: int, lasting_s: int, key: str | None) -> None:
        self.hold(dims, nanos, lasting_s, key)

    @rule(dims=DIMS, nanos=NANOS, lasting_s=LASTING, key=RARE_KEYS)
    def hold_another(self, dims: Dims, nanos: int, lasting_s: int, key: str | None) -> None:
        self.hold(dims, nanos, lasting_s, key)

    def hold(self, dims: Dims, nanos: int, lasting_s: int, key: str | None) -> None:
        def real() -> int:
            done = operations.hold(
                self.actor(dims), self.account_id, Money(nanos), provider=dims.provider,
                model=dims.model, metadata=metadata_of(dims), expires_in_s=lasting_s,
                idempotency_key=key,
            )  # fmt: skip
            if not done.replayed:
                self.hold_ids.append(done.hold.id)
            return self.hold_ids.index(done.hold.id)

        content = (dims.provider, dims.model, metadata_of(dims), nanos, lasting_s)

        def model() -> int:
            made = lambda: self.model.hold(dims, nanos, lasting_s)  # noqa: E731 (used once)
            return int(self.model.once("hold", key, content, made)[0])

        self.agree("hold", real, model)

    def capture(self, which: int, part: str, policy: str, other: Any) -> None:
        number = which % len(self.hold_ids)
        hold = self.model.holds[number]
        nanos = {"all": hold.nanos, "less": hold.nanos // 2, "nothing": 0}.get(
            part, hold.nanos + (1 if part == "more" else 300)
        )
        dims = hold.dims
        if other:
            provider, team = other
            dims = Dims(dims.key, dims.agent, provider, dims.model, team)
        taken = usage_of(dims, nanos, None) if other else Money(nanos)

        def real() -> str:
            done = operations.capture(
                self.operator, self.account_id, self.hold_ids[number],
                taken=None if taken == Money(hold.nanos) else taken, policy=policy,
            )  # fmt: skip
            return "replayed" if done.replayed else "ok"

        self.agree("capture", real, lambda: self.model.capture(number, dims, nanos, policy))

    @precondition(lambda self: self.hold_ids)
    @rule(which=INDEX, part=TAKEN, policy=CAPTURES, other=OTHER)
    def capture_one(self, which: int, part: str, policy: str, other: Any) -> None:
        self.capture(which, part, policy, other)

    @precondition(lambda self: self.hold_ids)
    @rule(which=INDEX, part=TAKEN, policy=CAPTURES, other=OTHER)
    def capture_another(self, which: int, part: str, policy: str, other: Any) -> None:
        self.capture(which, part, policy, other)

    @precondition(lambda self: self.hold_ids)
    @rule(which=INDEX)
    def release(self, which: int) -> None:
        number = which % len(self.hold_ids)

        def real() -> str:
            done = operations.release(self.operator, self.account_id, self.hold_ids[number])
            return "replayed" if done.replayed else "ok"

        self.agree("release", real, lambda: self.model.release(number))

    @precondition(lambda self: self.hold_ids)
    @rule(which=INDEX, lasting_s=LASTING)
    def extend(self, which: int, lasting_s: int) -> None:
        number = which % len(self.hold_ids)

        def real() -> None:
            operations.extend(
                self.operator, self.account_id, self.hold_ids[number], expires_in_s=lasting_s
            )

        self.agree("extend", real, lambda: self.model.extend(number, lasting_s))

    # -- limits

    @rule(plan=PLANS, scope=SCOPES, action=ACTIONS, amount=AMOUNTS, key=KEYS)
    def set_limit(self, plan: Any, scope: Any, action: str, amount: int, key: str | None) -> None:
        meant = Limit(amount, **plan, **scope, action=action)

        def real() -> int:
            done = operations.set_limit(
                self.operator, self.account_id, Money(amount), **plan, **scope, action=action,
                idempotency_key=key,
            )  # fmt: skip
            if done.limit.id not in self.limit_ids:
                self.limit_ids.append(done.limit.id)
            return self.limit_ids.index(done.limit.id)

        def put() -> int:
            for number, limit in enumerate(self.model.limits):
                if limit.plan == meant.plan:
                    limit.amount, limit.active = amount, True
                    return number
            self.model.limits.append(meant)
            return len(self.model.limits) - 1

        def model() -> int:
            number, _ = self.model.once("limit", key, (amount, meant.plan), put)
            if not self.model.limits[number].active:
                raise Refused("not_found")  # a replay of what was removed since
            return int(number)

        self.agree("set_limit", real, model)

    @precondition(lambda self: self.limit_ids)
    @rule(which=INDEX, amount=AMOUNTS)
    def lower_or_raise(self, which: int, amount: int) -> None:
        number = which % len(self.limit_ids)

        def real() -> None:
            operations.update_limit(
                self.operator, self.account_id, self.limit_ids[number], amount=Money(amount)
            )

        def model() -> None:
            self.limit(number).amount = amount

        self.agree("update_limit", real, model)

    @precondition(lambda self: self.limit_ids)
    @rule(which=INDEX, scope=SCOPES, action=ACTIONS)
    def replan(self, which: int, scope: Any, action: str) -> None:
        number = which % len(self.limit_ids)
        changes = {"filters": {}, "partitions": [], **scope, "action": action}

        def real() -> None:
            operations.update_limit(
                self.operator, self.account_id, self.limit_ids[number], changes=changes
            )

        def model() -> None:
            limit = self.limit(number)
            meant = Limit(0, limit.window, limit.zone, limit.technique, **changes)
            for one in self.model.limits:
                if one is not limit and one.plan == meant.plan:
                    if one.active:
                        raise Refused("invalid_request")
                    one.replaced = True
            limit.filters, limit.partitions = meant.filters, meant.partitions
            limit.action = meant.action

        self.agree("replan", real, model)

    @precondition(lambda self: self.limit_ids)
    @rule(which=INDEX)
    def remove_limit(self, which: int) -> None:
        number = which % len(self.limit_ids)

        def real() -> None:
            operations.remove_limit(self.operator, self.account_id, self.limit_ids[number])

        def model() -> None:
            limit = self.limit(number)
            limit.active, limit.raised, limit.raised_until = False, 0, None

        self.agree("remove_limit", real, model)

    @precondition(lambda self: self.limit_ids)
    @rule(
        which=INDEX, nanos=st.integers(1, 300), lasts_s=LASTING, within_s=LASTING,
        at_once=st.booleans(),
    )  # fmt: skip
    def ask_for_a_raise(
        self, which: int, nanos: int, lasts_s: int, within_s: int, at_once: bool
    ) -> None:
        number = which % len(self.limit_ids)

        def real() -> None:
            wish = operations.request_limit_raise(
                self.operator, self.account_id, self.limit_ids[number], amount=Money(nanos),
                lasts_s=lasts_s, decide_within_s=within_s,
            )  # fmt: skip
            self.raise_ids.append(wish.id)

        def model() -> None:
            self.limit(number)
            until, expires = self.after(lasts_s), self.after(min(within_s, lasts_s))
            self.model.raises.append(Raise(number, nanos, until, expires))

        before = len(self.raise_ids)
        self.agree("request_raise", real, model)
        if at_once and len(self.raise_ids) > before:
            self.decide(which=before, status="approved")

    @precondition(lambda self: self.raise_ids)
    @rule(which=INDEX, status=st.sampled_from(["approved", "approved", "denied"]))
    def decide(self, which: int, status: str) -> None:
        number = which % len(self.raise_ids)
        approved = status == "approved"
        act = operations.approve_limit_raise if approved else operations.deny_limit_raise

        def real() -> None:
            act(self.operator, self.account_id, self.raise_ids[number])

        self.agree("decide_raise", real, lambda: self.model.decide(number, status))

    # -- credit and corrections

    @rule(
        nanos=st.integers(-600, 900).filter(bool),
        kind=st.sampled_from(["support", "adjustment"]),
        key=KEYS,
    )
    def adjust(self, nanos: int, kind: str, key: str | None) -> None:
        def real() -> int:
            return self.number_of(
                operations.adjust(
                    self.operator, self.account_id, Money(nanos), kind=kind, idempotency_key=key
                ).id
            )

        def model() -> int:
            enter = lambda: self.model.adjust(nanos, kind)  # noqa: E731 (used once)
            return int(self.model.once("adjust", key, (nanos, kind), enter)[0])

        self.agree("adjust", real, model)

    @rule(
        nanos=st.integers(1, 900),
        kind=st.sampled_from(["promotion", "promotion", "support"]),
        priority=st.sampled_from([None, None, 0, 25, 100]),
        lasting_s=st.sampled_from([None, 1, 60, 5_000, 100_000]),
    )
    def grant(self, nanos: int, kind: str, priority: int | None, lasting_s: int | None) -> None:
        expires = None if lasting_s is None else self.after(lasting_s)

        def real() -> int:
            made = operations.grant_credit(
                self.operator, self.account_id, Money(nanos), kind=kind, priority=priority,
                expires_at=expires,
            )  # fmt: skip
            return self.number_of(made.id)

        def model() -> int:
            terms = {"priority": priority, "expires": expires}
            return self.model.credit(Entry(kind, nanos), kind, **terms)

        self.agree("grant", real, model)

    @rule(nanos=st.sampled_from([0, 0, 100, 700]))
    def set_postpaid(self, nanos: int) -> None:
        def real() -> None:
            operations.set_postpaid_limit(self.operator, self.account_id, Money(nanos))

        self.agree("set_postpaid", real, lambda: self.model.set_postpaid(nanos))

    @precondition(lambda self: self.model.entries)
    @rule(which=INDEX, charged=st.booleans())
    def reverse(self, which: int, charged: bool) -> None:
        number, entry_id = self.an_entry(which, charged)

        def real() -> int:
            done = operations.reverse_entry(self.operator, self.account_id, entry_id)
            return self.number_of(done.id)

        self.agree("reverse", real, lambda: self.model.reverse(number))

    @precondition(lambda self: self.model.entries)
    @rule(
        which=INDEX, nanos=st.integers(1, 120), key=KEYS,
        charged=st.sampled_from([True, True, True, False]),
    )  # fmt: skip
    def refund(self, which: int, nanos: int, key: str | None, charged: bool) -> None:
        number, entry_id = self.an_entry(which, charged)

        def real() -> int:
            done = operations.refund_charge(
                self.operator, self.account_id, entry_id, amount=Money(nanos), idempotency_key=key
            )
            return self.number_of(done.id)

        def model() -> int:
            give = lambda: self.model.refund(number, nanos)  # noqa: E731 (used once)
            return int(self.model.once("refund", key, (number, nanos), give)[0])

        self.agree("refund", real, model)

    # -- time

    @rule(seconds=st.sampled_from([1, 1, 30, 400, 4_000, 50_000, 100_000, 1_500_000]))
    def wait(self, seconds: int) -> None:
        self.model.wait_until(self.after(seconds))
        self.steps["wait"] += 1

    @rule(which=INDEX, before=st.sampled_from([0, 0, 1, -1]))
    def wait_for_something(self, which: int, before: int) -> None:
        """To the very instant of a deadline, or a microsecond beside it."""
        times = [hold.expires for hold in self.model.holds]
        times += [grant.expires for grant in self.model.grants if grant.expires]
        times += [limit.raised_until for limit in self.model.limits if limit.raised_until]
        times += [self.model.month_ends] if self.model.month_ends else []
        later = sorted(at for at in times if at > self.model.now)
        if later:
            at = later[which % len(later)] - timedelta(microseconds=before)
            self.model.wait_until(max(at, self.model.now))
        self.steps["wait"] += 1

    # -- looking

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "stack"):
            return
        same("doctor", operations.check_ledger(self.operator), [])
        with self.only_looking():
            self.same_balance()
            self.same_credits()
            self.same_limits()

    @contextmanager
    def only_looking(self) -> Iterator[None]:
        """What is written inside is taken back."""
        instance = self.billing.instance
        database: Any = instance.database
        with instance.active():
            kind = ("IMMEDIATE",) if is_sqlite() else ()
            with database.atomic(*kind) as transaction:
                yield
                transaction.rollback()

    def same_balance(self) -> None:
        found = operations.check_balance(self.operator, self.account_id)
        model = self.model
        same("posted and held", (found.posted.nanos, found.held.nanos), (model.posted, model.held))
        same("available", found.available.nanos, model.available)
        same("postpaid", found.postpaid.nanos, model.postpaid)
        same("spendable", found.spendable.nanos, max(model.available + model.postpaid, 0))

    def same_credits(self) -> None:
        found = operations.list_credits(self.operator, self.account_id)
        same(
            "credits",
            [(one.kind, one.remaining_nanos) for one in found.grants],
            self.model.credits(),
        )
        same("owed", found.owed.nanos, self.model.owed)

    def same_limits(self) -> None:
        states = operations.list_limits(self.operator, self.account_id)
        found = {self.limit_ids.index(one.limit.id): one for one in states}
        same("limits", set(found), {n for n, one in enumerate(self.model.limits) if one.active})
        for number, shown in found.items():
            self.same_state(self.model.limits[number], shown)

    def same_state(self, limit: Limit, shown: Any) -> None:
        marks, now = self.model.marks(), self.model.now
        counted = {one: state(limit, one, marks, now) for one in buckets(limit, marks)}
        counted = {one: pair for one, pair in counted.items() if any(pair)}
        most = max((sum(pair) for pair in counted.values()), default=0)
        same("ceiling", shown.ceiling.nanos, limit.ceiling(now))
        same("spent", shown.spent.nanos, sum(spent for spent, _ in counted.values()))
        same("held", shown.held.nanos, sum(held for _, held in counted.values()))
        same("overspent", shown.overspent.nanos, max(most - limit.ceiling(now), 0))
        if not limit.partitions:
            same("remaining", shown.remaining.nanos, max(limit.ceiling(now) - most, 0))
            return
        told = {tuple(one.values): (one.spent.nanos, one.held.nanos) for one in shown.buckets}
        same("buckets", {one: pair for one, pair in told.items() if any(pair)}, counted)

    def same_notices(self, number: int, limit_id: str) -> None:
        found: Counter[str] = Counter()
        for notice in operations.list_limit_notices(self.operator, self.account_id, limit_id):
            found[notice["kind"]] += notice["times"]
        expected = {kind: n for (limit, kind), n in self.model.notices.items() if limit == number}
        same("notices", found, expected)

    # -- between the two

    def agree(self, name: str, real: Callable[[], Any], model: Callable[[], Any]) -> None:
        """Both say the same."""
        self.steps[name] += 1
        expected, found = self.model_says(model), self.product_says(real)
        same(name, found, expected)
        if isinstance(expected, tuple):
            self.steps[f"{name}: {expected[1]}"] += 1

    def model_says(self, model: Callable[[], Any]) -> Any:
        try:
            return model()
        except Refused as refusal:
            return ("refused", refusal.code, refusal.limit)

    def product_says(self, real: Callable[[], Any]) -> Any:
        try:
            return real()
        except errors.BillingError as refusal:
            limit_id = refusal.extra.get("limit_id")
            limit = self.limit_ids.index(str(limit_id)) if limit_id else None
            return ("refused", refusal.code, limit)

    def limit(self, number: int) -> Limit:
        limit = self.model.limits[number]
        if not limit.active:
            raise Refused("not_found")
        return limit

    def number_of(self, entry_id: str) -> int:
        """The place of an entry in the ledger, from 0, as the model counts."""
        return int(operations.get_entry(self.operator, self.account_id, entry_id).sequence) - 1

    def an_entry(self, which: int, charged: bool) -> tuple[int, str]:
        """One of the newest entries; of charges alone, where there are any."""
        entries = operations.list_entries(self.operator, self.account_id, limit=100)
        of_charges = [one for one in entries if one.kind == "usage"]
        entries = of_charges if charged and of_charges else entries
        chosen = entries[which % len(entries)]
        return int(chosen.sequence) - 1, str(chosen.id)

    def actor(self, dims: Dims) -> Any:
        return self.operator._replace(key_id=dims.key, agent=dims.agent)

    def a_wish(self, wish: Any) -> Wish:
        dims, nanos, back, key = wish
        at = None if back is None else self.model.now - timedelta(seconds=back)
        return Wish(dims, nanos, at, key)

    def after(self, seconds: int) -> datetime:
        return self.model.now + timedelta(seconds=seconds)


def same(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        raise AssertionError(f"{what}: the product says {found}, the reference {expected}")


def usage_of(dims: Dims, nanos: int, at: datetime | None) -> Usage:
    return Usage(
        dims.model, dims.provider, cost=Money(nanos), effective_at=at, metadata=metadata_of(dims)
    )


def metadata_of(dims: Dims) -> dict[str, Any]:
    return {} if dims.team is None else {"team": dims.team}


def with_caller(dims: Dims, caller: Dims) -> Dims:
    return Dims(caller.key, caller.agent, dims.provider, dims.model, dims.team)


def word_of(outcome: Any) -> str:
    if outcome.error:
        return str(outcome.error.code)
    return "replayed" if outcome.replayed else "ok"


def run(
    source: places.Files | places.Databases, *, steps: int, chance: int, shrink: bool = True
) -> Counter[str]:
    """Runs histories of 50 steps until so many were made. Raises what Hypothesis found."""
    machine: Any = type("History", (Machine,), {"source": source, "steps": Counter()})
    each = min(steps, 50)
    options = settings(
        max_examples=max(steps // each, 1), stateful_step_count=each, deadline=None,
        database=None, suppress_health_check=list(HealthCheck), print_blob=True,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
    )  # fmt: skip
    run_state_machine_as_test(seed(chance)(machine), settings=options)
    found: Counter[str] = machine.steps
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--database", choices=places.KINDS, default="sqlite")
    parser.add_argument("--no-shrink", action="store_true", help="show the first failure as it is")
    said = parser.parse_args()
    began = time.monotonic()
    differences, done = 0, Counter[str]()
    with places.source(said.database, in_memory=True) as source:
        try:
            done = run(source, steps=said.steps, chance=said.seed, shrink=not said.no_shrink)
        except Exception:  # whatever it was, it is shown, and it is a difference
            traceback.print_exc()
            differences = 1
    total = sum(number for name, number in done.items() if ":" not in name)
    took_s = round(time.monotonic() - began, 1)
    print(json.dumps({
        "harness": "machine", "database": said.database, "seed": said.seed, "steps": total,
        "seconds": took_s, "differences": differences, "counts": dict(sorted(done.items())),
    }))  # fmt: skip
    return differences


if __name__ == "__main__":
    sys.exit(main())
