"""The vault: what was sealed opens with any key of the ring, and with no other."""

from __future__ import annotations

import pytest

from billing_plugin.errors import ConfigurationError
from billing_plugin.vault import Vault, new_key

A_KEY = "A" * 43 + "="
SECRETS = {"api_key": "sk-canary-1", "management_key": "clé ☃"}


def test_what_is_sealed_opens() -> None:
    vault = Vault(new_key())
    sealed = vault.seal(SECRETS)
    assert vault.open(sealed) == SECRETS
    assert "canary" not in sealed


def test_the_same_secret_is_sealed_differently_each_time() -> None:
    vault = Vault(new_key())
    assert vault.seal(SECRETS) != vault.seal(SECRETS)


def test_a_key_is_exchanged_without_losing_what_the_old_one_sealed() -> None:
    old, new = new_key(), new_key()
    sealed = Vault(old).seal(SECRETS)
    ring = Vault(f"{new}, {old},")
    assert ring.open(sealed) == SECRETS
    assert Vault(new).open(ring.seal(SECRETS)) == SECRETS


def test_without_its_key_a_secret_stays_closed() -> None:
    sealed = Vault(new_key()).seal(SECRETS)
    with pytest.raises(ConfigurationError, match="No key in BILLING_SECRET_KEYS") as caught:
        Vault(new_key()).open(sealed)
    assert sealed not in str(caught.value)


@pytest.mark.parametrize("change", ["", "x", "gAAAAA", "☃"])
def test_what_was_tampered_with_stays_closed(change: str) -> None:
    with pytest.raises(ConfigurationError):
        Vault(new_key()).open(change)


@pytest.mark.parametrize("keys", ["", " , ", "canary", f"{A_KEY},canary", "☃" * 44])
def test_what_is_no_key_is_said_without_showing_it(keys: str) -> None:
    with pytest.raises(ConfigurationError, match="BILLING_SECRET_KEYS") as caught:
        Vault(keys)
    assert "canary" not in caught.value.message


@pytest.mark.parametrize(
    ("secret", "shown"),
    [
        ("sk-or-v1-0e6abc1c96", "sk-o...c96"),
        ("twelve-chars", "twel...ars"),
        ("eleven-char", "..."),
        ("", "..."),
    ],
)
def test_a_mask_shows_the_ends_of_long_secrets_alone(secret: str, shown: str) -> None:
    assert Vault.mask(secret) == shown
