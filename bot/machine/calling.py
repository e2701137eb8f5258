"""Whether an epic, or a lone ticket, was called by somebody who may: its label spends money.

Whoever put the label there asks the same question as whoever moves a ticket or says `stop`: a guest, an app or an
automation has no say (S-10). Asked is once, when the label is first seen; the record then holds it as `called`, until
the label is taken away. While it stands unanswered nothing starts, and a comment says why.
"""

from bot.machine.approval import Denied, may_move
from bot.machine.decision import NOTHING, Blocker, Decision, Post
from bot.machine.facts import Comment, Facts
from bot.machine.record import Record
from bot.machine.stages import ORCHESTRATE, WORKER, Stage

TOPIC = "not-called"
_NOBODY = "no person of this workspace did"


def known(facts: Facts) -> str:
    """The label by which somebody who may called it; empty when nobody did."""
    label = _label(facts)
    return label if label and not _refused(facts, label) else ""


def standstill(facts: Facts, issue: str) -> Blocker | None:
    """Why nothing starts here, as the blocker of an issue; None when somebody who may called it."""
    label = _label(facts)
    if not label:
        return _dropped(facts, issue)
    reason = _refused(facts, label)
    return Blocker(issue, "not_called", {"label": label, "reason": reason}) if reason else None


def told(facts: Facts) -> Decision:
    """Say on the issue that bears the label that nothing starts, why, and what to do; nothing when all is well."""
    epic, label = facts.epic.issue, _label(facts)
    reason = _refused(facts, label) if label else ""
    if not reason:
        return NOTHING
    by = facts.call.by if facts.call else None
    values = {"label": label, "who": by.name if by else "", "reason": reason}
    return Decision((Post(epic.id, TOPIC, "not_called", values),), (Blocker(epic.id, "not_called", values),))


def caller_of(*, lone: bool) -> str:
    """The label that calls a single ticket, or an epic."""
    return WORKER if lone else ORCHESTRATE


def has_begun(record: Record) -> bool:
    """Whether anything was done about it, as the epic or as the single ticket that it was then."""
    return record.stage is not Stage.TODO or record.generation > 0 or bool(record.made)


def _label(facts: Facts) -> str:
    return "" if facts.dropped else caller_of(lone=facts.lone)


def _dropped(facts: Facts, issue: str) -> Blocker:
    label, other = caller_of(lone=facts.lone), caller_of(lone=not facts.lone)
    if other not in facts.epic.issue.labels:
        return Blocker(issue, "dropped", {"label": label})
    began = "a single ticket" if facts.lone else "an epic"
    return Blocker(issue, "relabelled", {"label": label, "other": other, "began": began})


def _refused(facts: Facts, label: str) -> str:
    """Why the label starts nothing, as the end of a sentence; empty when it may."""
    issue, call = facts.epic.issue, facts.call
    if issue.record is not None and issue.record.called == label:
        return ""
    if call is None or call.label != label:
        return "nobody knows yet who did"
    if call.ours:
        return ""
    if call.by is None or call.by.app:
        return _NOBODY
    verdict = may_move(Comment(issue.id, "", call.by, issue.created_at), facts.rules)
    return verdict.reason if isinstance(verdict, Denied) else ""
