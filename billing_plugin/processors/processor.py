"""What every payment processor is: it charges once per reference, can be asked what became of it,
and says by signed messages that something did.

A message is only a hint. What is entered is always what the processor answers when it is asked, so
that messages may come twice, late, in any order or never.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from billing_plugin.money import Money

SUCCEEDED, FAILED, PROCESSING, CONFIRM = "succeeded", "failed", "processing", "confirm"
OPEN, WON, LOST = "open", "won", "lost"


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged. `reference` is our own id: the same one never charges twice.

    `attended`: somebody is there who can confirm (3-D Secure). `payment_id` is the processor's, of
    a charge that it has told of before.
    """

    reference: str
    amount: Money
    payment_method: str
    attended: bool = True
    payment_id: str | None = None


class Refund(NamedTuple):
    """Money that a payment gave back; `failed`: it came back to us."""

    id: str
    amount: Money
    failed: bool = False


class Dispute(NamedTuple):
    """Money that the payer's bank took back: it stays gone unless the dispute is won."""

    id: str
    amount: Money
    status: str = OPEN


@dataclass(frozen=True, slots=True)
class Payment:
    """What has become of a charge by now.

    `status` is succeeded, failed (`failure` is the processor's short code for why), processing (it
    may take days), or confirm: the payer must, with `client_secret`. `amount` is what was taken and
    `reference` whose it is; both are held against the charge.
    """

    status: str
    payment_id: str = ""
    amount: Money | None = None
    reference: str = ""
    failure: str = ""
    client_secret: str = field(default="", repr=False)
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()


class Message(NamedTuple):
    """What a processor sent: its id, what kind, and which payment it is about ("" for others)."""

    id: str
    kind: str
    payment_id: str = ""
    reference: str = ""


class Processor(Protocol):
    """One processor. Raises ProviderError when it cannot be known what happened."""

    name: str

    def charge(self, charge: Charge) -> Payment:
        """Charges, idempotent by reference. Source: the processor's own API."""
        ...

    def find(self, charge: Charge) -> Payment | None:
        """What became of that charge, or None if it never arrived."""
        ...

    def read_message(
        self, body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], at: datetime
    ) -> Message:
        """The message, if it is signed by one of the secrets, about now. Raises InvalidRequest
        (`invalid_signature`, `malformed_json`)."""
        ...
