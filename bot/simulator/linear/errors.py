"""The errors Linear answers with, word for word where a capture exists (facts: Linear, section 2.1)."""

from typing import Any


class LinearError(Exception):
    """An error of the GraphQL layer.

    `status` is the HTTP status of the whole answer, `code` and `type` stand in `extensions`, `presentable` is the
    sentence for people.
    """

    def __init__(
        self,
        message: str,
        *,
        presentable: str | None = None,
        code: str = "INPUT_ERROR",
        type: str = "invalid input",  # noqa: A002  # Linear's own name
        status: int = 200,
        status_code: int = 400,
        meta: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.presentable = message, status, presentable or message
        self.extensions = {
            "type": type,
            "code": code,
            "statusCode": status_code,
            "userError": True,
            "userPresentableMessage": self.presentable,
            "meta": meta or {},
        }


def not_authenticated() -> LinearError:
    """No credential, or one that Linear doesn't know."""
    return LinearError(
        "Authentication required, not authenticated",
        presentable="You need to authenticate to access this operation.",
        code="AUTHENTICATION_ERROR",
        type="authentication error",
        status=401,
        status_code=401,
    )


def key_as_bearer() -> LinearError:
    """A personal key behind the word Bearer."""
    return LinearError(
        "It looks like you're trying to use an API key as a Bearer token. "
        "Remove the Bearer prefix from the Authorization header.",
        code="AUTHENTICATION_ERROR",
        type="authentication error",
        status=400,
    )


def invalid_argument(sentence: str) -> LinearError:
    """An argument that is no UUID, too large, or missing."""
    return LinearError("Argument Validation Error", presentable=sentence, code="INVALID_INPUT")


def not_found(entity: str) -> LinearError:
    """The entity that was asked for doesn't exist."""
    return LinearError(f"Entity not found: {entity}", presentable=f"Could not find referenced {entity}.")


def not_found_in(argument: str) -> LinearError:
    """An id in an argument, or in a list of ids, names nothing."""
    return LinearError(
        f"Entity not found in validateAccess: {argument}",
        presentable=f"{argument} contained an entry that could not be found.",
    )


def conflict(entity: str, identifier: str, *, status: int) -> LinearError:
    """A create with an id that exists; Linear was seen to answer 200 and 400."""
    return LinearError(
        f"conflict on insert of {entity}",
        presentable=f"Entity {entity} with id {identifier} already exists.",
        status=status,
    )


def rate_limited(amount: int, what: str) -> LinearError:
    """Too many requests or too much complexity within the hour: HTTP 400, not 429."""
    return LinearError(
        f"Rate limit exceeded. Only {amount} {what} are allowed per 1 hour.",
        code="RATELIMITED",
        type="ratelimited",
        status=400,
        status_code=429,
    )


def too_complex(points: int, most: int) -> LinearError:
    """One query above the cap."""
    return LinearError(
        "Query too complex",
        presentable=f"The query is too complex. Complexity: {points}. Maximum allowed complexity: {most}.",
        status=400,
    )


def forbidden() -> LinearError:
    """The credential may not do this."""
    return LinearError(
        "You do not have access to this data.", code="FORBIDDEN", type="forbidden", status=403, status_code=403
    )


def issue_limit() -> LinearError:
    """The cap on active issues of a free workspace."""
    return LinearError(
        "usage limit exceeded",
        presentable="You've exceeded the free issue limit for this workspace. Upgrade to create more issues.",
        code="USAGE_LIMIT_EXCEEDED",
        type="usage limit exceeded",
        meta={"usageMetric": "activeIssueCount"},
    )
