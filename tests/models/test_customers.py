"""The rows of customers: one for an account and processor."""

from __future__ import annotations

from billing_plugin import Actor, Billing
from billing_plugin.models import customers
from billing_plugin.models.customers import Customer
from tests.factories import START


def test_who_was_stored_first_stays(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    with billing.instance.active():
        assert customers.find(mine, "fake") is None
        for customer_id in ("cus_1", "cus_2"):
            customers.add(mine, "fake", customer_id=customer_id, at=START)
        customers.add(mine, "other", customer_id="cus_1", at=START)
        assert customers.find(mine, "fake") == Customer(mine, "fake", "cus_1", None, 0)


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
