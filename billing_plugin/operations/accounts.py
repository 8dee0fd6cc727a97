"""Opening accounts, and what is known about one."""

from __future__ import annotations

from billing_plugin import ids
from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts, audit
from billing_plugin.models.accounts import Account
from billing_plugin.models.watching import UNWATCHED
from billing_plugin.money import Money, check_currency
from billing_plugin.operations.catalogue import check_page, operation
from billing_plugin.operations.once import Once, marked, once_without_lock
from billing_plugin.operations.till import open_book

MAX_NAME_LENGTH = 200


@operation(scope="accounts:write", effect="writes")
def create_account(
    actor: Actor,
    name: str,
    *,
    currency: str | None = None,
    idempotency_key: str | None = None,
) -> Account:
    """Opens an empty account in `currency` (ISO 4217; None: the instance's own).

    Raises InvalidRequest for an empty or endless name, IdempotencyConflict. Only operators may do
    this.
    """
    if not name.strip() or len(name) > MAX_NAME_LENGTH:
        raise InvalidRequest(f"A name has 1 to {MAX_NAME_LENGTH} characters.")
    code = check_currency(currency or current().settings.currency)
    said = Once("account", idempotency_key, [name.strip(), code])
    with write_transaction():
        account_id = ids.new_id(accounts.PREFIX)
        found, replayed = once_without_lock(said, account_id, at=now())
        if replayed:
            return marked(accounts.get(found), replayed=True)
        made = accounts.create(name.strip(), code, now(), account_id=account_id)
        audit.write(
            actor.signature, "account.create", made.id, account_id=made.id, at=now(),
            after={"name": made.name, "currency": code},
        )  # fmt: skip
        return made


@operation(scope="balance:read", effect="reads")
def get_account(actor: Actor, account_id: str) -> Account:
    """The account with its posted, held and available money. Raises NotFound."""
    del actor
    return accounts.get(account_id)


@operation(scope="webhooks:write", effect="writes")
def set_low_balance(actor: Actor, account_id: str, threshold: Money | None) -> Account:
    """Has it told (`balance.low`) whenever the posted balance falls below so much, once each time
    that it does; None: not. Where it is below already, the next fall is told. Raises
    InvalidRequest, NotFound."""
    with write_transaction():
        book = open_book(actor, account_id)
        if threshold is not None:
            book.require_currency(threshold)
        before, book.low_nanos = book.low_nanos, None if threshold is None else threshold.nanos
        book.watch_nanos = UNWATCHED
        book.close()
        audit.write(
            actor.signature, "low_balance.set", account_id, account_id=account_id, at=book.at,
            before={"nanos": before}, after={"nanos": book.low_nanos},
        )  # fmt: skip
    return accounts.get(account_id)


@operation(scope="accounts:write", effect="reads")
def list_accounts(actor: Actor, *, before: str | None = None, limit: int = 50) -> list[Account]:
    """Every account, newest first; `before` is an id to go on from, `limit` 1 to 100."""
    del actor
    check_page(limit)
    return accounts.page(before=before, limit=limit)
