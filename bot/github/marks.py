"""How our comments on GitHub are known again: a hidden line at their end that names the topic.

It proves nothing alone, anybody can copy it: the author must be the account that we act as. With an App that account
is ours alone; with a person's token the mark tells what we wrote from what that person typed.
"""

import re

_MARK = re.compile(r"\s*<!-- callboard: ([^\n>]*?) -->\s*\Z")


def marker(topic: str) -> str:
    """The hidden line about a topic.

    Raises:
        ValueError: the topic would break out of the line.
    """
    if not topic or re.search(r"[\n>]|--", topic):
        raise ValueError(f"{topic!r} can't be a topic")
    return f"<!-- callboard: {topic} -->"


def marked(body: str, topic: str) -> str:
    """`body` with the mark of its topic at the end."""
    return f"{body.rstrip()}\n\n{marker(topic)}"


def topic_of(body: str) -> str:
    """The topic that the end of a comment names; empty when it names none."""
    found = _MARK.search(body)
    return found[1] if found else ""


def unmarked(body: str) -> str:
    """A comment as people see it."""
    return _MARK.sub("", body)
