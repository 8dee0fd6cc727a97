"""The price book: prices that override the price list, and the number of its last change."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator

TABLES = (
    """CREATE TABLE billing_price (
        id TEXT PRIMARY KEY,
        account_id TEXT REFERENCES billing_account (id),
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        currency TEXT NOT NULL,
        prices TEXT NOT NULL,
        valid_from TIMESTAMPTZ NOT NULL,
        valid_until TIMESTAMPTZ,
        source TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL,
        created_by TEXT NOT NULL,
        CHECK ((provider = '*') = (model = '*')),
        CHECK (valid_until >= valid_from))""",
    "CREATE INDEX billing_price_model ON billing_price (model, provider)",
    """CREATE TABLE billing_price_version (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        version BIGINT NOT NULL)""",
)


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Creates both tables; the version's row comes with the first price."""
    for statement in TABLES:
        db.execute_sql(statement)
