"""Which price holds: order of the sources, times, names; and when a change is seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from billing_plugin import Actor, Billing, errors, operations
from billing_plugin.models.usage import Usage
from billing_plugin.operations import price_book
from billing_plugin.operations.price_book import MAX_MODELS, MAX_STRETCHES
from billing_plugin.operations.rating import rate
from tests.factories import START, Clock, account_with, billing_on
from tests.operations.listings import flat

DAY = timedelta(days=1)
LISTED = {"input_tokens": "1", "output_tokens": "1"}


@pytest.fixture
def billing(database_url: str, clock: Clock) -> Billing:
    """A system whose price list knows one model, a dollar for a token."""
    return billing_on(database_url, clock=clock, price_list=flat(**LISTED))


def put(billing: Billing, dollars: str, *, model: str = "m", **options: Any) -> Any:
    prices = {"input_tokens": dollars, "output_tokens": "0"}
    provider = options.pop("provider", "p")
    return operations.set_price(billing.operator(), provider, model, prices=prices, **options)


def paid(billing: Billing, actor: Actor | None = None, **said: Any) -> str:
    """What one token costs: of model m unless told, now."""
    at = said.pop("at", START)
    used = Usage(said.pop("model", "m"), said.pop("provider", "p"), input_tokens=1)
    with billing.instance.active():
        return rate(used, at, actor and actor.account_id).cost.text


def test_the_accounts_own_price_comes_first_then_everybodys_then_the_list(
    billing: Billing,
) -> None:
    one, other = account_with(billing), account_with(billing)
    assert paid(billing, one) == "1.00"
    put(billing, "2")
    put(billing, "3", account_id=one.account_id)
    put(billing, "4")
    assert [paid(billing, actor) for actor in (one, other, None)] == ["3.00", "4.00", "4.00"]


def test_the_newest_that_has_begun_holds_until_it_ends(billing: Billing) -> None:
    put(billing, "2")
    put(billing, "3", valid_from=START + DAY, valid_until=START + 2 * DAY)
    moments = (-1, 0, 1, 1.9, 2, 3)
    found = [paid(billing, at=START + days * DAY) for days in moments]
    assert found == ["1.00", "2.00", "3.00", "3.00", "2.00", "2.00"]
    assert [paid(billing, at=START + days * DAY) for days in reversed(moments)] == found[::-1]


def test_adding_a_price_changes_no_past(billing: Billing) -> None:
    put(billing, "2")
    before = [paid(billing, at=START + hours * DAY / 24) for hours in (-5, -1, 0)]
    put(billing, "9", valid_from=START + DAY)
    assert [paid(billing, at=START + hours * DAY / 24) for hours in (-5, -1, 0)] == before


def test_of_two_that_begin_together_the_later_one_holds(billing: Billing) -> None:
    put(billing, "2")
    put(billing, "3")
    assert paid(billing) == "3.00"


def test_a_price_goes_by_the_names_of_the_use_and_of_the_list(database_url: str) -> None:
    billing = billing_on(database_url, clock=Clock())
    put(billing, "2", provider="OpenAI", model="gpt-4o")
    for name in ("gpt-4o", "GPT-4o", "gpt-4o-2024-08-06"):
        for provider in ("openai", ""):
            assert paid(billing, model=name, provider=provider) == "2.00"
    put(billing, "3", provider="openai", model="gpt-4o-2024-08-06")
    put(billing, "4", provider="openai", model="gpt-4o")
    assert paid(billing, model="gpt-4o-2024-08-06", provider="") == "3.00"
    assert paid(billing, model="gpt-4o", provider="openai") == "4.00"
    assert paid(billing, model="gpt-4o", provider="azure") == "0.0000025"


def test_a_model_of_one_provider_is_found_without_it(billing: Billing) -> None:
    put(billing, "2", provider="us", model="own")
    assert paid(billing, model="own", provider="") == "2.00"
    put(billing, "3", provider="them", model="own")
    with pytest.raises(errors.UnpricedModel):
        paid(billing, model="own", provider="")


def test_without_a_price_list_the_book_is_enough(database_url: str) -> None:
    class Missing:
        edition = ""

        def find(self, *_: Any, **__: Any) -> Any:
            raise errors.NotSupported("No price list is installed.")

    billing = billing_on(database_url, clock=Clock(), price_list=Missing())
    with pytest.raises(errors.NotSupported):
        paid(billing)
    put(billing, "2")
    assert paid(billing) == "2.00"


def test_a_change_is_seen_at_once_here_and_within_a_second_elsewhere(
    billing: Billing, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0]
    monkeypatch.setattr(price_book, "monotonic_ns", lambda: now[0])
    elsewhere = billing_on(database_url, clock=Clock(), price_list=flat(**LISTED))
    now[0] = 1
    assert (paid(billing), paid(elsewhere)) == ("1.00", "1.00")
    price = put(billing, "2")
    assert (paid(billing), paid(elsewhere)) == ("2.00", "1.00")
    now[0] += 1_000_000_001
    assert (paid(billing), paid(elsewhere)) == ("2.00", "2.00")
    operations.end_price(elsewhere.operator(), price.id, at=START)
    assert (paid(billing), paid(elsewhere)) == ("2.00", "1.00")
    now[0] += 1_000_000_001
    assert paid(billing) == "1.00"


def test_a_new_edition_of_the_list_is_compiled_anew(billing: Billing) -> None:
    assert paid(billing) == "1.00"
    billing.instance.price_list = flat(input_tokens="7", output_tokens="1")
    billing.instance.price_list.edition = "test 2"
    billing.instance.price_book.forget()
    assert paid(billing) == "7.00"


def test_the_list_is_asked_once_for_a_model(billing: Billing) -> None:
    for number in range(5):
        paid(billing, at=START + number * DAY)
    assert len(billing.instance.price_list.asked) == 1


def test_a_look_that_fails_is_taken_again(
    billing: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid(billing)
    put(billing, "2")

    def broken() -> int:
        raise errors.StorageUnavailable("away")

    with monkeypatch.context() as away:
        away.setattr(price_book.prices, "version", broken)
        with pytest.raises(errors.StorageUnavailable):
            paid(billing)
    assert paid(billing) == "2.00"


def test_an_accounts_own_price_is_nobody_elses(billing: Billing) -> None:
    one, other = account_with(billing), account_with(billing)
    put(billing, "2", account_id=one.account_id)
    put(billing, "3", account_id=other.account_id, model="x")
    for _ in range(2):
        assert [paid(billing, actor) for actor in (one, other, None)] == ["2.00", "1.00", "1.00"]


def test_what_is_kept_is_bounded(billing: Billing) -> None:
    with billing.instance.active():
        for number in range(MAX_MODELS + 10):
            with pytest.raises(errors.UnpricedModel):
                rate(Usage(f"made-up-{number}", "p"), START)
    kept = billing.instance.price_book.shelves[0]
    assert len(kept) <= MAX_MODELS
    for days in range(1, MAX_STRETCHES + 5):
        put(billing, "2", valid_from=START + days * DAY)
    for days in range(MAX_STRETCHES + 5):
        paid(billing, at=START + days * DAY)
    kept = billing.instance.price_book.shelves[0]
    assert {len(tariffs) for tariffs in kept.values()} == {MAX_STRETCHES}
