"""What tests of invoices share: accounts that buy and use, months that end, and files read back."""

from __future__ import annotations

import io
from typing import Any

import pypdf

from billing_plugin import Actor, Billing, Money, operations
from billing_plugin.models.invoices import Invoice
from billing_plugin.operations import Usage

PRICES = {"input_tokens": "0.0000025", "output_tokens": "0.00001", "cache_read_tokens": "0.000001"}
MODEL, PROVIDER = "small", "acme"


def with_prices(billing: Billing, **prices: str) -> None:
    """Puts the model of these tests into the price book."""
    operations.set_price(billing.operator(), PROVIDER, MODEL, prices=prices or PRICES)


def allow(billing: Billing, actor: Actor, units: str) -> None:
    """Lets the account use so much beyond its credit in a month."""
    mine = str(actor.account_id)
    operations.set_postpaid_limit(billing.operator(), mine, Money.parse(units))


def use(actor: Actor, **counts: Any) -> None:
    """One use of the model; `effective_at` may be said besides counts."""
    operations.record_usage(actor, str(actor.account_id), Usage(MODEL, PROVIDER, **counts))


def buy(actor: Actor, units: str, **said: Any) -> Any:
    """One top-up."""
    return operations.top_up(actor, str(actor.account_id), Money.parse(units), **said)


def buy_by_itself(actor: Actor, units: str) -> None:
    """One top-up that a rule demands."""
    mine = str(actor.account_id)
    threshold = operations.check_balance(actor, mine).available + Money.parse("1")
    operations.set_auto_topup(actor, mine, Money.parse(units), threshold=threshold)
    operations.remove_auto_topup(actor, mine)


def preview(actor: Actor) -> Invoice:
    """The draft of the running month."""
    return operations.preview_invoice(actor, str(actor.account_id))


def finalize(billing: Billing) -> int:
    """Closes what is over; how many statements were issued."""
    return operations.finalize_invoices(billing.operator())


def invoices(actor: Actor, *kinds: str) -> list[Invoice]:
    """Documents of the account, the oldest first; of top-ups and months where no kind is said."""
    chosen = operations.InvoiceFilter(kinds or ("topup", "monthly"))
    found = operations.list_invoices(actor, str(actor.account_id), chosen=chosen, limit=100)
    return found[::-1]


def told(invoice: Invoice) -> dict[str, Any]:
    """Everything that a draft and the invoice made of it must have in common."""
    stored = vars(invoice)["__data__"]
    own = {"id", "series", "number", "status", "issued_at", "due_at", "changed_at"}
    unset = ("topup_id", "corrects_id", "fact_id", "reason")
    facts = {name: value for name, value in invoice.facts.items() if name != "lastSequence"}
    common = {name: value for name, value in stored.items() if name not in own}
    return dict.fromkeys(unset) | common | {"facts": facts, "lines": list(invoice.lines)}


def figures(invoice: Invoice) -> dict[str, str]:
    """Its amounts as text."""
    names = ("subtotal", "credit", "net", "tax", "total")
    return {name: invoice.money(getattr(invoice, f"{name}_nanos")).text for name in names}


def text_of(pdf: bytes) -> str:
    """All that can be read in a PDF."""
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
