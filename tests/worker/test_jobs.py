"""Jobs find their instance: the one at work first, then the one this process serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from tests.factories import account_with, billing_on
from worker import jobs


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Billing]:
    """A second instance in the same process, on a database of its own."""
    billing = billing_on(f"sqlite:///{tmp_path / 'other.db'}")
    yield billing
    billing.instance.database.close_all()


@pytest.fixture(autouse=True)
def nobody_served() -> Iterator[None]:
    yield
    jobs._serving.clear()
    jobs._from_environment.cache_clear()


def connected(billing: Billing) -> Actor:
    actor = account_with(billing)
    operations.connect(actor, actor.account_id, "fake", credentials={"api_key": "k"})
    return actor


def pending_job(billing: Billing, monkeypatch: pytest.MonkeyPatch) -> tuple[Actor, Any]:
    actor = connected(billing)
    monkeypatch.setattr(billing.instance, "enqueue", lambda _name, _id: None)
    return actor, operations.request_sync(actor, actor.account_id)


def status(actor: Actor, job_id: str) -> str:
    return str(operations.get_sync_job(actor, actor.account_id, job_id).status)


def test_in_process_the_job_has_run_when_the_request_answers(billing: Billing) -> None:
    actor = connected(billing)
    job = operations.request_sync(actor, actor.account_id)
    assert (job.status, job.synced) == ("completed", 1)


def test_two_instances_in_one_process_never_mix(billing: Billing, other: Billing) -> None:
    jobs.serve(other)
    mine, theirs = connected(billing), connected(other)
    job = operations.request_sync(mine, mine.account_id)
    assert status(mine, job.id) == "completed"
    assert operations.list_sync_jobs(theirs, theirs.account_id) == []


def test_instances_do_not_mix_in_threads_at_once(billing: Billing, other: Billing) -> None:
    actors = [connected(one) for one in (billing, other) * 4]
    together, seen = Barrier(len(actors)), []

    def ask(actor: Actor) -> None:
        together.wait()
        seen.append(operations.request_sync(actor, actor.account_id).status)

    threads = [Thread(target=ask, args=(actor,)) for actor in actors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == ["completed"] * len(actors)


def test_a_job_runs_for_the_served_instance(
    billing: Billing, other: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, job = pending_job(billing, monkeypatch)
    jobs.serve(other)
    assert jobs.run_sync_job(job.id) is False
    jobs.serve(billing)
    assert jobs.run_sync_job(job.id) is True
    assert jobs.run_sync_job(job.id) is False
    assert status(actor, job.id) == "completed"


def test_without_one_the_environment_names_it(
    billing: Billing, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    actor, job = pending_job(billing, monkeypatch)
    monkeypatch.setenv("BILLING_DATABASE_URL", database_url)
    monkeypatch.setenv("BILLING_SECRET_KEYS", billing.instance.settings.secret_keys)
    monkeypatch.setenv("BILLING_PROVIDER_API_KEY", "not a setting, and no reason to fail")
    assert jobs.run_sync_job(job.id) is True
    assert status(actor, job.id) == "completed"
    jobs._from_environment().instance.database.close_all()


def test_options_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_QUEUE_NAME", "theirs")
    monkeypatch.setenv("BILLING_CURRENCY", "EUR")
    settings = Billing.from_environment(queue_name="ours").instance.settings
    assert (settings.queue_name, settings.currency) == ("ours", "EUR")


def test_the_allowed_jobs_exist() -> None:
    assert all(callable(getattr(jobs, name)) for name in jobs.ALLOWED)
