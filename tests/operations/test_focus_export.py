"""FOCUS files of what is stored: every rule kept, and the totals those of the reports."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models import spend_rows
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, SpendFilter, Usage
from billing_plugin.operations.focus_reading import FocusRow, focus_lines, read_focus
from billing_plugin.operations.item_filters import EVERY_SOURCE
from tests.factories import START, account_with
from tests.focus_rules import complaints

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "focus-1.0-sample.csv"
EVERYTHING = SpendFilter(sources=EVERY_SOURCE)
MARCH = SpendFilter(since=date(2026, 3, 1), until=date(2026, 3, 31), sources=EVERY_SOURCE)
Totals = dict[str, Exact]


def exported(actor: Actor, chosen: SpendFilter = EVERYTHING) -> tuple[str, Totals]:
    """The file, held against the rules, and the totals that were counted while it was written."""
    file = io.BytesIO()
    done = operations.export_focus(actor, str(actor.account_id), file, chosen=chosen)
    text = file.getvalue().decode()
    assert complaints(text) == []
    assert len(rows_in(text)) == done.rows
    return text, done.totals


def rows_in(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


def totals_in(text: str) -> Totals:
    """By an independent reader: the sum of BilledCost by currency."""
    found: Totals = {}
    for row in rows_in(text):
        amount = Exact.parse(row["BilledCost"])
        found[row["BillingCurrency"]] = found.get(row["BillingCurrency"], Exact(0)) + amount
    return found


def reported(actor: Actor, chosen: SpendFilter = EVERYTHING) -> Totals:
    summary = operations.summarize(actor, str(actor.account_id), chosen)
    return {total.currency: total.amount for total in summary.totals}


def by(actor: Actor, what: str, chosen: SpendFilter = EVERYTHING) -> dict[Any, Any]:
    found = operations.break_down(actor, str(actor.account_id), chosen, by=what)
    return {
        (share.total.currency, part.key): (part.amount, part.count)
        for share in found.currencies
        for part in share.parts
    }


def imported(actor: Actor, text: str) -> None:
    operations.import_focus(actor, str(actor.account_id), io.BytesIO(text.encode()))


def enter(actor: Actor, units: str, **said: Any) -> None:
    draft = ItemDraft(said.pop("name", "Disk"), Exact.parse(units), **said)
    operations.create_item(actor, str(actor.account_id), draft)


def use(actor: Actor, units: str, **said: Any) -> str:
    used = Usage(said.pop("model", "gpt-4o"), cost=Money.parse(units), **said)
    outcome = operations.record_usage(actor, str(actor.account_id), used)
    assert outcome.record
    return outcome.record.entry_id


def mixed(actor: Actor) -> None:
    """Items of persons and metered uses, among them a refund and a category."""
    account = str(actor.account_id)
    operations.create_category(actor, account, "Cloud")
    enter(actor, "10.50", name="=1+1", tags=["prod", "team=a", "team=b", "a=b=c", "=x", "x="])
    enter(actor, "0.000000000000000001", currency="EUR", category="Cloud", provider="NULL")
    enter(actor, "-3", recurring=True, period="monthly", service_id=" p ", description='"a",\r\nb')
    enter(actor, "0", usage={"amount": 1.5, "unit": "h", "sku_id": "s"}, meta=JUNK)
    enter(actor, "7", usage={"amount": "many", "unit": "h"}, date=START - timedelta(days=40))
    use(actor, "0.000000001", input_tokens=1000, output_tokens=20, provider="openai")
    entry = use(actor, "2", metadata={"team": "a"})
    operator = operations.operator(actor.instance)
    operations.refund_charge(operator, account, entry, amount=Money.parse("0.5"))


JUNK = {
    "ChargeCategory": "Foo", "ChargeFrequency": "Never", "ChargePeriodEnd": "yesterday",
    "BillingPeriodStart": "2026-03-01T00:00:00Z", "ServiceCategory": "Foo",
    "ServiceSubcategory": "Bar", "BillingAccountId": "NULL", "PricingQuantity": "1e999",
    "PricingUnit": "h", "x_InputTokens": -1, "x_OutputTokens": True, "InvoiceId": 1,
}  # fmt: skip


def test_whatever_is_stored_keeps_every_rule_and_every_decimal(actor: Actor) -> None:
    mixed(actor)
    for chosen in (EVERYTHING, MARCH, SpendFilter(), SpendFilter(sources=["metered"])):
        text, counted = exported(actor, chosen)
        assert totals_in(text) == counted == reported(actor, chosen)
    assert len(rows_in(exported(actor)[0])) == 8
    assert reported(actor)["EUR"] == Exact(0, 1)


FILTERS = {
    "provider": {"provider": "openai"},
    "no provider": {"provider": ""},
    "service": {"service": "gpt-4o"},
    "category": {"category": "cloud"},
    "no category": {"category": ""},
    "one day": {"since": START.date(), "until": START.date()},
    "an end": {"until": START.date() - timedelta(days=1)},
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("sources", [("manual",), ("metered",), EVERY_SOURCE])
def test_a_filter_means_what_it_means_in_reports(
    actor: Actor, name: str, sources: tuple[str, ...]
) -> None:
    mixed(actor)
    chosen = SpendFilter(**FILTERS[name], sources=sources)  # type: ignore[arg-type]  # by name
    text, _ = exported(actor, chosen)
    assert totals_in(text) == reported(actor, chosen)


def test_a_metered_use_says_its_tokens_and_a_refund_corrects(actor: Actor) -> None:
    mixed(actor)
    text, _ = exported(actor, SpendFilter(sources=["metered"]))
    [use, other, refund] = sorted(rows_in(text), key=lambda row: Exact.parse(row["BilledCost"]))
    if refund["ChargeClass"] == "NULL":
        use, other, refund = other, refund, use
    assert (use["x_InputTokens"], use["x_OutputTokens"], use["x_ReasoningTokens"]) == (
        "1000", "20", "NULL",
    )  # fmt: skip
    assert (use["ConsumedQuantity"], use["ConsumedUnit"], use["SkuId"]) == (
        "1020.0", "Tokens", "gpt-4o",
    )  # fmt: skip
    assert (use["ProviderName"], use["x_Source"], use["ServiceSubcategory"]) == (
        "openai", "metered", "Generative AI",
    )  # fmt: skip
    assert (refund["BilledCost"], refund["ChargeClass"]) == ("-0.5", "Correction")
    assert other["ChargeClass"] == "NULL"


def test_an_item_says_what_a_person_said(actor: Actor) -> None:
    mixed(actor)
    text, _ = exported(actor, SpendFilter())
    rows = {row["BilledCost"]: row for row in rows_in(text)}
    first, euro, back, free = (rows[c] for c in ("10.5", "0.000000000000000001", "-3.0", "0.0"))
    assert first["ChargeDescription"] == "=1+1"  # FOCUS forbids to change a text
    assert first["Tags"] == (
        '{"=x": true, "a": "b=c", "prod": true, "team": "a", "team=b": true, "x": ""}'
    )
    assert (first["ProviderName"], first["BillingPeriodStart"], first["BillingPeriodEnd"]) == (
        "Unknown", "2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z",
    )  # fmt: skip
    assert (first["ChargePeriodStart"], first["ChargePeriodEnd"]) == (
        "2026-03-09T14:32:00Z", "2026-03-10T00:00:00Z",
    )  # fmt: skip
    assert (euro["x_Category"], euro["ProviderName"]) == ("Cloud", "Unknown")
    assert (back["ChargeCategory"], back["ChargeFrequency"]) == ("Credit", "Recurring")
    assert (back["ChargeDescription"], back["ServiceName"]) == ('"a",\r\nb', " p ")
    assert (free["ConsumedQuantity"], free["ConsumedUnit"], free["SkuId"]) == ("1.5", "h", "s")
    assert (free["ChargeCategory"], free["x_InputTokens"]) == ("Usage", "NULL")


def test_into_an_empty_account_and_no_total_changes(billing: Billing, actor: Actor) -> None:
    mixed(actor)
    other = account_with(billing)
    text, _ = exported(actor)
    imported(other, text)
    assert reported(other) == reported(actor)
    items_alone, _ = exported(actor, SpendFilter())
    third = account_with(billing)
    imported(third, items_alone)
    assert by(third, "tag") == by(actor, "tag", SpendFilter())
    assert by(third, "recurring") == by(actor, "recurring", SpendFilter())
    again, _ = exported(third)
    assert exported(_filled(billing, again))[0].count("\n") == again.count("\n")


def _filled(billing: Billing, text: str) -> Actor:
    made = account_with(billing)
    imported(made, text)
    return made


@pytest.mark.skipif(not SAMPLE.exists(), reason="the reference data is not here")
def test_a_real_bill_goes_out_as_it_came_in(billing: Billing, actor: Actor) -> None:
    raw = SAMPLE.read_bytes()
    operations.import_focus(actor, str(actor.account_id), io.BytesIO(raw))
    text, totals = exported(actor)
    assert totals["USD"].text("USD") == "20.52022672899"
    assert totals_in(text) == totals == reported(actor)
    before = facts_of(read_focus(focus_lines(io.BytesIO(raw))))
    assert facts_of(read_focus(focus_lines(io.BytesIO(text.encode())))) == before
    other = _filled(billing, text)
    for what in ("provider", "service", "tag", "recurring"):
        assert by(other, what) == by(actor, what)
    assert sorted(exported(other)[0].splitlines()) == sorted(text.splitlines())


def facts_of(rows: Iterable[FocusRow]) -> list[str]:
    """What the rows say, in an order of their own: all but our columns, and the description,
    which an item has always."""
    return sorted(repr(sorted(_facts(row).items())) for row in rows)


def _facts(row: FocusRow) -> dict[str, Any]:
    names = set(FocusRow.__dataclass_fields__) - {"line", "id", "extra", "description"}
    facts = {name: getattr(row, name) for name in names}
    for name in ("consumed", "priced"):
        if quantity := facts[name]:
            facts[name] = (quantity.amount.normalize(), quantity.unit)
    return {**facts, "tags": sorted(row.tags.items())}


def test_tokens_that_were_imported_are_exported(billing: Billing, actor: Actor) -> None:
    use(actor, "0.25", input_tokens=7, cache_read_tokens=3)
    text, _ = exported(actor)
    other = _filled(billing, text)
    [row] = rows_in(exported(other)[0])
    assert (row["x_InputTokens"], row["x_CacheReadTokens"]) == ("7", "3")
    assert (row["ConsumedQuantity"], row["x_Source"]) == ("7.0", "focus")


AMOUNTS = st.builds(
    Exact, st.integers(-(10**12), 10**12), st.sampled_from([0, 1, 5 * 10**8, 10**9 - 1])
)
LETTERS = st.characters(exclude_characters="\0", codec="utf-8")
TEXTS = st.one_of(
    st.none(),
    st.text(LETTERS, min_size=1, max_size=9).filter(str.strip),
    st.sampled_from(["NULL", "=1", "a,b", '"', "\r\n x"]),
)
DATES = st.datetimes(datetime(2026, 2, 1), datetime(2026, 4, 30), timezones=st.just(UTC))
SAID = st.fixed_dictionaries({
    "name": st.sampled_from(["a", "NULL", "é\n"]), "amount": AMOUNTS, "date": DATES,
    "currency": st.sampled_from(["USD", "EUR", "JPY"]), "provider": TEXTS, "service_id": TEXTS,
    "description": TEXTS, "recurring": st.booleans(),
    "tags": st.lists(st.sampled_from(["a", "a=", "a=1", "=", "b=NULL", "a=1=2"]), max_size=4),
})  # fmt: skip
DRAFTS = st.lists(SAID.map(lambda said: ItemDraft(**said)), max_size=8)


@settings(
    max_examples=25, deadline=None, database=None, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(drafts=DRAFTS)
def test_any_items_add_up_to_the_report_and_survive_the_round_trip(
    billing: Billing, drafts: list[ItemDraft]
) -> None:
    actor = account_with(billing)
    for draft in drafts:
        operations.create_item(actor, str(actor.account_id), draft)
    for chosen in (EVERYTHING, MARCH):
        assert totals_in(exported(actor, chosen)[0]) == reported(actor, chosen)
    other = _filled(billing, exported(actor)[0])
    assert reported(other) == reported(actor)
    assert reported(other, MARCH) == reported(actor, MARCH)
    assert by(other, "tag") == by(actor, "tag")
    assert _days(other) == _days(actor)


def _days(actor: Actor) -> list[Any]:
    found = operations.trend(actor, str(actor.account_id), EVERYTHING, interval="day")
    return [(one.total, one.parts) for one in found.currencies]


def test_a_long_list_is_read_page_by_page(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed(actor)
    whole, _ = exported(actor)
    monkeypatch.setattr(spend_rows, "PAGE", 2)
    assert exported(actor)[0] == whole


class Meddled(io.BytesIO):
    """A file; somebody else enters an item as soon as the first line is in it."""

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        self.meddlers = [Thread(target=enter, args=(actor, "5"))]

    def write(self, line: Any) -> int:
        while self.meddlers:
            meddler = self.meddlers.pop()
            meddler.start()
            meddler.join()
        return super().write(line)


def test_a_file_is_as_of_one_moment(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    mixed(actor)
    monkeypatch.setattr(spend_rows, "PAGE", 1)
    before, file = reported(actor), Meddled(actor)
    operations.export_focus(actor, str(actor.account_id), file, chosen=EVERYTHING)
    assert totals_in(file.getvalue().decode()) == before != reported(actor)


def test_the_scope_of_uses_is_needed_where_they_are_named(billing: Billing, actor: Actor) -> None:
    account = str(actor.account_id)
    reader = billing.actor(account, scopes=frozenset({"items:read"}))
    operations.export_focus(reader, account, io.BytesIO())
    with pytest.raises(errors.Forbidden, match="reports:read"):
        operations.export_focus(reader, account, io.BytesIO(), chosen=EVERYTHING)


def test_what_is_not_there_is_refused(billing: Billing, actor: Actor) -> None:
    account = str(actor.account_id)
    file = io.BytesIO()
    for chosen in (SpendFilter(category="nobody"), EVERYTHING):
        asker = actor if chosen.category else billing.operator()
        named = account if chosen.category else "acct_nobody"
        with pytest.raises(errors.NotFound):
            operations.export_focus(asker, named, file, chosen=chosen)
    assert file.getvalue() == b""
