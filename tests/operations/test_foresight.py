"""Foresight: whatever use comes of an outline costs between the two bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_plugin import Actor, Billing, Money, errors, operations
from billing_plugin.models.usage import Usage
from billing_plugin.operations import Preview
from billing_plugin.operations.foresight import foresee
from billing_plugin.operations.rating import rate
from tests.factories import START, Clock, account_with, billing_on
from tests.operations.listings import flat

MODELS = [
    *(("openai", "gpt-4o"), ("anthropic", "claude-sonnet-4-5"), ("google", "gemini-2.5-pro")),
    *(("openai", "gpt-4o-realtime-preview"), ("google", "gemini-2.5-flash"), ("p", "all")),
]
EVERY = {
    "input_tokens": "0.0000011", "cache_read_tokens": "0.0000003", "cache_write_tokens": "0.000002",
    "input_audio_tokens": "0.00001", "cache_audio_read_tokens": "0.00000077",
    "input_image_tokens": "0.0000005", "output_tokens": "0.000004", "reasoning_tokens": "0.00007",
    "output_audio_tokens": "0.00002", "output_image_tokens": "0.000001", "requests": "0.001",
}  # fmt: skip


def preview(actor: Actor, usage: Usage, most: int | None = None) -> Preview:
    return operations.preview_cost(actor, str(actor.account_id), usage, max_output_tokens=most)


def test_all_from_the_cache_is_least_and_nothing_from_it_most(actor: Actor) -> None:
    found = preview(actor, Usage("gpt-4o", "openai", 1_000), 100)
    assert (found.lower.text, found.upper.text) == ("0.00125", "0.0035")
    assert (found.provider, found.model, found.flagged) == ("openai", "gpt-4o", False)


def test_a_cache_that_is_written_costs_most_where_that_is_dearer(actor: Actor) -> None:
    found = preview(actor, Usage("claude-sonnet-4-5", "anthropic", 1_000))
    assert (found.lower.text, found.upper.text) == ("0.0003", "0.00375")


def test_a_stated_cost_is_both_bounds(actor: Actor) -> None:
    found = preview(actor, Usage("x", cost=Money.parse("0.5")))
    assert found.lower == found.upper == Money.parse("0.5")


@pytest.mark.parametrize("most", [-1, 9, True])
def test_a_most_below_the_least_is_refused(actor: Actor, most: Any) -> None:
    with pytest.raises(errors.InvalidRequest):
        preview(actor, Usage("gpt-4o", "openai", 1, 10), most)


def test_what_has_no_price_has_no_preview(database_url: str, actor: Actor) -> None:
    for usage in (Usage("no-such-model"), Usage("whisper-1", "openai", 10)):
        with pytest.raises(errors.UnpricedModel):
            preview(actor, usage)
    with pytest.raises(errors.InvalidRequest):
        preview(actor, Usage("gpt-4o-realtime-preview", "openai", 1, input_audio_tokens=2))
    lenient = billing_on(database_url, clock=Clock(), unpriced="allow")
    free = preview(account_with(lenient), Usage("no-such-model", input_tokens=5), 100)
    assert (free.lower, free.upper, free.flagged) == (Money(0), Money(0), True)


@st.composite
def partition(draw: st.DrawFn, total: int, parts: int) -> list[int]:
    """Numbers that together are at most the total."""
    found = []
    for _ in range(parts):
        found.append(draw(st.integers(0, total)))
        total -= found[-1]
    return found


@st.composite
def outline_and_use(draw: st.DrawFn) -> tuple[Usage, int, Usage]:
    """What is known before, the most that may come out, and a use that comes of it."""
    provider, model = draw(st.sampled_from(MODELS))
    given = draw(st.integers(0, 400_000))
    audio, image, read, written = draw(partition(given, 4))
    cached_audio = draw(st.integers(0, audio))
    output = draw(st.integers(0, 50_000))
    reasoning, out_audio, out_image = draw(partition(output, 3))
    least = draw(st.integers(0, output))
    stated_audio = min(draw(st.integers(0, out_audio)), least)
    stated_image = min(draw(st.integers(0, out_image)), least - stated_audio)
    known = Usage(
        model, provider, given, least, input_audio_tokens=audio, input_image_tokens=image,
        output_audio_tokens=stated_audio, output_image_tokens=stated_image,
    )  # fmt: skip
    came = Usage(
        model, provider, given, output, read + cached_audio, written, reasoning, audio,
        out_audio if stated_audio else 0, cached_audio, image, out_image if stated_image else 0,
    )  # fmt: skip
    return known, draw(st.integers(output, 60_000)), came


@settings(deadline=None, max_examples=400)
@given(outline_and_use())
def test_any_use_costs_between_the_bounds(
    systems: tuple[Billing, Billing], drawn: tuple[Usage, int, Usage]
) -> None:
    known, most, came = drawn
    with systems[known.provider == "p"].instance.active():
        bounds = foresee(known, None, at=START, max_output=most)
        assert bounds.lower <= rate(came, START).cost <= bounds.upper


class Everything:
    """A price list that has a price of its own for every kind, whatever the model."""

    edition = ""

    def find(self, *_: Any, **__: Any) -> Any:
        return flat(**EVERY).listing


@pytest.fixture(scope="module")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Billing, Billing]]:
    """Two systems that outlive an example: with the real price list, and with every kind."""
    folder = tmp_path_factory.mktemp("foresight")
    real = Billing(f"sqlite:///{folder / 'real.db'}")
    other = Billing(f"sqlite:///{folder / 'other.db'}", price_list=Everything())
    yield real, other
    real.close()
    other.close()
