"""From facts to a decision: what was said, where things stand, then one handler for each epic and ticket."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bot.machine import archive, calling, departed, doubt, elsewhere, refusing
from bot.machine.comments import SAYINGS, Word
from bot.machine.decision import (
    NOTHING,
    Action,
    Blocker,
    CleanUp,
    Decision,
    Dispose,
    Move,
    Post,
    Remember,
    ShowCheck,
    StopRun,
)
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.listening import Heard, listen, noted, reply
from bot.machine.merge_queue import out_of_the_queue
from bot.machine.moving import Arrived, arrive, is_over_as, stage_of
from bot.machine.record import Record
from bot.machine.running import stops
from bot.machine.spending import charged, left_usd
from bot.machine.stages import DISPOSITIONS, Disposition, Stage
from bot.machine.waiting import progress, why
from bot.machine.watchdog import stuck


class Handler(Protocol):
    """What one stage decides: (facts, the epic or ticket, what people said) to a decision."""

    def __call__(self, facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
        """Decide; the ticket's record has everything in it that listening and moving changed."""


@dataclass(frozen=True)
class StageHandlers:
    """The two faces of a stage; None where it means nothing for an epic or for a ticket."""

    epic: Handler | None = None
    ticket: Handler | None = None


Handlers = Mapping[Stage, StageHandlers]

_STOPS = {
    "dropped": "lost the label that calls it",
    "relabelled": "lost the label that it began with",
    "not_called": "was called by nobody who may",
    "elsewhere": "is in a repository that callboard.toml does not name",
    "no_repository": "is in no repository that callboard.toml names",
}
"""By reason of a blocker: what ends the runs of an issue that stands still."""


@dataclass(frozen=True)
class _Turned:
    """An issue after listening and moving, and what that took."""

    ticket: Ticket
    stage: Stage
    heard: Heard
    arrived: Arrived


def decide(facts: Facts, handlers: Handlers) -> Decision:
    """Everything to do about one epic now. Pure: the same facts give the same decision."""
    facts = archive.put_away(facts)
    decision = calling.told(facts) if _a_stranger(facts) else _decided(facts, handlers)
    return refusing.without_writes(facts, archive.without_edits(facts, decision))


def _decided(facts: Facts, handlers: Handlers) -> Decision:
    turned = {one.issue.id: _turn(facts, one) for one in (facts.epic, *facts.tickets)}
    epic = turned[facts.epic.issue.id]
    now = replace(facts, epic=epic.ticket, tickets=tuple(turned[one.issue.id].ticket for one in facts.tickets))
    results: dict[str, Decision] = {}
    if not facts.lone:
        results[epic.ticket.issue.id] = _answered(epic, _handle(now, epic, handlers, is_epic=True))
    for ticket in now.tickets:
        one = turned[ticket.issue.id]
        if epic.stage is Stage.CANCELED and not one.stage.over:
            one = replace(one, stage=Stage.CANCELED)
        decision = _answered(one, _handle(now, one, handlers, is_epic=False))
        results[ticket.issue.id] = decision + out_of_the_queue(now, ticket, decision.record or record_of(ticket))
    whole = NOTHING
    for issue, decision in results.items():
        original = next(one for one in (facts.epic, *facts.tickets) if one.issue.id == issue)
        whole += _with_record(facts, original, turned[issue], decision)
    whole = _without_repeats(replace(whole, record=None))
    whole = replace(whole, actions=tuple(one for one in whole.actions if not _so_already(facts, one)))
    whole += calling.told(now) + elsewhere.told(now) + _orphaned(facts) + departed.left(facts)
    whole += stuck(now, whole)
    whole = _with_what_is_left(facts, whole)
    return whole + _answers(now, turned, whole) + _panel(now, whole) + _checks(now, whole)


def _a_stranger(facts: Facts) -> bool:
    """Whether it was never ours and nobody who may has called it: it is not even listened to."""
    epic = facts.epic.issue
    ours = epic.record is not None or epic.record_refused or any(one.runs for one in (facts.epic, *facts.tickets))
    return not ours and calling.standstill(facts, epic.id) is not None


