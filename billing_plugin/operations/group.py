"""Group commit: callers of one account who come while another's charge is being written are charged
together with the next write. Each waits for its own durable answer; none is charged with another's
fate, as every wish is decided by itself and has a ledger entry of its own.

There is no thread and no delay: whoever comes first writes at once and alone, whoever comes
meanwhile waits, and the first of those writes for all who wait by then.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from threading import Lock

from billing_plugin.context import current, write_transaction
from billing_plugin.errors import BillingError, InternalError
from billing_plugin.models import idempotency
from billing_plugin.operations.charging import Outcome, charge_all
from billing_plugin.operations.till import open_till
from billing_plugin.operations.wishes import Wish

_KEPT = "queues"
_making = Lock()


class Caller:
    """One who waits, for an answer or for the turn to write."""

    __slots__ = ("answer", "bell", "is_next", "wish")

    def __init__(self, wish: Wish) -> None:
        self.wish = wish
        self.answer: Outcome | BaseException | None = None
        self.is_next = False
        self.bell = Lock()
        self.bell.acquire()  # released when there is an answer, or when it is its turn


class Queue:
    """The callers of one account in this process."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.waiting: list[Caller] = []
        self.is_writing = False

    def join(self, caller: Caller) -> bool:
        """Joins the queue. True where it is the caller's turn to write at once."""
        with self.lock:
            self.waiting.append(caller)
            first, self.is_writing = not self.is_writing, True
            return first

    def take(self) -> list[Caller]:
        """All who wait, in order; they are the writer's now."""
        most = current().settings.max_batch
        with self.lock:
            taken, self.waiting = self.waiting[:most], self.waiting[most:]
            return taken

    def hand_over(self) -> None:
        """Gives the turn to who waits longest, if anybody does."""
        with self.lock:
            self.is_writing = bool(self.waiting)
            if self.waiting:
                self.waiting[0].is_next = True
                self.waiting[0].bell.release()

    def leave(self, caller: Caller) -> None:
        """Whoever was interrupted while it waited must not be given the turn, nor keep it."""
        with self.lock:
            if caller in self.waiting:
                self.waiting.remove(caller)
        if caller.is_next:
            self.hand_over()


def charge_in_turn(account_id: str, wish: Wish, alone: Callable[[], Outcome]) -> Outcome:
    """Charges a wish together with who else waits; `alone` charges it where nobody does.

    Raises nothing for a refusal: that is in the outcome. Raises StorageUnavailable.
    """
    queue, caller = _queue(account_id), Caller(wish)
    if not queue.join(caller):
        _wait(queue, caller)
        if caller.answer is not None:
            return _told(caller.answer)
    try:
        callers = queue.take()
        if len(callers) == 1:
            return alone()
        _write(account_id, callers, mine=caller)
    finally:
        queue.hand_over()
    return _told(caller.answer)


def _wait(queue: Queue, caller: Caller) -> None:
    try:
        caller.bell.acquire()
    except BaseException:
        queue.leave(caller)
        raise


def _write(account_id: str, callers: Sequence[Caller], *, mine: Caller) -> None:
    answers: Sequence[Outcome | BaseException]
    try:
        answers = _charged(account_id, [caller.wish for caller in callers])
    except BaseException as error:
        answers = [error] * len(callers)
    for caller, answer in zip(callers, answers, strict=True):
        caller.answer = answer
        if caller is not mine:
            caller.bell.release()


def _charged(account_id: str, wishes: Sequence[Wish]) -> list[Outcome]:
    for number, wish in enumerate(wishes):
        wish.place = number  # an entry of its own
    with write_transaction():
        till = open_till(wishes[0].signature, account_id)
        known = _known(wishes)
        return charge_all(till, wishes, known=known)


def _known(wishes: Sequence[Wish]) -> dict[bytes, str]:
    """What was charged before under the wishes' keys; who says something else is told so."""
    intents = {wish.intent.digest: wish for wish in wishes if wish.intent}
    found = idempotency.stored(intents) if intents else {}
    for wish in wishes:
        if wish.intent and wish.intent.digest in found:
            content, _ = found[wish.intent.digest]
            wish.check_content(content)
    return {digest: result_id for digest, (_, result_id) in found.items()}


def _told(answer: Outcome | BaseException | None) -> Outcome:
    if isinstance(answer, Outcome):
        return answer
    if isinstance(answer, BillingError):
        raise copy(answer)  # each caller its own: a raised exception carries its way
    raise InternalError("The charge was interrupted.") from answer


def _queue(account_id: str) -> Queue:
    queues: dict[str, Queue] = current().kept.setdefault(_KEPT, {})
    found = queues.get(account_id)
    if found is None:
        with _making:
            found = queues.setdefault(account_id, Queue())
    return found
