"""Webhook endpoints: where an account wants to be told of what happens, and their secrets.

A secret is told where it is made and never again; it is stored sealed, as credentials are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from billing_plugin import ids
from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import Conflict, InvalidRequest
from billing_plugin.models import accounts, audit, endpoints
from billing_plugin.models.endpoints import ALL, WebhookEndpoint
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.once import Once, marked, once_without_lock
from billing_plugin.operations.vaults import open_vault
from billing_plugin.receivers import check_url
from billing_plugin.receivers.signing import new_secret
from billing_plugin.signals import NAMES

EVENTS = (ALL, *NAMES)
MAX_ENDPOINTS = 100
MAX_DESCRIPTION = 200
KEEP_OLD_S, MAX_KEEP_OLD_S = 86_400, 30 * 86_400


@operation(scope="webhooks:write", effect="writes")
def add_webhook_endpoint(
    actor: Actor,
    account_id: str,
    url: str,
    *,
    events: Sequence[str] = (ALL,),
    description: str = "",
    idempotency_key: str | None = None,
) -> WebhookEndpoint:
    """Adds an endpoint for events of those names (`*`: all); the answer alone has its `secret`.

    The URL is https and of no private address (see the setting webhook_local). Raises NotFound,
    InvalidRequest, Conflict (`too_many_endpoints`) beyond 100, NotSupported without a vault,
    IdempotencyConflict.
    """
    _check(url, events, description)
    secret, names = new_secret(), sorted(set(events))
    sealed = open_vault().seal({"new": secret})
    said = Once("webhook.add", idempotency_key, [url, names, description])
    with write_transaction():
        accounts.get(account_id)
        made_id = ids.new_id(endpoints.PREFIX)
        before = _made_before(account_id, said, made_id, secret=secret)
        if before:
            return before
        if len(endpoints.of(account_id)) >= MAX_ENDPOINTS:
            raise Conflict(
                f"An account has at most {MAX_ENDPOINTS} endpoints.", code="too_many_endpoints"
            )
        made = endpoints.create(
            account_id, url, now(), id=made_id, events=names, description=description,
            sealed=sealed,
        )  # fmt: skip
        _audit(actor, "webhook.add", made)
    made.secret = secret
    return made


@operation(scope="webhooks:read", effect="reads")
def list_webhook_endpoints(actor: Actor, account_id: str) -> list[WebhookEndpoint]:
    """The account's endpoints, oldest first, without their secrets. Raises NotFound."""
    del actor
    accounts.get(account_id)
    return endpoints.of(account_id)


@operation(scope="webhooks:read", effect="reads")
def get_webhook_endpoint(actor: Actor, account_id: str, endpoint_id: str) -> WebhookEndpoint:
    """One endpoint, without its secret. Raises NotFound."""
    del actor
    return endpoints.get(account_id, endpoint_id)


@operation(scope="webhooks:write", effect="writes")
def change_webhook_endpoint(
    actor: Actor,
    account_id: str,
    endpoint_id: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    enabled: bool | None = None,
) -> WebhookEndpoint:
    """Changes what is named. Enabling forgets why it was disabled; what it was not told meanwhile
    can be replayed. Raises NotFound, InvalidRequest."""
    with write_transaction():
        found = endpoints.lock(account_id, endpoint_id)
        said: dict[str, Any] = {
            "url": found.url if url is None else url,
            "events": found.events if events is None else sorted(set(events)),
            "description": found.description if description is None else description,
        }
        _check(**said)
        if enabled is not None:
            said["enabled"] = int(enabled)
        if enabled:
            said["disabled_reason"] = None
        if enabled or url is not None:
            said["failing_since"] = None
        endpoints.change(found, now(), **said)
        after = endpoints.get(account_id, endpoint_id)
        _audit(actor, "webhook.change", after, before=found)
        return after


