"""Finding cost items by their words."""

from __future__ import annotations

from billing_plugin.context import Actor
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, item_pages
from billing_plugin.models.items import CostItem
from billing_plugin.models.words import terms_in
from billing_plugin.operations.catalogue import operation, storable
from billing_plugin.operations.item_filters import ItemFilter, wanted
from billing_plugin.operations.items import EVERYTHING, MAX_PAGE

MAX_QUESTION, MAX_TERMS = 500, 32


@operation(scope="items:read", effect="reads")
def search_items(
    actor: Actor,
    account_id: str,
    question: str,
    *,
    chosen: ItemFilter = EVERYTHING,
    limit: int = 50,
) -> list[CostItem]:
    """Items that say every word of the question, whatever their case and accents.

    Name, description, provider, service, provider_ref and tags are searched. `"a b"` is a phrase,
    `be*` begins a word, as the last word may do. Items named so come first, then the others; what
    was entered last comes first in both. A question without a word finds nothing. It has at most
    500 characters and 32 words or phrases; `limit` is 1 to 1000. Raises InvalidRequest, NotFound
    for an unknown category.
    """
    del actor
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit is 1 to {MAX_PAGE}.")
    if len(storable(question)) > MAX_QUESTION:
        raise InvalidRequest(f"A search has at most {MAX_QUESTION} characters.")
    terms = terms_in(question)
    if len(terms) > MAX_TERMS:
        raise InvalidRequest(f"A search has at most {MAX_TERMS} words.")
    accounts.get(account_id)
    only = wanted(account_id, chosen)
    return item_pages.matching(account_id, only, terms, limit=limit) if terms else []
