"""How a goal is measured: contestants take turns in rotated order, ratios are formed per round.

Only ratios travel from one machine to another, and CPU ratios are steadier than wall ratios. A
module states its goal, measures its contestants, and hands its comparisons to `report`.
"""

import argparse
import json
import os
import platform
import resource
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Literal

MIN_ROUNDS = 7
DEFAULT_ROUNDS = 11


@dataclass(frozen=True)
class Sample:
    """What one turn of one contestant cost, in seconds."""

    wall_s: float
    cpu_s: float


@dataclass(frozen=True)
class Contestant:
    """Something to run, and the clock that counts its CPU seconds."""

    name: str
    run: Callable[[], object]
    cpu_clock: Callable[[], float] = time.process_time


@dataclass(frozen=True)
class Spread:
    """A ratio over all rounds."""

    median: float
    min: float
    max: float


@dataclass(frozen=True)
class Goal:
    """What is promised: the ratio judged, and its bound."""

    goal: str
    backend: str
    bound: float
    judged_on: Literal["ratio", "cpu_ratio"] = "cpu_ratio"
    direction: Literal["at_most", "at_least"] = "at_most"


@dataclass(frozen=True)
class Comparison:
    """A contestant measured against a reference in the same rounds."""

    goal: Goal
    contestant: str
    reference: str
    rounds: int
    ratio: Spread
    cpu_ratio: Spread
    correct: bool = True
    conditions: Mapping[str, object] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the bound is kept, by a contestant that did the right thing."""
        judged = getattr(self, self.goal.judged_on).median
        kept = judged <= self.goal.bound
        if self.goal.direction == "at_least":
            kept = judged >= self.goal.bound
        return kept and self.correct


def children_cpu() -> float:
    """CPU seconds of every child process that has ended: the whole life of each."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(contestants: Sequence[Contestant], *, rounds: int) -> list[list[Sample]]:
    """The samples of each contestant, one per round, after one warm-up round."""
    samples: list[list[Sample]] = [[] for _ in contestants]
    for turn in range(rounds + 1):
        for place in range(len(contestants)):
            which = (turn + place) % len(contestants)
            samples[which].append(take(contestants[which]))
    return [taken[1:] for taken in samples]


def take(contestant: Contestant) -> Sample:
    """One turn."""
    wall, cpu = time.perf_counter(), contestant.cpu_clock()
    contestant.run()
    return Sample(time.perf_counter() - wall, contestant.cpu_clock() - cpu)


def compare(
    goal: Goal,
    contestant: Contestant,
    reference: Contestant,
    *,
    rounds: int,
    correct: bool = True,
    check: Callable[[], bool] = lambda: True,
    conditions: Mapping[str, object] | None = None,
) -> Comparison:
    """Measure the two against each other, then `check` what they have done."""
    ours, theirs = measure([contestant, reference], rounds=rounds)
    correct = correct and check()
    pairs = list(zip(ours, theirs, strict=True))
    return Comparison(
        goal=goal,
        contestant=contestant.name,
        reference=reference.name,
        rounds=rounds,
        ratio=spread([a.wall_s / b.wall_s for a, b in pairs]),
        cpu_ratio=spread([a.cpu_s / b.cpu_s for a, b in pairs]),
        correct=correct,
        conditions={**machine(), **(conditions or {})},
    )


def spread(ratios: Sequence[float]) -> Spread:
    """The median of the ratios, and how far they went."""
    return Spread(median(ratios), min(ratios), max(ratios))


def machine() -> dict[str, object]:
    """The conditions every comparison states."""
    versions = {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    return {"cores": os.cpu_count(), **versions}


def as_json(comparison: Comparison) -> str:
    """One line of JSON."""
    goal = comparison.goal
    shown = {
        "goal": goal.goal,
        "backend": goal.backend,
        "contestant": comparison.contestant,
        "reference": comparison.reference,
        "rounds": comparison.rounds,
        "ratio": _rounded(comparison.ratio),
        "cpu_ratio": _rounded(comparison.cpu_ratio),
        "judged_on": goal.judged_on,
        "bound": goal.bound,
        "direction": goal.direction,
        "pass": comparison.passed,
        "conditions": comparison.conditions,
    }
    return json.dumps(shown)


def as_text(comparison: Comparison) -> str:
    """The same for people."""
    goal = comparison.goal
    verdict = "pass" if comparison.passed else "MISS"
    bound = f"{goal.judged_on} {goal.direction.replace('_', ' ')} {goal.bound}"
    conditions = ", ".join(f"{key} {value}" for key, value in comparison.conditions.items())
    lines = [
        f"{goal.goal} {goal.backend}: {comparison.contestant} / {comparison.reference}",
        f"  wall ratio  {_shown(comparison.ratio)}",
        f"  CPU ratio   {_shown(comparison.cpu_ratio)}",
        f"  {verdict}: {bound}, {comparison.rounds} rounds ({conditions})",
    ]
    return "\n".join(lines)


def options(description: str | None, *, rounds: int = DEFAULT_ROUNDS) -> argparse.Namespace:
    """The options every benchmark takes; `rounds` is how many it runs unless told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="one JSON object per comparison")
    parser.add_argument("--rounds", type=_rounds, default=rounds)
    return parser.parse_args()


def report(comparisons: Sequence[Comparison], *, json_wanted: bool) -> int:
    """Print the comparisons; the exit code is not zero if one of them misses its bound."""
    for comparison in comparisons:
        print(as_json(comparison) if json_wanted else as_text(comparison), flush=True)
    return 0 if all(comparison.passed for comparison in comparisons) else 1


def _rounds(text: str) -> int:
    if int(text) < MIN_ROUNDS:
        raise argparse.ArgumentTypeError(f"at least {MIN_ROUNDS} rounds")
    return int(text)


def _rounded(spread: Spread) -> dict[str, float]:
    return {name: round(value, 3) for name, value in asdict(spread).items()}


def _shown(spread: Spread) -> str:
    return f"{spread.median:.3f} ({spread.min:.3f} to {spread.max:.3f})"
