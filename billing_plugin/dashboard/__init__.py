"""Pages for people, and their routes: module and view -> method and path under the prefix."""

ROUTES = {
    "overview.show_overview": "GET /",
    "costs.show_costs": "GET /costs",
    "items.show_items": "GET /items",
    "items.show_item": "GET /items/<item_id>",
    "ledger.show_ledger": "GET /ledger",
    "assets.show_stylesheet": "GET /style.css",
}
