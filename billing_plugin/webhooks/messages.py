"""Taking messages of processors in."""

from __future__ import annotations

from flask import Response, request

from billing_plugin import operations
from billing_plugin.dialects.dialect import instance
from billing_plugin.dialects.wire import reply
from billing_plugin.webhooks.face import webhooks


@webhooks.view()
def receive(processor: str) -> Response:
    """Take a message"""
    new = operations.receive_message(
        operations.operator(instance()),
        processor,
        request.get_data(),
        headers=dict(request.headers),
    )
    return reply({"received": True, "known": new is None})
