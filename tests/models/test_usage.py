"""Usage records as rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from decimal import Decimal

import peewee
import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.context import write_transaction
from billing_plugin.errors import NotFound
from billing_plugin.models import usage
from billing_plugin.models.base import fetch_all
from billing_plugin.models.usage import QUANTITIES, Dims, Usage
from billing_plugin.periods import Period
from tests.factories import START, account_with

HOUR = timedelta(hours=1)
SAID = Usage(
    "m", "p", 5, 6, 2, 1, cost=Money.from_cents(3), effective_at=START,
    metadata={"tag": "é", "n": 1.5},
)  # fmt: skip


def recorded(actor: Actor, used: Usage = SAID) -> usage.UsageRecord:
    outcome = operations.record_usage(actor, str(actor.account_id), used)
    assert outcome.record is not None
    return outcome.record


def test_a_row_goes_round(billing: Billing, actor: Actor) -> None:
    made = recorded(actor._replace(key_id="key_1", agent="robot"))
    with billing.instance.active():
        found = usage.get(str(actor.account_id), made.id)
    assert found.cost == made.cost == Money.from_cents(3)
    assert found.quantities == {
        "input_tokens": 5, "output_tokens": 6, "cache_read_tokens": 2, "cache_write_tokens": 1,
    }  # fmt: skip
    assert found.dims == Dims("key_1", "robot", "p", "m", {"tag": "é", "n": Decimal("1.5")})
    assert found.price == made.price == {"source": "caller"}
    assert (found.effective_at, found.recorded_at) == (START, START)
    assert (found.entry_id, found.flagged) == (made.entry_id, False)
    assert (found.hold_id, found.corrects_id) == (None, None)


@pytest.mark.parametrize("name", QUANTITIES)
def test_every_quantity_goes_round(billing: Billing, actor: Actor, name: str) -> None:
    made = recorded(actor, replace(Usage("m", cost=Money.zero()), **{name: 7}))
    with billing.instance.active():
        assert usage.get(str(actor.account_id), made.id).quantities == {name: 7}


def test_records_of_others_are_not_found(billing: Billing, actor: Actor) -> None:
    made, other = recorded(actor), account_with(billing)
    with billing.instance.active():
        for account_id, record_id in (
            (str(other.account_id), made.id),
            (str(actor.account_id), "use_" + "0" * 32),
        ):
            with pytest.raises(NotFound):
                usage.get(account_id, record_id)
        assert usage.by_ids(str(actor.account_id), []) == {}


def test_records_are_listed_newest_first_and_by_period(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    made = [recorded(actor, replace(SAID, effective_at=START - n * HOUR)) for n in range(3)]
    ids = [record.id for record in made]
    with billing.instance.active():
        assert [one.id for one in usage.page(mine)] == ids[::-1]
        assert [one.id for one in usage.page(mine, before=ids[2], limit=1)] == [ids[1]]
        period = Period(START - HOUR, START)
        assert [one.id for one in usage.page(mine, period=period)] == [ids[1]]
        last = usage.originals(mine, Period(START - HOUR, START + HOUR), after=ids[0], limit=9)
        assert [one.id for one in last] == [ids[1]]
        span = (made[0].effective_at, made[0].effective_at)
        assert [one.id for one in usage.of_entry(mine, made[0].entry_id, span)] == [ids[0]]


def test_only_a_correction_may_be_negative(billing: Billing, actor: Actor) -> None:
    made = recorded(actor)
    for correction in (None, made.id):
        row = made._replace(id=f"use_{correction}", cost_nanos=-1, corrects_id=correction)
        with billing.instance.active(), write_transaction():
            if correction is None:
                with pytest.raises(peewee.IntegrityError):
                    usage.store([row])
                continue
        with billing.instance.active(), write_transaction():
            usage.store([row])
            usage.store([])
            [stands] = usage.standing([made])
            assert stands == made._replace(cost_nanos=made.cost_nanos - 1)
            assert usage.standing([]) == []
            [record] = usage.originals(str(actor.account_id), Period(START, START + HOUR),
                                       after="", limit=9)  # fmt: skip
    assert record.id == made.id


def test_the_roll_up_adds_each_day_and_model_up(billing: Billing, actor: Actor) -> None:
    wishes = [
        operations.Submission(replace(SAID, model=model, effective_at=START - n * HOUR))
        for model in "ab"
        for n in (0, 1, 20)
    ]
    operations.record_usage_batch(actor, str(actor.account_id), wishes)
    recorded(actor, replace(SAID, model="a"))
    with billing.instance.active():
        rows = fetch_all(
            "SELECT day, model, cost_nanos, records FROM billing_usage_rollup ORDER BY 1, 2"
        )
    cents = 10**7
    assert rows == [
        ("2026-03-08", "a", 3 * cents, 1), ("2026-03-08", "b", 3 * cents, 1),
        ("2026-03-09", "a", 9 * cents, 3), ("2026-03-09", "b", 6 * cents, 2),
    ]  # fmt: skip


def test_quantities_are_those_that_are_not_zero() -> None:
    assert Usage("m", input_tokens=3).quantities == {"input_tokens": 3}
    assert Usage("m").quantities == {}


def test_content_is_everything_that_was_said() -> None:
    said = Usage("m", "p", 5, effective_at=START, metadata={"a": 1})
    elsewhere = START.astimezone(timezone(timedelta(hours=5)))
    assert said.content == replace(said, effective_at=elsewhere).content
    others = [
        replace(said, model="n"), replace(said, provider="q"), replace(said, input_tokens=6),
        replace(said, effective_at=None), replace(said, metadata={"a": 2}),
        replace(said, metadata={}), replace(said, cost=Money.zero()),
        replace(said, cost=Money(0, "EUR")),
        *(replace(said, input_tokens=0, **{name: 5}) for name in QUANTITIES[1:]),
    ]  # fmt: skip
    assert len({said.content, *(other.content for other in others)}) == 1 + len(others)
