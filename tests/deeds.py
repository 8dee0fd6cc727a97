"""What tests do with an account, in a word each: amounts are decimal text, answers are text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.errors import BillingError
from billing_plugin.models.credits import CreditGrant
from billing_plugin.models.holds import Hold
from billing_plugin.models.ledger import LedgerEntry
from billing_plugin.models.usage import UsageRecord
from billing_plugin.operations.limits import LimitState


def spend(actor: Actor, units: str, at: datetime | None = None, **said: Any) -> UsageRecord:
    """Charges an amount; `model`, `provider`, `metadata`, `idempotency_key` may be said."""
    amount = Money.parse(units)
    done = operations.charge(actor, str(actor.account_id), amount, effective_at=at, **said)
    assert done.record is not None
    return done.record


def limit(actor: Actor, units: str, window: str | int = "monthly", **said: Any) -> LimitState:
    """Sets a limit."""
    amount = Money.parse(units)
    return operations.set_limit(actor, str(actor.account_id), amount, window=window, **said)


def hold(actor: Actor, units: str, **said: Any) -> Hold:
    """Reserves an amount."""
    return operations.hold(actor, str(actor.account_id), Money.parse(units), **said).hold


def capture(actor: Actor, held: Hold, units: str | None = None, policy: str = "refuse") -> Hold:
    """Takes an amount out of a hold."""
    taken = None if units is None else Money.parse(units)
    mine = str(actor.account_id)
    return operations.capture(actor, mine, held.id, taken=taken, policy=policy).hold


def release(actor: Actor, held: Hold) -> Hold:
    """Gives a hold back."""
    return operations.release(actor, str(actor.account_id), held.id).hold


def give(billing: Billing, actor: Actor, units: str, **said: Any) -> LedgerEntry:
    """Gives promotional credit."""
    mine, amount = str(actor.account_id), Money.parse(units)
    return operations.grant_credit(billing.operator(), mine, amount, **said)


def adjust(billing: Billing, actor: Actor, units: str, **said: Any) -> LedgerEntry:
    """Enters a credit or debit by hand."""
    mine, amount = str(actor.account_id), Money.parse(units)
    return operations.adjust(billing.operator(), mine, amount, **said)


def credits_left(billing: Billing, actor: Actor) -> list[CreditGrant]:
    """The account's credits in the order of their use."""
    return operations.list_credits(billing.operator(), str(actor.account_id)).grants


def left(billing: Billing, actor: Actor) -> list[tuple[str, str]]:
    """Kind and rest of each credit, in the order of their use."""
    found = credits_left(billing, actor)
    return [(grant.kind, Money(grant.remaining_nanos).text) for grant in found]


def balance(actor: Actor) -> tuple[str, str, str]:
    """Posted, held, spendable."""
    found = operations.check_balance(actor, str(actor.account_id))
    return (found.posted.text, found.held.text, found.spendable.text)


def entries(actor: Actor, limit: int = 100) -> list[tuple[str, str]]:
    """Kind and amount of the newest entries, newest first."""
    found = operations.list_entries(actor, str(actor.account_id), limit=limit)
    return [(entry.kind, entry.amount.text) for entry in found]


def newest(actor: Actor) -> LedgerEntry:
    """The newest entry."""
    [entry] = operations.list_entries(actor, str(actor.account_id), limit=1)
    return entry


def state(actor: Actor, found: LimitState) -> LimitState:
    """The limit as it is now."""
    return operations.get_limit(actor, str(actor.account_id), found.limit.id)


def refused(act: Any, *said: Any, **more: Any) -> BillingError:
    """The refusal that the act must meet."""
    with pytest.raises(errors.BillingError) as refusal:
        act(*said, **more)
    return refusal.value
