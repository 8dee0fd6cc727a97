"""The demonstration, taken as a user takes it."""

from __future__ import annotations

import subprocess
import sys

from billing_plugin.demo.tour import STEPS


def test_the_tour_takes_every_step() -> None:
    command = [sys.executable, "-m", "billing_plugin.cli", "demo", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(STEPS) + 1
    assert lines[-1] == f"All {len(STEPS)} steps succeeded."
    assert "Traceback" not in done.stderr
