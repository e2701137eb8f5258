"""What all the checks of a commit say together, and each alone. Pure; unreadable never means green."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bot.github.people import login_of
from bot.machine.pull_request import Checks, CheckSeen, Failure

GOOD = frozenset({"SUCCESS", "NEUTRAL", "SKIPPED"})
_BAD = frozenset({"FAILURE", "CANCELLED", "TIMED_OUT", "ACTION_REQUIRED", "STARTUP_FAILURE", "STALE", "ERROR"})
_OPEN = frozenset({"PENDING", "EXPECTED"})
ACTIONS = "github-actions"
"""The slug of GitHub's own CI, the one whose runs can be started again job by job and whose logs GitHub keeps."""
SUMMARY = 2_000
"""Characters of a check's own words that facts keep."""
_RUN = re.compile(r"/actions/runs/(\d+)(?:/|$)", re.ASCII)
Context = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """The checks of a commit together, the names of those that failed or have not ended, and each of them."""

    checks: Checks
    failing: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    seen: tuple[CheckSeen, ...] = ()


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
    theirs = _newest(one for one in rollup["contexts"]["nodes"] or () if one and not _is_own(one, own))
    counted = [one for one in theirs if one["isRequired"]] or theirs
    results = [(_name(one), _result(one)) for one in counted]
    failing = tuple(sorted({name for name, result in results if result in _BAD}))
    waiting = tuple(sorted({name for name, result in results if result in _OPEN}))
    return Verdict(
        _together(rollup, results, failing, waiting),
        failing,
        waiting,
        failures=tuple(sorted(_failures(counted, theirs, head), key=lambda one: (one.name, one.id))),
        seen=tuple(sorted((_seen(one) for one in theirs), key=lambda one: (one.name, one.by))),
    )


def _together(
    rollup: Mapping[str, Any], results: list[tuple[str, str]], failing: tuple[str, ...], waiting: tuple[str, ...]
) -> Checks:
    if failing:
        return Checks.RED
    if rollup["contexts"]["pageInfo"]["hasNextPage"] or any(
        result not in GOOD | _OPEN for _, result in results
    ):  # not everything was seen, or not understood
        return Checks.UNKNOWN
    if waiting or rollup["state"] == "EXPECTED":  # a required check that nobody has reported yet
        return Checks.PENDING
    return Checks.GREEN if results else Checks.NONE


def _newest(contexts: Iterable[Context]) -> list[Context]:
    """GitHub lists a check that was run again beside its new run (the same suite and name): only the newest counts."""
    found: dict[tuple[object, ...], Context] = {}
    for one in contexts:
        if one["__typename"] == "StatusContext":
            found["status", one["context"]] = one
            continue
        key = ("check", _suite(one).get("databaseId"), one["name"])
        known = found.get(key)
        if known is None or (known["databaseId"] or 0) <= (one["databaseId"] or 0):
            found[key] = one
    return list(found.values())


def _failures(counted: Iterable[Context], theirs: Iterable[Context], head: str) -> Iterator[Failure]:
    running = {_suite(one).get("databaseId") for one in theirs if _result(one) in _OPEN} - {None}
    for one in counted:
        if _result(one) in _BAD:
            failure = _failure(one, head)
            yield replace(failure, busy=failure.suite in running)


def _failure(one: Context, head: str) -> Failure:
    if one["__typename"] == "StatusContext":
        return Failure(
            name=one["context"],
            kind="status",
            head=head,
            by=_by(one),
            conclusion=_result(one).lower(),
            details_url=one["targetUrl"] or "",
            summary=_summary(one),
        )
    url = one["detailsUrl"] or ""
    found = _RUN.search(url) if _slug(one) == ACTIONS else None
    return Failure(
        name=one["name"],
        kind="check_run",
        head=head,
        id=one["databaseId"] or 0,
        by=_by(one),
        conclusion=_result(one).lower(),
        details_url=url,
        summary=_summary(one),
        suite=_suite(one).get("databaseId") or 0,
        actions_run=int(found[1]) if found else 0,
    )


def _seen(one: Context) -> CheckSeen:
    return CheckSeen(_name(one), _by(one), _result(one).lower(), bool(one["isRequired"]), _summary(one))


def _summary(one: Context) -> str:
    texts = (one["description"],) if one["__typename"] == "StatusContext" else (one["title"], one["summary"])
    return "\n\n".join(text.strip() for text in texts if text and text.strip())[:SUMMARY]


def _is_own(context: Context, own: str | None) -> bool:
    return own is not None and _slug(context) == own


def _by(context: Context) -> str:
    if context["__typename"] == "StatusContext":
        return login_of(context["creator"]) if context["creator"] else ""
    slug = _slug(context)
    return f"{slug}[bot]" if slug else ""


def _slug(context: Context) -> str:
    return str((_suite(context).get("app") or {}).get("slug") or "")


def _suite(context: Context) -> Mapping[str, Any]:
    return context.get("checkSuite") or {}


def _name(context: Context) -> str:
    return str(context.get("name") or context.get("context"))


def _result(context: Context) -> str:
    if context["__typename"] == "StatusContext":
        return str(context["state"])
    return str(context["conclusion"]) if context["status"] == "COMPLETED" else "PENDING"
