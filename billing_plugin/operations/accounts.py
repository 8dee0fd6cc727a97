"""Opening accounts, and what is known about one."""

from __future__ import annotations

from billing_plugin.context import Actor, current, now, write_transaction
from billing_plugin.errors import InvalidRequest
from billing_plugin.models import accounts
from billing_plugin.models.accounts import Account
from billing_plugin.money import check_currency
from billing_plugin.operations.catalogue import operation

MAX_NAME_LENGTH = 200


@operation(scope="accounts:write", effect="writes")
def create_account(actor: Actor, name: str, *, currency: str | None = None) -> Account:
    """Opens an empty account in `currency` (ISO 4217; None: the instance's own).

    Raises InvalidRequest for an empty or endless name. Only operators may do this.
    """
    del actor
    if not name.strip() or len(name) > MAX_NAME_LENGTH:
        raise InvalidRequest(f"A name has 1 to {MAX_NAME_LENGTH} characters.")
    code = check_currency(currency or current().settings.currency)
    with write_transaction():
        return accounts.create(name.strip(), code, now())


@operation(scope="balance:read", effect="reads")
def get_account(actor: Actor, account_id: str) -> Account:
    """The account with its posted, held and available money. Raises NotFound."""
    del actor
    return accounts.get(account_id)
