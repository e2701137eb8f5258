"""What people said that the next run must be told: as it read when it was heard, visible, and bounded (S-20 to S-23).

A comment counts as it read when it was heard. Whoever edits it later has not said the new text: nobody may have seen
it, and an approval of the work may already rest on the old one. What somebody said who may not steer any more is left
out, too.
"""

import hashlib

from bot.machine.approval import Act, Allowed, authorise
from bot.machine.decision import Post
from bot.machine.facts import Comment, Facts, Ticket
from bot.machine.record import Record
from bot.machine.visible import visible_text

LONGEST = 64_000
"""Characters of one comment that a prompt holds; more is cut with a note."""
LONGEST_OF_ALL = 400_000
"""Characters of all comments that a prompt holds; the oldest are left out first."""
_REMEMBERED = 30


def heard_as(record: Record, epic: Record, comment: Comment) -> tuple[tuple[str, str], ...]:
    """The record's `as_heard` with this comment; what was heard on the epic first counts as it was heard there."""
    first = dict(epic.as_heard).get(comment.id) or _digest(comment.body)
    return tuple({**dict(record.as_heard), comment.id: first}.items())[-_REMEMBERED:]


def guidance(facts: Facts, ticket: Ticket, record: Record) -> list[dict[str, str]]:
    """What people said on the ticket and on the epic that the next run must be told, oldest first."""
    items, room = list[dict[str, str]](), LONGEST_OF_ALL
    for comment in reversed(_told(facts, ticket, record)):
        body = bounded(visible_text(comment.body), LONGEST)
        room -= len(body)
        if body and room >= 0 and not edited_since(record, comment) and _may(facts, comment):
            author = comment.author.name if comment.author else ""
            items.append({"author": author, "body": body, "at": comment.created_at.isoformat(), "url": comment.url})
    return items[::-1]


def unheard(facts: Facts, ticket: Ticket, record: Record) -> tuple[Post, ...]:
    """Tell the authors of comments that were edited after they were heard that the new text does not count."""
    return tuple(
        Post(ticket.issue.id, f"edited-{one.id}", "edited_since", {}, parent=one.parent or one.id)
        for one in _told(facts, ticket, record)
        if edited_since(record, one) and one in ticket.issue.comments
    )


def edited_since(record: Record, comment: Comment) -> bool:
    """Whether a comment was edited after it was heard; one of which that is not known counts as edited since."""
    return comment.edited and dict(record.as_heard).get(comment.id) != _digest(comment.body)


def bounded(text: str, limit: int) -> str:
    """The text, cut with a note when it has more than `limit` characters."""
    return text if len(text) <= limit else f"{text[:limit]}\n[… {len(text) - limit:,} more characters were cut]"


def _told(facts: Facts, ticket: Ticket, record: Record) -> list[Comment]:
    known = {one.id: one for one in (*facts.epic.issue.comments, *ticket.issue.comments)}
    return sorted((known[one] for one in record.guidance if one in known), key=lambda one: one.created_at)


def _may(facts: Facts, comment: Comment) -> bool:
    return isinstance(authorise(comment, Act.ASK, facts.rules), Allowed)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
