"""Connecting vendor accounts. Credentials are sealed before they are stored, masked when shown."""

from __future__ import annotations

from typing import Any

from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, integrations
from billing_plugin.models.integrations import Integration, Snapshot
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.vaults import open_vault
from billing_plugin.providers.provider import CREDENTIAL_KINDS


@operation(scope="integrations:write", effect="writes")
def connect(
    actor: Actor,
    account_id: str,
    provider: str,
    *,
    credentials: dict[str, str],
    label: str = "",
    settings: dict[str, Any] | None = None,
) -> Integration:
    """Connects a vendor account: credentials are api_key and (where it has one) management_key.

    They are stored sealed; space around them is dropped.
    Raises InvalidRequest for an unknown provider or credential, NotSupported without a vault key.
    """
    del actor
    if provider not in current().providers:
        raise InvalidRequest("That provider is not known here.", code="unknown_provider")
    kept = _checked(credentials)
    vault = open_vault()
    with write_transaction():
        accounts.get(account_id)
        return integrations.create(
            account_id, provider, now(), label=label, sealed=vault.seal(kept),
            preview={kind: vault.mask(value) for kind, value in kept.items()},
            settings=settings or {},
        )  # fmt: skip


@operation(scope="integrations:read", effect="reads")
def list_integrations(actor: Actor, account_id: str) -> list[Integration]:
    """The account's active integrations; credentials only as masks."""
    del actor
    return integrations.active(account_id)


@operation(scope="integrations:read", effect="reads")
def list_snapshots(
    actor: Actor, account_id: str, integration_id: str, *, limit: int = 30
) -> list[Snapshot]:
    """What the vendor said, newest first; `limit` 1 to 1000. Raises NotFound, InvalidRequest."""
    del actor
    if not 1 <= limit <= 1000:
        raise InvalidRequest("limit is 1 to 1000.")
    integrations.get(account_id, integration_id)
    return integrations.snapshots(integration_id, limit=limit)


def opened(integration: Integration) -> dict[str, str]:
    """The integration's credentials, to be used at once and never kept."""
    secrets: dict[str, str] = open_vault().open(integration.sealed)
    return secrets


def _checked(credentials: dict[str, str]) -> dict[str, str]:
    kept = {kind: value.strip() for kind, value in credentials.items() if value.strip()}
    if not kept or not set(kept) <= set(CREDENTIAL_KINDS):
        raise InvalidRequest("Credentials are api_key and management_key; one is needed.")
    if not all(value.isascii() and value.isprintable() for value in kept.values()):
        raise InvalidRequest("A credential is one line of plain text (ASCII).")
    return kept
