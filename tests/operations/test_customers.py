"""An account becomes one customer, whoever comes together; who is billed is told until it is so."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from billing_plugin import Actor, Billing, errors, operations
from billing_plugin.context import write_transaction
from billing_plugin.models import billing_profiles
from billing_plugin.operations.customers import (
    customer_of,
    known_customer,
    processor_at_work,
    tell_profile,
)
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Profile
from tests.books import counts, run_sql
from tests.factories import account_with


class Asked(FakeProcessor):
    """A processor that counts how often it opened a customer, and may not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.opened, self.told, self.breaks = 0, list[str](), False
        self.meanwhile = lambda: None

    def open_customer(self, account_id: str) -> str:
        """As the fake one, counted."""
        self.opened += 1
        return super().open_customer(account_id)

    def change_customer(self, customer_id: str, profile: Profile) -> None:
        """As the fake one, unless it breaks; something may happen meanwhile."""
        if self.breaks:
            raise errors.ProviderUnavailable("no answer")
        self.told.append(profile.name)
        act, self.meanwhile = self.meanwhile, lambda: None
        act()
        super().change_customer(customer_id, profile)


@pytest.fixture
def processor(billing: Billing) -> Asked:
    found = billing.instance.processor = Asked()
    return found


@pytest.fixture
def mine(actor: Actor) -> str:
    return str(actor.account_id)


def name(actor: Actor, text: str) -> None:
    operations.set_billing_profile(actor, str(actor.account_id), {"name": text})


def test_an_account_is_made_known_once(billing: Billing, mine: str, processor: Asked) -> None:
    with billing.instance.active():
        assert known_customer(mine) is None
        first = customer_of(mine)
        assert (customer_of(mine), known_customer(mine)) == (first, first)
    assert (first.account_id, first.processor, first.default_method) == (mine, "fake", None)
    assert (processor.opened, first.id) == (1, processor.open_customer(mine))


def test_who_comes_together_is_one_customer(billing: Billing, mine: str, processor: Asked) -> None:
    together = Barrier(8)

    def one(_: int) -> str:
        together.wait()
        with billing.instance.active():
            return customer_of(mine).id

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(one, range(8)))) == 1
    assert counts(billing)["customer"] == 1


def test_another_processor_knows_another_customer(billing: Billing, mine: str) -> None:
    with billing.instance.active():
        first = customer_of(mine)
        other = FakeProcessor()
        other.name = "other"
        billing.instance.processor = other
        assert known_customer(mine) is None
        assert customer_of(mine).processor == "other"
        billing.instance.processor = FakeProcessor()
        assert known_customer(mine) == first


def test_nobody_is_made_known_inside_a_transaction(
    billing: Billing, mine: str, processor: Asked
) -> None:
    with (
        billing.instance.active(),
        pytest.raises(errors.ConfigurationError),
        write_transaction(),
    ):
        customer_of(mine)
    assert (processor.opened, "customer" in counts(billing)) == (0, False)


def test_unknown_accounts_are_not_made_known(billing: Billing, processor: Asked) -> None:
    with billing.instance.active(), pytest.raises(errors.NotFound):
        customer_of("acct_of_nobody")
    assert "customer" not in counts(billing)


def test_without_a_processor_there_are_none(billing: Billing, mine: str) -> None:
    billing.instance.processor = None
    with billing.instance.active():
        for ask in (lambda: customer_of(mine), lambda: known_customer(mine), processor_at_work):
            with pytest.raises(errors.NotSupported):
                ask()


def test_who_is_billed_is_told_once_it_is_known(
    billing: Billing, actor: Actor, mine: str, processor: Asked
) -> None:
    name(actor, "Acme")
    assert processor.told == []  # there is no customer yet
    with billing.instance.active():
        customer_of(mine)
        assert [tell_profile(mine) for _ in range(3)] == [True] * 3
    assert processor.told == ["Acme"]
    name(actor, "Bcme")
    name(actor, "Bcme")
    assert processor.told == ["Acme", "Bcme"]


def test_what_was_not_answered_is_told_later(
    billing: Billing, actor: Actor, mine: str, processor: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    with billing.instance.active():
        customer_of(mine)
    processor.breaks = True
    name(actor, "Acme")
    assert operations.get_billing_profile(actor, mine).name == "Acme"
    assert "provider_unavailable" in caplog.text
    assert "Acme" not in caplog.text
    processor.breaks = False
    operations.begin_payment_method(actor, mine)
    assert processor.told == ["Acme"]


def test_what_is_told_last_is_what_is_stored_last(
    billing: Billing, actor: Actor, mine: str, processor: Asked
) -> None:
    """While the processor is told of one, another is stored, and told, by somebody else."""
    with billing.instance.active():
        customer = customer_of(mine)
    processor.meanwhile = lambda: name(actor, "Bcme")
    name(actor, "Acme")
    assert processor.profiles[customer.id].name == "Bcme"
    with billing.instance.active():
        known, profile = known_customer(mine), billing_profiles.get(mine)
    assert known is not None
    assert profile is not None
    assert (known.told_revision, profile.revision) == (2, 2)


def test_a_customer_is_one_accounts(billing: Billing, mine: str, processor: Asked) -> None:
    """The database refuses a second account for a customer."""
    with billing.instance.active():
        customer_of(mine)
    other = str(account_with(billing).account_id)
    columns = "processor, customer_id, NULL, 0, NULL, 0, created_at"
    sql = f"INSERT INTO billing_customer SELECT ?, {columns}"
    with pytest.raises(Exception, match=r"(?i)unique"):
        run_sql(billing, f"{sql} FROM billing_customer", other)
