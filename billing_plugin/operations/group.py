"""Group commit: callers of one account who come while another's charge is being written are charged
together with the next write. Each waits for its own durable answer; none is charged with another's
fate, as every wish is decided by itself and has a ledger entry of its own.

There is no thread and no delay: whoever comes first writes at once and alone, whoever comes
meanwhile waits, and is written by who writes already or by the first of those who wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from threading import Lock

from billing_plugin.context import current, is_sqlite, write_transaction
from billing_plugin.errors import BillingError, InternalError
from billing_plugin.models import idempotency
from billing_plugin.operations import quick
from billing_plugin.operations.charging import Outcome, charge_all
from billing_plugin.operations.quick import Ready
from billing_plugin.operations.till import open_till
from billing_plugin.operations.wishes import Wish

PATIENCE_S = 1
ROUNDS = 8  # of writes by one caller, whose own answer waits for them
_KEPT = "queues"
_making = Lock()


class Caller:
    """One who waits, for an answer or for the turn to write."""

    __slots__ = ("answer", "bell", "is_next", "ready", "then", "wish")

    def __init__(self, wish: Wish, ready: Ready | None = None) -> None:
        self.wish, self.ready = wish, ready
        self.then: Caller | None = None  # who is to be woken next
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


def charge_in_turn(account_id: str, caller: Caller) -> Outcome:
    """Charges a caller's wish together with those of who else waits.

    Raises nothing for a refusal: that is in the outcome. Raises StorageUnavailable.
    """
    queue = _queue(account_id)
    if not queue.join(caller):
        _wait(queue, caller)
        if caller.answer is not None:
            return _told(caller.answer)
    try:
        _lead(queue, account_id, caller)
    finally:
        queue.hand_over()
    return _told(caller.answer)


def charge_alone(account_id: str, caller: Caller) -> Outcome:
    """Charges a caller's wish by itself, inside the host's transaction if there is one."""
    [outcome] = _charged(account_id, [caller])
    return outcome


def _wait(queue: Queue, caller: Caller) -> None:
    """Until there is an answer, or it is the caller's turn; then wakes who is to be woken next."""
    try:
        if caller.ready and not is_sqlite():
            caller.ready.move.tell()  # while there is time for it
        while not caller.bell.acquire(timeout=PATIENCE_S):
            if caller.answer is not None or caller.is_next:
                break  # whoever should have rung was interrupted
    except BaseException:
        queue.leave(caller)
        raise
    finally:
        if caller.then is not None:
            caller.then.bell.release()


def _lead(queue: Queue, account_id: str, mine: Caller) -> None:
    """Writes for all who wait and then for those who came meanwhile, ROUNDS times at most: the next
    write is on its way before anybody who got an answer is awake."""
    for _ in range(ROUNDS):
        callers = queue.take()
        if not callers:
            return
        try:
            answers: Sequence[Outcome | BaseException] = _charged(account_id, callers)
        except BaseException as error:
            _tell(callers, [error] * len(callers), mine)
            if mine in callers or not isinstance(error, Exception):
                raise
        else:
            _tell(callers, answers, mine)


def _tell(
    callers: Sequence[Caller], answers: Sequence[Outcome | BaseException], mine: Caller
) -> None:
    """Each is woken by the one before: all at once would only stand in each other's way."""
    last = None
    for caller, answer in zip(reversed(callers), reversed(answers), strict=True):
        caller.answer = answer
        if caller is not mine:
            caller.then, last = last, caller
    if last:
        last.bell.release()


def _charged(account_id: str, callers: Sequence[Caller]) -> list[Outcome]:
    """What became of each: in one statement where all are ready and nothing is out of the
    ordinary, else by the general way."""
    ready = [caller.ready for caller in callers if caller.ready]
    records = quick.charge(ready) if len(ready) == len(callers) else None
    if records is not None:
        return list(map(Outcome, records))
    return _generally(account_id, [caller.wish for caller in callers])


def _generally(account_id: str, wishes: Sequence[Wish]) -> list[Outcome]:
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
