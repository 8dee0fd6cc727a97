"""Settings: every BILLING_ key with its type, unit and default. Unknown keys are refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any

from billing_plugin.errors import ConfigurationError, InvalidRequest
from billing_plugin.money import check_currency

PREFIX = "BILLING_"
AT_LEAST_ONE = ("max_batch", "max_body_bytes", "sync_interval_s", "provider_timeout_s")
_WHOLE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an instance is told. Each field is the BILLING_ key of the same name in capitals."""

    # sqlite:///FILE or postgresql://…; may hold a password, as the next may
    database_url: str = field(default="sqlite:///billing.db", repr=False)
    redis_url: str = field(default="", repr=False)  # empty: jobs run in this process
    currency: str = "USD"  # ISO 4217, of accounts that name none
    secret_keys: str = field(default="", repr=False)  # Fernet keys, comma-separated, first seals
    auto_migrate: bool = True  # create and upgrade tables at first use
    native_prefix: str = "/api/v1/billing"  # empty switches the face off
    spideriq_prefix: str = "/api/v1/integrations"
    conduit_prefix: str = "/api/billing"
    processor: str = ""  # "fake", or empty: top-ups are refused
    topup_minimum_cents: int = 100
    topup_maximum_cents: int = 1_000_000
    sync_interval_s: int = 14_400
    manual_sync_interval_s: int = 60
    provider_timeout_s: int = 20
    queue_name: str = "billing"
    max_batch: int = 1_000  # usage records in one request
    max_body_bytes: int = 1_048_576
    idempotency_days: int = 30

    def __post_init__(self) -> None:
        try:
            check_currency(self.currency)
        except InvalidRequest as error:
            raise ConfigurationError(f"{PREFIX}CURRENCY: {error}") from error
        for name in AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise ConfigurationError(f"{PREFIX}{name.upper()} is at least 1.")

    @classmethod
    def load(cls, *sources: Mapping[str, Any]) -> Settings:
        """From mappings of BILLING_ keys, later ones winning. Keys without the prefix are ignored.

        Raises ConfigurationError for an unknown key (naming the nearest known one) or a value of
        the wrong type.
        """
        known = {PREFIX + f.name.upper(): f for f in fields(cls)}
        values: dict[str, Any] = {}
        for source in sources:
            for key in (key for key in source if key.startswith(PREFIX)):
                if key not in known:
                    raise _unknown(key, list(known))
                values[known[key].name] = _convert(key, source[key], known[key].type)
        return cls(**values)


def _unknown(key: str, known: list[str]) -> ConfigurationError:
    near = get_close_matches(key, known, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return ConfigurationError(f"{key} is not a setting.{hint}")


def _convert(key: str, value: Any, kind: Any) -> Any:
    if kind == "bool":
        return _as_bool(key, value)
    if kind == "int":
        return _as_int(key, value)
    if not isinstance(value, str):
        raise ConfigurationError(f"{key} is text.")
    return value


def _as_int(key: str, value: Any) -> int:
    if type(value) not in (int, str) or not _WHOLE.fullmatch(str(value)):
        raise ConfigurationError(f"{key} is a whole number, not negative.")
    return int(value)


def _as_bool(key: str, value: Any) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if isinstance(value, bool):
        return value
    if str(value).lower() not in words:
        raise ConfigurationError(f"{key} is true or false.")
    return words[str(value).lower()]
