"""`billing top-up`: what it prints, and that its exit code tells how far it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from tests.factories import account_with, billing_on
from tests.test_cli import run

FAKE = {"BILLING_PROCESSOR": "fake"}
EXITS = {
    "default": (0, "succeeded", None),
    "fake_declined": (4, "failed", "card_declined"),
    "fake_lost_answer": (7, "unknown", None),
    "fake_slow": (7, "processing", None),
    "fake_wrong_amount": (7, "review", None),
}


@pytest.fixture
def system(database_url: str) -> Billing:
    """With the clock of the wall, as the commands have it."""
    return billing_on(database_url)


@pytest.fixture
def owner(system: Billing) -> Actor:
    return account_with(system)


def bought(database_url: str, owner: Actor, *said: str, exits: int = 0, **settings: str) -> Any:
    asked = ("top-up", "--account", str(owner.account_id), *said, "--json")
    result = run(database_url, *asked, **{**FAKE, **settings})
    assert result.exit_code == exits, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize("method", EXITS)
def test_the_exit_code_tells_what_became_of_it(
    database_url: str, owner: Actor, method: str
) -> None:
    exits, status, failure = EXITS[method]
    found = bought(database_url, owner, "12.50", "--method", method, exits=exits)
    assert (found["status"], found["failure"]) == (status, failure)
    assert (found["amount"], found["method"]) == ("12.50", method)
    stored = operations.get_topup(owner, str(owner.account_id), found["id"])
    assert (stored.status, stored.payment_id) == (status, found["payment"])
    available = operations.check_balance(owner, str(owner.account_id)).available
    assert available == Money.parse("12.50" if exits == 0 else "0")


def test_the_same_key_buys_once_and_asks_again(database_url: str, owner: Actor) -> None:
    said = ("5", "--method", "fake_lost_answer", "--idempotency-key", "once")
    first = bought(database_url, owner, *said, exits=7)
    again = [bought(database_url, owner, *said) for _ in range(2)]
    assert [one["id"] for one in again] == [first["id"]] * 2
    assert operations.check_balance(owner, str(owner.account_id)).available == Money.parse("5")


def test_nobody_is_there_to_confirm(database_url: str, owner: Actor) -> None:
    said = ("5", "--method", "fake_3ds")
    assert bought(database_url, owner, *said, exits=7)["status"] == "processing"
    found = bought(database_url, owner, *said, "--unattended", exits=4)
    assert found["failure"] == "authentication_required"


def test_it_is_printed_for_people(database_url: str, owner: Actor) -> None:
    result = run(database_url, "top-up", "--account", str(owner.account_id), "5", **FAKE)
    assert result.exit_code == 0
    assert "status: succeeded\namount: 5.00\nmethod: default\n" in result.stdout


REFUSED: dict[str, tuple[int, str, dict[str, str]]] = {
    "0.50": (2, "A top-up is 1.00 USD to 10000.00 USD", FAKE),
    "x": (2, "", FAKE),
    "5": (1, "No payment processor is set up", {}),
}


@pytest.mark.parametrize("amount", REFUSED)
def test_what_cannot_be_bought_is_refused(database_url: str, owner: Actor, amount: str) -> None:
    exits, why, settings = REFUSED[amount]
    asked = ("top-up", "--account", str(owner.account_id), amount)
    result = run(database_url, *asked, **settings)
    assert (result.exit_code, why in result.stderr) == (exits, True)
    assert operations.list_topups(owner, str(owner.account_id)) == []


def test_too_many_are_refused_as_a_limit(database_url: str, owner: Actor) -> None:
    bought(database_url, owner, "5", BILLING_TOPUP_MAX_ATTEMPTS="1")
    asked = ("top-up", "--account", str(owner.account_id), "5")
    result = run(database_url, *asked, **FAKE, BILLING_TOPUP_MAX_ATTEMPTS="1")
    assert (result.exit_code, "Too many top-ups" in result.stderr) == (3, True)
