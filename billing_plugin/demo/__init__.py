"""The demonstration: a small host application with everything mounted, and a tour through it."""

from billing_plugin.demo.parts import ticking
from billing_plugin.demo.run import PAGES, run

__all__ = ["PAGES", "run", "ticking"]
