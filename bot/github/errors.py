"""What GitHub's answers mean for us. Texts and codes: facts on GitHub, sections 5, 7 and 8."""

import time
from collections.abc import Mapping
from typing import Any

from github import GithubException

from bot.machine.errors import Refused, Transient, UserError

MOVED = frozenset({307, 308})
_LOCKED = "issue is locked"


class NotFound(UserError):  # noqa: N818
    """GitHub has no such thing, or our credentials don't reach it: GitHub tells the two apart for nobody."""


class Forbidden(Refused):
    """403: a rule of the repository or a missing permission is in the way of this one thing, not of everything."""


class Locked(Forbidden):
    """Somebody locked the conversation: an App may say nothing there any more."""


class HeadMoved(Exception):  # noqa: N818
    """The pull request's head is not the commit that was to be merged. What was approved must be shown again."""


class NotMergeable(Exception):  # noqa: N818
    """GitHub does not merge now; the reason is its own sentence, for people."""


class NoCommits(NotMergeable):
    """The branch has nothing that the base lacks, so there can be no pull request."""


class QueueRequired(NotMergeable):
    """The base branch takes merges only through its merge queue."""


class StillRunning(NotMergeable):
    """A check can't run again yet: others of the same run have not ended."""


class Unprocessable(Exception):  # noqa: N818
    """GitHub understood and can't (422, or an error of a GraphQL mutation); the message has all it said."""


class NotAllowed(Exception):  # noqa: N818
    """405: GitHub will not merge. Only `ensure` can tell what that means."""


class Conflicting(Exception):  # noqa: N818
    """409: something is not as the request expected it."""


def classify(error: GithubException) -> Exception:
    """The one exception that an error answer stands for."""
    headers = {name.lower(): str(value) for name, value in (error.headers or {}).items()}
    data = error.data if isinstance(error.data, dict) else {}
    said = _said(data) or f"status {error.status}"
    if error.status == 429 or (error.status == 403 and _is_limit(said, headers)):
        return Transient(f"GitHub's rate limit: {said}", retry_after=wait_of(headers))
    if error.status >= 500 or error.status < 300:
        return Transient(f"GitHub failed: {said}")
    if error.status in MOVED:
        return Refused(f"The repository has another name now: write it into callboard.toml (GitHub: {said})")
    if error.status == 401:
        return Refused(f"GitHub does not accept our credentials ({said}): check GITHUB_TOKEN, or GITHUB_APP_ID and key")
    if error.status == 403:
        return _forbidden(f"{said}{_needed(headers)}")
    if error.status in (404, 410):
        return NotFound(f"GitHub: {said}. Does it exist, and may our App or token reach it?")
    known = {405: NotAllowed, 409: Conflicting}
    return known.get(error.status, Unprocessable)(said)


def classify_graphql(errors: list[Mapping[str, Any]], headers: Mapping[str, str]) -> Exception:
    """The one exception that the errors of a GraphQL answer stand for."""
    said = "; ".join(str(one.get("message", "")) for one in errors)
    kinds = {str(one.get("type", "")) for one in errors}
    if "RATE_LIMITED" in kinds or _is_limit(said, {}):
        return Transient(f"GitHub's rate limit: {said}", retry_after=wait_of(headers))
    if kinds & {"FORBIDDEN", "INSUFFICIENT_SCOPES"} or "not accessible" in said:
        return _forbidden(said)
    if "NOT_FOUND" in kinds:
        return NotFound(f"GitHub: {said}")
    if _LOCKED in said:
        return _forbidden(said)
    if kinds & {"UNPROCESSABLE"}:
        return Unprocessable(said)
    if "something went wrong" in said.lower() or "timeout" in said.lower():
        return Transient(f"GitHub failed: {said}")
    return Unprocessable(said)


def wait_of(headers: Mapping[str, str], now: float | None = None) -> float:
    """Seconds until the next request is welcome: `retry-after`, else the reset of an empty budget, else 60."""
    after = headers.get("retry-after", "")
    if after.isdigit():
        return max(1.0, float(after))
    reset = headers.get("x-ratelimit-reset", "")
    if headers.get("x-ratelimit-remaining") == "0" and reset.isdigit():
        return max(1.0, float(reset) - (time.time() if now is None else now))
    return 60.0


def _forbidden(said: str) -> Forbidden:
    kind = Locked if _LOCKED in said else Forbidden
    return kind(f"GitHub refused: {said}")


def _is_limit(said: str, headers: Mapping[str, str]) -> bool:
    return "rate limit" in said.lower() or "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"


def _said(data: Mapping[str, Any]) -> str:
    """The message and all details, which come as texts or as objects."""
    details = data.get("errors")
    texts = [
        str(one.get("message") or one.get("code") or "") if isinstance(one, dict) else str(one)
        for one in (details if isinstance(details, list) else [details] if details else [])
    ]
    return ": ".join(part for part in (str(data.get("message") or ""), "; ".join(filter(None, texts))) if part)


def _needed(headers: Mapping[str, str]) -> str:
    needed = headers.get("x-accepted-github-permissions")
    return f" (it needs the permission {needed}; grant it in the App's settings)" if needed else ""
