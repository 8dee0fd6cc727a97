"""`billing methods …` and `billing profile …`: what an account pays with, and to whom bills go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.processors.fake import FakeProcessor
from tests.factories import account_with, app_with, billing_on
from tests.test_cli import inside, run

NOTHING = dict.fromkeys(
    ("name", "email", "line1", "line2", "city", "postal_code", "region", "country"), ""
) | {"tax_id_type": "", "tax_id": ""}


@pytest.fixture
def system(database_url: str) -> Billing:
    """Whose fake processor keeps methods, for the commands of its host as well."""
    billing = billing_on(database_url)
    billing.instance.processor = FakeProcessor()
    return billing


@pytest.fixture
def owner(system: Billing) -> Actor:
    return account_with(system)


def asked(system: Billing, *said: str, exits: int = 0) -> Any:
    """What `flask billing …` prints; an app of its own each time, of the same system."""
    result = inside(app_with(system), *said)
    assert result.exit_code == exits, result.output
    return json.loads(result.stdout) if "--json" in said and not exits else result.output


def add(owner: Actor, token: str) -> str:
    begun = operations.begin_payment_method(owner, str(owner.account_id))
    return str(owner.instance.processor.confirm(begun.client_secret, token))


def test_methods_are_listed_preferred_and_removed(system: Billing, owner: Actor) -> None:
    whose = ("--account", str(owner.account_id))
    card, bank = add(owner, "fake_visa"), add(owner, "fake_bank")
    chosen = asked(system, "methods", "default", *whose, card, "--json")
    assert (chosen["id"], chosen["default"], chosen["expires"]) == (card, True, "12/2039")
    listed = asked(system, "methods", "list", *whose, "--json")
    assert [(one["id"], one["default"], one["form"]) for one in listed] == [
        (bank, False, "bank"), (card, True, "card"),
    ]  # fmt: skip
    lines = asked(system, "methods", "list", *whose)
    assert lines == (
        f"id={bank} form=bank last4=6789 bank=Fake Bank\n"
        f"id={card} form=card default=True brand=visa last4=4242 expires=12/2039\n"
    )
    gone = asked(system, "methods", "remove", *whose, card, "--json")
    assert gone == {"removed": card, "wasDefault": True}
    assert [one["id"] for one in asked(system, "methods", "list", *whose, "--json")] == [bank]


def test_a_method_of_others_is_unknown(system: Billing, owner: Actor) -> None:
    theirs = add(account_with(system), "fake_visa")
    for verb in ("default", "remove"):
        told = asked(system, "methods", verb, "--account", str(owner.account_id), theirs, exits=2)
        assert "There is no such payment method." in told


def test_without_a_processor_there_are_no_methods(database_url: str, owner: Actor) -> None:
    result = run(database_url, "methods", "list", "--account", str(owner.account_id))
    assert (result.exit_code, "No payment processor" in result.stderr) == (1, True)


def test_a_profile_is_shown_and_set_in_part(database_url: str, owner: Actor) -> None:
    whose = ("--account", str(owner.account_id), "--json")

    def told(*said: str) -> Any:
        result = run(database_url, "profile", *said, *whose)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    assert told("show") == NOTHING
    made = told("set", "--name", "Acme", "--country", "DE", "--postal-code", "10115")
    assert made == NOTHING | {"name": "Acme", "country": "DE", "postal_code": "10115"}
    vat = {"tax_id_type": "eu_vat", "tax_id": "DE136695976"}
    assert told("set", "--tax-id-type", "eu_vat", "--tax-id", "DE136695976") == made | vat
    left = told("set", "--tax-id-type", "", "--tax-id", "", "--name", "Bcme")
    assert told("show") == left == made | {"name": "Bcme"}


def test_what_is_wrong_is_refused(database_url: str, owner: Actor) -> None:
    whose = ("--account", str(owner.account_id))
    result = run(database_url, "profile", "set", *whose, "--email", "nobody")
    assert (result.exit_code, "no e-mail address" in result.stderr) == (2, True)
    assert operations.get_billing_profile(owner, str(owner.account_id)).updated_at is None
