"""Reading bills in FOCUS form (1.0 to 1.2, CSV): line by line, exactly, every wrong cell named."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple

from billing_plugin.errors import InvalidRequest
from billing_plugin.operations.focus_cells import FOREIGN, parser_of
from billing_plugin.operations.focus_columns import (
    BY_NAME,
    CONDITIONAL,
    CORRECTION,
    CUSTOM,
    INTEGER,
    MANDATORY_NAMES,
    PURCHASE,
    STRING,
    TAX,
    TOKEN_COLUMNS,
    USAGE,
    USAGE_BASED,
    VERSIONS,
    Column,
    FocusCharge,
    Quantity,
    other_in,
)
from billing_plugin.periods import Period

MOST_ERRORS = 100
MOST_COLUMNS = 1_000
MOST_CHARACTERS = 2**22  # of one row, with the line ends inside its quotes
MOST_NAME = 255  # characters of a column's name
# Vendors leave out the other costs, the issuer and the publisher; we do without.
NEEDED = (
    *("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodStart"),
    *("BillingPeriodEnd", "ChargeCategory", "ChargePeriodStart", "ChargePeriodEnd"),
    *("ProviderName", "ServiceCategory", "ServiceName"),
)
_Told = tuple[str, Callable[[str], Any], str]  # a cell that is not null, of which column
_NOT_UTF8 = "The file is not UTF-8 text; save it as CSV in UTF-8."
_NULLS = ("", "NULL")
_TOO_LONG = f"The row has more than {MOST_CHARACTERS} characters; a quote may never be closed."


class FocusError(NamedTuple):
    """What is wrong where: the line (the header is 1; of a row of several lines the first), the
    name of the column (empty: the whole row), and why."""

    line: int
    column: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FocusRow(FocusCharge):
    """A line as it was read. `id` is the same whenever the same line is read again, see
    `read_focus`; two rows are equal when they say the same, wherever they stand."""

    line: int = field(compare=False)
    id: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class FocusHeader:
    """What a file has: the earliest version that knows its columns, those that are read, and those
    that are not because no version defines them and they do not begin with `x_`."""

    version: str
    read: tuple[str, ...]
    ignored: tuple[str, ...]


def focus_lines(file: BinaryIO) -> Iterator[str]:
    """The lines of a file opened for bytes. What is not UTF-8 is found when it is read, so that
    the error can say in which line and column it stands."""
    while raw := file.readline(MOST_CHARACTERS + 1):
        yield raw.decode("utf-8", "surrogateescape")


def read_focus(
    lines: Iterable[str],
    *,
    most_errors: int = MOST_ERRORS,
    told: Callable[[FocusHeader], None] | None = None,
) -> Iterator[FocusRow]:
    """The rows of a FOCUS file, one by one; `told` gets the header before the first.

    `NULL`, an empty cell and one of spaces are null. The mandatory columns must be there. Costs
    have a dot, an exponent if need be (`35.2E-7`) and at most 18 decimals; times without a zone
    are UTC.
    Raises InvalidRequest (`unreadable_file`) at the end if a cell was wrong, or at once after
    `most_errors`: `extra["errors"]` lists line, column and message of each. After the first error
    no row is handed out, so whoever stores rows as they come does so in one transaction.

    A row is known by its content and its number among equal rows, not by its place: `id` is a
    digest of every cell that is read, in order of the columns' names. So the same file again, a
    longer one, or one with its rows or columns in another order has the same ids. A vendor's `Id`
    column is no part of it: it counts the rows of one extract.
    """
    errors: list[FocusError] = []
    records = _Records(lines)
    try:
        reader = _Reader(next(records, []), errors)
        if not errors:
            if told:
                told(reader.header)
            yield from reader.rows(records, max(most_errors, 1))
    except (csv.Error, UnicodeDecodeError) as error:
        errors.append(FocusError(records.start, "", _why(error)))
    if errors:
        raise _unreadable(errors[: max(most_errors, 1)])


class _Records:
    """The records of a CSV text, each no longer than MOST_CHARACTERS; `start` is where the newest
    began. A byte order mark, as spreadsheets put first, is dropped."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.start = 1
        self._size = 0
        self._reader = csv.reader(self._measured(lines), strict=True)

    def __iter__(self) -> Iterator[list[str]]:
        return self

    def __next__(self) -> list[str]:
        cells: list[str] = []
        while not cells:  # an empty line is no record
            self.start, self._size = self._reader.line_num + 1, 0
            cells = next(self._reader)
        return cells

    def _measured(self, lines: Iterable[str]) -> Iterator[str]:
        for number, line in enumerate(lines):
            self._size += len(line)
            if not number and FOREIGN.search(line):
                raise csv.Error(_NOT_UTF8)  # UTF-16 has no lines that could be read
            if self._size > MOST_CHARACTERS:
                raise csv.Error(_TOO_LONG)
            yield line if number else line.removeprefix("\ufeff")


