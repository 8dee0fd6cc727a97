"""What every provider adapter is: credentials in, a reading out. It knows no tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from billing_plugin.errors import ProviderUnreadable
from billing_plugin.money import Money

CREDENTIAL_KINDS = ("api_key", "management_key")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a vendor just said, in one currency. None is "not exposed" or "not read", never zero.

    `sources` says for each figure: reported, derived, unavailable (the vendor does not expose it)
    or failed (it does, but not this time). `scope` says whose figures they are (account or key).
    `note` is our sentence for people. Raises ProviderUnreadable for figures of another currency.
    """

    as_of: datetime
    currency: str = "USD"
    balance: Money | None = None
    usage_today: Money | None = None
    usage_month: Money | None = None
    sources: dict[str, str] = field(default_factory=dict)
    scope: str = "account"
    note: str = ""

    def __post_init__(self) -> None:
        figures = (self.balance, self.usage_today, self.usage_month)
        if any(figure and figure.currency != self.currency for figure in figures):
            raise ProviderUnreadable("The provider's figures are of several currencies.")

    @property
    def facts(self) -> dict[str, Any]:
        """What is stored beside the figures."""
        return {"sources": self.sources, "scope": self.scope, "note": self.note}


class Provider(Protocol):
    """One vendor. Raises ProviderAuthError, ProviderUnavailable or ProviderUnreadable."""

    name: str

    def read(
        self, credentials: dict[str, str], settings: dict[str, Any], *, at: datetime, timeout_s: int
    ) -> Reading:
        """Asks the vendor; `timeout_s` bounds the whole of it. Source: the vendor's billing API."""
        ...


class Quote(Protocol):
    """A price list's answer: exact cost in USD, who the vendor is, and where the price is from."""

    @property
    def exact(self) -> Any:
        """The exact cost as Decimal US dollars."""
        ...

    @property
    def provider(self) -> str:
        """The vendor the price belongs to."""
        ...

    @property
    def source(self) -> str:
        """Name and version of the price list."""
        ...

    @property
    def facts(self) -> dict[str, Any]:
        """The matched ids and unit prices."""
        ...
