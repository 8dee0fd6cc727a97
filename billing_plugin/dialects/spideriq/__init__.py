"""The SpiderIQ face, and its routes: module and view -> method and path under its prefix."""

ROUTES = {"sync.sync_billing": "POST /sync-billing"}
