"""What every payment processor is: it charges once per reference and can be asked what it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from billing_plugin.money import Money


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged. `reference` is our own id: the same one never charges twice."""

    reference: str
    amount: Money
    payment_method: str


@dataclass(frozen=True, slots=True)
class Payment:
    """What the processor did: succeeded with its payment id, or why it declined."""

    succeeded: bool
    payment_id: str = ""
    failure: str = ""


class Processor(Protocol):
    """One processor. Raises ProviderError when it cannot be known what happened."""

    name: str

    def charge(self, charge: Charge) -> Payment:
        """Charges, idempotent by reference. Source: the processor's own API."""
        ...

    def find(self, charge: Charge) -> Payment | None:
        """What became of that reference, or None if it never arrived."""
        ...
