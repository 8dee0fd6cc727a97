"""Asking side by side, beyond what test_sync shows: many rounds, and threads that never end."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime
from typing import Any

import pytest

from billing_plugin import Billing, operations
from billing_plugin.models import integrations
from billing_plugin.operations import asking
from billing_plugin.providers.provider import Reading
from tests.factories import account_with

HANGING = """
import threading, time
from datetime import UTC, datetime
from queue import SimpleQueue
from concurrent.futures import Future
from billing_plugin.operations.asking import Question, _answer_from
class Hangs:
    name = "hangs"
    def read(self, *args, **kwargs):
        print("asked", flush=True)
        time.sleep(600)
work = SimpleQueue()
integration = type("I", (), {"settings": {}, "provider": "hangs"})()
work.put((Future(), Question(Hangs(), {}, integration, datetime.now(UTC), 1)))
from billing_plugin.operations import asking
asking._start_threads(work)
time.sleep(0.5)
"""


class Slow:
    """A vendor that takes a while."""

    name = "slow"

    def __init__(self) -> None:
        self.asked = 0

    def read(
        self, credentials: dict[str, str], settings: dict[str, Any], *, at: datetime, timeout_s: int
    ) -> Reading:
        """After 0.2 s."""
        self.asked += 1
        time.sleep(0.2)
        return Reading(at)


def test_more_vendors_than_threads_are_all_asked(
    billing: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MAX_THREADS", 2)
    slow = Slow()
    billing.instance.providers = {"slow": slow}
    actor = account_with(billing)
    for _ in range(7):
        operations.connect(actor, actor.account_id, "slow", credentials={"api_key": "k"})
    with billing.instance.active():
        asked = integrations.active(str(actor.account_id))
        answers = asking.ask_all(asked, lambda: None)
    assert (slow.asked, [type(answer) for answer in answers]) == (7, [Reading] * 7)


def test_a_vendor_that_hangs_does_not_keep_the_process() -> None:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stdout) == (0, "asked\n"), done.stderr
    assert time.monotonic() - began < 15
