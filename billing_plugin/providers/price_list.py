"""The price list: exact token prices of the genai-prices package, offline, with their history.

Estimates in the package's own words; what a provider reports wins over them. Source: the package's
bundled data of the version named in each quote.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from genai_prices import Usage, calc_price

from billing_plugin.errors import InvalidRequest, UnpricedModel

_PRICE_OF = {"input_tokens": "input_mtok", "output_tokens": "output_mtok"}


@dataclass(frozen=True, slots=True)
class GenaiQuote:
    """One answer: exact US dollars, and the ids that matched."""

    exact: Decimal
    provider: str
    source: str
    facts: dict[str, Any]


class GenaiPrices:
    """Prices token counts of a model at an instant."""

    def __init__(self) -> None:
        self._source = f"genai-prices {version('genai-prices')}"

    def quote(
        self, model: str, quantities: dict[str, int], *, provider: str | None, at: datetime
    ) -> GenaiQuote:
        """The exact cost. `input_tokens` include cached ones.

        Raises UnpricedModel when no price is known for the model or for a kind of token that was
        used (some are sold by the minute), InvalidRequest when the counts contradict.
        """
        try:
            price = calc_price(
                Usage(**quantities), model_ref=model, provider_id=provider,
                genai_request_timestamp=at,
            )  # fmt: skip
        except LookupError as error:
            raise UnpricedModel(f"No price is known for the model {model[:100]}.") from error
        except ValueError as error:
            raise InvalidRequest("The token counts contradict each other.") from error
        for name, mark in _PRICE_OF.items():
            if quantities.get(name) and getattr(price.model_price, mark) is None:
                raise UnpricedModel(f"The model {model[:100]} has no price for {name}.")
        facts = {"model": price.model.id, "provider": price.provider.id}
        return GenaiQuote(price.total_price, price.provider.id, self._source, facts)
