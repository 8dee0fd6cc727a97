"""`billing reports forecast` and its like say what the operations say; `items search` finds."""

from __future__ import annotations

import csv
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


def report(database_url: str, owner: Actor, *said: str) -> dict[str, Any]:
    account = ("--account", str(owner.account_id))
    return facts(run(database_url, "reports", *said, *account, "--json"))


@pytest.mark.parametrize("name", ["forecast", "anomalies", "recurring"])
def test_a_table_and_a_file_say_what_they_are_about(
    database_url: str, owner: Actor, name: str
) -> None:
    asked = ("reports", name, "--account", str(owner.account_id))
    said = report(database_url, owner, name)
    first, head, *lines = run(database_url, *asked).stdout.splitlines()
    days = f"{said['from']} to {said['to']} (UTC)"
    assert first.startswith(f"{days}, focus manual sync, as of ")
    assert head.split() == list(said["rows"][0])
    assert len(lines) == len(said["rows"])
    file = csv.DictReader(run(database_url, *asked, "--csv", "-").stdout.splitlines())
    about = {"from": said["from"], "to": said["to"], "zone": "UTC", "sources": "focus manual sync"}
    told = [about.items() <= row.items() for row in file]
    assert told == [True] * len(lines)


def test_a_month_is_foreseen(database_url: str, owner: Actor) -> None:
    said = report(database_url, owner, "forecast")
    [told] = said["rows"]
    [known] = operations.forecast_month(owner, str(owner.account_id)).forecasts
    assert (told["currency"], told["reason"]) == ("USD", None)
    assert (said["coverage"], said["zone"], said["scope"]) == (80, "UTC", {})
    assert said["asOf"].endswith("Z")
    assert Exact.parse(told["spent"]) == known.spent
    assert Exact.parse(told["low"]) <= Exact.parse(told["expected"]) <= Exact.parse(told["high"])


def test_a_day_out_of_the_ordinary_is_named(database_url: str, owner: Actor) -> None:
    said = report(database_url, owner, "anomalies")
    found = said["rows"]
    assert said["judged"] > said["unjudged"]
    assert (said["leastCents"], said["sources"]) == (100, ["focus", "manual", "sync"])
    told = {(one["provider"], one["allProviders"], one["amount"]) for one in found}
    assert told >= {
        (None, True, "500"), ("openai", False, "500"),
    }  # fmt: skip
    late = str(datetime.now(UTC).date())
    none = report(database_url, owner, "anomalies", "--from", late, "--to", late)
    assert (none["rows"], none["from"], none["to"]) == ([], late, late)


def test_what_recurs_is_listed(database_url: str, owner: Actor) -> None:
    [told] = report(database_url, owner, "recurring")["rows"]
    assert (told["name"], told["amount"], told["period"]) == ("Café plan", "49", "monthly")


def test_a_balance_that_nobody_uses_is_told_so(database_url: str, owner: Actor) -> None:
    account = ("--account", str(owner.account_id))
    told = facts(run(database_url, "reports", "run-out", *account, "--json"))
    assert told["available"] == "10.00 USD"
    assert (told["expected"], told["reason"]) == (None, "too_little_history")
    assert told["coverage"] == 80
    assert told["asOf"].endswith("Z")


def test_items_are_found_by_their_words(database_url: str, owner: Actor) -> None:
    [found] = rows(database_url, owner, "items", "search", "CAFE pl*")
    assert found["name"] == "Café plan"
    assert rows(database_url, owner, "items", "search", "café", "--provider", "openai") == []
    account = ("--account", str(owner.account_id))
    assert run(database_url, "items", "search", "x" * 501, *account).exit_code == 2
