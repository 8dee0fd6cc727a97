"""What is sent to a webhook endpoint, and what comes of it."""

from __future__ import annotations

from typing import NamedTuple

REACHED = range(200, 300)
GONE = 410


class Letter(NamedTuple):
    """One attempt: where to, what, and with which headers. `local`: to this machine, too."""

    url: str
    body: str
    headers: dict[str, str]
    timeout_s: int
    local: bool = False


class Answer(NamedTuple):
    """What the receiver answered: its status, or None and why there is none: `timeout`, or
    `unreachable` (also for an address that is not told: nobody may find out which are there)."""

    status: int | None
    error: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether it has been received."""
        return self.status in REACHED
