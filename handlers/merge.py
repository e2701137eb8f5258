"""Ready to Merge: a ticket waits for the approval of its head; the epic's merge train runs."""

from dataclasses import replace

from bot.machine.clearance import covers, given, taken_back, unapproved, what_stands_against
from bot.machine.decision import NOTHING, Blocker, Decision, Move
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.landing import is_merged, landed
from bot.machine.listening import Heard, noted
from bot.machine.mending import UPDATE, wanted
from bot.machine.merge_queue import put_out, was_ejected
from bot.machine.pull_request import PullRequest
from bot.machine.running import Order, current_run
from bot.machine.stack import has_landed
from bot.machine.stages import Stage
from bot.machine.summary import hear_merge_approval, shown_anew
from bot.machine.train import couple, follow_base, riding
from handlers.code_review import ask_when_changed, with_pull_request
from handlers.concerns import hand_on
from handlers.mending import mend, refused, seen
from handlers.results import with_record


def epic(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Watch the train; when nothing more can merge under this approval, either all is done or a person is asked."""
    said = hand_on(facts, ticket, heard) + taken_back(facts, ticket)
    record = said.record or heard.record
    under_way = [one for one in facts.tickets if not one.issue.over]
    if not under_way:
        return said + Decision((Move(ticket.issue.id, Stage.DONE),), recheck_after=0.0, record=record)
    aboard = riding(facts, given(facts, ticket))
    merged = [one for one in under_way if _is_about_to_be_done(facts, one)]
    if not aboard and not merged:
        back = Move(ticket.issue.id, Stage.CODE_REVIEW)
        return said + Decision((back,), recheck_after=0.0, record=shown_anew(record))
    names = ", ".join(one.issue.identifier for one in (*merged, *aboard))
    return said + Decision(blockers=(Blocker(ticket.issue.id, "train", {"tickets": names}),), record=record)


def ticket(facts: Facts, ticket: Ticket, heard: Heard) -> Decision:
    """Merge this head when it was approved, when its turn in the train has come and nothing stands against it."""
    said = noted(ticket, heard)
    pull = ticket.pull_request
    if pull is None:
        back, looked_for = Move(ticket.issue.id, Stage.CODE_REVIEW), replace(heard.record, pull_request=None)
        return said + Decision((back,), recheck_after=0.0, record=looked_for)  # by its branch, or opened anew
    record, told = with_pull_request(ticket, seen(facts, heard.record, pull), pull)
    said, ticket = said + told, with_record(ticket, record)
    if is_merged(facts, ticket):
        return said + replace(landed(facts, ticket), record=record)
    elsewhere = _to_be_mended(facts, ticket)
    if elsewhere is not None:
        return said + replace(elsewhere, record=record)
    said += refused(facts, ticket) if pull.open else NOTHING
    mending = mend(facts, ticket) if pull.open else None
    if mending is not None:
        return said + replace(mending, record=mending.record or record)
    if facts.lone:
        return said + _alone(facts, ticket, pull, replace(heard, record=record))
    said += follow_base(facts, ticket)
    approval = given(facts, facts.epic)
    running = facts.epic.issue.stage is Stage.MERGE and _stands_still(facts, ticket) is None
    if running and approval is not None and not was_ejected(approval, pull):
        coupled = couple(facts, ticket, approval)
        return said + replace(coupled, record=coupled.record or record)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is not None and blocker.reason not in ("computing",):
        return said + Decision((Move(ticket.issue.id, Stage.CODE_REVIEW),), (blocker,), record=record)
    if approval is not None and was_ejected(approval, pull):
        return said + Decision(blockers=(put_out(ticket, pull),), record=record)
    waits = unapproved(facts, ticket, approval)
    return said + Decision(blockers=(_stands_still(facts, ticket) or waits,), record=record)


def _is_about_to_be_done(facts: Facts, ticket: Ticket) -> bool:
    """Whether it is merged, and its next look calls it done. One that a person took back since is worked on anew."""
    pull, in_review = ticket.pull_request, ticket.issue.stage in (Stage.CODE_REVIEW, Stage.MERGE)
    return in_review and pull is not None and pull.merged and has_landed(facts, ticket)


def _stands_still(facts: Facts, ticket: Ticket) -> Blocker | None:
    """A person said of the ticket or of the whole epic that it shall wait, or must say something first."""
    for one in (ticket, facts.epic):
        if one.issue.disposition is not None:
            values = {"disposition": str(one.issue.disposition), "issue": one.issue.identifier}
            return Blocker(ticket.issue.id, "disposition", values)
    return None


def _to_be_mended(facts: Facts, ticket: Ticket) -> Decision | None:
    """Somebody wants it changed, or it no longer is well: that is Code Review's. Only its base is seen to here."""
    if current_run(ticket) is not None:
        return None
    want = wanted(facts, ticket) if ticket.pull_request is not None and ticket.pull_request.open else None
    if record_of(ticket).guidance or (isinstance(want, Order) and want.about.get("kind") != UPDATE):
        return Decision((Move(ticket.issue.id, Stage.CODE_REVIEW),), recheck_after=0.0)
    return None


def _alone(facts: Facts, ticket: Ticket, pull: PullRequest, heard: Heard) -> Decision:
    """A single ticket asks for its own approval."""
    approval, replies = hear_merge_approval(facts, ticket, heard)
    heard = replace(heard, record=replies.record or heard.record)
    replies += taken_back(facts, ticket)
    stands = approval or given(facts, ticket)
    record = replace(heard.record, approval=stands) if stands else heard.record
    still = _stands_still(facts, ticket)
    if still is None and stands is not None and covers(stands, ticket) and not was_ejected(stands, pull):
        coupled = couple(facts, with_record(ticket, record), stands)
        return replies + replace(coupled, record=coupled.record or record)
    if still is not None:
        return replies + Decision(blockers=(still,), record=record)
    blocker = what_stands_against(facts, ticket, pull)
    if blocker is not None and blocker.reason not in ("computing",):
        return replies + Decision((Move(ticket.issue.id, Stage.CODE_REVIEW),), (blocker,), record=record)
    asked = ask_when_changed(facts, ticket, record)
    if stands is not None and was_ejected(stands, pull):
        return replies + replace(asked, blockers=(put_out(ticket, pull),))
    return replies + asked
