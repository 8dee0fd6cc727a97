"""The native face and its routes."""

from billing_plugin.dialects.native import docs, ledger, limits, spend, sync, topups, usage
from billing_plugin.dialects.native.face import native

__all__ = ["docs", "ledger", "limits", "native", "spend", "sync", "topups", "usage"]
