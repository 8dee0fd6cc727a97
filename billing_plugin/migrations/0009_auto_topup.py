"""Auto top-ups: the rule of each account, and what the lock of an account reads of it (0033).

On PostgreSQL the quick charge (0003) learns to leave a debit that would take what is available
below the threshold to the general path, which marks it.
"""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator

from billing_plugin.migrations import edit_functions

COLUMNS = (
    "ALTER TABLE billing_account ADD COLUMN topup_below_nanos BIGINT",
    "ALTER TABLE billing_account ADD COLUMN topup_due_at TIMESTAMPTZ",
    "CREATE INDEX billing_account_topup_due ON billing_account (topup_due_at)"
    " WHERE topup_due_at IS NOT NULL",
    "ALTER TABLE billing_topup ADD COLUMN automatic INTEGER NOT NULL DEFAULT 0",
    "CREATE INDEX billing_topup_automatic ON billing_topup (account_id, created_at)"
    " WHERE automatic = 1",
)
TABLE = """CREATE TABLE billing_auto_topup (
    account_id TEXT PRIMARY KEY REFERENCES billing_account (id),
    currency TEXT NOT NULL,
    threshold_nanos BIGINT NOT NULL,
    amount_nanos BIGINT NOT NULL,
    payment_method TEXT NOT NULL,
    enabled INTEGER NOT NULL,
    daily_count INTEGER,
    daily_nanos BIGINT,
    monthly_count INTEGER,
    monthly_nanos BIGINT,
    declines INTEGER NOT NULL DEFAULT 0,
    not_before TIMESTAMPTZ,
    disabled_reason TEXT,
    error TEXT,
    last_failed_at TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL)"""
# what the functions say -> what they say from now on
CHANGES = {
    "a.limits_version": "a.topup_below_nanos, a.limits_version",
    "OR moment < since": "OR (need > 0 AND own.posted_nanos - own.held_nanos - need"
    " < own.topup_below_nanos) OR moment < since",
}


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Adds the columns and the table, and has the functions look at the threshold."""
    for statement in (*COLUMNS, TABLE):
        db.execute_sql(statement)
    edit_functions(db, CHANGES)
