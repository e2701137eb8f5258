"""What a model's tokens cost. The figures are list prices in US dollars; contracts differ, so the policy may replace
them (`[prices."claude-opus"]`). A model without a price is not called: nobody could hold a budget then."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

_VERSION = r"(?:[-@:]v?[0-9][0-9.]*|-latest|\[1m\])*"
"""What may follow a model's name without making it another model: versions and dates."""


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens, and per thousand searches that the vendor runs for the model.

    None: by the vendors' usual factors, from `input`: 1.25 for writing to the cache, 2 for an hour's cache, 0.1 for
    reading it. `most_output` is how many tokens an answer may have when a request names no bound.
    """

    input: float
    output: float
    cache_write: float | None = None
    cache_write_hour: float | None = None
    cache_read: float | None = None
    searches: float = 10.0
    most_output: int = 128_000

    def usd(self, usage: "Usage") -> float:
        """Return what `usage` costs."""
        tokens = usage.input * self.input + usage.output * self.output
        tokens += usage.cache_write * _or(self.cache_write, 1.25 * self.input)
        tokens += usage.cache_write_hour * _or(self.cache_write_hour, 2 * self.input)
        tokens += usage.cache_read * _or(self.cache_read, 0.1 * self.input)
        return tokens / 1_000_000 + usage.searches * self.searches / 1_000

    def bound(self, size: int, most_output: int | None) -> float:
        """Return what one call costs at most. `size` is that of the request in bytes: no token is shorter than one."""
        dearest = max(self.input, _or(self.cache_write, 1.25 * self.input), _or(self.cache_write_hour, 2 * self.input))
        return (size * dearest + (most_output or self.most_output) * self.output) / 1_000_000


@dataclass(frozen=True)
class Usage:
    """Tokens of one answer in the classes that are charged apart, and searches that the vendor ran."""

    input: int = 0
    output: int = 0
    cache_write: int = 0
    cache_read: int = 0
    cache_write_hour: int = 0
    searches: int = 0

    @property
    def read(self) -> int:
        """Every token that went in."""
        return self.input + self.cache_write + self.cache_write_hour + self.cache_read


PRICES: Mapping[str, Price] = {
    "opus": Price(5.0, 25.0),
    "sonnet": Price(3.0, 15.0),
    "haiku": Price(1.0, 5.0),
    "claude-opus-4-1": Price(15.0, 75.0),
    "claude-opus-4-0": Price(15.0, 75.0),
    "claude-opus-4-20250514": Price(15.0, 75.0),
    "claude-3-opus": Price(15.0, 75.0),
    "gpt-5.5": Price(5.0, 30.0),
    "gpt-5.5-pro": Price(30.0, 180.0, cache_read=30.0),
    "gpt-5.4": Price(2.5, 15.0),
    "gpt-5.4-mini": Price(0.75, 4.5),
    "gpt-5.4-nano": Price(0.2, 1.25),
    "gpt-5.4-pro": Price(30.0, 180.0, cache_read=30.0),
    "gpt-5.3-codex": Price(1.75, 14.0),
    "gpt-5.2": Price(1.75, 14.0),
    "gpt-5.2-codex": Price(1.75, 14.0),
    "gpt-5.1": Price(1.25, 10.0),
    "gpt-5.1-codex": Price(1.25, 10.0),
    "gpt-5.1-codex-max": Price(1.25, 10.0),
    "gpt-5.1-codex-mini": Price(0.25, 2.0),
    "gpt-5": Price(1.25, 10.0),
    "gpt-5-codex": Price(1.25, 10.0),
    "gpt-5-mini": Price(0.25, 2.0),
    "gpt-5-nano": Price(0.05, 0.4),
    "gpt-5-pro": Price(15.0, 120.0, cache_read=15.0),
}
"""List prices of autumn 2026, by family. What comes out as a new family has no price until somebody says so."""


def name_of(model: str, prices: Mapping[str, Price] = PRICES) -> str | None:
    """Return the name in the table that a model id goes by: the longest that ends where its version begins.

    `model` is a full id (`claude-opus-5-5`, `us.anthropic.claude-opus-4-5-20251101-v1:0`) or an alias (`opus`).
    """
    return _name_of(model, tuple(prices))


def price_of(model: str, prices: Mapping[str, Price] = PRICES) -> Price | None:
    """Return the price of `model`, or None when the table has none."""
    name = name_of(model, prices)
    return prices[name] if name is not None else None


@lru_cache(maxsize=256)
def _name_of(model: str, names: tuple[str, ...]) -> str | None:
    there = (name for name in names if re.search(rf"(?:^|[-./]){re.escape(name)}{_VERSION}$", model, re.I | re.A))
    return max(there, key=len, default=None)


def _or(price: float | None, usual: float) -> float:
    return usual if price is None else price
