"""API keys: credentials of an account, or of its agent. Only a hash of the secret is stored."""

from __future__ import annotations

from datetime import datetime

import peewee

from billing_plugin import ids
from billing_plugin.models.base import Table, UTCDateTimeField, by_id

PREFIX = "key"


class ApiKey(Table):
    """One key. `scopes` are space-separated words; a time in `revoked_at` ends it."""

    id = peewee.TextField(primary_key=True)
    account_id = peewee.TextField()
    name = peewee.TextField()
    agent = peewee.TextField(null=True)
    secret_hash = peewee.TextField()
    scopes = peewee.TextField()
    created_at = UTCDateTimeField()
    expires_at = UTCDateTimeField(null=True)
    revoked_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "billing_api_key"

    def usable(self, at: datetime) -> bool:
        """Whether the key is neither revoked nor expired at that instant."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


def create(
    account_id: str,
    secret_hash: str,
    scopes: str,
    *,
    name: str,
    at: datetime,
    expires_at: datetime | None = None,
    agent: str | None = None,
) -> ApiKey:
    """Stores a new key."""
    return ApiKey.create(
        id=ids.new_id(PREFIX),
        account_id=account_id,
        name=name,
        agent=agent,
        secret_hash=secret_hash,
        scopes=scopes,
        created_at=at,
        expires_at=expires_at,
    )


def find(key_id: str) -> ApiKey | None:
    """The key of that id, or None."""
    return by_id(ApiKey, key_id)


def revoke(account_id: str, key_id: str, at: datetime) -> bool:
    """Ends a key for good. False when the account has no such key."""
    owned = (ApiKey.id == key_id) & (ApiKey.account_id == account_id)
    changed = ApiKey.update(revoked_at=at).where(owned & ApiKey.revoked_at.is_null()).execute()
    return bool(changed) or ApiKey.select().where(owned).exists()


def every(account_id: str) -> list[ApiKey]:
    """The account's keys, newest first."""
    owned = ApiKey.select().where(ApiKey.account_id == account_id)
    return list(owned.order_by(ApiKey.id.desc()))
