"""What one process of a swarm does, and the observer beside it. Light to import.

Everything is told with the moments before and after it, so that a checker can judge it later.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from billing_plugin import errors, operations
from billing_plugin.context import Actor
from billing_plugin.money import Money
from billing_plugin.operations import Submission, Usage
from tests.crowd import everything_allowed

MOST = 1_000  # nanos of one charge
POLICIES = ("refuse", "if_available")


class Whose(NamedTuple):
    """The dimensions that the swarm's limits are about."""

    key: str
    agent: str | None
    model: str
    team: str


@dataclass(slots=True)
class Told:
    """One thing that was asked, and its answer: `ok` or a code."""

    kind: str
    before: float
    after: float
    answer: str
    whose: Whose
    nanos: int = 0
    ids: list[str] = field(default_factory=list)  # of records, or of the hold
    policy: str = ""
    limit_id: str = ""
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What the processes share."""

    url: str
    account_id: str
    times: int
    seed: int
    edited: dict[str, tuple[int, int]]  # limit -> the lowest and highest amount it is given
    overdraft: bool = False
    naive: bool = False
    threads: int = 1


class Signs(NamedTuple):
    """When to begin, all at once, and when to stop looking."""

    begin: Any
    stop: Any


class Bee:
    """One process."""

    def __init__(self, number: int, task: Task, actor: Actor) -> None:
        self.chance = random.Random(f"{task.seed} {number}")
        self.task, self.operator, self.number = task, actor, number
        self.told: list[Told] = []
        self.open: list[tuple[str, Whose, int]] = []  # holds
        self.policies = POLICIES + (("overdraft",) if task.overdraft else ())

    def work(self) -> list[Told]:
        ways = [self.charge] * 8 + [self.batch] * 2 + [self.hold] * 5 + [self.capture] * 4
        ways += [self.release, self.extend, self.forget] + [self.edit] * (self.number < 2)
        for _ in range(self.task.times):
            if self.task.naive:
                self.charge_naively()
            else:
                self.chance.choice(ways)()
        return self.told

    def charge(self) -> None:
        whose, nanos = self.someone(), self.some()
        key = f"{self.number} {len(self.told)}" if self.chance.random() < 0.3 else None

        def ask() -> list[str]:
            done = operations.record_usage(
                self.actor(whose), self.task.account_id, use_of(whose, nanos), idempotency_key=key
            )
            return [str(done.record and done.record.id)]

        self.tell("charge", whose, nanos, ask)

    def batch(self) -> None:
        """Three charges; what was refused is told as a charge of its own."""
        whose = self.someone()
        costs = [self.some() for _ in range(3)]
        said = [Submission(use_of(whose, nanos)) for nanos in costs]
        before = time.time()
        try:
            done = operations.record_usage_batch(self.actor(whose), self.task.account_id, said)
        except errors.BillingError as refusal:
            self.told.append(Told("batch", before, time.time(), refusal.code, whose))
            return
        after = time.time()
        for nanos, one in zip(costs, done, strict=True):
            code, limit_id = facts_of(one.error)
            ids = [one.record.id] if one.record else []
            self.told.append(
                Told("charge", before, after, code, whose, nanos, ids, limit_id=limit_id)
            )

    def hold(self) -> None:
        whose, nanos = self.someone(), self.some()

        def ask() -> list[str]:
            made = operations.hold(
                self.actor(whose), self.task.account_id, Money(nanos), provider="p",
                model=whose.model, metadata={"team": whose.team},
                expires_in_s=self.chance.choice([1, 2, 3]),
            ).hold  # fmt: skip
            self.open.append((made.id, whose, nanos))
            return [made.id]

        self.tell("hold", whose, nanos, ask)

    def capture(self) -> None:
        if not self.open:
            return self.charge()
        hold_id, whose, held = self.open.pop(self.chance.randrange(len(self.open)))
        nanos = self.chance.choice([held, held, held // 2, 0, held + 1, held + 200])
        policy = self.chance.choice(self.policies)

        def ask() -> list[str]:
            operations.capture(
                self.operator, self.task.account_id, hold_id, taken=Money(nanos), policy=policy
            )
            return [hold_id]

        self.tell("capture", whose, nanos, ask, policy=policy)
        self.told[-1].ids = [hold_id]
        return None

    def release(self) -> None:
        if not self.open:
            return self.charge()
        hold_id, whose, _ = self.open.pop(self.chance.randrange(len(self.open)))

        def ask() -> list[str]:
            operations.release(self.operator, self.task.account_id, hold_id)
            return [hold_id]

        return self.tell("release", whose, 0, ask)

    def extend(self) -> None:
        if not self.open:
            return self.hold()
        hold_id, whose, _ = self.chance.choice(self.open)

        def ask() -> list[str]:
            operations.extend(self.operator, self.task.account_id, hold_id, expires_in_s=2)
            return [hold_id]

        self.tell("extend", whose, 0, ask)
        self.told[-1].ids = [hold_id]
        return None

    def forget(self) -> None:
        """Lets a hold run out."""
        if self.open:
            self.open.pop(0)
        self.charge()

    def edit(self) -> None:
        limit_id = self.chance.choice(list(self.task.edited))
        amount = self.chance.randint(*self.task.edited[limit_id])

        def ask() -> list[str]:
            operations.update_limit(
                self.operator, self.task.account_id, limit_id, amount=Money(amount)
            )
            return [limit_id]

        self.tell("edit", self.someone(), amount, ask)

    def charge_naively(self) -> None:
        """The mistake, made with public means: look, decide, then book what was decided."""
        whose, nanos = self.someone(), self.some()
        account_id = self.task.account_id

        def ask() -> list[str]:
            if operations.check_balance(self.operator, account_id).available < Money(nanos):
                raise errors.InsufficientFunds("So it seems.")
            for state in operations.list_limits(self.operator, account_id):
                if state.remaining is not None and state.remaining < Money(nanos):
                    raise errors.LimitExceeded("So it seems.", extra={"limit_id": state.limit.id})
            time.sleep(0.002)
            made = operations.hold(
                self.actor(whose), account_id, Money(0), provider="p", model=whose.model,
                metadata={"team": whose.team},
            ).hold  # fmt: skip
            done = operations.capture(
                self.operator, account_id, made.id, taken=Money(nanos), policy="overdraft"
            )
            return [done.record.id]

        self.tell("charge", whose, nanos, ask)

    def tell(
        self, kind: str, whose: Whose, nanos: int, ask: Callable[[], list[str]], policy: str = ""
    ) -> None:
        before = time.time()
        ids: list[str] = []
        code, limit_id = "ok", ""
        try:
            ids = ask()
        except errors.BillingError as refusal:
            code, limit_id = facts_of(refusal)
        after = time.time()
        self.told.append(Told(kind, before, after, code, whose, nanos, ids, policy, limit_id))

    def actor(self, whose: Whose) -> Actor:
        return self.operator._replace(key_id=whose.key, agent=whose.agent)

    def someone(self) -> Whose:
        choose = self.chance.choice
        return Whose(choose("kl"), choose([None, None, None, "bot"]), choose("ab"), choose("xy"))

    def some(self) -> int:
        return self.chance.choice([1, self.chance.randint(1, MOST), self.chance.randint(1, MOST)])


def swarm(number: int, task: Task, signs: Signs) -> list[Told]:
    """One process from beginning to end; its threads may be written together."""
    with everything_allowed(task.url) as actor:
        numbers = range(number * task.threads, (number + 1) * task.threads)
        bees = [Bee(one, task, actor) for one in numbers]
        signs.begin.wait(120)
        with ThreadPoolExecutor(task.threads) as pool:
            return [told for part in pool.map(Bee.work, bees) for told in part]


def use_of(whose: Whose, nanos: int) -> Usage:
    return Usage(whose.model, "p", cost=Money(nanos), metadata={"team": whose.team})


def facts_of(error: errors.BillingError | None) -> tuple[str, str]:
    if error is None:
        return "ok", ""
    return error.code, str(error.extra.get("limit_id", ""))


# -- the observer

_ACCOUNT = (
    "SELECT posted_nanos, held_nanos, floor_nanos, sequence FROM billing_account WHERE id = ?"
)
_ENTRIES = (
    "SELECT COALESCE(SUM(amount_nanos), 0), COUNT(*) FROM billing_ledger_entry WHERE account_id = ?"
)
_HOLDS = (
    "SELECT COALESCE(SUM(amount_nanos), 0) FROM billing_hold"
    " WHERE account_id = ? AND status = 'open'"
)
_COUNTERS = (
    "SELECT c.limit_id, c.bucket, MAX(c.spent_nanos + c.held_nanos) FROM billing_limit_counter c"
    " JOIN billing_spending_limit l ON l.id = c.limit_id WHERE l.account_id = ?"
    " GROUP BY c.limit_id, c.bucket"
)


def observe(task: Task, ceilings: dict[str, int], signs: Signs) -> tuple[int, list[str]]:
    """Looks at committed states until told to stop: how many, and what was wrong with them."""
    looks, wrong = 0, set()
    ask, close = reader(task.url)
    signs.begin.wait(120)
    while not signs.stop.is_set():
        found = ask([_ACCOUNT, _ENTRIES, _HOLDS, _COUNTERS], task.account_id)
        wrong |= set(complaints_of(found, ceilings, task))
        looks += 1
        time.sleep(0.02)
    close()
    return looks, sorted(wrong)[:20]


def complaints_of(found: list[list[Any]], ceilings: dict[str, int], task: Task) -> list[str]:
    [(posted, held, floor, sequence)], [(total, number)], [(reserved,)], counters = found
    wrong = []
    lowest = floor if task.overdraft else 0
    if posted - held < lowest:
        wrong.append("an observer saw available below the floor")
    if (posted, sequence) != (int(total), number):
        wrong.append("an observer saw a balance that its entries do not add up to")
    if held != int(reserved):
        wrong.append("an observer saw more or less held than its holds are")
    if not task.overdraft and any(used > ceilings.get(limit, used) for limit, _, used in counters):
        wrong.append("an observer saw a limit above its ceiling")
    return wrong


def reader(url: str) -> tuple[Callable[..., list[list[Any]]], Callable[[], None]]:
    """Asks several questions of one committed state, without any code of the product."""
    if url.startswith("sqlite"):
        file = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None, timeout=30)

        def ask(questions: list[str], *values: Any) -> list[list[Any]]:
            file.execute("BEGIN")
            try:
                return [file.execute(one, values).fetchall() for one in questions]
            finally:
                file.execute("COMMIT")

        return ask, file.close
    import psycopg

    server = psycopg.connect(url)
    server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    server.read_only = True

    def ask_server(questions: list[str], *values: Any) -> list[list[Any]]:
        with server.transaction():
            return [server.execute(one.replace("?", "%s"), values).fetchall() for one in questions]

    return ask_server, server.close
