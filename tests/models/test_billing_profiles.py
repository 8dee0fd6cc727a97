"""The rows of billing profiles: one for an account, in ever newer revisions."""

from __future__ import annotations

from datetime import timedelta

from billing_plugin import Actor, Billing
from billing_plugin.models import billing_profiles
from billing_plugin.models.billing_profiles import FIELDS
from tests.factories import START, account_with

LATER = START + timedelta(minutes=1)


def test_a_profile_is_replaced_whole(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    first = {name: f"{name} 1" for name in FIELDS}
    second = dict.fromkeys(FIELDS, "") | {"name": "other"}
    with billing.instance.active():
        assert billing_profiles.get(mine) is None
        for number, (values, at) in enumerate([(first, START), (second, LATER)], 1):
            billing_profiles.store(mine, values, at)
            found = billing_profiles.get(mine)
            assert found is not None
            assert {name: getattr(found, name) for name in FIELDS} == values
            assert (found.id, found.revision, found.updated_at) == (mine, number, at)
        assert billing_profiles.get(str(account_with(billing).account_id)) is None
