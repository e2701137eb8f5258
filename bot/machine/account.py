"""What an epic came to, from what Linear and GitHub still show: turns, runs side by side, time and cost per stage.

Everything is read from facts, and the runs from the signed records, so that the report is the same after the database
was lost. Times are seconds, money is US dollars.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bot.machine.breakdown import DOCUMENTATION
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.moving import stage_of
from bot.machine.record import Ran
from bot.machine.spending import spent
from bot.machine.stages import STATES, Stage

SLICES = 30
"""Columns of the picture of parallel use."""
_HEIGHTS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class StageAccount:
    """What one stage took, over all tickets and the epic: how many runs, their time and money."""

    stage: str
    runs: int
    seconds: int
    usd: float


@dataclass(frozen=True)
class TicketAccount:
    """What one ticket took."""

    id: str
    title: str
    stage: str
    pull_request: int | None
    merged: bool
    runs: int
    seconds: int
    usd: float


@dataclass(frozen=True)
class Account:
    """The report of an epic. Rates are None where nothing was there to be counted."""

    epic: str
    title: str
    state: str
    tickets: tuple[TicketAccount, ...]
    turns: int
    runs: int
    seconds: int
    """From the first run that is known to the end of the last."""
    worked_seconds: int
    """The runs one after the other."""
    parallel_most: int
    parallel_mean: float
    parallel_over_time: tuple[int, ...]
    """The most runs at once in each of `SLICES` equal parts of the time."""
    tracked: float | None
    """The share of finished tickets that went the whole way in Linear: their work is a merged pull request."""
    bots_approved: float | None
    """The share of review bots' last words on pull requests that were an approval."""
    documentation: str
    """The state of the documentation ticket, or `none`."""
    stages: tuple[StageAccount, ...]
    usd: float

    def values(self) -> dict[str, Any]:
        """Plain values for JSON and templates, with `picture`, parallel use as a line of signs."""
        most = max(self.parallel_most, 1)
        signs = ("·" if not one else _HEIGHTS[one * (len(_HEIGHTS) - 1) // most] for one in self.parallel_over_time)
        return {**asdict(self), "picture": "".join(signs)}


def account(facts: Facts) -> Account:
    """Make the report of an epic as it stands."""
    everyone = (facts.epic, *facts.tickets) if not facts.lone else (facts.epic,)
    ran = sorted((run for one in everyone for run in record_of(one).ran), key=lambda run: run.began)
    first = min((run.began for run in ran), default=0)
    last = max((run.began + run.seconds for run in ran), default=0)
    over = [one for one in facts.tickets if stage_of(one.issue) is Stage.DONE]
    words = [bot.word for one in facts.tickets if one.pull_request for bot in one.pull_request.bots]
    worked = sum(run.seconds for run in ran)
    parallel = _side_by_side(ran, first, last)
    return Account(
        epic=facts.epic.issue.identifier,
        title=facts.epic.issue.title,
        state=STATES[stage_of(facts.epic.issue)].name,
        tickets=tuple(_ticket(one) for one in facts.tickets),
        turns=sum(record_of(one).turns for one in everyone),
        runs=len(ran),
        seconds=last - first,
        worked_seconds=worked,
        parallel_most=_most(ran),
        parallel_mean=round(worked / (last - first), 2) if last > first else 0.0,
        parallel_over_time=parallel,
        tracked=_share(_is_merged(one) for one in over),
        bots_approved=_share(word == "approved" for word in words),
        documentation=next((one.issue.state_name for one in facts.tickets if _documents(one)), "none"),
        stages=_stages(ran),
        usd=round(spent(facts), 4),
    )


def _ticket(ticket: Ticket) -> TicketAccount:
    record, pull = record_of(ticket), ticket.pull_request
    return TicketAccount(
        ticket.issue.identifier,
        ticket.issue.title,
        str(stage_of(ticket.issue)),
        pull.number if pull else record.pull_request,
        _is_merged(ticket),
        len(record.ran),
        sum(run.seconds for run in record.ran),
        round(record.cost_usd, 4),
    )


def _stages(ran: Sequence[Ran]) -> tuple[StageAccount, ...]:
    found = []
    for stage in dict.fromkeys(str(one) for one in Stage):
        own = [run for run in ran if run.stage == stage]
        if own:
            usd = round(sum(run.usd for run in own), 4)
            found.append(StageAccount(stage, len(own), sum(run.seconds for run in own), usd))
    return tuple(found)


def _most(ran: Iterable[Ran]) -> int:
    """The most runs that were under way at one moment; one that ends in the second another begins is over."""
    edges = sorted(edge for run in ran for edge in ((run.began, 1), (run.began + max(run.seconds, 1), -1)))
    most = now = 0
    for _, change in edges:
        now += change
        most = max(most, now)
    return most


def _side_by_side(ran: Sequence[Ran], first: int, last: int) -> tuple[int, ...]:
    if last <= first:
        return ()
    width = (last - first) / SLICES
    slices = [(first + number * width, first + (number + 1) * width) for number in range(SLICES)]
    return tuple(
        _most(run for run in ran if run.began < end and run.began + run.seconds > begin) for begin, end in slices
    )


def _share(yes: Iterable[bool]) -> float | None:
    counted = list(yes)
    return round(sum(counted) / len(counted), 3) if counted else None


def _is_merged(ticket: Ticket) -> bool:
    return ticket.pull_request is not None and ticket.pull_request.merged


def _documents(ticket: Ticket) -> bool:
    return record_of(ticket).task == DOCUMENTATION
