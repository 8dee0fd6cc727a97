"""Billing profiles: to whom an account's bills go. Ours is the truth; processors are told.

Its `revision` goes up with each change: so it is known what a processor was told.
"""

from __future__ import annotations

from datetime import datetime

import peewee

from billing_plugin.models.base import Table, UTCDateTimeField, by_id, execute

FIELDS = (
    *("name", "email", "line1", "line2", "city", "postal_code", "region", "country"),
    *("tax_id_type", "tax_id"),
)
_STORE = (
    f"INSERT INTO billing_profile (id, {', '.join(FIELDS)}, revision, updated_at)"
    f" VALUES ({', '.join('?' * (len(FIELDS) + 1))}, 1, ?) ON CONFLICT (id) DO UPDATE SET"
    f" {', '.join(f'{name} = excluded.{name}' for name in FIELDS)},"
    " revision = billing_profile.revision + 1, updated_at = excluded.updated_at"
)


class BillingProfile(Table):
    """Name, address, e-mail and tax id of an account, whose id is its own; "" is not stated.

    `country` is an ISO 3166 code of two letters, `tax_id_type` a kind of tax id, such as eu_vat.
    """

    id = peewee.TextField(primary_key=True)
    name = peewee.TextField(default="")
    email = peewee.TextField(default="")
    line1 = peewee.TextField(default="")
    line2 = peewee.TextField(default="")
    city = peewee.TextField(default="")
    postal_code = peewee.TextField(default="")
    region = peewee.TextField(default="")
    country = peewee.TextField(default="")
    tax_id_type = peewee.TextField(default="")
    tax_id = peewee.TextField(default="")
    revision = peewee.IntegerField(default=0)
    updated_at = UTCDateTimeField(null=True)

    class Meta:
        table_name = "billing_profile"


def get(account_id: str) -> BillingProfile | None:
    """The account's profile, or None where none was ever stated."""
    return by_id(BillingProfile, account_id)


def store(account_id: str, values: dict[str, str], at: datetime) -> None:
    """Stores every field of the profile, in its next revision."""
    execute(_STORE, (account_id, *(values[name] for name in FIELDS), at))
