"""The price book: prices of our own, for one account or for all, each valid from a time on.

Rows are added and never changed, save that an end is set. A version number rises with every change,
so that a process which keeps compiled prices need read but one row to know that they still hold.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.errors import Conflict, NotFound
from billing_plugin.models.base import (
    JSONField,
    Table,
    UTCDateTimeField,
    execute,
    fetch_all,
    fetch_one,
)

PREFIX = "price"
ANY = "*"  # provider and model of the fallback price
_VERSION = "SELECT version FROM billing_price_version WHERE id = 1"
_OWNERS = "SELECT DISTINCT account_id FROM billing_price WHERE account_id IS NOT NULL"
_CHANGED = (
    "INSERT INTO billing_price_version (id, version) VALUES (1, 1)"
    " ON CONFLICT (id) DO UPDATE SET version = billing_price_version.version + 1"
)


class Price(Table):
    """Exact prices of a model: `prices` maps a unit to decimal text, in `currency` for one unit.

    Without `account_id` it is everybody's. Valid from `valid_from` until just before `valid_until`
    (None: without end). Provider and model are in lower case; both `*`: the fallback price.
    """

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField(null=True)
    provider = peewee.TextField()
    model = peewee.TextField()
    currency = peewee.TextField()
    prices = JSONField()
    valid_from = UTCDateTimeField()
    valid_until = UTCDateTimeField(null=True)
    source = peewee.TextField()
    created_at = UTCDateTimeField()
    created_by = peewee.TextField()

    class Meta:
        table_name = "billing_price"

    def in_force(self, at: datetime) -> bool:
        """Whether it is valid at the instant."""
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


def add(at: datetime, *, price_id: str | None = None, **values: Any) -> Price:
    """Stores a price, in the present transaction."""
    execute(_CHANGED)
    return Price.create(id=price_id or ids.new_id(PREFIX), created_at=at, **values)


def get(price_id: str, *, whose: str | None = None) -> Price:
    """One price; with `whose` only one that this account sees. Raises NotFound."""
    price = Price.get_or_none(Price.id == price_id)
    if price is None or (whose and price.account_id not in (None, whose)):
        raise NotFound("There is no such price.")
    return price


def end(price_id: str, at: datetime) -> Price:
    """Ends a price at the instant, or at once if it has not begun; never later than it ends.

    Raises NotFound, and Conflict when it has ended by then.
    """
    execute(_CHANGED)  # first, for its lock: two who end one price do so in turn
    price = get(price_id)
    if price.valid_until is not None and price.valid_until <= at:
        raise Conflict("The price has ended already.")
    price.valid_until = max(at, price.valid_from)
    price.save(only=[Price.valid_until])
    return price


def matching(account_id: str | None, models: Collection[str]) -> list[Price]:
    """Every price of the models, of any time: everybody's, and the account's own."""
    named = Price.model.in_(list(models))
    return list(Price.select().where(named & _seen_by(account_id)))


def seen_by(account_id: str | None) -> list[Price]:
    """Everybody's prices and the account's own, of any time, oldest first."""
    return list(Price.select().where(_seen_by(account_id)).order_by(Price.id))


def page(
    account_id: str | None,
    *,
    at: datetime | None = None,
    before: str | None = None,
    limit: int | None = None,
) -> list[Price]:
    """The same, newest first; with `at` those in force then; `before` is the id to go on from."""
    query = Price.select().where(_seen_by(account_id))
    if at is not None:
        is_open = Price.valid_until.is_null() | (Price.valid_until > at)
        query = query.where((Price.valid_from <= at) & is_open)
    if before is not None:
        query = query.where(Price.id < before)
    return list(query.order_by(Price.id.desc()).limit(limit))


def accounts_with_own() -> frozenset[str]:
    """The accounts that have prices of their own."""
    return frozenset(account_id for (account_id,) in fetch_all(_OWNERS))


def version() -> int:
    """The number of the last change of the book; 0 when there never was one."""
    row = fetch_one(_VERSION)
    return row[0] if row else 0


def _seen_by(account_id: str | None) -> Any:
    everybodys = Price.account_id.is_null()
    return everybodys if account_id is None else everybodys | (Price.account_id == account_id)
