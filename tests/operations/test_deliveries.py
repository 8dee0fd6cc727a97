"""Telling real receivers: at least once, under one id, until they have it or it is given up."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.errors import ConfigurationError, Conflict, InvalidRequest, NotFound
from billing_plugin.models.deliveries import DELIVERED, FAILED, PENDING, Delivery
from billing_plugin.operations import deliveries as operation
from billing_plugin.operations.deliveries import WAITS_S, wait_after
from tests.factories import START, Clock, account_with, billing_on
from tests.receivers.servers import Receiver, receiver
from tests.telling import bought, buy, deliveries, endpoint, see, sweep


@pytest.fixture
def there() -> Iterator[Receiver]:
    """A receiver at work."""
    with receiver() as found:
        yield found


@pytest.fixture
def billing(database_url: str, clock: Clock) -> Billing:
    """One that may tell this machine, and is impatient."""
    return billing_on(database_url, clock=clock, webhook_local=True, webhook_timeout_s=2)


def test_an_event_is_delivered_and_verified(
    billing: Billing, actor: Actor, there: Receiver
) -> None:
    made = endpoint(actor, there.url)
    topup_id = buy(actor)
    [delivery_id] = sweep(billing)
    [got] = there.received
    told = got.verified(made.secret)
    assert (told["type"], told["timestamp"]) == ("topup.succeeded", "2026-03-09T14:32:00.000000Z")
    assert told["data"]["topupId"] == topup_id
    assert told["data"]["accountId"] == actor.account_id
    assert told["data"]["amount"] == {"amount": "5.00", "currency": "USD"}
    [delivery] = deliveries(actor, made)
    assert (delivery.id, delivery.event_id, delivery.event) == (delivery_id, got.id, told["type"])
    assert (delivery.status, delivery.attempts, delivery.response_code) == (DELIVERED, 1, 200)
    assert sweep(billing) == []
    assert len(there.received) == 1


def test_only_who_wants_it_is_told(billing: Billing, actor: Actor, there: Receiver) -> None:
    endpoint(actor, there.url + "/failed", "topup.failed")
    endpoint(actor, there.url + "/some", "topup.succeeded", "balance.low")
    endpoint(actor, there.url + "/all")
    endpoint(account_with(billing), there.url + "/another")
    buy(actor)
    sweep(billing)
    assert sorted(one.path for one in there.received) == ["/in/all", "/in/some"]
    assert len(set(there.ids)) == 1  # one event


def test_while_a_secret_is_rotated_both_verify(
    billing: Billing, actor: Actor, there: Receiver
) -> None:
    made = endpoint(actor, there.url)
    new = operations.rotate_webhook_secret(actor, str(actor.account_id), made.id)
    buy(actor)
    sweep(billing)
    [got] = there.received
    assert got.verified(made.secret) == got.verified(new.secret) == got.told


@pytest.mark.parametrize(
    ("how", "code", "error"),
    [
        (500, 500, "refused"),
        (404, 404, "refused"),
        ("redirect", 302, "refused"),
        ("silent", None, "timeout"),
        ("drip", None, "timeout"),
    ],
)
def test_what_fails_is_tried_again_under_the_same_id(
    billing: Billing, actor: Actor, there: Receiver, clock: Clock, *,
    how: str | int, code: int | None, error: str,
) -> None:  # fmt: skip
    made = endpoint(actor, there.url)
    buy(actor)
    there.how = how
    sweep(billing)
    [found] = deliveries(actor, made)
    assert (found.status, found.response_code, found.error) == (PENDING, code, error)
    assert found.try_at == START + timedelta(seconds=5) + (found.try_at - START) % timedelta(
        seconds=1
    )
    assert see(actor, made).failing_since == START
    assert sweep(billing) == []  # not due
    there.how = 200
    clock.forward(seconds=6)
    sweep(billing)
    [found] = deliveries(actor, made)
    assert (found.status, found.attempts, found.error) == (DELIVERED, 2, None)
    assert see(actor, made).failing_since is None
    first, second = there.received
    assert (first.id, first.body) == (second.id, second.body)
    second.verified(made.secret)


def test_an_endless_answer_is_a_good_one(billing: Billing, actor: Actor, there: Receiver) -> None:
    made = endpoint(actor, there.url)
    there.how = "endless"
    buy(actor)
    sweep(billing)
    assert deliveries(actor, made)[0].status == DELIVERED


def test_it_is_given_up_after_three_days(
    billing: Billing, actor: Actor, there: Receiver, clock: Clock
) -> None:
    made = endpoint(actor, there.url)
    there.how = 500
    buy(actor)
    sweep(billing)
    for _ in range(20):
        found = deliveries(actor, made)[0]
        if found.try_at is None:
            break
        clock.at = found.try_at
        sweep(billing)
    assert (found.status, found.attempts) == (FAILED, len(WAITS_S) + 1)
    assert timedelta(days=3) < clock.at - START < timedelta(days=3.6)
    assert len(set(there.ids)) == 1
    assert len(there.received) == len(WAITS_S) + 1
    assert see(actor, made).enabled


def test_the_waits_are_the_same_for_the_same_delivery() -> None:
    made = [Delivery(id=f"dlv_{number}", tries=4) for number in range(200)]
    waits = [wait_after(one) for one in made]
    assert waits == [wait_after(one) for one in made]
    assert len(set(waits)) > 100
    least = timedelta(seconds=WAITS_S[3])
    assert all(wait is not None and least <= wait <= least * 11 / 10 for wait in waits)
    assert wait_after(Delivery(id="dlv_1", tries=len(WAITS_S) + 1)) is None


def test_who_does_nothing_but_fail_is_disabled(
    billing: Billing, actor: Actor, there: Receiver, clock: Clock
) -> None:
    made = endpoint(actor, there.url)
    there.how = 500
    for _ in range(6):
        buy(actor)
        sweep(billing)
        clock.forward(days=1)
    found = see(actor, made)
    assert (found.enabled, found.disabled_reason, found.failing_since) == (0, "failing", START)
    asked = len(there.received)
    clock.forward(days=1)
    sweep(billing)
    assert {one.status for one in deliveries(actor, made)} == {FAILED}
    assert {one.error for one in deliveries(actor, made)} <= {"endpoint_disabled", "refused"}
    buy(actor)
    sweep(billing)
    assert len(there.received) == asked


def test_410_disables_at_once(billing: Billing, actor: Actor, there: Receiver) -> None:
    made = endpoint(actor, there.url)
    there.how = 410
    buy(actor)
    sweep(billing)
    assert (see(actor, made).enabled, see(actor, made).disabled_reason) == (0, "gone")
    [found] = deliveries(actor, made)
    assert (found.status, found.response_code, found.try_at) == (FAILED, 410, None)


def test_without_the_vaults_key_the_receiver_is_not_to_blame(
    billing: Billing, actor: Actor, there: Receiver
) -> None:
    made = endpoint(actor, there.url)
    buy(actor)

    def broken() -> object:
        raise ConfigurationError("No key.")

    billing.instance.open_vault = broken
    sweep(billing)
    assert there.received == []
    [found] = deliveries(actor, made)
    assert (found.status, found.error) == (PENDING, "not_supported")
    assert see(actor, made).failing_since is None


def test_a_delivery_is_replayed(billing: Billing, actor: Actor, there: Receiver) -> None:
    made = endpoint(actor, there.url)
    buy(actor)
    sweep(billing)
    [found] = deliveries(actor, made)
    again = operations.replay_delivery(actor, str(actor.account_id), found.id)
    assert (again.id, again.status) == (found.id, PENDING)
    sweep(billing)
    assert len(there.received) == 2
    assert len(set(there.ids)) == 1
    assert deliveries(actor, made)[0].attempts == 2


def test_what_a_disabled_endpoint_missed_is_replayed(
    billing: Billing, actor: Actor, there: Receiver, clock: Clock
) -> None:
    mine, made = str(actor.account_id), endpoint(actor, there.url)

    def enable(enabled: bool) -> None:
        operations.change_webhook_endpoint(actor, mine, made.id, enabled=enabled)

    def replay(since: int, until: int) -> int:
        span = {"since": START + timedelta(hours=since), "until": START + timedelta(hours=until)}
        return operations.replay_events(actor, mine, made.id, **span).number

    enable(False)
    for _ in range(4):
        buy(actor)
        sweep(billing)
        clock.forward(hours=1)
    assert (there.received, deliveries(actor, made)) == ([], [])
    with pytest.raises(Conflict) as refused:
        replay(0, 4)
    assert refused.value.code == "endpoint_disabled"
    enable(True)
    assert replay(1, 3) == 2
    sweep(billing)
    assert sorted(there.ids) == bought(billing)[1:3]
    assert replay(0, 4) == 4
    sweep(billing)
    assert sorted(there.ids) == sorted([*bought(billing), *bought(billing)[1:3]])


def test_many_are_replayed_part_by_part(
    billing: Billing, actor: Actor, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operation, "REPLAYED_AT_ONCE", 2)
    made = endpoint(actor, there.url, "topup.succeeded")
    for _ in range(5):
        buy(actor)
    numbers, after = [], ""
    while True:
        done = operations.replay_events(
            actor, str(actor.account_id), made.id, since=START, until=START + timedelta(hours=1),
            after=after,
        )  # fmt: skip
        numbers.append(done.number)
        if done.last_id is None:
            break
        after = done.last_id
    assert numbers == [2, 2, 1, 0]
    assert len(deliveries(actor, made)) == 5


def test_another_accounts_deliveries_are_not_there(
    billing: Billing, actor: Actor, there: Receiver
) -> None:
    made, other = endpoint(actor, there.url), account_with(billing)
    buy(actor)
    sweep(billing)
    [found] = deliveries(actor, made)
    theirs, span = str(other.account_id), {"since": START, "until": START + timedelta(days=1)}
    with pytest.raises(NotFound):
        operations.list_webhook_deliveries(other, theirs, made.id)
    with pytest.raises(NotFound):
        operations.replay_delivery(other, theirs, found.id)
    with pytest.raises(NotFound):
        operations.replay_events(other, theirs, made.id, **span)
    assert sweep(billing) == []


def test_bad_requests(actor: Actor, there: Receiver) -> None:
    made, mine = endpoint(actor, there.url), str(actor.account_id)
    with pytest.raises(InvalidRequest):
        deliveries(actor, made, status="lost")
    with pytest.raises(InvalidRequest):
        deliveries(actor, made, limit=101)
    with pytest.raises(InvalidRequest):
        operations.replay_events(actor, mine, made.id, since=START, until=START)


def test_of_many_workers_one_sends(billing: Billing, actor: Actor, there: Receiver) -> None:
    endpoint(actor, there.url)
    buy(actor)
    [event_id] = bought(billing)
    with ThreadPoolExecutor(8) as pool:
        spread = list(
            pool.map(lambda _: operations.spread_event(billing.operator(), event_id), range(8))
        )
        assert sorted(spread) == [0] * 7 + [1]
        with billing.instance.active():
            [delivery] = Delivery.select()
        sent = list(
            pool.map(lambda _: operations.deliver_event(billing.operator(), delivery.id), range(8))
        )
    assert sorted(sent) == [False] * 7 + [True]
    assert len(there.received) == 1


def test_nothing_is_sent_inside_a_transaction(
    billing: Billing, actor: Actor, there: Receiver
) -> None:
    endpoint(actor, there.url)
    buy(actor)
    with (
        billing.instance.active(),
        billing.instance.database.atomic(),
        pytest.raises(ConfigurationError),
    ):
        operations.deliver_event(billing.operator(), "dlv_1")
    assert there.received == []


def test_with_a_queue_jobs_are_handed_on(database_url: str, clock: Clock) -> None:
    billing = billing_on(database_url, clock=clock, redis_url="redis://127.0.0.1:1/0")
    actor, given = account_with(billing), list[tuple[str, str]]()
    billing.instance.enqueue = lambda job, about: given.append((job, about))
    made = endpoint(actor, "https://hooks.example.com/in")
    buy(actor)
    jobs = given[:]  # one for what was bought, one for its invoice
    assert [job for job, _ in jobs] == ["worker.jobs.spread_event"] * 2
    spread = [operations.spread_event(billing.operator(), event_id) for _, event_id in jobs]
    assert spread == [1, 0]
    [delivery] = deliveries(actor, made)
    assert given[2:] == [("worker.jobs.deliver_event", delivery.id)]
    assert sweep(billing) == [delivery.id]
    assert given[3:] == given[2:3]


def test_no_secret_is_logged(
    billing: Billing, actor: Actor, there: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    made = endpoint(actor, there.url)
    for how in (200, 500, 410):
        there.how = how
        buy(actor)
        sweep(billing)
    assert f"webhook endpoint {made.id} is disabled: gone" in caplog.text
    assert made.secret.removeprefix("whsec_") not in caplog.text
    assert there.url not in caplog.text


def test_a_slow_receiver_holds_up_no_sweep(
    billing: Billing, actor: Actor, there: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not tried in its time is tried in the next."""
    endpoint(actor, there.url)
    for _ in range(3):
        buy(actor)
    monkeypatch.setattr(operation, "SWEEPS_S", -1)
    assert sweep(billing) == []
    monkeypatch.setattr(operation, "SWEEPS_S", 20)
    assert len(sweep(billing)) == 3
    assert len(there.received) == 3
