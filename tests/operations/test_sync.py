"""Syncing as seed 000 promises it: side by side, failing alone, stored together."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.context import after_commit, current, write_transaction
from billing_plugin.models import sync_jobs
from billing_plugin.operations.sync import MAX_ATTEMPTS, SILENCE, SyncReport
from billing_plugin.providers.provider import Reading
from tests.factories import Clock, account_with, billing_on

SECRET = "sk-canary-9f8e7d6c"


class Adapter:
    """A vendor whose answer is a function."""

    def __init__(self, answer: Callable[[datetime], Any]) -> None:
        self.name = "adapter"
        self.asked = 0
        self._answer = answer

    def read(
        self, credentials: dict[str, str], settings: dict[str, Any], *, at: datetime, timeout_s: int
    ) -> Any:
        """Whatever the function says."""
        self.asked += 1
        return self._answer(at)


@pytest.fixture
def holder(billing: Billing) -> Actor:
    """An account without vendors."""
    return account_with(billing)


def connect(actor: Actor, provider: str = "fake", **settings: Any) -> Any:
    return operations.connect(
        actor, actor.account_id, provider, credentials={"api_key": SECRET}, settings=settings
    )


def plug(billing: Billing, actor: Actor, answer: Callable[[datetime], Any]) -> Adapter:
    """Connects a vendor of the test's own."""
    adapter = Adapter(answer)
    billing.instance.providers = {**billing.instance.providers, "adapter": adapter}
    connect(actor, "adapter")
    return adapter


def sync(actor: Actor, **options: Any) -> SyncReport:
    return operations.sync_integrations(actor, actor.account_id, **options)


def errors_of(actor: Actor) -> list[str | None]:
    found = operations.list_integrations(actor, actor.account_id)
    return [integration.billing_sync_error for integration in found]


def snapshots(actor: Actor, index: int = 0) -> list[Any]:
    integration = operations.list_integrations(actor, actor.account_id)[index]
    return operations.list_snapshots(actor, actor.account_id, integration.id)


def requested(billing: Billing, actor: Actor) -> Any:
    """A job that is stored and not enqueued."""
    billing.instance.enqueue = lambda _name, _id: None
    return operations.request_sync(actor, actor.account_id)


def run(billing: Billing, job_id: str) -> bool:
    return operations.run_sync_job(billing.operator(), job_id)


def job_of(actor: Actor, job_id: str) -> Any:
    return operations.get_sync_job(actor, actor.account_id, job_id)


def test_the_example_of_the_contract(holder: Actor) -> None:
    connect(holder, balance="47.83", usage_today="2.34", usage_month="89.47")
    connect(holder, note="Provider does not expose billing API")
    connect(holder, balance="125.64", usage_today="5.67", usage_month="78.23")
    connect(holder, fail="auth")
    report = sync(holder)
    assert (report.synced, report.failed) == (3, 1)
    assert report.total("balance", "USD") == Money.parse("173.47")
    assert report.total("usage_month", "USD") == Money.parse("167.70")
    openrouter, groq, _, fal = report.results
    assert openrouter.snapshot is not None
    assert openrouter.snapshot.usage_today == Money.parse("2.34")
    assert groq.snapshot is not None
    assert (groq.error, groq.snapshot.balance, groq.snapshot.usage_month) == (None, None, None)
    assert groq.snapshot.facts["note"] == "Provider does not expose billing API"
    assert (fal.error, fal.snapshot) == ("API key invalid or expired", None)


def test_nothing_connected_is_an_empty_report(holder: Actor) -> None:
    report = sync(holder)
    assert (report.results, report.synced, report.failed) == ([], 0, 0)
    assert report.total("balance", "USD") == Money.zero()


def test_one_provider_alone(billing: Billing, holder: Actor) -> None:
    connect(holder, balance="1")
    adapter = plug(billing, holder, lambda at: Reading(at, balance=Money.parse("2")))
    assert [result.integration.provider for result in sync(holder, provider="fake").results] == [
        "fake"
    ]
    assert adapter.asked == 0


def test_an_unknown_provider_is_not_found_and_costs_no_turn(holder: Actor) -> None:
    with pytest.raises(errors.NotFound):
        sync(holder, provider="nobody")
    with pytest.raises(errors.NotFound):
        operations.request_sync(holder, holder.account_id, provider="nobody")
    sync(holder)


