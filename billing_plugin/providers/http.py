"""Outward HTTP for adapters: a total deadline, a byte cap, no redirects, exact numbers.

Errors carry our own sentences; a vendor's text goes into `details` only, and never a credential.
"""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any, Protocol

import requests

from billing_plugin.errors import ProviderAuthError, ProviderUnavailable, ProviderUnreadable

MAX_BYTES = 4 * 1024 * 1024
USER_AGENT = "flask-billing-plugin"
BAD_KEY = "API key invalid or expired"


class Caller(Protocol):
    """Asks one vendor endpoint and returns its JSON."""

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON with every number exact."""
        ...


class Http:
    """One vendor, one credential, one deadline over all calls (`timeout_s`, seconds)."""

    def __init__(self, base_url: str, headers: dict[str, str], *, timeout_s: int) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **headers}
        self._deadline = time.monotonic() + timeout_s

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """JSON of one call. Raises ProviderAuthError, ProviderUnavailable, ProviderUnreadable."""
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise ProviderUnavailable("The provider did not answer in time.")
        try:
            with requests.request(
                method, self._base_url + path, headers=self._headers, json=body,
                timeout=left_s, stream=True, allow_redirects=False,
            ) as response:  # fmt: skip
                content = self._content(response)
        except requests.RequestException as error:
            raise ProviderUnavailable(
                "The provider could not be reached.", details=type(error).__name__
            ) from None
        _check_status(response.status_code)
        return parse(content)

    def _content(self, response: requests.Response) -> bytes:
        content = bytearray()
        for chunk in response.iter_content(65_536):
            content += chunk
            if len(content) > MAX_BYTES:
                raise ProviderUnreadable("The provider's answer is too large.")
            if time.monotonic() > self._deadline:
                raise ProviderUnavailable("The provider did not answer in time.")
        return bytes(content)


def parse(content: bytes) -> Any:
    """JSON with Decimals for numbers; NaN and Infinity are refused. Raises ProviderUnreadable."""
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ProviderUnreadable("The provider's answer is not JSON.") from error


def amount(value: Any) -> Decimal:
    """A money figure of an answer, exact. Raises ProviderUnreadable for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ProviderUnreadable("The provider's answer lacks a money figure.")
    return Decimal(value)


def field(document: Any, *names: str) -> Any:
    """A value inside nested objects. Raises ProviderUnreadable where one is missing."""
    for name in names:
        if not isinstance(document, dict) or name not in document:
            raise ProviderUnreadable(f"The provider's answer lacks {name}.")
        document = document[name]
    return document


def _check_status(status: int) -> None:
    if status in (401, 403):
        raise ProviderAuthError(BAD_KEY, details=status)
    if status == 429 or status >= 500 or status == 408:
        raise ProviderUnavailable("The provider is busy or down.", details=status)
    if status != 200:
        raise ProviderUnreadable("The provider answered unexpectedly.", details=status)


def _no_constant(name: str) -> Any:
    raise ValueError(name)
