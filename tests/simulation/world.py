"""The world of one story: the truth of Linear, GitHub and git, the processes of the service, and everything chance."""

import asyncio
import hmac
import math
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import get_args

from pydantic_core import to_json

from bot.engine.memory_database import MemoryDatabase
from bot.engine.pace import Pace
from bot.machine.decision import Action, Decision
from bot.machine.facts import Facts
from bot.machine.stages import ORCHESTRATE, STATES, WORKER, Stage
from bot.words import sentence
from tests.simulation.clock import BEGINNING, VirtualLoop
from tests.simulation.doors import STALE_SECONDS, WEBHOOK, Chaos
from tests.simulation.git import Git
from tests.simulation.hub import Hub
from tests.simulation.linear import ALICE, BEFORE, BOB, GINA, ROBOT, Linear, Node
from tests.simulation.lot import drawn
from tests.simulation.mischief import Meanwhile
from tests.simulation.process import GITHUB_SECRET, LINEAR_SECRET, Process
from tests.simulation.review_bots import ReviewBots
from tests.simulation.watch import Watch
from tests.simulation.watch.seen import PullSight, Sight
from tests.simulation.worker import Agent

PACE = Pace(tick=60.0, resync=240.0, parked_retry=600.0)
_ACTIONS = {kind: f"action {kind.__name__}" for kind in get_args(Action)}
DOWN_SECONDS = 300.0
"""Nobody may start a service that died for so long."""
LATE = BEGINNING.replace(hour=23, minute=30)
"""When a story begins that another day comes upon."""
LINEAR_RETRIES = (60.0, 3600.0, 21600.0)


@dataclass
class Told:
    """A line of the story."""

    at: float
    who: str
    what: str
    about: str


