"""Native: webhook endpoints, and what was delivered to them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import marshmallow
from flask import Response
from marshmallow import fields, validate

from billing_plugin import operations
from billing_plugin.dialects.dialect import account_id, actor
from billing_plugin.dialects.native.face import Strict, idempotency_key, native, ok
from billing_plugin.dialects.native.paging import pages
from billing_plugin.dialects.native.shapes import REMOVED, Flag, time
from billing_plugin.dialects.native.tables import ListQuery, Rows, listed
from billing_plugin.dialects.openapi import FLAG, TEXT, TIME, WHOLE, many, nullable, shape, word
from billing_plugin.errors import InvalidRequest
from billing_plugin.operations.deliveries import SHOWN
from billing_plugin.operations.endpoints import (
    EVENTS,
    KEEP_OLD_S,
    MAX_DESCRIPTION,
    MAX_KEEP_OLD_S,
)

if TYPE_CHECKING:
    from billing_plugin.models.deliveries import Delivery
    from billing_plugin.models.endpoints import WebhookEndpoint

TAGS = ["Webhooks"]
_URL = validate.Length(min=1, max=2000)
_ABOUT = validate.Length(max=MAX_DESCRIPTION)


def _events(**options: Any) -> Any:
    one = fields.String(validate=validate.OneOf(EVENTS))
    return fields.List(one, validate=validate.Length(min=1, max=len(EVENTS)), **options)


class EndpointBody(Strict):
    """Where to tell, and of what."""

    url = fields.String(required=True, validate=_URL)
    events = _events(load_default=["*"])
    description = fields.String(load_default="", validate=_ABOUT)


class EndpointChangeBody(Strict):
    """What is to be different; what is not named stays."""

    url = fields.String(validate=_URL)
    events = _events()
    description = fields.String(validate=_ABOUT)
    enabled = Flag()


class RotationBody(Strict):
    """For how long deliveries are signed by the old secret, too."""

    keepOldS = fields.Integer(
        strict=True, load_default=KEEP_OLD_S, validate=validate.Range(min=0, max=MAX_KEEP_OLD_S)
    )


class ReplayBody(Strict):
    """Which events: of `since` to before `until`; `after` goes on behind the id of one."""

    since = time(required=True)
    until = time(required=True)
    after = fields.String(load_default="", validate=validate.Length(max=100))


class DeliveryReplayBody(Strict):
    """Nothing needs to be said."""


class DeliveriesQuery(ListQuery):
    """Which deliveries."""

    status = fields.String(load_default=None, validate=validate.OneOf(SHOWN))


ENDPOINT = shape(
    "WebhookEndpoint",
    "Where an account is told of events. `secret` is there where it was made just now.",
    optional=("secret",),
    id=TEXT,
    url=TEXT,
    events=many(word(*EVENTS)),
    description=TEXT,
    enabled=FLAG,
    disabledReason=nullable(word("gone", "failing")),
    failingSince=nullable(TIME),
    oldSecretUntil=nullable(TIME),
    createdAt=TIME,
    updatedAt=TIME,
    secret=TEXT,
)
DELIVERY = shape(
    "WebhookDelivery",
    "One event for one endpoint: its latest attempt, and when the next one is.",
    id=TEXT,
    endpointId=TEXT,
    eventId=TEXT,
    event=TEXT,
    status=word(*SHOWN),
    attempts=WHOLE,
    responseCode=nullable(WHOLE),
    error=nullable(TEXT),
    nextAttemptAt=nullable(TIME),
    createdAt=TIME,
    attemptedAt=nullable(TIME),
    deliveredAt=nullable(TIME),
)
REPLAY = shape(
    "WebhookReplay",
    "How many events are delivered again, 1000 at most, and the last of them: go on `after` that.",
    events=WHOLE,
    last=nullable(TEXT),
)


@native.view(answers={200: many(ENDPOINT)}, tags=TAGS)
def list_webhook_endpoints() -> Response:
    """List webhook endpoints

    Without their secrets.
    """
    found = operations.list_webhook_endpoints(actor(), account_id())
    return ok([_shape(endpoint) for endpoint in found])


@native.view(answers={201: ENDPOINT}, refusals=(501,), tags=TAGS)
@native.arguments(EndpointBody())
def add_webhook_endpoint(body: dict[str, Any]) -> Response:
    """Add a webhook endpoint

    Its secret is in this answer and in none after it.
    """
    made = operations.add_webhook_endpoint(
        actor(), account_id(), **body, idempotency_key=idempotency_key()
    )
    return ok(_shape(made), 201, replayed=made.replayed)


@native.view(answers={200: ENDPOINT}, tags=TAGS)
def get_webhook_endpoint(endpoint_id: str) -> Response:
    """See one webhook endpoint"""
    return ok(_shape(operations.get_webhook_endpoint(actor(), account_id(), endpoint_id)))


@native.view(answers={200: ENDPOINT}, tags=TAGS)
@native.arguments(EndpointChangeBody())
def change_webhook_endpoint(body: dict[str, Any], endpoint_id: str) -> Response:
    """Change a webhook endpoint

    Enabling one forgets why it was disabled.
    """
    if not body:
        raise InvalidRequest("Name what is to be different.")
    found = operations.change_webhook_endpoint(actor(), account_id(), endpoint_id, **body)
    return ok(_shape(found))


@native.view(answers={200: REMOVED}, tags=TAGS)
def remove_webhook_endpoint(endpoint_id: str) -> Response:
    """Remove a webhook endpoint"""
    operations.remove_webhook_endpoint(actor(), account_id(), endpoint_id)
    return ok({"deleted": True, "id": endpoint_id})


@native.view(answers={200: ENDPOINT}, refusals=(501,), tags=TAGS)
@native.arguments(RotationBody(), required=False)
def rotate_webhook_secret(body: dict[str, Any], endpoint_id: str) -> Response:
    """Give a webhook endpoint a new secret

    It is in this answer and in none after it. For a while deliveries are signed by both.
    """
    keep_old_s = body.get("keepOldS", KEEP_OLD_S)
    found = operations.rotate_webhook_secret(
        actor(), account_id(), endpoint_id, keep_old_s=keep_old_s,
        idempotency_key=idempotency_key(),
    )  # fmt: skip
    return ok(_shape(found), replayed=found.replayed)


@native.view(answers={200: pages(DELIVERY)}, csv=True, tags=TAGS)
@native.arguments(DeliveriesQuery(), location="query", unknown=marshmallow.RAISE)
def list_webhook_deliveries(query: dict[str, Any], endpoint_id: str) -> Response:
    """List deliveries to a webhook endpoint

    Newest first. What was sent and what was answered is not kept.
    """
    account, status = account_id(), query["status"]
    page = partial(operations.list_webhook_deliveries, actor(), account, endpoint_id, status=status)
    return listed(query, Rows("deliveries", DELIVERY), page, account=account, shape=_delivery)


@native.view(answers={200: REPLAY}, tags=TAGS)
@native.arguments(ReplayBody())
def replay_events(body: dict[str, Any], endpoint_id: str) -> Response:
    """Deliver the events of a time again

    Also those that were never sent, as far as the endpoint wants them now.
    """
    done = operations.replay_events(
        actor(), account_id(), endpoint_id, **body, idempotency_key=idempotency_key()
    )
    return ok({"events": done.number, "last": done.last_id}, replayed=done.replayed)


@native.view(answers={200: DELIVERY}, tags=TAGS)
@native.arguments(DeliveryReplayBody(), required=False)
def replay_delivery(body: dict[str, Any], delivery_id: str) -> Response:
    """Deliver an event again

    Under the same `webhook-id`, so that a receiver knows it.
    """
    del body
    done = operations.replay_delivery(
        actor(), account_id(), delivery_id, idempotency_key=idempotency_key()
    )
    return ok(_delivery(done), replayed=done.replayed)


def _shape(endpoint: WebhookEndpoint) -> dict[str, Any]:
    said = {
        "id": endpoint.id,
        "url": endpoint.url,
        "events": endpoint.events,
        "description": endpoint.description,
        "enabled": bool(endpoint.enabled),
        "disabledReason": endpoint.disabled_reason,
        "failingSince": endpoint.failing_since,
        "oldSecretUntil": endpoint.old_secret_until,
        "createdAt": endpoint.created_at,
        "updatedAt": endpoint.updated_at,
    }
    return said | ({"secret": endpoint.secret} if endpoint.secret else {})


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "endpointId": delivery.endpoint_id,
        "eventId": delivery.event_id,
        "event": delivery.event,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "responseCode": delivery.response_code,
        "error": delivery.error,
        "nextAttemptAt": delivery.try_at,
        "createdAt": delivery.created_at,
        "attemptedAt": delivery.tried_at,
        "deliveredAt": delivery.delivered_at,
    }
