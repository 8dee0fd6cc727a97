"""Who an account is at a processor, methods that are being added, and who is billed (0032)."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator

TOPUP = (
    "ALTER TABLE billing_topup ADD COLUMN customer_id TEXT",
    "CREATE INDEX billing_topup_recent ON billing_topup (account_id, created_at)",
)
TABLES = (
    """CREATE TABLE billing_customer (
        account_id TEXT NOT NULL REFERENCES billing_account (id),
        processor TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        default_method TEXT,
        told_revision INTEGER NOT NULL DEFAULT 0,
        tell_at TIMESTAMPTZ,
        tries INTEGER NOT NULL DEFAULT 0,
        created_at TIMESTAMPTZ NOT NULL,
        PRIMARY KEY (account_id, processor),
        UNIQUE (processor, customer_id))""",
    "CREATE INDEX billing_customer_tell ON billing_customer (tell_at) WHERE tell_at IS NOT NULL",
    """CREATE TABLE billing_method_setup (
        id TEXT PRIMARY KEY,
        account_id TEXT NOT NULL REFERENCES billing_account (id),
        key_id TEXT,
        processor TEXT NOT NULL,
        created_at TIMESTAMPTZ NOT NULL)""",
    "CREATE INDEX billing_method_setup_recent ON billing_method_setup (account_id, created_at)",
    """CREATE TABLE billing_profile (
        id TEXT PRIMARY KEY REFERENCES billing_account (id),
        name TEXT NOT NULL,
        email TEXT NOT NULL,
        line1 TEXT NOT NULL,
        line2 TEXT NOT NULL,
        city TEXT NOT NULL,
        postal_code TEXT NOT NULL,
        region TEXT NOT NULL,
        country TEXT NOT NULL,
        tax_id_type TEXT NOT NULL,
        tax_id TEXT NOT NULL,
        revision INTEGER NOT NULL,
        updated_at TIMESTAMPTZ NOT NULL)""",
)


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Adds to top-ups whom they charge, and creates the three tables."""
    for statement in (*TOPUP, *TABLES):
        db.execute_sql(statement)
