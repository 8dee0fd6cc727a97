"""A process that dies at its n-th step. Light to import.

A step is the moment before a statement of the database and the one after it, commits included, and
the moments before and after whatever is asked of the processor or handed to the queue. Without a
step to die at, the process counts them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from flask import Flask

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.config import Settings
from billing_plugin.context import utc_now
from billing_plugin.processors import fake, signatures
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Charge, Payment
from billing_plugin.processors.stripe import StripeProcessor

DIED, DONE = 9, 0
TEN = Money.parse("10")
KEY, SECRET = "the very same", "hush"


class Told(NamedTuple):
    """What a process is told: where it works, at which time, and on what."""

    url: str
    at: datetime
    account_id: str
    method: str
    paper: str  # of the fake processor; "": Stripe
    stripe_url: str = ""
    message: bytes = b""


class Paper(FakeProcessor):
    """A processor that keeps on paper what has reached it, as a real one does: what is asked under
    one reference is charged once, and what never came is not found."""

    def __init__(self, paper: str) -> None:
        super().__init__()
        self.file = Path(paper)

    def charge(self, charge: Charge) -> Payment:
        """Charges whatever is not on the paper."""
        with self.file.open("a", encoding="utf-8") as file:
            file.write(f"{charge.reference}\n")
        return super().charge(charge)

    def find(self, charge: Charge) -> Payment | None:
        """What it has on paper."""
        return super().find(charge) if charge.reference in self.charged else None

    @property
    def charged(self) -> set[str]:
        """The references of all charges."""
        return set(self.file.read_text(encoding="utf-8").split()) if self.file.exists() else set()


def system(told: Told) -> Billing:
    """A billing system as that process has it."""
    settings = Settings(processor_key="sk_test_1", processor_url=told.stripe_url)
    return Billing(
        told.url, processor=Paper(told.paper) if told.paper else StripeProcessor(settings),
        clock=lambda: told.at, processor_webhook_secrets=SECRET, auto_migrate=False,
    )  # fmt: skip


def buy(billing: Billing, told: Told) -> None:
    """A top-up, as whoever wants it asks for it again and again."""
    operations.top_up(
        owner(billing, told), told.account_id, TEN, payment_method=told.method, idempotency_key=KEY
    )


def debit(billing: Billing, told: Told) -> None:
    """A charge that leaves too little, in an account that is topped up by itself."""
    used = operations.Usage("m", cost=Money.parse("16"))
    operations.record_usage(owner(billing, told), told.account_id, used, idempotency_key=KEY)


def listen(billing: Billing, told: Told) -> None:
    """A message of the processor, through the real face."""
    app = Flask("host")
    billing.init_app(app)
    header = {"Fake-Signature": signatures.sign(told.message, SECRET, utc_now())}
    answer = app.test_client().post(
        "/billing/webhooks/fake", data=told.message, headers=header, content_type="application/json"
    )
    assert answer.status_code == 200, answer.text


def reconcile(billing: Billing, told: Told) -> None:
    """The reconciler, at a time when it is to ask."""
    del told
    operations.reconcile_topups(billing.operator())


STORIES: dict[str, Callable[[Billing, Told], None]] = {
    "buy": buy, "debit": debit, "listen": listen, "reconcile": reconcile,
}  # fmt: skip


def owner(billing: Billing, told: Told) -> Actor:
    """The host, for that account."""
    return billing.actor(told.account_id)


def act(story: str, told: Told, dies_at: int, pipe: Any) -> None:
    """Plays a story up to that step, or (-1) to its end and tells how many steps there were."""
    fake.WAITS_S = 0
    billing = system(told)
    steps = Steps(dies_at)
    steps.watch(billing)
    STORIES[story](billing, told)
    steps.step()
    pipe.send(steps.number)
    os._exit(DONE)


class Steps:
    """Counts, and ends the process as if it were killed."""

    def __init__(self, dies_at: int) -> None:
        self.dies_at, self.number = dies_at, 0

    def step(self, *_: object) -> None:
        if self.number == self.dies_at:
            os._exit(DIED)
        self.number += 1

    def watch(self, billing: Billing) -> None:
        """From now on everything that leaves the process is a step."""
        instance = billing.instance
        for name in ("charge", "find", "read_message"):
            setattr(instance.processor, name, self.around(getattr(instance.processor, name)))
        instance.enqueue = self.around(instance.enqueue)
        if is_sqlite(instance.database):
            self._watch_sqlite()
        else:
            for name in ("execute", "executemany"):
                setattr(psycopg.Cursor, name, self.around(getattr(psycopg.Cursor, name)))

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a step before and after it."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.step()
            answer = function(*args, **kwargs)
            self.step()
            return answer

        return call

    def _watch_sqlite(self) -> None:
        """SQLite tells of every statement before it runs it; the one before has ended by then."""
        connect = sqlite3.connect

        def watched(*args: Any, **kwargs: Any) -> Any:
            connection = connect(*args, **kwargs)
            connection.set_trace_callback(self.step)
            return connection

        sqlite3.connect = watched


def is_sqlite(database: Any) -> bool:
    """Whether it is one of SQLite's."""
    return "Sqlite" in type(database).__name__