def test_an_error_is_set_and_cleared_and_the_last_good_snapshot_stays(
    billing: Billing, holder: Actor, clock: Clock
) -> None:
    answers = iter([Money.parse("5"), errors.ProviderAuthError("API key invalid or expired"), None])

    def answer(at: datetime) -> Reading:
        found = next(answers)
        if isinstance(found, Exception):
            raise found
        return Reading(at, balance=found)

    plug(billing, holder, answer)
    sync(holder)
    assert (errors_of(holder), len(snapshots(holder))) == ([None], 1)
    clock.forward(minutes=2)
    sync(holder)
    assert errors_of(holder) == ["API key invalid or expired"]
    [kept] = snapshots(holder)
    assert kept.balance == Money.parse("5")
    [integration] = operations.list_integrations(holder, holder.account_id)
    assert integration.billing_synced_at == kept.taken_at
    clock.forward(minutes=2)
    sync(holder)
    assert errors_of(holder) == [None]
    assert [snapshot.balance for snapshot in snapshots(holder)] == [None, Money.parse("5")]


def test_totals_skip_what_is_unknown_and_never_mix_currencies(holder: Actor) -> None:
    connect(holder, balance="10", currency="EUR")
    connect(holder, balance="7")
    connect(holder, usage_month="3")
    connect(holder, balance="0")
    report = sync(holder)
    assert report.total("balance", "USD") == Money.parse("7")
    assert report.total("balance", "EUR") == Money.parse("10", "EUR")
    assert report.total("usage_month", "USD") == Money.parse("3")
    assert report.total("balance", "JPY") == Money.zero("JPY")


def test_zero_and_unknown_are_stored_apart(holder: Actor) -> None:
    connect(holder, balance="0")
    sync(holder)
    [snapshot] = snapshots(holder)
    assert (snapshot.balance, snapshot.usage_today) == (Money.zero(), None)


def test_by_hand_it_is_possible_once_a_minute(holder: Actor, clock: Clock) -> None:
    connect(holder)
    sync(holder)
    clock.forward(seconds=20)
    with pytest.raises(errors.RateLimited) as caught:
        sync(holder)
    assert caught.value.extra == {"retry_after_s": 40}
    assert len(snapshots(holder)) == 1
    clock.forward(seconds=40)
    sync(holder)
    assert len(snapshots(holder)) == 2


def test_the_limit_is_each_accounts_own(billing: Billing, holder: Actor) -> None:
    sync(holder)
    sync(account_with(billing))


def test_of_many_at_once_one_gets_the_turn(billing: Billing, holder: Actor) -> None:
    adapter = plug(billing, holder, Reading)
    together = Barrier(8)

    def one(_: int) -> bool:
        together.wait()
        try:
            sync(holder)
        except errors.RateLimited:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 1
    assert adapter.asked == 1


def test_twenty_slow_vendors_take_the_time_of_one(billing: Billing, holder: Actor) -> None:
    def slowly(at: datetime) -> Reading:
        time.sleep(0.5)
        return Reading(at, balance=Money.parse("1"))

    plug(billing, holder, slowly)
    for _ in range(19):
        connect(holder, "adapter")
    began = time.monotonic()
    report = sync(holder)
    assert time.monotonic() - began < 4
    assert (report.synced, report.total("balance", "USD")) == (20, Money.parse("20"))


