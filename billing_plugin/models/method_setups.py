"""Payment methods that somebody began to add: the row is written before the processor is asked."""

from __future__ import annotations

from datetime import datetime

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import Row, Table, UTCDateTimeField, by_id, fetch_all

PREFIX = "set"


class MethodSetup(Table):
    """One attempt to add a payment method. Its id is the processor's reference for it."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    key_id = peewee.TextField(null=True)
    processor = peewee.TextField()
    created_at = UTCDateTimeField()

    setup_id = ""  # the processor's, and
    client_secret = ""  # by which the payer states the method; never stored

    class Meta:
        table_name = "billing_method_setup"


def create(account_id: str, processor: str, *, key_id: str | None, at: datetime) -> MethodSetup:
    """Stores that a method is to be added."""
    return MethodSetup.create(
        id=ids.new_id(PREFIX), account_id=account_id, key_id=key_id, processor=processor,
        created_at=at,
    )  # fmt: skip


def get(setup_id: str) -> MethodSetup:
    """The one of that id. Raises NotFound."""
    found = by_id(MethodSetup, setup_id)
    if found is None:
        raise NotFound("There is no such attempt to add a payment method.")
    return found


def recent(account_id: str, since: datetime, limit: int) -> list[Row]:
    """When and by which key the account's newest were begun after an instant, newest first."""
    return fetch_all(
        "SELECT created_at, key_id FROM billing_method_setup"
        " WHERE account_id = ? AND created_at > ? ORDER BY created_at DESC LIMIT ?",
        (account_id, since, limit),
    )
