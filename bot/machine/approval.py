"""Who may, how they must say it, and what it counts for: it is no unless everything says yes (design.md section 7).

Every word that somebody says anywhere goes through `authorise`, whatever it asks for: one table of acts, and four
questions, all of which must be answered with yes.

    who       an active member of the workspace in Linear, by user id; on GitHub somebody who may write
    how       as a comment of their own in Linear, untouched since; what only asks for work may also stand on GitHub
    wording   the whole comment is one of the words for it
    when      after our comment that showed exactly what it approves, which is still that

An approval is a person's comment as it stands. Deleting or editing that comment takes the approval back, for everything
that is not merged yet; a new comment gives it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from bot.machine.comments import APPROVES_MERGE, APPROVES_REVIEW, Word, parse
from bot.machine.facts import Comment, Rules, Ticket
from bot.machine.pull_request import Remark, Review
from bot.machine.record import Approval
from bot.machine.stages import Stage


class Act(StrEnum):
    """What somebody wants with a word. A move by hand and a comment that steers are the same act."""

    ASK = "ask"
    """A wish, an answer, a question: words for a worker, or for us to answer."""
    STEER = "steer"
    SPEND = "spend"
    APPROVE = "approve"
    """An approval of whatever stands in review; the stage then asks for REVIEW or MERGE."""
    REVIEW = "review"
    MERGE = "merge"


@dataclass(frozen=True)
class Allowed:
    """The person may."""


@dataclass(frozen=True)
class Denied:
    """The person may not; `reason` completes the sentence “… because …”."""

    reason: str


@dataclass(frozen=True)
class Subject:
    """What stands in review. `shown_at` is when our comment showed it, None when it is not there.

    `unchanged`: it is still what that comment showed. `ready`: there is something of it that could be done now.
    """

    shown_at: datetime | None = None
    unchanged: bool = False
    ready: bool = True


CHANGED = Denied("a pull request changed since the summary; a new summary follows, please approve that")
_NOT_A_PERSON = Denied("it was not written by a person in Linear")
_ON_GITHUB = Denied("only a comment in Linear says that")
_STEERS = frozenset({Word.RETRY, Word.PAUSE, Word.RESUME, Word.CANCEL, Word.STOP})
_WORDS: Mapping[Act, frozenset[Word]] = {
    Act.ASK: frozenset({Word.TEXT, Word.STATUS, Word.WHY, Word.HELP}),
    Act.STEER: _STEERS,
    Act.SPEND: frozenset({Word.BUDGET}),
    Act.APPROVE: APPROVES_REVIEW | APPROVES_MERGE,
    Act.REVIEW: APPROVES_REVIEW,
    Act.MERGE: APPROVES_MERGE,
}
_LOOSE: Mapping[Act, Denied] = {
    Act.REVIEW: Denied("nothing stands ready to merge yet; `approve` approves what is in review"),
    Act.MERGE: Denied("merging needs `approve`, `approved` or `merge`; no looser word does"),
}
_TOO_EARLY: Mapping[Act, Denied] = {
    Act.REVIEW: Denied(
        "what is in review changed, or was not shown yet, when it was written; it is shown below as it is now"
    ),
    Act.MERGE: Denied("it was written before the summary that it would approve"),
}


def authorise(
    said: Comment | Remark | Review, act: Act, rules: Rules, subject: Subject | None = None
) -> Allowed | Denied:
    """Whether what somebody said counts as this act. `subject` is what stands in review, for REVIEW and MERGE."""
    if isinstance(said, Remark | Review):
        return _on_github(said, act)
    if not isinstance(said, Comment) or act not in _WORDS:
        return _NOT_A_PERSON
    verdicts = (_who(said, rules), _how(said, act), _wording(said, act), _when(said, act, subject))
    return next((one for one in verdicts if isinstance(one, Denied)), Allowed())


def may_move(who: Comment, rules: Rules) -> Allowed | Denied:
    """Whether a move by hand counts: whose move is followed is whose word is heard. `who` bears the mover as author."""
    return _who(who, rules)


def act_of(comment: Comment) -> Act:
    """What a comment asks for, by its words."""
    word = parse(comment.body).word
    return next(act for act in (Act.ASK, Act.STEER, Act.SPEND, Act.APPROVE) if word in _WORDS[act])


def _on_github(said: Remark | Review, act: Act) -> Allowed | Denied:
    """There people ask for work, and nothing else: a review on GitHub is GitHub's, its rules count it."""
    if act is not Act.ASK:
        return _ON_GITHUB
    if said.ours or not said.person:
        return Denied("it was not written by a person on GitHub")
    return Allowed() if said.may else Denied("its author may not write to the repository")


def _who(comment: Comment, rules: Rules) -> Allowed | Denied:
    author = comment.author
    if comment.ours or author is None or author.app or not author.id:
        return _NOT_A_PERSON
    if author.guest:
        return Denied("guests may not steer Callboard")
    if not author.active:
        return Denied("its author is no longer active in this workspace")
    if not author.person:
        return _NOT_A_PERSON
    if rules.people and author.id not in rules.people:
        return Denied("the policy names other people for this (`people.users`)")
    return Allowed()


def _how(comment: Comment, act: Act) -> Allowed | Denied:
    """What was edited may be read by a worker; but it commands nothing, spends nothing and approves nothing."""
    if comment.edited and act is not Act.ASK:
        return Denied("it was edited after it was written; write a new comment")
    return Allowed()


def _wording(comment: Comment, act: Act) -> Allowed | Denied:
    if parse(comment.body).word in _WORDS[act]:
        return Allowed()
    return _LOOSE.get(act, Denied("it is not one of the words for that; `help` shows them"))


def _when(comment: Comment, act: Act, subject: Subject | None) -> Allowed | Denied:
    if act not in _TOO_EARLY:
        return Allowed()
    if subject is None or subject.shown_at is None or comment.created_at <= subject.shown_at:
        return _TOO_EARLY[act]
    if not subject.unchanged:
        return CHANGED if act is Act.MERGE else _TOO_EARLY[act]
    if not subject.ready:
        return Denied("nothing of what was shown can be merged yet; the summary says why")
    return Allowed()


def stands(approval: Approval, asked: Ticket, rules: Rules) -> bool:
    """Whether the comment that approved a merge on `asked` is still there as it was written, by somebody who may."""
    comment = next((one for one in asked.issue.comments if one.id == approval.comment), None)
    if comment is None or comment.author is None or comment.author.id != approval.user:
        return False
    unchanged = Subject(shown_at=datetime.min.replace(tzinfo=comment.created_at.tzinfo), unchanged=True)
    return isinstance(authorise(comment, Act.MERGE, rules, unchanged), Allowed)


def counts_for(approval: Approval, ticket: Ticket, head: str) -> bool:
    """Whether an approval of the merge counts for a head of a ticket.

    It counts for the head that was shown, and for what the service alone made of that head by bringing it up to date
    with its base without a conflict: no other change is in it. When work below that was approved with it is canceled
    since, it counts no more: the branch may still hold that work. Nor does it for another pull request, though of the
    same head: somebody closed the one that was shown.
    """
    given, shown = dict(approval.heads), dict(approval.pulls)
    if shown and ticket.pull_request and shown.get(ticket.issue.id) != ticket.pull_request.number:
        return False
    canceled = {below.issue for below in ticket.issue.blocked_by if below.stage is Stage.CANCELED}
    if ticket.issue.id not in given or canceled & given.keys():
        return False
    carried = ticket.issue.record.carried if ticket.issue.record else None
    return head == given[ticket.issue.id] or carried == (given[ticket.issue.id], head)
