"""Telling webhook endpoints: events are spread to them, and each delivery is tried until received.

At least once: what was sent and not marked, because the process died, is sent again within a
minute, under the same id. Nothing is sent inside a transaction. Order is not kept.
"""

from __future__ import annotations

import hashlib
import logging
import time
from datetime import datetime, timedelta
from typing import NamedTuple

from billing_plugin import ids
from billing_plugin.context import (
    Actor,
    after_commit,
    current,
    now,
    refuse_in_transaction,
    utc_now,
    write_transaction,
)
from billing_plugin.errors import BillingError, Conflict, InternalError, InvalidRequest
from billing_plugin.models import deliveries, endpoints, events
from billing_plugin.models.deliveries import Delivery
from billing_plugin.models.endpoints import ALL, WebhookEndpoint
from billing_plugin.models.events import Event
from billing_plugin.operations.catalogue import check_page, operation
from billing_plugin.operations.endpoints import secrets_of
from billing_plugin.operations.once import Once, marked, once_without_lock
from billing_plugin.periods import aware
from billing_plugin.receivers import post
from billing_plugin.receivers.receiver import GONE, Answer, Letter
from billing_plugin.receivers.signing import headers
from billing_plugin.signals import NAMES

JOB = "worker.jobs.deliver_event"
DUE_AT_ONCE, REPLAYED_AT_ONCE = 100, 1_000
SWEEPS_S = 20  # of one sweep that sends by itself
TAKEN = timedelta(seconds=20)  # beyond its own time, for which a runner has a delivery
# How long until the next try: three days in all, and up to a tenth more.
WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
DISABLED = "endpoint_disabled"
SHOWN = deliveries.STATUSES
_REPLAY = "replay"  # what tells one from another
log = logging.getLogger("billing_plugin")


class Replayed(NamedTuple):
    """How many events are delivered again, and the id of the last of them."""

    number: int
    last_id: str | None
    replayed: bool = False


@operation(scope="jobs:run", effect="writes")
def spread_event(actor: Actor, event_id: str) -> int:
    """Makes a delivery of the event for each endpoint that wants it, and hands their ids to the
    queue; how many. 0 where that was done before."""
    del actor
    at = now()
    with write_transaction():
        event = events.take(event_id, at)
        if event is None:
            return 0
        wanting = [one.id for one in endpoints.of(event.account_id) if one.wants(event.name)]
        deliveries.add(event, wanting, at)
        for delivery_id in deliveries.of_event(event_id):
            _enqueue_soon(delivery_id)
    return len(wanting)


@operation(scope="jobs:run", effect="asks")
def deliver_event(actor: Actor, delivery_id: str) -> bool:
    """Tries a delivery once; whether it was received. False also where it is not due, or somebody
    else is at it. What fails is put off, after three days for good."""
    del actor
    refuse_in_transaction()
    timeout_s, at = current().settings.webhook_timeout_s, now()
    until = at + timedelta(seconds=timeout_s) + TAKEN
    with write_transaction():
        delivery = deliveries.claim(delivery_id, at, until=until)
    if delivery is None:
        return False
    endpoint = endpoints.find(delivery.endpoint_id)
    if endpoint is None or not endpoint.enabled:
        with write_transaction():
            deliveries.put_off(delivery, error=DISABLED, code=None, try_at=None)
        return False
    try:
        answer = post(_letter(delivery, endpoint, timeout_s=timeout_s))
    except BillingError as error:  # no vault, or another: the receiver has done nothing wrong
        with write_transaction():
            _put_off(delivery, Answer(None, error.code))
        return False
    return _settled(delivery, endpoint, answer)


@operation(scope="jobs:run", effect="writes")
def retry_deliveries(actor: Actor) -> list[str]:
    """Spreads events that no job was started for, then enqueues deliveries that are due, the
    longest due first; returns their ids. Without a Redis they are tried here, one after the other,
    for 20 seconds: what is left then is left to the next time."""
    for event_id in events.left_behind(DUE_AT_ONCE):
        spread_event(actor, event_id)
    is_queued, until = bool(current().settings.redis_url), time.monotonic() + SWEEPS_S
    handed: list[str] = []
    for delivery_id in deliveries.due(now(), DUE_AT_ONCE):
        if not is_queued and time.monotonic() > until:
            break
        _enqueue_after_commit(delivery_id)
        handed.append(delivery_id)
    return handed


