"""Names of branches: `bot.machine.stack` makes ours from the ticket, others are checked before use (S-40)."""

import re

from bot.machine.errors import UserError

_OURS = re.compile(r"agent/([A-Z][A-Z0-9]*-[0-9]+)(-[a-z0-9-]{1,40})?", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9._/+#=@-]+", re.ASCII)
_LONGEST = 200


def identifier_of(branch: str) -> str | None:
    """The ticket whose branch (or base of its own) this is; None when the branch is not ours."""
    match = _OURS.fullmatch(branch)
    return match[1] if match else None


def is_safe(name: str) -> bool:
    """Whether `name` may be used as a branch: what git allows, and of that only plain ASCII that no shell minds."""
    if not _PLAIN.fullmatch(name) or len(name) > _LONGEST or name == "@" or "@{" in name or ".." in name:
        return False
    if name == "HEAD" or name.startswith(("-", "refs/")):
        return False
    return all(
        part and not part.startswith((".", "-")) and not part.endswith((".", ".lock")) for part in name.split("/")
    )


def checked(name: str) -> str:
    """`name`, if it `is_safe`.

    Raises:
        UserError: it is not.
    """
    if not is_safe(name):
        raise UserError(f"{name!r} can't be the name of a branch: use letters, digits and . _ - / only.")
    return name
