"""The Conduit face and its routes."""

from billing_plugin.dialects.conduit import ledger
from billing_plugin.dialects.conduit.face import conduit

__all__ = ["conduit", "ledger"]
