"""Writing FOCUS files: every rule is kept, and what was written is read again as it was."""

from __future__ import annotations

import csv
import dataclasses
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing_plugin import errors
from billing_plugin.money import Exact
from billing_plugin.operations import focus_columns
from billing_plugin.operations.focus_columns import (
    BY_NAME,
    MANDATORY_NAMES,
    SUBCATEGORIES,
    FocusCharge,
    Quantity,
)
from billing_plugin.operations.focus_reading import read_focus
from billing_plugin.operations.focus_writing import WRITTEN, write_focus
from billing_plugin.periods import BEGINNING, Period, parse_time
from tests.focus_rules import complaints

DAY = Period(parse_time("2026-01-01T00:00:00Z"), parse_time("2026-01-02T00:00:00Z"))
MONTH = Period(parse_time("2026-01-01T00:00:00Z"), parse_time("2026-02-01T00:00:00Z"))
CHARGE = FocusCharge(
    amount=Exact(610_000, 5),
    currency="USD",
    provider="OpenAI",
    service="gpt-4o",
    account_id="acct_1",
    charge_period=DAY,
    billing_period=MONTH,
    service_category=focus_columns.AI,
    tokens={"input_tokens": 1200, "output_tokens": 300, "cache_read_tokens": 200},
)


def charge(**changes: Any) -> FocusCharge:
    return dataclasses.replace(CHARGE, **changes)


def written(*charges: FocusCharge, extra: tuple[str, ...] = ()) -> str:
    """The file, which keeps every rule."""
    text = "".join(write_focus(charges, invoice_issuer="Us", extra=extra))
    assert complaints(text) == []
    return text


def cells(*charges: FocusCharge) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(written(*charges), newline="")))


def read_again(text: str) -> list[FocusCharge]:
    """What the file says, without its lines and ids."""
    names = [field.name for field in dataclasses.fields(FocusCharge)]
    rows = read_focus(io.StringIO(text, newline=""))
    return [FocusCharge(**{name: getattr(row, name) for name in names}) for row in rows]


def test_every_mandatory_column_is_written() -> None:
    assert set(MANDATORY_NAMES) <= set(WRITTEN) <= BY_NAME.keys()
    assert list(WRITTEN) == sorted(WRITTEN)


def test_a_charge_is_told_in_the_words_of_focus() -> None:
    [row] = cells(CHARGE)
    told = {name: cell for name, cell in row.items() if cell != "NULL"}
    costs = ("BilledCost", "ContractedCost", "EffectiveCost", "ListCost")
    assert told == {
        **dict.fromkeys(costs, "0.000610000000000005"),
        "BillingAccountId": "acct_1",
        "BillingCurrency": "USD",
        "ChargeCategory": "Usage",
        "BillingPeriodStart": "2026-01-01T00:00:00Z",
        "BillingPeriodEnd": "2026-02-01T00:00:00Z",
        "ChargePeriodStart": "2026-01-01T00:00:00Z",
        "ChargePeriodEnd": "2026-01-02T00:00:00Z",
        "ChargeFrequency": "Usage-Based",
        "InvoiceIssuerName": "Us",
        "ProviderName": "OpenAI",
        "PublisherName": "OpenAI",
        "ServiceName": "gpt-4o",
        "ServiceCategory": "AI and Machine Learning",
        "SkuId": "gpt-4o",
        "ServiceSubcategory": "Other (AI and Machine Learning)",
        "ConsumedQuantity": "1500.0",
        "ConsumedUnit": "Tokens",
        "PricingQuantity": "1500.0",
        "PricingUnit": "Tokens",
        "x_InputTokens": "1200",
        "x_OutputTokens": "300",
        "x_CacheReadTokens": "200",
    }


def test_lines_end_as_rfc_4180_wants() -> None:
    lines = list(write_focus([CHARGE, CHARGE], invoice_issuer="Us"))
    assert len(lines) == 3
    assert all(line.endswith("\r\n") and line.count("\n") == 1 for line in lines)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (Exact(0), "0.0"),
        (Exact(-1, 999_999_999), "-0.000000000000000001"),
        (Exact(500 * 10**9), "500.0"),
        (Exact(2**63 - 1, 10**9 - 1), "9223372036.854775807999999999"),
    ],
)
def test_a_decimal_always_has_a_dot_and_no_exponent(amount: Exact, text: str) -> None:
    assert cells(charge(amount=amount))[0]["BilledCost"] == text


