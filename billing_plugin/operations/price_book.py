"""The price book at work: which price holds for a use, compiled once and kept in this process.

The account's own price comes first, then everybody's, then the price list. What is compiled is kept
under account, provider and model with the time in which it holds. Once a second the book reads the
number of its last change; when that has risen, everything that was kept is forgotten. So a price
set in one process is seen by every other within a second, and by its own at once. A price that is
set more than a second before it begins is therefore never late anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from time import monotonic_ns

from billing_plugin.context import current
from billing_plugin.errors import BillingError, NotSupported, UnpricedModel
from billing_plugin.models import prices
from billing_plugin.models.prices import ANY, Price
from billing_plugin.models.usage import Usage
from billing_plugin.operations.tariffs import Tariff, no_tariff, tariff_of
from billing_plugin.periods import aware
from billing_plugin.providers.listing import ALWAYS, Band, Listing

LOOK_EVERY_NS = 1_000_000_000
MAX_MODELS = 4_096  # kept at once, so that made-up names do not fill the memory
MAX_STRETCHES = 16  # of time, for each of them

ANYTHING = Usage(ANY, provider=ANY)  # what the fallback price is asked for

Key = tuple[str | None, str, str]  # account with prices of its own, provider, model
Kept = tuple[datetime, datetime, Tariff]  # a tariff behind its own times: read at every rating
Shelf = dict[tuple[str, str], tuple[Kept, ...]]


class PriceBook:
    """The compiled prices of one instance in one process."""

    def __init__(self) -> None:
        # Everybody's, and by account those of accounts that have prices of their own. Replaced as
        # one: a reader must not take an account for one without, and everybody's for another time.
        self.shelves: tuple[Shelf, dict[str | None, Shelf]] = ({}, {})
        self.state: tuple[int, str] | None = None
        self.next_look_ns = 0

    def tariff(self, usage: Usage, at: datetime, account_id: str | None) -> Tariff:
        """The tariff of the use's model that holds for the account at the instant.

        Raises NotSupported where no list is installed and the book has no price either.
        """
        if monotonic_ns() > self.next_look_ns:
            self._look()
        everybodys, own = self.shelves
        shelf = own.get(account_id, everybodys) if own else everybodys
        for starts, ends, tariff in shelf.get((usage.provider, usage.model), ()):
            if starts <= at < ends:
                return tariff
        owner = None if shelf is everybodys else account_id
        return _shelved(shelf, (owner, usage.provider, usage.model), aware(at))

    def forget(self) -> None:
        """Looks for changes at the next question."""
        self.next_look_ns = 0

    def _look(self) -> None:
        self.next_look_ns = monotonic_ns() + LOOK_EVERY_NS  # first: a change meanwhile resets it
        try:
            self._renew((prices.version(), getattr(current().price_list, "edition", "")))
        except BaseException:
            self.forget()
            raise

    def _renew(self, state: tuple[int, str]) -> None:
        """Forgets what was compiled in another state. Who compiles now fills the old shelves."""
        if state != self.state:
            self.shelves = {}, {account_id: {} for account_id in prices.accounts_with_own()}
            self.state = state


def book() -> PriceBook:
    """The price book of the instance at work."""
    return current().price_book or _opened()


def listing_of(price: Price) -> Listing:
    """A price of the book, in the form that the price list speaks."""
    facts = {"source": price.source, "id": price.id}
    facts |= {"provider": price.provider, "model": price.model}
    exact = {unit: Decimal(text) for unit, text in price.prices.items()}
    ends = price.valid_until or ALWAYS[1]
    return Listing(
        price.provider, price.model, (Band(-1, exact),), facts,
        starts=price.valid_from, ends=ends, currency=price.currency,
    )  # fmt: skip


def listed(provider: str, model: str, *, at: datetime) -> Listing:
    """The answer of the price list. Raises UnpricedModel, NotSupported."""
    price_list = current().price_list
    if price_list is None:
        raise NotSupported("No price list is installed; install the extra `pricing`.")
    found: Listing = price_list.find(model, provider=provider or None, at=at)
    return found


def ruling(candidates: Iterable[Price], model: str, at: datetime) -> Price | None:
    """Of the prices in force the account's own, then one for that very name, then the newest."""
    in_force = [price for price in candidates if price.in_force(at)]
    return max(in_force, key=lambda price: _rank(price, model), default=None)


def _opened() -> PriceBook:
    opened = current().price_book = PriceBook()
    return opened


def _shelved(shelf: Shelf, key: Key, at: datetime) -> Tariff:
    tariff = _compiled(key, at)
    if len(shelf) >= MAX_MODELS:
        shelf.clear()
    kept = (tariff.starts, tariff.ends, tariff)
    shelf[key[1:]] = (kept, *shelf.get(key[1:], ())[: MAX_STRETCHES - 1])
    return tariff


def _compiled(key: Key, at: datetime) -> Tariff:
    _, provider, model = key
    listing, refusal = _asked(provider, model, at)
    candidates = _candidates(key, listing)
    starts, ends = _stretch(candidates, at)
    price = ruling(candidates, model.strip().lower(), at)
    if price is not None:
        listing, refusal = listing_of(price), None
    if isinstance(refusal, NotSupported):
        raise refusal
    if listing is None:
        return no_tariff(model, starts, ends)
    tariff = tariff_of(listing, flagged=price is not None and price.model == ANY)
    return replace(tariff, starts=max(tariff.starts, starts), ends=min(tariff.ends, ends))


def _rank(price: Price, model: str) -> tuple[bool, bool, datetime, str]:
    return price.account_id is not None, price.model == model, price.valid_from, price.id


def _asked(provider: str, model: str, at: datetime) -> tuple[Listing | None, BillingError | None]:
    if model == ANY:
        return None, None
    try:
        return listed(provider, model, at=at), None
    except (UnpricedModel, NotSupported) as error:
        return None, error


def _candidates(key: Key, listing: Listing | None) -> list[Price]:
    """The prices of the book that go by a name of the use, or by the names the list has for it."""
    account_id, provider, model = key
    providers, models = {provider.strip().lower()}, {model.strip().lower()}
    if listing is not None:
        providers.add(listing.provider.lower())
        models.add(listing.model.lower())
    found = prices.matching(account_id, models)
    if providers != {""}:
        return [price for price in found if price.provider in providers]
    # Nobody says whose model it is: the book does, if it knows it of one provider only.
    return found if len({price.provider for price in found}) == 1 else []


def _stretch(candidates: Iterable[Price], at: datetime) -> tuple[datetime, datetime]:
    """The time around the instant in which no price of the book begins or ends."""
    turns = [turn for price in candidates for turn in (price.valid_from, price.valid_until) if turn]
    before = [turn for turn in turns if turn <= at]
    after = [turn for turn in turns if turn > at]
    return max(before, default=ALWAYS[0]), min(after, default=ALWAYS[1])
