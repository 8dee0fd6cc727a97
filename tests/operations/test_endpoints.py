"""Adding, changing and removing webhook endpoints, and their secrets."""

from __future__ import annotations

from typing import Any

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.errors import Conflict, IdempotencyConflict, InvalidRequest, NotFound
from billing_plugin.models import endpoints as models
from billing_plugin.models.endpoints import WebhookEndpoint
from billing_plugin.operations import endpoints
from billing_plugin.operations.endpoints import MAX_KEEP_OLD_S, secrets_of
from tests.books import everything
from tests.factories import START, Clock, account_with
from tests.telling import endpoint, see

URL = "https://hooks.example.com/in"


def change(actor: Actor, found: WebhookEndpoint, **said: Any) -> WebhookEndpoint:
    return operations.change_webhook_endpoint(actor, str(actor.account_id), found.id, **said)


def rotate(actor: Actor, found: WebhookEndpoint, **said: Any) -> WebhookEndpoint:
    return operations.rotate_webhook_secret(actor, str(actor.account_id), found.id, **said)


def secrets(billing: Billing, found: WebhookEndpoint, actor: Actor) -> list[str]:
    with billing.instance.active():
        return secrets_of(see(actor, found), billing.instance.clock())


def test_one_is_added_and_seen(actor: Actor) -> None:
    mine = str(actor.account_id)
    made = operations.add_webhook_endpoint(
        actor, mine, URL, events=["topup.failed", "balance.low", "topup.failed"], description="Ops"
    )
    [found] = operations.list_webhook_endpoints(actor, mine)
    assert (found.id, found.url, found.description) == (made.id, URL, "Ops")
    assert found.events == ["balance.low", "topup.failed"]
    assert (found.enabled, found.disabled_reason, found.created_at) == (1, None, START)


def test_the_secret_is_told_once_and_stored_sealed(billing: Billing, actor: Actor) -> None:
    made = endpoint(actor, URL)
    assert made.secret.startswith("whsec_")
    assert see(actor, made).secret == ""
    assert change(actor, made, description="x").secret == ""
    stored = str(everything(billing))
    assert made.secret not in stored
    assert made.secret.removeprefix("whsec_") not in stored
    assert secrets(billing, made, actor) == [made.secret]
    assert made.secret not in repr(made)


def test_a_lost_answer_is_told_again_for_its_key(billing: Billing, actor: Actor) -> None:
    mine, key = str(actor.account_id), {"idempotency_key": "once"}
    made, again = (operations.add_webhook_endpoint(actor, mine, URL, **key) for _ in range(2))
    assert (again.id, again.secret, again.replayed) == (made.id, made.secret, True)
    with pytest.raises(IdempotencyConflict):
        operations.add_webhook_endpoint(actor, mine, URL + "2", **key)
    rotated = rotate(actor, made)
    later = operations.add_webhook_endpoint(actor, mine, URL, **key)
    assert (later.id, later.secret) == (made.id, "")  # that secret is not the newest any more
    assert rotated.secret not in ("", made.secret)


def test_a_secret_is_rotated(billing: Billing, actor: Actor, clock: Clock) -> None:
    made = endpoint(actor, URL)
    second = rotate(actor, made, keep_old_s=3600)
    assert secrets(billing, made, actor) == [second.secret, made.secret]
    third = rotate(actor, made, keep_old_s=3600)
    assert secrets(billing, made, actor) == [third.secret, second.secret]
    clock.forward(hours=1)
    assert secrets(billing, made, actor) == [third.secret]


def test_an_old_secret_may_end_at_once(billing: Billing, actor: Actor) -> None:
    made = endpoint(actor, URL)
    assert secrets(billing, made, actor) == [made.secret]
    new = rotate(actor, made, keep_old_s=0)
    assert secrets(billing, made, actor) == [new.secret]


@pytest.mark.parametrize("keep_old_s", [-1, MAX_KEEP_OLD_S + 1, True])
def test_how_long_an_old_secret_may_hold(actor: Actor, keep_old_s: int) -> None:
    made = endpoint(actor, URL)
    with pytest.raises(InvalidRequest):
        rotate(actor, made, keep_old_s=keep_old_s)


@pytest.mark.parametrize(
    "said",
    [
        {"url": "http://hooks.example.com/"},
        {"url": "https://10.0.0.1/"},
        {"events": []},
        {"events": ["balance.high"]},
        {"description": "x" * 201},
    ],
)
def test_what_cannot_be(billing: Billing, actor: Actor, said: dict[str, Any]) -> None:
    made = endpoint(actor, URL)
    before = everything(billing)
    with pytest.raises(InvalidRequest):
        change(actor, made, **said)
    with pytest.raises(InvalidRequest):
        operations.add_webhook_endpoint(actor, str(actor.account_id), **{"url": URL, **said})
    assert everything(billing) == before


def test_one_is_changed(actor: Actor) -> None:
    made = endpoint(actor, URL)
    found = change(actor, made, url=URL + "2", events=["balance.low"], enabled=False)
    assert (found.url, found.events, found.enabled) == (URL + "2", ["balance.low"], 0)
    assert change(actor, made, description="Ops").enabled == 0
    assert change(actor, made, enabled=True).enabled == 1


def test_enabling_alone_forgets_why_it_was_disabled(billing: Billing, actor: Actor) -> None:
    made = endpoint(actor, URL)
    with billing.instance.active():
        models.change(made, START, enabled=0, disabled_reason="failing", failing_since=START)
    moved = change(actor, made, url=URL + "2")
    assert (moved.enabled, moved.disabled_reason, moved.failing_since) == (0, "failing", None)
    found = change(actor, made, enabled=True)
    assert (found.enabled, found.disabled_reason, found.failing_since) == (1, None, None)


def test_one_is_removed(billing: Billing, actor: Actor) -> None:
    made = endpoint(actor, URL)
    operations.remove_webhook_endpoint(actor, str(actor.account_id), made.id)
    assert operations.list_webhook_endpoints(actor, str(actor.account_id)) == []
    for act in (see, change, rotate):
        with pytest.raises(NotFound):
            act(actor, made)
    with billing.instance.active():
        assert WebhookEndpoint.get_by_id(made.id).sealed == ""


def test_another_accounts_are_not_there(billing: Billing, actor: Actor) -> None:
    made, other = endpoint(actor, URL), account_with(billing)
    before = everything(billing)
    for act in (see, change, rotate):
        with pytest.raises(NotFound):
            act(other, made)
    with pytest.raises(NotFound):
        operations.remove_webhook_endpoint(other, str(other.account_id), made.id)
    assert everything(billing) == before


def test_there_is_an_end_to_them(actor: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "MAX_ENDPOINTS", 2)
    endpoint(actor, URL)
    endpoint(actor, URL)
    with pytest.raises(Conflict) as refused:
        endpoint(actor, URL)
    assert refused.value.code == "too_many_endpoints"


def test_every_change_is_in_the_audit_trail(actor: Actor) -> None:
    made = endpoint(actor, URL)
    change(actor, made, enabled=False)
    rotate(actor, made)
    operations.remove_webhook_endpoint(actor, str(actor.account_id), made.id)
    found = operations.list_changes(actor, str(actor.account_id))
    actions = [one.action for one in found if one.subject_id == made.id]
    assert actions == [f"webhook.{one}" for one in ("remove", "rotate_secret", "change", "add")]
    assert "whsec_" not in str(found)
