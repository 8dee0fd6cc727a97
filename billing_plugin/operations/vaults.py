"""The vault of the instance at work, in which credentials and secrets are sealed."""

from __future__ import annotations

from typing import Any

from billing_plugin.context import current
from billing_plugin.errors import ConfigurationError, NotSupported


def open_vault() -> Any:
    """The vault. Raises NotSupported where none is set up."""
    found = current().open_vault
    if found is None:
        raise NotSupported("No vault is set up for credentials.")
    try:
        return found()
    except ConfigurationError as error:
        raise NotSupported(error.message) from error
