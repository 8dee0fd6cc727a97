"""The rows of sync jobs: who holds one, who lost it, and whose slot it is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing
from billing_plugin.errors import NotFound
from billing_plugin.models import sync_jobs
from tests.factories import START, account_with

LATER = START + timedelta(seconds=30)
SOON = START + timedelta(seconds=5)


@pytest.fixture(autouse=True)
def at_work(billing: Billing) -> Iterator[None]:
    with billing.instance.active():
        yield


@pytest.fixture
def job(actor: Actor) -> sync_jobs.SyncJob:
    return sync_jobs.create(str(actor.account_id), "request", START)


def started(job: sync_jobs.SyncJob) -> sync_jobs.SyncJob:
    assert sync_jobs.start(job.id, START, silent_since=START)
    return sync_jobs.get(job.id)


def test_a_pending_job_is_taken_once(job: sync_jobs.SyncJob) -> None:
    held = started(job)
    assert (held.status, held.attempt, held.started_at) == ("running", 1, START)
    assert sync_jobs.start(job.id, SOON, silent_since=START) is False
    assert sync_jobs.start("job_none", SOON, silent_since=START) is False


def test_a_silent_runner_loses_the_job(job: sync_jobs.SyncJob) -> None:
    first = started(job)
    assert sync_jobs.start(job.id, LATER, silent_since=SOON) is True
    second = sync_jobs.get(job.id)
    assert (second.attempt, second.started_at, second.alive_at) == (2, START, LATER)
    assert sync_jobs.finish(first, LATER) is False
    sync_jobs.keep_alive(first, LATER + timedelta(hours=1))
    assert sync_jobs.get(job.id).alive_at == LATER
    assert sync_jobs.finish(second, LATER) is True


def test_a_runner_that_is_alive_keeps_the_job(job: sync_jobs.SyncJob) -> None:
    sync_jobs.keep_alive(started(job), LATER)
    assert sync_jobs.start(job.id, LATER, silent_since=SOON) is False
    assert sync_jobs.abandoned(SOON) == []


def test_a_finished_job_stays_finished(job: sync_jobs.SyncJob) -> None:
    held = started(job)
    held.synced, held.failed = 2, 1
    assert sync_jobs.finish(held, LATER) is True
    assert sync_jobs.finish(held, LATER, error="late") is False
    stored = sync_jobs.get(job.id)
    assert (stored.status, stored.synced, stored.failed) == ("completed", 2, 1)
    assert (stored.completed_at, stored.error) == (LATER, None)
    assert sync_jobs.start(job.id, LATER, silent_since=LATER) is False


def test_an_error_fails_the_job(job: sync_jobs.SyncJob) -> None:
    assert sync_jobs.finish(started(job), LATER, error="no") is True
    assert (sync_jobs.get(job.id).status, sync_jobs.get(job.id).error) == ("failed", "no")


def test_abandoned_are_the_open_ones_that_nobody_shows(actor: Actor) -> None:
    account_id = str(actor.account_id)
    waiting, silent, alive, done, new = (
        sync_jobs.create(account_id, "request", at) for at in (START,) * 4 + (LATER,)
    )
    for job in (silent, alive, done):
        started(job)
    sync_jobs.keep_alive(sync_jobs.get(alive.id), LATER)
    sync_jobs.finish(sync_jobs.get(done.id), LATER)
    assert sync_jobs.abandoned(SOON) == [(waiting.id, 0), (silent.id, 1)]
    assert new.id not in [job_id for job_id, _ in sync_jobs.abandoned(LATER)]


def test_giving_up_ends_only_those_tried_that_often(actor: Actor) -> None:
    account_id = str(actor.account_id)
    once, twice = (sync_jobs.create(account_id, "request", START) for _ in range(2))
    started(once)
    started(twice)
    sync_jobs.start(twice.id, START, silent_since=SOON)
    assert sync_jobs.give_up(SOON, LATER, attempts=2) == [(twice.account_id, twice.id)]
    assert sync_jobs.get(twice.id).error == "Given up after 2 attempts."
    assert sync_jobs.get(once.id).status == "running"


def test_jobs_for_many_accounts_are_stored_at_once(billing: Billing) -> None:
    owners = [str(account_with(billing).account_id) for _ in range(3)]
    made = sync_jobs.create_for(owners, "scheduled", START)
    stored = [sync_jobs.get(job_id) for job_id in made]
    assert [job.account_id for job in stored] == owners
    assert {(job.status, job.origin, job.provider) for job in stored} == {
        ("pending", "scheduled", None)
    }
    assert sync_jobs.create_for([], "scheduled", START) == []


def test_waiting_finds_the_same_question(actor: Actor, job: sync_jobs.SyncJob) -> None:
    account_id = str(actor.account_id)
    found = sync_jobs.waiting(account_id, None)
    assert found is not None
    assert found.id == job.id
    assert sync_jobs.waiting(account_id, "fake") is None
    started(job)
    assert sync_jobs.waiting(account_id, None) is None


def test_another_accounts_is_not_found(billing: Billing, job: sync_jobs.SyncJob) -> None:
    with pytest.raises(NotFound):
        sync_jobs.get(job.id, account_with(billing).account_id)


def test_a_slot_is_taken_once_for_ever() -> None:
    assert sync_jobs.slot_is_free("sync", 7)
    assert sync_jobs.claim_slot("sync", 7, START) is True
    assert sync_jobs.claim_slot("sync", 7, LATER) is False
    assert not sync_jobs.slot_is_free("sync", 7)
    assert sync_jobs.claim_slot("other", 7, START) is True


def test_jobs_are_counted_by_account(billing: Billing, actor: Actor) -> None:
    other = str(account_with(billing).account_id)
    for number, owner in enumerate((str(actor.account_id), str(actor.account_id), other)):
        sync_jobs.create(owner, "request", START + timedelta(seconds=number))
    assert sync_jobs.count(str(actor.account_id)) == 2
    assert (sync_jobs.count(other), sync_jobs.count("acct_x")) == (1, 0)