def test_a_quantity_has_a_dot_too() -> None:
    many = Quantity(Decimal("5E+3"), "Tokens")
    assert cells(charge(consumed=many, priced=many))[0]["PricingQuantity"] == "5000.0"


@pytest.mark.parametrize("category", BY_NAME["ChargeCategory"].allowed)
@pytest.mark.parametrize("tokens", [{}, {"input_tokens": 5}])
@pytest.mark.parametrize("frequency", [None, *BY_NAME["ChargeFrequency"].allowed])
@pytest.mark.parametrize("sku", [None, "sku"])
def test_every_category_keeps_the_rules(
    category: str, tokens: dict[str, int], frequency: str | None, sku: str | None
) -> None:
    [row] = cells(charge(category=category, tokens=tokens, frequency=frequency, sku=sku))
    assert row["ChargeCategory"] == category


def test_what_was_not_measured_is_one_charge() -> None:
    [row] = cells(charge(tokens={}))
    assert (row["ConsumedQuantity"], row["ConsumedUnit"]) == ("1.0", "Charges")
    assert (row["PricingQuantity"], row["PricingUnit"]) == ("1.0", "Charges")
    [credit] = cells(charge(tokens={}, category="Credit"))
    assert credit["PricingQuantity"] == credit["ConsumedQuantity"] == "NULL"


def test_an_instant_takes_a_second_and_parts_of_one_are_widened() -> None:
    part = timedelta(microseconds=1)
    instant, parts = Period(DAY.start, DAY.start), Period(DAY.start + part, DAY.end + part)
    first, second = cells(charge(charge_period=instant), charge(charge_period=parts))
    assert first["ChargePeriodEnd"] == "2026-01-01T00:00:01Z"
    assert second["ChargePeriodStart"] == "2026-01-01T00:00:00Z"
    assert second["ChargePeriodEnd"] == "2026-01-02T00:00:01Z"


def test_tags_are_sorted() -> None:
    [row] = cells(charge(tags={"b": True, "a": "ü", "c": None}))
    assert row["Tags"] == '{"a": "ü", "b": true, "c": null}'


def test_text_is_left_as_it_is() -> None:
    for text in ("=1+1", "+a", "-a", "@a", "\ta", "\ra", "'a", ' "a", ', "a\r\nb", "a\u2028\x85b"):
        [row] = read_again(written(charge(description=text, service=text)))
        assert (row.description, row.service) == (text, text)


def test_what_1_2_does_not_list_is_other() -> None:
    rows = cells(
        charge(service_category="Robots", service_subcategory="Arms"),
        charge(service_subcategory="Containers"),
        charge(service_subcategory="Generative AI"),
    )
    assert [(row["ServiceCategory"], row["ServiceSubcategory"]) for row in rows] == [
        ("Other", "Other (Other)"),
        ("AI and Machine Learning", "Other (AI and Machine Learning)"),
        ("AI and Machine Learning", "Generative AI"),
    ]


def test_text_that_would_be_read_as_null_is_as_good_as_none() -> None:
    unsaid = dict.fromkeys(
        ("sub_account_id", "publisher", "invoice_issuer", "sku", "region", "description"), "NULL"
    )
    [row] = cells(charge(**unsaid, sub_account_name="a"))
    assert (row["SubAccountId"], row["SkuId"], row["PublisherName"]) == ("a", "gpt-4o", "OpenAI")
    assert (row["InvoiceIssuerName"], row["RegionName"]) == ("Us", "NULL")


def test_columns_of_ones_own_come_last() -> None:
    text = written(
        charge(extra={"x_Team": "=a", "x_Other": "b", "BilledCost": "9"}), extra=("x_Team",)
    )
    [row] = read_again(text)
    assert (row.extra, row.amount) == ({"x_Team": "=a"}, CHARGE.amount)
    assert text.partition("\r\n")[0].endswith(",x_Team")


@pytest.mark.parametrize(
    "names",
    [("Team",), ("x_",), ("x_a b",), ("x_A", "x_A"), ("x_InputTokens",), ("x_" + "a" * 60,)],
)
def test_a_column_of_ones_own_is_named_as_focus_wants(names: tuple[str, ...]) -> None:
    with pytest.raises(errors.InvalidRequest):
        list(write_focus([], invoice_issuer="Us", extra=names))


