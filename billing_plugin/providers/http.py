"""Outward HTTP for adapters: a total deadline, a byte cap, no redirects, exact numbers.

Errors carry our own sentences; a vendor's text is never kept, nor a credential.
"""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any, Protocol

import requests

from billing_plugin.errors import ProviderAuthError, ProviderUnavailable, ProviderUnreadable

MAX_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 65_536
LARGEST_EXPONENT = 12  # of a money figure: a trillion is a mistake
USER_AGENT = "flask-billing-plugin"
BAD_KEY = "API key invalid or expired"
TOO_SLOW = "The provider did not answer in time."


class Caller(Protocol):
    """Asks one vendor endpoint and returns its JSON."""

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON with every number exact."""
        ...


class Http:
    """One vendor, one credential, one deadline over all calls (`timeout_s`, seconds)."""

    def __init__(self, base_url: str, headers: dict[str, str], *, timeout_s: int) -> None:
        self._base_url = base_url.rstrip("/")
        # Compressed answers are not asked for: a small one could unfold beyond any cap.
        always = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        self._headers = {**always, "Accept-Encoding": "identity", **headers}
        self._deadline = time.monotonic() + timeout_s

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        """JSON of one call. Raises ProviderAuthError, ProviderUnavailable, ProviderUnreadable."""
        try:
            with requests.request(
                method, self._base_url + path, headers=self._headers, json=body,
                timeout=self._left_s(), stream=True, allow_redirects=False, auth=_as_it_is,
            ) as response:  # fmt: skip
                _check_status(response.status_code)
                content = self._content(response)
        except (requests.RequestException, UnicodeError) as error:
            raise _unreachable(error) from None
        return parse(content)

    def _left_s(self) -> float:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise ProviderUnavailable(TOO_SLOW)
        return left_s

    def _content(self, response: requests.Response) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise ProviderUnreadable("The provider's answer is compressed.")
        content = bytearray()
        while chunk := self._chunk(response):
            content += chunk
            if len(content) > MAX_BYTES:
                raise ProviderUnreadable("The provider's answer is too large.")
        return bytes(content)

    def _chunk(self, response: requests.Response) -> bytes:
        """What has arrived; asking for a whole block would wait for a slow one beyond any time."""
        self._left_s()
        try:
            chunk: bytes = response.raw.read1(CHUNK_BYTES)
        except Exception as error:  # of the transport: its classes are not ours to know
            raise _unreachable(error) from None
        return chunk


def parse(content: bytes) -> Any:
    """JSON with Decimals for numbers; NaN and Infinity are refused. Raises ProviderUnreadable."""
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, ArithmeticError, RecursionError):
        raise ProviderUnreadable("The provider's answer is not JSON.") from None


def amount(value: Any) -> Decimal:
    """A money figure of an answer, exact. Raises ProviderUnreadable for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ProviderUnreadable("The provider's answer lacks a money figure.")
    if Decimal(value).adjusted() > LARGEST_EXPONENT:
        raise ProviderUnreadable("A money figure of the provider's answer is out of range.")
    return Decimal(value)


def field(document: Any, *names: str) -> Any:
    """A value inside nested objects. Raises ProviderUnreadable where one is missing."""
    for name in names:
        if not isinstance(document, dict) or name not in document:
            raise ProviderUnreadable(f"The provider's answer lacks {name}.")
        document = document[name]
    return document


def rows(document: Any, *names: str) -> list[Any]:
    """A list inside nested objects. Raises ProviderUnreadable where it is none."""
    found = field(document, *names)
    if not isinstance(found, list):
        raise ProviderUnreadable(f"{names[-1]} of the provider's answer is no list.")
    return found


def _check_status(status: int) -> None:
    if status in (401, 403):
        raise ProviderAuthError(BAD_KEY, details=status)
    if status == 429 or status >= 500 or status == 408:
        raise ProviderUnavailable("The provider is busy or down.", details=status)
    if status != 200:
        raise ProviderUnreadable("The provider answered unexpectedly.", details=status)


def _unreachable(error: Exception) -> ProviderUnavailable:
    """By its class alone: what it says may hold the URL or a header."""
    late = "timeout" in type(error).__name__.lower()
    message = TOO_SLOW if late else "The provider could not be reached."
    return ProviderUnavailable(message, details=type(error).__name__)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Our header is the credential; without this, one in the user's .netrc would replace it."""
    return request


def _no_constant(name: str) -> Any:
    raise ValueError(name)
