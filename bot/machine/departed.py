"""What was taken out of its epic, or deleted for ever, while work of ours was in it: it is people's from then on.

Linear doesn't show it with the epic any more, so the epic's record knows which of its tickets have a branch
(`at_work`), and what is missing there is looked for once by its id:

* Nobody has it: what runs is stopped, its checkout goes, and it comes out of the merge queue if we put it there. Branch
  and pull request stay as they are, which is said where people look. It is forgotten then.
* It was called by itself, or is a ticket of another epic: it goes on there from its record, on the same branch. It is
  forgotten without a word.
* It came back meanwhile: it is seen as a ticket with the next look, and goes on from its record.

What waits for it waits for an issue outside of the epic, and says so.
"""

from bot.machine import refusing
from bot.machine.decision import Action, CleanUp, Decision, Dequeue, Post, Remember
from bot.machine.facts import Departed, Facts, record_of
from bot.machine.moving import stage_of
from bot.machine.pull_request import PullRequest

TOPIC = "departed"


def left(facts: Facts) -> Decision:
    """Leave to people what is nobody's."""
    return Decision(tuple(action for one in _nobodys(facts) for action in _left(facts, one)))


def at_work(facts: Facts, decision: Decision) -> tuple[tuple[str, str], ...]:
    """The tickets with a branch, and what departed with one and was not seen to."""
    if facts.lone:
        return ()
    new = {one.issue: one.record for one in decision.actions if isinstance(one, Remember)}
    seen_to = {one.issue for one in (*_nobodys(facts), *_others(facts))}
    known = {issue: branch for issue, branch in record_of(facts.epic).at_work if issue not in seen_to}
    for ticket in facts.tickets:
        if not ticket.issue.record_refused:  # else the branch that was known is all that is
            known[ticket.issue.id] = new.get(ticket.issue.id, record_of(ticket)).branch
    return tuple((issue, branch) for issue, branch in known.items() if branch)


def is_left(facts: Facts, works: tuple[tuple[str, str], ...]) -> bool:
    """Whether anything of this departed and must still be seen to."""
    return bool({issue for issue, _ in works} - {one.issue.id for one in facts.tickets})


def _nobodys(facts: Facts) -> list[Departed]:
    """What nobody has, unless the epic couldn't remember now that it was seen to."""
    if refusing.waits(facts, facts.epic.issue.id):
        return []
    return [one for one in facts.departed if not one.whose]


def _others(facts: Facts) -> list[Departed]:
    return [one for one in facts.departed if one.whose not in ("", facts.epic.issue.id)]


def _left(facts: Facts, one: Departed) -> list[Action]:
    """What GitHub shows of its queue may be some seconds old, and nobody looks again: it is taken out unseen.

    Both are the epic's matter: where one is refused, its record must not say that it was done.
    """
    assert facts.repository is not None
    now, record = one.now, one.now.record if one.now else None
    pull = one.pull_request if one.pull_request and one.pull_request.open else None
    actions: list[Action] = []
    if pull is not None and (now is None or (record is not None and record.queued == pull.head)):
        actions.append(Dequeue(facts.epic.issue.id, facts.repository.name, pull.number))
    repository = (record.repository if record else "") or facts.repository.name
    actions.append(CleanUp(facts.epic.issue.id, repository, one.branch, delete_branch=False))
    if pull is not None or now is None or not stage_of(now).over:
        actions.append(_told(facts, one, pull))
    return actions


def _told(facts: Facts, one: Departed, pull: PullRequest | None) -> Post:
    """What became of it; on the epic where nothing can be said on the ticket."""
    epic, there = facts.epic.issue, one.now is not None and not one.now.archived
    values = {
        "there": there,
        "identifier": one.now.identifier if one.now else "",
        "epic": epic.identifier,
        "branch": one.branch,
        "number": pull.number if pull else None,
        "url": pull.url if pull else "",
    }
    return Post(one.issue if there else epic.id, TOPIC if there else f"{TOPIC}-{one.issue}", "departed", values)
