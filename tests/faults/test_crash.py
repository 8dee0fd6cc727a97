"""A few rounds of kill -9 on each database, and what the audit must notice.

The long ones: `python -m tests.faults.crash` (its docstring says how).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing_plugin import Billing, Money, operations
from billing_plugin.operations import Usage
from billing_plugin.operations.till import Till
from tests.books import run_sql
from tests.factories import billing_on
from tests.faults import places
from tests.faults.cluster import Cluster
from tests.faults.crash import Scene, audit, run
from tests.faults.victim import Act, Word

CHARGE = Act("charge", "k", 10)


@pytest.fixture
def scene(sqlite_url: str) -> Scene:
    """A round without processes."""
    return Scene(billing_on(sqlite_url), sqlite_url, "still")


@pytest.fixture
def sqlite_url() -> Iterator[str]:
    """A prepared SQLite file."""
    with places.place("sqlite") as url:
        yield url


def charged(billing: Billing, account_id: str, key: str = "k") -> str:
    used = Usage("m", "p", cost=Money(10))
    done = operations.record_usage(billing.operator(), account_id, used, idempotency_key=key)
    return str(done.record and done.record.id)


def test_nothing_is_lost_where_processes_are_killed(database_url: str) -> None:
    found = run(database_url, rounds=2, seed=1)
    assert found["wrong"] == []
    assert found["acknowledged"] > 50


def test_nothing_is_lost_where_postgresql_is_killed(pg_server: object) -> None:
    with Cluster() as cluster, places.place(cluster.url) as url:
        found = run(url, rounds=1, seed=2, cluster=cluster)
    assert found["wrong"] == []
    assert found["acknowledged"] > 50


def test_the_audit_is_content_with_what_was_done(scene: Scene) -> None:
    done = charged(scene.billing, scene.account_id)
    for word in (Word("ask", CHARGE), Word("done", CHARGE, done)):
        scene.journal.read(word)
    scene.journal.read(Word("ask", Act("charge", "never answered", 7)))
    assert audit(scene) == []


def test_the_audit_notices_what_was_lost(scene: Scene) -> None:
    for word in (Word("ask", CHARGE), Word("done", CHARGE, "use_that_is_not_there")):
        scene.journal.read(word)
    assert "lost: charge k" in audit(scene)


def test_the_audit_notices_what_was_done_twice(scene: Scene) -> None:
    done = [charged(scene.billing, scene.account_id, key) for key in ("k", "another key")]
    for word in (Word("ask", CHARGE), Word("done", CHARGE, done[0])):
        scene.journal.read(word)
    assert "1 uses too many, 0 missing" in audit(scene)


def test_the_audit_notices_a_hold_that_outlives_its_deadline(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Till, "expire_holds", lambda self: False)
    scene.journal.read(Word("ask", Act("hold", "k", 10)))
    assert any("10 held" in sentence for sentence in audit(scene))


def test_the_audit_notices_a_counter_that_lost_its_count(scene: Scene) -> None:
    done = charged(scene.billing, scene.account_id)
    for word in (Word("ask", CHARGE), Word("done", CHARGE, done)):
        scene.journal.read(word)
    run_sql(scene.billing, "UPDATE billing_limit_counter SET spent_nanos = 0")
    assert any("limit counts" in sentence for sentence in audit(scene))
