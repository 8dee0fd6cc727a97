"""Integrations: connected vendor accounts; and the snapshots of what their vendors said."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import peewee

from billing_plugin import ids
from billing_plugin.errors import NotFound
from billing_plugin.models.base import JSONField, Table, UTCDateTimeField
from billing_plugin.money import Money

PREFIX = "intg"
SNAPSHOT_PREFIX = "snap"


class Integration(Table):
    """One vendor account. `sealed` holds its credentials as ciphertext, `preview` their masks."""

    number = peewee.BigAutoField()
    id = peewee.TextField()
    account_id = peewee.TextField()
    provider = peewee.TextField()
    label = peewee.TextField()
    sealed = peewee.TextField()
    preview = JSONField()
    settings = JSONField()
    active = peewee.IntegerField()
    billing_synced_at = UTCDateTimeField(null=True)
    billing_sync_error = peewee.TextField(null=True)
    created_at = UTCDateTimeField()
    updated_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_integration"


class Snapshot(Table):
    """One reading, kept. None is "not exposed", never zero. `facts`: sources, periods, note."""

    id = peewee.TextField(primary_key=True)
    integration_id = peewee.TextField()
    job_id = peewee.TextField(null=True)
    balance_nanos = peewee.BigIntegerField(null=True)
    usage_today_nanos = peewee.BigIntegerField(null=True)
    usage_month_nanos = peewee.BigIntegerField(null=True)
    currency = peewee.TextField()
    facts = JSONField()
    as_of = UTCDateTimeField()
    taken_at = UTCDateTimeField()

    class Meta:
        table_name = "billing_snapshot"

    @property
    def balance(self) -> Money | None:
        """The vendor's balance, if it exposes one."""
        return _money(self.balance_nanos, self.currency)

    @property
    def usage_today(self) -> Money | None:
        """Spend of the vendor's present day, if it exposes it."""
        return _money(self.usage_today_nanos, self.currency)

    @property
    def usage_month(self) -> Money | None:
        """Spend of the vendor's present month, if it exposes it."""
        return _money(self.usage_month_nanos, self.currency)


def create(account_id: str, provider: str, at: datetime, **values: Any) -> Integration:
    """Stores a new, active integration."""
    integration_id = ids.new_id(PREFIX)
    Integration.insert(
        id=integration_id, account_id=account_id, provider=provider, active=1,
        created_at=at, updated_at=at, **values,
    ).execute()  # fmt: skip
    return get(account_id, integration_id)


def get(account_id: str, integration_id: str) -> Integration:
    """One integration of the account. Raises NotFound."""
    owned = (Integration.id == integration_id) & (Integration.account_id == account_id)
    integration = Integration.get_or_none(owned)
    if integration is None:
        raise NotFound("There is no such integration.")
    return integration


def active(account_id: str, provider: str | None = None) -> list[Integration]:
    """The account's active integrations, oldest first; those of one provider when named."""
    wanted = (Integration.account_id == account_id) & (Integration.active == 1)
    if provider is not None:
        wanted &= Integration.provider == provider
    return list(Integration.select().where(wanted).order_by(Integration.number))


def keep_snapshot(integration: Integration, at: datetime, **values: Any) -> Snapshot:
    """Stores a reading and clears the integration's error."""
    Integration.update(billing_synced_at=at, billing_sync_error=None, updated_at=at).where(
        Integration.id == integration.id
    ).execute()
    return Snapshot.create(
        id=ids.new_id(SNAPSHOT_PREFIX), integration_id=integration.id, taken_at=at, **values
    )


def keep_error(integration: Integration, message: str, at: datetime) -> None:
    """Stores why the vendor could not be read; the last good snapshot stays."""
    Integration.update(billing_sync_error=message, updated_at=at).where(
        Integration.id == integration.id
    ).execute()


def snapshots(integration_id: str, *, limit: int) -> list[Snapshot]:
    """The integration's snapshots, newest first."""
    query = Snapshot.select().where(Snapshot.integration_id == integration_id)
    return list(query.order_by(Snapshot.id.desc()).limit(limit))


def _money(nanos: int | None, currency: str) -> Money | None:
    return None if nanos is None else Money(nanos, currency)
