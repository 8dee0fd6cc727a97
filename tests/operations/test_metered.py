"""Holds around the host's own calls: settled once, however the call ends."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from flask import Flask, Response
from waitress.server import create_server

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.errors import InsufficientFunds, InvalidRequest
from billing_plugin.operations import Usage
from billing_plugin.operations.metered import HeldCall, Stream
from tests.books import complaints
from tests.factories import Clock, account_with

MOST = Money.parse("10")
CHUNKS = 6


@pytest.fixture
def account_id(actor: Actor) -> str:
    return str(actor.account_id)


def left(billing: Billing, account_id: str) -> tuple[str, str]:
    """What is posted and what is held, with healthy books."""
    assert complaints(billing) == []
    balance = operations.check_balance(billing.operator(), account_id)
    return balance.posted.text, balance.held.text


def statuses(billing: Billing, account_id: str) -> list[str]:
    return [one.status for one in operations.list_holds(billing.operator(), account_id)]


def test_what_is_captured_is_charged_and_the_rest_comes_back(
    billing: Billing, account_id: str
) -> None:
    with billing.hold(account_id, MOST, model="gpt-4o", provider="openai") as held:
        assert left(billing, account_id) == ("100.00", "10.00")
        done = held.capture(Money.parse("3"))
    assert done is not None
    assert (done.record.model, done.record.provider) == ("gpt-4o", "openai")
    assert left(billing, account_id) == ("97.00", "0.00")


def test_nothing_noted_is_released(billing: Billing, account_id: str) -> None:
    with billing.hold(account_id, MOST):
        pass
    assert left(billing, account_id) == ("100.00", "0.00")
    assert statuses(billing, account_id) == ["released"]


def test_what_was_noted_is_charged_even_when_the_call_fails(
    billing: Billing, account_id: str
) -> None:
    with pytest.raises(LookupError), billing.hold(account_id, MOST) as held:
        held.note(Money.parse("1"))
        held.note(Money.parse("2"))
        held.note(None)
        raise LookupError
    assert left(billing, account_id) == ("98.00", "0.00")


def test_more_than_was_held_is_booked_as_it_has_happened(billing: Billing, account_id: str) -> None:
    with billing.hold(account_id, MOST) as held:
        held.capture(Money.parse("120"))
    assert left(billing, account_id) == ("-20.00", "0.00")


def test_another_policy_refuses_that(billing: Billing, account_id: str) -> None:
    with (
        pytest.raises(errors.Conflict) as refusal,
        billing.hold(account_id, MOST, policy="refuse") as held,
    ):
        held.note(Money.parse("11"))
    assert refusal.value.code == "capture_exceeds_hold"
    assert left(billing, account_id) == ("100.00", "10.00")


def test_the_callers_own_error_matters_more(
    billing: Billing, account_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(LookupError), billing.hold(account_id, MOST, policy="refuse") as held:
        held.note(Money.parse("11"))
        raise LookupError
    assert "capture_exceeds_hold" in caplog.text


def test_it_is_settled_once(billing: Billing, account_id: str) -> None:
    with billing.hold(account_id, MOST) as held:
        held.capture(Money.parse("1"))
        assert held.capture(Money.parse("2")) is None
        held.note(Money.parse("3"))
        held.settle()
    assert left(billing, account_id) == ("99.00", "0.00")


def test_what_cannot_be_held_is_not_called(billing: Billing, account_id: str) -> None:
    called = []
    with pytest.raises(InsufficientFunds), billing.hold(account_id, Money.parse("101")):
        called.append(True)
    assert not called


def test_there_is_no_hold_before_the_block(billing: Billing, account_id: str) -> None:
    call = billing.hold(account_id, MOST)
    with pytest.raises(InvalidRequest):
        _ = call.hold
    with call:
        first = call.hold.id
        assert call.open().hold.id == first
    assert len(statuses(billing, account_id)) == 1


def test_an_agent_is_named(billing: Billing, account_id: str) -> None:
    with billing.hold(account_id, MOST, agent="researcher") as held:
        done = held.capture(Money.parse("1"))
    assert done is not None
    assert done.record.agent == "researcher"


class Source:
    """A provider's stream: so many chunks, and whether somebody closed it."""

    def __init__(self, chunks: int = CHUNKS, fails_at: int | None = None) -> None:
        self.passed, self.chunks, self.fails_at, self.closed = 0, chunks, fails_at, 0

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        if self.passed == self.fails_at:
            raise ConnectionError
        if self.passed == self.chunks:
            raise StopIteration
        self.passed += 1
        return self.passed

    def close(self) -> None:
        self.closed += 1


def dollars(chunk: int) -> Money:
    return Money.from_cents(100 * chunk)


def streamed(billing: Billing, account_id: str, source: Any, measure: Any = dollars) -> Stream[int]:
    return billing.hold(account_id, MOST).stream(source, measure)