class _Reader:
    """How the rows under one header are read; what is wrong in them goes to `errors`."""

    def __init__(self, names: Sequence[str], errors: list[FocusError]) -> None:
        self._errors = errors
        self._seen: Counter[bytes] = Counter()
        errors += [FocusError(1, column, why) for column, why in _wrong_header(names)]
        if errors:
            return
        columns = [BY_NAME.get(name) or _custom(name) for name in names]
        read = [column for column in columns if column]
        self._width = len(names)
        self._parsers = sorted(
            (column.name, at, parser_of(column)) for at, column in enumerate(columns) if column
        )
        self._extra = [name for name, _, _ in self._parsers if _is_extra(name)]
        self.header = FocusHeader(
            max((column.since for column in read), key=VERSIONS.index),
            tuple(column.name for column in read),
            tuple(name for name, column in zip(names, columns, strict=True) if not column),
        )

    def rows(self, records: _Records, most_errors: int) -> Iterator[FocusRow]:
        """The rows until the first that is wrong; then only errors are looked for."""
        for cells in records:
            wrong = self._length(cells)
            told = [] if wrong else self._told(cells)
            values = {} if wrong else _values(told, wrong)
            self._errors += [FocusError(records.start, name, why) for name, why in wrong.items()]
            if not self._errors:
                extra = {name: values[name] for name in self._extra if name in values}
                yield _row(values, line=records.start, id=self._id(told), extra=extra)
            if len(self._errors) >= most_errors:
                return

    def _length(self, cells: Sequence[str]) -> dict[str, str]:
        if len(cells) == self._width:
            return {}
        return {"": f"The row has {len(cells)} cells, the header {self._width}."}

    def _told(self, cells: Sequence[str]) -> list[_Told]:
        """The cells that are read, in order of the columns' names."""
        return [
            (name, parse, cell)
            for name, at, parse in self._parsers
            if (cell := cells[at]) not in _NULLS and not cell.isspace()
        ]

    def _id(self, told: Sequence[_Told]) -> str:
        content = "\0".join([f"{name}\0{cell}" for name, _, cell in told])
        digest = hashlib.sha256(content.encode())
        # Rows are counted by the beginning of the digest. Two that only begin alike count as
        # equal: their ids differ all the same, and are the same whenever they are read again.
        start = digest.digest()[:8]
        self._seen[start] += 1
        return f"{digest.hexdigest()}-{self._seen[start]}"


def _values(told: Sequence[_Told], wrong: dict[str, str]) -> dict[str, Any]:
    """The cells as values, by column; and, added to `wrong`, the columns that have none."""
    values: dict[str, Any] = {}
    for name, parse, cell in told:
        try:
            values[name] = parse(cell)
        except InvalidRequest as error:
            wrong[name] = error.message
    missing = [name for name in NEEDED if name not in values and name not in wrong]
    wrong |= dict.fromkeys(missing, "The value is missing.")
    wrong |= {} if wrong else _wrong_periods(values)
    return values


def _wrong_header(names: Sequence[str]) -> list[tuple[str, str]]:
    if not names:
        return [("", "The file is empty.")]
    if any(FOREIGN.search(name) for name in names):
        return [("", _NOT_UTF8)]
    if len(names) > MOST_COLUMNS:
        return [("", f"There are more than {MOST_COLUMNS} columns.")]
    if any(len(name) > MOST_NAME for name in names):
        return [("", f"The name of a column has more than {MOST_NAME} characters.")]
    twice = [name for name, count in Counter(names).items() if count > 1]
    missing = [name for name in MANDATORY_NAMES if name not in names]
    return [(name, "The column is there twice.") for name in twice] + [
        (name, "The mandatory column is missing.") for name in missing
    ]


