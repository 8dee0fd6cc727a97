"""What every table shares: the context's database, exact times, exact JSON, constant SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import peewee

from billing_plugin import context
from billing_plugin.errors import InvalidRequest
from billing_plugin.periods import aware

if TYPE_CHECKING:  # peewee's fields are generic in its stubs only
    TimeBase = peewee.Field[datetime]
    JSONBase = peewee.TextField[Any]
else:
    TimeBase, JSONBase = peewee.Field, peewee.TextField

Row = tuple[Any, ...]
Stored = TypeVar("Stored", bound="Table")
_COPY_FROM = 20  # rows; below, statements in one pipeline are as fast
_PEEWEES: Any = vars(peewee)["__exception_wrapper__"]


class UTCDateTimeField(TimeBase):
    """An aware UTC instant: TIMESTAMPTZ on PostgreSQL, fixed-width ISO text on SQLite."""

    field_type = "TIMESTAMPTZ"

    def db_value(self, value: datetime | None) -> Any:
        """The stored form. Refuses a time without a zone."""
        return None if value is None else stored_time(value)

    def python_value(self, value: Any) -> datetime | None:
        """The instant in UTC."""
        return read_time(value)


class JSONField(JSONBase):
    """A small JSON document kept as text; numbers with a point come back as Decimal."""

    def db_value(self, value: Any) -> str:
        """JSON text with sorted keys; Decimals are written as exact text."""
        return dump(value)

    def python_value(self, value: str) -> Any:
        """The document."""
        return load(value)


class Table(peewee.Model):
    """Base of every table: bound to whichever instance is at work."""

    replayed = False  # True on an answer that an earlier call with the same key has made

    class Meta:
        database = context.ContextDatabase()
        legacy_table_names = False


def by_id(kind: type[Stored], row_id: str) -> Stored | None:
    """The row of that id. A query that is put together each time costs ten times the statement."""
    sql, names, converted = _by_id(kind)
    row = fetch_one(sql, (row_id,))
    if row is None:
        return None
    found = kind(__no_default__=1)
    data: dict[str, Any] = found.__data__
    data.update(zip(names, row, strict=True))
    for field in converted:
        data[field.name] = field.python_value(data[field.name])
    return found


@lru_cache
def _by_id(kind: type[Table]) -> tuple[str, list[str], list[Any]]:
    """The statement, the names of its columns, and the fields that are not as they are stored."""
    about: Any = vars(kind)["_meta"]
    fields = about.sorted_fields
    columns = ", ".join(field.column_name for field in fields)
    converted = [one for one in fields if isinstance(one, (UTCDateTimeField, JSONField))]
    sql = f"SELECT {columns} FROM {about.table_name} WHERE id = ?"
    return sql, [field.name for field in fields], converted


def dump(value: Any) -> str:
    """JSON text as it is stored: sorted keys, no spaces, ASCII, Decimals as text.

    Raises InvalidRequest for what JSON cannot say (NaN, sets, endless nesting).
    """
    if type(value) is dict and not value:
        return "{}"  # of most records and holds
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest("The metadata is not JSON.") from error


quoted = json.encoder.encode_basestring_ascii  # a text as JSON


def load(text: str) -> Any:
    """The document behind stored JSON text."""
    return json.loads(text, parse_float=Decimal)


def load_said(text: str) -> dict[str, Any]:
    """A caller's own document as it was given: numbers are what they were, not exact figures that
    would be written as text again."""
    found: dict[str, Any] = json.loads(text)
    return found


@lru_cache(maxsize=4096)  # a batch, a window and an entry ask for the same few instants
def stored_time(at: datetime) -> str:
    """The text by which both databases are told an instant; SQLite keeps it, of fixed width."""
    instant = at if at.tzinfo is UTC else aware(at)
    return instant.isoformat(timespec="microseconds")[:-6] + "Z"


def read_time(value: Any) -> datetime | None:
    """The instant behind a stored form."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return None if value is None else aware(value)


def execute(sql: str, values: Sequence[Any] = ()) -> Any:
    """Runs constant SQL written with `?`; instants among the values are put into stored form."""
    return context.current().database.execute_sql(_placed(sql), _stored(values))


def execute_many(sql: str, rows: Iterable[Sequence[Any]]) -> int:
    """Runs one constant statement for many rows, in the present transaction; how many changed."""
    stored = [_stored(row) for row in rows]
    if not stored:
        return 0
    if len(stored) == 1:
        done = context.current().database.execute_sql(_placed(sql), stored[0])
    else:
        done = context.current().database.cursor()
        with driver_errors():
            done.executemany(_placed(sql), stored)
    changed: int = done.rowcount
    return changed


def insert_many(table: str, columns: str, rows: Iterable[Row], *, number: int) -> None:
    """Inserts so many rows in stored form: by COPY where they are many and the database has it,
    which then works while the rows are still being made."""
    if number == 0:
        return
    cursor = context.current().database.cursor()
    with driver_errors():
        if number < _COPY_FROM or context.is_sqlite():
            cursor.executemany(_placed(_insertion(table, columns)), rows)
            return
        with cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)


@lru_cache
def _insertion(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"


def fetch_one(sql: str, values: Sequence[Any] = ()) -> Row | None:
    """The first row of constant SQL, or None."""
    return cast("Row | None", execute(sql, values).fetchone())


def fetch_all(sql: str, values: Sequence[Any] = ()) -> list[Row]:
    """Every row of constant SQL."""
    return cast("list[Row]", execute(sql, values).fetchall())


def driver_errors() -> AbstractContextManager[None]:
    """Turns a driver's errors into peewee's, where we speak to the driver ourselves."""
    found: AbstractContextManager[None] = _PEEWEES
    return found


def locking() -> str:
    """The suffix that locks selected rows; SQLite's IMMEDIATE transaction has locked already."""
    return "" if context.is_sqlite() else " FOR UPDATE"


def places(values: Sequence[Any]) -> str:
    """As many placeholders as there are values, for an IN list."""
    return ", ".join("?" * len(values))


def array_of(values: Iterable[Any]) -> str:
    """The text of a PostgreSQL array; psycopg's own way to it costs more than the statement."""
    return "{" + ",".join(map(_element, values)) + "}"


@lru_cache(maxsize=1024)
def _with_percents(sql: str) -> str:
    return sql.replace("?", "%s")


def _placed(sql: str) -> str:
    return sql if context.is_sqlite() else _with_percents(sql)


def _stored(values: Sequence[Any]) -> Sequence[Any]:
    for value in values:
        if type(value) is datetime:
            return [stored_time(one) if type(one) is datetime else one for one in values]
    return values


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    text = str(value)
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _exact(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} is not stored as JSON")


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), default=_exact, allow_nan=False
).encode
