"""Processes that are killed while they move money. Light to import.

Each tells what it is about to do and what came of it through a pipe, as single messages: what the
parent has read survives whatever happens to the process.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Lock
from typing import Any, NamedTuple

from billing_plugin import Money, errors, operations
from billing_plugin.operations import Usage
from tests.crowd import everything_allowed

THREADS = 2
LATER = {"storage_unavailable", "internal_error"}  # whether it was done is unknown


class Act(NamedTuple):
    """One thing to do, named so that it can be done again."""

    kind: str
    key: str
    nanos: int
    about: str = ""  # the hold


class Word(NamedTuple):
    """`ask`, `done` (with the id of what was made), `refused` (with a code) or `unknown`."""

    said: str
    act: Act
    answer: str = ""


def charge_until_killed(number: int, url: str, account_id: str, seed: str, pipe: Any) -> None:
    """Charges, holds and captures without end, in threads that may be written together."""
    said = Lock()

    def tell(word: Word) -> None:
        with said:
            pipe.send(word)

    with everything_allowed(url) as actor, ThreadPoolExecutor(THREADS) as pool:
        work = [Victim(actor, account_id, f"{seed} {number} {n}", tell) for n in range(THREADS)]
        list(pool.map(Victim.work, work))


class Victim:
    """One thread."""

    def __init__(self, actor: Any, account_id: str, name: str, tell: Any) -> None:
        self.actor, self.account_id, self.name, self.tell = actor, account_id, name, tell
        self.chance = random.Random(name)

    def work(self) -> None:
        for number in count():
            key, nanos = f"{self.name} {number}", self.chance.randint(1, 1_000)
            if self.chance.random() < 0.5:
                self.do(Act("charge", key, nanos))
                continue
            hold_id = self.do(Act("hold", key, nanos))
            fate = self.chance.random()
            if hold_id and fate < 0.7:
                self.do(Act("capture", key, self.chance.randint(0, nanos), hold_id))
            elif hold_id and fate < 0.8:
                self.do(Act("release", key, 0, hold_id))

    def do(self, act: Act) -> str:
        self.tell(Word("ask", act))
        word = outcome(self.actor, self.account_id, act)
        self.tell(word)
        if word.said == "unknown":
            time.sleep(0.05)  # the database is away
        return word.answer if word.said == "done" else ""


def outcome(actor: Any, account_id: str, act: Act) -> Word:
    """Does it, and says what came of it."""
    try:
        return Word("done", act, perform(actor, account_id, act))
    except errors.BillingError as refusal:
        said = "unknown" if refusal.code in LATER else "refused"
        return Word(said, act, refusal.code)


def perform(actor: Any, account_id: str, act: Act) -> str:
    """The id of what was made: a usage record, or the hold."""
    amount = Money(act.nanos)
    if act.kind == "charge":
        used = Usage("m", "p", cost=amount)
        done = operations.record_usage(actor, account_id, used, idempotency_key=act.key)
        return str(done.record and done.record.id)
    if act.kind == "hold":
        lasting_s = 1 + len(act.key) % 2
        return str(
            operations.hold(
                actor, account_id, amount, provider="p", model="m", expires_in_s=lasting_s,
                idempotency_key=act.key,
            ).hold.id
        )  # fmt: skip
    if act.kind == "capture":
        return operations.capture(actor, account_id, act.about, taken=amount).record.id
    return str(operations.release(actor, account_id, act.about).hold.id)


def buy_over_http(url: str, token: str, seed: str, pipe: Any) -> None:
    """A customer of the server: charges over HTTP without end. Never killed, often let down."""
    import requests

    chance = random.Random(seed)
    session = requests.Session()
    session.headers["X-API-Key"] = token
    for number in count():
        act = Act("charge", f"{seed} http {number}", chance.randint(1, 1_000))
        pipe.send(Word("ask", act))
        word = over_http(session, url, act)
        pipe.send(word)
        if word.said == "unknown":
            time.sleep(0.05)


def over_http(session: Any, url: str, act: Act) -> Word:
    """One charge through the server."""
    import requests

    cost = f"0.{act.nanos:09d}"
    body = {"model": "m", "provider": "p", "cost": cost, "idempotencyKey": act.key}
    try:
        done = session.post(f"{url}/api/v1/billing/usage", json=body, timeout=20)
    except requests.RequestException as error:
        return Word("unknown", act, type(error).__name__)
    if done.status_code >= 500:
        return Word("unknown", act, str(done.status_code))
    if done.status_code >= 400:
        return Word("refused", act, done.text)
    return Word("done", act, str(done.json()["data"]["id"]))
