"""`billing webhooks …`: what they print, what they exit with."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from tests.factories import SECRET_KEY, account_with, billing_on
from tests.telling import buy, deliveries, endpoint
from tests.test_cli import run

URL = "https://hooks.example.com/in"


@pytest.fixture
def system(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Billing:
    """With the clock of the wall and the vault of the commands."""
    monkeypatch.setenv("BILLING_SECRET_KEYS", SECRET_KEY)
    return billing_on(database_url)


@pytest.fixture
def owner(system: Billing) -> Actor:
    return account_with(system)


def said(database_url: str, owner: Actor, *arguments: str) -> Any:
    result = run(
        database_url, "webhooks", arguments[0], "--account", str(owner.account_id),
        *arguments[1:], "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_one_is_added_and_listed(database_url: str, owner: Actor) -> None:
    made = said(database_url, owner, "add", URL, "--event", "balance.low")
    assert made["secret"].startswith("whsec_")
    [found] = said(database_url, owner, "list")
    assert found == {
        "id": made["id"], "url": URL, "events": ["balance.low"], "enabled": True,
        "disabledReason": None,
    }  # fmt: skip
    result = run(database_url, "webhooks", "list", "--account", str(owner.account_id))
    assert URL in result.stdout
    assert "whsec_" not in result.output


def test_a_delivery_is_replayed(database_url: str, system: Billing, owner: Actor) -> None:
    made = endpoint(owner, URL)
    buy(owner)
    now = datetime.now(UTC)
    span = ("--since", (now - timedelta(hours=1)).isoformat(), "--until", "2100-01-01T00:00:00Z")
    assert said(database_url, owner, "replay", "--endpoint", made.id, *span) == {"events": 1}
    [found] = said(database_url, owner, "deliveries", made.id)
    assert (found["event"], found["status"]) == ("topup.succeeded", "pending")
    done = said(database_url, owner, "replay", "--delivery", found["id"])
    assert done == {"id": found["id"], "status": "pending"}
    early = ("--since", "2020-01-01T00:00:00Z", "--until", "2020-01-02T00:00:00Z")
    assert said(database_url, owner, "replay", "--endpoint", made.id, *early) == {"events": 0}
    assert len(deliveries(owner, made)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--endpoint", "hook_1"),
        ("--endpoint", "hook_1", "--since", "2020-01-01T00:00:00Z"),
        ("--endpoint", "hook_1", "--delivery", "dlv_1"),
        ("--delivery", "dlv_1"),
        ("--endpoint", "hook_1", "--since", "yesterday", "--until", "today"),
    ],
)
def test_what_cannot_be_replayed(
    database_url: str, owner: Actor, arguments: tuple[str, ...]
) -> None:
    account = str(owner.account_id)
    result = run(database_url, "webhooks", "replay", "--account", account, *arguments)
    assert result.exit_code == 2
    assert result.output.startswith("Error: ")


def test_operations_of_an_account_that_is_not_there(database_url: str, system: Billing) -> None:
    assert operations.list_accounts(system.operator()) == []
    result = run(database_url, "webhooks", "list", "--account", "acct_none")
    assert result.exit_code == 2
