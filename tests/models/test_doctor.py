"""What the doctor asks of the books: a healthy database answers with nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from billing_plugin import Actor, Billing, operations
from billing_plugin.context import is_sqlite
from billing_plugin.models import doctor, ledger
from billing_plugin.models.seals import seal_of
from tests.books import complaints, run_sql
from tests.deeds import adjust, credits_left, give, hold, limit, spend
from tests.factories import START, account_with

COLUMNS = [column.strip() for column in ledger.COLUMNS.split(",")]
DAY = timedelta(days=1)


@pytest.fixture
def busy(billing: Billing, actor: Actor) -> Actor:
    """An account with limits, holds, credits and usage, beside another one."""
    spend(account_with(billing, "7"), "1")
    robot = actor._replace(key_id="key_1", request_id="req_1")
    limit(actor, "50", "daily"), limit(actor, "50", 640, technique="sliding")
    limit(actor, "50", partitions=["model"])
    for number in range(1, 4):
        spend(robot, f"0.0{number}", START - number * DAY)
    hold(robot, "3")
    give(billing, actor, "5", expires_at=START + DAY)
    credits_left(billing, actor)
    return actor


def tamper(billing: Billing, sql: str, *values: object) -> None:
    """Changes what the database forbids to change, as an intruder with its password could."""
    with billing.instance.active():
        sqlite = is_sqlite()
    on = "" if sqlite else " ON billing_ledger_entry"
    for name in ("no_update", "no_delete") if sqlite else ("immutable",):
        run_sql(billing, f"DROP TRIGGER IF EXISTS billing_ledger_entry_{name}{on}")
    run_sql(billing, sql, *values)


def broken(billing: Billing, actor: Actor) -> tuple[int, str] | None:
    with billing.instance.active():
        found = doctor.broken_seal(str(actor.account_id))
    return found and (found.sequence, found.why)


def test_healthy_books_have_nothing_to_say(billing: Billing, busy: Actor) -> None:
    assert complaints(billing) == []
    assert broken(billing, busy) is None


OTHERS = {
    "amount_nanos": 7, "balance_after_nanos": 7, "effective_at": START - 9 * DAY,
    "recorded_at": START + DAY, "seal": "0" * 64, "account_id": None, "sequence": 99,
}  # fmt: skip


@pytest.mark.parametrize("sequence", [1, 3, 5])
@pytest.mark.parametrize("column", COLUMNS)
def test_a_changed_column_of_any_entry_breaks_its_seal(
    billing: Billing, busy: Actor, column: str, sequence: int
) -> None:
    value = OTHERS.get(column, "x")
    if column == "account_id":
        value = str(account_with(billing).account_id)
    where = "WHERE account_id = ? AND sequence = ?"
    sql = f"UPDATE billing_ledger_entry SET {column} = ? {where}"
    tamper(billing, sql, value, busy.account_id, sequence)
    found = broken(billing, busy)
    assert found is not None
    gone = column in ("account_id", "sequence")  # then the next is the first that does not follow
    assert found[0] == sequence or (gone and sequence == 5 and found[0] == 4)


@pytest.mark.parametrize("sequence", [1, 2, 4])
def test_a_removed_entry_is_missed(billing: Billing, busy: Actor, sequence: int) -> None:
    sql = "DELETE FROM billing_ledger_entry WHERE account_id = ? AND sequence = ?"
    tamper(billing, sql, busy.account_id, sequence)
    assert broken(billing, busy) == (sequence, "an entry before it is missing")


@pytest.mark.parametrize("kept", [0, 1, 4])
def test_a_removed_end_is_missed(billing: Billing, busy: Actor, kept: int) -> None:
    sql = "DELETE FROM billing_ledger_entry WHERE account_id = ? AND sequence > ?"
    tamper(billing, sql, busy.account_id, kept)
    assert broken(billing, busy) == (kept, "entries at the end are missing")


def test_an_entry_put_behind_the_last_is_found(billing: Billing, busy: Actor) -> None:
    """Even one whose seal is right, as whoever knows the rule can make it."""
    mine = str(busy.account_id)
    with billing.instance.active():
        *_, last = ledger.rows_of(mine)
    row = ["led_x", *last[1:7], last[7] + 1, *last[8:16]]
    seal = seal_of(last[16], tuple(row))
    places = ", ".join("?" * 17)
    run_sql(billing, f"INSERT INTO billing_ledger_entry VALUES ({places})", *row, seal)
    assert broken(billing, busy) == (6, "there are more entries than the account counts")


def test_two_entries_that_changed_places_are_found(billing: Billing, busy: Actor) -> None:
    sql = "UPDATE billing_ledger_entry SET sequence = 7 - sequence WHERE account_id = ?"
    for one in (sql.replace("7 -", "-"), sql.replace("7 -", "6 +")):  # as each is unique
        tamper(billing, one, busy.account_id)
    assert broken(billing, busy) is not None


def test_an_entry_written_while_seals_are_read_is_no_break(
    billing: Billing, busy: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A verification does not lock: what is added meanwhile must not look like a broken end."""
    rows_of = ledger.rows_of

    def slowly(account_id: str) -> list[object]:
        spend(busy, "0.01")
        found = list(rows_of(account_id))
        spend(busy, "0.01")
        return found

    monkeypatch.setattr(ledger, "rows_of", slowly)
    assert broken(billing, busy) is None


