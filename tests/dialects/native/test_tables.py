"""Native: every list and report as a file: all rows, exact, and nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, Usage
from tests.dialects.faces import assert_refused, data
from tests.dialects.routes import NATIVE
from tests.factories import Caller
from tests.operations.spending import before, enter

IN_PAGES = ("items", "usage", "ledger", "holds", "changes", "raises", "prices")
LISTS = (*IN_PAGES, "categories")
REPORTS = (
    "reports/summary", "reports/breakdown?by=tag", "reports/trend?interval=day",
    "reports/forecast", "reports/run-out?coverage=90",
)  # fmt: skip
EVIL = "=cmd|' /C calc'!A0"


@pytest.fixture(autouse=True)
def filled(billing: Billing, actor: Actor) -> None:
    account = str(actor.account_id)
    operations.create_category(actor, account, EVIL)
    draft = ItemDraft(
        EVIL, Exact.parse("-10.000000000000000005"), tags=[EVIL, "b"], provider="@p",
        description="+1+1", category=EVIL, meta={"share": 0.5, "=a": True},
    )  # fmt: skip
    operations.create_item(actor, account, draft)
    used = Usage("-m", cost=Money.parse("0.000000001"), metadata={"a": "=1"}, provider="+p")
    operations.record_usage(actor, account, used)
    operations.hold(actor, account, Money.parse("0.000000001"), model="=m", metadata={"a": "=1"})
    limit = operations.set_limit(actor, account, Money.parse("1000")).limit
    dollar = Money.parse("1")
    operations.request_limit_raise(actor, account, limit.id, amount=dollar, lasts_s=60, reason=EVIL)
    operations.set_price(billing.operator(), "p", "@m", prices={"input_tokens": "0.000000000001"})


def table(call: Caller, path: str) -> tuple[Any, list[dict[str, str]]]:
    """The answer, and its rows."""
    response = call("GET", f"{NATIVE}/{path}{'&' if '?' in path else '?'}format=csv")
    return response, rows_of(response)


def rows_of(response: Any) -> list[dict[str, str]]:
    """The rows of a file, which is one that no spreadsheet runs."""
    assert (response.status_code, response.content_type) == (200, "text/csv; charset=utf-8")
    assert int(response.headers["Content-Length"]) == len(response.data)
    cells = list(csv.reader(io.StringIO(response.text, newline=""), strict=True))
    for cell in (cell for row in cells for cell in row):
        assert not cell.startswith(("=", "+", "@", "\t", "\r", "\n"))
        assert not cell.startswith("-") or Exact.parse(cell)
    header, *rows = cells
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.mark.parametrize("path", [*LISTS, *REPORTS])
def test_a_file_shows_what_is_shown(call: Caller, path: str) -> None:
    told = data(call("GET", f"{NATIVE}/{path}"))
    _, rows = table(call, path)
    assert len(rows) == (len(told) if isinstance(told, list) else 1)
    first = told[0] if isinstance(told, list) else told
    names = {name.partition(".")[0] for name in rows[0]}
    assert set(first) <= names


FILES = {
    **{name: name for name in LISTS}, "reports/summary": "summary",
    "reports/breakdown": "by-provider", "reports/trend": "by-month",
    "reports/forecast": "forecast", "reports/run-out": "run-out",
    "reports/anomalies": "anomalies", "reports/recurring": "recurring",
}  # fmt: skip


@pytest.mark.parametrize("path", FILES)
def test_a_file_has_a_name_and_json_is_no_file(call: Caller, path: str) -> None:
    response, _ = table(call, path)
    told = f'attachment; filename="{FILES[path]}.csv"'
    assert response.headers["Content-Disposition"] == told
    plain = call("GET", f"{NATIVE}/{path}?format=json")
    assert data(plain) == data(call("GET", f"{NATIVE}/{path}"))
    assert "Content-Disposition" not in plain.headers


def test_the_exact_amount_and_its_cents_are_there(call: Caller) -> None:
    _, [item] = table(call, "items")
    assert (item["amount"], item["amountExact"]) == ("-1000", "-10.000000000000000005")
    assert (item["name"], item["currency"], item["source"]) == (f"'{EVIL}", "USD", "manual")
    assert (item["tags"], item["recurring"]) == (f'["{EVIL}", "b"]', "false")
    assert (item["meta"], item["period"]) == ('{"=a": true, "share": 0.5}', "")
    assert item["date"] == "2026-03-09T14:32:00Z"
    _, [use] = table(call, "usage")
    assert (use["cost.amount"], use["cost.cents"], use["cost.currency"]) == (
        "0.000000001", "0", "USD",
    )  # fmt: skip
    _, [charge, _credit] = table(call, "ledger")
    assert (charge["amount.amount"], charge["balanceAfter.cents"]) == ("-0.000000001", "9999")
    _, [total] = table(call, "reports/summary")
    assert (total["totalAmount"], total["totalExact"]) == ("-1000", "-10.000000000000000005")
    _, parts = table(call, "reports/breakdown?by=tag")
    assert [(one["key"], one["currency"], one["percentage"]) for one in parts] == [
        (f"'{EVIL}", "USD", "100"), ("b", "USD", "100"),
    ]  # fmt: skip


@pytest.mark.parametrize("report", ["summary", "breakdown", "trend"])
def test_each_line_of_a_report_says_what_it_is_about(call: Caller, report: str) -> None:
    query = "from=2026-03-01&to=2026-03-09&source=metered,manual&provider=%2Bp"
    meta = call("GET", f"{NATIVE}/reports/{report}?{query}").json["meta"]
    _, rows = table(call, f"reports/{report}?{query}")
    assert len(rows) == 1
    about = {
        "from": "2026-03-01", "to": "2026-03-09", "zone": "UTC", "currency": "USD",
        "sources": '["manual", "metered"]', "scope": '{"provider": "+p"}', "otherCurrencies": "[]",
        "asOf": "2026-03-09T14:32:00Z", "coverage": meta["coverage"]["text"], "partitions": "true",
    }  # fmt: skip
    assert about.items() <= rows[0].items()
    assert "100.0 % of metered spend priced" in about["coverage"]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_a_list_is_whole_whatever_its_pages(
    call: Caller, actor: Actor, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("billing_plugin.dialects.native.items.MAX_PAGE", size)
    enter(actor, "1", *before(4), name="n")
    _, rows = table(call, "items")
    told = data(call("GET", f"{NATIVE}/items?limit=1000"))
    assert [row["id"] for row in rows] == [one["id"] for one in told]
    _, few = table(call, "items?provider=p&tags=x")
    assert few == []


def test_more_than_a_page_of_uses_and_entries(call: Caller, actor: Actor) -> None:
    account = str(actor.account_id)
    uses = [operations.Submission(Usage("m", cost=Money.parse("0.01"))) for _ in range(230)]
    operations.record_usage_batch(actor, account, uses)
    for _ in range(101):
        operations.record_usage(actor, account, Usage("m", cost=Money.parse("0.01")))
    _, rows = table(call, "usage")
    assert len({row["id"] for row in rows}) == len(rows) == 332
    _, entries = table(call, "ledger")
    numbers = [int(row["sequence"]) for row in entries]
    assert numbers == list(range(len(numbers), 0, -1))
    _, today = table(call, "usage?from=2026-03-10&to=2026-03-10")
    assert today == []


def test_what_is_kept_about_an_account_is_there(call: Caller) -> None:
    _, [hold] = table(call, "holds?status=open")
    assert (hold["model"], hold["metadata"], hold["captured.amount"]) == ("'=m", '{"a": "=1"}', "")
    assert (hold["amount.amount"], hold["amount.currency"]) == ("0.000000001", "USD")
    _, [wish] = table(call, "raises")
    assert (wish["reason"], wish["status"], wish["amount.cents"]) == (f"'{EVIL}", "pending", "100")
    _, [price] = table(call, "prices")
    assert (price["model"], price["prices"]) == ("'@m", '{"input_tokens": "0.000000000001"}')
    assert (price["accountId"], price["validUntil"]) == ("", "")
    _, changes = table(call, "changes")
    told = data(call("GET", f"{NATIVE}/changes"))
    assert [one["id"] for one in changes] == [one["id"] for one in told]
    assert json.loads(changes[0]["after"]) == told[0]["after"]
    _, [moved, *_] = table(call, "changes?money=true")
    assert moved["action"] not in {one["action"] for one in changes}
    assert table(call, "holds?status=captured")[1] == []


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("path", ["usage", "holds", "changes"])
def test_a_list_by_ids_is_whole_whatever_its_pages(
    call: Caller, actor: Actor, monkeypatch: pytest.MonkeyPatch, path: str, size: int
) -> None:
    monkeypatch.setattr("billing_plugin.dialects.native.tables._AT_ONCE", size)
    for _ in range(3):
        operations.hold(actor, str(actor.account_id), Money.parse("1"))
        operations.record_usage(actor, str(actor.account_id), Usage("m", cost=Money.parse("1")))
    _, rows = table(call, path)
    assert [row["id"] for row in rows] == [
        one["id"] for one in data(call("GET", f"{NATIVE}/{path}"))
    ]
    assert len(rows) > 3


@pytest.mark.parametrize("path", IN_PAGES)
@pytest.mark.parametrize("page", ["limit=1", "cursor=AAAA"])
def test_a_page_of_a_file_is_refused(call: Caller, path: str, page: str) -> None:
    response = call("GET", f"{NATIVE}/{path}?format=csv&{page}")
    told = assert_refused(response, "native", 400, "VALIDATION_ERROR")
    assert list(told["fields"]) == [page.partition("=")[0]]


def test_what_is_not_found_is_refused_before_the_file_begins(call: Caller) -> None:
    for path in ("items", "reports/trend", "reports/forecast"):
        response = call("GET", f"{NATIVE}/{path}?format=csv&category=nobody")
        assert_refused(response, "native", 404, "NOT_FOUND")
