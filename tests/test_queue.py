"""Handing over jobs: what lies in Redis, and what happens without one."""

from __future__ import annotations

import logging
import time

import pytest
import redis

from billing_plugin import queue
from billing_plugin.config import Settings
from billing_plugin.queue import Enqueuer, answers, enqueue, run_now
from tests.factories import account_with, billing_on
from worker import jobs

JOB = "worker.jobs.run_sync_job"
AWAY = "redis://:canary-password@127.0.0.1:1/0"


def settings(url: str) -> Settings:
    return Settings(redis_url=url)


def test_a_job_is_its_name_and_one_id_as_json(redis_url: str) -> None:
    Enqueuer(settings(redis_url))(JOB, "job_1")
    waiting = queue.queue(redis_url, "billing")
    [job] = waiting.jobs
    assert (job.id, job.func_name, list(job.args), job.kwargs) == ("job_1", JOB, ["job_1"], {})
    assert job.description == "run_sync_job job_1"
    assert (job.timeout, job.result_ttl, job.failure_ttl) == (300, 3600, 3600)
    assert job.data == b'["worker.jobs.run_sync_job", null, ["job_1"], {}]'


def test_what_waits_is_not_enqueued_again_and_what_is_gone_is(redis_url: str) -> None:
    enqueue = Enqueuer(settings(redis_url))
    waiting = queue.queue(redis_url, "billing")
    for _ in range(3):
        enqueue(JOB, "job_1")
    enqueue(JOB, "job_2")
    assert waiting.job_ids == ["job_1", "job_2"]
    redis.Redis.from_url(redis_url).flushdb()
    enqueue(JOB, "job_1")
    assert waiting.job_ids == ["job_1"]


def test_a_job_taken_by_a_worker_that_died_is_enqueued_again(redis_url: str) -> None:
    enqueue = Enqueuer(settings(redis_url))
    enqueue(JOB, "job_1")
    waiting = queue.queue(redis_url, "billing")
    waiting.connection.lmove(waiting.key, waiting.intermediate_queue_key)
    enqueue(JOB, "job_1")
    assert waiting.job_ids == ["job_1"]


def test_each_instance_has_its_queue(redis_url: str) -> None:
    Enqueuer(Settings(redis_url=redis_url, queue_name="theirs"))(JOB, "job_1")
    assert queue.queue(redis_url, "billing").job_ids == []
    assert queue.queue(redis_url, "theirs").job_ids == ["job_1"]


@pytest.mark.parametrize("url", [AWAY, "redis://:canary-password@host:port/0", "canary-password"])
def test_a_redis_that_is_away_costs_little_and_fails_nothing(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        Enqueuer(settings(url))(JOB, "job_1")
    assert time.monotonic() - began < 3
    assert "not enqueued, the sweeper will: job_1" in caplog.text
    assert "canary-password" not in caplog.text


def test_a_request_answers_while_redis_is_away_and_its_job_waits(database_url: str) -> None:
    from billing_plugin import operations

    billing = billing_on(database_url, redis_url=AWAY)
    actor = account_with(billing)
    operations.connect(actor, actor.account_id, "fake", credentials={"api_key": "k"})
    job = operations.request_sync(actor, actor.account_id)
    assert job.status == "pending"
    assert operations.run_sync_job(billing.operator(), job.id) is True
    billing.instance.database.close_all()


def test_whether_redis_answers(redis_url: str) -> None:
    assert answers(settings(redis_url)) is True
    assert answers(settings(AWAY)) is False
    assert answers(settings("nonsense")) is False


def test_without_a_url_jobs_run_here(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(jobs, "run_sync_job", seen.append)
    enqueue(Settings(), JOB, "job_1")
    enqueue(settings(AWAY), JOB, "job_2")
    assert seen == ["job_1"]


def test_here_a_job_gets_its_id_and_a_failure_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(jobs, "run_sync_job", seen.append)
    run_now(JOB, "job_1")
    assert seen == ["job_1"]
    monkeypatch.setattr(jobs, "run_sync_job", lambda _id: {}["canary"])
    run_now(JOB, "job_2")
    run_now("worker.no_such_module.job", "job_3")
    assert "run_sync_job job_2: KeyError" in caplog.text
    assert "job job_3: ModuleNotFoundError" in caplog.text
    assert "canary" not in caplog.text
