"""Who may: one pure function that says no unless everything says yes (design.md section 7, security S-10, S-12)."""

from dataclasses import dataclass

from bot.machine.facts import Comment, Rules


@dataclass(frozen=True)
class Allowed:
    """The person may."""


@dataclass(frozen=True)
class Denied:
    """The person may not; `reason` completes the sentence “… because …”."""

    reason: str


def authorise(comment: Comment, rules: Rules) -> Allowed | Denied:
    """Whether the author of a comment may command and be listened to."""
    author = comment.author
    if comment.ours or author is None or author.app:
        return Denied("it was not written by a person in Linear")
    if author.guest:
        return Denied("guests may not steer Callboard")
    if not author.active:
        return Denied("its author is no longer active in this workspace")
    if not author.person:
        return Denied("it was not written by a person in Linear")
    if rules.people and author.id not in rules.people:
        return Denied("the policy names other people for this (`people.users`)")
    return Allowed()


def approves(comment: Comment, rules: Rules) -> Allowed | Denied:
    """Whether a comment can count as an approval: its author may, and nobody touched it since."""
    if comment.edited:
        return Denied("it was edited after it was written; write a new comment")
    return authorise(comment, rules)
