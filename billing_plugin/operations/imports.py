"""Importing usage from a file of requests: charged row by row, and safely again and again."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from billing_plugin.context import Actor, current, now
from billing_plugin.errors import BillingError, InsufficientFunds, InvalidRequest, LimitExceeded
from billing_plugin.models import accounts
from billing_plugin.models.usage import MAX_TOKENS, Usage
from billing_plugin.money import Money
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.charging import Outcome
from billing_plugin.operations.usage import (
    record_usage_batch,
)
from billing_plugin.operations.wishes import CLOCK_SKEW, Submission
from billing_plugin.periods import aware

COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_COUNT = re.compile(r"[0-9]{1,13}")


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did: rows read, recorded now, replayed from earlier imports, money charged
    now, and the refusal that stopped it with its line of the file (None: nothing stopped it)."""

    read: int
    charged: Money
    recorded: int = 0
    replayed: int = 0
    refusal: BillingError | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    key: str
    at: datetime
    input_tokens: int
    output_tokens: int


@operation(scope="usage:write", effect="spends")
def import_usage(
    actor: Actor,
    account_id: str,
    lines: Iterable[str],
    *,
    model: str,
    provider: str = "",
    progress: Callable[[ImportSummary], None] | None = None,
) -> ImportSummary:
    """Charges a CSV of requests (TIMESTAMP, UTC where it names no zone; ContextTokens;
    GeneratedTokens) at the price of one model, in order, in batches of the setting max_batch.

    The whole file is read and checked first: with a malformed row nothing is charged. It stops at
    the first request that the balance or a limit refuses; what came before stays charged. A row is
    known by its content and its number among equal rows: the same file again, also a longer one,
    charges only what is new, and under another model it is refused.
    Raises InvalidRequest (`extra["line"]`), UnpricedModel, NotFound, IdempotencyConflict.
    """
    account = accounts.get(account_id)
    rows = list(_rows(lines))
    summary = ImportSummary(len(rows), Money.zero(account.currency))
    size = max(current().settings.max_batch, 1)
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        outcomes = record_usage_batch(
            actor, account_id, [_submission(row, model, provider) for row in batch],
            stop_at_refusal=True,
        )  # fmt: skip
        summary = _added(summary, batch, outcomes)
        if progress:
            progress(summary)
        if summary.refusal:
            break
    return summary


def _submission(row: _Row, model: str, provider: str) -> Submission:
    used = Usage(
        model, provider, row.input_tokens, row.output_tokens, effective_at=row.at
    )  # fmt: skip
    return Submission(used, row.key)


def _added(
    summary: ImportSummary, batch: Sequence[_Row], outcomes: Sequence[Outcome]
) -> ImportSummary:
    new = [done.record for done in outcomes if done.record and not done.replayed]
    refusal = outcomes[-1].error
    if refusal and not isinstance(refusal, (LimitExceeded, InsufficientFunds)):
        raise refusal
    return replace(
        summary,
        recorded=summary.recorded + len(new),
        replayed=summary.replayed + sum(done.replayed for done in outcomes),
        charged=sum((record.cost for record in new), summary.charged),
        refusal=refusal,
        line=batch[len(outcomes) - 1].line if refusal else None,
    )


def _rows(lines: Iterable[str]) -> Iterator[_Row]:
    reader = csv.DictReader(_without_mark(lines), strict=True, restkey="", restval="")
    latest = now() + CLOCK_SKEW
    seen: Counter[tuple[str, ...]] = Counter()
    try:
        _check_header(reader.fieldnames)
        for cells in reader:
            content = tuple(cells[name].strip() for name in COLUMNS)
            seen[content] += 1
            yield _row(content, seen[content], line=reader.line_num, latest=latest)
    except (csv.Error, UnicodeDecodeError) as error:
        raise _malformed(reader.line_num + 1, "this is not CSV text") from error


def _without_mark(lines: Iterable[str]) -> Iterator[str]:
    """The lines without the byte order mark that spreadsheets put first."""
    for number, line in enumerate(lines):
        yield line if number else line.removeprefix("\ufeff")


def _check_header(names: Sequence[str] | None) -> None:
    missing = [name for name in COLUMNS if name not in (names or ())]
    if missing:
        raise _malformed(1, f"the column {missing[0]} is missing")


def _row(content: tuple[str, ...], number: int, *, line: int, latest: datetime) -> _Row:
    stamp, *counts = content
    tokens = [int(count) for count in counts if _COUNT.fullmatch(count)]
    if len(tokens) != len(counts) or max(tokens) > MAX_TOKENS:
        raise _malformed(line, f"a token count is a whole number from 0 to {MAX_TOKENS}")
    at = _time(stamp, line)
    if at > latest:
        raise _malformed(line, "the time lies in the future")
    return _Row(line, _key(content, number), at, *tokens)


def _time(stamp: str, line: int) -> datetime:
    """The instant, cut to microseconds."""
    try:
        at = datetime.fromisoformat(stamp) if _TIME.fullmatch(stamp) else None
        if at is not None:
            return aware(at if at.tzinfo else at.replace(tzinfo=UTC))
    except (ValueError, InvalidRequest) as error:
        raise _malformed(line, "the time is out of range") from error
    raise _malformed(line, "a time is written YYYY-MM-DD HH:MM:SS.ffffff")


def _key(content: tuple[str, ...], number: int) -> str:
    text = "\n".join((*content, str(number)))
    return "import:" + hashlib.sha256(text.encode()).hexdigest()


def _malformed(line: int, why: str) -> InvalidRequest:
    return InvalidRequest(f"Line {line} of the file is malformed: {why}.", extra={"line": line})
