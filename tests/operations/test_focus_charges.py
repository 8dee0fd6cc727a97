"""Charges of a bill from what is stored: tags there and back, and nonsense left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_plugin.models.accounts import Account
from billing_plugin.models.base import dump
from billing_plugin.operations.focus import _tag
from billing_plugin.operations.focus_charges import charge_of_item, tags_of
from billing_plugin.operations.focus_columns import FocusCharge, Quantity
from billing_plugin.operations.items import blank
from tests.factories import START

ACCOUNT = Account(id="acct_x", name="Acme", currency="USD")
TAGS = st.lists(st.text("ab= ", min_size=1, max_size=4).filter(str.strip), unique=True, max_size=8)


def charge(*, usage: Any = None, **meta: Any) -> FocusCharge:
    item = blank("acct_x", "USD", source="focus", at=START)
    texts = {"meta_text": dump(meta), "usage_text": dump(usage) if usage else None}
    return charge_of_item(item._replace(name="n", **texts), ACCOUNT, {})


@given(tags=TAGS)
def test_tags_are_the_same_when_they_are_imported_again(tags: list[str]) -> None:
    told = tags_of(tags)
    assert sorted(_tag(key, value) for key, value in told.items()) == sorted(tags)


def test_what_a_bill_said_is_said_again() -> None:
    told = charge(
        ChargeCategory="Tax", ChargeClass="Correction", BillingAccountId="123", RegionId="eu",
        BillingPeriodStart="2026-01-01T00:00:00Z", BillingPeriodEnd="2026-02-01T00:00:00Z",
        ChargePeriodEnd="2026-04-01T00:00:00Z", PricingQuantity="2.5", PricingUnit="h",
        x_InputTokens=7,
    )  # fmt: skip
    assert (told.category, told.correction, told.account_id, told.region) == (
        "Tax", True, "123", "eu",
    )  # fmt: skip
    assert told.account_name is None  # the vendor's account is not called as ours is
    assert told.billing_period.start == datetime(2026, 1, 1, tzinfo=UTC)
    assert told.charge_period.end == datetime(2026, 4, 1, tzinfo=UTC)
    assert (told.priced, told.tokens) == (Quantity(Decimal("2.5"), "h"), {"input_tokens": 7})


NONSENSE: list[dict[str, Any]] = [
    {"ChargeCategory": "Foo"}, {"ChargeCategory": 1}, {"ChargePeriodEnd": "2026-01-01T00:00:00Z"},
    {"ChargePeriodEnd": "soon"}, {"BillingPeriodStart": "2026-03-01T00:00:00Z"},
    {"BillingPeriodStart": "2026-03-02T00:00:00Z", "BillingPeriodEnd": "2026-03-01T00:00:00Z"},
    {"ChargeFrequency": "Recurring"}, {"PricingQuantity": "NaN", "PricingUnit": "h"},
    {"x_InputTokens": -1}, {"x_InputTokens": True}, {"x_InputTokens": "7"},
    {"x_InputTokens": 10**18},
]  # fmt: skip


@pytest.mark.parametrize("meta", NONSENSE, ids=repr)
def test_what_anybody_may_have_put_into_an_item_is_left_out(meta: dict[str, Any]) -> None:
    assert charge(**meta) == charge()
    assert charge().charge_period.end - START < timedelta(days=1)
    assert charge().account_name == "Acme"


@pytest.mark.parametrize(
    "usage",
    [
        *({"amount": "many", "unit": "h"}, {"amount": True, "unit": "h"}, {"amount": 1}),
        *({"amount": 1, "unit": " "}, {"amount": 1, "unit": "NULL"}, {"amount": 1, "unit": 2}),
        *({"amount": "1e99", "unit": "h"}, {"amount": 1e300, "unit": "h"}, {"sku_id": 1}),
        {"amount": "1." + "0" * 38 + "1E-39", "unit": "h"},
    ],
    ids=repr,
)
def test_a_quantity_that_could_not_be_read_again_is_none(usage: dict[str, Any]) -> None:
    assert (charge(usage=usage).consumed, charge(usage=usage).sku) == (None, None)
