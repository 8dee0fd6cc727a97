"""Seals hold every column."""

from __future__ import annotations

from typing import Any

from billing_plugin.models.seals import seal_of


def test_a_seal_depends_on_every_column_and_on_the_seal_before() -> None:
    row: tuple[Any, ...] = (*map(str, range(6)), 6, 7, *map(str, range(8, 16)))
    seals = {seal_of("", row), seal_of("x", row)}
    for place in range(16):
        changed = -1 if place in (6, 7) else "other"
        seals.add(seal_of("", (*row[:place], changed, *row[place + 1 :])))
    for place in (8, 9, 11, 12):
        seals.add(seal_of("", (*row[:place], None, *row[place + 1 :])))
    assert len(seals) == 2 + 16 + 4
    assert {len(seal) for seal in seals} == {64}
