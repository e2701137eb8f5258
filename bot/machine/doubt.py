"""A record that can't be believed: nothing is done on its issue, nothing is spent on its epic, until a person says so.

What an issue cost, how often its work was tried and what was approved is told by its record alone. So a record that is
forged, copied, put back or gone stops everything that would cost money. It is never replaced by a fresh one in silence.
A person who says `retry` after we told so takes the record's place: the work begins anew, and has no approval.
"""

from dataclasses import replace

from bot.machine.approval import Act, Allowed, authorise
from bot.machine.comments import Word, parse
from bot.machine.decision import Action, Blocker, Decision, Dispose, Move, Post
from bot.machine.facts import Comment, Facts, Mover, Ticket
from bot.machine.moving import is_merged_as_said, stage_of
from bot.machine.record import Record, generation_of
from bot.machine.stack import own_branch
from bot.machine.stages import DISPOSITIONS, Disposition, Stage

TOPIC = "record-refused"


def told(facts: Facts, ticket: Ticket) -> Decision:
    """Say on the issue why nothing is done there, and what to do.

    Somebody may have deleted that: Linear takes its id for used, so it never stands there again, and no word counts
    before that is said. Whoever says `retry` then is told once more, in answer to it.
    """
    issue = ticket.issue
    values = {"reason": issue.record_refused}
    there = _said(ticket)
    posts = [Post(issue.id, there.topic if there else TOPIC, "record_refused", values)]
    unheard = _retries(facts, ticket)
    if there is None and issue.disposition is Disposition.BLOCKED and unheard:
        thread = unheard[-1].parent or unheard[-1].id
        posts.append(Post(issue.id, f"{TOPIC}-{unheard[-1].id}", "record_refused", values, parent=thread))
    actions: tuple[Action, ...] = (Dispose(issue.id, Disposition.BLOCKED), *posts)
    return Decision(actions, (Blocker(issue.id, "record_refused", values),))


def doubted(facts: Facts) -> Ticket | None:
    """An issue of the epic whose record can't be believed: nobody knows what the epic has cost."""
    return next((one for one in (facts.epic, *facts.tickets) if one.issue.record_refused), None)


def word(facts: Facts, ticket: Ticket) -> Comment | None:
    """The comment by which a person who may had the issue begun anew, after we told of it.

    None while it is archived, where no record can be written: it has to be restored first.
    """
    ours = None if ticket.issue.archived else _said(ticket)
    if ours is None:
        return None
    return next((one for one in _retries(facts, ticket) if one.created_at > ours.created_at), None)


def _said(ticket: Ticket) -> Comment | None:
    """What we said of it that still stands there."""
    said = (one for one in ticket.issue.comments if one.ours)
    return next((one for one in said if one.topic == TOPIC or one.topic.startswith(f"{TOPIC}-")), None)


def _retries(facts: Facts, ticket: Ticket) -> list[Comment]:
    """The comments by which somebody who may says `retry`."""
    return [
        one
        for one in ticket.issue.comments
        if parse(one.body).word is Word.RETRY and isinstance(authorise(one, Act.STEER, facts.rules), Allowed)
    ]


def begun_anew(facts: Facts, ticket: Ticket, said: Comment) -> tuple[Ticket, Decision]:
    """The issue with a fresh record, and what it takes. Its generation is above all that were ever told or run.

    An epic with a breakdown is put before a person again; everything else begins at its beginning.
    """
    issue = ticket.issue
    ran = [run.generation for run in ticket.runs]
    generation = max((*ran, *(generation_of(one.topic) for one in issue.comments if one.ours)), default=0)
    over = _ended(facts, ticket)
    shown_again = issue.id == facts.epic.issue.id and not facts.lone and facts.document is not None
    stage = over or (Stage.PLAN_REVIEW if shown_again else Stage.TODO)
    record = Record(
        issue.id,
        stage=stage,
        generation=generation,
        settled=generation,
        heard=tuple(one.id for one in issue.comments if not one.ours),
        task=issue.task,
        turns=1,
        branch=own_branch(ticket) if over and generation else "",  # what is left of it is taken away
    )
    labels = issue.labels - DISPOSITIONS
    values = {"reason": issue.record_refused, "issue": facts.epic.issue.identifier}
    answer = Post(issue.id, f"reply-{said.id}", "begun_anew", values, parent=said.parent or said.id)
    actions: list[Action] = [Dispose(issue.id, None), answer]
    if issue.stage is not stage:
        actions.append(Move(issue.id, stage))
    anew = replace(issue, record=record, record_refused="", labels=labels)
    return replace(ticket, issue=anew), Decision(tuple(actions), recheck_after=0.0)


def _ended(facts: Facts, ticket: Ticket) -> Stage | None:
    """How it ended, as Linear shows; None when it did not. What automation calls done is done when it is merged."""
    issue, base = ticket.issue, facts.repository.base if facts.repository else ""
    stage = stage_of(issue)
    ended = stage.over and (issue.mover is not Mover.AUTOMATION or is_merged_as_said(ticket, base))
    return stage if ended else None