def _turn(facts: Facts, ticket: Ticket) -> _Turned:
    if ticket.issue.record_refused:
        return _doubted(facts, ticket)
    heard = listen(facts, ticket)
    fresh = ticket.issue.record is None
    ticket = _with(ticket, heard.record, heard.disposition)
    is_epic = not facts.lone and ticket.issue.id == facts.epic.issue.id
    if heard.canceled:
        stage = Stage.CANCELED
        return _Turned(ticket, stage, heard, Arrived(stage, heard.record))
    if heard.wishes and ticket.issue.disposition in (Disposition.NEEDS_INPUT, Disposition.BLOCKED):
        cleared = Decision((Dispose(ticket.issue.id, None),))
        # A person had a say: what was tried as often as it may be is tried again.
        anew = replace(heard.record, rounds=(), failure="")
        heard = replace(heard, record=anew, decision=heard.decision + cleared, disposition=None)
        ticket = _with(ticket, heard.record, None)
    base = facts.repository.base if facts.repository else ""
    arrived = arrive(ticket, is_epic=is_epic, fresh=fresh, rules=facts.rules, base=base)
    ticket = _with(ticket, arrived.record, ticket.issue.disposition)
    there = replace(ticket, issue=replace(ticket.issue, stage=arrived.stage))  # what Linear shows may not count
    return _Turned(there, arrived.stage, heard, arrived)


def _doubted(facts: Facts, ticket: Ticket) -> _Turned:
    """Nothing that was said counts, except the word by which a person has it begun anew: who knows what was heard."""
    said, decision = doubt.word(facts, ticket), NOTHING
    if said is not None:
        ticket, decision = doubt.begun_anew(facts, ticket, said)
    record = record_of(ticket)
    stage = record.stage if said is not None else stage_of(ticket.issue)
    ticket = replace(ticket, issue=replace(ticket.issue, stage=stage))
    return _Turned(ticket, stage, Heard(record, disposition=ticket.issue.disposition), Arrived(stage, record, decision))


def _handle(facts: Facts, one: _Turned, handlers: Handlers, *, is_epic: bool) -> Decision:
    before = one.heard.decision + one.arrived.decision
    issue = one.ticket.issue
    told = refusing.told(facts, issue.id)
    if refusing.waits(facts, issue.id):
        stops_said = tuple(action for action in before.actions if isinstance(action, StopRun))
        return told + Decision((*stops_said, *_stopped(facts, one)))
    handled = _handled(facts, one, handlers, before, is_epic=is_epic)
    return told + replace(handled, blockers=()) if told.blockers else handled


def _handled(facts: Facts, one: _Turned, handlers: Handlers, before: Decision, *, is_epic: bool) -> Decision:
    issue = one.ticket.issue
    if issue.record_refused:
        return before + doubt.told(facts, one.ticket) + Decision(_stopped(facts, one))
    if one.arrived.stuck:
        return before + noted(one.ticket, one.heard)
    blocker = _standstill(facts, one)
    if blocker is not None:
        return before + noted(one.ticket, one.heard) + Decision(_stopped(facts, one), (blocker,))
    pair = handlers.get(one.stage, StageHandlers())
    handler = pair.epic if is_epic else pair.ticket
    if handler is None:
        return before + Decision(blockers=(Blocker(issue.id, "no_such_stage", {"state": issue.state_name}),))
    return before + handler(facts, one.ticket, replace(one.heard, record=record_of(one.ticket)))


def _answered(one: _Turned, decision: Decision) -> Decision:
    """Nobody's approval is ignored in silence: what nothing came of is told that there was nothing to approve."""
    replies = [reply(one.ticket, comment, "nothing_to_approve", {}) for comment in one.heard.approvals]
    answered = {action.topic for action in decision.actions if isinstance(action, Post)}
    approval = (decision.record or record_of(one.ticket)).approval
    if approval is not None:
        answered.add(f"reply-{approval.comment}")
    return decision + Decision(tuple(post for post in replies if post.topic not in answered))


def _stopped(facts: Facts, one: _Turned) -> tuple[StopRun, ...]:
    """What ends the runs of an issue that is over or not called any more; its record has no say in that."""
    if one.stage.over:
        return stops(one.ticket, "is done" if one.stage is Stage.DONE else "was canceled")
    blocker = _standstill(facts, one)
    return stops(one.ticket, _STOPS[blocker.reason]) if blocker is not None else ()


def _standstill(facts: Facts, one: _Turned) -> Blocker | None:
    """Why nothing may be done about an issue that is not over: not called, or in no repository of ours."""
    if one.stage.over:
        return None
    return calling.standstill(facts, one.ticket.issue.id) or elsewhere.standstill(facts, one.ticket)


def _orphaned(facts: Facts) -> Decision:
    """Nobody takes the results of what runs for a ticket that was deleted, or taken out of its epic."""
    why_stopped = "its ticket is no part of the epic any more"
    return Decision(tuple(StopRun(run.issue, run.id, why_stopped) for run in facts.orphans if run.live))


