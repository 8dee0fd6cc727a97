"""What a report rests on: how many of the connected providers are in it, until which day its
sources go, and how much of the metered spend has a known price."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from billing_plugin.models import coverage
from billing_plugin.models.spend import METERED, Asked, Span
from billing_plugin.money import Money
from billing_plugin.periods import Period, aware

_MOMENT = timedelta(microseconds=1)
_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Priced:
    """Metered spend, and what of it was charged although no price was known.

    `percentage` is how much of the spend has a known price, with one decimal, rounded down, so that
    100.0 is all of it; None where nothing was spent.
    """

    total: Money
    flagged: Money
    uses: int
    flagged_uses: int

    @property
    def percentage(self) -> Decimal | None:
        """The share of `total` that is not `flagged`."""
        if self.total.nanos <= 0:
            return None
        priced = self.total.nanos - self.flagged.nanos
        return Decimal(1000 * priced // self.total.nanos).scaleb(-1)

    @property
    def text(self) -> str:
        """The same in words: "91.0 % of metered spend priced, 2 of 40 uses not"."""
        share = self.percentage
        said = "no metered spend" if share is None else f"{share} % of metered spend priced"
        return f"{said}, {self.flagged_uses} of {self.uses} uses not" if self.flagged_uses else said


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a report rests on.

    `providers` are those of the active integrations (of the one that is asked for), `missing` those
    without anything in the period. `newest` is the newest UTC day of which each source has
    something at all, None for nothing. `priced` is None where no metered usage is asked for.
    """

    providers: list[str]
    missing: list[str]
    newest: Mapping[str, date | None]
    priced: Priced | None

    @property
    def text(self) -> str:
        """The same in one line, as every door shows it: "1 of 2 providers (nothing from aws); 91.0
        % of metered spend priced; newest manual 2026-03-09, metered never"."""
        days = ", ".join(f"{source} {day or 'never'}" for source, day in self.newest.items())
        priced = [self.priced.text] if self.priced else []
        return "; ".join([_connected(self.providers, self.missing), *priced, f"newest {days}"])


def coverage_of(asked: Asked, currency: str) -> Coverage:
    """The coverage of a question, read in the present transaction. Money is of the account's
    currency."""
    priced = _priced(asked, currency) if METERED in asked.sources else None
    return _coverage(asked, coverage.connected(asked), priced)


def coverage_of_usage(
    account_id: str, period: Period, *, priced: Priced, providers: Collection[str] | None
) -> Coverage:
    """The same of metered usage between two instants, of all providers or of those alone.

    A provider is missing that has nothing on the UTC days which the period touches. `priced` is as
    the caller knows it.
    """
    start = aware(period.start)
    last = max(start, aware(period.end) - _MOMENT)
    asked = Asked(account_id, Span(start.date(), last.date()), [METERED])
    connected = {
        name: found
        for name, found in coverage.connected(asked).items()
        if providers is None or name in providers
    }
    return _coverage(asked, connected, priced)


def _coverage(asked: Asked, connected: Mapping[str, bool], priced: Priced | None) -> Coverage:
    newest = {
        source: None if day is None else date.fromisoformat(day)
        for source, day in coverage.newest_days(asked).items()
    }
    missing = [provider for provider, found in connected.items() if not found]
    return Coverage(list(connected), missing, newest, priced)


def _priced(asked: Asked, currency: str) -> Priced:
    found = coverage.metered(asked)
    total, flagged = Money(found.cost, currency), Money(found.flagged_cost, currency)
    return Priced(total, flagged, found.uses, found.flagged_uses)


def _connected(providers: Sequence[str], missing: Sequence[str]) -> str:
    if not providers:
        return "no connected provider"
    found = f"{len(providers) - len(missing)} of {len(providers)} providers"
    if not missing:
        return found
    more = len(missing) - _MOST_NAMES
    names = ", ".join(missing[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
    return f"{found} (nothing from {names})"
