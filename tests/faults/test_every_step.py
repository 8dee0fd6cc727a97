"""E-1: whoever buys, charges, listens or reconciles may die at every single step of it; after a
restart there is one charge at the processor and one credit in the books.

Each story is played once to count its steps, and then once for each step, on which it dies.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.processors import fake
from tests.books import complaints
from tests.chaos import Chaos, chaos, localstripe
from tests.deeds import balance
from tests.factories import START, Clock, account_with, billing_on
from tests.faults import steps
from tests.faults.steps import DIED, DONE, STORIES, TEN, Paper, Told
from worker.schedule import tick

COUNT = -1
LEAST = 20  # steps of any story
LATER_MINUTES = (1, 5, 30, 60)


class Stage:
    """Where stories are played: a billing system, its clock, and processes that die."""

    def __init__(self, billing: Billing, clock: Clock, url: str, paper: Path) -> None:
        self.billing, self.clock, self.url, self.paper = billing, clock, url, paper
        self.between: Chaos | None = None
        self.method = "default"
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["tests.faults.steps"])

    def scene(self, number: int, units: str = "0", **said: Any) -> tuple[Actor, Told]:
        """A fresh account, what a process is told of it, and a processor for it."""
        self.clock.at = START
        buyer, paper = account_with(self.billing, units), f"{self.paper}-{number}"
        told = Told(self.url, START, str(buyer.account_id), self.method, paper, **said)
        if self.between:
            told = told._replace(paper="", stripe_url=self.between.url)
            self.between.passed.clear()
        self.billing.instance.processor = steps.system(told).instance.processor
        return buyer, told

    def play(self, story: str, told: Told, dies_at: int) -> int:
        """How many steps there were; where it died, none."""
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=steps.act, args=(story, told, dies_at, theirs))
        process.start()
        theirs.close()
        process.join()
        assert process.exitcode == (DONE if dies_at == COUNT else DIED)
        return int(ours.recv()) if dies_at == COUNT else 0

    def restart(self) -> None:
        """What happens by itself within two hours."""
        for minutes in LATER_MINUTES:
            self.clock.forward(minutes=minutes)
            tick(self.billing)

    @property
    def charges(self) -> int:
        """How often the processor was charged in this scene."""
        processor = self.billing.instance.processor
        if isinstance(processor, Paper):
            return len(processor.charged)
        assert self.between
        return self.between.passed.count("POST /v1/payment_intents")


def credits(actor: Actor) -> int:
    """How many top-ups were credited."""
    found = operations.list_entries(actor, str(actor.account_id), limit=100)
    return len([entry for entry in found if entry.kind == "topup"])


def statuses(actor: Actor) -> list[str]:
    return [one.status for one in operations.list_topups(actor, str(actor.account_id))]


@pytest.fixture
def stage(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    monkeypatch.setattr(fake, "WAITS_S", 0)
    clock = Clock()
    billing = billing_on(database_url, clock=clock, processor_webhook_secrets=steps.SECRET)
    found = Stage(billing, clock, database_url, tmp_path / "paper")
    yield found
    assert complaints(billing) == []


@pytest.fixture(params=["fake", "stripe"])
def at_processor(request: pytest.FixtureRequest, stage: Stage) -> Iterator[Stage]:
    """The stage, with each processor; Stripe's has payments of this test only."""
    if request.param == "fake":
        yield stage
        return
    with localstripe() as port, chaos(port) as between:
        client = stripe.StripeClient("sk_test_1", base_addresses={"api": between.url})
        card: Any = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2039, "cvc": "123"}
        stage.between = between
        stage.method = client.v1.payment_methods.create({"type": "card", "card": card}).id
        yield stage


def every_step(
    stage: Stage, story: str, scene: Callable[[int], tuple[Actor, Told]],
    *, judge: Callable[[Actor, Told], None],
) -> int:  # fmt: skip
    """Plays the story to its end, then dying at each of its steps; how many there were."""
    actor, told = scene(COUNT)
    number = stage.play(story, told, COUNT)
    judge(actor, told)
    for dies_at in range(number):
        actor, told = scene(dies_at)
        stage.play(story, told, dies_at)
        judge(actor, told)
    return number


