"""What a price list answers: the exact unit prices of a model, and for how long they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Protocol

ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Band:
    """Prices for uses with more than `above` input tokens (-1: any number).

    `prices` maps a quantity of `models.usage.Usage`, or "requests" (each use is one), to the exact
    price of one unit, in units of the currency. A quantity that is missing has no price of its own.
    """

    above: int
    prices: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Listing:
    """The prices of one model: bands from the lowest `above`, valid in `starts <= at < ends`.

    `facts` say where they come from; they are stored with every use that they rate.
    """

    provider: str
    model: str
    bands: tuple[Band, ...]
    facts: Mapping[str, Any]
    starts: datetime = ALWAYS[0]
    ends: datetime = ALWAYS[1]
    currency: str = "USD"


class PriceList(Protocol):
    """A list of published prices."""

    @property
    def edition(self) -> str:
        """Changes when the list does; what was compiled from it is then compiled anew."""

    def find(self, model: str, *, provider: str | None, at: datetime) -> Listing:
        """The prices of a model at an instant; without a provider the list guesses.

        Raises UnpricedModel where it knows none, NotSupported where no list is installed.
        """

    def models(self) -> Iterable[tuple[str, str]]:
        """Provider and model of everything on the list."""
