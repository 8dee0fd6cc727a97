"""A billing and AI-spend control plane that mounts into an existing Flask app."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from billing_plugin import errors
from billing_plugin.context import Actor
from billing_plugin.extension import Billing

if TYPE_CHECKING:
    from billing_plugin import operations
    from billing_plugin.money import Money

__version__ = "0.1.0"
__all__ = ["Actor", "Billing", "Money", "errors", "operations"]


def __getattr__(name: str) -> Any:
    """Loads Money and operations when they are first asked for: mounting needs neither."""
    if name == "Money":
        return import_module("billing_plugin.money").Money  # lazy: see above
    if name == "operations":
        return import_module("billing_plugin.operations")  # lazy: see above
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
