"""Events, webhook endpoints and deliveries; and below which balance a debit is looked at (0031).

On PostgreSQL the quick charge (0003) learns to leave that debit to the general path.
"""

from __future__ import annotations

from peewee import Database
from playhouse.migrate import SchemaMigrator

from billing_plugin.migrations import edit_functions

TABLES = (
    "ALTER TABLE billing_account ADD COLUMN low_nanos BIGINT",
    "ALTER TABLE billing_account ADD COLUMN watch_nanos BIGINT NOT NULL"
    " DEFAULT -9223372036854775808",
    """CREATE TABLE billing_event (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        account_id TEXT NOT NULL,
        data TEXT NOT NULL,
        once TEXT UNIQUE,
        created_at TIMESTAMPTZ NOT NULL,
        spread_at TIMESTAMPTZ)""",
    "CREATE INDEX billing_event_account ON billing_event (account_id, id)",
    "CREATE INDEX billing_event_left ON billing_event (id) WHERE spread_at IS NULL",
    """CREATE TABLE billing_webhook_endpoint (
        id TEXT PRIMARY KEY,
        account_id TEXT NOT NULL REFERENCES billing_account (id),
        url TEXT NOT NULL,
        events TEXT NOT NULL,
        description TEXT NOT NULL,
        sealed TEXT NOT NULL,
        old_secret_until TIMESTAMPTZ,
        enabled INTEGER NOT NULL,
        disabled_reason TEXT,
        failing_since TIMESTAMPTZ,
        created_at TIMESTAMPTZ NOT NULL,
        updated_at TIMESTAMPTZ NOT NULL,
        removed_at TIMESTAMPTZ)""",
    "CREATE INDEX billing_webhook_endpoint_account ON billing_webhook_endpoint (account_id, id)",
    """CREATE TABLE billing_webhook_delivery (
        id TEXT PRIMARY KEY,
        endpoint_id TEXT NOT NULL REFERENCES billing_webhook_endpoint (id),
        account_id TEXT NOT NULL,
        event_id TEXT NOT NULL REFERENCES billing_event (id),
        event TEXT NOT NULL,
        status TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        tries INTEGER NOT NULL,
        response_code INTEGER,
        error TEXT,
        try_at TIMESTAMPTZ,
        created_at TIMESTAMPTZ NOT NULL,
        tried_at TIMESTAMPTZ,
        delivered_at TIMESTAMPTZ,
        UNIQUE (endpoint_id, event_id))""",
    "CREATE INDEX billing_webhook_delivery_page ON billing_webhook_delivery (endpoint_id, id)",
    "CREATE INDEX billing_webhook_delivery_try ON billing_webhook_delivery (try_at)"
    " WHERE try_at IS NOT NULL",
)
# what the functions say -> what they say from now on
CHANGES = {
    "a.limits_version, a.due_at": "a.limits_version, a.due_at, a.watch_nanos",
    "OR moment >= own.due_at": "OR moment >= own.due_at"
    " OR (spend > 0 AND own.posted_nanos - spend < own.watch_nanos)",
}


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Creates the tables and columns, and has the functions look at the new one."""
    for statement in TABLES:
        db.execute_sql(statement)
    edit_functions(db, CHANGES)
