"""Looking into the books from outside: every table's rows, and whether the doctor is content."""

from __future__ import annotations

from billing_plugin import Billing, operations
from billing_plugin.models.base import execute, fetch_all

TABLES = (
    *("account", "api_key", "idempotency_key", "ledger_entry", "usage_record", "spending_limit"),
    *("limit_counter", "integration", "sync_job", "snapshot", "schedule_slot"),
    *("topup", "payment_fact", "message"),
    *("customer", "method_setup", "profile"),
    *("event", "webhook_endpoint", "webhook_delivery"),
    "auto_topup",
    *("price", "price_version"),
    *("invoice", "invoice_line", "invoice_series", "invoice_run"),
    *("category", "item", "item_tag", "spend_day", "spend_month", "spend_date", "spend_tag"),
    *("spend_provider_day", "spend_tag_day", "spend_delta", "item_search"),
    *("hold", "usage_rollup", "limit_notice", "limit_raise", "credit_grant", "audit"),
)


def everything(billing: Billing) -> dict[str, list[str]]:
    """Every row of every table, as text, in order."""
    with billing.instance.active():
        return {
            name: sorted(map(repr, fetch_all(f"SELECT * FROM billing_{name}"))) for name in TABLES
        }


def untold(billing: Billing) -> dict[str, list[str]]:
    """The same without events: that a limit refused is told, and changes nothing else."""
    return {name: rows for name, rows in everything(billing).items() if name != "event"}


def counts(billing: Billing) -> dict[str, int]:
    """How many rows each table has, where it has any."""
    return {name: len(rows) for name, rows in everything(billing).items() if rows}


def complaints(billing: Billing) -> list[str]:
    """What the doctor finds."""
    operator = billing.operator()
    return operations.check_ledger(operator) + operations.check_reports(operator)


def run_sql(billing: Billing, sql: str, *values: object) -> None:
    """One statement, written with `?`."""
    with billing.instance.active():
        execute(sql, values)
