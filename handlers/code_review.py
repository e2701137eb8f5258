"""Code Review: a ticket's pull request is open and must become green; the epic shows its summary (turn 2)."""

from dataclasses import replace

from bot.machine.breakdown import DOCUMENTATION
from bot.machine.clearance import what_stands_against
from bot.machine.decision import NOTHING, Blocker, Decision, Dispose, Move, OpenPullRequest, Post
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.inert import disarmed
from bot.machine.landing import is_merged, landed
from bot.machine.listening import Heard, noted
from bot.machine.pull_request import PullRequest
from bot.machine.record import Record
from bot.machine.stack import goes_into, look_again, own_branch
from bot.machine.stages import Disposition, Stage
from bot.machine.summary import (
    arrived,
    ask,
    hear_merge_approval,
    is_as_shown,
    is_held_back,
    open_reviews,
    shown_comment,
)
from bot.machine.train import follow_base
from handlers.concerns import hand_on
from handlers.mending import mend, refused, seen
from handlers.results import with_record


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Show what would be merged, and hear the approval of exactly that (turn 3)."""
    approval, replies = hear_merge_approval(facts, ticket, heard)
    heard = replace(heard, record=replies.record or heard.record)
    said = replies + hand_on(facts, ticket, heard)
    record = said.record or heard.record
    if approval is not None:
        record = replace(record, approval=approval)
        return said + Decision((Move(ticket.issue.id, Stage.MERGE),), recheck_after=0.0, record=record)
    if all(one.issue.over for one in facts.tickets):
        return said + Decision((Move(ticket.issue.id, Stage.MERGE),), recheck_after=0.0, record=record)
    under_way = [one.issue.identifier for one in facts.tickets if not arrived(facts, one)]
    if under_way:
        waits = Blocker(ticket.issue.id, "tickets", {"tickets": ", ".join(under_way)})
        return said + Decision(blockers=(waits,), record=record)
    return said + ask_when_changed(facts, ticket, record)


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Have workers mend what the pull request wants mended; wait until nothing stands against the merge."""
    said = noted(ticket, heard)
    pull = ticket.pull_request
    if pull is None:
        return said + replace(request_review(facts, ticket), record=heard.record)
    record, told = with_pull_request(ticket, seen(facts, heard.record, pull), pull)
    said += told
    ticket = with_record(ticket, record)
    if is_merged(facts, ticket):
        return said + replace(landed(facts, ticket), record=record)
    said += refused(facts, ticket) if pull.open else NOTHING
    mending = mend(facts, ticket) if pull.open else None
    if mending is not None:
        return said + replace(mending, record=mending.record or record)
    if record.guidance:
        planned = record.plan is not None or record.task == DOCUMENTATION
        back = Stage.DEV if planned else Stage.PLAN if record.research is not None else Stage.RESEARCH
        return said + Decision((Move(ticket.issue.id, back),), recheck_after=0.0, record=record)
    said += follow_base(facts, ticket)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is None:
        return said + Decision((Move(ticket.issue.id, Stage.MERGE),), recheck_after=0.0, record=record)
    return said + Decision(blockers=(blocker,), recheck_after=look_again(facts, ticket, pull), record=record)


def request_review(facts: Facts, ticket: Ticket) -> Decision:
    """The branch gets a pull request, unless enough of them wait for a person already."""
    if ticket.branch_gone:
        return _without_its_branch(ticket)
    waiting = open_reviews(facts, ticket)
    if is_held_back(facts, ticket):
        return Decision(blockers=(Blocker(ticket.issue.id, "open_reviews", {"count": waiting}),))
    record, issue = record_of(ticket), ticket.issue
    assert facts.repository is not None
    base = goes_into(facts, record)
    values = {
        "identifier": issue.identifier,
        "url": issue.url,
        "summary": record.summary,
        "verified": record.verified,
        "by_worker": record.by_worker,
        "skipped": record.skipped,
        "manual": record.manual,
        "protected": record.protected,
        "research": record.research.path if record.research else "",
        "plan": record.plan.path if record.plan else "",
        "stacked_on": base if base != facts.repository.base else "",
    }
    title = f"{issue.identifier}: {disarmed(issue.title)}"
    waits = Blocker(issue.id, "no_pull_request")
    branch = own_branch(ticket)
    opening = OpenPullRequest(issue.id, facts.repository.name, branch, base, title, values)
    return Decision((opening,), (waits,), recheck_after=15.0)


def _without_its_branch(ticket: Ticket) -> Decision:
    """Somebody deleted the branch before it had a pull request: whether to do the work anew is theirs to say."""
    issue = ticket.issue
    values = {"state": issue.state_name, "missing": "the branch with its work, and that is gone"}
    topic = f"missing-{issue.stage}-{record_of(ticket).generation}"
    return Decision(
        (Dispose(issue.id, Disposition.NEEDS_INPUT), Post(issue.id, topic, "missing", values)),
        (Blocker(issue.id, "missing", values),),
    )


def with_pull_request(ticket: Ticket, record: Record, pull: PullRequest) -> tuple[Record, Decision]:
    """Note the pull request on the ticket, once. A closed one may be an older one: the newest is looked for again.

    Its branch is noted anew where it was forgotten, because the work was given up once: it goes with the merge.
    """
    if not (pull.open or pull.merged):
        return record, NOTHING
    noted = replace(record, pull_request=pull.number, branch=record.branch or pull.head_branch)
    if record.pull_request == pull.number:
        return noted, NOTHING
    post = Post(ticket.issue.id, "pull-request", "pull_request", {"number": pull.number, "url": pull.url})
    return noted, Decision((post,))


def ask_when_changed(facts: Facts, ticket: Ticket, record: Record) -> Decision:
    """Show the summary, and again whenever the heads it showed have moved."""
    waits = Decision(blockers=(Blocker(ticket.issue.id, "turn_3"),))
    shown_now = (
        record.shown is not None and is_as_shown(facts, record.shown) and shown_comment(ticket, record) is not None
    )
    if shown_now:
        return replace(waits, record=record)
    return waits + ask(facts, ticket, record)
