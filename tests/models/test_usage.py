"""Usage records as rows."""

from __future__ import annotations

from datetime import timedelta, timezone
from decimal import Decimal

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.errors import NotFound
from billing_plugin.models import usage
from billing_plugin.models.usage import Usage
from tests.factories import START, account_with


def recorded(actor: Actor, cents: int) -> usage.UsageRecord:
    used = Usage("m", "p", 5, 6, 2, 1, Money.from_cents(cents), START, {"tag": "é", "n": 1.5})
    outcome = operations.record_usage(actor, str(actor.account_id), used)
    assert outcome.record is not None
    return outcome.record


def test_a_row_goes_round(billing: Billing, actor: Actor) -> None:
    made = recorded(actor, 3)
    with billing.instance.active():
        found = usage.get(str(actor.account_id), made.id)
    assert found.cost == made.cost == Money.from_cents(3)
    assert found.quantities == {
        "input_tokens": 5, "output_tokens": 6, "cache_read_tokens": 2, "cache_write_tokens": 1,
    }  # fmt: skip
    assert found.metadata == {"tag": "é", "n": Decimal("1.5")}
    assert (found.price, found.provider, found.model) == ({"source": "caller"}, "p", "m")
    assert (found.effective_at, found.recorded_at) == (START, START)
    assert found.entry_id == made.entry_id


def test_records_of_others_are_not_found(billing: Billing, actor: Actor) -> None:
    made, other = recorded(actor, 3), account_with(billing)
    with billing.instance.active():
        for account_id, record_id in (
            (str(other.account_id), made.id),
            (str(actor.account_id), "use_" + "0" * 32),
        ):
            with pytest.raises(NotFound):
                usage.get(account_id, record_id)
        assert usage.by_ids(str(actor.account_id), []) == {}
        assert usage.unmatched() == []


def test_quantities_are_those_that_are_not_zero() -> None:
    assert Usage("m", input_tokens=3).quantities == {"input_tokens": 3}
    assert Usage("m").quantities == {}


def test_content_is_everything_that_was_said() -> None:
    said = Usage("m", "p", 5, effective_at=START, metadata={"a": 1})
    elsewhere = START.astimezone(timezone(timedelta(hours=5)))
    assert said.content == Usage("m", "p", 5, effective_at=elsewhere, metadata={"a": 1}).content
    for other in (
        Usage("n", "p", 5, effective_at=START, metadata={"a": 1}),
        Usage("m", "q", 5, effective_at=START, metadata={"a": 1}),
        Usage("m", "p", 6, effective_at=START, metadata={"a": 1}),
        Usage("m", "p", 0, 5, effective_at=START, metadata={"a": 1}),
        Usage("m", "p", 5, effective_at=None, metadata={"a": 1}),
        Usage("m", "p", 5, effective_at=START, metadata={"a": 2}),
        Usage("m", "p", 5, effective_at=START, metadata={"a": 1}, cost=Money.zero()),
    ):
        assert other.content != said.content
