"""OUTWARD: who is told of events. What speaks HTTP is loaded when it is needed."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import cast

from billing_plugin.receivers.receiver import Answer, Letter

_CHECK_URL = "billing_plugin.receivers.addresses:check_url"
_POST = "billing_plugin.receivers.http:post"


def check_url(url: str, *, local: bool) -> str:
    """The URL itself, where it may be told. Raises InvalidRequest."""
    return cast("str", resolve_name(_CHECK_URL)(url, local=local))


def post(letter: Letter) -> Answer:
    """Sends a letter once. Raises nothing: what went wrong is in the answer."""
    return cast("Answer", resolve_name(_POST)(letter))
