"""A billing system with one busy account, for benchmarks: the product's own, and a twin beside it
for the hand-written reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from billing_plugin import Actor, Billing, Money, operations

RICH = Money.parse("1000000000")
CEILING = Money.parse("900000000")
COST = Money.parse("0.0021")
PROVIDER, MODEL = "openai", "gpt-4o"


@dataclass(frozen=True)
class Busy:
    """A system with an account of a billion dollars and one monthly limit."""

    billing: Billing
    actor: Actor
    limit_id: str

    @property
    def account_id(self) -> str:
        """The account."""
        return str(self.actor.account_id)

    def complaints(self) -> list[Any]:
        """What the doctor and the seals find."""
        operator = self.billing.operator()
        return [*operations.check_ledger(operator), *operations.verify_ledger(operator).broken]

    def spent(self) -> Money:
        """What the limit has counted."""
        return operations.get_limit(self.actor, self.account_id, self.limit_id).spent


def busy(url: str, **settings: Any) -> Busy:
    """Migrated, with its limit's counter in place."""
    billing = Billing(url, processor="fake", **settings)
    operator = billing.operator()
    account = operations.create_account(operator, "Busy")
    operations.adjust(operator, account.id, RICH)
    actor = billing.actor(account.id)
    limit = operations.set_limit(actor, account.id, CEILING).limit
    operations.charge(actor, account.id, COST, provider=PROVIDER, model=MODEL)
    return Busy(billing, actor, limit.id)
