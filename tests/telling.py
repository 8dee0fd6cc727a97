"""What tests of webhooks begin with: an account with an endpoint, and what came of it."""

from __future__ import annotations

from typing import Any

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.models.deliveries import Delivery
from billing_plugin.models.endpoints import WebhookEndpoint
from billing_plugin.models.events import Event
from billing_plugin.signals import NAMES


def endpoint(actor: Actor, url: str, *events: str) -> WebhookEndpoint:
    """Adds an endpoint for those events; none: all but those of invoices, so that who buys makes
    one."""
    mine = str(actor.account_id)
    chosen = events or [name for name in NAMES if name != "invoice.finalized"]
    return operations.add_webhook_endpoint(actor, mine, url, events=chosen)


def see(actor: Actor, found: WebhookEndpoint) -> WebhookEndpoint:
    """The endpoint as it is now."""
    return operations.get_webhook_endpoint(actor, str(actor.account_id), found.id)


def buy(actor: Actor, **said: Any) -> str:
    """Has topup.succeeded told; the top-up's id."""
    return operations.top_up(actor, str(actor.account_id), Money.parse("5"), **said).id


def bought(billing: Billing) -> list[str]:
    """The ids of what was told of purchases, in order."""
    with billing.instance.active():
        found = Event.select().where(Event.name == "topup.succeeded").order_by(Event.id)
        return [event.id for event in found]


def sweep(billing: Billing) -> list[str]:
    """Spreads and sends what is due, as a worker's tick does."""
    return operations.retry_deliveries(billing.operator())


def deliveries(actor: Actor, found: WebhookEndpoint, **said: Any) -> list[Delivery]:
    """The endpoint's deliveries, newest first."""
    return operations.list_webhook_deliveries(actor, str(actor.account_id), found.id, **said)
