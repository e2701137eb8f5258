"""The four kinds of failing; nothing else crosses a module's edge. A bug is any other exception."""


class UserError(Exception):
    """A person's mistake; the message is one sentence for that person and says what to do."""


class Transient(Exception):  # noqa: N818  # reads as what it is
    """Something outside failed and may work later. `retry_after` is in seconds, None when nobody said."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(Exception):  # noqa: N818
    """Authority or money said no; trying again changes nothing until a person does something."""
