"""Deliveries: one event for one endpoint, tried again until it is received or given up."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import (
    Table,
    UTCDateTimeField,
    execute_many,
    fetch_all,
    fetch_one,
)
from billing_plugin.models.events import Event

PREFIX = "dlv"
PENDING, DELIVERED, FAILED = "pending", "delivered", "failed"
STATUSES = (PENDING, DELIVERED, FAILED)
_ADD = (
    "INSERT INTO billing_webhook_delivery (id, endpoint_id, account_id, event_id, event, status,"
    " attempts, tries, try_at, created_at) VALUES (?, ?, ?, ?, ?, 'pending', 0, 0, ?, ?)"
)
_ONCE = " ON CONFLICT (endpoint_id, event_id) DO NOTHING"
_AGAIN = (
    " ON CONFLICT (endpoint_id, event_id) DO UPDATE SET status = 'pending', tries = 0,"
    " try_at = excluded.try_at, error = NULL"
)


class Delivery(Table):
    """One event on its way to one endpoint. `attempts` counts all of them, `tries` those since it
    was begun or replayed; `try_at` is when it is tried next, None where it is not."""

    id = peewee.TextField(primary_key=True)
    endpoint_id = peewee.TextField()
    account_id = peewee.TextField()
    event_id = peewee.TextField()
    event = peewee.TextField()
    status = peewee.TextField()
    attempts = peewee.IntegerField()
    tries = peewee.IntegerField()
    response_code = peewee.IntegerField(null=True)
    error = peewee.TextField(null=True)
    try_at = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField()
    tried_at = UTCDateTimeField(null=True)
    delivered_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "billing_webhook_delivery"


def add(event: Event, endpoint_ids: Iterable[str], at: datetime) -> None:
    """Stores a delivery of the event for each endpoint, due now, where there is none."""
    execute_many(_ADD + _ONCE, [_row(event, one, at) for one in endpoint_ids])


def again(endpoint_id: str, events: Iterable[Event], at: datetime) -> None:
    """Has the events delivered to an endpoint once more, or for the first time."""
    execute_many(_ADD + _AGAIN, [_row(event, endpoint_id, at) for event in events])


def of_event(event_id: str) -> list[str]:
    """Ids of an event's deliveries."""
    rows = fetch_all("SELECT id FROM billing_webhook_delivery WHERE event_id = ?", (event_id,))
    return [row[0] for row in rows]


def get(account_id: str, delivery_id: str) -> Delivery:
    """One delivery of the account. Raises NotFound."""
    wanted = (Delivery.id == delivery_id) & (Delivery.account_id == account_id)
    found = Delivery.get_or_none(wanted)
    if found is None:
        raise NotFound("There is no such delivery.")
    return found


def page(
    endpoint_id: str, *, status: str | None = None, before: str | None = None, limit: int = 50
) -> list[Delivery]:
    """Deliveries to an endpoint, newest first; `before` is the id to go on from."""
    query = Delivery.select().where(Delivery.endpoint_id == endpoint_id)
    if status is not None:
        query = query.where(Delivery.status == status)
    if before is not None:
        query = query.where(Delivery.id < before)
    return list(query.order_by(Delivery.id.desc()).limit(limit))


def due(at: datetime, limit: int) -> list[str]:
    """Ids of deliveries that are to be tried, the longest due first."""
    rows = fetch_all(
        "SELECT id FROM billing_webhook_delivery WHERE try_at <= ? ORDER BY try_at LIMIT ?",
        (at, limit),
    )
    return [row[0] for row in rows]


def claim(delivery_id: str, at: datetime, *, until: datetime) -> Delivery | None:
    """Takes a delivery that is due, and counts the attempt; None where it is not due, or somebody
    else is at it. Whoever is silent until then has lost it."""
    taken = fetch_one(
        "UPDATE billing_webhook_delivery SET attempts = attempts + 1, tries = tries + 1,"
        " tried_at = ?, try_at = ? WHERE id = ? AND status = 'pending' AND try_at <= ?"
        " RETURNING id",
        (at, until, delivery_id, at),
    )
    return Delivery.get_by_id(delivery_id) if taken else None


def deliver(delivery: Delivery, at: datetime, *, code: int | None) -> None:
    """Says that it was received."""
    _end(delivery, status=DELIVERED, try_at=None, error=None, response_code=code, delivered_at=at)


def put_off(
    delivery: Delivery, *, error: str, code: int | None, try_at: datetime | None
) -> None:  # fmt: skip
    """Says why an attempt failed, and when the next one is: never, for None."""
    status = PENDING if try_at else FAILED
    _end(delivery, status=status, try_at=try_at, error=error, response_code=code)


def _end(delivery: Delivery, **values: Any) -> None:
    """Ends an attempt; one that somebody else has taken over, or that a replay has overtaken,
    changes nothing."""
    mine = (Delivery.id == delivery.id) & (Delivery.attempts == delivery.attempts)
    Delivery.update(**values).where(mine & (Delivery.try_at == delivery.try_at)).execute()


def _row(event: Event, endpoint_id: str, at: datetime) -> tuple[Any, ...]:
    event_id, name = event.id, event.name
    return (ids.new_id(PREFIX), endpoint_id, event.account_id, event_id, name, at, at)