def _with_record(facts: Facts, before: Ticket, one: _Turned, decision: Decision) -> Decision:
    """Add what must be remembered, when it differs from what Linear holds."""
    original = before.issue
    record: Record = decision.record or record_of(one.ticket)
    moves = [action.stage for action in decision.actions if isinstance(action, Move) and action.issue == original.id]
    if moves:
        record = replace(record, stage=moves[-1])
    record = charged(facts, before, record)
    if original.id == facts.epic.issue.id:
        record = replace(record, called=calling.known(facts), lone=facts.lone)
        record = record if facts.lone else replace(record, made=archive.made(facts, decision))
        record = replace(record, repository=facts.repository.name) if facts.repository and facts.began_in else record
    record = replace(record, epic="" if original.id == facts.epic.issue.id else facts.epic.issue.id)
    so_already = record == original.record and not original.outdated
    if so_already or one.ticket.issue.record_refused:
        return replace(decision, record=None)
    return replace(decision, actions=(*decision.actions, Remember(original.id, record)), record=None)


def _with_what_is_left(facts: Facts, whole: Decision) -> Decision:
    """Remember who has a branch, what those had cost that departed, and of what is over that nothing is left to do.

    A service that lost its database looks at it until then.
    """
    root = facts.epic.issue
    if root.record is None or root.record_refused:
        return whole
    newest = {one.issue: one.record for one in whole.actions if isinstance(one, Remember)}.get(root.id, root.record)
    over = stage_of(root).over and root.record.stage.over and newest.stage.over
    told = Post | Remember | CleanUp  # what is to be taken away is gone by then: GitHub and git come before Linear
    busy = whole.recheck_after is not None or any(not isinstance(one, told) for one in whole.actions)
    branches = any(record_of(one).branch for one in (facts.epic, *facts.tickets))
    busy = busy or (branches and facts.repository is None)  # it may be named again
    works = departed.at_work(facts, whole)
    closed = over and not busy and not departed.is_left(facts, works)
    left = left_usd(facts)
    if (newest.at_work, newest.closed, newest.left_usd) == (works, closed, left):
        return whole
    others = (one for one in whole.actions if not (isinstance(one, Remember) and one.issue == root.id))
    remember = Remember(root.id, replace(newest, at_work=works, closed=closed, left_usd=left))
    return replace(whole, actions=(*others, remember))


def _without_repeats(decision: Decision) -> Decision:
    """Each action once; of several moves, dispositions or records of one issue only the last."""
    last: dict[Any, Action] = {}
    for action in decision.actions:
        place = (type(action), action.issue if isinstance(action, Move | Dispose | Remember) else repr(action))
        last.pop(place, None)
        last[place] = action
    return replace(decision, actions=tuple(last.values()))


def _so_already(facts: Facts, action: Action) -> bool:
    if not isinstance(action, Move | Dispose):
        return False
    issue = next(one.issue for one in (facts.epic, *facts.tickets) if one.issue.id == action.issue)
    if isinstance(action, Move):
        return issue.stage is action.stage or is_over_as(issue, action.stage)
    held = issue.labels & DISPOSITIONS
    return held == ({action.disposition} if action.disposition else frozenset())


def _answers(facts: Facts, turned: Mapping[str, _Turned], whole: Decision) -> Decision:
    posts = []
    for one in turned.values():
        for comment, word in one.heard.questions:
            posts.append(reply(one.ticket, comment, str(word), _answer(facts, whole, one.ticket.issue.id, word)))
    return Decision(tuple(posts))


def _answer(facts: Facts, whole: Decision, issue: str, word: Word) -> dict[str, Any]:
    if word is Word.HELP:
        return {"sayings": SAYINGS}
    if word is Word.WHY:
        return {"reasons": why(facts, whole, issue)}
    return progress(facts, whole)


def _panel(facts: Facts, whole: Decision) -> Decision:
    epic = facts.epic.issue
    if facts.lone or (epic.record is None and not whole.actions):
        return NOTHING
    return Decision((Post(epic.id, "panel", "panel", progress(facts, whole)),))


def _checks(facts: Facts, whole: Decision) -> Decision:
    """Our own check on every open pull request tells what the ticket waits for."""
    if facts.repository is None:
        return NOTHING
    moved = {action.issue: action.stage for action in whole.actions if isinstance(action, Move)}
    return Decision(
        tuple(
            ShowCheck(
                one.issue.id,
                facts.repository.name,
                one.pull_request.head,
                moved.get(one.issue.id) or stage_of(one.issue),
                tuple(blocker for blocker in whole.blockers if blocker.issue == one.issue.id),
            )
            for one in facts.tickets
            if one.pull_request is not None and one.pull_request.open
        )
    )


def _with(ticket: Ticket, record: Record, disposition: Disposition | None) -> Ticket:
    labels = ticket.issue.labels - DISPOSITIONS | ({disposition} if disposition else frozenset())
    if record is ticket.issue.record and labels == ticket.issue.labels:
        return ticket
    return replace(ticket, issue=replace(ticket.issue, record=record, labels=labels))
