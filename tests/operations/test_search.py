"""Whatever is entered, changed, removed: a search finds just what says the words, alike on both."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, operations
from billing_plugin.models import item_pages, search
from billing_plugin.models.items import CostItem
from billing_plugin.models.words import MAX_SAME, Term, terms_in, words_in
from billing_plugin.money import Exact
from billing_plugin.operations import ItemDraft, ItemFilter
from tests.books import complaints
from tests.deeds import refused
from tests.factories import START, account_with

HOSTILE = [
    *('"', "'", "*", "-", ":", "^", "(", ")", '"*', "* *", "%", "_", "\\", "{}", "[a", "?", "--"),
    *("NEAR", "NEAR(", "a NEAR b", "AND", "OR", "NOT", "a AND", "name:a", "words : a", "-a", "^a"),
    *('a"b', '"a', 'a" b "c"*', "a*b", "a' | b", "a & !b", "a <-> b", "a:*", "');DROP TABLE x;--"),
    *("🤖", "\u0301", "\ufeff", "a\u200bb", "\x01", "a\tb\nc", "'" * 500, "*" * 500, "a" * 500),
]


def enter(actor: Actor, name: str, **said: Any) -> CostItem:
    draft = ItemDraft(name, Exact(1), **said)
    return operations.create_item(actor, str(actor.account_id), draft).item


def found(actor: Actor, question: str, limit: int = 50, **chosen: Any) -> list[str]:
    items = operations.search_items(
        actor, str(actor.account_id), question, chosen=ItemFilter(**chosen), limit=limit
    )
    return [item.name for item in items]


@pytest.fixture
def bills(actor: Actor) -> Actor:
    """Five items."""
    enter(actor, "GCP Compute Engine", provider="gcp", provider_ref="gcp-inv-2026-03",
          tags=["compute", "production"], description="March costs")  # fmt: skip
    enter(actor, "Vercel Pro", provider="vercel", service_id="web-app", tags=["team=Größe"])
    enter(actor, "Café credits", description="compute, but not the engine", provider="openai")
    enter(actor, "Compute", provider="aws", date=START - timedelta(days=9))
    enter(actor, "Refund", provider="aws", description="of an engine compute")
    return actor


FOUND = {
    "compute": ["Compute", "GCP Compute Engine", "Refund", "Café credits"],
    "COMPUTE Engine": ["GCP Compute Engine", "Refund", "Café credits"],
    "engine compute": ["GCP Compute Engine", "Refund", "Café credits"],
    '"compute engine"': ["GCP Compute Engine"],
    '"engine compute"': ["Refund"],
    "comp": ["Compute", "GCP Compute Engine", "Refund", "Café credits"],
    "comp* gcp": ["GCP Compute Engine"],
    "comp gcp": [],
    "gcp-inv-2026": ["GCP Compute Engine"],
    "inv 2026": ["GCP Compute Engine"],
    '"2026 inv"': [],
    '"engine march"': [],  # no phrase reaches from one text into the next
    '"production gcp"': [],
    "cafe": ["Café credits"],
    "CAFÉ": ["Café credits"],
    "grosse": ["Vercel Pro"],
    "web app": ["Vercel Pro"],
    "aws": ["Refund", "Compute"],
    "zzz": [],
    "...": [],
    "": [],
}  # fmt: skip


@pytest.mark.parametrize("question", FOUND)
def test_items_are_found_by_their_words(bills: Actor, question: str) -> None:
    assert found(bills, question) == FOUND[question]
    assert found(bills, question, limit=2) == FOUND[question][:2]


def test_filters_go_together_with_words(bills: Actor) -> None:
    today = START.date()
    assert found(bills, "compute", provider="aws") == ["Compute", "Refund"]
    assert found(bills, "compute", provider="aws", since=today) == ["Refund"]
    assert found(bills, "compute", until=date(2026, 3, 1)) == ["Compute"]
    assert found(bills, "compute", tags=["production", "x"]) == ["GCP Compute Engine"]
    assert found(bills, "compute", provider="vercel") == []
    assert found(bills, "...", provider="aws") == []
    assert refused(found, bills, "compute", category="nowhere").status == 404


def test_no_phrase_reaches_over_what_is_not_kept(actor: Actor) -> None:
    enter(actor, "x", description="a much " + "so " * MAX_SAME + "b so c")
    assert found(actor, '"so b"') == found(actor, "b c") == ["x"]
    assert found(actor, '"b c"') == []


def test_nobody_finds_what_others_have(billing: Billing, bills: Actor) -> None:
    other = account_with(billing)
    enter(other, "compute mine")
    assert found(other, "compute") == ["compute mine"]
    assert "compute mine" not in found(bills, "compute")
    assert refused(operations.search_items, bills, str(other.account_id), "compute").status == 404


@pytest.mark.parametrize("question", HOSTILE)
def test_nothing_that_is_typed_is_syntax(bills: Actor, question: str) -> None:
    enter(bills, f"Hostile {question[:100]} end".replace("\x00", ""))
    words = [word for term in terms_in(question) for word in term.words]
    names = found(bills, question)
    assert bool(words) == (names != [] and "Hostile" in names[0])


@pytest.mark.parametrize(
    "question", ["a\0b", "\ud800", "x" * 501, "y" * 100_000, " ".join(map(str, range(33)))]
)
def test_what_is_no_question_is_refused(actor: Actor, question: str) -> None:
    assert refused(found, actor, question).status == 422


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_limit_is_within_bounds(actor: Actor, limit: int) -> None:
    assert refused(found, actor, "x", limit=limit).status == 422


TEXTS = st.lists(
    st.sampled_from(["alpha", "Álpha", "al", "beta", "be", "b", "-", "alpha-beta", "ß"]),
    min_size=1, max_size=4,
).map(" ".join)  # fmt: skip
SAID: dict[str, Any] = {
    "name": TEXTS,
    "description": st.none() | TEXTS,
    "provider": st.sampled_from(["alpha", "beta"]),
    "service_id": st.none() | st.just("be"),
    "tags": st.lists(st.sampled_from(["alpha", "b", "ß be"]), max_size=2),
}
DRAFTS = st.fixed_dictionaries(SAID).map(lambda said: ItemDraft(amount=Exact(1), **said))
REFERRED = st.builds(
    lambda draft, ref: draft._replace(provider_ref=ref),
    DRAFTS, st.sampled_from(["b-1", "b-2", "alpha", "z"]),
)  # fmt: skip
CHANGES = st.sampled_from(sorted(SAID)).flatmap(
    lambda name: st.fixed_dictionaries({name: SAID[name]})
)
STEPS = st.one_of(
    st.tuples(st.just("create"), DRAFTS | REFERRED),
    st.tuples(st.just("store"), st.lists(REFERRED, max_size=25)),
    st.tuples(st.just("update"), st.integers(0, 30), CHANGES),
    st.tuples(st.just("delete"), st.integers(0, 30)),
)
QUESTIONS = st.lists(
    st.sampled_from(["alpha", "al", "be*", "beta", '"alpha beta"', '"', "b", "b-1", "ss", "z*"]),
    min_size=1, max_size=3,
).map(" ".join)  # fmt: skip


def says(texts: list[str], term: Term) -> bool:
    """Whether one of the texts says the words of the term one after the other."""
    wanted, number = list(term.words), len(term.words)
    for text in texts:
        words = list(words_in(text))
        for start in range(len(words) - number + 1):
            there = words[start : start + number]
            begun = there[-1].startswith(wanted[-1]) if term.begins else there[-1] == wanted[-1]
            if there[:-1] == wanted[:-1] and begun:
                return True
    return False


def naive(items: list[CostItem], question: str) -> list[str]:
    """What a search has to find, by reading every item."""
    terms = terms_in(question)

    def fits(item: CostItem, *others: str | None) -> bool:
        texts = [text for text in (item.name, *others) if text]
        return bool(terms) and all(says(texts, term) for term in terms)

    last_first = sorted(items, key=lambda item: item.id, reverse=True)
    named = [item.id for item in last_first if fits(item)]
    every = [
        item.id for item in last_first
        if fits(item, item.description, item.provider, item.service_id, item.provider_ref,
                *item.tags)
    ]  # fmt: skip
    return list(dict.fromkeys(named + every))


class Play:
    """A history of one account's items."""

    def __init__(self, billing: Billing) -> None:
        self.actor = account_with(billing)
        self.mine = str(self.actor.account_id)

    @property
    def items(self) -> list[CostItem]:
        return operations.list_items(self.actor, self.mine, limit=1000)

    def create(self, draft: ItemDraft) -> None:
        operations.create_item(self.actor, self.mine, draft)

    def store(self, drafts: list[ItemDraft]) -> None:
        operations.store_items(self.actor, self.mine, drafts, source="sync")

    def update(self, number: int, changes: dict[str, Any]) -> None:
        items = self.items
        if items and not (items[number % len(items)].provider_ref and "provider" in changes):
            item_id = items[number % len(items)].id
            operations.update_item(self.actor, self.mine, item_id, changes=changes)

    def delete(self, number: int) -> None:
        items = self.items
        if items:
            operations.delete_item(self.actor, self.mine, items[number % len(items)].id)


@pytest.mark.parametrize("newest", [2, search.NEWEST])
def test_a_search_finds_what_reading_every_item_would_find(
    billing: Billing, monkeypatch: pytest.MonkeyPatch, newest: int
) -> None:
    monkeypatch.setattr(search, "NEWEST", newest)
    monkeypatch.setattr(item_pages, "FEW", newest)

    @settings(deadline=None, max_examples=30, database=None)
    @given(st.lists(STEPS, min_size=1, max_size=12), st.lists(QUESTIONS, min_size=1, max_size=6))
    def run(steps: list[Any], questions: list[str]) -> None:
        play = Play(billing)
        for name, *said in steps:
            getattr(play, name)(*said)
        items = play.items
        for question in questions:
            for limit in (1, 2, 1000):
                items_found = operations.search_items(play.actor, play.mine, question, limit=limit)
                assert [one.id for one in items_found] == naive(items, question)[:limit], question
                some = operations.search_items(
                    play.actor, play.mine, question, chosen=ItemFilter(provider="beta"), limit=limit
                )
                betas = [one for one in items if one.provider == "beta"]
                assert [one.id for one in some] == naive(betas, question)[:limit], question
        assert complaints(billing) == []

    run()
