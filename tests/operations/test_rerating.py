"""Rating a period again: the differences are booked once, the uses stay as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.operations import Submission, Usage
from billing_plugin.operations.rerating import Rerating
from billing_plugin.periods import Period
from tests.books import complaints, everything
from tests.deeds import balance, credits_left, entries, limit, newest, refused, spend, state
from tests.factories import START, account_with

DAY = timedelta(days=1)
WEEK = Period(START - 7 * DAY, START + DAY)
USE = Usage("own-model", "own", input_tokens=1_000_000)


def price(billing: Billing, units: str, model: str = "own-model") -> None:
    """Sets what a million tokens cost, also for what is over."""
    exact = f"{Decimal(units) / 1_000_000:f}"
    operations.set_price(
        billing.operator(), "own", model, prices={"input_tokens": exact},
        valid_from=START - 60 * DAY, retroactive=True,
    )  # fmt: skip


def use(actor: Actor, used: Usage = USE) -> str:
    record = operations.record_usage(actor, str(actor.account_id), used).record
    assert record is not None
    return record.entry_id


def rerate(billing: Billing, actor: Actor, period: Period = WEEK, **said: Any) -> Rerating:
    return operations.rerate_usage(billing.operator(), str(actor.account_id), period, **said)


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    billing: Billing, actor: Actor
) -> None:
    price(billing, "2")
    use(actor), use(actor), spend(actor, "1")
    price(billing, "3")
    before = everything(billing)
    found = rerate(billing, actor)
    assert found == Rerating(True, Money.parse("2"), read=3, skipped=1, changed=2)
    assert everything(billing) == before


@pytest.mark.parametrize(("new", "after"), [("3", "94.00"), ("0.5", "99.00")])
def test_the_differences_are_booked_once(
    billing: Billing, actor: Actor, new: str, after: str
) -> None:
    found = limit(actor, "50", "daily")
    price(billing, "2")
    use(actor), use(actor, replace(USE, effective_at=START - DAY))
    price(billing, new)
    first = rerate(billing, actor, dry_run=False)
    assert (first.changed, balance(actor)[0]) == (2, after)
    assert state(actor, found).spent == Money.parse(new)
    assert newest(actor).kind == "rerating"
    assert newest(actor).metadata["records"] == 2
    before = everything(billing)
    again = rerate(billing, actor, dry_run=False)
    assert (again.changed, again.change) == (0, Money.zero())
    assert everything(billing) == before
    assert complaints(billing) == []


def test_each_rating_is_held_against_all_before(billing: Billing, actor: Actor) -> None:
    price(billing, "2")
    use(actor)
    for units in ("3", "1", "2", "7"):
        price(billing, units)
        rerate(billing, actor, dry_run=False)
        assert balance(actor)[0] == Money.parse(str(100 - int(units))).text
    assert complaints(billing) == []


def test_each_provider_and_model_has_an_entry_of_its_own(billing: Billing, actor: Actor) -> None:
    for model in ("own-model", "other"):
        price(billing, "2", model)
    use(actor), use(actor, replace(USE, model="other"))
    price(billing, "3"), price(billing, "1", "other")
    assert rerate(billing, actor, dry_run=False).change == Money.zero()
    assert sorted(entries(actor, 2)) == [("rerating", "-1.00"), ("rerating", "1.00")]
    assert complaints(billing) == []


def test_a_difference_in_our_favour_is_booked_even_where_nothing_is_left(
    billing: Billing,
) -> None:
    actor = account_with(billing, "2")
    price(billing, "2")
    use(actor)
    price(billing, "5")
    rerate(billing, actor, dry_run=False)
    assert balance(actor) == ("-3.00", "0.00", "0.00")
    assert complaints(billing) == []
    price(billing, "1")
    rerate(billing, actor, dry_run=False)
    assert balance(actor)[0] == "1.00"
    assert [Money(one.remaining_nanos).text for one in credits_left(billing, actor)] == ["1.00"]
    assert complaints(billing) == []


def test_differences_that_cancel_out_are_booked(billing: Billing, actor: Actor) -> None:
    """One use is dearer and another cheaper by as much: both records change, the balance not."""
    price(billing, "2")
    use(actor), use(actor, replace(USE, effective_at=START - 2 * DAY))
    for units, from_, until in (("3", 40, 1), ("1", 1, None)):
        operations.set_price(
            billing.operator(), "own", "own-model", retroactive=True,
            prices={"input_tokens": f"{Decimal(units) / 1_000_000:f}"},
            valid_from=START - from_ * DAY, valid_until=START - until * DAY if until else None,
        )  # fmt: skip
    found = rerate(billing, actor, dry_run=False)
    assert (found.changed, found.change) == (2, Money.zero())
    assert entries(actor)[0] == ("rerating", "0.00")
    assert complaints(billing) == []


def test_what_was_given_back_or_has_no_price_now_is_left_alone(
    billing: Billing, actor: Actor
) -> None:
    price(billing, "2")
    refunded, reversed_ = use(actor), use(actor)
    mine, operator = str(actor.account_id), billing.operator()
    operations.refund_charge(operator, mine, refunded, amount=Money.parse("1"))
    operations.reverse_entry(operator, mine, reversed_)
    price(billing, "3")
    assert rerate(billing, actor).changed == 0
    use(actor)
    for found in operations.list_prices(operator):
        if found.provider == "own":
            operations.end_price(operator, found.id)
    assert rerate(billing, actor, Period(START - DAY, START + DAY)).changed == 0
    assert complaints(billing) == []


def test_only_the_period_is_rated_again(billing: Billing, actor: Actor) -> None:
    price(billing, "2")
    use(actor), use(actor, replace(USE, effective_at=START - DAY))
    price(billing, "3")
    assert rerate(billing, actor, Period(START - DAY, START)).read == 1


def test_many_records_are_rated_in_pages(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing_plugin.operations.rerating.PAGE", 3)
    price(billing, "2")
    wishes = [Submission(USE) for _ in range(7)]
    operations.record_usage_batch(actor, str(actor.account_id), wishes)
    price(billing, "3")
    found = rerate(billing, actor, dry_run=False)
    assert (found.read, found.changed, balance(actor)[0]) == (7, 7, "79.00")
    assert complaints(billing) == []


def test_only_operators_rate_again(billing: Billing, actor: Actor) -> None:
    with pytest.raises(errors.Forbidden):
        operations.rerate_usage(actor, str(actor.account_id), WEEK)
    assert refused(operations.rerate_usage, billing.operator(), "acct_x", WEEK).code == "not_found"