@pytest.mark.parametrize("times", [1, 2, 3])
@pytest.mark.parametrize("passed", range(CHUNKS + 2))
def test_a_client_that_goes_away_after_any_chunk_pays_once_for_what_went_out(
    billing: Billing, account_id: str, passed: int, times: int
) -> None:
    source = Source()
    stream = streamed(billing, account_id, source)
    for _ in range(passed):
        next(stream, None)
    for _ in range(times):
        stream.close()
    sent = min(passed, CHUNKS)
    assert left(billing, account_id) == (f"{100 - sent}.00", "0.00")
    assert statuses(billing, account_id) == ["captured" if sent else "released"]
    assert source.closed == times


@pytest.mark.parametrize("passed", range(CHUNKS))
def test_a_provider_that_breaks_off_is_paid_for_what_came(
    billing: Billing, account_id: str, passed: int
) -> None:
    stream = streamed(billing, account_id, Source(fails_at=passed))
    with pytest.raises(ConnectionError):
        list(stream)
    stream.close()
    assert left(billing, account_id) == (f"{100 - passed}.00", "0.00")


def test_chunks_that_nobody_could_measure_cost_all_that_is_held(
    billing: Billing, account_id: str
) -> None:
    stream = streamed(billing, account_id, iter([1, 2]), lambda _: None)
    assert list(stream) == [1, 2]
    stream.close()
    assert left(billing, account_id) == ("90.00", "0.00")


def test_a_measure_that_fails_does_not_lose_what_was_measured(
    billing: Billing, account_id: str
) -> None:
    def measure(chunk: int) -> Money:
        return {1: Money.parse("1"), 2: Money.parse("2")}[chunk]

    stream = streamed(billing, account_id, Source(), measure)
    with pytest.raises(KeyError):
        list(stream)
    assert left(billing, account_id) == ("98.00", "0.00")


def test_a_stream_whose_hold_expired_meanwhile_is_still_booked(
    billing: Billing, account_id: str, clock: Clock
) -> None:
    stream = streamed(billing, account_id, Source())
    next(stream)
    clock.forward(hours=1)
    stream.close()
    assert left(billing, account_id) == ("99.00", "0.00")


def served(app: Flask) -> Iterator[int]:
    server: Any = create_server(app, host="127.0.0.1", port=0, threads=2)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    yield server.effective_port
    server.close()
    thread.join(10)


@pytest.fixture
def port(billing: Billing, account_id: str) -> Iterator[int]:
    """A real server whose one page streams slowly, with a body too large for any buffer."""
    app = Flask("streaming")

    @app.get("/")
    def page() -> Response:
        def slowly() -> Iterator[bytes]:
            for _ in range(400):
                time.sleep(0.005)
                yield b"x" * 100_000

        call = billing.hold(account_id, Money.parse("50"))
        cents = iter(range(1, 10_000))
        return Response(call.stream(slowly(), lambda _: Money.from_cents(next(cents))))

    yield from served(app)


def test_a_socket_that_closes_in_mid_stream_settles_the_hold(
    billing: Billing, account_id: str, port: int
) -> None:
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    deadline = time.monotonic() + 20
    while statuses(billing, account_id) != ["captured"] and time.monotonic() < deadline:
        time.sleep(0.05)
    posted, held = left(billing, account_id)
    assert held == "0.00"
    assert Money.parse("96") < Money.parse(posted) < Money.parse("100")


def test_a_function_is_billed_by_its_result(billing: Billing, account_id: str) -> None:
    @billing.billed(MOST, used=lambda answer: Money.parse(answer["cost"]), model="gpt-4o")
    def ask(question: str, *, account_id: str) -> dict[str, str]:
        return {"answer": question.upper(), "cost": "2.5"}

    assert ask("why", account_id=account_id)["answer"] == "WHY"
    assert left(billing, account_id) == ("97.50", "0.00")
    assert ask.__name__ == "ask"


def test_a_function_may_capture_by_itself(billing: Billing, account_id: str) -> None:
    @billing.billed(Usage("gpt-4o", "openai", output_tokens=4_000), account="who")
    def ask(who: str, held: HeldCall) -> str:
        held.capture(Usage("gpt-4o", "openai", input_tokens=1_000, output_tokens=100))
        return who

    assert ask(account_id) == account_id  # type: ignore[call-arg]  # the decorator gives `held`
    assert left(billing, account_id) == ("99.9965", "0.00")


def test_a_function_that_names_no_account_is_refused_at_once(billing: Billing) -> None:
    with pytest.raises(InvalidRequest):

        @billing.billed(MOST)
        def ask(question: str) -> str:
            return question


def test_one_account_cannot_hold_for_another(billing: Billing, account_id: str) -> None:
    other = account_with(billing, "5")
    with pytest.raises(errors.NotFound), HeldCall(other, account_id, MOST):
        pass
