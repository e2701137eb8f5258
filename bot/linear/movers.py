"""Who moved the issues that stand elsewhere than we remember. One more request, and only when there is such an issue.

Linear's own automation moves issues too: its GitHub integration on every event of a pull request, its clean-up of what
is old or below something closed. Only an issue's history tells it from a person (facts on Linear, sections 3 and 7).
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.linear import wire
from bot.linear.client import LinearClient
from bot.linear.complexity import MOST, cost
from bot.linear.operations import combined, operation
from bot.linear.reading import OVER, Reader
from bot.machine.facts import Author, Issue, Mover
from bot.machine.moving import is_over_in_a_state_of_its_own

_MOVES = "moves"


async def with_movers(client: LinearClient, reader: Reader, issues: Sequence[Issue]) -> list[Issue]:
    """The epic and its tickets, in this order, each that stands elsewhere than we remember with who moved it.

    Such an issue also gets the state that it stands in by now, so that state and history belong together.
    """
    moves = await _read(client, [issue.id for issue in issues if elsewhere(issue)])
    told = [_told(reader, issue, moves[issue.id]) if issue.id in moves else issue for issue in issues]
    return [told[0], *(_closed_with(told[0], ticket) for ticket in told[1:])]


def elsewhere(issue: Issue) -> bool:
    """Whether Linear's state is not that of the stage we remember; or is one of its ends, and we can't know better."""
    record = issue.record
    if record is None:
        return bool(issue.record_refused) and issue.state_type in OVER
    if issue.stage is record.stage:
        return False
    return not is_over_in_a_state_of_its_own(issue)


def mover_of(moved: wire.Moved, viewer: str) -> tuple[Mover, Author | None]:
    """Who last brought an issue into its state. `viewer` is the id of the user we are.

    An integration counts as one also where Linear names the user it acted for: that user moved nothing by hand.
    """
    changes = [one for one in moved.history.nodes if one.toStateId == moved.state.id]
    last = max(changes, key=lambda one: one.createdAt, default=None)
    if last is None:
        return Mover.UNKNOWN, None
    if last.botActor is not None:
        name = last.botActor.name or last.botActor.type
        return Mover.AUTOMATION, Author(last.botActor.id or "", name, person=False, app=True)
    user = last.actor
    if user is None:
        return Mover.AUTOMATION, Author("", "Linear", person=False, app=True)
    if user.id == viewer:
        return Mover.US, None
    person = user.active and not user.guest and not user.app
    author = Author(user.id, user.name, person=person, active=user.active, guest=user.guest, app=user.app)
    return (Mover.AUTOMATION if user.app else Mover.PERSON), author


async def _read(client: LinearClient, issues: Sequence[str]) -> dict[str, wire.Moved]:
    """The history of issues, each as far back as it takes to find what brought it where it is."""
    found: dict[str, wire.Moved] = {}
    wanting: list[tuple[str, str | None]] = [(issue, None) for issue in issues]
    while wanting:
        at_once = MOST // cost(operation(_MOVES))
        batch, wanting = wanting[:at_once], wanting[at_once:]
        document, variables = combined([(_MOVES, {"id": issue, "after": after}) for issue, after in batch])
        answer = await client.send(document, variables)
        for index, (issue, _) in enumerate(batch):
            part = wire.Moved.model_validate(answer[f"w{index}"])
            known = found.setdefault(issue, part)
            if known is not part:
                known.history.nodes.extend(part.history.nodes)
            page = part.history.pageInfo
            if page.hasNextPage and not any(one.toStateId == known.state.id for one in known.history.nodes):
                wanting.append((issue, page.endCursor))
    return found


def _told(reader: Reader, issue: Issue, moved: wire.Moved) -> Issue:
    state = moved.state
    now = replace(issue, stage=reader.stage(state.name), state_name=state.name, state_type=state.type)
    if not elsewhere(now):
        return now  # somebody put it back between our two requests
    mover, author = mover_of(moved, reader.viewer)
    return replace(now, mover=mover, moved_by=author)


def _closed_with(epic: Issue, ticket: Issue) -> Issue:
    """What Linear closes because its epic was closed was closed by whoever closed the epic."""
    if ticket.mover is Mover.AUTOMATION and ticket.state_type in OVER and epic.state_type in OVER:
        return replace(ticket, mover=epic.mover, moved_by=epic.moved_by)
    return ticket
