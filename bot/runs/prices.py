"""What a model's tokens cost. The figures are list prices in US dollars; contracts differ, so they can be replaced."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens. Writing to the cache is charged above input, reading from it far below."""

    input: float
    output: float

    def usd(self, usage: "Usage") -> float:
        """Return what `usage` costs (cache factors: 1.25 for writing, 0.1 for reading)."""
        weighed = usage.input + 1.25 * usage.cache_write + 0.1 * usage.cache_read
        return (weighed * self.input + usage.output * self.output) / 1_000_000


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer, in the four classes that are charged apart."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0

    @property
    def read(self) -> int:
        """Every token that went in."""
        return self.input + self.cache_write + self.cache_read


PRICES: Mapping[str, Price] = {
    "opus": Price(5.0, 25.0),
    "sonnet": Price(3.0, 15.0),
    "haiku": Price(1.0, 5.0),
}
"""By model family: the first name that occurs in the model's id counts. An unknown model costs as much as the dearest,
so that a budget holds."""


def price_of(model: str, prices: Mapping[str, Price] = PRICES) -> Price:
    """Return the price of `model`, a full id such as `claude-opus-5-5` or an alias."""
    family = next((price for name, price in prices.items() if name in model.lower()), None)
    return family or max(prices.values(), key=lambda price: price.output)
