"""What the service must remember of an epic or ticket and has no other place in Linear: one signed record each.

The record travels as metadata of a Linear attachment (design.md section 2). It holds only what can't be read
elsewhere: attempts, generations, cost, digests, and what was approved by whom. `bot/linear/records.py` signs it.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from bot.machine.stages import Stage


@dataclass(frozen=True)
class Approval:
    """A person's word, and exactly what it was given for: a digest, or the head of every pull request shown."""

    comment: str
    user: str
    at: datetime
    digest: str = ""
    heads: tuple[tuple[str, str], ...] = ()
    """Pairs of issue id and head SHA."""
    protected: tuple[tuple[str, str], ...] = ()
    """Pairs of issue id and a protected path that the head changes and that the person named."""
    pulls: tuple[tuple[str, int], ...] = ()
    """Pairs of issue id and the number of its pull request; empty where an older version noted it."""


@dataclass(frozen=True)
class Artifact:
    """A document that a stage left on the ticket's branch."""

    path: str
    digest: str
    commit: str


class Ran(NamedTuple):
    """One run whose result was taken in: `began` in seconds since 1970, money in US dollars. Few bytes each."""

    stage: str
    began: int
    seconds: int
    usd: float


MOST_RAN = 60
"""Runs of one issue that are remembered one by one, the newest; `cost_usd` counts them all."""


@dataclass(frozen=True)
class Record:
    """The memory of one epic or ticket. `issue` is its Linear id, so that a copied record is recognised."""

    issue: str
    number: int = 0
    """How many were written before, and more: of two records of an issue the higher one is newer. 0: never written."""
    stage: Stage = Stage.TODO
    """The stage the machine last saw or set; another one in Linear means that somebody moved it."""
    generation: int = 0
    """Number of the last run that was ordered; every run of this issue carries a higher one than the run before."""
    settled: int = 0
    """Generation of the last run whose result was taken in. Below `generation`: a run is due or under way."""
    attempts: int = 0
    """Failures of the work in this stage."""
    resume: bool = False
    """A person must have, or had, a say: the next run of the implementation loop counts its attempts anew."""
    step: str = ""
    """Where the implementation loop is, for people."""
    verified: tuple[str, ...] = ()
    """Commands that passed, for the pull request."""
    by_worker: tuple[str, ...] = ()
    """Those of them that only the worker ran."""
    skipped: tuple[str, ...] = ()
    """What was not verified."""
    manual: tuple[str, ...] = ()
    """What a person should try, by the plan."""
    protected: tuple[str, ...] = ()
    """Changed files that a person should look at twice."""
    base_at: str = ""
    """The commit of the base that the head contains."""
    own_base: bool = False
    """Two or more blockers were merged into a base branch of its own at some time."""
    stands_on: str = ""
    """The branch that `base_at` was the tip of."""
    carried: tuple[str, str] | None = None
    """The head that was brought up to date without a conflict, and the head that this made: nothing else changed."""
    rounds: tuple[tuple[str, int], ...] = ()
    """How often, by kind, a run tried to mend the pull request since it was well or a person had a say."""
    taken_up: tuple[str, ...] = ()
    """Keys of what people and review bots said on the pull request that the last run was given."""
    answered: tuple[str, ...] = ()
    """The newest keys that were answered; GitHub may be slow to show it."""
    failure: str = ""
    """Names what the last run for failing checks was to repair."""
    seen: str = ""
    """The head of the pull request as last seen; `head_at` is since when."""
    unchecked: str = ""
    """The head on which no check appeared in the time that checks have: it counts as having none."""
    reran: tuple[str, ...] = ()
    """Failed checks of this head that were asked to run once more, and review bots that were asked to look at it."""
    reran_at: datetime | None = None
    queued: str = ""
    """The head that we put into GitHub's merge queue, until we took it out again."""
    concerns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Of an epic: pairs of a comment's id and the ids of the tickets it is about."""
    runs: int = 0
    """Runs that were ordered since a person last said `retry`."""
    hiccups: int = 0
    """Failures of the transport in a row; they delay, they don't count as attempts."""
    cost_usd: float = 0.0
    ran: tuple[Ran, ...] = ()
    """The runs of this issue, for the report."""
    budget_usd: float | None = None
    """What a person allowed by `budget $N`; None means the policy's figure."""
    heard: tuple[str, ...] = ()
    """Ids of the comments that have been acted upon."""
    guidance: tuple[str, ...] = ()
    """Ids of the comments that the next run must be told."""
    as_heard: tuple[tuple[str, str], ...] = ()
    """Pairs of the id of a comment that was heard as a wish and a digest of its text at that time."""
    told: tuple[str, ...] = ()
    """Of these, the ones that the run under way was told; they are dropped when it succeeds."""
    shown: Approval | None = None
    """What stands in review: digest or heads, `comment` is our comment that showed it, `user` is empty."""
    approval: Approval | None = None
    research: Artifact | None = None
    plan: Artifact | None = None
    repository: str = ""
    """Name of the repository that the work is in, from the first run on; of an epic, that of its tickets."""
    branch: str = ""
    base: str = ""
    """Branch that the work starts from and the pull request goes to."""
    head: str = ""
    """Commit at the tip of `branch` that the service pushed last."""
    pull_request: int | None = None
    task: str = ""
    """Key of the task of the breakdown that this ticket was made from."""
    made: tuple[str, ...] = ()
    """Of an epic: keys of the tasks whose tickets stood in it. Where one is missing now, a person took it away."""
    at_work: tuple[tuple[str, str], ...] = ()
    """Of an epic: pairs of a ticket's id and its branch. What is no ticket of it any more departed with its work."""
    left_usd: tuple[tuple[str, float], ...] = ()
    """Of an epic: pairs of the id of a ticket that departed and what it had cost by then, in US dollars."""
    epic: str = ""
    """Of a ticket: the id of the epic that it was part of last."""
    summary: str = ""
    """What the last implementing run said it did, for the pull request and the documentation agent."""
    wait_until: datetime | None = None
    """No run starts before: the transport is down or the account is at its limit."""
    head_at: datetime | None = None
    """When `head` was pushed; review bots get a little time to say something."""
    turns: int = 0
    """How many times a person had to say something (approvals and wishes), for the report."""
    started_at: datetime | None = None
    called: str = ""
    """Of an epic or a lone ticket: the label that somebody who may put there; empty when it is gone."""
    lone: bool = False
    """It was called as a single ticket, which it remains while it bears no label."""
    closed: bool = False
    """Of an epic or lone ticket that is over: nothing is left to do about it, so the regular look leaves it out."""
    put_right: tuple[tuple[str, str], ...] = ()
    """Pairs of the stage that we remembered and the name of the Linear state that something which may not move issues
    had put it in: each was put right, once."""


_NAMES_A_RUN = re.compile(
    r"(?:research|plan|receipt|nothing|given-up|void|needs_input|blocked(?:-[a-z]+)?|(?:breakdown|plan_review)-review"
    r"|summary)-([0-9]{1,9})(?:-[0-9a-f]+)?",
    re.ASCII,
)


def generation_of(topic: str) -> int:
    """The generation that the topic of a comment of ours names; 0 when it names none.

    The record had that generation before the comment was written, so an older record is not the last one we wrote.
    """
    found = _NAMES_A_RUN.fullmatch(topic)
    return int(found[1]) if found else 0
