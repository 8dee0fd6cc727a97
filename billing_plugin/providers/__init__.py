"""OUTWARD: the AI vendors whose balance and spend are read. Each is one file, loaded when asked.

A provider is named by `module:Class` until it is needed, so that mounting imports no HTTP client.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from billing_plugin.providers.provider import Provider

BUILT_IN: dict[str, str | Provider] = {
    "fake": "billing_plugin.providers.fake:FakeProvider",
    "openrouter": "billing_plugin.providers.openrouter:OpenRouter",
}


def load(provider: str | Provider) -> Provider:
    """The provider behind a `module:Class` name, or the provider itself."""
    if not isinstance(provider, str):
        return provider
    return cast("Provider", resolve_name(provider)())