@dataclass
class World:
    """See the top of this file."""

    seed: int
    loop: VirtualLoop
    verbose: bool = False
    story: list[Told] = field(default_factory=list)
    fired: Counter[str] = field(default_factory=Counter)
    agents: list[Agent] = field(default_factory=list)
    checkouts: set[str] = field(default_factory=set)
    spent: dict[str, float] = field(default_factory=dict)
    """What every epic really cost, by its key."""
    calls: dict[str, list[tuple[datetime, float]]] = field(default_factory=dict)
    """When each run of this database called a model, and what that cost."""
    carried: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Heads that the service made by bringing one up to date: from which, and onto which base."""
    clashing: dict[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)
    """Tickets whose worker asked for a merge by hand: into which base, of which branches."""
    nothing_to_do: set[str] = field(default_factory=set)
    decisions: dict[str, tuple[Facts, Decision]] = field(default_factory=dict)
    writes: int = 0
    github_writes: int = 0
    rounds: int = 0
    calm: bool = False
    calm_since: float = math.inf
    losses: int = 0
    """How often the database was lost."""
    forged: set[str] = field(default_factory=set)
    """Issues whose record somebody replaced."""
    meanwhile: Meanwhile = field(init=False)

    def __post_init__(self) -> None:
        random.seed(self.seed)  # the engine's jitter
        self.chance = random.Random(f"{self.seed} people")
        self.agent_chance = random.Random(f"{self.seed} agents")
        self.races = random.Random(f"{self.seed} races")
        self.lot = drawn(self.seed)
        self.setting = self.lot.setting
        if self.setting.scarce:
            self.loop.begins_at(LATE)
        pushes = random.Random(f"{self.seed} pushes")
        self.chaos = Chaos(random.Random(f"{self.seed} chaos"), pushes, self.setting.rates)
        self.policy = self.lot.policy
        self.git = Git()
        root = self.git.commit((), {"README": "YouLab", "src/shared": "begin"}, ours=False, brings="the beginning")
        self.git.refs["main"] = root
        self.hub = Hub(self.git, self.lot.house, random.Random(f"{self.seed} hub"), self._github_changed)
        self.hub.checks.red = self.setting.red
        bots, named = random.Random(f"{self.seed} bots"), self.policy.gates.review_bots
        self.bots = ReviewBots(self.hub, named, bots, self.fired)
        self.linear = Linear(self._linear_changed)
        if self.setting.tried:
            self.linear.account = BEFORE
        self.watch = Watch(self)
        self.hub.queue.merges = self.watch.pulls.queue_merges
        self._pictures: dict[str, list[tuple[float, Node, Sight]]] = {}
        self._pulls: dict[tuple[int, ...], tuple[float, Node, dict[str, PullSight]]] = {}
        self._webhooks = 0
        self.on_the_way = 0
        """Webhooks that are not delivered yet."""
        self._kept: set[asyncio.Task[None]] = set()
        self.processes: list[Process] = []
        self.database = MemoryDatabase(PACE, self.loop.now)
        self.names = 0

    # ---- processes

    def starts_process(self) -> Process:
        """One more process on the database that there is."""
        self.names += 1
        process = Process(self, self.database, f"service-{self.names}")
        self.processes.append(process)
        self.tell(process.name, "starts", "")
        return process

    def keep(self, task: "asyncio.Task[None]") -> None:
        """Hold on to a task until it ended; the loop itself does not."""
        self._kept.add(task)
        task.add_done_callback(self._kept.discard)

    def died(self, process: Process) -> None:
        """A process is gone; somebody starts another one soon, unless others are there."""
        self.processes.remove(process)
        self.agents = [one for one in self.agents if one.process is not process]
        if not self.processes:
            wait = 1.0 if self.calm else self.chaos.chance.choice((0.5, 5.0, 40.0, 40.0, DOWN_SECONDS))
            self.loop.call_later(wait, self._again)

    def _again(self) -> None:
        if not self.processes:
            self.starts_process()

    def loses_database(self) -> None:
        """The database and the data folder are gone, and with them the processes."""
        self.tell("chaos", "deletes the database", "")
        self.losses += 1
        for process in list(self.processes):
            process.kill("its database is gone")
        self.watch.database_lost()
        self.database = MemoryDatabase(PACE, self.loop.now)
        self.calls.clear()
        self.checkouts.clear()

    # ---- what a process sees

    def picture(self, process: Process, epic: str, read: Callable[[], Node], *, stale: bool) -> Node:
        """The picture of an epic, perhaps one that is some seconds old; what it shows is noted."""
        kept = self._pictures.setdefault(epic, [])
        old = next((one for one in kept if one[0] > self.loop.time() - STALE_SECONDS), None)
        if stale and old is not None:
            _, answer, sight = old
        else:
            answer = read()
            sight = self.watch.sights.look(epic)
            if "linear stale read" in self.chaos.rates:
                kept.append((self.loop.time(), answer, sight))
                del kept[:-5]
        self.watch.sights.saw(process, epic, sight)
        return answer

    def pulls_picture(
        self, process: Process, numbers: tuple[int, ...], act: Callable[[], Node], *, stale: bool
    ) -> Node:
        """The same for pull requests."""
        old = self._pulls.get(numbers)
        if not (stale and old is not None and old[0] > self.loop.time() - STALE_SECONDS):
            old = (self.loop.time(), act(), self.watch.sights.look_at_pulls(numbers))
            self._pulls[numbers] = old
        self.watch.sights.saw_pulls(process, old[2])
        return old[1]

    def decided(self, process: Process, facts: Facts, decision: Decision) -> None:
        """A round came to a decision."""
        self.rounds += 1
        self.decisions[facts.key] = (facts, decision)
        for action in decision.actions:
            self.fired[_ACTIONS[type(action)]] += 1
        self.watch.decisions.made(process, facts, decision)
        self.watch.starts.allows(facts, decision)
        self.watch.records.decided(process, facts.key.removeprefix("epic:"))
        if self.verbose:
            names = {one.issue.id: one.issue.identifier for one in (facts.epic, *facts.tickets)}
            stages = " ".join(
                f"{one.issue.identifier}:{one.issue.state_name}"
                + (f"/{one.issue.disposition}" if one.issue.disposition else "")
                for one in (facts.epic, *facts.tickets)
            )
            self.tell(process.name, "sees", stages)
            for action in decision.actions:
                if type(action).__name__ in ("ShowCheck", "Remember") or getattr(action, "topic", "") == "panel":
                    continue
                told = " ".join(
                    f"{key}={value}" for key, value in vars(action).items()
                    if isinstance(value, str | int) and key not in ("issue", "repository", "epic") and value != ""
                )  # fmt: skip
                self.tell(
                    process.name, f"  {type(action).__name__}", f"{names.get(getattr(action, 'issue', ''), '')} {told}"
                )
            for one in decision.blockers:
                self.tell(process.name, "  waits", f"{names.get(one.issue, one.issue)}: {sentence(one)}")

    def settled(self, key: str) -> None:
        """The decision was carried out."""

    @property
    def sound(self) -> bool:
        """Whether nothing breaks, and what broke before is up again."""
        harmless = self.chaos.harmless and not self.setting.tried  # where a person stops it now and then
        return harmless or self.loop.time() > self.calm_since + DOWN_SECONDS

    def tell(self, who: str, what: str, about: str) -> None:
        """A line of the story."""
        if self.verbose:
            self.story.append(Told(self.loop.time(), who, what, about))

    def later(self, *, minutes: float) -> datetime:
        """A moment to come."""
        return self.loop.now() + timedelta(minutes=minutes)

    def run_of(self, run_id: str) -> tuple[str, int]:
        """Issue and generation of a run."""
        return self.watch.runs.known[run_id]

    # ---- the epic

    def begins(self) -> None:
        """Somebody writes an epic and labels it, or some tickets that stand alone."""
        todo = self.linear.state_named(STATES[Stage.TODO].name)
        if self.setting.lone:
            for number in range(1, self.lot.tasks + 1):
                self.linear.create(f"lone-{number}", f"Part {number}", "As said.", None, todo, [WORKER])
            return
        for number in range(1, 3) if self.setting.given else ():
            self.linear.create(f"given-{number}", f"Part {number}", "As said.", "epic-1", todo, [])
        strangers = (ALICE, BOB, GINA, ROBOT) if self.setting.strange else (ALICE,)
        by = random.Random(f"{self.seed} caller").choice(strangers)
        for number in range(1, self.setting.epics + 1):
            self.linear.create(f"epic-{number}", "Dashboard", "Build the dashboard.", None, todo, [ORCHESTRATE], by)

    # ---- webhooks

    def _linear_changed(self, event: str, action: str, data: Node, who: str) -> None:
        if who != "service" or self.lot.echo == "everything" or event == self.lot.echo:
            actor = (
                {"id": self.linear.account["id"]} if who == "service" and self.lot.echo != "everything" else None
            )  # it may be missing
            body = {"type": event, "action": action, "data": data, "actor": actor}
            self._send("linear", f"{event}.{action}", body)

    def _github_changed(self, event: str, body: Node) -> None:
        self.bots.hears(event, body)
        self._send("github", event, body)

    def _send(self, source: str, event: str, body: Node) -> None:
        if (not self.processes and not self.names) or self.setting.deaf:
            return
        self._webhooks += 1
        delivery = f"{source}-{self._webhooks}"
        if source == "linear":
            body = {**body, "webhookTimestamp": int(self.loop.now().timestamp() * 1000)}
        fault = self.chaos.strikes(WEBHOOK)
        wait = 1.2 - self.loop.time() % 1.0  # senders work in batches; it saves rounds that would see nothing new
        match fault:
            case "webhook dropped":
                return
            case "webhook delayed":
                wait = self.chaos.chance.choice((30.0, 300.0, 4000.0))
            case "webhook reordered":
                wait += 5.0
            case "webhook malformed":
                body = {**body, "data": 7, "pull_request": 7, "repository": 7}
            case "webhook doubled":
                self._comes(wait + 1.0, source, event, delivery, body, 0)
        self._comes(wait, source, event, delivery, body, 0)

    def _comes(self, wait: float, source: str, event: str, delivery: str, body: Node, tries: int) -> None:
        self.on_the_way += 1
        self.loop.call_later(wait, self._delivers, source, event, delivery, body, tries)

    def _delivers(self, source: str, event: str, delivery: str, body: Node, tries: int) -> None:
        self.on_the_way -= 1
        up = [one for one in self.processes if not one.frozen]
        if not up:
            self._fails(source, event, delivery, body, tries)
            return
        process = up[self._webhooks % len(up)]
        task = process.begin(self._delivered(process, source, event, delivery, body))
        task.add_done_callback(
            lambda done: (
                None
                if not done.cancelled() and done.exception() is None and done.result() == 200
                else self._fails(source, event, delivery, body, tries)
            )
        )

    async def _delivered(self, process: Process, source: str, event: str, delivery: str, body: Node) -> int:
        raw = to_json(body)
        secret = (LINEAR_SECRET if source == "linear" else GITHUB_SECRET).encode()
        signature = hmac.digest(secret, raw, "sha256").hex()
        if source == "linear":
            headers = {"linear-signature": signature, "linear-delivery": delivery}
        else:
            headers = {
                "x-hub-signature-256": f"sha256={signature}", "x-github-delivery": delivery, "x-github-event": event,
            }  # fmt: skip
        status = await process.receives(source, headers, raw)
        self.watch.deliveries.answered(process, source, delivery, status)
        return status

    def _fails(self, source: str, event: str, delivery: str, body: Node, tries: int) -> None:
        """Linear tries again; GitHub never does."""
        if source == "linear" and tries < len(LINEAR_RETRIES):
            self._comes(LINEAR_RETRIES[tries], source, event, delivery, body, tries + 1)


__all__ = ["PACE", "World", "asyncio"]
