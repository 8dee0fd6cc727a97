"""What every table shares: exact times, exact JSON, constant SQL on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import peewee
import pytest

from billing_plugin import Actor, Billing, context, operations
from billing_plugin.errors import InvalidRequest
from billing_plugin.models.base import (
    JSONField,
    dump,
    execute,
    execute_many,
    fetch_all,
    fetch_one,
    insert_many,
    load_said,
    places,
    read_time,
    stored_time,
)
from billing_plugin.models.keys import ApiKey
from billing_plugin.periods import BEGINNING

TIMES = [
    BEGINNING,
    datetime(2026, 3, 9, 14, 32, tzinfo=UTC),
    datetime(2026, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 29, 2, 30, 0, 1, tzinfo=timezone(timedelta(hours=9, minutes=30))),
]


@pytest.mark.parametrize("at", TIMES, ids=str)
def test_instants_go_round_to_the_microsecond(billing: Billing, at: datetime) -> None:
    with billing.instance.active():
        execute(
            "INSERT INTO billing_schedule_slot (schedule, slot, taken_at) VALUES (?, ?, ?)",
            ("test", 1, at),
        )
        row = fetch_one("SELECT taken_at FROM billing_schedule_slot")
        assert row is not None
        found = read_time(row[0])
    assert found == at
    assert found is not None
    assert found.tzinfo is UTC


def test_stored_instants_sort_as_they_follow(billing: Billing) -> None:
    with billing.instance.active():
        stored = [stored_time(at) for at in sorted(TIMES)]
    assert stored == sorted(stored)


def test_naive_times_are_not_stored(billing: Billing) -> None:
    with billing.instance.active(), pytest.raises(InvalidRequest):
        execute("SELECT ?", (datetime(2026, 1, 1),))
    with billing.instance.active(), pytest.raises(InvalidRequest):
        list(ApiKey.select().where(ApiKey.created_at < datetime(2026, 1, 1)))
    assert read_time(None) is None


def test_json_is_exact_sorted_and_ascii() -> None:
    document = {"b": Decimal("0.10"), "a": [1, None, True, "é\0\ud800"], "c": {"x": 2**70}}
    text = dump(document)
    assert text == (
        '{"a":[1,null,true,"\\u00e9\\u0000\\ud800"],"b":"0.10","c":{"x":1180591620717411303424}}'
    )
    assert JSONField().python_value('{"x":0.10}') == {"x": Decimal("0.10")}
    assert dump({"x": Decimal("1E-9")}) == '{"x":"0.000000001"}'


def test_what_a_caller_said_is_read_as_it_was_said() -> None:
    said = {"a": [0.1, 1e300, 7, 2**70], "b": {"c": -0.0, "d": "0.10"}, "e": None, "f": True}
    assert load_said(dump(said)) == said
    assert dump(load_said(dump(said))) == dump(said)


def endless() -> dict[str, Any]:
    document: dict[str, Any] = {}
    document["again"] = document
    return document


@pytest.mark.parametrize(
    "value",
    [{1, 2}, object(), float("inf"), {1: 2, "a": 3}, b"x", endless()],
    ids=map(str, range(6)),
)
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest):
        dump(value)


def test_many_rows_in_one_statement(billing: Billing) -> None:
    sql = "INSERT INTO billing_schedule_slot (schedule, slot, taken_at) VALUES (?, ?, ?)"
    with billing.instance.active():
        execute_many(sql, [])
        execute_many(sql, (("s", slot, TIMES[1]) for slot in range(3)))
        wanted = [0, 2, 9]
        rows = fetch_all(
            f"SELECT slot FROM billing_schedule_slot WHERE slot IN ({places(wanted)}) ORDER BY 1",
            wanted,
        )
        assert rows == [(0,), (2,)]
        assert fetch_one("SELECT 1 FROM billing_schedule_slot WHERE slot = ?", (7,)) is None


def test_errors_of_the_driver_are_peewees(billing: Billing) -> None:
    """Otherwise a full disk or a lost server in the middle of a batch would look like a bug."""
    row = ("s", 1, TIMES[1])
    sql = "INSERT INTO billing_schedule_slot (schedule, slot, taken_at) VALUES (?, ?, ?)"
    with billing.instance.active(), pytest.raises(peewee.IntegrityError):
        execute_many(sql, [row, row])
    with billing.instance.active(), pytest.raises(peewee.DatabaseError):
        execute_many(sql.replace("slot,", "lost,"), [row])


def test_models_read_what_constant_sql_wrote(billing: Billing, actor: Actor) -> None:
    """And the other way round: a key made by a model is found by constant SQL."""
    made = operations.create_key(billing.operator(), str(actor.account_id)).key
    sql = "UPDATE billing_api_key SET expires_at = ? WHERE id = ? AND created_at = ?"
    with billing.instance.active():
        assert execute(sql, (TIMES[1], made.id, made.created_at)).rowcount == 1
        assert ApiKey.get_by_id(made.id).expires_at == TIMES[1]


@pytest.mark.parametrize("number", [0, 1, 19, 20, 45])
def test_few_rows_and_many_are_inserted_alike(billing: Billing, number: int) -> None:
    """Many rows take another way into PostgreSQL than few: both bring the same values."""
    rows = [(bytes([slot, 0, 92, 10]), b"\\x00\t", "é\t\\n\n", slot) for slot in range(number)]
    columns = "digest, content, result_id, day_number"
    with billing.instance.active(), context.write_transaction():
        insert_many("billing_idempotency_key", columns, iter(rows), number=number)
        found = fetch_all(f"SELECT {columns} FROM billing_idempotency_key ORDER BY day_number")
    assert [(bytes(row[0]), bytes(row[1]), *row[2:]) for row in found] == rows


def test_errors_of_many_rows_are_peewees_too(billing: Billing) -> None:
    rows = [("s", 1, stored_time(TIMES[1]))] * 30
    with billing.instance.active(), pytest.raises(peewee.IntegrityError):
        insert_many("billing_schedule_slot", "schedule, slot, taken_at", rows, number=30)
