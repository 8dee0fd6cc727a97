"""After any history of changes every report is what a list of the items adds up to."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Billing, operations
from billing_plugin.errors import Conflict, InvalidRequest
from billing_plugin.models import rollups
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, SpendFilter
from tests.books import complaints
from tests.factories import account_with
from tests.operations.naive import KEYS, chosen_items, reported, summed

FIRST = datetime(2025, 12, 28, tzinfo=UTC)
DATES = st.builds(
    lambda days, seconds: FIRST + timedelta(days=days, seconds=seconds),
    st.integers(0, 100), st.sampled_from([0, 1, 86_399]),
)  # fmt: skip
AMOUNTS = st.one_of(
    st.builds(Exact, st.integers(-50, 50), st.integers(0, 10**9 - 1)),
    st.builds(Exact, st.integers(-(10**13), 10**13), st.just(0)),
)
NAMES = st.sampled_from(["a", "b", "c"])
ANY = st.none() | NAMES
TAGS = st.lists(st.sampled_from(["x", "y", "=", "[]", "ü"]), max_size=3)
SAID: dict[str, Any] = {
    "amount": AMOUNTS,
    "currency": st.sampled_from(["USD", "EUR"]),
    "date": DATES,
    "category": ANY,
    "tags": st.none() | TAGS,
    "provider": NAMES,
    "service_id": ANY,
    "recurring": st.booleans(),
    "name": st.just("other"),
}
DRAFTS = st.fixed_dictionaries(SAID).map(lambda said: ItemDraft(**said))
REFS = st.integers(0, 6).map(str)
CHANGES = st.sampled_from(sorted(SAID)).flatmap(
    lambda name: st.fixed_dictionaries({name: SAID[name]})
)
STEPS = st.one_of(
    st.tuples(st.just("create"), DRAFTS),
    st.tuples(st.just("create"), st.builds(lambda d, r: d._replace(provider_ref=r), DRAFTS, REFS)),
    st.tuples(st.just("update"), st.integers(0, 30), CHANGES),
    st.tuples(st.just("update"), st.integers(0, 30), CHANGES),
    st.tuples(st.just("delete"), st.integers(0, 30)),
    st.tuples(
        st.just("store"),
        st.lists(st.builds(lambda d, r: d._replace(provider_ref=r), DRAFTS, REFS), max_size=25),
        st.sampled_from(["sync", "focus"]),
    ),
    st.tuples(st.just("move"), NAMES, ANY),
)
DAYS = st.none() | st.builds(lambda days: date(2025, 12, 20) + timedelta(days), st.integers(0, 120))
WORDS = st.none() | st.sampled_from(["", "a", "b"])


@st.composite
def filters(draw: Any) -> SpendFilter:
    since, until = draw(DAYS), draw(DAYS)
    if since and until and until < since:
        since, until = until, since
    sources = draw(st.sets(st.sampled_from(["manual", "sync", "focus"]), min_size=1))
    words = draw(st.tuples(WORDS, WORDS, WORDS) | st.just((None, None, None)))
    return SpendFilter(*words, since=since, until=until, sources=sorted(sources))


class Play:
    """A history of one account's items."""

    def __init__(self, billing: Billing) -> None:
        self.actor = account_with(billing)
        self.mine = str(self.actor.account_id)
        self.known: list[str] = []
        for name in ("a", "b", "c"):
            operations.create_category(self.actor, self.mine, name)

    def create(self, draft: ItemDraft) -> None:
        done = operations.create_item(self.actor, self.mine, draft)
        assert done.created == (done.item.id not in self.known)
        if done.created:
            self.known.append(done.item.id)

    def update(self, number: int, changes: dict[str, Any]) -> None:
        if self.known:
            item_id = self.known[number % len(self.known)]
            try:
                operations.update_item(self.actor, self.mine, item_id, changes=changes)
            except Conflict as refusal:
                assert refusal.code == "item_exists"

    def delete(self, number: int) -> None:
        if self.known:
            item_id = self.known.pop(number % len(self.known))
            operations.delete_item(self.actor, self.mine, item_id)

    def store(self, drafts: list[ItemDraft], source: str) -> None:
        done = operations.store_items(self.actor, self.mine, drafts, source=source)
        assert sum(done) == len(drafts)
        found = operations.list_items(self.actor, self.mine, limit=1000)
        assert len(found) == len(self.known) + done.created
        self.known = sorted(item.id for item in found)

    def move(self, name: str, parent: str | None) -> None:
        try:
            operations.update_category(self.actor, self.mine, name, changes={"parent": parent})
        except InvalidRequest as refusal:
            assert refusal.code == "category_cycle"


@pytest.mark.parametrize("folded_at", [3, 256])
def test_every_report_is_what_the_items_add_up_to(
    billing: Billing, monkeypatch: pytest.MonkeyPatch, folded_at: int
) -> None:
    monkeypatch.setattr(rollups, "FOLDED_AT", folded_at)

    @settings(deadline=None, max_examples=30, database=None)
    @given(st.lists(STEPS, min_size=1, max_size=12), st.lists(filters(), min_size=1, max_size=4))
    def run(steps: list[Any], asked: list[SpendFilter]) -> None:
        play = Play(billing)
        for name, *said in steps:
            getattr(play, name)(*said)
        for chosen in [SpendFilter(), *asked]:
            items = chosen_items(play.actor, chosen)
            for by in KEYS:
                assert reported(play.actor, chosen, by) == summed(items, by), (chosen, by)
        assert complaints(billing) == []

    run()
