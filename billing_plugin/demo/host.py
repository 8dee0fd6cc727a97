"""A host application as a user would have one, with the plugin mounted in it."""

from __future__ import annotations

from flask import Flask, Response, jsonify, request

from billing_plugin import Billing, operations
from billing_plugin.operations import Usage

HOME = """<!doctype html><title>Acme Chat</title><h1>Acme Chat</h1>
<p>A host application. Its billing API is described <a href="/api/v1/billing/docs">here</a>;
<a href="/billing">these</a> are its pages for people.</p>
"""


def create_app(billing: Billing, account_id: str) -> Flask:
    """The host: its own pages, its own error page, one route that spends an account's credit."""
    app = Flask("acme")
    billing.init_app(app)

    @app.get("/")
    def home() -> str:
        return HOME

    @app.errorhandler(404)
    def lost(_error: Exception) -> tuple[str, int]:
        return "<h1>Acme has no such page</h1>", 404

    @app.post("/chat")
    def chat() -> Response:
        words = len(request.get_data(as_text=True).split())
        used = Usage("gpt-4o", "openai", input_tokens=words, output_tokens=2 * words)
        outcome = operations.record_usage(billing.actor(account_id), account_id, used)
        return jsonify(answer="Yes.", cost=outcome.record.cost.text if outcome.record else None)

    return app
