"""What all the checks of a commit say together. Pure; unreadable never means green."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.machine.facts import Checks

_GOOD = frozenset({"SUCCESS", "NEUTRAL", "SKIPPED"})
_BAD = frozenset({"FAILURE", "CANCELLED", "TIMED_OUT", "ACTION_REQUIRED", "STARTUP_FAILURE", "STALE", "ERROR"})
_OPEN = frozenset({"PENDING", "EXPECTED"})


@dataclass(frozen=True)
class Verdict:
    """The checks of a commit together, and the names of those that failed or have not ended."""

    checks: Checks
    failing: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


def read_checks(commit: Mapping[str, Any], head: str, own: str | None) -> Verdict:
    """What the last commit of a pull request says (GraphQL `commit` with its `statusCheckRollup`).

    Where the repository requires checks, only those count; where it requires none, all do. Our own App's (`own` is its
    slug) never count: the service would wait for itself. A commit that is not the `head` tells nothing yet.
    """
    if commit["oid"] != head:
        return Verdict(Checks.UNKNOWN)
    rollup = commit["statusCheckRollup"]
    if rollup is None:
        return Verdict(Checks.NONE)
    theirs = [one for one in rollup["contexts"]["nodes"] or () if one and not _is_own(one, own)]
    counted = [one for one in theirs if one["isRequired"]] or theirs
    results = [(_name(one), _result(one)) for one in counted]
    failing = tuple(sorted({name for name, result in results if result in _BAD}))
    waiting = tuple(sorted({name for name, result in results if result in _OPEN}))
    return Verdict(_together(rollup, results, failing, waiting), failing, waiting)


def _together(
    rollup: Mapping[str, Any], results: list[tuple[str, str]], failing: tuple[str, ...], waiting: tuple[str, ...]
) -> Checks:
    if failing:
        return Checks.RED
    if rollup["contexts"]["pageInfo"]["hasNextPage"] or any(
        result not in _GOOD | _OPEN for _, result in results
    ):  # not everything was seen, or not understood
        return Checks.UNKNOWN
    if waiting or rollup["state"] == "EXPECTED":  # a required check that nobody has reported yet
        return Checks.PENDING
    return Checks.GREEN if results else Checks.NONE


def _is_own(context: Mapping[str, Any], own: str | None) -> bool:
    app = (context.get("checkSuite") or {}).get("app") or {}
    return own is not None and app.get("slug") == own


def _name(context: Mapping[str, Any]) -> str:
    return str(context.get("name") or context.get("context"))


def _result(context: Mapping[str, Any]) -> str:
    if context["__typename"] == "StatusContext":
        return str(context["state"])
    return str(context["conclusion"]) if context["status"] == "COMPLETED" else "PENDING"
