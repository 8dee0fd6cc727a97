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

CARD, BANK, LINK, OTHER = "card", "bank", "link", "other"
FORMS = (CARD, BANK, LINK, OTHER)
SUCCEEDED, FAILED, PROCESSING, CONFIRM = "succeeded", "failed", "processing", "confirm"
OPEN, WON, LOST = "open", "won", "lost"


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be charged. `reference` is our own id: the same one never charges twice.

    `attended`: somebody is there who can confirm (3-D Secure). `payment_id` is the processor's, of
    a charge that it has told of before; `customer_id` is whom it charges, where it knows the payer.
    """

    reference: str
    amount: Money
    payment_method: str
    attended: bool = True
    payment_id: str | None = None
    customer_id: str | None = None


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
    may take days), or confirm: the payer must, with `client_secret`. `amount` is what was taken,
    `reference` and `customer_id` whose it is; they are held against the charge.
    """

    status: str
    payment_id: str = ""
    amount: Money | None = None
    reference: str = ""
    failure: str = ""
    client_secret: str = field(default="", repr=False)
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    customer_id: str = ""


@dataclass(frozen=True, slots=True)
class Method:
    """A payment method: its form, and what people know it by; never the number itself.

    Of a card `brand`, `last4` and its expiry, of a bank account `bank_name` and `last4`, of a link
    `email`; "" and None: not told. `customer_id` is whose it is, "" nobody's yet.
    """

    id: str
    form: str
    customer_id: str = ""
    brand: str = ""
    last4: str = ""
    exp_month: int | None = None
    exp_year: int | None = None
    bank_name: str = ""
    email: str = ""
    added_at: datetime | None = None


class Setup(NamedTuple):
    """A payment method that is being added; whoever has the secret states it to the processor."""

    id: str
    client_secret: str

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Setup(id={self.id!r})"


@dataclass(frozen=True, slots=True)
class Profile:
    """Who a customer is on bills; "" is not stated. `tax_id_type` is a kind such as eu_vat."""

    name: str = ""
    email: str = ""
    line1: str = ""
    line2: str = ""
    city: str = ""
    postal_code: str = ""
    region: str = ""
    country: str = ""
    tax_id_type: str = ""
    tax_id: str = ""


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

    def open_customer(self, account_id: str) -> str:
        """The customer of that account: made now, or by the same call before."""
        ...

    def change_customer(self, customer_id: str, profile: Profile) -> None:
        """Tells who the customer is on bills; what is not stated is taken away."""
        ...

    def list_methods(self, customer_id: str) -> list[Method]:
        """The customer's payment methods, newest first."""
        ...

    def find_method(self, method_id: str) -> Method | None:
        """The payment method of that id, whosesoever it is; None where there is none."""
        ...

    def begin_method(self, customer_id: str, reference: str) -> Setup:
        """Begins to add a payment method, which becomes the customer's when the payer states it.
        The same reference is the same setup."""
        ...

    def prefer_method(self, customer_id: str, method_id: str) -> None:
        """Makes a method of the customer's its default, for what the processor charges itself."""
        ...

    def remove_method(self, method_id: str) -> None:
        """Takes a method from its customer; it cannot be charged any more."""
        ...

    def read_message(
        self, body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str], at: datetime
    ) -> Message:
        """The message, if it is signed by one of the secrets, about now. Raises InvalidRequest
        (`invalid_signature`, `malformed_json`)."""
        ...
