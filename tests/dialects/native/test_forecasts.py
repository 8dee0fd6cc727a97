"""Native: what is foreseen, out of the ordinary or recurring is told with what it rests on."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.dialects.native.forecasts import (
    ANOMALIES,
    FORECAST,
    RECURRING,
    RUN_OUT,
    Foreseen,
)
from tests.deeds import spend
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.native.test_tables import table
from tests.dialects.routes import NATIVE
from tests.factories import START, Caller, app_with, token_of
from tests.operations.spending import TODAY, before, enter

PATH = f"{NATIVE}/reports"
SHAPES: dict[str, Foreseen] = {
    "forecast": FORECAST, "anomalies": ANOMALIES, "recurring": RECURRING, "run-out": RUN_OUT,
}  # fmt: skip
NOTHING = {"otherCurrencies": [], "currency": "USD"}


def ask(call: Caller, report: str, query: str = "") -> tuple[Any, dict[str, Any]]:
    """The data and what it is about, both of their shapes."""
    response = call("GET", f"{PATH}/{report}?{query}")
    meta = fits(SHAPES[report].beside, response.json["meta"])
    return fits(SHAPES[report], data(response)), meta


def basis(first: str, last: str, *sources: str) -> dict[str, Any]:
    return {
        "from": first, "to": last, "scope": {}, "zone": "UTC", "asOf": "2026-03-09T14:32:00.000Z",
        "sources": list(sources or ("focus", "manual", "sync")),
    }  # fmt: skip


def test_nothing_is_foreseen_of_nothing(call: Caller) -> None:
    told, meta = ask(call, "forecast")
    assert told == {
        "spentAmount": 0, "spentExact": "0.00", "bookedAmount": 0, "bookedExact": "0.00",
        "recurringAmount": 0, "recurringExact": "0.00",
        "expectedAmount": None, "expectedExact": None, "lowAmount": None, "lowExact": None,
        "highAmount": None, "highExact": None, "reason": "too_little_history", "recurring": [],
    }  # fmt: skip
    pace = {"coverage": 80, "method": "weekday_means", "days": 0}
    assert meta == basis("2026-03-01", "2026-03-31") | NOTHING | pace


def test_a_month_is_foreseen_with_what_recurs(call: Caller, actor: Actor) -> None:
    enter(actor, "2.004", *before(60)), enter(actor, "1", TODAY, currency="EUR")
    enter(actor, "49", date(2026, 2, 20), name="Pro", recurring=True, period="monthly")
    told, meta = ask(call, "forecast", "coverage=90")
    assert (told["spentAmount"], told["spentExact"]) == (1603, "16.032")
    for name in ("low", "expected", "high"):
        assert (told[f"{name}Amount"], told[f"{name}Exact"]) == (11_112, "111.124")
    assert (told["recurringAmount"], told["recurringExact"]) == (4900, "49.00")
    assert told["recurring"] == [{
        "name": "Pro", "provider": "p", "serviceId": None, "period": "monthly", "amount": 4900,
        "amountExact": "49.00", "days": ["2026-03-20"],
    }]  # fmt: skip
    assert (meta["coverage"], meta["days"], meta["otherCurrencies"]) == (90, 60, ["EUR"])
    euros, meta = ask(call, "forecast", "currency=EUR")
    assert (euros["spentAmount"], euros["reason"]) == (100, "too_little_history")
    assert (meta["currency"], meta["otherCurrencies"]) == ("EUR", ["USD"])
    assert ask(call, "forecast", "source=sync,focus")[0]["spentAmount"] == 0


def test_days_out_of_the_ordinary(call: Caller, actor: Actor) -> None:
    assert ask(call, "anomalies") == (
        [], basis("2026-02-10", "2026-03-09") | {"leastAmount": 100, "judged": 0, "unjudged": 0},
    )  # fmt: skip
    enter(actor, "2", *before(60)[1:]), enter(actor, "30.004", date(2026, 3, 3))
    told, meta = ask(call, "anomalies")
    below = {
        "date": "2026-03-08", "currency": "USD", "direction": "below", "amount": 0,
        "amountExact": "0.00", "usualAmount": 200, "usualExact": "2.00",
    }  # fmt: skip
    above = below | {
        "date": "2026-03-03", "direction": "above", "amount": 3200, "amountExact": "32.004",
    }  # fmt: skip
    assert told == [
        one | {"provider": who, "allProviders": who is None}
        for one in (below, above)
        for who in (None, "p")
    ]
    assert (meta["judged"], meta["unjudged"]) == (56, 0)
    assert len(ask(call, "anomalies", "leastAmount=500")[0]) == 2
    _, meta = ask(call, "anomalies", "from=2026-03-01&to=2026-03-02T23:00:00Z")
    assert (meta["from"], meta["to"]) == ("2026-03-01", "2026-03-02")


def test_what_recurs(call: Caller, actor: Actor) -> None:
    _, meta = ask(call, "recurring")
    assert meta == basis("2025-03-01", "2026-03-31") | NOTHING | {
        "monthlyAmount": 0, "monthlyExact": "0.00", "yearlyAmount": 0, "yearlyExact": "0.00",
    }  # fmt: skip
    enter(actor, "10", date(2025, 6, 1), name="domain", recurring=True, period="yearly")
    enter(actor, "9", TODAY, name="seat", recurring=True, period="monthly", currency="EUR")
    told, meta = ask(call, "recurring")
    assert told == [{
        "name": "domain", "provider": "p", "serviceId": None, "period": "yearly", "amount": 1000,
        "amountExact": "10.00", "last": "2025-06-01", "due": "2026-06-01",
    }]  # fmt: skip
    assert (meta["yearlyAmount"], meta["monthlyAmount"]) == (1000, 83)
    assert (meta["monthlyExact"], meta["otherCurrencies"]) == ("0.833333333333333333", ["EUR"])
    [euros], meta = ask(call, "recurring", "currency=EUR")
    assert (euros["name"], euros["due"], meta["yearlyExact"]) == ("seat", "2026-04-09", "108.00")


def test_until_when_the_balance_lasts(call: Caller, actor: Actor) -> None:
    for day in before(30):
        spend(actor, "3", datetime.combine(day, START.timetz()))
    told, meta = ask(call, "run-out")
    assert told == {
        "available": {"amount": "10.00", "cents": 1000, "currency": "USD"}, "reason": None,
        **dict.fromkeys(("earliest", "expected", "latest"), "2026-03-12"),
    }  # fmt: skip
    assert meta == basis("2025-09-08", "2026-03-09", "metered") | {
        "coverage": 80, "method": "weekday_means", "days": 30, "horizonDays": 365,
    }  # fmt: skip


def test_a_pace_that_is_unknown_is_no_day(call: Caller) -> None:
    told, _ = ask(call, "run-out", "coverage=50")
    assert (told["earliest"], told["expected"], told["latest"]) == (None, None, None)
    assert told["reason"] == "too_little_history"


def test_a_forecast_is_a_line_of_a_file(call: Caller, actor: Actor) -> None:
    _, [line] = table(call, "reports/forecast?coverage=90&currency=USD")
    assert (line["expectedAmount"], line["reason"]) == ("", "too_little_history")
    enter(actor, "2.004", *before(60)), enter(actor, "1", TODAY, currency="EUR")
    enter(actor, "49", date(2026, 2, 20), name="=Pro", recurring=True, period="monthly")
    told, _ = ask(call, "forecast", "coverage=90")
    _, [line] = table(call, "reports/forecast?coverage=90")
    assert json.loads(line.pop("recurring")) == told.pop("recurring")
    assert {name: line[name] for name in told} == {
        name: "" if value is None else str(value) for name, value in told.items()
    }
    assert (line["from"], line["to"], line["otherCurrencies"]) == (
        "2026-03-01", "2026-03-31", '["EUR"]',
    )  # fmt: skip
    assert (line["coverage"], line["method"], line["days"]) == ("90", "weekday_means", "60")


def test_odd_days_and_what_recurs_are_lines_of_a_file(call: Caller, actor: Actor) -> None:
    enter(actor, "2", *before(60)[1:], provider="=p")
    enter(actor, "49", date(2026, 2, 20), name="=Pro", recurring=True, period="monthly")
    _, lines = table(call, "reports/anomalies?leastAmount=150")
    assert [(one["date"], one["provider"], one["amountExact"], one["usualExact"])
            for one in lines] == [
        ("2026-03-08", "", "0.00", "2.00"), ("2026-03-08", "'=p", "0.00", "2.00"),
    ]  # fmt: skip
    assert {(one["currency"], one["leastAmount"]) for one in lines} == {("USD", "150")}
    assert [one["allProviders"] for one in lines] == ["true", "false"]
    _, [line] = table(call, "reports/recurring")
    assert (line["name"], line["amount"], line["due"], line["currency"]) == (
        "'=Pro", "4900", "2026-03-20", "USD",
    )  # fmt: skip
    assert table(call, "reports/recurring?currency=EUR")[1] == []


def test_the_day_without_balance_is_a_line_of_a_file(call: Caller) -> None:
    _, [line] = table(call, "reports/run-out?coverage=50")
    assert (line["available.amount"], line["available.cents"], line["expected"]) == (
        "100.00", "10000", "",
    )  # fmt: skip
    assert (line["reason"], line["coverage"], line["horizonDays"]) == (
        "too_little_history", "50", "365",
    )  # fmt: skip


@pytest.mark.parametrize("report", ["forecast", "anomalies", "recurring"])
def test_the_filters_are_told(call: Caller, actor: Actor, report: str) -> None:
    enter(actor, "9", TODAY, recurring=True, period="monthly")
    _, meta = ask(call, report, "provider=p")
    assert meta["scope"] == {"provider": "p"}
    _, lines = table(call, f"reports/{report}?provider=p")
    told = [] if report == "anomalies" else ['{"provider": "p"}']
    assert [one["scope"] for one in lines] == told


@pytest.mark.parametrize("report", ["forecast", "anomalies", "recurring"])
def test_reading_needs_no_other_scope(
    billing: Billing, call: Caller, actor: Actor, report: str
) -> None:
    reader = Caller(app_with(billing), token_of(billing, actor, "reports:read"))
    assert ask(reader, report) == ask(call, report)
    response = call("GET", f"{PATH}/{report}?category=nothing")
    assert_refused(response, "native", 404, "NOT_FOUND")