def test_a_top_up_whose_buyer_comes_back(at_processor: Stage) -> None:
    stage = at_processor

    def judge(buyer: Actor, told: Told) -> None:
        stage.clock.forward(minutes=1)
        STORIES["buy"](stage.billing, told)
        stage.restart()
        assert (stage.charges, credits(buyer), statuses(buyer)) == (1, 1, ["succeeded"])
        assert balance(buyer)[0] == "10.00"

    assert every_step(stage, "buy", stage.scene, judge=judge) >= LEAST


def test_a_top_up_whose_buyer_never_comes_back(stage: Stage) -> None:
    """What was never asked of the processor has failed, and was not charged."""
    ends = set[tuple[int, int, tuple[str, ...]]]()

    def judge(buyer: Actor, told: Told) -> None:
        del told
        stage.restart()
        ends.add((stage.charges, credits(buyer), tuple(statuses(buyer))))

    every_step(stage, "buy", stage.scene, judge=judge)
    assert ends == {(0, 0, ()), (0, 0, ("failed",)), (1, 1, ("succeeded",))}


def test_an_auto_top_up_and_the_charge_that_wants_it(at_processor: Stage) -> None:
    stage = at_processor

    def scene(number: int) -> tuple[Actor, Told]:
        buyer, told = stage.scene(number, "20")
        operations.set_auto_topup(
            buyer, told.account_id, TEN, threshold=Money.parse("5"), payment_method=told.method
        )
        return buyer, told

    def judge(buyer: Actor, told: Told) -> None:
        STORIES["debit"](stage.billing, told)
        stage.restart()
        assert (stage.charges, credits(buyer), statuses(buyer)) == (1, 1, ["succeeded"])
        assert balance(buyer)[0] == "14.00"

    assert every_step(stage, "debit", scene, judge=judge) >= LEAST


@pytest.mark.parametrize("again", [True, False], ids=["sent again", "lost for ever"])
def test_a_message_and_what_it_settles(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    def scene(number: int) -> tuple[Actor, Told]:
        buyer, told = stage.scene(number)
        with monkeypatch.context() as slow:
            slow.setattr(fake, "WAITS_S", 10_000)
            topup = operations.top_up(buyer, told.account_id, TEN, payment_method="fake_slow")
        assert topup.status == "processing"
        said = {"id": f"m{number}", "type": "payment", "reference": topup.id}
        return buyer, told._replace(message=json.dumps(said).encode())

    def judge(buyer: Actor, told: Told) -> None:
        if again:
            STORIES["listen"](stage.billing, told)
        stage.restart()
        assert (stage.charges, credits(buyer), statuses(buyer)) == (1, 1, ["succeeded"])

    assert every_step(stage, "listen", scene, judge=judge) >= LEAST


def test_the_reconciler(stage: Stage) -> None:
    def scene(number: int) -> tuple[Actor, Told]:
        buyer, told = stage.scene(number)
        topup = operations.top_up(buyer, told.account_id, TEN, payment_method="fake_lost_answer")
        assert topup.status == "unknown"
        stage.clock.forward(minutes=1)
        return buyer, told._replace(at=stage.clock())

    def judge(buyer: Actor, told: Told) -> None:
        del told
        stage.restart()
        assert (stage.charges, credits(buyer), statuses(buyer)) == (1, 1, ["succeeded"])

    assert every_step(stage, "reconcile", scene, judge=judge) >= LEAST


def test_deaths_leave_every_state_behind(stage: Stage) -> None:
    """The steps are real ones: before the restart there is everything that it must mend."""
    left = set[tuple[int, int, tuple[str, ...]]]()

    def judge(buyer: Actor, told: Told) -> None:
        del told
        left.add((stage.charges, credits(buyer), tuple(statuses(buyer))))
        stage.restart()

    every_step(stage, "buy", stage.scene, judge=judge)
    assert left == {
        (0, 0, ()), (0, 0, ("created",)), (1, 0, ("created",)), (1, 1, ("succeeded",)),
    }  # fmt: skip
