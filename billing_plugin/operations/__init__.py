"""Verbs: one function for each thing a caller may ask. Every door calls these and nothing else."""

from billing_plugin.models.invoices import InvoiceFilter
from billing_plugin.models.item_pages import Place
from billing_plugin.models.usage import Usage
from billing_plugin.operations.accounts import (
    create_account,
    get_account,
    list_accounts,
    set_low_balance,
)
from billing_plugin.operations.anomalies import Anomalies, Anomaly, find_anomalies
from billing_plugin.operations.audit import list_changes
from billing_plugin.operations.auto_topups import (
    AutoTopUpState,
    Caps,
    get_auto_topup,
    remove_auto_topup,
    run_auto_topup,
    set_auto_topup,
    sweep_auto_topups,
)
from billing_plugin.operations.billing_profiles import (
    get_billing_profile,
    set_billing_profile,
    tell_billing_profiles,
)
from billing_plugin.operations.breakdowns import (
    Breakdown,
    Share,
    Summary,
    Trend,
    break_down,
    summarize,
    trend,
)
from billing_plugin.operations.catalogue import CATALOGUE, Policy, account_scopes
from billing_plugin.operations.categories import (
    create_category,
    delete_category,
    get_category,
    list_categories,
    update_category,
)
from billing_plugin.operations.corrections import refund_charge, reverse_entry
from billing_plugin.operations.credits import grant_credit, list_credits, set_postpaid_limit
from billing_plugin.operations.deliveries import (
    deliver_event,
    list_webhook_deliveries,
    replay_delivery,
    replay_events,
    retry_deliveries,
    spread_event,
)
from billing_plugin.operations.doctor import (
    check_ledger,
    check_reports,
    prune_idempotency_keys,
    rebuild_reports,
    verify_ledger,
)
from billing_plugin.operations.drafts import ItemDraft
from billing_plugin.operations.endpoints import (
    add_webhook_endpoint,
    change_webhook_endpoint,
    get_webhook_endpoint,
    list_webhook_endpoints,
    remove_webhook_endpoint,
    rotate_webhook_secret,
)
from billing_plugin.operations.focus import FocusImport, import_focus
from billing_plugin.operations.focus_export import FocusExport, export_focus
from billing_plugin.operations.forecasts import (
    Forecast,
    MonthForecast,
    RunOut,
    forecast_month,
    run_out,
)
from billing_plugin.operations.holds import capture, extend, get_hold, hold, list_holds, release
from billing_plugin.operations.imports import ImportSummary, import_usage
from billing_plugin.operations.integrations import connect, list_integrations, list_snapshots
from billing_plugin.operations.invoices import (
    Printed,
    count_invoices,
    finalize_invoices,
    get_invoice,
    list_invoices,
    mark_invoice,
    preview_invoice,
    print_invoice,
)
from billing_plugin.operations.item_batches import StoredItems, store_items
from billing_plugin.operations.item_filters import ItemFilter, SpendFilter
from billing_plugin.operations.items import (
    ItemStored,
    create_item,
    delete_item,
    find_item,
    get_item,
    list_item_lines,
    list_items,
    update_item,
)
from billing_plugin.operations.keys import authenticate, create_key, list_keys, operator, revoke_key
from billing_plugin.operations.ledger import (
    adjust,
    check_balance,
    check_past_balance,
    get_entry,
    list_entries,
)
from billing_plugin.operations.limits import (
    get_limit,
    list_limit_notices,
    list_limits,
    remove_limit,
    set_limit,
    update_limit,
)
from billing_plugin.operations.messages import receive_message, retry_messages, settle_message
from billing_plugin.operations.payment_methods import (
    PaymentMethod,
    RemovedMethod,
    begin_payment_method,
    list_payment_methods,
    remove_payment_method,
    set_default_payment_method,
)
from billing_plugin.operations.price_changes import PriceChange, diff_prices
from billing_plugin.operations.prices import (
    Preview,
    Rated,
    end_price,
    estimate_cost,
    list_prices,
    preview_cost,
    set_price,
)
from billing_plugin.operations.raises import (
    approve_limit_raise,
    deny_limit_raise,
    get_limit_raise,
    list_limit_raises,
    request_limit_raise,
)
from billing_plugin.operations.recurring import Commitment, Commitments, list_commitments
from billing_plugin.operations.reports import report_spend
from billing_plugin.operations.rerating import rerate_usage
from billing_plugin.operations.search import search_items
from billing_plugin.operations.status import Status, check_status
from billing_plugin.operations.sync import (
    get_sync_job,
    list_sync_jobs,
    request_sync,
    run_sync_job,
    schedule_syncs,
    sync_integrations,
)
from billing_plugin.operations.topups import (
    check_topup,
    get_topup,
    list_topups,
    reconcile_topups,
    top_up,
)
from billing_plugin.operations.usage import (
    charge,
    get_usage,
    list_usage,
    record_usage,
    record_usage_batch,
)
from billing_plugin.operations.usage_series import (
    Series,
    SeriesAsked,
    UsageSeries,
    Value,
    report_usage,
)
from billing_plugin.operations.wishes import Submission