def _custom(name: str) -> Column | None:
    if not name.startswith(CUSTOM):
        return None
    return Column(name, CONDITIONAL, INTEGER if name in TOKEN_COLUMNS.values() else STRING)


def _wrong_periods(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        f"{kind}PeriodEnd": "The period ends before it starts."
        for kind in ("Charge", "Billing")
        if values[f"{kind}PeriodEnd"] < values[f"{kind}PeriodStart"]
    }


def _row(values: Mapping[str, Any], *, line: int, id: str, extra: Mapping[str, str]) -> FocusRow:
    said = values.get
    return FocusRow(
        line=line,
        id=id,
        amount=values["BilledCost"],
        currency=values["BillingCurrency"],
        provider=values["ProviderName"],
        service=values["ServiceName"],
        account_id=values["BillingAccountId"],
        charge_period=Period(values["ChargePeriodStart"], values["ChargePeriodEnd"]),
        billing_period=Period(values["BillingPeriodStart"], values["BillingPeriodEnd"]),
        category=values["ChargeCategory"],
        correction=said("ChargeClass") == CORRECTION,
        service_category=values["ServiceCategory"],
        service_subcategory=_subcategory(values),
        description=said("ChargeDescription"),
        frequency=_frequency(values),
        account_name=said("BillingAccountName"),
        sub_account_id=said("SubAccountId") or said("SubAccountName"),
        sub_account_name=said("SubAccountName") or said("SubAccountId"),
        publisher=said("PublisherName"),
        invoice_issuer=said("InvoiceIssuerName"),
        invoice_id=said("InvoiceId"),
        region=said("RegionId") or said("RegionName"),
        resource=said("ResourceId") or said("ResourceName"),
        sku=said("SkuId"),
        consumed=_quantity(values, "Consumed") if said("ChargeCategory") == USAGE else None,
        priced=None if said("ChargeCategory") == TAX else _quantity(values, "Pricing"),
        tags=said("Tags", {}),
        tokens=_tokens(values),
        extra=extra,
    )


def _subcategory(values: Mapping[str, Any]) -> str | None:
    """None where it says no more than the category."""
    said: str | None = values.get("ServiceSubcategory")
    return None if said == other_in(values["ServiceCategory"]) else said


def _frequency(values: Mapping[str, Any]) -> str | None:
    """None where it contradicts the category: nothing is bought by being used."""
    said: str | None = values.get("ChargeFrequency")
    return None if (values["ChargeCategory"], said) == (PURCHASE, USAGE_BASED) else said


def _quantity(values: Mapping[str, Any], kind: str) -> Quantity | None:
    amount, unit = values.get(f"{kind}Quantity"), values.get(f"{kind}Unit")
    return None if amount is None or unit is None else Quantity(amount, unit)


def _tokens(values: Mapping[str, Any]) -> dict[str, int]:
    return {name: values[column] for name, column in TOKEN_COLUMNS.items() if values.get(column)}


def _is_extra(name: str) -> bool:
    return name.startswith(CUSTOM) and name not in TOKEN_COLUMNS.values()


def _why(error: csv.Error | UnicodeDecodeError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "The text is not UTF-8."
    said = str(error)
    if "field limit" in said:
        return f"A cell has more than {csv.field_size_limit()} characters; is its quote closed?"
    if "unexpected end" in said:
        return "A quote is never closed."
    return said if said in (_TOO_LONG, _NOT_UTF8) else "This is not CSV text."


def _unreadable(errors: Sequence[FocusError]) -> InvalidRequest:
    line, column, message = errors[0]
    where = f"Line {line}, {column}" if column else f"Line {line}"
    more = f" {len(errors)} cells are wrong." if len(errors) > 1 else ""
    return InvalidRequest(
        f"{where}: {message}{more}",
        code="unreadable_file",
        extra={
            "line": line,
            "column": column,
            "errors": [error._asdict() for error in errors],
        },
    )
