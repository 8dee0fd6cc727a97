"""Holds around a call of the host's own: money is reserved before it and settled once after it,
however it ends: with an answer, with an error, or with a client that went away in mid-stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from inspect import signature
from threading import Lock
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

from billing_plugin.context import Actor
from billing_plugin.errors import BillingError, InvalidRequest
from billing_plugin.models.holds import Hold
from billing_plugin.models.usage import Usage
from billing_plugin.money import Money
from billing_plugin.operations.holds import OVERDRAFT, Captured, capture, hold, release

log = logging.getLogger("billing_plugin")
Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
P = ParamSpec("P")
Used = Money | Usage


class HeldCall:
    """One call under a hold. As a context manager it makes the hold and settles it at the end.

    `capture` says what the call has cost; `note` what it has cost so far. Who leaves the block with
    something noted and nothing captured is charged what was noted, an error or not; with nothing
    noted the hold is released. `policy` decides about costs beyond the hold (see
    `operations.capture`; by default they are booked, because the provider has charged them).
    Raises what `operations.hold` raises.
    """

    def __init__(
        self, actor: Actor, account_id: str, expected: Used, *, policy: str = OVERDRAFT,
        **options: Any,
    ) -> None:  # fmt: skip
        self._actor, self._account_id, self._expected = actor, account_id, expected
        self._policy, self._options = policy, options
        self._settling = Lock()
        self._is_settled = False
        self._noted: Used | None = None
        self._hold: Hold | None = None

    @property
    def hold(self) -> Hold:
        """The hold as it was made. Raises InvalidRequest before it is."""
        if self._hold is None:
            raise InvalidRequest("The hold is made when the block is entered.")
        return self._hold

    def open(self) -> HeldCall:
        """Makes the hold, once. `with` does it by itself."""
        if self._hold is None:
            held = hold(self._actor, self._account_id, self._expected, **self._options)
            self._hold = held.hold
        return self

    def note(self, used: Used | None) -> None:
        """What the call has cost so far, all in all; None changes nothing."""
        self._noted = self._noted if used is None else used

    def capture(self, used: Used | None = None) -> Captured | None:
        """Charges what the call has cost (None: all that is held). None where it was settled."""
        return self._once(lambda: self._captured(used))

    def settle(self) -> None:
        """Charges what was noted, or releases the hold where nothing was. Again changes nothing."""
        self._once(self._released if self._noted is None else self._charged)

    def stream(
        self, chunks: Iterable[Chunk], measure: Callable[[Chunk], Used | None]
    ) -> Stream[Chunk]:
        """Passes the chunks on and settles once: at their end, at an error, or when it is closed,
        as a WSGI server does when the client has gone.

        `measure` says of each chunk what the whole call has cost so far, or None where that is not
        known yet. If chunks went out and nothing was ever measured, all that is held is charged.
        """
        return Stream(self.open(), chunks, measure)

    def __enter__(self) -> HeldCall:
        return self.open()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        try:
            self.settle()
        except BillingError as trouble:
            if error is None:
                raise
            # The caller's own error matters more; the hold frees itself when its time is over.
            log.warning("hold %s was not settled: %s", self.hold.id, trouble.code)

    def _once(self, act: Callable[[], Captured | None]) -> Captured | None:
        with self._settling:
            if self._is_settled:
                return None
            done = act()
            self._is_settled = True
            return done

    def _charged(self) -> Captured:
        return self._captured(self._noted)

    def _captured(self, used: Used | None) -> Captured:
        return capture(self._actor, self._account_id, self.hold.id, taken=used, policy=self._policy)

    def _released(self) -> None:
        release(self._actor, self._account_id, self.hold.id)


class Stream(Generic[Chunk]):
    """A response body that settles its hold exactly once, however it ends. Give it to Flask."""

    def __init__(
        self, call: HeldCall, chunks: Iterable[Chunk], measure: Callable[[Chunk], Used | None]
    ) -> None:
        self._call, self._measure = call, measure
        self._source, self._chunks = chunks, iter(chunks)
        self._is_measured = self._has_begun = False

    def __iter__(self) -> Iterator[Chunk]:
        return self

    def __next__(self) -> Chunk:
        try:
            chunk = next(self._chunks)
            self._has_begun = True
            used = self._measure(chunk)
        except BaseException:  # the end of the chunks is one of these
            self._settle()
            raise
        self._is_measured = self._is_measured or used is not None
        self._call.note(used)
        return chunk

    def close(self) -> None:
        """Ends it: closes the source, which stops the provider's stream, and settles."""
        try:
            close = getattr(self._source, "close", None)
            if close is not None:
                close()
        finally:
            self._settle()

    def _settle(self) -> None:
        if self._has_begun and not self._is_measured:
            self._call.capture()
        else:
            self._call.settle()


def billed(
    call: Callable[[str], HeldCall], *, account: str = "account_id",
    used: Callable[[Result], Used | None] | None = None,
) -> Callable[[Callable[P, Result]], Callable[P, Result]]:  # fmt: skip
    """Makes every call of a function a HeldCall of the account that its parameter `account` names.

    `used` says of the result what it has cost. A function with a parameter `held` gets the HeldCall
    and may note or capture by itself. Raises InvalidRequest where there is no such parameter.
    """

    def declare(function: Callable[P, Result]) -> Callable[P, Result]:
        takes = signature(function)
        if account not in takes.parameters:
            raise InvalidRequest(f"{function.__name__} has no parameter {account}.")

        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> Result:
            hidden = {"held": None} if "held" in takes.parameters else {}
            said = takes.bind(*args, **{**hidden, **kwargs})
            with call(said.arguments[account]) as held:
                if hidden:
                    said.arguments["held"] = held
                result = function(*said.args, **said.kwargs)
                if used is not None:
                    held.note(used(result))
                return result

        return run

    return declare
