"""Conduit: balance and history; seed 004 itself is replayed in tests/seeds."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.dialects.conduit.ledger import BALANCE, LEDGER
from billing_plugin.operations import Usage
from tests.dialects.faces import fits
from tests.dialects.routes import CONDUIT
from tests.factories import Caller


def history(call: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = fits(LEDGER, call("GET", f"{CONDUIT}/ledger").json)["entries"]
    return found


def test_every_kind_of_entry_has_a_type_and_the_sign_that_goes_with_it(
    call: Caller, billing: Billing, actor: Actor
) -> None:
    operator, account = billing.operator(), str(actor.account_id)
    operations.top_up(actor, account, Money.parse("5"))
    operations.record_usage(actor, account, Usage(model="m", cost=Money.parse("1")))
    operations.adjust(operator, account, Money.parse("2"), kind="adjustment")
    operations.adjust(operator, account, Money.parse("-3"), kind="adjustment")
    told = [(entry["type"], entry["amountInCents"]) for entry in history(call)]
    assert told == [
        ("REFUND_DEBIT", -300),
        ("SUPPORT_CREDIT", 200),
        ("USAGE_DEBIT", -100),
        ("CREDIT_PURCHASE", 500),
        ("SUPPORT_CREDIT", 10000),
    ]


def test_the_running_balance_goes_from_entry_to_entry(call: Caller, actor: Actor) -> None:
    for cost in ("1.25", "0.10", "7"):
        used = Usage(model="m", cost=Money.parse(cost))
        operations.record_usage(actor, str(actor.account_id), used)
    entries = history(call)
    for newer, older in itertools.pairwise(entries):
        assert older["balanceAfterInCents"] + newer["amountInCents"] == newer["balanceAfterInCents"]


def test_only_model_and_tokens_of_a_use_are_told(call: Caller, actor: Actor) -> None:
    used = Usage(
        model="m", provider="p", input_tokens=2, output_tokens=3, metadata={"own": 1},
        cost=Money.parse("1"),
    )  # fmt: skip
    operations.record_usage(actor, str(actor.account_id), used)
    assert history(call)[0]["metadata"] == {"model": "m", "tokens": 5}


def test_the_reason_of_a_credit_is_told(call: Caller, billing: Billing, actor: Actor) -> None:
    account = str(actor.account_id)
    operations.adjust(billing.operator(), account, Money.parse("1"), reason="sorry")
    assert history(call)[0]["metadata"] == {"reason": "sorry"}


@pytest.mark.parametrize(
    ("spent", "cents", "dollars"),
    [("0", 10000, 100.0), ("0.000000001", 9999, 99.99), ("57.5", 4250, 42.5), ("100", 0, 0.0)],
)
def test_the_balance_rounds_down(
    call: Caller, actor: Actor, spent: str, cents: int, dollars: float
) -> None:
    if spent != "0":
        used = Usage(model="m", cost=Money.parse(spent))
        operations.record_usage(actor, str(actor.account_id), used)
    told = fits(BALANCE, call("GET", f"{CONDUIT}/balance").json)
    assert told == {"balanceInCents": cents, "balanceInDollars": dollars}


def test_amounts_below_a_cent_are_rounded_half_even(call: Caller, actor: Actor) -> None:
    for cost in ("0.005", "0.015", "0.0051"):
        used = Usage(model="m", cost=Money.parse(cost))
        operations.record_usage(actor, str(actor.account_id), used)
    assert [entry["amountInCents"] for entry in history(call)[:3]] == [-1, -2, 0]
