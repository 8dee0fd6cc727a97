"""The price book for those who ask: prices listed, set, ended and compared, and costs foreseen.

`rate` and `Rated` are what recording usage calls; see `rating`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from billing_plugin import ids
from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts
from billing_plugin.models import prices as price_rows
from billing_plugin.models.prices import ANY, Price
from billing_plugin.models.usage import Usage
from billing_plugin.money import check_currency
from billing_plugin.operations.catalogue import check_page, operation
from billing_plugin.operations.foresight import Preview, foresee
from billing_plugin.operations.once import Once, marked, once_without_lock
from billing_plugin.operations.price_book import book
from billing_plugin.operations.rating import Rated, check_usage, rate
from billing_plugin.operations.tariffs import UNITS
from billing_plugin.periods import aware

__all__ = [
    "Preview",
    "Rated",
    "end_price",
    "estimate_cost",
    "list_prices",
    "preview_cost",
    "rate",
    "set_price",
]

MAX_NAME_LENGTH = 200
OWN_SOURCE = "price book"
_PRICE = re.compile(r"[0-9]{1,12}(\.[0-9]{1,24})?")


@operation(scope="balance:read", effect="reads")
def estimate_cost(actor: Actor, account_id: str, usage: Usage) -> Rated:
    """What a use would cost the account now; nothing is stored.

    Raises UnpricedModel, NotSupported without a price list, InvalidRequest.
    """
    del actor
    check_usage(usage)
    return rate(usage, now(), account_id)


@operation(scope="balance:read", effect="reads")
def preview_cost(
    actor: Actor, account_id: str, usage: Usage, *, max_output_tokens: int | None = None
) -> Preview:
    """Between which two amounts a use will cost that is about to happen; nothing is stored.

    Known are `input_tokens` (audio and image among them as stated) and that the output is from
    `output_tokens` up to `max_output_tokens` (None: as stated). Open is what a cache will give or
    take and how much of the output is reasoning; audio and image come out if the use states any.
    Whatever use comes of that costs no less than `lower` and no more than `upper` at today's price.
    Raises UnpricedModel, NotSupported without a price list, InvalidRequest.
    """
    del actor
    check_usage(usage)
    return foresee(usage, account_id, at=now(), max_output=max_output_tokens)


@operation(scope="prices:read", effect="reads")
def list_prices(
    actor: Actor,
    *,
    at: datetime | None = None,
    account_id: str | None = None,
    before: str | None = None,
    limit: int | None = None,
) -> list[Price]:
    """Prices of the book, newest first: everybody's, and those of the account (None: the actor's).

    With `at` only those in force at that instant, also the ones that a newer price overrules.
    `before` is an id to go on from, `limit` 1 to 100 (None: all). Raises NotFound for another's
    account, InvalidRequest.
    """
    if limit is not None:
        check_page(limit)
    whose, moment = whose_prices(actor, account_id), None if at is None else aware(at)
    return price_rows.page(whose, at=moment, before=before, limit=limit)


@operation(scope="prices:write", effect="writes")
def set_price(
    actor: Actor,
    provider: str,
    model: str,
    *,
    prices: Mapping[str, Decimal | str],
    account_id: str | None = None,
    currency: str | None = None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    source: str = OWN_SOURCE,
    retroactive: bool = False,
    idempotency_key: str | None = None,
) -> Price:
    """Adds a price to the book: for each unit (a token, or one of "requests") an exact decimal.

    For one account, or (None) for all. It holds from `valid_from` (None: now) until just before
    `valid_until`; whatever held before stays as it was. Only `retroactive` may it begin in the
    past, for uses that are yet to be recorded: what was charged stays charged. Provider and model
    both `*`: the fallback of models without a price. Names are kept in lower case.
    Raises InvalidRequest, NotFound for an unknown account, IdempotencyConflict. Only operators may
    do this.
    """
    at = now()
    begins, ends = aware(valid_from or at), valid_until and aware(valid_until)
    facts = {**_names(provider, model), "prices": _exact_prices(prices), "source": source}
    content = [facts, currency, str(valid_from and begins), str(ends), retroactive]
    said = Once("price", idempotency_key, content)
    with write_transaction():
        price_id, replayed = once_without_lock(
            said, ids.new_id(price_rows.PREFIX), at=at, account_id=account_id or ""
        )
        if replayed:
            return marked(price_rows.get(price_id), replayed=True)
        _check_times(begins, ends, earliest=begins if retroactive else at)
        price = price_rows.add(
            at, price_id=price_id, **facts, account_id=account_id,
            currency=_currency(account_id, currency), valid_from=begins, valid_until=ends,
            created_by=actor.key_id or "operator",
        )  # fmt: skip
    book().forget()
    return price


@operation(scope="prices:write", effect="writes")
def end_price(
    actor: Actor,
    price_id: str,
    *,
    at: datetime | None = None,
    account_id: str | None = None,
    idempotency_key: str | None = None,
) -> Price:
    """Ends a price of the book at an instant (None: now); before it begins, it never holds.

    What it overruled holds again. With `account_id` only a price that this account sees. Raises
    NotFound, Conflict where it has ended by then, IdempotencyConflict, and InvalidRequest for a
    past instant. Only operators may do this.
    """
    del actor
    present = now()
    ends = aware(at or present)
    said = Once("price.end", idempotency_key, [price_id, str(at and ends)])
    with write_transaction():
        mark = ids.new_id(price_rows.PREFIX)  # which price it is stands in the content
        _, replayed = once_without_lock(said, mark, at=present, account_id=account_id or "")
        price = price_rows.get(price_id, whose=account_id)
        if replayed:
            return marked(price, replayed=True)
        if ends < present:
            raise InvalidRequest("A price ends now or later.", code="past_price")
        price = price_rows.end(price_id, ends)
    book().forget()
    return price


def whose_prices(actor: Actor, account_id: str | None) -> str | None:
    """The account whose prices the actor may see: its own, or the one that an operator names."""
    if account_id is not None:
        actor.owned(account_id)
    return actor.account_id or account_id


def _check_times(begins: datetime, ends: datetime | None, *, earliest: datetime) -> None:
    if begins < earliest:
        raise InvalidRequest("A price begins now or later.", code="past_price")
    if ends is not None and ends <= begins:
        raise InvalidRequest("A price ends after it has begun.")


def _names(provider: str, model: str) -> dict[str, str]:
    names = {"provider": provider.strip().lower(), "model": model.strip().lower()}
    if not all(1 <= len(name) <= MAX_NAME_LENGTH for name in names.values()):
        raise InvalidRequest(f"Provider and model have 1 to {MAX_NAME_LENGTH} characters.")
    if (names["provider"] == ANY) != (names["model"] == ANY):
        raise InvalidRequest("Provider and model are both * or neither is.")
    return names


def _exact_prices(prices: Mapping[str, Decimal | str]) -> dict[str, str]:
    if not prices or not set(prices) <= set(UNITS):
        raise InvalidRequest(f"A price is for one or more of: {', '.join(UNITS)}.")
    return {unit: _exact(unit, price) for unit, price in prices.items()}


def _exact(unit: str, price: Decimal | str) -> str:
    if isinstance(price, Decimal):
        price = format(price, "f")
    if not isinstance(price, str) or not _PRICE.fullmatch(price):
        raise InvalidRequest(f"The price of {unit} is no decimal such as 0.0000025.")
    return price


def _currency(account_id: str | None, currency: str | None) -> str:
    """The price's currency; an account is charged in its own alone."""
    if account_id is None:
        return check_currency(currency or current().settings.currency)
    own = accounts.get(account_id).currency
    if currency not in (None, own):
        raise InvalidRequest("An account pays in its own currency.", code="currency_mismatch")
    return own
