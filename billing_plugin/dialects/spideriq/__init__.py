"""The SpiderIQ face and its routes."""

from billing_plugin.dialects.spideriq import sync
from billing_plugin.dialects.spideriq.face import spideriq

__all__ = ["spideriq", "sync"]
