"""The audit trail: who changed what, when, from what to what. Its rows are never changed.

Money needs no second row: a ledger entry itself names actor, key and request, the balance before
and after. What changes without moving money (limits, keys, raises, holds, allowances) is here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.context import Signature
from billing_plugin.models.base import JSONField, Table, UTCDateTimeField

PREFIX = "audit"


class Audit(Table):
    """One change: `action` in words such as limit.set; `before` or `after` None: was or is not."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField(null=True)
    actor = peewee.TextField()
    key_id = peewee.TextField(null=True)
    request_id = peewee.TextField(null=True)
    action = peewee.TextField()
    subject_id = peewee.TextField()
    before = JSONField(null=True)
    after = JSONField(null=True)
    at = UTCDateTimeField()

    class Meta:
        table_name = "billing_audit"


def write(
    by: Signature, action: str, subject_id: str, *, account_id: str | None, at: datetime,
    before: dict[str, Any] | None = None, after: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Stores one row in the present transaction."""
    Audit.create(
        id=ids.new_id(PREFIX), account_id=account_id, actor=by.actor, key_id=by.key_id,
        request_id=by.request_id, action=action, subject_id=subject_id, before=before,
        after=after, at=at,
    )  # fmt: skip


def page(account_id: str, *, before: str | None = None, limit: int = 50) -> list[Audit]:
    """Changes of the account, newest first; `before` is the id to go on from."""
    query = Audit.select().where(Audit.account_id == account_id)
    if before is not None:
        query = query.where(Audit.id < before)
    return list(query.order_by(Audit.id.desc()).limit(limit))
