"""Drafts of cost items: what a caller or an import says of one, and whether it can be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

from billing_plugin.errors import InvalidRequest
from billing_plugin.models.base import dump, stored_time
from billing_plugin.models.items import CostItem
from billing_plugin.money import Exact, check_currency
from billing_plugin.operations.catalogue import storable
from billing_plugin.periods import LAST_YEAR, aware

PERIODS = ("daily", "weekly", "monthly", "yearly")
SCOPE = ("kind", "id", "name")
USAGE = ("amount", "unit", "sku_id", "sku_description")
MAX_NAME_LENGTH = 200
MAX_DESCRIPTION_LENGTH = 4_000
MAX_TAGS, MAX_TAG_LENGTH = 100, 400  # key=value of the large clouds: 128 and 256 characters
MAX_FACTS, MAX_FACT_LENGTH = 50, 4_000
LENGTHS = {
    "name": MAX_NAME_LENGTH,
    "description": MAX_DESCRIPTION_LENGTH,
    "provider": 200,
    "provider_ref": 500,
    "adapter": 200,
    "service_id": 200,
    "feature_key": 200,
    "stage_app_id": 200,
    "environment": 100,
    "author_email": 320,
}


class Cents(NamedTuple):
    """An amount in whole minor units of whatever currency the item has."""

    number: int


class ItemDraft(NamedTuple):
    """A cost item as it is said. None: not said; an item that is known keeps what it has there.

    `amount` is of `currency` (None: the account's), negative for what is given back; `date` is an
    aware instant (None: now); `category` an id or a name; `period` daily, weekly, monthly or
    yearly of a recurring item. `provider_ref` is what the provider calls it: no two items of an
    account have the same. `scope` may say kind, id, name; `usage` amount, unit, sku_id,
    sku_description; `meta` is flat. Decimals in both are kept as exact text.
    """

    name: str
    amount: Exact | Cents
    currency: str | None = None
    date: datetime | None = None
    category: str | None = None
    tags: Sequence[str] | None = None
    description: str | None = None
    provider: str | None = None
    provider_ref: str | None = None
    adapter: str | None = None
    recurring: bool | None = None
    period: str | None = None
    service_id: str | None = None
    feature_key: str | None = None
    stage_app_id: str | None = None
    environment: str | None = None
    scope: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] | None = None
    author_email: str | None = None
    meta: Mapping[str, Any] | None = None

    @property
    def content(self) -> list[Any]:
        """Everything that was said, for comparison under an idempotency key."""
        date = stored_time(self.date) if self.date else ""
        return [*_amount("amount", self.amount).values(), date, *self[:1], *self[2:3], *self[4:]]


def said_in(draft: ItemDraft) -> dict[str, Any]:
    """What the draft says, by the draft's names."""
    return {name: value for name, value in zip(_NAMES, draft, strict=True) if value is not None}


def columns_of(said: Mapping[str, Any]) -> dict[str, Any]:
    """What was said, by a draft's names, as columns of an item; the category is yet to be found.

    None is nothing there. Raises InvalidRequest for what cannot be.
    """
    columns: dict[str, Any] = {}
    for name, value in said.items():
        columns |= _READ[name](name, value)
    return columns


def revised(item: CostItem, columns: Mapping[str, Any]) -> CostItem:
    """The item with other columns. Raises InvalidRequest where they do not go together."""
    now = _with_amount(item, columns) if "cents" in columns else item._replace(**columns)
    if now.period and not now.recurs:
        if columns.get("period"):
            raise InvalidRequest("Only a recurring item has a period.")
        now = now._replace(period=None)
    if now.provider_ref and not now.provider:
        raise InvalidRequest("A provider_ref needs its provider.")
    return now


def known(changes: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """The changes themselves. Raises InvalidRequest where one is of something that is not."""
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise InvalidRequest(f"There is no {unknown[0]} to change.")
    return dict(changes)


def text_within(name: str, value: object, length: int) -> str:
    """The text. Raises InvalidRequest where it is none, empty, too long or cannot be stored."""
    if type(value) is not str or not 0 < len(value) <= length or value.isspace():
        raise InvalidRequest(f"{name} has 1 to {length} characters.")
    return value if value.isascii() and "\0" not in value else storable(value)


def _with_amount(item: CostItem, columns: Mapping[str, Any]) -> CostItem:
    """The same, its amount said in cents of the currency that it comes to have."""
    said = dict(columns)
    cents = said.pop("cents")
    now = item._replace(**said)
    amount = Exact.from_cents(cents, now.currency)
    return now._replace(nanos=amount.nanos, attos=amount.attos)


def _text(name: str, value: object) -> dict[str, Any]:
    if value is None and name != "name":
        return {name: None}
    return {name: text_within(name, value, LENGTHS[name])}


def _amount(_name: str, value: object) -> dict[str, Any]:
    if isinstance(value, Cents):
        return {"cents": value.number}
    if not isinstance(value, Exact):
        raise InvalidRequest("An amount is exact.")
    return {"nanos": value.nanos, "attos": value.attos}


def _currency(_name: str, value: Any) -> dict[str, Any]:
    return {"currency": check_currency(value)}


def _date(_name: str, value: object) -> dict[str, Any]:
    if not isinstance(value, datetime):
        raise InvalidRequest("A date is an instant with a zone.")
    if aware(value).year > LAST_YEAR:
        raise InvalidRequest("The time is out of range.", code="time_out_of_range")
    text = stored_time(value)
    return {"dated": text, "day": text[:10]}


def _category(name: str, value: object) -> dict[str, Any]:
    return {"category_id": None if value is None else text_within(name, value, MAX_NAME_LENGTH)}


def _tags(_name: str, value: Any) -> dict[str, Any]:
    if not value:
        return {"tags_text": "[]"}
    if isinstance(value, str) or len(value) > MAX_TAGS:
        raise InvalidRequest(f"An item has at most {MAX_TAGS} tags.")
    return {"tags_text": dump(list(dict.fromkeys(map(_tag, value))))}


def _tag(value: object) -> str:
    return text_within("A tag", value, MAX_TAG_LENGTH)


def _recurring(_name: str, value: object) -> dict[str, Any]:
    if value not in (True, False, None):
        raise InvalidRequest("recurring is true or false.")
    return {"recurs": int(bool(value))}


def _period(_name: str, value: object) -> dict[str, Any]:
    if value is not None and value not in PERIODS:
        raise InvalidRequest(f"A period is one of {', '.join(PERIODS)}.")
    return {"period": value}


def _facts(name: str, value: Any) -> dict[str, Any]:
    """Text, numbers and flags by name, as JSON text."""
    if value is None:
        return {f"{name}_text": None}
    if not isinstance(value, Mapping) or len(value) > MAX_FACTS:
        raise InvalidRequest(f"{name} has at most {MAX_FACTS} facts, by name.")
    names = {"scope": SCOPE, "usage": USAGE}.get(name)
    for key, fact in value.items():
        if names is not None and key not in names:
            raise InvalidRequest(f"{name} may say {', '.join(names)}.")
        text_within(f"A name in {name}", key, MAX_TAG_LENGTH)
        _check_fact(name, fact)
    return {f"{name}_text": dump(dict(value))}


def _check_fact(name: str, fact: object) -> None:
    if isinstance(fact, str) and len(fact) <= MAX_FACT_LENGTH:
        storable(fact)
    elif not isinstance(fact, Real | Decimal) or len(str(fact)) > MAX_FACT_LENGTH:
        raise InvalidRequest(f"What {name} says is text, a number or a flag, and short.")


_NAMES = ItemDraft._fields
_READ: dict[str, Callable[[str, Any], dict[str, Any]]] = {
    **dict.fromkeys(LENGTHS, _text),
    **dict.fromkeys(("scope", "usage", "meta"), _facts),
    "amount": _amount,
    "currency": _currency,
    "date": _date,
    "category": _category,
    "tags": _tags,
    "recurring": _recurring,
    "period": _period,
}
