"""The rows of customers: one for an account and processor."""

from __future__ import annotations

from datetime import timedelta

from billing_plugin import Actor, Billing
from billing_plugin.models import customers
from billing_plugin.models.customers import Customer
from tests.factories import START, account_with


def test_who_was_stored_first_stays(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        assert customers.find(mine, "fake") is None
        for customer_id in ("cus_1", "cus_2"):
            customers.add(mine, "fake", customer_id=customer_id, at=START)
        customers.add(mine, "other", customer_id="cus_1", at=START)
        assert customers.find(mine, "fake") == Customer(mine, "fake", "cus_1", None, 0, 0)


def test_a_default_comes_and_goes(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        for processor in ("fake", "other"):
            customers.add(mine, processor, customer_id="cus_1", at=START)
        found = customers.find(mine, "fake")
        assert found is not None
        for method_id in ("pm_1", "pm_2", None):
            customers.set_default(found, method_id)
            assert customers.find(mine, "fake") == found._replace(default_method=method_id)
        assert customers.find(mine, "other") == found._replace(processor="other")


def test_what_was_told_never_goes_back(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        customers.add(mine, "fake", customer_id="cus_1", at=START)
        found = customers.find(mine, "fake")
        assert found is not None
        told = [customers.mark_told(found, revision) for revision in (1, 3, 3, 2)]
        assert told == [True, True, True, False]
        assert customers.find(mine, "fake") == found._replace(told_revision=3)


def test_who_is_to_be_told_is_due_until_it_is(billing: Billing, actor: Actor) -> None:
    mine, other = str(actor.account_id), str(account_with(billing).account_id)
    later = START + timedelta(minutes=1)
    with billing.instance.active():
        customers.put_off(mine, START)  # it is known to nobody
        for account_id in (mine, other):
            customers.add(account_id, "fake", customer_id=account_id, at=START)
        assert customers.due("fake", later, 9) == []
        customers.put_off(mine, later, tries=2)
        customers.put_off(other, START)
        assert customers.due("fake", later, 9) == [other, mine]
        assert customers.due("fake", later, 1) == customers.due("fake", START, 9) == [other]
        assert customers.due("other", later, 9) == []
        found = customers.find(mine, "fake")
        assert found is not None
        assert (found.tries, customers.mark_told(found, 1)) == (2, True)
        customers.put_off(other, None)
        assert customers.due("fake", later, 9) == []
        assert customers.find(mine, "fake") == found._replace(told_revision=1, tries=0)
