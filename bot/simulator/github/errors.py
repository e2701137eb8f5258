"""The answers that say no, in GitHub's words."""

from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """A refused request: what REST answers as a status with a message, and GraphQL as an error in a 200.

    `kind` is the `type` that GraphQL gives the error. `errors` is the list that REST adds to a 422.
    """

    def __init__(
        self,
        status: int,
        message: str,
        errors: Sequence[object] | None = None,
        headers: Mapping[str, str] | None = None,
        kind: str = "UNPROCESSABLE",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = dict(headers or {})
        self.kind = kind


def not_found(message: str = "Not Found") -> ApiError:
    """404: also what GitHub says of everything that the caller may not see."""
    return ApiError(404, message, kind="NOT_FOUND")


def bad_credentials(message: str = "Bad credentials") -> ApiError:
    """401."""
    return ApiError(401, message, kind="UNAUTHORIZED")


def not_granted(need: str) -> ApiError:
    """403 for an App whose token lacks a permission; the header names what was needed, as `pull_requests=write`."""
    headers = {"X-Accepted-GitHub-Permissions": need.replace(":", "=")}
    return ApiError(403, "Resource not accessible by integration", headers=headers, kind="FORBIDDEN")


def forbidden(message: str) -> ApiError:
    """403."""
    return ApiError(403, message, kind="FORBIDDEN")


def invalid(resource: str, field: str, code: str = "invalid", value: object = None) -> ApiError:
    """422 about one field. `code` is `invalid`, `missing_field`, `already_exists` and the like."""
    error: dict[str, object] = {"resource": resource, "field": field, "code": code}
    if value is not None:
        error["value"] = value
    return ApiError(422, "Validation Failed", [error])


def custom(resource: str, message: str) -> ApiError:
    """422 whose reason is a sentence inside `errors`."""
    return ApiError(422, "Validation Failed", [{"resource": resource, "code": "custom", "message": message}])


def unprocessable(reason: str) -> ApiError:
    """422 whose `errors` are bare sentences, as the review endpoints give them."""
    return ApiError(422, "Unprocessable Entity", [reason])


def not_simulated(what: str) -> ApiError:
    """501: the simulator says loudly what it doesn't know, and never invents an answer."""
    return ApiError(501, f"The simulated GitHub does not know {what}", kind="NOT_SIMULATED")