def test_heads_are_what_to_keep_elsewhere(billing: Billing, busy: Actor) -> None:
    mine = str(busy.account_id)
    with billing.instance.active():
        every = {account: number for account, number, _ in doctor.heads()}
        [(account, number, seal)] = doctor.heads(mine)
        *_, last = ledger.rows_of(mine)
        assert list(doctor.heads("acct_x")) == []
        assert doctor.broken_seal("acct_x") is None
    assert (account, number, seal) == (mine, 5, last[16])
    assert (len(every), every[mine]) == (2, 5)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UPDATE billing_account SET seal = 'x' WHERE id = ?", "carries another seal"),
        ("UPDATE billing_account SET held_nanos = 1 WHERE id = ?", "its open holds add up to"),
        ("UPDATE billing_hold SET amount_nanos = 1 WHERE account_id = ?", "open holds add up"),
        ("UPDATE billing_account SET sequence = 9 WHERE id = ?", "counts 9 entries but has 5"),
        (
            "UPDATE billing_credit_grant SET remaining_nanos = remaining_nanos + 1"
            " WHERE account_id = ?",
            "credits of",
        ),
        ("DELETE FROM billing_credit_grant WHERE account_id = ?", "credits of 0 but posted"),
        ("DELETE FROM billing_usage_rollup WHERE account_id = ?", "rolled up wrongly"),
    ],
)
def test_a_row_that_contradicts_another_is_named(
    billing: Billing, busy: Actor, sql: str, says: str
) -> None:
    run_sql(billing, sql, busy.account_id)
    found = complaints(billing)
    assert any(str(busy.account_id) in one and says in one for one in found), found


@pytest.mark.parametrize("column", ["spent_nanos", "held_nanos"])
def test_every_kind_of_counter_is_counted_again(billing: Billing, busy: Actor, column: str) -> None:
    [number] = [len(operations.list_limits(busy, str(busy.account_id)))]
    run_sql(billing, f"UPDATE billing_limit_counter SET {column} = {column} + 1")
    found = complaints(billing)
    assert len({sentence.split(":")[0] for sentence in found}) == number == 3


def test_credits_that_were_not_drawn_yet_are_no_drift(billing: Billing, busy: Actor) -> None:
    spend(busy, "1")
    assert complaints(billing) == []


def test_a_last_entry_that_was_sealed_again_is_found(billing: Billing, busy: Actor) -> None:
    """Whoever knows the rule can seal a changed entry; the account's row remembers the seal."""
    mine = str(busy.account_id)
    with billing.instance.active():
        *_, before, last = ledger.rows_of(mine)
    changed = (*last[:4], last[4] + 1, last[5], last[6] + 1, *last[7:16])
    sql = (
        "UPDATE billing_ledger_entry SET amount_nanos = ?, balance_after_nanos = ?, seal = ?"
        " WHERE id = ?"
    )
    seal = seal_of(before[16], changed)
    tamper(billing, sql, changed[4], changed[6], seal, last[0])
    assert broken(billing, busy) == (5, "the account carries another seal")


def test_credit_beyond_an_empty_balance_is_named(billing: Billing, busy: Actor) -> None:
    poor = account_with(billing, "5")
    adjust(billing, poor, "-5")
    credits_left(billing, poor)
    assert complaints(billing) == []
    sql = "UPDATE billing_credit_grant SET remaining_nanos = 7 WHERE account_id = ?"
    run_sql(billing, sql, poor.account_id)
    assert complaints(billing) == [f"{poor.account_id}: credits of 7 but posted 0"]


def test_what_belongs_to_no_account_is_found(billing: Billing, busy: Actor) -> None:
    """Nothing that a charge writes asks whether its account is there: the doctor does."""
    for table in ("ledger_entry", "usage_record", "usage_rollup"):
        where = "WHERE account_id = ?"
        tamper(billing, f"UPDATE billing_{table} SET account_id = 'acct_none' {where}",
               busy.account_id)  # fmt: skip
    said = "\n".join(complaints(billing))
    assert "of acct_none: its currency is not the account's" in said
    run_sql(billing, "DELETE FROM billing_ledger_entry WHERE account_id = 'acct_none'")
    assert "of acct_none: charge and usage differ" in "\n".join(complaints(billing))
    run_sql(billing, "DELETE FROM billing_usage_record WHERE account_id = 'acct_none'")
    assert "acct_none: rolled up wrongly" in "\n".join(complaints(billing))
