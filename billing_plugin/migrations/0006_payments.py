"""What processors say: facts that were entered once, messages that were stored once (0030)."""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator

TOPUP = (
    "ALTER TABLE billing_topup ADD COLUMN attended INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE billing_topup ADD COLUMN asked INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE billing_topup ADD COLUMN ask_at TIMESTAMPTZ",
    "CREATE INDEX billing_topup_account ON billing_topup (account_id, id)",
    "CREATE INDEX billing_topup_ask ON billing_topup (ask_at) WHERE ask_at IS NOT NULL",
    "CREATE INDEX billing_topup_payment ON billing_topup (payment_id)",
)
TABLES = (
    """CREATE TABLE billing_payment_fact (
        id TEXT PRIMARY KEY,
        topup_id TEXT NOT NULL REFERENCES billing_topup (id),
        entry_id TEXT NOT NULL)""",
    """CREATE TABLE billing_message (
        id TEXT PRIMARY KEY,
        processor TEXT NOT NULL,
        kind TEXT NOT NULL,
        payment_id TEXT NOT NULL,
        reference TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        error TEXT,
        received_at TIMESTAMPTZ NOT NULL,
        try_at TIMESTAMPTZ,
        done_at TIMESTAMPTZ)""",
    "CREATE INDEX billing_message_try ON billing_message (try_at) WHERE try_at IS NOT NULL",
    "CREATE INDEX billing_message_time ON billing_message (received_at)",
)


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Adds to top-ups when their processor is asked again, and creates both tables."""
    for statement in (*TOPUP, *TABLES):
        db.execute_sql(statement)
