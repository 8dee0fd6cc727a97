"""Costs: the figures are those of REST, to the last digit; each with what it is about."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dashboard.figures import units
from billing_plugin.operations import Usage
from tests.dashboard.reader import Element, Visitor, amounts, enter, rows
from tests.dialects.faces import data
from tests.dialects.routes import NATIVE
from tests.factories import START, Caller, token_of

# queries of the page, and what REST is asked for the same
SAME = {
    "period=all": "",
    "period=this-month": "from=2026-03-01&to=2026-03-31",
    "": "from=2026-03-01&to=2026-03-31",
    "from=2026-02-20&to=2026-03-05": "from=2026-02-20&to=2026-03-05",
    "period=last-month&to=": "from=2026-02-01&to=2026-02-28",
    "period=all&provider=openai": "provider=openai",
    "period=all&category=Cloud": "category=Cloud",
    "period=all&service=s3&source=manual": "service=s3&source=manual",
    "period=all&source=metered": "source=metered",
    "period=all&source=everything": "source=manual,sync,focus,metered",
    "from=2030-01-01": "from=2030-01-01",
}
BY = ("provider", "category", "service", "recurring", "tag")


@pytest.fixture
def call(billing: Billing, actor: Actor, app: Flask) -> Caller:
    """REST, on the same host."""
    return Caller(app, token_of(billing, actor))


@pytest.fixture(autouse=True)
def entered(actor: Actor) -> None:
    account = str(actor.account_id)
    top = operations.create_category(actor, account, "Cloud")
    operations.create_category(actor, account, "AI", parent=top.id)
    for number, (provider, service, category) in enumerate((
        ("openai", "gpt-4o", "AI"), ("openai", "o3", "AI"), ("aws", "s3", "Cloud"),
        ("aws", "ec2", None), (None, None, None), ("github", "copilot", None),
        ("aws", "s3", "Cloud"),
    )):  # fmt: skip
        enter(
            actor, f"{number * 7}.{number}04000{number}01", provider=provider, service_id=service,
            category=category, date=START - timedelta(days=number * 5),
            tags=["x", "y"][: number % 3], recurring=number == 2,
        )  # fmt: skip
    enter(actor, "-3.335", provider="aws", service_id="s3", tags=["credit"])
    enter(actor, "12.001", currency="EUR", provider="openai")
    enter(actor, "900", currency="JPY", provider="openai")
    for cost in ("0.123456789", "1.5"):
        operations.record_usage(actor, account, Usage("m", "openai", cost=Money.parse(cost)))


def sections(page: Element) -> dict[str, Element]:
    """What is said of each currency."""
    return {one["aria-labelledby"].removeprefix("total-"): one for one in page.all("section")}


def rest(call: Caller, report: str, query: str) -> tuple[Any, Any]:
    response = call("GET", f"{NATIVE}/reports/{report}?{query}")
    return data(response), response.json["meta"]


def shown(amount: dict[str, Any], currency: str, rule: str) -> str:
    """The words for an amount that REST tells so."""
    rounded = units(amount["amount"], currency)
    beside = "" if rounded == amount["amountExact"] else f" ≈ {rounded} {rule}"
    return f"{amount['amountExact']} {currency}{beside}"


@pytest.mark.parametrize("query", SAME)
def test_totals_are_those_of_rest(call: Caller, person: Visitor, query: str) -> None:
    found = sections(person.see(f"/costs?{query}"))
    _, meta = rest(call, "summary", SAME[query])
    told = {meta["currency"], *meta["otherCurrencies"]} if found else set()
    for currency in told:
        total, _ = rest(call, "summary", f"{SAME[query]}&currency={currency}")
        if total["itemCount"]:
            whole = {"amount": total["totalAmount"], "amountExact": total["totalExact"]}
            line = " ".join(found[currency].all("p")[0].text.split())
            assert line.startswith(shown(whole, currency, "half-even") + " in ")
            assert f"in {total['itemCount']} line" in line
        assert (currency in found) is bool(total["itemCount"])
    assert set(found) <= told
    assert bool(found) is (query != "from=2030-01-01")


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("query", ["period=all", "period=all&source=everything", ""])
def test_parts_are_those_of_rest(call: Caller, person: Visitor, query: str, by: str) -> None:
    page = person.see(f"/costs?{query}&by={by}")
    assert len(sections(page)) == 3
    for currency, section in sections(page).items():
        parts, _ = rest(call, "breakdown", f"{SAME[query]}&currency={currency}&by={by}")
        rule = "half-even" if by == "tag" else "adding up"
        assert rows(section.all("table")[0]) == [
            [
                part["key"], "", shown(part, currency, rule),
                "none" if part["percentage"] is None else f"{part['percentage']} %",
                str(part["count"]),
            ]
            for part in parts
        ]  # fmt: skip
        assert ("more than the whole" in section.text) is (by == "tag")


@pytest.mark.parametrize("interval", ["day", "week", "month"])
def test_steps_are_those_of_rest(call: Caller, person: Visitor, interval: str) -> None:
    page = person.see(f"/costs?period=all&interval={interval}")
    for currency, section in sections(page).items():
        steps, _ = rest(call, "trend", f"currency={currency}&interval={interval}")
        assert rows(section.all("table")[1]) == [
            [step["date"], shown(step, currency, "adding up"), str(step["count"])] for step in steps
        ]
        chart = section.all("figure")[0]
        assert [one.text for one in chart.all("rect")] == [
            f"{one['date']}: {one['amountExact']} {currency}" for one in steps
        ]
        assert chart.all("desc")[0].text.startswith(f"Columns from {steps[0]['date']} to")


def test_a_figure_says_what_it_is_about(person: Visitor, actor: Actor) -> None:
    page = person.see("/costs?source=metered")
    (basis,) = [one for one in page.all("p") if one["class"] == "basis"]
    assert " ".join(basis.text.split()) == (
        "2026-03-01 to 2026-03-31, UTC days, both included · sources metered ·"
        f" account {actor.account_id} · as of 2026-03-09 14:32:00 UTC"
    )
    assert "may be the same money" not in page.text
    assert "may be the same money" in person.see("/costs?source=everything").text


@pytest.mark.parametrize(
    "query", ["", "period=all&source=everything", "period=all&source=metered", "from=2030-01-01"]
)
def test_it_says_what_it_rests_on(call: Caller, person: Visitor, actor: Actor, query: str) -> None:
    operations.connect(actor, str(actor.account_id), "fake", credentials={"api_key": "k"})
    (said,) = person.see(f"/costs?{query}").all("p", **{"class": "quiet coverage"})
    _, meta = rest(call, "summary", SAME[query])
    assert said.text == f"Rests on {meta['coverage']['text']}"
    assert "0 of 1 providers (nothing from fake)" in said.text


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("period=all", "all days, UTC"),
        ("from=2026-03-01", "from 2026-03-01 on, UTC days"),
        ("to=2026-03-01", "until 2026-03-01, UTC days"),
    ],
)
def test_days_without_an_end_are_said_so(person: Visitor, query: str, words: str) -> None:
    assert f'<p class="basis">{words} ·' in person.get(f"/costs?{query}").text


def test_the_form_remembers_what_was_asked(person: Visitor) -> None:
    query = "from=2026-02-01&to=2026-03-01&provider=aws&by=service&interval=week&source=manual"
    form = person.see(f"/costs?{query}").all("form")[0]
    assert form["method"] == "get"
    for name, value in (pair.split("=") for pair in query.split("&")):
        inputs = [one["value"] for one in form.all("input", id=name)]
        chosen = [
            option["value"]
            for select in form.all("select", id=name)
            for option in select.all("option")
            if "selected" in option.attributes
        ]
        assert inputs + chosen == [value]


def test_a_line_narrows_the_report_to_itself(person: Visitor) -> None:
    page = person.see("/costs?period=all&interval=month")
    links = [one["href"] for one in sections(page)["USD"].all("table")[0].all("a")]
    assert len(links) == 3
    narrowed = person.see(links[0].removeprefix("/billing"))
    assert narrowed.all("input", id="provider")[0]["value"] == "aws"
    assert [row[0] for row in rows(sections(narrowed)["USD"].all("table")[0])] == ["s3", "ec2"]
    items = next(one["href"] for one in narrowed.all("a") if one.text == "see the items")
    assert len(rows(person.see(items.removeprefix("/billing")).all("table")[0])) == 4


def test_nothing_spent_is_said_not_shown_as_zero(person: Visitor) -> None:
    page = person.see("/costs?from=2030-01-01")
    assert "Nothing was spent here." in page.text
    assert amounts(page.all("main")[0]) == []


def test_a_span_too_long_to_draw_has_its_table(person: Visitor) -> None:
    page = person.see("/costs?from=2020-01-01&to=2026-03-31")
    assert "Too many days to draw" in sections(page)["USD"].text
    assert len(rows(sections(page)["USD"].all("table")[1])) == 7


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("by=model", 400, "by: Must be one of"),
        ("from=2026-02-30", 400, "from: A day is written"),
        ("from=2026-03-02&to=2026-03-01", 400, "The days are out of range or out of order."),
        ("provider=a&provider=b", 400, "provider stands twice in the query."),
        ("nonsense=1", 400, "nonsense: Unknown field."),
        ("category=nothing", 404, "There is no such category."),
        ("provider=%00", 400, "NUL"),
    ],
)
def test_what_cannot_be_asked_is_said(person: Visitor, query: str, status: int, words: str) -> None:
    assert words in person.see(f"/costs?{query}", status).text


def test_all_of_a_page_is_of_one_moment(
    actor: Actor, person: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An item that comes between two questions is in none of the answers, or in all."""
    asked = operations.break_down

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        assert actor.instance.database.in_transaction()
        return asked(*arguments, **options)

    monkeypatch.setattr(operations, "break_down", meanwhile)
    person.see("/costs?period=all")
