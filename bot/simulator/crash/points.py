"""Where the service can die: every side effect by its name, and every moment before and after it.

The service dies by SIGKILL, in a process of its own, so nothing of it runs on: no `finally`, no pending write. What it
started itself (an agent, a `git push` on its way) ends or goes on as it would in reality.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Moment(StrEnum):
    """When the service dies. NOTED: what it did is remembered, by the row of the key, of the run or of the delivery."""

    BEFORE = "before"
    APPLIED = "applied"
    NOTED = "noted"


class Ends(StrEnum):
    """What notes that a verb was done: the end of its round, the end of its run, or the next round after it."""

    ROUND = "round"
    RUN = "run"
    NEXT = "next"


@dataclass(frozen=True)
class Verb:
    """A side effect. `stories` say in which stories it is killed, and at which of its calls there (the first is 1)."""

    ends: Ends
    stories: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Point:
    """One death. `lost`: database and data folder are gone when the service comes back."""

    story: str
    verb: str
    call: int
    moment: Moment
    lost: bool

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        which = "" if self.call == 1 else f"-{self.call}"
        return f"{self.story}/{self.verb}{which}/{self.moment}/{'lost' if self.lost else 'kept'}"


def _in(ends: Ends, /, **stories: tuple[int, ...]) -> Verb:
    return Verb(ends, stories)


ONCE = (1,)
VERBS: Mapping[str, Verb] = {
    "linear.ticket": _in(Ends.ROUND, epic=(1, 3)),
    "linear.relation": _in(Ends.ROUND, epic=ONCE),
    "linear.new-label": _in(Ends.ROUND, epic=ONCE),
    "linear.move": _in(Ends.ROUND, begun=(1, 2, 3), work=(1, 2, 3), alone=(3,), built=ONCE, epic=(2, 3)),
    "linear.label": _in(Ends.ROUND, talk=(1, 2)),
    "linear.comment": _in(Ends.ROUND, begun=(1, 2, 3), work=(1, 2), built=(2,), epic=(2, 3)),
    "linear.edit": _in(Ends.ROUND, built=ONCE),
    "linear.reply": _in(Ends.ROUND, talk=(1, 2)),
    "linear.document": _in(Ends.ROUND, epic=ONCE),
    "linear.document-edit": _in(Ends.ROUND, epic=ONCE),
    "linear.record": _in(Ends.ROUND, begun=(1, 2, 4), work=(1, 3, 5), alone=(4,), epic=(4,), built=(1, 3)),
    "github.ensure_pull": _in(Ends.ROUND, built=ONCE),
    "github.retarget": _in(Ends.ROUND, stack=ONCE),
    "github.merge": _in(Ends.ROUND, built=ONCE, stack=(2,)),
    "github.enqueue": _in(Ends.ROUND, queue=ONCE),
    "github.dequeue": _in(Ends.ROUND, queue=ONCE),
    "github.rerun": _in(Ends.ROUND, checks=ONCE),
    "github.reply": _in(Ends.ROUND, review=ONCE),
    "github.resolve": _in(Ends.ROUND, review=ONCE),
    "github.answer": _in(Ends.ROUND, review=ONCE),
    "github.request_review": _in(Ends.ROUND, review=ONCE),
    "github.our_check": _in(Ends.ROUND, built=ONCE),
    "github.close_pull": _in(Ends.ROUND, cancel=ONCE),
    "github.delete_branch": _in(Ends.ROUND, built=ONCE),
    "git.push": _in(Ends.RUN, begun=(1, 2), work=ONCE, base=ONCE, review=ONCE, stack=ONCE),
    "git.push_work": _in(Ends.RUN, work=(1, 2, 3), alone=ONCE),
    "git.drop_work": _in(Ends.ROUND, alone=ONCE, cancel=ONCE),
    "engine.accept": _in(Ends.NEXT, begun=ONCE, built=(3,)),
    "engine.hint": _in(Ends.ROUND, begun=ONCE),
    "engine.route": _in(Ends.ROUND, begun=ONCE),
    "engine.allow": _in(Ends.ROUND, begun=ONCE),
    "engine.intend": _in(Ends.ROUND, begun=(1, 2)),
    "engine.wrote": _in(Ends.ROUND, begun=(1, 2), work=(2,)),
    "engine.start_run": _in(Ends.ROUND, begun=(1, 2), work=(1, 2), review=ONCE),
    "engine.cancel_run": _in(Ends.ROUND, stop=ONCE),
    "engine.finish": _in(Ends.ROUND, begun=(1, 2), work=(1, 2), alone=(3,)),
    "agent.run": _in(Ends.RUN, begun=ONCE, work=(1, 2)),
    "checkout.make": _in(Ends.RUN, begun=ONCE, work=ONCE),
    "checkout.remove": _in(Ends.ROUND, built=ONCE),
}
"""Every side effect. A test holds this list against the code: a verb that is not in it fails."""


def _points() -> Iterator[Point]:
    """Every verb at every moment in the first of its stories; what comes after that only where it is most telling."""
    for verb, about in VERBS.items():
        first = True
        for story, calls in about.stories.items():
            for call in calls:
                for moment in Moment if first else (Moment.APPLIED,):
                    for lost in (False, True):
                        yield Point(story, verb, call, moment, lost)
                first = False


POINTS = tuple(_points())