__all__ = [
    "CATALOGUE", "Anomalies", "Anomaly", "AutoTopUpState", "Breakdown", "Caps", "Commitment",
    "Commitments", "FocusExport", "FocusImport", "Forecast", "ImportSummary", "InvoiceFilter",
    "ItemDraft", "ItemFilter", "ItemStored", "MonthForecast", "PaymentMethod", "Place", "Policy",
    "Preview", "PriceChange", "Printed", "Rated", "RemovedMethod", "RunOut", "Series",
    "SeriesAsked", "Share", "SpendFilter", "Status", "StoredItems", "Submission", "Summary",
    "Trend", "Usage", "UsageSeries", "Value", "account_scopes", "add_webhook_endpoint", "adjust",
    "approve_limit_raise", "authenticate", "begin_payment_method", "break_down", "capture",
    "change_webhook_endpoint", "charge", "check_balance", "check_ledger", "check_past_balance",
    "check_reports", "check_status", "check_topup", "connect", "count_invoices", "create_account",
    "create_category", "create_item", "create_key", "delete_category", "delete_item",
    "deliver_event", "deny_limit_raise", "diff_prices", "end_price", "estimate_cost",
    "export_focus", "extend", "finalize_invoices", "find_anomalies", "find_item", "forecast_month",
    "get_account", "get_auto_topup", "get_billing_profile", "get_category", "get_entry", "get_hold",
    "get_invoice", "get_item", "get_limit", "get_limit_raise", "get_sync_job", "get_topup",
    "get_usage", "get_webhook_endpoint", "grant_credit", "hold", "import_focus", "import_usage",
    "list_accounts", "list_categories", "list_changes", "list_commitments", "list_credits",
    "list_entries", "list_holds", "list_integrations", "list_invoices", "list_item_lines",
    "list_items", "list_keys", "list_limit_notices", "list_limit_raises", "list_limits",
    "list_payment_methods", "list_prices", "list_snapshots", "list_sync_jobs", "list_topups",
    "list_usage", "list_webhook_deliveries", "list_webhook_endpoints", "mark_invoice", "operator",
    "preview_cost", "preview_invoice", "print_invoice", "prune_idempotency_keys", "rebuild_reports",
    "receive_message", "reconcile_topups", "record_usage", "record_usage_batch", "refund_charge",
    "release", "remove_auto_topup", "remove_limit", "remove_payment_method",
    "remove_webhook_endpoint", "replay_delivery", "replay_events", "report_spend", "report_usage",
    "request_limit_raise", "request_sync", "rerate_usage", "retry_deliveries", "retry_messages",
    "reverse_entry", "revoke_key", "rotate_webhook_secret", "run_auto_topup", "run_out",
    "run_sync_job", "schedule_syncs", "search_items", "set_auto_topup", "set_billing_profile",
    "set_default_payment_method", "set_limit", "set_low_balance", "set_postpaid_limit", "set_price",
    "settle_message", "spread_event", "store_items", "summarize", "sweep_auto_topups",
    "sync_integrations", "tell_billing_profiles", "top_up", "trend", "update_category",
    "update_item", "update_limit", "verify_ledger",
]  # fmt: skip
