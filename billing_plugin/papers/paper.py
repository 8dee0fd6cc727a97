"""What stands on a paper, all of it text: whoever writes it decides about nothing but its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Paper:
    """A document with a table. `facts` and `sums` are pairs of a name and its value; `made_at` is
    the date that the file itself bears."""

    title: str
    made_at: datetime
    language: str
    sender: Sequence[str]
    receiver: Sequence[str]
    facts: Sequence[tuple[str, str]]
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    sums: Sequence[tuple[str, str]]
    remarks: Sequence[str] = ()
