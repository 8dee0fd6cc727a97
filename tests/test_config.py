"""Settings: known keys only, of their own type, the later source winning."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin.config import Settings
from billing_plugin.errors import ConfigurationError


def test_defaults_stand_where_nothing_is_said() -> None:
    assert Settings.load() == Settings.load({}, {"SECRET_KEY": "x", "OTHER": 1}) == Settings()


def test_the_later_source_wins() -> None:
    found = Settings.load(
        {"BILLING_CURRENCY": "EUR", "BILLING_MAX_BATCH": 5}, {"BILLING_CURRENCY": "CHF"}
    )
    assert (found.currency, found.max_batch) == ("CHF", 5)


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"Did you mean BILLING_MAX_BATCH\?"):
        Settings.load({"BILLING_MAX_BATHC": 5})
    with pytest.raises(ConfigurationError, match=r"^BILLING_ZZZ is not a setting.$"):
        Settings.load({"BILLING_ZZZ": 5})


@pytest.mark.parametrize("value", ["12", 13])
def test_numbers_are_read(value: Any) -> None:
    assert Settings.load({"BILLING_MAX_BATCH": value}).max_batch == int(value)


@pytest.mark.parametrize(
    "value", ["", "1.5", 2.5, True, "-1", -2, None, "1e3", "\uff11", "9" * 5000]
)
def test_what_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="BILLING_MAX_BATCH"):
        Settings.load({"BILLING_MAX_BATCH": value})


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (True, True),
        ("1", True),
        ("TRUE", True),
        ("yes", True),
        (False, False),
        (0, False),
        ("no", False),
    ],
)
def test_switches_are_read(value: Any, read: bool) -> None:
    assert Settings.load({"BILLING_AUTO_MIGRATE": value}).auto_migrate is read


@pytest.mark.parametrize("value", ["", "on?", None, 2])
def test_what_is_no_switch_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="BILLING_AUTO_MIGRATE"):
        Settings.load({"BILLING_AUTO_MIGRATE": value})


@pytest.mark.parametrize("value", [None, 5, b"x", ["x"]])
def test_what_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="BILLING_DATABASE_URL"):
        Settings.load({"BILLING_DATABASE_URL": value})


@pytest.mark.parametrize("code", ["", "usd", "DOLLAR"])
def test_a_currency_that_is_none_is_refused_at_start(code: str) -> None:
    with pytest.raises(ConfigurationError, match="BILLING_CURRENCY"):
        Settings.load({"BILLING_CURRENCY": code})


def test_a_batch_of_nothing_is_refused_at_start() -> None:
    with pytest.raises(ConfigurationError, match="BILLING_MAX_BATCH"):
        Settings.load({"BILLING_MAX_BATCH": 0})


def test_keys_are_not_in_the_representation() -> None:
    assert "hunter2" not in repr(Settings.load({"BILLING_SECRET_KEYS": "hunter2"}))


def test_every_setting_has_a_type_that_is_read() -> None:
    assert {type(value) for value in Settings()} <= {str, int, bool}


def test_the_environment_is_read_as_strictly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_MAX_BATCH", "7")
    monkeypatch.setenv("BILLING_API_KEY", "for a door")
    assert Settings.from_environment()["max_batch"] == "7"
    monkeypatch.setenv("BILLING_DATABSE_URL", "sqlite:///other.db")
    with pytest.raises(ConfigurationError, match="Did you mean BILLING_DATABASE_URL"):
        Settings.from_environment()


@pytest.mark.parametrize("rate", ["0", "19", "8.875", "7.7", "99.9999", "00.5"])
def test_a_rate_of_tax_is_percent(rate: str) -> None:
    assert Settings.load({"BILLING_INVOICE_TAX_RATE": rate}).invoice_tax_rate == rate


@pytest.mark.parametrize(
    "rate", ["", "-1", "100", "1.23456", "19%", "1e1", ".5", "5.", "\uff11", "1\n"]
)
def test_what_is_no_rate_is_refused(rate: str) -> None:
    with pytest.raises(ConfigurationError, match="BILLING_INVOICE_TAX_RATE"):
        Settings.load({"BILLING_INVOICE_TAX_RATE": rate})


@pytest.mark.parametrize("series", ["", "CN", "a/b", "x" * 21, "\u00e9", 'a"'])
def test_series_of_numbers_are_two(series: str) -> None:
    with pytest.raises(ConfigurationError, match="BILLING_INVOICE_SERIES"):
        Settings.load({"BILLING_INVOICE_SERIES": series})
