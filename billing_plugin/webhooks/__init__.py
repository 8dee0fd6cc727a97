"""INWARD: what processors send, and its route: module and view -> method and path."""

ROUTES = {"messages.receive": "POST /<processor>"}
