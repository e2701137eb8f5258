"""What a person sees while the loop runs: a line per step that is done and, on a terminal, one that lives below them.

    ✓ phase 1 of 2: Add the lexer · implement · 42 s · $0.31
    ⠹ phase 1 of 2: Add the lexer · verify · 3 s
      Verifying, 1 of 2: make lint

Into a pipe goes every line of what an agent does instead. What agents say is shown without control characters.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from bot.machine.plan import Plan
from bot.machine.progress import AFTER, Kind, Receipt, name_of
from bot.runs.agents import Agents
from bot.runs.contract import Ending, RunResult, RunSpec
from bot.runs.prompting import visible
from bot.runs.runner import Handover

_MARKS = {True: ("✓", "green"), False: ("✗", "red"), None: ("·", "yellow")}


@dataclass
class Display:
    """The terminal, or the pipe."""

    console: Console
    step: str = ""
    detail: str = ""
    began: float = field(default_factory=time.monotonic)
    live: Live | None = None

    def __enter__(self) -> "Display":
        if self.console.is_terminal:
            self.live = Live(console=self.console, get_renderable=self._now, refresh_per_second=4, transient=True)
            self.live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.step = ""
        if self.live is not None:
            self.live.stop()
        self.say("")

    def say(self, text: str, style: str = "") -> None:
        """A line, or a few, that stay."""
        self.console.print(Text(visible(text), style), soft_wrap=True)

    def begins(self, step: str) -> None:
        """Something begins that takes time."""
        self.step, self.detail, self.began = " ".join(visible(step).split()), "", time.monotonic()
        if self.live is None:
            self.say(self.step)

    def hears(self, text: str) -> None:
        """What is being done in it."""
        detail = " ".join(visible(text).split())
        if detail and detail != self.detail:
            self.detail = detail
            if self.live is None:
                self.say(f"    {detail}")

    def ends(self, well: bool | None, about: str) -> None:
        """It is over: well, not well, or (None) without anything that is about the work."""
        mark, style = _MARKS[well]
        seconds = f"{time.monotonic() - self.began:.0f} s"
        self.say(f"{mark} {self.step} · {seconds}{about}", style if well is not True else "")
        self.step = self.detail = ""

    def waits(self, why: str, until: datetime) -> None:
        """Nothing can be done before a moment."""
        self.begins(f"waiting until {until.astimezone():%H:%M:%S}: {why}")

    def _now(self) -> RenderableType:
        if not self.step:
            return Text("")
        line = Text(f"{self.step} · {time.monotonic() - self.began:.0f} s", no_wrap=True, overflow="ellipsis")
        detail = Text(f"  {self.detail}", style="dim", no_wrap=True, overflow="ellipsis")
        return Group(Spinner("dots", line), detail)


class Watched:
    """A runner (see `bot/runs/worker.py`) whose steps are shown. `note` hears of each when it begins."""

    def __init__(
        self, agents: Agents, display: Display, plan: Plan, at: int, note: Callable[[Kind, int, int], None]
    ) -> None:
        self._agents, self._display, self._plan, self._note = agents, display, plan, note
        self._at, self._attempt = at, 1

    async def run(self, spec: RunSpec, *, tree: Path, mirror: Path, base_commit: str) -> Handover:
        """Run an agent."""
        words = str(spec.variables.get("phase") or "").split(" ")[0]
        self._at, self._attempt = int(words) if words.isdecimal() else AFTER, spec.attempt
        self._begins(Kind(spec.prompt))
        handed = await self._agents.run(spec, tree=tree, mirror=mirror, base_commit=base_commit)
        self._display.ends(*_judged(handed.result))
        if spec.prompt == Kind.REVIEW and not _blockers(handed.result):
            self._at = AFTER  # what is verified in the same run is not this phase's any more
        return handed

    async def verify(
        self, commands: tuple[str, ...], folder: str, /, *, tree: Path, mirror: Path, minutes: float
    ) -> tuple[Receipt, ...]:
        """Run commands."""
        self._begins(Kind.VERIFY)
        receipts = await self._agents.verify(commands, folder, tree=tree, mirror=mirror, minutes=minutes)
        self._display.ends(all(one.passed for one in receipts), "")
        for one in receipts:
            how = f"exit code {one.code}" if one.ended == "exited" else one.ended
            mark = _MARKS[one.passed][0]
            self._display.say(f"    {mark} {' '.join(one.command.split())} ({how}, {one.seconds:.1f} s)")
        return receipts

    def _begins(self, kind: Kind) -> None:
        again = f", attempt {self._attempt}" if self._attempt > 1 else ""
        self._display.begins(f"{name_of(self._plan, self._at)} · {kind}{again}")
        self._note(kind, self._at, self._attempt)


def _blockers(result: RunResult) -> list[str]:
    outcome = result.outcome or {}
    refused = [str(outcome.get("summary"))] if outcome.get("verdict") == "blockers" else []
    return list(outcome.get("blockers") or refused)


def _judged(result: RunResult) -> tuple[bool | None, str]:
    """How a run's end is shown."""
    cost = f" · ${result.cost_usd:.2f}" if result.cost_usd else ""
    blockers = _blockers(result)
    if blockers:
        return False, f"{cost}\n" + "\n".join(f"    {_line(one)}" for one in blockers)
    said = f"\n    {_line(result.error or result.summary)}" if result.error or result.summary else ""
    well = {Ending.SUCCESS: True, Ending.WORK_FAILED: False}.get(result.kind)
    return well, cost + said


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:300]} …"