@pytest.mark.parametrize(
    "changes",
    [
        *({name: ""} for name in ("provider", "service", "account_id")),
        *({"provider": text} for text in ("NULL", "  ", "a\0b", "\ud800")),
        *({"currency": text} for text in ("usd", "", "credits")),
        *({"category": "Refund"}, {"frequency": "Daily"}, {"tokens": {"words": 1}}),
        *({"tags": {"a\0": "b"}}, {"tags": {"a": "\ud800"}}),
        {"priced": Quantity(Decimal("1E1000000000"), "Tokens")},
        {"priced": Quantity(Decimal("NaN"), "Tokens")},
        {"consumed": Quantity(Decimal(1), " ")},
    ],
    ids=repr,
)
def test_what_focus_cannot_say_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(errors.InvalidRequest):
        list(write_focus([charge(**changes)], invoice_issuer="Us"))


def test_whoever_provides_also_bills_unless_somebody_else_is_named() -> None:
    def issuer(sold: FocusCharge, **options: str) -> str:
        lines = list(write_focus([sold], **options))
        return next(csv.DictReader(lines))["InvoiceIssuerName"]

    assert issuer(CHARGE) == "OpenAI"
    assert issuer(CHARGE, invoice_issuer="Us") == "Us"
    assert issuer(charge(invoice_issuer="Them"), invoice_issuer="Us") == "Them"


# --- round trips

KEPT = [
    *("amount", "currency", "provider", "service", "account_id", "charge_period", "tags"),
    *("billing_period", "category", "correction", "service_category", "description"),
    *("account_name", "invoice_id", "region", "resource", "tokens", "extra"),
]

texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30
).filter(lambda text: text.strip() and text != "NULL")
some_text = st.none() | texts
amounts = st.builds(Exact, st.integers(-(2**63) + 1, 2**63 - 1), st.integers(0, 10**9 - 1))
quantities = st.none() | st.builds(
    Quantity,
    st.decimals("-1e20", "1e20", allow_nan=False, allow_infinity=False, places=18),
    texts,
)
seconds = st.integers(0, 10**9)
periods = st.builds(
    lambda start, length: Period(
        BEGINNING + timedelta(seconds=start), BEGINNING + timedelta(seconds=start + length + 1)
    ),
    seconds, seconds,
)  # fmt: skip
categories = st.sampled_from(sorted(SUBCATEGORIES))
charges = st.builds(
    FocusCharge,
    amount=amounts,
    currency=st.text("ABCXYZ", min_size=3, max_size=3),
    provider=texts,
    service=texts,
    account_id=texts,
    charge_period=periods,
    billing_period=periods,
    category=st.sampled_from(BY_NAME["ChargeCategory"].allowed),
    correction=st.booleans(),
    service_category=categories,
    service_subcategory=st.none() | st.sampled_from(BY_NAME["ServiceSubcategory"].allowed),
    description=some_text,
    frequency=st.none() | st.sampled_from(BY_NAME["ChargeFrequency"].allowed),
    account_name=some_text,
    sub_account_id=some_text,
    sub_account_name=some_text,
    publisher=some_text,
    invoice_issuer=some_text,
    invoice_id=some_text,
    region=some_text,
    resource=some_text,
    sku=some_text,
    consumed=quantities,
    priced=quantities,
    tags=st.dictionaries(
        texts, st.none() | st.booleans() | st.text(st.characters(exclude_categories=["C"]))
    ),
    tokens=st.dictionaries(
        st.sampled_from(sorted(focus_columns.TOKEN_COLUMNS)), st.integers(1, 10**12)
    ),
    extra=st.fixed_dictionaries({"x_Team": texts}),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(charges, max_size=3))
def test_what_was_written_is_read_again(sold: list[FocusCharge]) -> None:
    """A file says the same after being read and written; the first time what is unknown is filled
    in as FOCUS wants it, and nothing that is known changes."""
    text = written(*sold, extra=("x_Team",))
    again = read_again(text)
    assert written(*again, extra=("x_Team",)) == text
    assert read_again(written(*again, extra=("x_Team",))) == again
    for before, after in zip(sold, again, strict=True):
        assert [getattr(before, name) for name in KEPT] == [getattr(after, name) for name in KEPT]
