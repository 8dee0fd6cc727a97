"""Messages of processors that were verified: each is stored once, for ever, and acted on once."""

from __future__ import annotations

from datetime import datetime

import peewee

from billing_plugin.errors import NotFound
from billing_plugin.models.base import Table, UTCDateTimeField, execute, fetch_all

RECEIVED, DONE, IGNORED, FAILED = "received", "done", "ignored", "failed"


class StoredMessage(Table):
    """One message, without its body: what it says is asked of the processor itself.

    `ignored`: it is about nothing of ours. `failed`: it was tried so often that a person must look;
    `try_at` is when it is tried again.
    """

    id = peewee.TextField(primary_key=True)  # of its processor, with that name before it
    processor = peewee.TextField()
    kind = peewee.TextField()
    payment_id = peewee.TextField()
    reference = peewee.TextField()
    status = peewee.TextField()
    attempts = peewee.IntegerField()
    error = peewee.TextField(null=True)
    received_at = UTCDateTimeField()
    try_at = UTCDateTimeField(null=True)
    done_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "billing_message"


def add(
    processor: str, said: tuple[str, str, str, str], at: datetime, *, try_at: datetime
) -> str | None:
    """Stores a message by its id, kind, payment and reference; its id here, or None where it is
    known already."""
    message_id = f"{processor} {said[0]}"
    row = (message_id, processor, *said[1:], RECEIVED, 0, at, try_at)
    done = execute(
        "INSERT INTO billing_message (id, processor, kind, payment_id, reference, status, attempts,"
        " received_at, try_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        row,
    )
    return message_id if done.rowcount == 1 else None


def get(message_id: str) -> StoredMessage:
    """One message. Raises NotFound."""
    found: StoredMessage | None = StoredMessage.get_or_none(StoredMessage.id == message_id)
    if found is None:
        raise NotFound("There is no such message.")
    return found


def settle(message: StoredMessage, status: str, at: datetime) -> None:
    """Says that a message was acted on."""
    StoredMessage.update(status=status, done_at=at, try_at=None, error=None).where(
        StoredMessage.id == message.id
    ).execute()


def put_off(message: StoredMessage, error: str, *, try_at: datetime | None) -> None:
    """Says why a message could not be acted on, and when it is tried again: never, for None."""
    StoredMessage.update(
        attempts=StoredMessage.attempts + 1, error=error, try_at=try_at,
        status=RECEIVED if try_at else FAILED,
    ).where(StoredMessage.id == message.id).execute()  # fmt: skip


def due(at: datetime, limit: int) -> list[str]:
    """Ids of messages that are to be tried again, the longest due first."""
    rows = fetch_all(
        "SELECT id FROM billing_message WHERE try_at <= ? ORDER BY try_at LIMIT ?", (at, limit)
    )
    return [row[0] for row in rows]


def page(*, before: datetime | None = None, limit: int = 50) -> list[StoredMessage]:
    """Messages, the newest first; `before` is when the one was received to go on from."""
    query = StoredMessage.select()
    if before is not None:
        query = query.where(StoredMessage.received_at < before)
    order = (StoredMessage.received_at.desc(), StoredMessage.id.desc())
    return list(query.order_by(*order).limit(limit))
