"""Webhook endpoints: where an account wants to be told of which events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import peewee

from billing_plugin.errors import NotFound
from billing_plugin.models.base import JSONField, Table, UTCDateTimeField, execute, locking

PREFIX = "hook"
ALL = "*"
GONE, FAILING = "gone", "failing"


class WebhookEndpoint(Table):
    """One endpoint. `sealed` holds its secrets as ciphertext: `new`, and `old` until
    `old_secret_until`. `disabled_reason` is why it was disabled by itself, `failing_since` when the
    first delivery failed after the last good one."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    url = peewee.TextField()
    events = JSONField()
    description = peewee.TextField()
    sealed = peewee.TextField()
    old_secret_until = UTCDateTimeField(null=True)
    enabled = peewee.IntegerField()
    disabled_reason = peewee.TextField(null=True)
    failing_since = UTCDateTimeField(null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()
    removed_at = UTCDateTimeField(null=True)

    secret = ""  # told once, where it was made just now; never stored in the clear

    class Meta:
        table_name = "billing_webhook_endpoint"

    def wants(self, event: str) -> bool:
        """Whether it is told of events of that name."""
        return bool(self.enabled) and (ALL in self.events or event in self.events)


def create(account_id: str, url: str, at: datetime, **values: Any) -> WebhookEndpoint:
    """Stores a new, enabled endpoint."""
    return WebhookEndpoint.create(
        account_id=account_id, url=url, enabled=1, created_at=at, updated_at=at, **values,
    )  # fmt: skip


def of(account_id: str) -> list[WebhookEndpoint]:
    """The account's endpoints, oldest first."""
    wanted = (WebhookEndpoint.account_id == account_id) & WebhookEndpoint.removed_at.is_null()
    return list(WebhookEndpoint.select().where(wanted).order_by(WebhookEndpoint.id))


def get(account_id: str, endpoint_id: str) -> WebhookEndpoint:
    """One endpoint of the account. Raises NotFound."""
    found = find(endpoint_id)
    if found is None or found.account_id != account_id:
        raise NotFound("There is no such webhook endpoint.")
    return found


def find(endpoint_id: str) -> WebhookEndpoint | None:
    """One endpoint, None where it was removed."""
    wanted = (WebhookEndpoint.id == endpoint_id) & WebhookEndpoint.removed_at.is_null()
    found: WebhookEndpoint | None = WebhookEndpoint.get_or_none(wanted)
    return found


def lock(account_id: str, endpoint_id: str) -> WebhookEndpoint:
    """The same, which nobody else changes until the transaction ends. Raises NotFound."""
    sql = "SELECT 1 FROM billing_webhook_endpoint WHERE id = ?" + locking()
    execute(sql, (endpoint_id,)).fetchone()
    return get(account_id, endpoint_id)


def change(endpoint: WebhookEndpoint, at: datetime, **values: Any) -> None:
    """Changes columns of an endpoint. The caller has locked it."""
    WebhookEndpoint.update(updated_at=at, **values).where(
        WebhookEndpoint.id == endpoint.id
    ).execute()


def succeed(endpoint: WebhookEndpoint) -> None:
    """Says that a delivery was good."""
    execute(
        "UPDATE billing_webhook_endpoint SET failing_since = NULL"
        " WHERE id = ? AND failing_since IS NOT NULL",
        (endpoint.id,),
    )


def fail(endpoint: WebhookEndpoint, at: datetime, *, gone: bool, lasting: timedelta) -> str | None:
    """Says that a delivery failed; why the endpoint is disabled now, None where it is not: its
    receiver is `gone`, or it has done nothing but fail for so long.

    Nothing happens to an endpoint that has another URL by now.
    """
    found = lock(endpoint.account_id, endpoint.id)
    if found.url != endpoint.url or not found.enabled:
        return None
    since = found.failing_since or at
    reason = GONE if gone else FAILING if at - since >= lasting else None
    values: dict[str, Any] = {"failing_since": since}
    if reason:
        values |= {"enabled": 0, "disabled_reason": reason}
    change(found, at, **values)
    return reason
