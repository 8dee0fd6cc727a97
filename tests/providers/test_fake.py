"""The shipped fake provider: its settings are its answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from billing_plugin import Money
from billing_plugin.errors import (
    BillingError,
    InvalidRequest,
    ProviderAuthError,
    ProviderUnavailable,
    ProviderUnreadable,
)
from billing_plugin.providers import BUILT_IN, load
from billing_plugin.providers.fake import FakeProvider
from billing_plugin.providers.provider import Reading

AT = datetime(2026, 3, 9, tzinfo=UTC)


def read(key: str = "good", **settings: Any) -> Reading:
    return FakeProvider().read({"api_key": key}, settings, at=AT, timeout_s=1)


def test_it_says_what_its_settings_say() -> None:
    reading = read(balance="47.83", usage_today="0", currency="EUR", note="of a demonstration")
    assert reading.balance == Money.parse("47.83", "EUR")
    assert (reading.usage_today, reading.usage_month) == (Money.zero("EUR"), None)
    assert (reading.currency, reading.note, reading.as_of) == ("EUR", "of a demonstration", AT)
    assert reading.sources == {
        "balance": "reported",
        "usage_today": "reported",
        "usage_month": "unavailable",
    }


@pytest.mark.parametrize(
    ("fail", "kind"),
    [
        ("auth", ProviderAuthError),
        ("unavailable", ProviderUnavailable),
        ("unreadable", ProviderUnreadable),
    ],
)
def test_it_fails_as_told(fail: str, kind: type[BillingError]) -> None:
    with pytest.raises(kind):
        read(fail=fail, balance="1")


def test_each_failure_is_an_error_of_its_own() -> None:
    caught = []
    for _ in range(2):
        with pytest.raises(ProviderUnavailable) as error:
            read(fail="unavailable")
        caught.append(error.value)
    assert caught[0] is not caught[1]


def test_it_refuses_the_bad_key() -> None:
    with pytest.raises(ProviderAuthError, match="API key invalid or expired"):
        read(key="bad")


@pytest.mark.parametrize("settings", [{"balance": "a lot"}, {"fail": "somehow"}])
def test_settings_it_does_not_know_are_unreadable(settings: dict[str, str]) -> None:
    with pytest.raises((ProviderUnreadable, InvalidRequest)):
        read(**settings)


def test_the_built_in_providers_load_by_name() -> None:
    assert {name: load(named).name for name, named in BUILT_IN.items()} == {
        "fake": "fake",
        "openrouter": "openrouter",
    }
    own = FakeProvider()
    assert load(own) is own
