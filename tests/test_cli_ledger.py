"""`billing ledger …` and `billing limits …`: what they print, what they exit with."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from tests.books import run_sql
from tests.factories import account_with, billing_on
from tests.test_cli import facts, run


@pytest.fixture
def system(database_url: str) -> Billing:
    """With the clock of the wall, as the commands have it."""
    return billing_on(database_url)


@pytest.fixture
def owner(system: Billing) -> Actor:
    return account_with(system, "100")


@pytest.fixture
def account_id(owner: Actor) -> str:
    return str(owner.account_id)


def rows(database_url: str, *arguments: str) -> Any:
    result = run(database_url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def charge(owner: Actor, units: str) -> str:
    done = operations.charge(owner, str(owner.account_id), Money.parse(units))
    assert done.record is not None
    return done.record.entry_id


def test_whole_books_verify(database_url: str, owner: Actor) -> None:
    charge(owner, "1")
    found = rows(database_url, "ledger", "verify", "--heads")
    assert (found["accounts"], found["entries"], found["unsealed"]) == (1, 2, 0)
    assert found["broken"] == []
    number, seal = found["heads"][str(owner.account_id)]
    assert (number, len(seal)) == (2, 64)
    shown = run(database_url, "ledger", "verify", "--heads", "--account", str(owner.account_id))
    assert f"{owner.account_id} 2 {seal}" in shown.output


def test_the_first_bad_row_is_named(database_url: str, system: Billing, owner: Actor) -> None:
    entry_id = charge(owner, "1")
    charge(owner, "1")
    if database_url.startswith("sqlite"):
        run_sql(system, "DROP TRIGGER billing_ledger_entry_no_update")
    else:
        run_sql(system, "DROP TRIGGER billing_ledger_entry_immutable ON billing_ledger_entry")
    run_sql(system, "UPDATE billing_ledger_entry SET metadata = '{}' WHERE id = ?", entry_id)
    result = run(database_url, "ledger", "verify")
    assert result.exit_code == 1
    assert f"BROKEN {owner.account_id} entry 2 {entry_id}: its seal does not fit" in result.output
    [broken] = json.loads(run(database_url, "ledger", "verify", "--json").stdout)["broken"]
    assert broken["entry_id"] == entry_id


def test_a_balance_now_and_then(database_url: str, owner: Actor, account_id: str) -> None:
    charge(owner, "1.5")
    now = rows(database_url, "ledger", "balance", "--account", account_id)
    assert (now["posted"], now["spendable"]) == ("98.50", "98.50")
    before = ("--at", "2020-01-01T00:00:00Z")
    then = rows(database_url, "ledger", "balance", "--account", account_id, *before)
    assert then == {"posted": "0.00", "entries": 0}


def test_a_charge_is_refunded_then_reversed_once(
    database_url: str, owner: Actor, account_id: str
) -> None:
    entry_id = charge(owner, "10")
    account = ("--account", account_id)
    once = ("--idempotency-key", "k")
    for _ in range(2):
        given = facts(
            run(database_url, "ledger", "refund", *account, entry_id, "4", *once, "--json")
        )
        assert given["amount"] == "4.00"
    for _ in range(2):
        undone = facts(run(database_url, "ledger", "reverse", *account, entry_id, "--json"))
        assert undone["amount"] == "6.00"
    too_late = run(database_url, "ledger", "refund", *account, entry_id, "1")
    assert too_late.exit_code == 1
    balance = rows(database_url, "ledger", "balance", *account)
    assert balance["posted"] == "100.00"


def test_credit_and_allowance(database_url: str, account_id: str) -> None:
    account = ("--account", account_id)
    made = facts(
        run(
            *(database_url, "ledger", "grant", *account, "5"),
            *("--expires-at", "2900-01-01T00:00:00Z", "--json"),
        )
    )
    assert made["balanceAfter"] == "105.00"
    assert run(database_url, "ledger", "grant", *account, "5", "--expires-at", "x").exit_code == 2
    allowed = facts(run(database_url, "ledger", "postpaid", *account, "50", "--json"))
    assert allowed == {"postpaid": "50.00", "owed": "0.00"}
    assert rows(database_url, "ledger", "balance", *account)["spendable"] == "155.00"


def test_a_rerating_is_a_dry_run_unless_told(
    database_url: str, owner: Actor, account_id: str
) -> None:
    used = operations.Usage("gpt-4o", "openai", input_tokens=1_000_000)
    operations.record_usage(owner, account_id, used)
    dear = ("openai", "gpt-4o", "input_tokens=3", "output_tokens=10")
    begins = ("--from", "2020-01-01T00:00:00Z", "--retroactive")
    done = run(database_url, "prices", "set", *dear, "--per-million", *begins)
    assert done.exit_code == 0, done.output
    days = ("--from", "2026-01-01", "--to", "2099-01-01")
    arguments = ("ledger", "rerate", "--account", account_id, *days)
    dry = rows(database_url, *arguments)
    assert (dry["booked"], dry["changed"], dry["change"]) == (False, 1, "0.50 USD")
    assert rows(database_url, *arguments, "--yes") == {**dry, "booked": True}
    assert rows(database_url, *arguments, "--yes")["changed"] == 0


def test_a_limit_is_set_listed_and_removed(database_url: str, account_id: str) -> None:
    account = ("--account", account_id)
    about = ("--filter", "model=gpt-4o", "--filter", "model=o3", "--partition", "metadata.user")
    made = facts(
        run(
            *(database_url, "limits", "set", *account, "20", "--window", "3600"),
            *("--technique", "sliding", *about, "--json"),
        )
    )
    assert (made["window"], made["filters"]) == (3600, {"model": ["gpt-4o", "o3"]})
    assert rows(database_url, "limits", "list", *account)[0]["id"] == made["id"]
    assert made["id"] in run(database_url, "limits", "list", *account).output
    assert run(database_url, "limits", "remove", *account, made["id"]).exit_code == 0
    assert rows(database_url, "limits", "list", *account) == []
    wrong = run(database_url, "limits", "set", *account, "20", "--filter", "model")
    assert wrong.exit_code == 2


@pytest.mark.parametrize(("command", "status"), [("approve", "approved"), ("deny", "denied")])
def test_a_raise_is_decided(
    database_url: str, owner: Actor, account_id: str, command: str, status: str
) -> None:
    limit = operations.set_limit(owner, account_id, Money.parse("1")).limit
    wish = operations.request_limit_raise(
        owner, account_id, limit.id, amount=Money.parse("5"), lasts_s=3600, reason="launch"
    )
    account = ("--account", account_id)
    [listed] = rows(database_url, "limits", "raises", *account)
    assert (listed["id"], listed["status"], listed["reason"]) == (wish.id, "pending", "launch")
    assert "launch" in run(database_url, "limits", "raises", *account).output
    assert facts(run(database_url, "limits", command, *account, wish.id, "--json")) == {
        "id": wish.id,
        "status": status,
    }


def test_an_agents_key_never_approves(database_url: str, account_id: str) -> None:
    account = ("--account", account_id)
    made = facts(run(database_url, "keys", "create", *account, "--agent", "bot", "--json"))
    assert "limits:approve" not in made["scopes"]
    asked = ("--scope", "limits:approve")
    assert run(database_url, "keys", "create", *account, "--agent", "bot", *asked).exit_code == 2
