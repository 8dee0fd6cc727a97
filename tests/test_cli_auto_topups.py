"""`billing auto-topup …`: what it prints, what it exits with."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from tests.deeds import spend
from tests.factories import account_with, billing_on
from tests.test_cli import facts, run


@pytest.fixture
def owner(database_url: str) -> Actor:
    """With the clock of the wall, as the commands have it."""
    return account_with(system(database_url), "20")


def system(database_url: str) -> Billing:
    return billing_on(database_url)


def asked(database_url: str, owner: Actor, *said: str) -> Any:
    account = ("--account", str(owner.account_id))
    return run(database_url, "auto-topup", said[0], *account, *said[1:], BILLING_PROCESSOR="fake")


def test_a_rule_is_set_shown_and_taken_away(database_url: str, owner: Actor) -> None:
    assert facts(asked(database_url, owner, "show", "--json")) == {"enabled": False}
    said = ("set", "10", "--below", "5", "--daily-count", "3", "--monthly", "50", "--json")
    made = facts(asked(database_url, owner, *said))
    assert made == facts(asked(database_url, owner, "show", "--json"))
    assert (made["enabled"], made["amount"], made["threshold"]) == (True, "10.00", "5.00")
    assert (made["dailyCount"], made["daily"], made["monthly"]) == (3, None, "50.00")
    spend(owner, "16")
    [topup] = operations.list_topups(owner, str(owner.account_id))
    assert topup.automatic
    assert asked(database_url, owner, "off").stderr == "Removed.\n"
    assert asked(database_url, owner, "off").stderr == "There was none.\n"


def test_it_says_why_nothing_is_bought(database_url: str, owner: Actor) -> None:
    spend(owner, "16")
    said = ("set", "10", "--below", "5", "--method", "fake_declined")
    assert asked(database_url, owner, *said).exit_code == 0
    shown = asked(database_url, owner, "show")
    assert "error: The payment failed: card_declined." in shown.stdout


@pytest.mark.parametrize("bad", [("0.5", "--below", "5"), ("x", "--below", "5"), ("10",)])
def test_what_is_no_rule_exits_with_2(database_url: str, owner: Actor, bad: tuple[str]) -> None:
    assert asked(database_url, owner, "set", *bad).exit_code == 2
