"""Runs on an open pull request: ordered as `bot/machine/mending.py` says, taken in by what they were about."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bot.machine import mending
from bot.machine.conversation import half_answered, is_heard, refusals, topic_of
from bot.machine.decision import NOTHING, Action, Answer, Decision, Dispose, RequestReview
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.mending import BOTS, CHECKS, CONFLICT, FEEDBACK, UPDATE
from bot.machine.pull_request import Opinion, PullRequest
from bot.machine.record import Record
from bot.machine.running import Order, Taken, current_run, has_a_run_out, start, work
from bot.machine.stack import will_have_no_checks
from bot.machine.stages import Disposition, Stage
from handlers.results import with_record

_REMEMBERED = 60
"""Answers that the record keeps in mind; GitHub keeps all of them."""


def seen(facts: Facts, record: Record, pull: PullRequest) -> Record:
    """The record after a look at the pull request: a new head has its own time, what is well again counts anew."""
    if pull.head != record.seen:
        record = replace(record, seen=pull.head, head_at=facts.now, reran=(), reran_at=None)
    if will_have_no_checks(facts, record, pull):
        record = replace(record, unchecked=pull.head)
    return mending.well_again(record, pull)


def mend(facts: Facts, ticket: Ticket) -> Decision | None:
    """One look at what the pull request wants a worker for; None when it wants none."""
    want = mending.wanted(facts, ticket)
    run = current_run(ticket)
    if run is not None and run.stage in (Stage.CODE_REVIEW, Stage.MERGE):
        order = want if isinstance(want, Order) else mending.update(facts, ticket)
        return work(facts, ticket, order, _taken(facts, ticket))
    if half := _half_answered(facts, ticket):
        return half
    if want is None:
        return _left_by_a_lost_run(facts, ticket) if has_a_run_out(ticket) else None
    if isinstance(want, Decision):
        return replace(want, record=want.record or record_of(ticket))
    keys = tuple(str(point["key"]) for point in want.about.get("points") or ())
    record = replace(record_of(ticket), taken_up=keys or record_of(ticket).taken_up)
    held = ticket.issue.disposition in (Disposition.BLOCKED, Disposition.NEEDS_INPUT)
    if held and want.about.get("kind") == FEEDBACK and not set(keys) <= set(record_of(ticket).taken_up):
        again = replace(record, rounds=(), failure="", taken_up=())  # a person had a say: it stood still for that
        return Decision((Dispose(ticket.issue.id, None),), recheck_after=0.0, record=again)
    return start(facts, with_record(ticket, record), want)


def refused(facts: Facts, ticket: Ticket) -> Decision:
    """Answer people who called us and may not."""
    pull = ticket.pull_request
    if pull is None or facts.repository is None:
        return NOTHING
    to = (ticket.issue.id, facts.repository.name, pull.number, "")
    said = refusals(pull)
    return Decision(tuple(Answer(*to, topic_of(one.key), "refused_on_github", {"author": one.author}) for one in said))


def _left_by_a_lost_run(facts: Facts, ticket: Ticket) -> Decision | None:
    """The end of a run that got lost with the database: nothing is wanted any more, so its result is no longer due.

    What it was to answer is answered; whoever asked for changes may not have been asked to look again.
    """
    pull, record = ticket.pull_request, record_of(ticket)
    if pull is None or facts.repository is None:
        return None
    asked = {one.author for one in pull.reviews if one.state is Opinion.CHANGES_REQUESTED and is_heard(one)}
    again = tuple(sorted(asked & set(pull.changes_requested_by)))
    actions = (RequestReview(ticket.issue.id, facts.repository.name, pull.number, again),) if again else ()
    return Decision(actions, recheck_after=0.5, record=replace(record, settled=record.generation))


def _half_answered(facts: Facts, ticket: Ticket) -> Decision | None:
    """Resolve what was answered before we were killed, and forgot with the database that it was to be resolved."""
    pull, record = ticket.pull_request, record_of(ticket)
    left = half_answered(pull, record.answered) if pull is not None else ()
    if pull is None or facts.repository is None or not left:
        return None
    name, words = facts.repository.name, {"body": "", "commit": ""}  # the answer stands: it is not said again
    actions = (
        Answer(ticket.issue.id, name, pull.number, one, topic_of(key, resolves=True), "answer", words, True)
        for one, key in left
    )
    keys = (key for _, key in left)
    return Decision(tuple(actions), recheck_after=0.5, record=_with_answered(record, keys))


def _with_answered(record: Record, keys: Iterable[str]) -> Record:
    return replace(record, answered=(*record.answered, *keys)[-_REMEMBERED:])


def _taken(facts: Facts, ticket: Ticket) -> Taken:
    def taken(record: Record, result: Mapping[str, Any]) -> Decision:
        about = result.get("about") or {}
        match about.get("kind"):
            case "feedback" | "bots":
                return _answered(facts, ticket, record, result, about)
            case "checks":
                tried = replace(mending.with_round(record, CHECKS), failure=str(about.get("signature", "")))
                return Decision(recheck_after=0.0, record=tried)
            case "conflict":
                return Decision(recheck_after=0.0, record=mending.with_round(record, CONFLICT))
            case "update":
                return _updated(facts, ticket, mending.with_round(record, UPDATE), result)
        return Decision(recheck_after=0.0, record=record)

    return taken


def _updated(facts: Facts, ticket: Ticket, record: Record, result: Mapping[str, Any]) -> Decision:
    conflict = result.get("conflict")
    if conflict is None:
        return Decision(recheck_after=0.0, record=record)
    ticket = with_record(ticket, record)
    want = mending.resolve(facts, ticket, conflict["paths"], str(conflict["with"]))
    if isinstance(want, Decision):
        return replace(want, record=record)
    return start(facts, ticket, want)


def _answered(
    facts: Facts, ticket: Ticket, record: Record, result: Mapping[str, Any], about: Mapping[str, Any]
) -> Decision:
    """Every thread that the run was given gets its answer, and whoever asked for changes is asked to look again."""
    pull = ticket.pull_request
    assert facts.repository is not None
    if pull is None:
        return Decision(recheck_after=0.0, record=record)
    name = facts.repository.name
    outcome = result.get("outcome") or {}
    replies = {str(one.get("thread_id")): one for one in outcome.get("replies") or ()}
    commit = str(result.get("head") or "") if not result.get("unchanged") else ""
    actions: list[Action] = []
    for point in about.get("points") or ():
        said = replies.get(str(point["id"])) or {}
        values = {"body": said.get("body") or outcome.get("summary") or "", "commit": commit}
        resolved = bool(said.get("resolved")) and bool(point["thread"])
        topic = topic_of(point["key"], resolves=resolved)
        actions.append(Answer(ticket.issue.id, name, pull.number, point["thread"], topic, "answer", values, resolved))
    asked = {str(point["reviewer"]) for point in about.get("points") or () if point["reviewer"]}
    again = tuple(sorted(asked & set(pull.changes_requested_by)))
    if again:
        actions.append(RequestReview(ticket.issue.id, name, pull.number, again))
    if about.get("kind") == BOTS:
        record = mending.with_round(record, BOTS)
    record = _with_answered(record, (str(point["key"]) for point in about.get("points") or ()))
    return Decision(tuple(actions), recheck_after=0.5, record=record)
