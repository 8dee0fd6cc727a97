"""Counting in memory: as the library counts, without its threads."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from billing_plugin.dialects import tally
from billing_plugin.dialects.tally import MemoryTally

# The library forgets once, soon after it began, what the real clock says is over.
START = datetime(2126, 3, 9, 12, 0, 7, 250_000, tzinfo=UTC)
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 0.5, 7, 20, 59, 61, 130]), st.sampled_from("ab")), max_size=40
)


class Unthreaded(MemoryStorage):
    """The library's, whose thread would go by another clock."""

    STORAGE_SCHEME = ["unthreaded"]

    def _MemoryStorage__schedule_expiry(self) -> None:
        return


@given(STEPS)
def test_it_counts_as_the_library_does(steps: list[tuple[float, str]]) -> None:
    item, now = RateLimitItemPerMinute(5), START
    ours = SlidingWindowCounterRateLimiter(MemoryTally())
    theirs = SlidingWindowCounterRateLimiter(Unthreaded())
    for seconds, caller in steps:
        now += timedelta(seconds=seconds)
        with (
            mock.patch.object(tally, "utc_now", return_value=now),
            mock.patch("time.time", return_value=now.timestamp()),
        ):
            assert ours.hit(item, caller) == theirs.hit(item, caller)
            mine, other = (one.get_window_stats(item, caller) for one in (ours, theirs))
            assert mine.remaining == other.remaining
            assert mine.reset_time == pytest.approx(other.reset_time, abs=0.001)


def test_whoever_is_quiet_is_forgotten_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST", 3)
    storage = MemoryTally()
    vars(storage)["timer"].join()  # the library's first and only one
    threads = threading.active_count()
    for number in range(6):
        with mock.patch.object(tally, "utc_now", return_value=START + timedelta(minutes=number)):
            assert storage.acquire_sliding_window_entry(f"caller {number}", 1, 60, 1)
            assert not storage.acquire_sliding_window_entry(f"caller {number}", 1, 60, 1)
    assert len(vars(storage)["_counts"]) <= 3
    assert threading.active_count() == threads


def test_many_threads_take_no_more_than_there_is() -> None:
    storage, taken = MemoryTally(), []

    def take() -> None:
        taken.extend(storage.acquire_sliding_window_entry("a", 50, 10**9, 1) for _ in range(20))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sum(taken) == 50
