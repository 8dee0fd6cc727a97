"""Usage over time on the native face: dense, exact, by zone and group."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from billing_plugin import Actor, Money, operations
from billing_plugin.dialects.native.series import GROUP, Report
from billing_plugin.operations import Usage
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
