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

from billing_plugin.context import Actor, Instance, now, write_transaction
from billing_plugin.errors import InvalidRequest, NotFound, Unauthenticated
from billing_plugin.ids import from_hex, hex_of
from billing_plugin.models import accounts, keys
from billing_plugin.models.keys import ApiKey
from billing_plugin.operations.catalogue import account_scopes, operation

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
    expires_at: datetime | None = None,
) -> NewKey:
    """Makes a key of the account. No scopes named: every scope an account's key may hold.

    Raises InvalidRequest for an unknown scope or an endless name, NotFound for an unknown account.
    """
    del actor
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidRequest(f"A name has at most {MAX_NAME_LENGTH} characters.")
    wanted = frozenset(scopes) or account_scopes()
    unknown = sorted(wanted - account_scopes())
    if unknown:
        raise InvalidRequest(f"{unknown[0]} is not a scope that an account's key may hold.")
    secret = secrets.token_urlsafe(32)
    with write_transaction():
        account = accounts.get(account_id)
        key = keys.create(
            account.id, _hash(secret), " ".join(sorted(wanted)),
            name=name, at=now(), expires_at=expires_at,
        )  # fmt: skip
    return NewKey(key, f"{TOKEN_PREFIX}_{hex_of(key.id)}_{secret}")


@operation(scope="keys:write", effect="writes")
def revoke_key(actor: Actor, account_id: str, key_id: str) -> None:
    """Ends a key of the account at once and for good. Raises NotFound."""
    del actor
    with write_transaction():
        if not keys.revoke(account_id, key_id, now()):
            raise NotFound("There is no such key.")


def authenticate(instance: Instance, token: str) -> Actor:
    """Who holds the token. Raises Unauthenticated, alike for every way a token can be wrong."""
    prefix, _, rest = token.partition("_")
    digits, _, secret = rest.partition("_")
    with instance.active():
        key = _find(digits) if prefix == TOKEN_PREFIX else None
        matches = hmac.compare_digest(_hash(secret), key.secret_hash if key else _NOBODY)
        if key is None or not matches or not key.usable(now()):
            raise Unauthenticated("The API key is missing, unknown, expired or revoked.")
        account = accounts.get(key.account_id)
    scopes = frozenset(key.scopes.split())
    return Actor(
        instance, account_id=account.id, scopes=scopes, key_id=key.id, currency=account.currency
    )


def operator(instance: Instance, *, request_id: str | None = None) -> Actor:
    """The operator of the instance, who may do everything: for the command line and the worker."""
    return Actor(instance, scopes=frozenset({"*"}), request_id=request_id)


def _find(digits: str) -> ApiKey | None:
    try:
        return keys.find(from_hex(keys.PREFIX, digits))
    except NotFound:
        return None


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
