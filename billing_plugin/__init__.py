"""A billing and AI-spend control plane that mounts into an existing Flask app."""

__version__ = "0.1.0"

from billing_plugin import errors, operations
from billing_plugin.context import Actor
from billing_plugin.extension import Billing
from billing_plugin.money import Money

__all__ = ["Actor", "Billing", "Money", "errors", "operations"]
