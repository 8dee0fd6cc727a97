"""API keys: credentials of an account, or of its agent. Only a hash of the secret is stored."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import peewee

from billing_plugin import ids
from billing_plugin.models.base import Table, UTCDateTimeField, by_id, fetch_one, read_time

PREFIX = "key"

_HOLDER = (
    "SELECT k.id, k.account_id, a.currency, k.agent, k.scopes, k.secret_hash, k.expires_at,"
    " k.revoked_at FROM billing_api_key k JOIN billing_account a ON a.id = k.account_id"
    " WHERE k.id = ?"
)


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


class Holder(NamedTuple):
    """Whose key one is, in what currency, and what it may: what every request asks for.

    Its times are as the database gives them.
    """

    id: str
    account_id: str
    currency: str
    agent: str | None
    scopes: str
    secret_hash: str
    ends: str | datetime | None
    revoked: str | datetime | None

    def usable(self, at: datetime) -> bool:
        """Whether the key is neither revoked nor expired at that instant."""
        ends = read_time(self.ends)
        return self.revoked is None and (ends is None or at < ends)


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


def holder(key_id: str) -> Holder | None:
    """Who holds the key of that id, or None."""
    row = fetch_one(_HOLDER, (key_id,))
    return None if row is None else Holder._make(row)


def revoke(account_id: str, key_id: str, at: datetime) -> bool:
    """Ends a key for good. False when the account has no such key."""
    owned = (ApiKey.id == key_id) & (ApiKey.account_id == account_id)
    changed = ApiKey.update(revoked_at=at).where(owned & ApiKey.revoked_at.is_null()).execute()
    return bool(changed) or ApiKey.select().where(owned).exists()


def every(account_id: str) -> list[ApiKey]:
    """The account's keys, newest first."""
    owned = ApiKey.select().where(ApiKey.account_id == account_id)
    return list(owned.order_by(ApiKey.id.desc()))
