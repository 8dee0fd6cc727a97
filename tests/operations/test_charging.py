"""Charging many wishes at once: in order, whole or not at all, one entry for each group."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.context import BY_ITSELF, write_transaction
from billing_plugin.models.idempotency import intent
from billing_plugin.operations import Submission, Usage
from billing_plugin.operations.charging import Outcome, charge_all
from billing_plugin.operations.rating import rate
from billing_plugin.operations.till import open_till
from billing_plugin.operations.wishes import Wish
from tests.books import complaints, counts
from tests.deeds import balance, hold, limit, spend
from tests.factories import START, Clock, account_with

DAY = timedelta(days=1)


def use(units: str, model: str = "m", provider: str = "p", **said: Any) -> Usage:
    return Usage(model, provider, cost=Money.parse(units), **said)


def batch(actor: Actor, *wishes: Usage | tuple[Usage, str], **said: Any) -> list[Outcome]:
    pairs = [one if isinstance(one, tuple) else (one, None) for one in wishes]
    submissions = [Submission(used, key) for used, key in pairs]
    return operations.record_usage_batch(actor, str(actor.account_id), submissions, **said)


def codes(outcomes: list[Outcome]) -> list[str]:
    return [one.error.code if one.error else "ok" for one in outcomes]


def test_each_provider_and_model_of_a_batch_has_one_entry(billing: Billing, actor: Actor) -> None:
    outcomes = batch(
        actor, use("1", input_tokens=5), use("2", "n"), use("3", output_tokens=7),
        use("4", "m", "q"), use("0"),
    )  # fmt: skip
    found = {one.id: one for one in operations.list_entries(actor, str(actor.account_id), limit=3)}
    records = [one.record for one in outcomes if one.record]
    assert [found[one.entry_id].amount.text for one in records] == [
        "-4.00", "-2.00", "-4.00", "-4.00", "-4.00",
    ]  # fmt: skip
    assert found[records[0].entry_id].metadata == {
        "model": "m", "provider": "p", "records": 3, "tokens": 12,
        "since": "2026-03-09T14:32:00.000000Z",
    }  # fmt: skip
    assert found[records[1].entry_id].metadata == {"model": "n", "provider": "p", "tokens": 0}
    assert counts(billing)["ledger_entry"] == 4
    assert complaints(billing) == []


def test_an_entry_is_effective_when_its_latest_use_was(actor: Actor) -> None:
    batch(actor, use("1", effective_at=START - DAY), use("1", effective_at=START - 2 * DAY))
    [entry] = operations.list_entries(actor, str(actor.account_id), limit=1)
    assert (entry.effective_at, entry.recorded_at) == (START - DAY, START)


def test_a_wish_is_charged_in_its_turn(billing: Billing) -> None:
    actor = account_with(billing, "5")
    limit(actor, "3", filters={"model": ["dear"]})
    outcomes = batch(actor, use("2", "dear"), use("2", "dear"), use("3"), use("1"), use("0"))
    assert codes(outcomes) == ["ok", "limit_exceeded", "ok", "insufficient_funds", "ok"]
    assert complaints(billing) == []


def test_a_batch_stops_at_its_first_refusal_if_asked(billing: Billing) -> None:
    actor = account_with(billing, "5")
    outcomes = batch(actor, use("2"), use("9"), use("1"), stop_at_refusal=True)
    assert codes(outcomes) == ["ok", "insufficient_funds"]
    assert balance(actor)[0] == "3.00"


def test_another_currency_is_refused_alone(billing: Billing, actor: Actor) -> None:
    outcomes = batch(actor, use("2"), Usage("m", cost=Money(1, "EUR")), use("1"))
    assert codes(outcomes) == ["ok", "currency_mismatch", "ok"]


@pytest.mark.parametrize("soft", [False, True])
def test_a_key_counts_once_in_a_batch_and_after_it(
    billing: Billing, actor: Actor, soft: bool
) -> None:
    """Whether the batch is taken together or (where a limit is soft) one by one."""
    if soft:
        limit(actor, "1", action="soft")
    first = batch(actor, (use("1"), "a"), (use("2"), "b"), (use("1"), "a"), use("5"))
    assert [one.replayed for one in first] == [False, False, True, False]
    again = batch(actor, use("3"), (use("2"), "b"), (use("1"), "a"), (use("7"), "c"))
    assert [one.replayed for one in again] == [False, True, True, False]
    assert [one.record and one.record.cost.text for one in again] == [
        "3.00", "2.00", "1.00", "7.00",
    ]  # fmt: skip
    assert balance(actor)[0] == "82.00"
    assert complaints(billing) == []


def test_a_batch_frees_what_overdue_holds_reserve(
    billing: Billing, actor: Actor, clock: Clock
) -> None:
    limit(actor, "100")
    hold(actor, "99", expires_in_s=60)
    clock.forward(seconds=60)
    assert codes(batch(actor, use("60"), use("40"), use("1"))) == ["ok", "ok", "limit_exceeded"]
    assert complaints(billing) == []


USES = st.lists(
    st.tuples(
        st.integers(0, 40),
        st.sampled_from("ab"),
        st.sampled_from([0, 0, 1, 40]),
        st.sampled_from([None, "x", "y"]),
    ),
    min_size=2,
    max_size=12,
)


@pytest.mark.parametrize("action", ["hard", "shadow"])
def test_a_batch_is_charged_as_if_each_use_came_alone(
    billing: Billing, clock: Clock, action: str
) -> None:
    """A shadow limit keeps the batch from being taken together, and changes nothing else."""

    @settings(deadline=None, max_examples=30, database=None)
    @given(USES)
    def run(uses: list[tuple[int, str, int, str | None]]) -> None:
        wishes = [
            use(Money(n).text, model, effective_at=START - days * DAY, metadata={"tag": tag})
            for n, model, days, tag in uses
        ]
        found = []
        for whole in (True, False):
            actor = account_with(billing)
            operations.adjust(billing.operator(), str(actor.account_id), Money(150))
            limit(actor, Money(90).text, filters={"model": ["a"]})
            limit(actor, Money(60).text, "daily", partitions=["model"])
            limit(actor, Money(20).text, "weekly", action=action, filters={"agent": ["nobody"]})
            if action == "shadow":
                limit(actor, Money(50).text, partitions=["metadata.tag"])
            alone = [] if whole else [batch(actor, wish)[0] for wish in wishes]
            found.append((codes(alone or batch(actor, *wishes)), balance(actor)))
        assert found[0] == found[1]

    run()
    assert complaints(billing) == []


def test_a_replay_after_a_refusal_is_tried_again(billing: Billing) -> None:
    actor = account_with(billing, "1")
    assert codes(batch(actor, (use("2"), "k"), (use("1"), "l"))) == ["insufficient_funds", "ok"]
    operations.adjust(billing.operator(), str(actor.account_id), Money.parse("5"))
    assert [one.replayed for one in batch(actor, (use("2"), "k"), (use("1"), "l"))] == [
        False,
        True,
    ]
    spend(actor, "3")


def wish(key: str, units: str) -> Wish:
    """A wish of one who meets others at the same account, each with a call of its own."""
    used = use(units)
    meant = intent("a", "usage", key=key, content=used.content)
    return Wish(used, BY_ITSELF, intent=meant, rated=rate(used, START))


@pytest.mark.parametrize("soft", [False, True])
def test_callers_who_meet_conflict_one_by_one(billing: Billing, actor: Actor, soft: bool) -> None:
    """Other content under a key refuses the one who came with it, and nobody else."""
    if soft:
        limit(actor, "1", action="soft")
    with billing.instance.active():
        late, wrong = wish("k", "1"), wish("l", "1")
        late.check_content(wish("k", "1").intent.content)  # type: ignore[union-attr]
        wrong.check_content(wish("l", "2").intent.content)  # type: ignore[union-attr]
        with write_transaction():
            till = open_till(actor, str(actor.account_id))
            outcomes = charge_all(till, [late, wrong, wish("k", "3"), wish("m", "4")], known={})
    assert codes(outcomes) == ["ok", "idempotency_conflict", "idempotency_conflict", "ok"]
    assert balance(actor)[0] == "95.00"
    assert complaints(billing) == []
