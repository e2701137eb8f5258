"""Watches the process table while the service is being killed, and writes down what must never be seen."""

import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bot.simulator.kill.processes import Process, alive, belonging, below, run_of, ticket_of

EVERY = 0.05
ORPHAN = 15.0
"""Seconds for which something may outlive its service: the database ends its work, a busy machine takes its time."""


@dataclass(frozen=True)
class Agent:
    """An agent that was seen: when first, by time.monotonic, which run it was for, and which step of that."""

    process: Process
    ticket: str
    run: str
    step: str
    seen_at: float


@dataclass
class Watch:
    """Looks every 50 ms in a thread of its own. `service` tells the present service's process id."""

    home: Path
    agent: Path
    cap: int
    service: Callable[[], int]
    agents: dict[tuple[int, int], Agent] = field(default_factory=dict)
    live: list[Agent] = field(default_factory=list)
    most: int = 0
    looks: int = 0
    broken: list[str] = field(default_factory=list)
    _lonely: dict[tuple[int, int], float] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def orphans(self) -> list[Process]:
        """What lives now and descends from no living service."""
        return self._without_service(belonging(self.home))

    def repeated(self, begun: Counter[str]) -> list[str]:
        """Steps of runs for which more agents were started than the run itself was; `begun` counts that by run."""
        seen = Counter((one.run, one.step) for one in self.agents.values() if one.run and one.step)
        return [
            f"run {run} ({step.strip()}): {count} agents for {begun[run]} starts"
            for (run, step), count in seen.items()
            if count > begun[run]
        ]

    def _run(self) -> None:
        while not self._stop.wait(EVERY):
            self.look()

    def look(self) -> None:
        """One look at everything."""
        self.looks += 1
        processes = belonging(self.home)
        self.live = [self._known(one) for one in processes if len(one.argv) > 1 and one.argv[1] == str(self.agent)]
        self.most = max(self.most, len(self.live))
        if len(self.live) > self.cap and self._together(self.live) > self.cap:
            self._break(f"{len(self.live)} agents at once, {self.cap} allowed")
        for ticket, count in Counter(one.ticket for one in self.live if one.ticket).items():
            if count > 1 and self._together([one for one in self.live if one.ticket == ticket]) > 1:
                self._break(f"two agents at once for {ticket}")
        self._look_for_orphans(processes)

    def _look_for_orphans(self, processes: list[Process]) -> None:
        now = time.monotonic()
        lonely = {one.identity: one for one in self._without_service(processes)}
        self._lonely = {identity: self._lonely.get(identity, now) for identity in lonely}
        for identity, since in self._lonely.items():
            if now - since > ORPHAN and alive(lonely[identity]):
                words = " ".join(lonely[identity].argv)
                self._break(f"{lonely[identity].name} ({words[-120:]}) outlived its service")

    def _without_service(self, processes: list[Process]) -> list[Process]:
        table, service = {one.pid: one for one in processes}, self.service()
        return [one for one in processes if not below(service, table, one)]

    def _known(self, process: Process) -> Agent:
        known = self.agents.get(process.identity)
        if known is None or not known.run:
            run = run_of(process)
            at = known.seen_at if known else time.monotonic()
            known = Agent(process, ticket_of(process), run, self._step(run), at)
            self.agents[process.identity] = known
        return known

    def _step(self, run: str) -> str:
        try:
            prompt = (self.home / "runs" / run / "prompt.md").read_text() if run else ""
        except OSError:
            return ""
        return " ".join(re.findall(r"^(?:PROMPT|ATTEMPT|SCOPE): ?.*$", prompt, re.M)[:3])

    def _together(self, agents: list[Agent]) -> int:
        """How many of them live at one instant: the table is not read at once, so they are looked at once more."""
        time.sleep(0.02)
        return sum(alive(one.process) for one in agents)

    def _break(self, what: str) -> None:
        if what not in self._told:
            self._told.add(what)
            self.broken.append(what)
