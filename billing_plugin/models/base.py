"""What every table shares: the context's database, exact times, exact JSON, constant SQL."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

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
_PEEWEES: Any = vars(peewee)["__exception_wrapper__"]  # turns a driver's errors into peewee's


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
        return json.loads(value, parse_float=Decimal)


class Table(peewee.Model):
    """Base of every table: bound to whichever instance is at work."""

    class Meta:
        database = context.ContextDatabase()
        legacy_table_names = False


def dump(value: Any) -> str:
    """JSON text as it is stored: sorted keys, no spaces, ASCII, Decimals as text.

    Raises InvalidRequest for what JSON cannot say (NaN, sets, endless nesting).
    """
    try:
        return _encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidRequest("The metadata is not JSON.") from error


def stored_time(at: datetime) -> Any:
    """The form in which the present database keeps an instant."""
    instant = aware(at)
    if not context.is_sqlite():
        return instant
    return instant.isoformat(timespec="microseconds").replace("+00:00", "Z")


def read_time(value: Any) -> datetime | None:
    """The instant behind a stored form."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return None if value is None else aware(value)


def execute(sql: str, values: Sequence[Any] = ()) -> Any:
    """Runs constant SQL written with `?`; instants among the values are put into stored form."""
    database = context.current().database
    return database.execute_sql(_placed(sql), tuple(_stored(value) for value in values))


def execute_many(sql: str, rows: Iterable[Sequence[Any]]) -> None:
    """Runs one constant statement for many rows, in the present transaction."""
    stored = [tuple(_stored(value) for value in row) for row in rows]
    if stored:
        with _PEEWEES:  # so that a full disk or a lost server has the same name as elsewhere
            context.current().database.cursor().executemany(_placed(sql), stored)


def fetch_one(sql: str, values: Sequence[Any] = ()) -> Row | None:
    """The first row of constant SQL, or None."""
    return cast("Row | None", execute(sql, values).fetchone())


def fetch_all(sql: str, values: Sequence[Any] = ()) -> list[Row]:
    """Every row of constant SQL."""
    return cast("list[Row]", execute(sql, values).fetchall())


def locking() -> str:
    """The suffix that locks selected rows; SQLite's IMMEDIATE transaction has locked already."""
    return "" if context.is_sqlite() else " FOR UPDATE"


def places(values: Sequence[Any]) -> str:
    """As many placeholders as there are values, for an IN list."""
    return ", ".join("?" * len(values))


def _placed(sql: str) -> str:
    return sql if context.is_sqlite() else sql.replace("?", "%s")


def _stored(value: Any) -> Any:
    return stored_time(value) if isinstance(value, datetime) else value


def _exact(value: Any) -> str:
    if isinstance(value, Decimal):
        return format(value, "f")
    raise TypeError(f"{type(value).__name__} is not stored as JSON")


_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), default=_exact, allow_nan=False
).encode