@pytest.mark.parametrize(
    "answer",
    [
        lambda _at: None,
        lambda _at: {"balance": 1},
        lambda at: Reading(at, "EUR", balance=Money.parse("1", "USD")),
        lambda _at: 1 // 0,
        lambda _at: {}[SECRET],
    ],
    ids=["nothing", "other", "mixed", "crash", "secret"],
)
def test_a_broken_adapter_fails_alone_and_says_nothing(
    billing: Billing,
    holder: Actor,
    answer: Callable[[datetime], Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    plug(billing, holder, answer)
    connect(holder, balance="3")
    report = sync(holder)
    assert (report.synced, report.failed) == (1, 1)
    assert str(errors_of(holder)[0]).startswith("The provider's ")
    assert SECRET not in caplog.text + str(errors_of(holder))


def test_a_provider_that_is_gone_fails_alone(billing: Billing, holder: Actor) -> None:
    plug(billing, holder, Reading)
    connect(holder, balance="3")
    billing.instance.providers = {"fake": billing.instance.providers["fake"]}
    assert [bool(result.error) for result in sync(holder).results] == [True, False]


def test_credentials_that_no_key_opens_fail_alone(
    database_url: str, billing: Billing, holder: Actor
) -> None:
    connect(holder, balance="3")
    other = billing_on(database_url, secret_keys="")
    report = operations.sync_integrations(
        other.actor(holder.account_id, scopes=operations.account_scopes()), holder.account_id
    )
    assert report.failed == 1
    assert "BILLING_SECRET_KEYS" in str(report.results[0].error)
    other.instance.database.close_all()


def test_no_vendor_is_asked_inside_a_transaction(billing: Billing, holder: Actor) -> None:
    adapter = plug(billing, holder, Reading)
    with (
        billing.instance.active(),
        pytest.raises(errors.ConfigurationError),
        write_transaction(),
    ):
        sync(holder)
    assert adapter.asked == 0


def test_a_vendor_that_never_answers_is_left(database_url: str) -> None:
    billing = billing_on(database_url, provider_timeout_s=1)
    actor = account_with(billing)
    plug(billing, actor, lambda _at: time.sleep(30))
    connect(actor, balance="3")
    began = time.monotonic()
    report = sync(actor)
    assert time.monotonic() - began < 12
    assert [result.error for result in report.results] == [
        "The provider did not answer in time.",
        None,
    ]
    billing.instance.database.close_all()


def test_a_requested_sync_has_run_where_there_is_no_redis(holder: Actor) -> None:
    connect(holder, balance="3")
    connect(holder, fail="auth")
    job = operations.request_sync(holder, holder.account_id)
    assert (job.status, job.synced, job.failed) == ("completed", 1, 1)
    assert (job.origin, job.error, job.provider) == ("request", None, None)
    assert snapshots(holder)[0].job_id == job.id


def test_jobs_are_listed_newest_first_and_by_provider(holder: Actor) -> None:
    connect(holder)
    first = operations.request_sync(holder, holder.account_id)
    second = operations.request_sync(holder, holder.account_id, provider="fake")
    listed = operations.list_sync_jobs(holder, holder.account_id)
    assert [job.id for job in listed] == [second.id, first.id]
    only = operations.list_sync_jobs(holder, holder.account_id, provider="fake")
    assert [job.id for job in only] == [second.id]


def test_others_jobs_are_unknown(billing: Billing, holder: Actor) -> None:
    job = operations.request_sync(holder, holder.account_id)
    other = account_with(billing)
    with pytest.raises(errors.NotFound):
        operations.get_sync_job(other, other.account_id, job.id)
    with pytest.raises(errors.Forbidden):
        operations.run_sync_job(other, job.id)


def test_a_waiting_job_is_returned_again(billing: Billing, holder: Actor) -> None:
    connect(holder)
    first = requested(billing, holder)
    assert operations.request_sync(holder, holder.account_id).id == first.id
    other = operations.request_sync(holder, holder.account_id, provider="fake")
    assert other.id != first.id
    run(billing, first.id)
    assert operations.request_sync(holder, holder.account_id).id != first.id


def test_a_job_is_handed_over_after_the_hosts_own_commit(billing: Billing, holder: Actor) -> None:
    connect(holder, balance="1")
    with billing.instance.active():
        with write_transaction():
            job = operations.request_sync(holder, holder.account_id)
            assert job.status == "pending"
        assert job_of(holder, job.id).status == "completed"


def test_a_job_whose_host_rolls_back_never_runs(billing: Billing, holder: Actor) -> None:
    adapter = plug(billing, holder, Reading)
    with billing.instance.active(), pytest.raises(ZeroDivisionError), write_transaction():
        operations.request_sync(holder, holder.account_id)
        1 // 0  # noqa: B018
    assert adapter.asked == 0
    assert operations.list_sync_jobs(holder, holder.account_id) == []


def test_a_job_that_cannot_be_handed_over_fails_no_request(
    billing: Billing, holder: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(holder)
    monkeypatch.setattr("billing_plugin.operations.sync.JOB", "worker.jobs.no_such_job")
    assert operations.request_sync(holder, holder.account_id).status == "pending"


def test_a_job_runs_once(billing: Billing, holder: Actor) -> None:
    adapter = plug(billing, holder, Reading)
    job = requested(billing, holder)
    assert [run(billing, job.id) for _ in range(3)] == [True, False, False]
    assert (adapter.asked, len(snapshots(holder))) == (1, 1)
    assert run(billing, "job_unknown") is False


def test_of_many_runners_one_runs_it(billing: Billing, holder: Actor) -> None:
    adapter = plug(billing, holder, Reading)
    job = requested(billing, holder)
    together = Barrier(8)

    def one(_: int) -> bool:
        together.wait()
        return run(billing, job.id)

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(8))) == 1
    assert adapter.asked == 1


def test_a_runner_taken_for_dead_stores_nothing(
    billing: Billing, holder: Actor, clock: Clock
) -> None:
    """It was only slow: while it waits for its vendor, another runner does the whole job."""
    depth: list[bool] = []

    def answer(at: datetime) -> Reading:
        if not depth:
            clock.forward(seconds=int(SILENCE.total_seconds()) + 1)
            depth.append(True)
            depth.append(run(billing, job.id))
        return Reading(at, balance=Money.parse("1"))

    plug(billing, holder, answer)
    job = requested(billing, holder)
    assert run(billing, job.id) is False
    assert depth == [True, True]
    assert len(snapshots(holder)) == 1
    stored = job_of(holder, job.id)
    assert (stored.status, stored.attempt, stored.synced) == ("completed", 2, 1)


def test_a_job_whose_runner_died_is_enqueued_again(
    billing: Billing, holder: Actor, clock: Clock
) -> None:
    connect(holder, balance="1")
    job = requested(billing, holder)
    with billing.instance.active():
        assert sync_jobs.start(job.id, clock(), silent_since=clock() - SILENCE)
    operations.schedule_syncs(billing.operator())
    clock.forward(seconds=15)
    assert job.id not in operations.schedule_syncs(billing.operator())
    clock.forward(seconds=6)
    assert job.id in operations.schedule_syncs(billing.operator())
    assert run(billing, job.id) is True


def test_a_job_that_kills_every_runner_is_given_up(
    billing: Billing, holder: Actor, clock: Clock
) -> None:
    job = requested(billing, holder)
    for _ in range(MAX_ATTEMPTS):
        with billing.instance.active():
            assert sync_jobs.start(job.id, clock(), silent_since=clock() - SILENCE)
        clock.forward(minutes=1)
    assert job.id not in operations.schedule_syncs(billing.operator())
    stored = job_of(holder, job.id)
    assert (stored.status, stored.error) == ("failed", "Given up after 5 attempts.")
    assert run(billing, job.id) is False


def test_a_long_sync_shows_that_it_is_alive(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing_plugin.operations.asking.BEAT_S", 1)
    billing = billing_on(database_url)
    actor = account_with(billing)
    seen: list[timedelta] = []

    def slowly(at: datetime) -> Reading:
        time.sleep(2)
        alive = operations.list_sync_jobs(actor, actor.account_id)[0].alive_at
        seen.append(alive - at)
        return Reading(at)

    plug(billing, actor, slowly)
    sync(actor)
    assert seen[0] >= timedelta(seconds=1)
    billing.instance.database.close_all()


def test_every_account_with_vendors_is_due_once_in_a_slot(
    billing: Billing, holder: Actor, clock: Clock
) -> None:
    connect(holder)
    connect(holder)
    account_with(billing)
    first = operations.schedule_syncs(billing.operator())
    assert len(first) == 1
    assert operations.schedule_syncs(billing.operator()) == []
    clock.forward(hours=4)
    assert len(operations.schedule_syncs(billing.operator())) == 1
    with pytest.raises(errors.Forbidden):
        operations.schedule_syncs(holder)


def test_two_processes_share_a_slot(tmp_path: Path, database_url: str) -> None:
    systems = [billing_on(database_url) for _ in range(2)]
    connect(account_with(systems[0]))
    together = Barrier(2)

    def one(billing: Billing) -> int:
        together.wait()
        return len(operations.schedule_syncs(billing.operator()))

    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(one, systems)) == 1
    for billing in systems:
        billing.instance.database.close_all()


def test_the_instance_is_at_work_when_its_job_is_handed_over(
    billing: Billing, holder: Actor
) -> None:
    seen: list[bool] = []
    billing.instance.enqueue = lambda _name, _id: seen.append(current() is billing.instance)
    connect(holder)
    operations.request_sync(holder, holder.account_id)
    with billing.instance.active():
        after_commit(lambda: seen.append(True))
    assert seen == [True, True]
