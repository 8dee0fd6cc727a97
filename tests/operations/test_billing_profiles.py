"""Billing profiles: to whom bills go, replaced whole, told to the processor, seen by their own."""

from __future__ import annotations

import pytest

from billing_plugin import Actor, Billing, errors, operations
from billing_plugin.models.billing_profiles import FIELDS
from billing_plugin.processors.fake import FakeProcessor
from billing_plugin.processors.processor import Profile
from tests.books import everything
from tests.factories import START, Clock, account_with

ACME = {
    "name": "Acme", "email": "bills@acme.example", "line1": "1 Main St", "city": "Berlin",
    "postal_code": "10115", "country": "DE", "tax_id_type": "eu_vat", "tax_id": "DE136695976",
}  # fmt: skip


@pytest.fixture
def mine(actor: Actor) -> str:
    return str(actor.account_id)


def stored(actor: Actor) -> dict[str, str]:
    found = operations.get_billing_profile(actor, str(actor.account_id))
    return {name: getattr(found, name) for name in FIELDS if getattr(found, name)}


def test_where_nobody_has_said_all_is_empty(actor: Actor, mine: str) -> None:
    assert stored(actor) == {}
    assert operations.get_billing_profile(actor, mine).updated_at is None


def test_a_profile_is_replaced_whole(actor: Actor, mine: str) -> None:
    made = operations.set_billing_profile(actor, mine, ACME)
    assert (made.email, made.updated_at, made.revision) == (ACME["email"], START, 1)
    assert stored(actor) == ACME
    operations.set_billing_profile(actor, mine, {"name": "Bcme"})
    assert stored(actor) == {"name": "Bcme"}
    operations.set_billing_profile(actor, mine, {})
    assert stored(actor) == {}


def test_the_same_again_changes_nothing(billing: Billing, actor: Actor, mine: str) -> None:
    operations.set_billing_profile(actor, mine, ACME)
    before = everything(billing)
    assert operations.set_billing_profile(actor, mine, ACME).revision == 1
    assert everything(billing) == before


@pytest.mark.parametrize(
    "wrong",
    [{"email": "x"}, {"country": "XX"}, {"tax_id": "DE136695976"}, {"name": "x" * 201}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_wrong_is_refused_whole(
    billing: Billing, actor: Actor, mine: str, wrong: dict[str, str]
) -> None:
    operations.set_billing_profile(actor, mine, {"name": "Before"})
    before = everything(billing)
    with pytest.raises(errors.InvalidRequest):
        operations.set_billing_profile(actor, mine, {"name": "After", **wrong})
    assert everything(billing) == before


def test_the_trail_says_which_fields_and_not_what(billing: Billing, actor: Actor) -> None:
    mine = str(actor.account_id)
    operations.set_billing_profile(actor, mine, ACME)
    operations.set_billing_profile(actor, mine, ACME | {"city": "Bonn"})
    changes = operations.list_changes(actor, mine)
    told = [one.after for one in changes if one.action == "billing_profile.set"]
    changed = [name for name in FIELDS if name in ACME]
    assert told == [{"changed": ["city"]}, {"changed": changed}]
    assert "Berlin" not in str(everything(billing)["audit"])


def test_the_processors_customer_is_told(billing: Billing, actor: Actor, mine: str) -> None:
    processor = billing.instance.processor = FakeProcessor()
    operations.set_billing_profile(actor, mine, ACME)
    assert processor.profiles == {}
    operations.begin_payment_method(actor, mine)
    customer = processor.open_customer(mine)
    assert processor.profiles == {customer: Profile(**ACME)}
    operations.set_billing_profile(actor, mine, {"name": "Bcme"})
    assert processor.profiles == {customer: Profile(name="Bcme")}


def test_without_a_processor_it_is_stored(billing: Billing, actor: Actor, mine: str) -> None:
    billing.instance.processor = None
    operations.set_billing_profile(actor, mine, ACME)
    assert stored(actor) == ACME


def test_others_profiles_are_unknown(billing: Billing, actor: Actor) -> None:
    theirs = str(account_with(billing).account_id)
    with pytest.raises(errors.NotFound):
        operations.get_billing_profile(actor, theirs)
    with pytest.raises(errors.NotFound):
        operations.set_billing_profile(actor, theirs, ACME)
    for act in (
        lambda: operations.get_billing_profile(billing.operator(), "acct_of_nobody"),
        lambda: operations.set_billing_profile(billing.operator(), "acct_of_nobody", ACME),
    ):
        with pytest.raises(errors.NotFound):
            act()


class Mute(FakeProcessor):
    """A processor that does not answer who is billed, until it does."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.is_mute = 0, True

    def change_customer(self, customer_id: str, profile: Profile) -> None:
        """As the fake one, or no answer."""
        self.asked += 1
        if self.is_mute:
            raise errors.ProviderUnavailable("no answer")
        super().change_customer(customer_id, profile)


def test_a_processor_is_told_again_by_itself(
    billing: Billing, actor: Actor, mine: str, clock: Clock
) -> None:
    processor, operator = Mute(), billing.operator()
    billing.instance.processor = processor
    operations.begin_payment_method(actor, mine)
    operations.set_billing_profile(actor, mine, ACME)
    for minutes in (1, 5, 15):
        clock.forward(minutes=minutes)
        asked = processor.asked
        assert [operations.tell_billing_profiles(operator) for _ in range(2)] == [0, 0]
        assert processor.asked == asked + 1
    processor.is_mute = False
    clock.forward(hours=1)
    assert [operations.tell_billing_profiles(operator) for _ in range(2)] == [1, 0]
    assert processor.profiles == {processor.open_customer(mine): Profile(**ACME)}


def test_a_processor_that_never_takes_it_is_left_alone(
    billing: Billing, actor: Actor, mine: str, clock: Clock
) -> None:
    """Such as a tax id that is good and that it does not know; another profile begins anew."""
    processor, operator = Mute(), billing.operator()
    billing.instance.processor = processor
    operations.begin_payment_method(actor, mine)
    operations.set_billing_profile(actor, mine, ACME)
    for _ in range(20):
        clock.forward(days=1)
        operations.tell_billing_profiles(operator)
    assert processor.asked == 8
    processor.is_mute = False
    operations.set_billing_profile(actor, mine, {"name": "Bcme"})
    assert list(processor.profiles.values()) == [Profile(name="Bcme")]


def test_a_crash_before_it_is_told_is_made_up_for(
    billing: Billing, actor: Actor, mine: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = billing.instance.processor = FakeProcessor()
    operations.begin_payment_method(actor, mine)
    with monkeypatch.context() as broken:
        broken.setattr("billing_plugin.operations.billing_profiles.tell_profile", _die)
        with pytest.raises(_DiedError):
            operations.set_billing_profile(actor, mine, ACME)
    assert processor.profiles == {}
    clock.forward(minutes=1)
    assert operations.tell_billing_profiles(billing.operator()) == 1
    assert list(processor.profiles.values()) == [Profile(**ACME)]


def test_without_a_processor_nobody_is_told(billing: Billing) -> None:
    billing.instance.processor = None
    assert operations.tell_billing_profiles(billing.operator()) == 0


class _DiedError(Exception):
    """Stands for the end of the process."""


def _die(_: str) -> bool:
    raise _DiedError
