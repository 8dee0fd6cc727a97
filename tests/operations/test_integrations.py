"""Connecting vendor accounts: what is stored, what is shown, and what never is."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing, errors, operations
from billing_plugin.operations.integrations import opened
from tests.factories import account_with, billing_on

KEY = "sk-or-v1-0123456789abcdef"


def connect(actor: Actor, provider: str = "fake", **credentials: str) -> Any:
    given = credentials or {"api_key": KEY}
    return operations.connect(actor, actor.account_id, provider, credentials=given)


def test_a_credential_is_sealed_and_shown_as_a_mask(billing: Billing, actor: Actor) -> None:
    made = connect(actor, api_key=KEY, management_key="short")
    assert made.preview == {"api_key": "sk-o...def", "management_key": "..."}
    assert KEY not in made.sealed
    assert (made.number, made.active, made.billing_sync_error) == (1, 1, None)
    with billing.instance.active():
        assert opened(made) == {"api_key": KEY, "management_key": "short"}


def test_no_column_holds_the_credential(billing: Billing, actor: Actor) -> None:
    connect(actor)
    with billing.instance.active() as instance:
        rows = instance.database.execute_sql("SELECT * FROM billing_integration").fetchall()
    assert KEY not in str(rows)


def test_space_around_a_key_is_dropped(billing: Billing, actor: Actor) -> None:
    made = connect(actor, api_key=f"  {KEY}\n")
    with billing.instance.active():
        assert opened(made) == {"api_key": KEY}


@pytest.mark.parametrize(
    "credentials",
    [
        {},
        {"api_key": ""},
        {"api_key": "  "},
        {"secret": "x"},
        {"api_key": "x", "token": "y"},
        {"api_key": "two\nlines"},
        {"api_key": "“quoted”"},
        {"api_key": "nul\0"},
    ],
)
def test_credentials_that_cannot_be_are_refused(actor: Actor, credentials: dict[str, str]) -> None:
    with pytest.raises(errors.InvalidRequest):
        operations.connect(actor, actor.account_id, "fake", credentials=credentials)
    assert operations.list_integrations(actor, actor.account_id) == []


def test_an_unknown_provider_is_refused(actor: Actor) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        connect(actor, "nobody")
    assert caught.value.code == "unknown_provider"


def test_without_a_vault_key_nothing_is_stored(database_url: str) -> None:
    billing = billing_on(database_url, secret_keys="")
    actor = account_with(billing)
    with pytest.raises(errors.NotSupported, match="BILLING_SECRET_KEYS"):
        connect(actor)
    assert operations.list_integrations(actor, actor.account_id) == []
    billing.instance.database.close_all()


def test_others_integrations_are_unknown(billing: Billing, actor: Actor) -> None:
    made = connect(actor)
    other = account_with(billing)
    assert operations.list_integrations(other, other.account_id) == []
    for account_id in (actor.account_id, other.account_id):
        with pytest.raises(errors.NotFound):
            operations.list_snapshots(other, account_id, made.id)
    with pytest.raises(errors.NotFound):
        connect(Actor(billing.instance, scopes=frozenset("*"), account_id="acct_none"))


def test_snapshots_are_listed_newest_first(actor: Actor) -> None:
    made = connect(actor)
    jobs = [operations.request_sync(actor, actor.account_id).id for _ in range(3)]
    found = operations.list_snapshots(actor, actor.account_id, made.id, limit=2)
    assert [snapshot.job_id for snapshot in found] == [jobs[2], jobs[1]]


@pytest.mark.parametrize("limit", [0, 1001, -1])
def test_a_limit_has_limits(actor: Actor, limit: int) -> None:
    made = connect(actor)
    with pytest.raises(errors.InvalidRequest):
        operations.list_snapshots(actor, actor.account_id, made.id, limit=limit)


def test_each_scope_is_needed(billing: Billing, actor: Actor) -> None:
    stranger = billing.actor(actor.account_id, scopes=frozenset({"usage:write"}))
    with pytest.raises(errors.Forbidden):
        connect(stranger)
    with pytest.raises(errors.Forbidden):
        operations.list_integrations(stranger, actor.account_id)
