"""Usage over time on the native face: dense, exact, by zone and group."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from billing_plugin import Actor, Money, operations
from billing_plugin.dialects.native.series import GROUP, Report
from billing_plugin.operations import Usage
from tests.dialects.native.test_tables import table
from tests.dialects.routes import NATIVE
from tests.factories import START, Caller

QUERY = "/api/v1/billing/reports/series?from=2026-03-08&to=2026-03-10"


@pytest.fixture
def used(actor: Actor) -> Actor:
    """Three uses of two models on two days."""
    for model, cost, tokens, ago in (("a", "1", 5, 0), ("a", "2.5", 8, 0), ("b", "0.01", 1, 1)):
        operations.record_usage(
            actor, str(actor.account_id),
            Usage(model, "p", input_tokens=tokens, cost=Money.parse(cost),
                  effective_at=START - timedelta(days=ago)),
        )  # fmt: skip
    return actor


def ask(call: Caller, query: str = "") -> tuple[list[dict[str, Any]], dict[str, Any]]:
    body = call("GET", QUERY + query).json
    jsonschema.validate(body["data"], {"type": "array", "items": GROUP})
    jsonschema.validate(body["meta"], Report.beside)
    return body["data"], body["meta"]


def test_every_day_is_there(call: Caller, used: Actor) -> None:
    [series], meta = ask(call)
    assert [point["values"][0]["amount"] for point in series["points"]] == ["0.01", "3.50", "0.00"]
    assert (meta["total"]["amount"], meta["count"], meta["limitReached"]) == ("3.51", 3, False)
    assert (meta["source"], meta["zone"], meta["unit"]) == ("metered", "UTC", "day")
    assert (meta["from"], meta["to"], meta["scope"]) == ("2026-03-08", "2026-03-10", {})
    assert meta["coverage"]["newest"] == {"metered": "2026-03-09"}
    assert meta["coverage"]["priced"]["uses"] == 3


def test_groups_values_and_filters(call: Caller, used: Actor) -> None:
    query = "&unit=none&groupBy=model&values=cost:avg,records,inputTokens,inputTokens:avg&limit=1"
    [series], meta = ask(call, query)
    assert series["group"] == ["a"]
    [point] = series["points"]
    assert [point["values"][0]["amount"], *point["values"][1:]] == ["1.75", 2, 13, "6.500"]
    assert (meta["limitReached"], meta["total"]["amount"]) == (True, "3.51")
    [only], meta = ask(
        call, "&unit=none&zone=Asia/Kathmandu&model=b,c&values=cost:max&groupBy=agent"
    )
    assert meta["scope"] == {"model": ["b", "c"]}
    assert (only["group"], only["points"][0]["values"][0]["amount"]) == ([""], "0.01")


def test_a_file_has_a_line_for_each_bucket_of_each_group(call: Caller, used: Actor) -> None:
    path = QUERY.removeprefix(f"{NATIVE}/")
    response, lines = table(
        call, f"{path}&groupBy=model,agent&values=cost,cost:min,cost:count,inputTokens:avg"
    )
    name = 'attachment; filename="usage-by-day.csv"'
    assert response.headers["Content-Disposition"] == name
    assert [(one["model"], one["agent"], one["start"]) for one in lines] == [
        (model, "", f"2026-03-{day}T00:00:00Z") for model in "ab" for day in ("08", "09", "10")
    ]
    nothing = ["0.00", "0", "", "0", ""]
    told = ("cost.amount", "cost.cents", "cost:min.amount", "cost:count", "inputTokens:avg")
    assert [[one[name] for name in told] for one in lines] == [
        nothing, ["3.50", "350", "1.00", "2", "6.500"], nothing,
        ["0.01", "1", "0.01", "1", "1.000"], nothing, nothing,
    ]  # fmt: skip
    meta = ask(call, "&groupBy=model,agent")[1]
    about = {
        "from": "2026-03-08", "to": "2026-03-10", "unit": "day", "zone": "UTC", "scope": "{}",
        "source": "metered", "asOf": "2026-03-09T14:32:00Z", "limitReached": "false",
        "coverage": meta["coverage"]["text"],
    }  # fmt: skip
    assert all(about.items() <= one.items() for one in lines)


def test_a_file_of_the_greatest_groups_says_that_there_are_more(call: Caller, used: Actor) -> None:
    path = QUERY.removeprefix(f"{NATIVE}/")
    evil = Usage("=1+1", "-p", cost=Money.parse("9"), effective_at=START)
    operations.record_usage(used, str(used.account_id), evil)
    _, lines = table(call, f"{path}&unit=none&zone=Asia/Kathmandu&groupBy=provider,model&limit=1")
    [line] = lines
    assert (line["provider"], line["model"], line["limitReached"]) == ("'-p", "'=1+1", "true")
    assert (line["start"], line["end"]) == ("2026-03-07T18:15:00Z", "2026-03-10T18:15:00Z")
    assert table(call, f"{path}&groupBy=model&model=nothing")[1] == []
