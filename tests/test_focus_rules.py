"""The rules that hold files of FOCUS: a good one passes, and each rule finds who breaks it."""

from __future__ import annotations

import pytest

from tests.focus_files import GOOD, file_of
from tests.focus_rules import RULES, complaints

NOTHING_USED = {"ConsumedQuantity": "NULL", "ConsumedUnit": "NULL"}

BREACHES: dict[str, dict[str, str]] = {
    "nothing is bought by being used": {"ChargeCategory": "Purchase", **NOTHING_USED},
    "only usage is consumed": {"ChargeCategory": "Credit"},
    "usage has a consumed quantity": NOTHING_USED,
    "a consumed quantity has its unit": {"ConsumedUnit": "NULL"},
    "a tax has no quantity, price or SKU": {"ChargeCategory": "Tax", **NOTHING_USED},
    "usage and purchases are priced": {"SkuId": "NULL"},
    "a priced quantity has its unit": {"PricingUnit": "NULL"},
    "a region has its name": {"RegionId": "eu"},
    "a sub account has its name": {"SubAccountName": "a"},
    "a subcategory is of its category": {"ServiceSubcategory": "Containers"},
    "a charge period ends after it starts": {"ChargePeriodEnd": "2026-01-01T00:00:00Z"},
    "a billing period ends after it starts": {"BillingPeriodEnd": "2025-01-01T00:00:00Z"},
    "a contracted cost without a price is the billed one": {"ContractedCost": "0.4"},
    "a list cost without a price is the billed one": {"ListCost": "0.4"},
    "the effective cost of what is neither used nor bought is the billed one": {
        "ChargeCategory": "Credit", "EffectiveCost": "0.4", **NOTHING_USED,
    },
}  # fmt: skip
CELLS = {
    "BilledCost is no decimal": {"BilledCost": "1"},
    "ListCost is no decimal": {"ListCost": "1E5"},
    "BilledCost is null": {"BilledCost": "NULL"},
    "ProviderName is null": {"ProviderName": "NULL"},
    "SkuId is empty instead of NULL": {"SkuId": ""},
    "ChargePeriodEnd is no date-time": {"ChargePeriodEnd": "2026-01-02 00:00:00"},
    "ChargeCategory is not an allowed value": {"ChargeCategory": "usage"},
    "ServiceCategory is not an allowed value": {"ServiceCategory": "AI"},
    "BillingCurrency is no currency": {"BillingCurrency": "usd"},
    "x_InputTokens is no count": {"x_InputTokens": "1.5"},
    "Tags is no json": {"Tags": '{"a": {"b": "c"}}'},
}


def test_a_good_file_passes() -> None:
    assert complaints(file_of(GOOD)) == []


def test_every_rule_is_broken_by_somebody() -> None:
    assert BREACHES.keys() == RULES.keys()


@pytest.mark.parametrize("why", [*BREACHES, *CELLS])
def test_whoever_breaks_a_rule_is_found(why: str) -> None:
    assert f"2: {why}" in complaints(file_of(GOOD | {**BREACHES, **CELLS}[why]))


@pytest.mark.parametrize("tags", ['["a"]', '{"a": ["b"]}', '{"a": 1, "a": 1}', "{a: 1}", "1"])
def test_tags_are_a_flat_object(tags: str) -> None:
    assert complaints(file_of(GOOD | {"Tags": tags})) == ["2: Tags is no json"]


def test_the_header_is_held_too() -> None:
    without = [name for name in GOOD if name != "ListCost"]
    assert "no column ListCost" in complaints(file_of(GOOD, *without))
    assert "a column twice" in complaints(file_of(GOOD, *GOOD, "Tags"))
    first = complaints(file_of(GOOD | {"x_Team": "a"}, "x_Team", *GOOD))
    assert "custom columns before those of FOCUS" in first
    foreign = complaints(file_of(GOOD | {"Id": "1"}))
    assert "a column that FOCUS does not define, without x_" in foreign


def test_a_short_row_is_found() -> None:
    assert complaints(file_of(GOOD) + "1,2\r\n") == ["3: not as many cells as columns"]
