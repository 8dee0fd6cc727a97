"""Counters of requests in memory, by the sliding windows of `limits`."""

from __future__ import annotations

from math import floor
from threading import Lock

from limits.storage import MemoryStorage

from billing_plugin.context import utc_now

MOST = 10_000  # callers; when there are more, those are forgotten who were quiet for two windows


class MemoryTally(MemoryStorage):
    """What `limits` keeps in memory, forgotten without a thread: MemoryStorage starts one every
    ten milliseconds that there are requests, in a process that is the host's."""

    STORAGE_SCHEME = ["billing-memory"]

    def __init__(self) -> None:
        super().__init__(wrap_exceptions=True)
        self._counts: dict[str, tuple[int, int, int]] = {}  # the window, before it, and in it
        self._lock = Lock()

    # The strategy gives four by place, one more than we have of our own.
    def acquire_sliding_window_entry(self, key: str, limit: int, *said: int) -> bool:
        """Counts requests, unless they are too many in a window of so many seconds."""
        expiry, amount = said
        with self._lock:
            window, before, within, left = self._now(key, expiry)
            if floor(before * left / expiry + within) + amount > limit:
                return False
            self._counts[key] = (window, before, within + amount)
            if len(self._counts) > MOST:
                self._forget(window)
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Requests in the window before and how long they count, and the same of this one."""
        _, before, within, left = self._now(key, expiry)
        return before, left if before else 0.0, within, left + expiry

    def _now(self, key: str, expiry: int) -> tuple[int, int, int, float]:
        """The window, what was counted before it and in it, and how many seconds it has left."""
        at = utc_now().timestamp()
        window = int(at // expiry)
        counted, before, within = self._counts.get(key, (window, 0, 0))
        if counted != window:
            before, within = within if counted == window - 1 else 0, 0
        return window, before, within, (window + 1) * expiry - at

    def _forget(self, window: int) -> None:
        self._counts = {key: one for key, one in self._counts.items() if one[0] >= window - 1}