@operation(scope="webhooks:write", effect="writes")
def rotate_webhook_secret(
    actor: Actor,
    account_id: str,
    endpoint_id: str,
    *,
    keep_old_s: int = KEEP_OLD_S,
    idempotency_key: str | None = None,
) -> WebhookEndpoint:
    """Gives an endpoint a new secret, which the answer alone has. For so many seconds (0 to 30
    days) deliveries are signed by both. Raises NotFound, InvalidRequest, NotSupported,
    IdempotencyConflict."""
    if type(keep_old_s) is not int or not 0 <= keep_old_s <= MAX_KEEP_OLD_S:
        raise InvalidRequest(f"keep_old_s is 0 to {MAX_KEEP_OLD_S} seconds.")
    vault, secret = open_vault(), new_secret()
    said = Once("webhook.rotate_secret", idempotency_key, [endpoint_id, keep_old_s])
    with write_transaction():
        found, at = endpoints.lock(account_id, endpoint_id), now()
        before = _made_before(account_id, said, endpoint_id, secret=secret)
        if before:
            return before
        old = vault.open(found.sealed)["new"]
        endpoints.change(
            found, at, sealed=vault.seal({"new": secret, "old": old}),
            old_secret_until=at + timedelta(seconds=keep_old_s),
        )  # fmt: skip
        after = endpoints.get(account_id, endpoint_id)
        _audit(actor, "webhook.rotate_secret", after)
    after.secret = secret
    return after


@operation(scope="webhooks:write", effect="writes")
def remove_webhook_endpoint(actor: Actor, account_id: str, endpoint_id: str) -> None:
    """Takes an endpoint away, its secrets with it; nothing more is sent to it. Raises NotFound."""
    with write_transaction():
        found = endpoints.lock(account_id, endpoint_id)
        endpoints.change(found, now(), removed_at=now(), enabled=0, sealed="")
        _audit(actor, "webhook.remove", found)


def secrets_of(endpoint: WebhookEndpoint, at: datetime) -> list[str]:
    """The secrets by which a delivery is signed now, the newest first. Raises NotSupported,
    ConfigurationError where no key opens them."""
    opened = open_vault().open(endpoint.sealed)
    until = endpoint.old_secret_until
    with_old = until is not None and at < until
    return [opened["new"], *([opened["old"]] if with_old else [])]


def _made_before(
    account_id: str, said: Once, endpoint_id: str, *, secret: str
) -> WebhookEndpoint | None:  # fmt: skip
    """What an earlier call with the same key has made, None where there was none. Its secret is
    told again while it is the newest: the first answer may be lost."""
    result = f"{endpoint_id} {_mark(secret)}"
    known, replayed = once_without_lock(said, result, at=now(), account_id=account_id)
    if not replayed:
        return None
    made_id, _, mark = known.partition(" ")
    found = endpoints.get(account_id, made_id)
    newest = open_vault().open(found.sealed)["new"]
    found.secret = newest if _mark(newest) == mark else ""
    return marked(found, replayed=True)


def _mark(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()[:16]


def _check(url: str, events: Sequence[str], description: str) -> None:
    if not events or not set(events) <= set(EVENTS):
        raise InvalidRequest(f"events are some of {', '.join(EVENTS)}.")
    if len(description) > MAX_DESCRIPTION:
        raise InvalidRequest(f"A description has at most {MAX_DESCRIPTION} characters.")
    check_url(url, local=current().settings.webhook_local)


def _audit(
    actor: Actor, action: str, endpoint: WebhookEndpoint, *, before: WebhookEndpoint | None = None
) -> None:
    audit.write(
        actor.signature, action, endpoint.id, account_id=endpoint.account_id, at=now(),
        before=_facts(before) if before else None, after=_facts(endpoint),
    )  # fmt: skip


def _facts(endpoint: WebhookEndpoint) -> dict[str, object]:
    return {
        "url": endpoint.url,
        "events": endpoint.events,
        "enabled": bool(endpoint.enabled),
    }
