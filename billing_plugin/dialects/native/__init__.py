"""The native face, and its routes: module and view -> method and path under the face's prefix."""

ROUTES = {
    "ledger.get_balance": "GET /balance",
    "ledger.list_ledger_entries": "GET /ledger",
    "usage.record_usage": "POST /usage",
    "usage.record_usage_batch": "POST /usage/batch",
    "topups.top_up": "POST /topups",
    "topups.get_topup": "GET /topups/<topup_id>",
    "limits.list_limits": "GET /limits",
    "limits.set_limit": "POST /limits",
    "limits.get_limit": "GET /limits/<limit_id>",
    "limits.remove_limit": "DELETE /limits/<limit_id>",
    "spend.report_spend": "GET /spend",
    "sync.request_sync": "POST /sync",
    "sync.list_sync_jobs": "GET /sync/jobs",
    "sync.get_sync_job": "GET /sync/jobs/<job_id>",
    "docs.openapi_document": "GET /openapi.json",
    "docs.docs_page": "GET /docs",
    "docs.docs_asset": "GET /docs/<name>",
}
