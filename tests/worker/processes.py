"""Real worker processes for tests: started, watched, and always ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.factories import SECRET_KEY

ROOT = Path(__file__).parent.parent.parent
WITHIN_S = 60


def environment(database_url: str, redis_url: str = "", **more: str) -> dict[str, str]:
    """The environment of a worker; nothing of ours leaks into it."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("BILLING_")}
    return clean | {
        "BILLING_DATABASE_URL": database_url,
        "BILLING_REDIS_URL": redis_url,
        "BILLING_SECRET_KEYS": SECRET_KEY,
        **more,
    }


def burst(env: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    """A worker that runs until nothing is left; stdout holds everything it said."""
    return subprocess.run(
        [sys.executable, "-m", "worker", "--burst", *options],
        env=env,
        cwd=ROOT,
        text=True,
        timeout=60,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@contextmanager
def worker(env: dict[str, str], said: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that runs until the block ends; what it says goes into the file."""
    with said.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker", *options],
            env=env,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(is_so: Callable[[], object], within_s: int = WITHIN_S) -> None:
    """Returns once it is so; fails when it takes too long."""
    end = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"not within {within_s} s")
        time.sleep(0.05)
