"""OUTWARD: who takes the card. Each processor is one file, loaded when asked."""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, cast

from billing_plugin.errors import ConfigurationError

if TYPE_CHECKING:
    from billing_plugin.config import Settings
    from billing_plugin.processors.processor import Processor

BUILT_IN = {
    "fake": "billing_plugin.processors.fake:FakeProcessor",
    "stripe": "billing_plugin.processors.stripe:StripeProcessor",
}


def load(processor: str | Processor | None, settings: Settings) -> Processor | None:
    """The processor of that name, the processor itself, or None where none is set up."""
    if not isinstance(processor, str):
        return processor
    if not processor:
        return None
    if processor not in BUILT_IN:
        raise ConfigurationError(f"BILLING_PROCESSOR is one of {', '.join(BUILT_IN)}.")
    return cast("Processor", resolve_name(BUILT_IN[processor])(settings))
