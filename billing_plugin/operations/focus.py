"""FOCUS bills as cost items: a file is checked whole, and then stored batch by batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice, starmap
from typing import Any, BinaryIO

from billing_plugin.context import Actor
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts
from billing_plugin.models.base import dump, stored_time
from billing_plugin.models.items import FOCUS
from billing_plugin.money import Exact
from billing_plugin.operations.catalogue import operation
from billing_plugin.operations.drafts import MAX_NAME_LENGTH, ItemDraft, columns_of, said_in
from billing_plugin.operations.focus_columns import TOKEN_COLUMNS
from billing_plugin.operations.focus_reading import FocusRow, focus_lines, read_focus
from billing_plugin.operations.item_batches import store_items
from billing_plugin.operations.tables import decimal_text

BATCH = 1_000


@dataclass(frozen=True, slots=True)
class FocusImport:
    """What a file says (rows, and exact totals by currency), and what has become of it so far."""

    rows: int
    totals: dict[str, Exact] = field(default_factory=dict)
    created: int = 0
    updated: int = 0
    unchanged: int = 0

    @property
    def done(self) -> int:
        """How many rows are stored."""
        return self.created + self.updated + self.unchanged


@operation(scope="items:write", effect="writes")
def import_focus(
    actor: Actor,
    account_id: str,
    file: BinaryIO,
    *,
    progress: Callable[[FocusImport], None] | None = None,
) -> FocusImport:
    """Stores the rows of a FOCUS 1.0 to 1.2 CSV as items of the source `focus`, the exact
    BilledCost of each. `file` is opened for bytes and can be read twice.

    With a wrong row nothing is stored: the file is read to its end first. It is stored in batches;
    a row is known by what it says, so the same file once more changes nothing, and one that was
    interrupted goes on. `progress` is told after each batch. Raises InvalidRequest
    (`unreadable_file`: `line`, `column`, `errors`), NotFound.
    """
    accounts.get(account_id)
    start = _start_of(file)
    found = _checked(file)
    file.seek(start)
    drafts = map(draft_of, read_focus(focus_lines(file)))
    while some := list(islice(drafts, BATCH)):
        stored = store_items(actor, account_id, some, source=FOCUS)
        found = replace(
            found, created=found.created + stored.created, updated=found.updated + stored.updated,
            unchanged=found.unchanged + stored.unchanged,
        )  # fmt: skip
        if progress:
            progress(found)
    return found


def draft_of(row: FocusRow) -> ItemDraft:
    """The row as an item: what an item has no place for stands in its meta, by FOCUS's names."""
    text = row.description or row.service
    used = row.consumed
    usage: dict[str, Any] = {"sku_id": row.sku} if row.sku else {}
    if used is not None:
        usage |= {"amount": used.amount, "unit": used.unit}
    return ItemDraft(
        name=text[:MAX_NAME_LENGTH], amount=row.amount, currency=row.currency,
        date=row.charge_period.start, tags=list(starmap(_tag, row.tags.items())),
        description=text, provider=row.provider, provider_ref=f"focus:{row.id}", adapter="focus",
        recurring=row.frequency == "Recurring", service_id=row.service, usage=usage or None,
        meta=dict(_facts(row)),
    )  # fmt: skip


def _tag(key: str, value: Any) -> str:
    """`key=value`; a key without a value, which FOCUS writes as true, by itself."""
    if value is True and key.strip():
        return key
    return f"{key}={value if isinstance(value, str) else dump(value)}"


def _facts(row: FocusRow) -> Iterator[tuple[str, Any]]:
    said = {
        "ChargePeriodEnd": stored_time(row.charge_period.end),
        "BillingPeriodStart": stored_time(row.billing_period.start),
        "BillingPeriodEnd": stored_time(row.billing_period.end),
        "ChargeCategory": row.category,
        "ChargeClass": "Correction" if row.correction else None,
        "ChargeFrequency": row.frequency,
        "ServiceCategory": row.service_category,
        "ServiceSubcategory": row.service_subcategory,
        "BillingAccountId": row.account_id,
        "BillingAccountName": row.account_name,
        "SubAccountId": row.sub_account_id,
        "SubAccountName": row.sub_account_name,
        "PublisherName": row.publisher,
        "InvoiceIssuerName": row.invoice_issuer,
        "InvoiceId": row.invoice_id,
        "RegionId": row.region,
        "ResourceId": row.resource,
        **_priced(row),
        **{TOKEN_COLUMNS[name]: count for name, count in row.tokens.items()},
    }
    return ((name, value) for name, value in said.items() if value)


def _priced(row: FocusRow) -> dict[str, str]:
    """What was priced, where that is not what was consumed."""
    if row.priced is None or row.priced == row.consumed:
        return {}
    return {"PricingQuantity": decimal_text(row.priced.amount), "PricingUnit": row.priced.unit}


def _start_of(file: BinaryIO) -> int:
    if not file.seekable():
        raise InvalidRequest("The file is read twice: it must be one that can be.")
    return file.tell()


def _checked(file: BinaryIO) -> FocusImport:
    """What the file says. Raises InvalidRequest for a row that could not be an item."""
    rows, totals = 0, dict[str, Exact]()
    for row in read_focus(focus_lines(file)):
        try:
            columns_of(said_in(draft_of(row)))
        except InvalidRequest as error:
            raise InvalidRequest(
                f"Line {row.line}: {error.message}", code="unreadable_file",
                extra={"line": row.line},
            ) from error  # fmt: skip
        rows += 1
        totals[row.currency] = totals.get(row.currency, Exact(0)) + row.amount
    return FocusImport(rows, totals)
