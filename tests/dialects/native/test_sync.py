"""Native: asking the vendors on demand, and the jobs that did."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, operations
from billing_plugin.dialects.native.sync import SYNC_JOB
from tests.dialects.faces import assert_refused, data, fits
from tests.dialects.routes import NATIVE
from tests.factories import Caller, Clock

PATH = f"{NATIVE}/sync"


@pytest.fixture(autouse=True)
def connected(actor: Actor) -> None:
    for settings in ({"balance": "1"}, {"fail": "unavailable"}):
        operations.connect(
            actor, actor.account_id, "fake", credentials={"api_key": "k"}, settings=settings
        )


def test_without_redis_it_has_run_when_this_answers(call: Caller) -> None:
    job = fits(SYNC_JOB, data(call("POST", PATH, json={"provider": "fake"}), 202))
    at = "2026-03-09T14:32:00.000Z"
    assert job == {
        "id": job["id"],
        "provider": "fake",
        "origin": "request",
        "status": "completed",
        "synced": 1,
        "failed": 1,
        "createdAt": at,
        "startedAt": at,
        "completedAt": at,
    }
    assert data(call("GET", f"{PATH}/jobs/{job['id']}")) == job


@pytest.mark.parametrize("body", [{"json": {}}, {"json": {"provider": None}}, {}])
def test_all_that_are_connected(call: Caller, body: dict[str, object]) -> None:
    job = data(call("POST", PATH, **body), 202)
    assert (job["provider"], job["synced"], job["failed"]) == (None, 1, 1)


def test_an_unknown_provider(call: Caller) -> None:
    assert_refused(call("POST", PATH, json={"provider": "nobody"}), "native", 404, "NOT_FOUND")
    assert data(call("GET", f"{PATH}/jobs")) == []


def test_jobs_newest_first(call: Caller, clock: Clock) -> None:
    made = []
    for provider in (None, "fake", None):
        made.insert(0, data(call("POST", PATH, json={"provider": provider}), 202))
        clock.forward(seconds=1)
    assert data(call("GET", f"{PATH}/jobs")) == made
    assert data(call("GET", f"{PATH}/jobs?limit=2")) == made[:2]
    assert data(call("GET", f"{PATH}/jobs?provider=fake")) == made[1:2]
    assert data(call("GET", f"{PATH}/jobs?provider=openrouter")) == []
