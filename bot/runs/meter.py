"""What one run used and met at its model, and whether it may call once more.

What must hold: a run never costs more than its budget and one call. A call is let through while the run has money left
after everything that is still under way was taken off at its dearest (`Price.bound`); until that is known, it waits.
With nothing under way, money left is enough: that is the one call above. The same holds for what several runs share,
their epic and the day: that is kept by `Account`.
"""

import asyncio
import email.utils
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

from prometheus_client import Counter

from bot.runs.prices import PRICES, Price, Usage, name_of, price_of
from bot.runs.supervisor import Pulse

LONG_WAIT = timedelta(seconds=60)
"""From this on, a 429 is the account's usage limit and no longer a busy minute."""
TOKENS = Counter("callboard_model_tokens_total", "Tokens, by model family and class", ["model", "kind"])
DOLLARS = Counter("callboard_model_usd_total", "US dollars by the price table", ["model"])
_EMPTY = frozenset({"insufficient_quota", "billing_error", "usage_limit_reached", "usage_not_included"})
"""Types and codes of errors that mean: this account can't go on, whatever is waited for."""


@dataclass(frozen=True)
class Denial:
    """Why there is nothing to call a model with. `limited`: it is the account that is at its limit, `until` then."""

    reason: str
    limited: bool = False
    until: datetime | None = None


class Account(Protocol):
    """The money and the model account that a run shares with others."""

    async def reserve(self, usd: float) -> Denial | None:
        """Take off what a call costs at most; waits while others hold too much."""

    async def settle(self, reserved: float, usd: float, usage: Usage) -> None:
        """Put back what was reserved, and charge what was used."""

    async def limited(self, until: datetime | None, why: str) -> None:
        """The model's account is at its limit: nobody gets anything until then; None: nobody said until when."""


@dataclass
class Meter:
    """What one run used and met. `budget_usd` None means no limit."""

    budget_usd: float | None = None
    prices: Mapping[str, Price] = field(default_factory=lambda: PRICES)
    pulse: Pulse = field(default_factory=Pulse)
    account: Account | None = None
    """None: the run shares nothing with others."""
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    refused: bool = False
    """A request was refused because the budget is spent."""
    exhausted: str = ""
    """Why a request was refused for what others spent too: the epic's budget, or the day's."""
    unpriced: str = ""
    """The model that was asked for and has no price."""
    limited: bool = False
    """The last answer said that the account is at its usage limit; `resets_at` tells until when, if it said."""
    resets_at: datetime | None = None
    unfinished: bool = False
    """The last answer broke off, or there was none."""
    _reserved: float = 0.0
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition, repr=False)

    @property
    def spent(self) -> bool:
        """Whether the budget is used up."""
        return self.budget_usd is not None and self.cost_usd >= self.budget_usd

    async def reserve(self, bound: float) -> Denial | None:
        """Take off what a call costs at most, or say why there is none; waits while calls under way hold too much."""
        async with self._changed:
            while not self.spent and self._held_up():
                await self._changed.wait()
            if self.spent:
                self.refused = True
                return Denial(f"This run has spent its budget of ${self.budget_usd:.2f}.")
            self._reserved += bound
        try:
            denied = await self.account.reserve(bound) if self.account else None
        except BaseException:
            await self._release(bound)
            raise
        if denied is not None:
            await self._release(bound)
            self._denied(denied)
        return denied

    def _denied(self, denial: Denial) -> None:
        if denial.limited:
            self.limited, self.resets_at = True, denial.until
        else:
            self.exhausted = denial.reason

    def _held_up(self) -> bool:
        under_way = self.cost_usd + self._reserved
        return self.budget_usd is not None and self._reserved > 0 and under_way >= self.budget_usd

    async def _release(self, bound: float) -> None:
        async with self._changed:
            self._reserved = max(0.0, self._reserved - bound)
            self._changed.notify_all()

    async def settle(self, bound: float, model: str, usage: Usage) -> None:
        """Put back what was taken off, and charge the tokens of the answer."""
        usd = self.charge(model, usage)
        await self._put_back(bound, usd, usage)

    async def forgo(self, bound: float) -> None:
        """Put back what was taken off for a call that came to nothing."""
        await self._put_back(bound, 0.0, Usage())

    async def _put_back(self, bound: float, usd: float, usage: Usage) -> None:
        await self._release(bound)
        if self.account:
            await self.account.settle(bound, usd, usage)

    def charge(self, model: str, usage: Usage) -> float:
        """Add the tokens of one answer; a model that nobody asked for costs as much as the dearest of the table."""
        dearest = max(self.prices.values(), key=lambda price: price.output)
        usd = (price_of(model, self.prices) or dearest).usd(usage)
        self.cost_usd += usd
        self.input_tokens += usage.read
        self.output_tokens += usage.output
        family = name_of(model, self.prices) or "unknown"
        DOLLARS.labels(family).inc(usd)
        for kind, count in vars(usage).items():
            TOKENS.labels(family, kind).inc(count)
        return usd

    def answered(self, status: int, headers: Mapping[str, str], error: Mapping[str, object] | None = None) -> None:
        """Note what an answer says about the account's limit. `error` is the vendor's error object, if there was one.

        Only fields are looked at, never prose: a usage limit is one that the account's headers reject, that takes a
        minute or more, or that the error's type or code names.
        """
        self.limited, self.resets_at = False, None
        if status < 400:
            return
        now = datetime.now(UTC)
        resets_at = _reset_time(headers, error or {}, now)
        empty = bool({str((error or {}).get(name)) for name in ("type", "code")} & _EMPTY)
        rejected = headers.get("anthropic-ratelimit-unified-status") == "rejected"
        long = resets_at is not None and resets_at - now >= LONG_WAIT
        if empty or (status == 429 and (rejected or long)):
            self.limited, self.resets_at = True, resets_at


def _reset_time(headers: Mapping[str, str], error: Mapping[str, object], now: datetime) -> datetime | None:
    """Until when, by the header or field that is most exact; what is no moment counts as not said."""
    for value in (headers.get("anthropic-ratelimit-unified-reset"), error.get("resets_at")):
        if (moment := _moment(value)) is not None:
            return moment
    for value in (error.get("resets_in_seconds"), headers.get("retry-after")):
        if (seconds := _number(value)) is not None:
            return now + timedelta(seconds=seconds)
    date = email.utils.parsedate_tz(headers.get("retry-after", ""))
    return datetime.fromtimestamp(email.utils.mktime_tz(date), UTC) if date else None


def _moment(value: object) -> datetime | None:
    """Seconds since 1970, or a date as ISO 8601 writes it."""
    try:
        if (seconds := _number(value, most=4e9 * 2)) is not None:
            return datetime.fromtimestamp(seconds, UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC) if moment else None


def _number(value: object, most: float = 31e6) -> float | None:
    """A count of seconds, at most a year of them."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) else -1.0
    except ValueError:
        return None
    return min(seconds, most) if seconds >= 0 and seconds == seconds else None