@operation(scope="webhooks:read", effect="reads")
def list_webhook_deliveries(
    actor: Actor,
    account_id: str,
    endpoint_id: str,
    *,
    status: str | None = None,
    before: str | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """Deliveries to an endpoint, newest first; `status` pending, delivered or failed. What was
    sent and answered is not kept. Raises NotFound, InvalidRequest."""
    del actor
    check_page(limit)
    if status not in (None, *SHOWN):
        raise InvalidRequest(f"status is one of {', '.join(SHOWN)}.")
    endpoints.get(account_id, endpoint_id)
    return deliveries.page(endpoint_id, status=status, before=before, limit=limit)


@operation(scope="webhooks:write", effect="asks")
def replay_delivery(
    actor: Actor, account_id: str, delivery_id: str, *, idempotency_key: str | None = None
) -> Delivery:
    """Has an event delivered once more, under the same id, whatever became of it before.

    Raises NotFound, IdempotencyConflict, Conflict (`endpoint_disabled`).
    """
    del actor
    said = Once("webhook.replay_delivery", idempotency_key, delivery_id)
    with write_transaction():
        found = deliveries.get(account_id, delivery_id)
        endpoint, at = endpoints.lock(account_id, found.endpoint_id), now()
        result = ids.new_id(_REPLAY)
        _, replayed = once_without_lock(said, result, at=at, account_id=account_id)
        if not replayed:
            _require_enabled(endpoint)
            deliveries.again(found.endpoint_id, [_event_of(found)], at)
            _enqueue_soon(delivery_id)
        return marked(deliveries.get(account_id, delivery_id), replayed=replayed)


@operation(scope="webhooks:write", effect="asks")
def replay_events(
    actor: Actor,
    account_id: str,
    endpoint_id: str,
    *,
    since: datetime,
    until: datetime,
    after: str = "",
    idempotency_key: str | None = None,
) -> Replayed:
    """Has what happened from `since` to before `until` delivered once more to an endpoint, as far
    as it wants it now, also what it was never sent: 1000 events, the oldest; `after` the last of
    them goes on. Raises NotFound, InvalidRequest, IdempotencyConflict, Conflict
    (`endpoint_disabled`)."""
    del actor
    if aware(since) >= aware(until):
        raise InvalidRequest("since lies before until.")
    content = [endpoint_id, str(aware(since)), str(aware(until)), after]
    said = Once("webhook.replay_events", idempotency_key, content)
    with write_transaction():
        endpoint, at = endpoints.lock(account_id, endpoint_id), now()
        names = list(NAMES) if ALL in endpoint.events else list(endpoint.events)
        found = events.between(
            account_id, names, since=aware(since), until=aware(until), after=after,
            limit=REPLAYED_AT_ONCE,
        )  # fmt: skip
        result = f"{len(found)} {found[-1].id if found else ''} {ids.new_id(_REPLAY)}"
        known, replayed = once_without_lock(said, result, at=at, account_id=account_id)
        if not replayed:
            _require_enabled(endpoint)
            deliveries.again(endpoint_id, found, at)
    number, last_id, _ = known.split(" ")
    return Replayed(int(number), last_id or None, replayed)


def wait_after(delivery: Delivery) -> timedelta | None:
    """How long until the next try after that many; None for never. Up to a tenth longer than the
    table says, by the delivery's own id, so that not all come at once."""
    if delivery.tries > len(WAITS_S):
        return None
    wait_ms = WAITS_S[delivery.tries - 1] * 1_000
    digest = hashlib.sha256(f"{delivery.id} {delivery.tries}".encode()).digest()
    return timedelta(milliseconds=wait_ms + wait_ms * digest[0] // 2_550)


def _event_of(delivery: Delivery) -> Event:
    event = events.get(delivery.event_id)
    if event is None:
        raise InternalError("A delivery has lost its event.")
    return event


def _letter(delivery: Delivery, endpoint: WebhookEndpoint, *, timeout_s: int) -> Letter:
    event = _event_of(delivery)
    body = events.body_of(event)
    signed = headers(event.id, body, at=utc_now(), secrets=secrets_of(endpoint, now()))
    local = current().settings.webhook_local
    return Letter(endpoint.url, body, signed, timeout_s, local)


def _settled(delivery: Delivery, endpoint: WebhookEndpoint, answer: Answer) -> bool:
    at, days = now(), current().settings.webhook_disable_after_days
    with write_transaction():
        if answer.is_good:
            endpoints.succeed(endpoint)
            deliveries.deliver(delivery, at, code=answer.status)
            return True
        gone = answer.status == GONE
        reason = endpoints.fail(endpoint, at, gone=gone, lasting=timedelta(days=days))
        _put_off(delivery, answer)
    if reason:
        log.warning("webhook endpoint %s is disabled: %s", endpoint.id, reason)
    return False


def _put_off(delivery: Delivery, answer: Answer) -> None:
    wait = None if answer.status == GONE else wait_after(delivery)
    deliveries.put_off(
        delivery, error=answer.error or "refused", code=answer.status,
        try_at=now() + wait if wait else None,
    )  # fmt: skip


def _require_enabled(endpoint: WebhookEndpoint) -> None:
    if not endpoint.enabled:
        raise Conflict("The endpoint is disabled; enable it first.", code=DISABLED)


def _enqueue_soon(delivery_id: str) -> None:
    if current().settings.redis_url:  # else the sweeper does: nobody waits for a receiver
        _enqueue_after_commit(delivery_id)


def _enqueue_after_commit(delivery_id: str) -> None:
    instance = current()

    def enqueue() -> None:
        # The commit may be the host's own, long after this instance was at work.
        with instance.active():
            instance.enqueue(JOB, delivery_id)

    after_commit(enqueue)
