"""The shipped fake processor: customers and their payment methods, without a card or a network.

A customer's id follows from the account's, a method's from its customer and from a token that says
what becomes of it when it is charged (see `fake`). What it keeps, in its process and no longer, is
which methods were added and removed: the payer states one by `confirm`, or else a Visa card is
stated some seconds after the setup has begun.

| token | is |
|---|---|
| `fake_bank` | a bank account |
| `fake_link` | a link with an e-mail address |
| `fake_mastercard` | a Mastercard |
| anything else, such as `fake_visa`, `fake_declined`, `fake_3ds` | a Visa card |
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from billing_plugin.context import utc_now
from billing_plugin.errors import ProviderUnreadable
from billing_plugin.ids import time_of
from billing_plugin.processors.processor import BANK, CARD, LINK, Method, Profile, Setup

VISA, MASTERCARD, BANK_ACCOUNT, BY_LINK = "fake_visa", "fake_mastercard", "fake_bank", "fake_link"
CONFIRMS_AFTER_S = 3
_ID = re.compile(r"pm_(fake_[a-z0-9_]+)_([0-9a-f]{24})_[0-9a-f]{8}", re.ASCII)
_EXPIRES = (12, 2039)


class _Begun(NamedTuple):
    customer_id: str
    reference: str
    token: str = ""  # stated by the payer


class FakeCustomers:
    """Who the fake processor knows, and how they pay."""

    def __init__(self) -> None:
        self.profiles: dict[str, Profile] = {}
        self.preferred: dict[str, str] = {}
        self._begun: dict[str, _Begun] = {}
        self._removed: set[str] = set()

    def open_customer(self, account_id: str) -> str:
        """See Processor. Source: this module's own rule."""
        return f"cus_fake_{_digits(account_id)}"

    def change_customer(self, customer_id: str, profile: Profile) -> None:
        """See Processor: keeps it, for tests to look at."""
        self.profiles[customer_id] = profile

    def list_methods(self, customer_id: str) -> list[Method]:
        """See Processor."""
        begun = [one for one in self._begun.values() if one.customer_id == customer_id]
        ids = [_method_id(one) for one in begun if _token(one)]
        found = [self.find_method(method_id) for method_id in reversed(ids)]
        return [method for method in found if method and method.customer_id]

    def find_method(self, method_id: str) -> Method | None:
        """See Processor. What is no id of ours is a token, given by hand, and nobody's."""
        match = _ID.fullmatch(method_id)
        if match is None:
            return _method(method_id, method_id)
        owner = "" if method_id in self._removed else owner_of(method_id)
        return _method(method_id, match[1], owner or "")

    def begin_method(self, customer_id: str, reference: str) -> Setup:
        """See Processor."""
        setup_id = f"seti_fake_{_digits(reference)}"
        self._begun.setdefault(setup_id, _Begun(customer_id, reference))
        return Setup(setup_id, f"{setup_id}_secret_{_digits('secret ' + reference)[:16]}")

    def confirm(self, client_secret: str, token: str = VISA) -> str:
        """The payer states a payment method, as a browser would; its id. Raises ProviderUnreadable
        where no setup has that secret."""
        setup_id = client_secret.partition("_secret_")[0]
        begun = self._begun.get(setup_id)
        if begun is None or self.begin_method(*begun[:2]).client_secret != client_secret:
            raise ProviderUnreadable("No setup has that secret.")
        self._begun[setup_id] = stated = begun._replace(token=token)
        return _method_id(stated)

    def prefer_method(self, customer_id: str, method_id: str) -> None:
        """See Processor: keeps it, for tests to look at."""
        self.preferred[customer_id] = method_id

    def remove_method(self, method_id: str) -> None:
        """See Processor."""
        self._removed.add(method_id)


def token_of(method_id: str) -> str:
    """What says what becomes of a charge: in a stored method's id, or given by hand."""
    match = _ID.fullmatch(method_id)
    return match[1] if match else method_id


def owner_of(method_id: str) -> str | None:
    """The customer that a stored method was added by; None for what was given by hand."""
    match = _ID.fullmatch(method_id)
    return f"cus_fake_{match[2]}" if match else None


def _token(begun: _Begun) -> str:
    """What the payer stated, by now."""
    if begun.token:
        return begun.token
    made = time_of(begun.reference)
    has_waited = made is None or (utc_now() - made).total_seconds() >= CONFIRMS_AFTER_S
    return VISA if has_waited else ""


def _method_id(begun: _Begun) -> str:
    owner = begun.customer_id.removeprefix("cus_fake_")
    return f"pm_{_token(begun)}_{owner}_{_digits(begun.reference)[:8]}"


def _method(method_id: str, token: str, customer_id: str = "") -> Method:
    if token == BANK_ACCOUNT:
        return Method(method_id, BANK, customer_id, last4="6789", bank_name="Fake Bank")
    if token == BY_LINK:
        return Method(method_id, LINK, customer_id, email="payer@example.com")
    brand, last4 = ("mastercard", "4444") if token == MASTERCARD else ("visa", "4242")
    return Method(method_id, CARD, customer_id, brand, last4, *_EXPIRES)


def _digits(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]
