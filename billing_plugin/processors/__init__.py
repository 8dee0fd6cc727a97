"""OUTWARD: who takes the card. Each processor is one file, loaded when asked."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from billing_plugin.errors import ConfigurationError
from billing_plugin.processors.processor import Processor

BUILT_IN = {"fake": "billing_plugin.processors.fake:FakeProcessor"}


def load(processor: str | Processor | None) -> Processor | None:
    """The processor of that name, the processor itself, or None where none is set up."""
    if not isinstance(processor, str):
        return processor
    if not processor:
        return None
    if processor not in BUILT_IN:
        raise ConfigurationError(f"BILLING_PROCESSOR is one of {', '.join(BUILT_IN)}.")
    module, _, name = BUILT_IN[processor].partition(":")
    return cast("Processor", getattr(import_module(module), name)())
