"""FOCUS bills become items: whole or not at all, once, and exact to the last decimal."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from billing_plugin import Actor, Billing, errors, operations
from billing_plugin.operations import FocusImport, focus
from billing_plugin.operations.item_filters import ItemFilter, SpendFilter
from tests.books import complaints, everything
from tests.focus_files import good_file

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "focus-1.0-sample.csv"
SEPTEMBER = SpendFilter(since=date(2024, 9, 1), until=date(2024, 9, 30))


def taken_in(actor: Actor, text: str | bytes, **said: Any) -> FocusImport:
    raw = text if isinstance(text, bytes) else text.encode()
    return operations.import_focus(actor, str(actor.account_id), io.BytesIO(raw), **said)


def listed(actor: Actor, **said: Any) -> list[Any]:
    return operations.list_items(actor, str(actor.account_id), ItemFilter(**said), limit=1000)


def test_a_row_becomes_an_item_that_says_all_of_it(actor: Actor) -> None:
    done = taken_in(actor, good_file({"BilledCost": "0.00000000012", "ChargeDescription": "Chat"}))
    assert (done.rows, done.created, done.totals["USD"].text("USD")) == (1, 1, "0.00000000012")
    [item] = listed(actor)
    assert (item.name, item.description, item.source, item.adapter) == (
        "Chat", "Chat", "focus", "focus",
    )  # fmt: skip
    assert (item.provider, item.service_id, item.day) == ("OpenAI", "gpt-4o", "2026-01-01")
    assert item.amount.text("USD") == "0.00000000012"
    assert item.tags == ["team=a", "pinned"]
    assert item.usage == {"amount": "500000.0", "unit": "Tokens", "sku_id": "gpt-4o"}
    assert item.meta["ChargePeriodEnd"] == "2026-01-02T00:00:00.000000Z"
    assert item.meta["ServiceCategory"] == "AI and Machine Learning"
    assert not item.recurring


def test_the_same_file_changes_nothing_and_a_longer_one_adds_what_is_new(
    billing: Billing, actor: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(focus, "BATCH", 2)
    rows = [{"BilledCost": f"{n}.5"} for n in (1, 2, 3, 1)]
    seen: list[int] = []
    first = taken_in(actor, good_file(*rows), progress=lambda so_far: seen.append(so_far.done))
    assert (first.created, first.updated, first.unchanged, seen) == (4, 0, 0, [2, 4])
    before = everything(billing)
    again = taken_in(actor, good_file(*rows))
    assert (again.created, again.updated, again.unchanged) == (0, 0, 4)
    after = everything(billing)
    assert {name for name in after if after[name] != before[name]} <= {"audit"}
    longer = taken_in(actor, good_file(*rows, {"BilledCost": "1.5"}, {"BilledCost": "9.0"}))
    assert (longer.created, longer.unchanged, len(listed(actor))) == (2, 4, 6)
    assert complaints(billing) == []


def test_what_was_interrupted_goes_on(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(focus, "BATCH", 1)
    rows = [{"BilledCost": f"{n}.5"} for n in (1, 2, 3)]

    def stop(so_far: FocusImport) -> None:
        if so_far.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taken_in(actor, good_file(*rows), progress=stop)
    assert len(listed(actor)) == 2
    done = taken_in(actor, good_file(*rows))
    assert (done.created, done.unchanged) == (1, 2)


WRONG = {
    "BilledCost": {"BilledCost": "1,5"},
    "BillingCurrency": {"BillingCurrency": "dollars"},
    "ChargePeriodStart": {"ChargePeriodStart": "yesterday"},
    "Tags": {"Tags": "{"},
}


@pytest.mark.parametrize("column", WRONG)
def test_with_a_wrong_row_nothing_is_stored(billing: Billing, actor: Actor, column: str) -> None:
    before = everything(billing)
    with pytest.raises(errors.InvalidRequest) as refused:
        taken_in(actor, good_file({}, WRONG[column]))
    assert refused.value.code == "unreadable_file"
    assert (refused.value.extra["line"], refused.value.extra["column"]) == (3, column)
    assert everything(billing) == before


def test_a_row_that_could_not_be_an_item_is_named(billing: Billing, actor: Actor) -> None:
    tags = ", ".join(f'"key {n}": "value"' for n in range(101))
    with pytest.raises(errors.InvalidRequest, match="Line 3: An item has at most 100 tags"):
        taken_in(actor, good_file({}, {"Tags": f"{{{tags}}}"}))
    assert listed(actor) == []


@pytest.mark.parametrize("raw", [b"", good_file().encode("utf-16"), b"a,b\n1,2\n"])
def test_what_is_no_focus_file_is_refused(actor: Actor, raw: bytes) -> None:
    with pytest.raises(errors.InvalidRequest):
        taken_in(actor, raw)


def test_a_file_that_is_read_only_once_is_refused(actor: Actor) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(errors.InvalidRequest, match="twice"):
        operations.import_focus(actor, str(actor.account_id), Pipe(b""))


@pytest.mark.skipif(not SAMPLE.exists(), reason="the reference data is not here")
def test_a_real_bill_is_reported_to_the_last_decimal(billing: Billing, actor: Actor) -> None:
    account_id = str(actor.account_id)
    with SAMPLE.open("rb") as file:
        done = operations.import_focus(actor, account_id, file)
    assert (done.rows, done.created) == (1000, 1000)
    [total] = operations.summarize(actor, account_id, SEPTEMBER).totals
    assert (total.amount.text("USD"), total.cents, total.count) == ("20.52022672899", 2052, 1000)
    [share] = operations.break_down(actor, account_id, SEPTEMBER, by="provider").currencies
    assert [(part.key, part.amount.text("USD"), part.count) for part in share.parts] == [
        ("AWS", "18.0066386184", 942),
        ("Microsoft", "1.97651418586", 51),
        ("Oracle", "0.53707392473", 7),
    ]
    for by in ("service", "tag"):
        [share] = operations.break_down(actor, account_id, SEPTEMBER, by=by).currencies
        assert len(share.parts) > 20
    assert complaints(billing) == []
    with SAMPLE.open("rb") as file:
        again = operations.import_focus(actor, account_id, file)
    assert (again.unchanged, again.created, again.updated) == (1000, 0, 0)
