"""Settings: every BILLING_ key with its type, unit and default. Unknown keys are refused."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from billing_plugin.errors import ConfigurationError

PREFIX = "BILLING_"
_SERIES = re.compile("[A-Za-z0-9-]{1,20}")
UNPRICED = ("refuse", "fallback", "allow")
AT_LEAST_ONE = (
    "hold_expires_s",
    "max_batch",
    "max_body_bytes",
    "max_import_bytes",
    "sync_interval_s",
    "provider_timeout_s",
    "topup_window_s",
    "webhook_timeout_s",
    "webhook_disable_after_days",
)
MAY_HOLD_SECRETS = (
    *("database_url", "redis_url", "secret_keys"),
    *("processor_key", "processor_webhook_secrets", "processor_url"),
)
# Read by the doors: whose key speaks over stdio, and a vendor's keys when one is connected.
OTHER_VARIABLES = (
    "BILLING_API_KEY",
    "BILLING_PROVIDER_API_KEY",
    "BILLING_PROVIDER_MANAGEMENT_KEY",
)


class Settings(NamedTuple):
    """What an instance is told. Each field is the BILLING_ key of the same name in capitals."""

    database_url: str = "sqlite:///billing.db"  # sqlite:///FILE or postgresql://…
    redis_url: str = ""  # empty: jobs run in this process
    currency: str = "USD"  # ISO 4217, of accounts that name none
    secret_keys: str = ""  # Fernet keys, comma-separated, first seals
    auto_migrate: bool = True  # create and upgrade tables at first use
    native_prefix: str = "/api/v1/billing"  # empty switches the face off
    spideriq_prefix: str = "/api/v1/integrations"
    conduit_prefix: str = "/api/billing"
    dashboard_prefix: str = (
        ""  # where the pages for people are; `billing serve` has them at /billing
    )
    webhooks_prefix: str = "/billing/webhooks"  # where processors send messages; empty: nowhere
    processor: str = ""  # "fake" or "stripe", or empty: top-ups are refused
    processor_key: str = ""  # by which it knows us
    processor_webhook_secrets: str = ""  # comma-separated; empty: its messages are not taken
    processor_url: str = ""  # instead of its own
    topup_minimum_cents: int = 100
    topup_maximum_cents: int = 1_000_000
    # Against who tries stolen cards: of one account in a window; 0: no limit.
    topup_window_s: int = 3_600
    topup_max_attempts: int = 60
    topup_max_attempts_per_key: int = 30
    topup_max_declined: int = 10
    topup_max_declined_per_method: int = 5
    webhook_timeout_s: int = 10  # of one delivery, from the first byte to the last
    webhook_disable_after_days: int = 5  # of nothing but failures
    webhook_local: bool = False  # http, and addresses of this machine, for development
    auto_topup_cooldown_s: int = 60  # from one to the next
    auto_topup_daily_count: int = 10  # of an account in a day, UTC
    auto_topup_daily_cents: int = 100_000
    auto_topup_monthly_count: int = 100
    auto_topup_monthly_cents: int = 1_000_000
    invoice_seller_name: str = ""  # as invoices show it
    invoice_seller_address: str = ""  # lines are parted by line breaks
    invoice_seller_tax_id: str = ""
    invoice_tax_rate: str = "0"  # percent, at most four decimals
    invoice_tax_label: str = "Tax"
    invoice_tax_inclusive: bool = False  # whether prices contain it; what a card pays always does
    invoice_due_days: int = 14  # from the day on which a statement is issued
    invoice_series: str = "INV"  # what numbers begin with; another one begins anew
    invoice_note_series: str = "CN"  # of credit notes
    invoice_font: str = ""  # a TrueType file; empty: Western European letters alone
    sync_interval_s: int = 14_400
    manual_sync_interval_s: int = 60
    provider_timeout_s: int = 20
    queue_name: str = "billing"
    unpriced: str = "refuse"  # or "fallback" (the price of *), or "allow" (costs nothing, flagged)
    group_commit: bool = True  # callers who meet at one account are written together
    hold_expires_s: int = 600  # of holds that name no deadline
    max_batch: int = 1_000  # usage records in one request
    max_body_bytes: int = 1_048_576
    max_import_bytes: int = 104_857_600  # of a FOCUS file that is sent
    rate_limit_per_minute: int = 6_000  # requests of one API key; 0: no limit

    def __repr__(self) -> str:
        """Without what may hold a password."""
        shown = {k: v for k, v in self._asdict().items() if k not in MAY_HOLD_SECRETS}
        return f"Settings({shown})"

    @classmethod
    def load(cls, *sources: Mapping[str, Any]) -> Settings:
        """From mappings of BILLING_ keys, later ones winning. Keys without the prefix are ignored.

        Raises ConfigurationError for an unknown key (naming the nearest known one) or a value of
        the wrong type.
        """
        known = {PREFIX + name.upper(): name for name in cls._fields}
        values: dict[str, Any] = {}
        for source in sources:
            for key in (key for key in source if key.startswith(PREFIX)):
                if key not in known:
                    raise _unknown(key, list(known))
                kind = type(cls._field_defaults[known[key]])
                values[known[key]] = _convert(key, source[key], kind)
        return _checked(cls(**values))

    @classmethod
    def from_environment(cls) -> dict[str, str]:
        """The settings that the environment names, ready for `Billing(**…)`.

        Raises ConfigurationError for an unknown BILLING_ variable, naming the nearest known one.
        """
        found = {
            key: text
            for key, text in os.environ.items()
            if key.startswith(PREFIX) and key not in OTHER_VARIABLES
        }
        cls.load(found)
        return {key.removeprefix(PREFIX).lower(): text for key, text in found.items()}


def _checked(settings: Settings) -> Settings:
    if not re.fullmatch("[A-Z]{3}", settings.currency):
        raise ConfigurationError(f"{PREFIX}CURRENCY: a three-letter ISO 4217 code.")
    if settings.unpriced not in UNPRICED:
        raise ConfigurationError(f"{PREFIX}UNPRICED is one of: {', '.join(UNPRICED)}.")
    _check_invoices(settings)
    for name in AT_LEAST_ONE:
        if getattr(settings, name) < 1:
            raise ConfigurationError(f"{PREFIX}{name.upper()} is at least 1.")
    return settings


def _check_invoices(settings: Settings) -> None:
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,4})?", settings.invoice_tax_rate):
        raise ConfigurationError(f"{PREFIX}INVOICE_TAX_RATE is percent, such as 19 or 8.875.")
    series = (settings.invoice_series, settings.invoice_note_series)
    if len(set(series)) == 1 or not all(map(_SERIES.fullmatch, series)):
        raise ConfigurationError(
            f"{PREFIX}INVOICE_SERIES and {PREFIX}INVOICE_NOTE_SERIES differ, and are 1 to 20"
            " letters, digits or hyphens."
        )


def _unknown(key: str, known: list[str]) -> ConfigurationError:
    from difflib import get_close_matches  # lazy: only who mistypes pays for it

    near = get_close_matches(key, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return ConfigurationError(f"{key} is not a setting.{hint}")


def _convert(key: str, value: Any, kind: Any) -> Any:
    if kind is bool:
        return _as_bool(key, value)
    if kind is int:
        return _as_int(key, value)
    if not isinstance(value, str):
        raise ConfigurationError(f"{key} is text.")
    return value


def _as_int(key: str, value: Any) -> int:
    if type(value) not in (int, str) or not re.fullmatch(r"[0-9]{1,18}", str(value)):
        raise ConfigurationError(f"{key} is a whole number, not negative.")
    return int(value)


def _as_bool(key: str, value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ConfigurationError(f"{key} is true or false.")
    return words[str(value).lower()]
