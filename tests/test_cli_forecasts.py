"""`billing reports forecast` and its like say what the operations say; `items search` finds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, operations
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft
from tests.factories import account_with, billing_on
from tests.test_cli import facts, run

DAYS = 60


@pytest.fixture
def owner(database_url: str) -> Actor:
    """An account that spends ten a day, once five hundred, and subscribes to something."""
    owner = account_with(billing_on(database_url), "10")
    today = datetime.now(UTC)
    drafts = [
        ItemDraft(
            f"day {ago}", Exact.parse("500" if ago == 3 else "10"), provider="openai",
            provider_ref=str(ago), date=today - timedelta(days=ago),
        )
        for ago in range(1, DAYS)
    ]  # fmt: skip
    drafts.append(ItemDraft("Café plan", Exact.parse("49"), provider="x", provider_ref="plan",
                            recurring=True, period="monthly"))  # fmt: skip
    operations.store_items(owner, str(owner.account_id), drafts, source="sync")
    return owner


def rows(database_url: str, owner: Actor, *said: str) -> list[dict[str, Any]]:
    result = run(database_url, *said, "--account", str(owner.account_id), "--json")
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def test_a_month_is_foreseen(database_url: str, owner: Actor) -> None:
    [told] = rows(database_url, owner, "reports", "forecast")
    [known] = operations.forecast_month(owner, str(owner.account_id)).forecasts
    assert (told["currency"], told["reason"]) == ("USD", None)
    assert Exact.parse(told["spent"]) == known.spent
    assert Exact.parse(told["low"]) <= Exact.parse(told["expected"]) <= Exact.parse(told["high"])


def test_a_day_out_of_the_ordinary_is_named(database_url: str, owner: Actor) -> None:
    found = rows(database_url, owner, "reports", "anomalies")
    assert {(one["provider"], one["amount"]) for one in found} >= {
        (None, "500"), ("openai", "500"),
    }  # fmt: skip
    late = str(datetime.now(UTC).date())
    assert rows(database_url, owner, "reports", "anomalies", "--from", late, "--to", late) == []


def test_what_recurs_is_listed(database_url: str, owner: Actor) -> None:
    [told] = rows(database_url, owner, "reports", "recurring")
    assert (told["name"], told["amount"], told["period"]) == ("Café plan", "49", "monthly")


def test_a_balance_that_nobody_uses_is_told_so(database_url: str, owner: Actor) -> None:
    account = ("--account", str(owner.account_id))
    told = facts(run(database_url, "reports", "run-out", *account, "--json"))
    assert told["available"] == "10.00 USD"
    assert (told["expected"], told["reason"]) == (None, "too_little_history")


def test_items_are_found_by_their_words(database_url: str, owner: Actor) -> None:
    [found] = rows(database_url, owner, "items", "search", "CAFE pl*")
    assert found["name"] == "Café plan"
    assert rows(database_url, owner, "items", "search", "café", "--provider", "openai") == []
    account = ("--account", str(owner.account_id))
    assert run(database_url, "items", "search", "x" * 501, *account).exit_code == 2
