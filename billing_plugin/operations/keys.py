"""API keys: made once, shown once, checked on every request.

A key reads `sk_<32 hex digits>_<secret>`. The digits are the key's id, the secret has 256 random
bits, and only its SHA-256 is stored (a slow hash guards guessable passwords, not random bits).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from billing_plugin.context import Actor, Instance, now, write_transaction
from billing_plugin.errors import InvalidRequest, NotFound, Unauthenticated
from billing_plugin.ids import from_hex, hex_of
from billing_plugin.models import accounts, audit, keys
from billing_plugin.models.keys import ApiKey, Holder
from billing_plugin.operations.catalogue import HUMAN_SCOPES, account_scopes, operation

TOKEN_PREFIX = "sk"  # noqa: S105 (the visible start of a key, no secret)
MAX_NAME_LENGTH = 200
_NOBODY = "0" * 64


@dataclass(frozen=True, slots=True)
class NewKey:
    """A stored key together with its token, which is shown this once."""

    key: ApiKey
    token: str


@operation(scope="keys:write", effect="writes")
def create_key(
    actor: Actor,
    account_id: str,
    scopes: Iterable[str] = (),
    *,
    name: str = "",
    agent: str | None = None,
    expires_at: datetime | None = None,
) -> NewKey:
    """Makes a key of the account. No scopes named: every scope such a key may hold.

    `agent` names the program that the key is for; such a key never holds a scope that decides
    about raises. Raises InvalidRequest for a scope that it may not hold or an endless name,
    NotFound for an unknown account.
    """
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidRequest(f"A name has at most {MAX_NAME_LENGTH} characters.")
    if agent is not None and not 0 < len(agent) <= MAX_NAME_LENGTH:
        raise InvalidRequest(f"An agent's name has 1 to {MAX_NAME_LENGTH} characters.")
    allowed = account_scopes() - (HUMAN_SCOPES if agent else frozenset())
    wanted = frozenset(scopes) or allowed
    unknown = sorted(wanted - allowed)
    if unknown:
        raise InvalidRequest(f"{unknown[0]} is not a scope that an account's key may hold.")
    secret = secrets.token_urlsafe(32)
    with write_transaction():
        account = accounts.get(account_id)
        key = keys.create(
            account.id, _hash(secret), " ".join(sorted(wanted)),
            name=name, at=now(), expires_at=expires_at, agent=agent,
        )  # fmt: skip
        _audit(actor, account.id, key.id, action="key.create", after=facts(key))
    return NewKey(key, f"{TOKEN_PREFIX}_{hex_of(key.id)}_{secret}")


@operation(scope="keys:write", effect="writes")
def revoke_key(actor: Actor, account_id: str, key_id: str) -> None:
    """Ends a key of the account at once and for good. Raises NotFound."""
    with write_transaction():
        found = keys.find(key_id)
        if found is None or not keys.revoke(account_id, key_id, now()):
            raise NotFound("There is no such key.")
        if found.revoked_at is None:
            _audit(actor, account_id, key_id, action="key.revoke", before=facts(found))


@operation(scope="keys:write", effect="reads")
def list_keys(actor: Actor, account_id: str) -> list[ApiKey]:
    """The account's keys, newest first, also those that have ended. Raises NotFound."""
    del actor
    accounts.get(account_id)
    return keys.every(account_id)


def authenticate(instance: Instance, token: str) -> Actor:
    """Who holds the token. Raises Unauthenticated, alike for every way a token can be wrong."""
    prefix, _, rest = token.partition("_")
    digits, _, secret = rest.partition("_")
    with instance.active():
        key = _find(digits) if prefix == TOKEN_PREFIX else None
        matches = hmac.compare_digest(_hash(secret), key.secret_hash if key else _NOBODY)
        if key is None or not matches or not key.usable(now()):
            raise Unauthenticated("The API key is missing, unknown, expired or revoked.")
    scopes = frozenset(key.scopes.split()) - (HUMAN_SCOPES if key.agent else frozenset())
    return Actor(
        instance, account_id=key.account_id, scopes=scopes, key_id=key.id, currency=key.currency,
        agent=key.agent,
    )  # fmt: skip


def operator(instance: Instance, *, request_id: str | None = None) -> Actor:
    """The operator of the instance, who may do everything: for the command line and the worker."""
    return Actor(instance, scopes=frozenset({"*"}), request_id=request_id)


def facts(key: ApiKey) -> dict[str, Any]:
    """What the audit trail keeps of a key; nothing secret."""
    ends = key.expires_at.isoformat() if key.expires_at else None
    return {"name": key.name, "scopes": key.scopes, "agent": key.agent, "expires_at": ends}


def _audit(
    actor: Actor, account_id: str, key_id: str, *, action: str, **change: dict[str, Any]
) -> None:  # fmt: skip
    audit.write(
        actor.signature, action, key_id, account_id=account_id, at=now(), **change
    )  # fmt: skip


def _find(digits: str) -> Holder | None:
    try:
        return keys.holder(from_hex(keys.PREFIX, digits))
    except NotFound:
        return None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
