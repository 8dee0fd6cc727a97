"""Messages of processors: verified, stored once, answered at once, acted on in a job.

A message says that something happened, never what: the processor is asked that. So it may come
twice, late, in any order, or years later, and changes nothing that it should not.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from billing_plugin.context import Actor, after_commit, current, now, utc_now, write_transaction
from billing_plugin.errors import BillingError, InvalidRequest, NotFound
from billing_plugin.models import messages, topups
from billing_plugin.models.messages import DONE, IGNORED, RECEIVED, StoredMessage
from billing_plugin.operations.catalogue import operation, storable
from billing_plugin.operations.topups import ask

JOB = "worker.jobs.settle_message"
MAX_ID, DUE_AT_ONCE = 200, 100
LEFT_BEHIND = timedelta(minutes=1)  # after which a message is given to a worker again
_WAITS = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 1440)]


@operation(scope="jobs:run", effect="writes")
def receive_message(
    actor: Actor, processor: str, body: bytes, *, headers: Mapping[str, str]
) -> str | None:
    """Stores a message and hands its id to the queue; its id, or None where it is known already.

    Raises NotFound for a processor that is not set up or sends nothing signed, InvalidRequest
    (`invalid_signature`, `malformed_json`); then nothing is stored.
    """
    del actor
    instance = current()
    given = instance.settings.processor_webhook_secrets.split(",")
    secrets = [secret.strip() for secret in given if secret.strip()]
    if instance.processor is None or instance.processor.name != processor or not secrets:
        raise NotFound("There is no such processor here.")
    read = instance.processor.read_message(body, headers, secrets=secrets, at=utc_now())
    if not read.id or any(len(storable(text)) > MAX_ID for text in read):
        raise InvalidRequest("The message has no id, or none of ours.", code="malformed_json")
    with write_transaction():
        message_id = messages.add(processor, tuple(read), now(), try_at=now() + LEFT_BEHIND)
        if message_id:
            _enqueue_after_commit(message_id)
    return message_id


@operation(scope="jobs:run", effect="asks")
def settle_message(actor: Actor, message_id: str) -> bool:
    """Acts on a stored message: asks the processor about the payment it names. False where that is
    none of ours, or it was acted on before. Raises NotFound, and whatever went wrong: then it is
    tried again, after a day not again."""
    message = messages.get(message_id)
    if message.status != RECEIVED:
        return False
    topup = topups.find(payment_id=message.payment_id, reference=message.reference)
    if topup is None or topup.processor != message.processor:
        messages.settle(message, IGNORED, now())
        return False
    try:
        settled = ask(actor, topup)
    except BillingError as error:
        _put_off(message, error.code)
        raise
    if settled is None:
        _put_off(message, "no_answer")
    else:
        messages.settle(message, DONE, now())
    return settled is not None


@operation(scope="jobs:run", effect="writes")
def retry_messages(actor: Actor) -> list[str]:
    """Enqueues messages that could not be acted on or were left behind; returns their ids."""
    del actor
    found = messages.due(now(), DUE_AT_ONCE)
    for message_id in found:
        _enqueue_after_commit(message_id)
    return found


def _put_off(message: StoredMessage, why: str) -> None:
    waits = _WAITS[message.attempts : message.attempts + 1]
    messages.put_off(message, why, try_at=now() + waits[0] if waits else None)


def _enqueue_after_commit(message_id: str) -> None:
    instance = current()

    def enqueue() -> None:
        # The commit may be the host's own, long after this instance was at work.
        with instance.active():
            instance.enqueue(JOB, message_id)

    after_commit(enqueue)
