"""Invoices: documents with numbers that leave no gap, their lines, and how far closing has come
(0034). What stands in a document is never changed; whether it is paid is."""

from __future__ import annotations

from peewee import Database, PostgresqlDatabase
from playhouse.migrate import SchemaMigrator

FIXED = (
    "id, account_id, kind, series, number, currency, origin, cycle, period_start, period_end,"
    " topup_id, corrects_id, fact_id, subtotal_nanos, credit_nanos, net_nanos, tax_nanos,"
    " total_nanos, tax, facts, seller, buyer, issued_at, due_at"
)
TABLES = (
    """CREATE TABLE billing_invoice (
        id TEXT PRIMARY KEY,
        account_id TEXT NOT NULL REFERENCES billing_account (id),
        kind TEXT NOT NULL,
        status TEXT NOT NULL,
        series TEXT NOT NULL,
        number BIGINT NOT NULL CHECK (number > 0),
        currency TEXT NOT NULL,
        origin TEXT NOT NULL,
        cycle TEXT NOT NULL,
        period_start TIMESTAMPTZ,
        period_end TIMESTAMPTZ,
        topup_id TEXT,
        corrects_id TEXT,
        fact_id TEXT,
        subtotal_nanos BIGINT NOT NULL,
        credit_nanos BIGINT NOT NULL,
        net_nanos BIGINT NOT NULL,
        tax_nanos BIGINT NOT NULL,
        total_nanos BIGINT NOT NULL CHECK (total_nanos = net_nanos + tax_nanos),
        paid_nanos BIGINT NOT NULL,
        tax TEXT NOT NULL,
        facts TEXT NOT NULL,
        seller TEXT NOT NULL,
        buyer TEXT NOT NULL,
        reason TEXT,
        issued_at TIMESTAMPTZ NOT NULL,
        due_at TIMESTAMPTZ,
        changed_at TIMESTAMPTZ NOT NULL,
        UNIQUE (series, number))""",
    "CREATE INDEX billing_invoice_account ON billing_invoice (account_id, id)",
    """CREATE UNIQUE INDEX billing_invoice_cycle
        ON billing_invoice (account_id, cycle) WHERE kind = 'monthly'""",
    """CREATE UNIQUE INDEX billing_invoice_topup
        ON billing_invoice (topup_id) WHERE kind = 'topup'""",
    """CREATE UNIQUE INDEX billing_invoice_fact
        ON billing_invoice (fact_id) WHERE fact_id IS NOT NULL""",
    """CREATE INDEX billing_invoice_corrects
        ON billing_invoice (corrects_id) WHERE corrects_id IS NOT NULL""",
    """CREATE TABLE billing_invoice_line (
        invoice_id TEXT NOT NULL REFERENCES billing_invoice (id),
        position INTEGER NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        unit TEXT NOT NULL,
        quantity BIGINT NOT NULL,
        unit_price TEXT,
        amount_nanos BIGINT NOT NULL,
        cents BIGINT NOT NULL,
        late INTEGER NOT NULL,
        first_at TIMESTAMPTZ,
        last_at TIMESTAMPTZ,
        PRIMARY KEY (invoice_id, position))""",
    "CREATE TABLE billing_invoice_series (series TEXT PRIMARY KEY, newest BIGINT NOT NULL)",
    """CREATE TABLE billing_invoice_run (
        cycle TEXT PRIMARY KEY,
        after_id TEXT NOT NULL,
        failures INTEGER NOT NULL,
        done INTEGER NOT NULL)""",
)
GUARDS = {
    "billing_invoice_content": f"BEFORE UPDATE OF {FIXED} ON billing_invoice",
    "billing_invoice_kept": "BEFORE DELETE ON billing_invoice",
    "billing_invoice_line_content": "BEFORE UPDATE ON billing_invoice_line",
    "billing_invoice_line_kept": "BEFORE DELETE ON billing_invoice_line",
}
GUARD_SQLITE = (
    "CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, 'an invoice is never changed'); END"
)
GUARD_POSTGRESQL = (
    "CREATE TRIGGER {name} {when} FOR EACH ROW EXECUTE FUNCTION billing_refuse_change()"
)


def up(migrator: SchemaMigrator, db: Database) -> None:  # noqa: ARG001 (the runner's signature)
    """Creates the tables and their guards."""
    for statement in TABLES:
        db.execute_sql(statement)
    guard = GUARD_POSTGRESQL if isinstance(db, PostgresqlDatabase) else GUARD_SQLITE
    for name, when in GUARDS.items():
        db.execute_sql(guard.format(name=name, when=when))
