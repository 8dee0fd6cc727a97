"""The vault is there, or it is said that none is set up."""

from __future__ import annotations

import pytest

from billing_plugin import Billing
from billing_plugin.errors import NotSupported
from billing_plugin.operations.vaults import open_vault
from tests.factories import billing_on


def test_what_is_sealed_is_opened(billing: Billing) -> None:
    with billing.instance.active():
        assert open_vault().open(open_vault().seal({"a": "b"})) == {"a": "b"}


@pytest.mark.parametrize("keys", ["", "no key"])
def test_without_a_key_it_is_not_supported(database_url: str, keys: str) -> None:
    with billing_on(database_url, secret_keys=keys).instance.active(), pytest.raises(NotSupported):
        open_vault()


def test_an_instance_without_any(billing: Billing) -> None:
    billing.instance.open_vault = None
    with billing.instance.active(), pytest.raises(NotSupported):
        open_vault()
