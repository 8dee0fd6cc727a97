"""A host's own Billing with adapters of its own, for workers started with `--billing`."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from billing_plugin import Billing, Money
from billing_plugin.providers.provider import Reading

PLACE = "tests.worker.host:billing"


class Talkative:
    """Fails with the credential in its exception, as a careless adapter would."""

    name = "talkative"

    def read(
        self, credentials: dict[str, str], settings: dict[str, Any], *, at: datetime, timeout_s: int
    ) -> Reading:
        """Raises what must not be seen anywhere."""
        raise RuntimeError(f"refused the key {credentials['api_key']}")


class Slow:
    """Hangs at the first question ever (it leaves a file), answers every later one."""

    name = "slow"

    def read(
        self, credentials: dict[str, str], settings: dict[str, Any], *, at: datetime, timeout_s: int
    ) -> Reading:
        """One dollar, unless it hangs."""
        asked = Path(settings["asked"])
        if not asked.exists():
            asked.touch()
            time.sleep(600)
        return Reading(as_of=at, balance=Money.parse("1"))


def adapters() -> dict[str, Any]:
    """By name."""
    return {"talkative": Talkative(), "slow": Slow()}


billing = Billing(providers=adapters())
billing.configure(os.environ)
