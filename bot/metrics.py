"""What `/metrics` tells beside the counts of webhooks, actions and review bots, which stand where they are counted."""

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

DECISIONS = Counter("callboard_decisions_total", "Decisions made, one a round")
WAITING = Gauge("callboard_waiting", "Issues that wait, by reason, as last decided", ["reason"])
RUNS = Counter("callboard_runs_total", "Runs that ended, by stage, prompt and how", ["stage", "prompt", "ended"])
RUN_SECONDS = Histogram(
    "callboard_run_seconds",
    "How long runs took",
    ["prompt"],
    buckets=(5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200),
)
COST = Counter("callboard_cost_usd_total", "US dollars spent on models, by stage", ["stage"])
CALLS_LEFT = Gauge("callboard_api_left", "What an API lets us do until its limit is reset", ["api", "kind"])

_reasons: dict[str, Tally[str]] = {}


def decided(key: str, reasons: Iterable[str]) -> None:
    """A round on a key ended with these reasons to wait, one for each issue and reason."""
    DECISIONS.inc()
    before, now = _reasons.get(key, Tally()), Tally(reasons)
    for reason in before.keys() | now.keys():
        WAITING.labels(reason).inc(now[reason] - before[reason])
    if now:
        _reasons[key] = now
    else:
        _reasons.pop(key, None)


def run_ended(stage: str, prompt: str, seconds: float, result: Mapping[str, Any]) -> None:
    """A run ended after so many seconds, with this result."""
    RUNS.labels(stage, prompt, str(result.get("kind") or "error")).inc()
    RUN_SECONDS.labels(prompt).observe(seconds)
    COST.labels(stage).inc(max(0.0, float(result.get("cost_usd") or 0.0)))


def calls_left(api: str, **left: int | None) -> None:
    """An API said how much is left, by kind; None where it said nothing."""
    for kind, amount in left.items():
        if amount is not None:
            CALLS_LEFT.labels(api, kind).set(amount)
