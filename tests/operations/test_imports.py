"""Importing files of requests: checked first, charged in order, known again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models import usage
from billing_plugin.operations import ImportSummary
from tests.books import complaints, counts, everything
from tests.factories import account_with, billing_on

HEADER = "TIMESTAMP,ContextTokens,GeneratedTokens"
ROWS = [f"2023-11-16 18:15:{second:02d}.1234567,{second + 1}000,10" for second in range(10)]
COSTS = [(second + 1) * 1000 * 2500 + 10 * 10_000 for second in range(10)]  # nanos, at gpt-4o


def lines(*rows: str) -> list[str]:
    return [HEADER, *rows]


def run(actor: Actor, *rows: str, model: str = "gpt-4o", **said: Any) -> ImportSummary:
    account_id = str(actor.account_id)
    return operations.import_usage(
        actor, account_id, lines(*rows), model=model, provider="openai", **said
    )


@pytest.fixture
def small(database_url: str) -> Iterator[Billing]:
    """A billing system that charges three records at a time."""
    system = billing_on(database_url, max_batch=3)
    yield system
    system.instance.database.close_all()  # type: ignore[attr-defined]  # of peewee's pools


def test_rows_are_charged_at_their_own_time(small: Billing) -> None:
    actor = account_with(small, "1")
    done = run(actor, *ROWS)
    assert (done.read, done.recorded, done.replayed) == (10, 10, 0)
    assert (done.charged.nanos, done.refusal, done.line) == (sum(COSTS), None, None)
    with small.instance.active():
        stored = usage.page(str(actor.account_id))
    stored.sort(key=lambda record: record.effective_at)
    assert stored[0].effective_at == datetime(2023, 11, 16, 18, 15, 0, 123456, tzinfo=UTC)
    assert [record.cost_nanos for record in stored] == COSTS
    assert stored[9].quantities == {"input_tokens": 10_000, "output_tokens": 10}
    assert complaints(small) == []


def test_the_same_file_changes_nothing_and_a_longer_one_adds_its_end(small: Billing) -> None:
    actor = account_with(small, "1")
    run(actor, *ROWS[:7])
    before = everything(small)
    again = run(actor, *ROWS[:7])
    assert (again.recorded, again.replayed, again.charged.nanos) == (0, 7, 0)
    assert everything(small) == before
    longer = run(actor, *ROWS)
    assert (longer.recorded, longer.replayed, longer.charged.nanos) == (3, 7, sum(COSTS[7:]))


def test_equal_rows_are_each_charged_and_each_known_again(small: Billing) -> None:
    actor = account_with(small, "1")
    assert run(actor, *[ROWS[0]] * 4).recorded == 4
    again = run(actor, *[ROWS[0]] * 5, ROWS[1])
    assert (again.recorded, again.replayed) == (2, 4)


def test_the_form_of_the_file_is_not_its_content(small: Billing) -> None:
    actor = account_with(small, "1")
    run(actor, *ROWS[:2])
    first, second = (row.split(",") for row in ROWS[:2])
    other = [
        "\ufeffuser,GeneratedTokens,ContextTokens,TIMESTAMP\r\n",
        f'ann,"{first[2]}", {first[1]} ,{first[0]}\r\n',
        "\r\n",
        f"bob,{second[2]},{second[1]},{second[0]},more\r\n",
    ]
    done = operations.import_usage(
        actor, str(actor.account_id), other, model="gpt-4o", provider="openai"
    )
    assert (done.read, done.recorded, done.replayed) == (2, 0, 2)


def test_another_model_is_a_conflict_not_a_second_charge(small: Billing) -> None:
    actor = account_with(small, "1")
    run(actor, *ROWS[:4])
    before = everything(small)
    with pytest.raises(errors.IdempotencyConflict):
        run(actor, *ROWS[:4], model="gpt-4o-mini")
    assert everything(small) == before


def test_it_stops_exactly_at_the_limit(small: Billing) -> None:
    actor = account_with(small, "1")
    operations.set_limit(actor, str(actor.account_id), Money(sum(COSTS[:5]) + 1), window="total")
    done = run(actor, *ROWS)
    assert isinstance(done.refusal, errors.LimitExceeded)
    assert (done.recorded, done.line, done.charged.nanos) == (5, 7, sum(COSTS[:5]))
    assert counts(small)["usage_record"] == 5
    operations.set_limit(actor, str(actor.account_id), Money.parse("1"), window="total")
    rest = run(actor, *ROWS)
    assert (rest.recorded, rest.replayed, rest.refusal) == (5, 5, None)


def test_it_stops_when_the_money_is_used_up(small: Billing) -> None:
    actor = account_with(small)
    operations.adjust(small.operator(), str(actor.account_id), Money(sum(COSTS[:3])))
    done = run(actor, *ROWS)
    assert isinstance(done.refusal, errors.InsufficientFunds)
    assert (done.recorded, done.line) == (3, 5)
    assert operations.check_balance(actor, str(actor.account_id)).available == Money.zero()


GOOD = ROWS[0]
STAMP = "2023-11-16 18:15:46"
MALFORMED = {
    "no tokens": f"{STAMP},,44",
    "a word": f"{STAMP},many,44",
    "negative": f"{STAMP},-1,44",
    "half": f"{STAMP},1.5,44",
    "other digits": f"{STAMP},\uff11,44",
    "too many": f"{STAMP},{10**12 + 1},44",
    "endless": f"{STAMP},{'9' * 5000},44",
    "too short": f"{STAMP},5",
    "no time": ",5,5",
    "a day": "2023-11-16,5,5",
    "no such day": "2023-02-29 00:00:00,5,5",
    "a number": "1700158546,5,5",
    "before 1970": "1969-12-31 23:59:59,5,5",
    "the future": "2027-01-01 00:00:00,5,5",
    "a zone that is none": f"{STAMP}+25:00,5,5",
    "half a quote": f'"{STAMP},5,5',
    "NUL": f"{STAMP}\0,5,5",
    "broken Unicode": "\ud800,5,5",
}


@pytest.mark.parametrize("row", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_row_is_named_before_anything_is_charged(small: Billing, row: str) -> None:
    actor = account_with(small, "1")
    before = everything(small)
    with pytest.raises(errors.InvalidRequest) as refusal:
        run(actor, *ROWS[:5], row, *ROWS[5:])
    assert refusal.value.extra == {"line": 7}
    assert "Line 7 " in str(refusal.value)
    assert everything(small) == before


@pytest.mark.parametrize(
    "header", ["", "a,b,c", "TIMESTAMP,ContextTokens", HEADER.lower(), HEADER.replace(",", ";")]
)
def test_a_file_without_its_columns_is_refused(actor: Actor, header: str) -> None:
    with pytest.raises(errors.InvalidRequest) as refusal:
        operations.import_usage(actor, str(actor.account_id), [header, GOOD], model="gpt-4o")
    assert refusal.value.extra == {"line": 1}


def test_bytes_that_are_no_text_are_refused(actor: Actor) -> None:
    def broken() -> Iterator[str]:
        yield HEADER
        yield b"\xff".decode()

    with pytest.raises(errors.InvalidRequest):
        operations.import_usage(actor, str(actor.account_id), broken(), model="gpt-4o")


@pytest.mark.parametrize("rows", [[], [""]])
def test_a_file_of_nothing_is_read(actor: Actor, rows: list[str]) -> None:
    done = run(actor, *rows)
    assert (done.read, done.recorded, done.charged) == (0, 0, Money.zero())


def test_an_empty_file_has_no_columns(actor: Actor) -> None:
    with pytest.raises(errors.InvalidRequest):
        operations.import_usage(actor, str(actor.account_id), [], model="gpt-4o")


def test_a_named_zone_counts(actor: Actor) -> None:
    assert run(actor, "2023-11-16T18:15:46+09:00,5,5", "2023-11-16T18:15:46Z,5,5").recorded == 2


def test_an_unpriced_model_charges_nothing(billing: Billing, actor: Actor) -> None:
    before = everything(billing)
    with pytest.raises(errors.UnpricedModel):
        run(actor, *ROWS, model="no-such-model")
    assert everything(billing) == before


def test_accounts_of_others_are_not_found(billing: Billing, actor: Actor) -> None:
    other = account_with(billing, "5")
    for who, account_id in ((actor, other.account_id), (billing.operator(), "acct_" + "0" * 32)):
        with pytest.raises(errors.NotFound):
            operations.import_usage(who, str(account_id), lines(*ROWS), model="gpt-4o")


def test_progress_is_told_after_each_batch(small: Billing) -> None:
    told: list[ImportSummary] = []
    done = run(account_with(small, "1"), *ROWS, progress=told.append)
    assert [summary.recorded for summary in told] == [3, 6, 9, 10]
    assert told[-1] == done
