"""The Conduit face, and its routes: module and view -> method and path under the face's prefix."""

ROUTES = {"ledger.get_balance": "GET /balance", "ledger.get_ledger": "GET /ledger"}
