"""Verbs: one function for each thing a caller may ask. Every door calls these and nothing else."""

from billing_plugin.models.usage import Usage
from billing_plugin.operations.accounts import create_account, get_account
from billing_plugin.operations.catalogue import CATALOGUE, Policy, account_scopes
from billing_plugin.operations.doctor import check_ledger
from billing_plugin.operations.imports import ImportSummary, import_usage
from billing_plugin.operations.integrations import connect, list_integrations, list_snapshots
from billing_plugin.operations.keys import authenticate, create_key, operator, revoke_key
from billing_plugin.operations.ledger import adjust, check_balance, list_entries
from billing_plugin.operations.limits import get_limit, list_limits, remove_limit, set_limit
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
from billing_plugin.operations.reports import report_spend
from billing_plugin.operations.sync import (
    get_sync_job,
    list_sync_jobs,
    request_sync,
    run_sync_job,
    schedule_syncs,
    sync_integrations,
)
from billing_plugin.operations.topups import get_topup, top_up
from billing_plugin.operations.usage import Submission, record_usage, record_usage_batch

__all__ = [
    "CATALOGUE",
    "ImportSummary",
    "Policy",
    "Preview",
    "PriceChange",
    "Rated",
    "Submission",
    "Usage",
    "account_scopes",
    "adjust",
    "authenticate",
    "check_balance",
    "check_ledger",
    "connect",
    "create_account",
    "create_key",
    "diff_prices",
    "end_price",
    "estimate_cost",
    "get_account",
    "get_limit",
    "get_sync_job",
    "get_topup",
    "import_usage",
    "list_entries",
    "list_integrations",
    "list_limits",
    "list_prices",
    "list_snapshots",
    "list_sync_jobs",
    "operator",
    "preview_cost",
    "record_usage",
    "record_usage_batch",
    "remove_limit",
    "report_spend",
    "request_sync",
    "revoke_key",
    "run_sync_job",
    "schedule_syncs",
    "set_limit",
    "set_price",
    "sync_integrations",
    "top_up",
]
