"""docs/proofs.md names real commands: every file, test and module in them exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    line
    for line in (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "`" in line
]


def test_there_are_proofs() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:60] for row in ROWS])
def test_the_command_of_a_promise_exists(row: str) -> None:
    _, _, command, figure, *_ = row.split("|")
    assert figure.strip(), "a promise without a figure"
    named = re.findall(r"`([^`]+)`", command)
    assert named, "a promise without a command"
    for words in named:
        _check(words)


def _check(command: str) -> None:
    module = re.search(r"python -m (tests\.[\w.]+)", command)
    files = re.findall(r"(?:tests|docs)/[\w/.-]+", command)
    known = command.startswith(("billing ", ".ci/run"))
    assert module or files or known, f"{command} names nothing that could be checked"
    if module:
        assert (ROOT / (module.group(1).replace(".", "/") + ".py")).exists()
    for file in files:
        assert (ROOT / file).exists(), f"{file} does not exist"
    for name in re.findall(r"-k (\w+)|::(\w+)", command):
        wanted = name[0] or name[1]
        text = "".join((ROOT / f).read_text(encoding="utf-8") for f in files if f.endswith(".py"))
        assert wanted in text, f"{wanted} is in none of {files}"
