"""Who is calling: an API key becomes an Actor. The account comes from the key and nothing else.

Over stdio one key from the environment serves the whole process and is checked at every call, so
a revoked key ends at once. Over HTTP every request carries its own key as a bearer token; what is
kept of it while the request runs is its id, account and scopes, never the secret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from anyio import to_thread
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken
from mcp.server.mcpserver import Context

from billing_plugin import Actor, Money
from billing_plugin.context import Instance
from billing_plugin.errors import Unauthenticated
from billing_plugin.ids import new_id
from billing_plugin.operations import authenticate


class Identity(Protocol):
    """Knows who makes the present call."""

    def actor(self) -> Actor:
        """The caller. Raises Unauthenticated."""
        ...


Call = Context[Identity, Any]


@dataclass(frozen=True, slots=True)
class OneKey:
    """Every call is made by the holder of one key (stdio)."""

    instance: Instance
    token: str = field(repr=False)

    def actor(self) -> Actor:
        """The key's holder. Raises Unauthenticated once the key is revoked or expired."""
        return authenticate(self.instance, self.token)


@dataclass(frozen=True, slots=True)
class BearerKeys:
    """Every request names its own key (HTTP). It is checked before the request is read."""

    instance: Instance

    async def verify_token(self, token: str) -> AccessToken | None:
        """What the key stands for, or None for a key that is no good."""
        try:
            actor = await to_thread.run_sync(authenticate, self.instance, token.strip())
        except Unauthenticated:
            return None
        key_id = str(actor.key_id)
        return AccessToken(
            token=key_id,
            client_id=key_id,
            scopes=sorted(actor.scopes),
            subject=actor.account_id,
            claims={"currency": actor.currency},
        )

    def actor(self) -> Actor:
        """The holder of the present request's key. Raises Unauthenticated outside a request."""
        found = get_access_token()
        if found is None or found.subject is None:
            raise Unauthenticated("The API key is missing.")
        return Actor(
            self.instance,
            account_id=found.subject,
            scopes=frozenset(found.scopes),
            key_id=found.client_id,
            currency=(found.claims or {}).get("currency"),
        )


def caller(call: Call) -> tuple[Actor, str]:
    """Who makes this call, and the account of its key. Raises Unauthenticated."""
    actor = call.request_context.lifespan_context.actor()
    if actor.account_id is None:
        raise Unauthenticated("This needs the key of an account.")
    return actor.traced(new_id("req")), actor.account_id


def cents_of(actor: Actor, cents: int) -> Money:
    """Whole minor units in the currency of the caller's account."""
    return Money.from_cents(cents, actor.currency or actor.instance.settings.currency)
