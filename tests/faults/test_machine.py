"""Random histories against the reference, and mutants of the product that they must notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import peewee
import pytest

from billing_plugin.models import credits, holds, limits
from billing_plugin.models.ceilings import Ceilings
from billing_plugin.models.ledger import Book
from billing_plugin.models.limits import Rule
from billing_plugin.operations import quick
from tests.faults import places
from tests.faults.machine import run

STEPS = {"Files": 5_000, "Databases": 2_000}  # 25 s each; campaigns are for more
Source = places.Files | places.Databases
RULES = {
    *("charge", "batch", "hold", "capture", "release", "extend", "set_limit", "remove_limit"),
    *("update_limit", "replan", "request_raise", "decide_raise", "adjust", "grant", "refund"),
    *("set_postpaid", "reverse", "wait"),
}
REFUSALS = {
    *("limit_exceeded", "insufficient_funds", "idempotency_conflict", "not_reversible"),
    *("capture_exceeds_hold", "hold_already_resolved", "refund_exceeds_charge", "hold_expired"),
}


def test_random_histories_go_as_the_reference_says(source: Source) -> None:
    done = run(source, steps=STEPS[type(source).__name__], chance=1)
    assert {name for name in done if ":" not in name} >= RULES
    assert len(REFUSALS & {name.partition(": ")[2] for name in done}) >= 6


def one_nano_too_much(self: Book, nanos: int) -> bool:
    return nanos == 0 or self.posted_nanos - self.held_nanos - nanos >= -self.postpaid_nanos - 1


def without_raises(self: Rule, at: Any) -> int:
    return self.amount_nanos


def for_ever(self: holds.Hold, at: Any) -> bool:
    return False


def nothing(*_: Any, **__: Any) -> None:
    return None


MUTANTS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "overspends by a nano": (Book, "covers", one_nano_too_much),
    "forgets raises": (Rule, "ceiling", without_raises),
    "forgets deadlines": (holds.Hold, "is_over", for_ever),
    "keeps expired credit": (credits, "expire", nothing),
    "never ends a month": (credits, "end_cycle", nothing),
    "asks no limit": (Ceilings, "refusal", nothing),
    "counts a new plan on old counters": (limits, "_forget", nothing),
    "draws nothing from credits": (credits, "settle", nothing),
}


NOTICED = (AssertionError, peewee.IntegrityError)  # by the reference, or by the table's own net


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_is_noticed(monkeypatch: pytest.MonkeyPatch, mutant: str) -> None:
    for name in ("charge", "reserve", "capture"):
        monkeypatch.setattr(quick, name, nothing)  # the general way is what was changed
    place, name, wrong = MUTANTS[mutant]
    monkeypatch.setattr(place, name, wrong)
    with places.source("sqlite", in_memory=True) as files, pytest.raises(NOTICED):
        for chance in range(2, 10):  # most are noticed by the first histories
            run(files, steps=2_000, chance=chance, shrink=False)
