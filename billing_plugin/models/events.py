"""Events: what has happened, told by a row in the very transaction that made it happen.

So nothing is told of what was rolled back, and nothing is lost that was committed: signals fire
after the commit, a job spreads the event to webhook endpoints, and the sweeper finds what no job
was started for.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import peewee

from billing_plugin import context, ids, signals
from billing_plugin.context import Instance
from billing_plugin.errors import InternalError, place_of
from billing_plugin.models.base import (
    JSONField,
    Table,
    UTCDateTimeField,
    by_id,
    dump,
    execute,
    fetch_all,
    fetch_one,
    stored_time,
)
from billing_plugin.money import Money
from billing_plugin.signals import NAMES, Told

PREFIX = "evt"
JOB = "worker.jobs.spread_event"
log = logging.getLogger("billing_plugin")
_ADD = (
    "INSERT INTO billing_event (id, name, account_id, data, once, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (once) DO NOTHING"
)


class Event(Table):
    """One event. `once` is what it may be told of once only; `spread_at` when its deliveries were
    made, None while they are not."""

    id = peewee.TextField(primary_key=True)
    name = peewee.TextField()
    account_id = peewee.TextField()
    data = JSONField()
    once = peewee.TextField(null=True)
    created_at = UTCDateTimeField()
    spread_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "billing_event"


def tell(
    name: str, account_id: str, data: Mapping[str, Any], *, once: object = None
) -> str | None:  # fmt: skip
    """Stores an event in the present write transaction; its id.

    `data` holds what JSON can say, Money and instants, by names in camelCase. With `once` (anything
    that JSON can say) it is told once for ever: None where it has been.
    """
    if name not in NAMES:
        raise InternalError(f"{name} is no event.")
    event_id, at, said = ids.new_id(PREFIX), context.now(), _plain(data)
    digest = None if once is None else hashlib.sha256(dump([name, once]).encode()).hexdigest()
    if execute(_ADD, (event_id, name, account_id, dump(said), digest, at)).rowcount != 1:
        return None
    instance, event = context.current(), Told(event_id, name, account_id, said, at)
    context.after_commit(lambda: _announce(instance, event))
    return event_id


def get(event_id: str) -> Event | None:
    """One event, if there is one of that id."""
    return by_id(Event, event_id)


def take(event_id: str, at: datetime) -> Event | None:
    """Takes an event that is not spread yet; the caller spreads it in the same transaction."""
    taken = fetch_one(
        "UPDATE billing_event SET spread_at = ? WHERE id = ? AND spread_at IS NULL RETURNING id",
        (at, event_id),
    )
    return get(event_id) if taken else None


def left_behind(limit: int) -> list[str]:
    """Ids of events that are not spread, the oldest first."""
    rows = fetch_all(
        "SELECT id FROM billing_event WHERE spread_at IS NULL ORDER BY id LIMIT ?", (limit,)
    )
    return [row[0] for row in rows]


def between(
    account_id: str, names: list[str], *, since: datetime, until: datetime, limit: int,
    after: str = "",
) -> list[Event]:  # fmt: skip
    """The account's events of those names in a half-open time, oldest first, after an id."""
    wanted = (Event.account_id == account_id) & (Event.name.in_(names)) & (Event.id > after)
    wanted &= (Event.created_at >= since) & (Event.created_at < until)
    return list(Event.select().where(wanted).order_by(Event.id).limit(limit))


def body_of(event: Event) -> str:
    """What is sent of it, the same letters each time."""
    data = {"accountId": event.account_id, **event.data}
    return dump({"type": event.name, "timestamp": stored_time(event.created_at), "data": data})


def _announce(instance: Instance, event: Told) -> None:
    """After the commit, which may be the host's own; it may have kept nothing of a savepoint."""
    try:
        with instance.active():
            if get(event.id) is None:
                return
            signals.fire(instance, event)
            if instance.settings.redis_url:  # else the sweeper does: nobody waits for a receiver
                instance.enqueue(JOB, event.id)
    except Exception as error:
        log.warning("the sweeper will spread %s: %s", event.id, place_of(error))


def _plain(value: Any) -> Any:
    if isinstance(value, Money):
        return {"amount": value.text, "currency": value.currency}
    if isinstance(value, datetime):
        return stored_time(value)
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value
