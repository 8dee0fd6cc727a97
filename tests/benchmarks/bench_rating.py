"""G5: rating a use takes at most 1/100 of `genai_prices.calc_price`, warm.

Before anything is timed, every model that genai-prices knows must cost the same to the nano, at
several moments and in several mixes of tokens. Rating is what `rate` does for a use: the look-up of
the price that holds, and its integer arithmetic. What `rate` takes in whole, with the Money and the
record of the price that it hands back, is stated among the conditions.
"""

import sys
import tempfile
from datetime import datetime
from pathlib import Path

import genai_prices
from genai_prices import calc_price

from billing_plugin import Billing
from billing_plugin.errors import InvalidRequest, UnpricedModel
from billing_plugin.models.usage import Usage
from billing_plugin.operations.price_book import book
from billing_plugin.operations.rating import rate
from billing_plugin.providers.price_list import GenaiPrices
from tests.benchmarks.harness import MIN_ROUNDS, Contestant, Goal, compare, options, report
from tests.operations.listings import MOMENTS, reference, uses

GOAL = Goal("G5", "sqlite", bound=0.01)
AT = MOMENTS[-1]
MODELS = [
    *(("openai", "gpt-4o"), ("openai", "gpt-4o-mini"), ("openai", "o3"), ("openai", "gpt-4.1")),
    *(("anthropic", "claude-sonnet-4-5"), ("anthropic", "claude-opus-4-1")),
    *(("google", "gemini-2.5-pro"), ("google", "gemini-2.5-flash"), ("deepseek", "deepseek-chat")),
]
COUNTS = [
    {"input_tokens": 1_000, "output_tokens": 100},
    {"input_tokens": 24_000, "output_tokens": 900, "cache_read_tokens": 20_000},
    {"input_tokens": 250_001, "output_tokens": 7},
]
USES = [
    Usage(model, provider, **counts)  # type: ignore[arg-type]
    for provider, model in MODELS
    for counts in COUNTS
]
REPEATS = 200  # of all of USES in one turn


def main() -> int:
    """Check, measure, report."""
    wanted = options(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        billing = Billing(f"sqlite:///{Path(folder) / 'billing.db'}")
        with billing.instance.active():
            same, differ = equality()
            whole = compare(GOAL, WHOLE, REFERENCE, rounds=MIN_ROUNDS)
            comparison = compare(
                GOAL,
                RATING,
                REFERENCE,
                rounds=wanted.rounds,
                correct=same > 40_000 and not differ,
                conditions={
                    "same": same,
                    "differ": differ,
                    "ratio_of_rate_in_whole": round(whole.cpu_ratio.median, 4),
                },
            )
        billing.close()
    return report([comparison], json_wanted=wanted.json)


def equality() -> tuple[int, list[str]]:
    """How many ratings are those of genai-prices, and which are not."""
    same, differ = 0, []
    for provider, model in GenaiPrices().models():
        for at in MOMENTS:
            for usage in uses(provider, model):
                try:
                    equal = cost(usage, at) == reference(usage, at)
                except UnpricedModel:  # not on the list, or a kind of token without a price
                    continue
                same += equal
                differ += [] if equal else [f"{provider} {model} {at}"]
    return same, differ


def cost(usage: Usage, at: datetime) -> int | None:
    """Nanos; None where the counts contradict each other."""
    try:
        return rate(usage, at).nanos
    except UnpricedModel:
        raise
    except InvalidRequest:
        return None


def rating() -> None:
    """The price that holds, and its integer arithmetic."""
    for _ in range(REPEATS):
        for usage in USES:
            tariff = book().tariff(usage, AT, None)
            table = tariff.table(usage.input_tokens) if tariff.steps else tariff.tables[0]
            table.nanos(usage)


def rating_in_whole() -> None:
    """With the Money and the record of the price."""
    for _ in range(REPEATS):
        for usage in USES:
            rate(usage, AT)


def listed() -> None:
    """What genai-prices takes for the same."""
    for _ in range(REPEATS):
        for usage, asked in ASKED:
            calc_price(asked, usage.model, provider_id=usage.provider, genai_request_timestamp=AT)


ASKED = [(usage, genai_prices.Usage(**usage.quantities)) for usage in USES]
RATING = Contestant("rating", rating)
WHOLE = Contestant("rate()", rating_in_whole)
REFERENCE = Contestant("genai_prices.calc_price", listed)

if __name__ == "__main__":
    sys.exit(main())
