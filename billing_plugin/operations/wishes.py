"""Wishes: uses that somebody wants to be charged, checked and rated before anything is locked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from billing_plugin.context import Actor, Signature
from billing_plugin.errors import BillingError, IdempotencyConflict, InvalidRequest
from billing_plugin.models import idempotency
from billing_plugin.models.base import dump
from billing_plugin.models.idempotency import OTHER_CONTENT, Intent
from billing_plugin.models.usage import Dims, Usage
from billing_plugin.operations import rating
from billing_plugin.operations.prices import Rated, rate
from billing_plugin.periods import aware

CLOCK_SKEW = timedelta(minutes=5)


@dataclass(slots=True)
class Submission:
    """One use to be charged, with the caller's idempotency key for it."""

    usage: Usage
    idempotency_key: str | None = None

    def intent(self, account_id: str, counts: str) -> Intent | None:
        """What its key stands for; `counts` is the text of its token counts."""
        if self.idempotency_key is None:
            return None
        said = self.usage.content_with(counts)
        return idempotency.intent(account_id, "usage", key=self.idempotency_key, content=said)


@dataclass(slots=True)
class Wish:
    """One use that somebody wants to be charged: rated, or why it cannot be."""

    used: Usage
    signature: Signature
    agent: str | None = None
    intent: Intent | None = None
    rated: Rated | BillingError | None = None
    counts: str = "{}"  # of its tokens, as they are stored
    place: int = 0  # wishes of one place may share a ledger entry

    @property
    def digest(self) -> bytes | None:
        """The digest of its idempotency key, if it has one."""
        return self.intent.digest if self.intent else None

    def check_content(self, content: bytes) -> None:
        """Refuses the wish where its key stands for other content."""
        if self.intent and self.intent.content != content:
            self.rated = IdempotencyConflict(OTHER_CONTENT)

    def dims(self, rated: Rated) -> Dims:
        """Whose use it is and of what."""
        said = self.used.metadata
        return Dims(self.signature.key_id, self.agent, rated.provider, rated.model, said)


def wishes_of(
    actor: Actor, account_id: str, submissions: Sequence[Submission], *, at: datetime
) -> list[Wish]:
    """The wishes behind submissions, rated; what is wrong with one stands in its rating."""
    return [wish_of(actor, account_id, submission, at=at) for submission in submissions]


def wish_of(actor: Actor, account_id: str, submission: Submission, *, at: datetime) -> Wish:
    """The wish behind one submission."""
    used = submission.usage
    wish = Wish(used, actor.signature, actor.agent)
    try:
        wish.counts = check_usage(used, at)
        wish.intent = submission.intent(account_id, wish.counts)
        wish.rated = rate(used, used.effective_at or at, account_id)
    except BillingError as error:
        wish.rated = error
    return wish


def check_usage(used: Usage, at: datetime) -> str:
    """Its token counts as JSON text. Raises InvalidRequest for names, counts, times or metadata
    that cannot be."""
    counts = rating.check_usage(used)
    if used.metadata:
        dump(used.metadata)
        if not all(isinstance(name, str) for name in used.metadata):
            raise InvalidRequest("Names in metadata are text.")
    if used.effective_at and aware(used.effective_at) > at + CLOCK_SKEW:
        raise InvalidRequest("effective_at lies in the future.", code="future_time")
    return counts
