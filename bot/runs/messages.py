"""Words of others in commit messages: no line of them can pass for a subject, or for a trailer of the service's.

Nor do they mention people or close issues, which GitHub does by commit messages, too.
"""

from bot.machine.inert import disarmed

_SUBJECT = 120
_BODY = 4_000


def one_line(text: str) -> str:
    """The text as a subject: one line of at most 120 characters."""
    return " ".join(_plain(text).split())[:_SUBJECT]


def paragraphs(text: str) -> str:
    """The text as paragraphs of a message, at most 4,000 characters of it."""
    lines = map(_plain, text.strip().splitlines())
    return "\n".join(f" {line}" if line.startswith("Callboard-") else line for line in lines)[:_BODY]


def _plain(text: str) -> str:
    shown = (" " if one.isspace() and one != "\t" else one for one in text if one.isprintable() or one.isspace())
    return disarmed("".join(shown))
