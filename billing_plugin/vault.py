"""The vault: seals provider credentials before they are stored and opens them to be used.

A ring of Fernet keys: the first seals, every one opens, so that a key can be exchanged without
losing what the old one sealed.
"""

from __future__ import annotations

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from billing_plugin.errors import ConfigurationError


class Vault:
    """Seals and opens small mappings of secrets. Raises ConfigurationError without a good key."""

    def __init__(self, keys: str) -> None:
        self._ring = _ring([key.strip() for key in keys.split(",") if key.strip()])

    def seal(self, secrets: dict[str, str]) -> str:
        """Ciphertext of a mapping of secrets."""
        return self._ring.encrypt(json.dumps(secrets).encode()).decode()

    def open(self, sealed: str) -> dict[str, str]:
        """The mapping that was sealed. Raises ConfigurationError when no key of the ring fits."""
        try:
            opened: dict[str, str] = json.loads(self._ring.decrypt(sealed.encode()))
        except InvalidToken as error:
            raise ConfigurationError("No key in BILLING_SECRET_KEYS opens this secret.") from error
        return opened

    @staticmethod
    def mask(secret: str) -> str:
        """First four and last three characters of a secret; short ones vanish whole."""
        return f"{secret[:4]}...{secret[-3:]}" if len(secret) >= 12 else "..."


def new_key() -> str:
    """A fresh key for BILLING_SECRET_KEYS."""
    return Fernet.generate_key().decode()


def _ring(keys: list[str]) -> MultiFernet:
    if not keys:
        raise ConfigurationError(
            "BILLING_SECRET_KEYS is not set; `billing new-secret-key` prints one."
        )
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError as error:
        raise ConfigurationError("BILLING_SECRET_KEYS holds something that is no key.") from error
