"""A board to play on: facts in, decisions applied as values. No I/O; a whole epic runs in milliseconds."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.machine import breakdown
from bot.machine.decide import decide
from bot.machine.decision import (
    Answer,
    Blocker,
    CleanUp,
    ClosePullRequest,
    CreateTickets,
    Decision,
    Dequeue,
    Dispose,
    Enqueue,
    Merge,
    Move,
    OpenPullRequest,
    Post,
    Remember,
    RequestReview,
    Rerun,
    Retarget,
    ShowCheck,
    StartRun,
    StopRun,
    WriteBreakdown,
)  # fmt: skip
from bot.machine.facts import (
    Author,
    Blocking,
    Call,
    Comment,
    Departed,
    Document,
    Facts,
    Issue,
    Refusal,
    Repository,
    Rules,
    Run,
    RunState,
    Ticket,
)
from bot.machine.pull_request import Checks, Mergeable, PullRequest, Remark, Thread
from bot.machine.stages import STATES, Disposition, Stage
from bot.unchecked import Unchecked
from bot.words import say, sentence
from handlers import HANDLERS

ALICE = Author("user-alice", "alice", person=True)
GINA = Author("user-gina", "gina", person=False, guest=True)  # as `bot/linear/reading.py` tells guests
BOT = Author("user-bot", "callboard", person=False, app=True)

TASKS = [
    {"key": "storage", "title": "Settings storage", "description": "Store settings", "scope": "storage"},
    {"key": "theme", "title": "Theme page", "description": "A page", "scope": "page", "depends_on": ["storage"]},
    {"key": "feed", "title": "Activity feed", "description": "A feed", "scope": "feed"},
]


PLAN = """## Phase 1: Do it

#### Automated Verification:
- [ ] Tests pass: `make test`
"""


@dataclass
class Board:
    """Linear, GitHub and the engine as plain values; `settle` decides and applies until nothing more happens."""

    rules: Rules = field(default_factory=Rules)
    now: datetime = datetime(2026, 11, 21, tzinfo=UTC)
    issues: dict[str, Issue] = field(default_factory=dict)
    document: Document | None = None
    pulls: dict[str, PullRequest] = field(default_factory=dict)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    repository: Repository | None = field(default_factory=lambda: Repository("acme/youlab", "main"))
    named_now: str = "acme/youlab"
    states_missing: tuple[str, ...] = ()
    lone: bool = False
    checks: Checks = Checks.GREEN
    dropped: bool = False
    call: Call | None = None
    """Who put the label there; alice did, when a test says nothing."""
    decision: Decision = field(default_factory=Decision)
    orders: list[StartRun] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)
    updates: bool = True
    """The service brings branches up to date at once; a test that wants to look between says no."""
    gone: set[str] = field(default_factory=set)
    """Tickets whose branch somebody deleted."""
    refusals: dict[str, Refusal] = field(default_factory=dict)
    """What Linear or GitHub refused of an issue."""
    deleted: set[str] = field(default_factory=set)
    """Comments that somebody deleted."""
    unheard: dict[str, str] = field(default_factory=dict)
    """Heads that an update pushed and was killed before it could say so, and what it made them of."""
    done: list[Any] = field(default_factory=list)
    """Answers, re-runs, requests and places in the queue, as they were asked for."""
    created: int = 0
    changed: bool = False
    cleaned: list[str] = field(default_factory=list)
    out: dict[str, Issue] = field(default_factory=dict)
    """What was taken out of the epic."""
    whose: str = ""
    """The id of what has it now, and may have been called."""
    kept: list[Post] = field(default_factory=list)
    """What was said on that."""
    walked: set[tuple[str, str]] = field(default_factory=set)

    clock_set: timedelta = timedelta()
    """By how much somebody set the clock: no time passed."""

    def __post_init__(self) -> None:
        self.watched = Unchecked(lambda: self.now.timestamp())
        self.add("epic", "YOU-1", "User dashboard", "Build the dashboard", labels=("orchestrate",))

    def add(self, key: str, identifier: str, title: str, description: str = "", labels: tuple[str, ...] = ()) -> None:
        self.issues[key] = Issue(
            key, identifier, title, description, f"https://linear/{identifier}", "YOU", Stage.TODO, "Todo", "unstarted",
            frozenset(labels), 0, self.now, parent=None if key == "epic" else "epic",
        )  # fmt: skip

    def facts(self) -> Facts:
        def ticket(issue: Issue) -> Ticket:
            below = (one for one in issue.blocked_by if one.issue in self.issues | self.out)
            blocked = tuple(replace(one, **self._place(one.issue)) for one in below)
            runs = tuple(self.runs.get(issue.id, ()))
            return Ticket(replace(issue, blocked_by=blocked), self.pulls.get(issue.id), runs, issue.id in self.gone)

        epic = ticket(self.issues["epic"])
        rest = (epic,) if self.lone else tuple(ticket(one) for key, one in self.issues.items() if key != "epic")
        return Facts(
            self.now + self.clock_set,
            "epic:epic",
            epic,
            rest,
            self.document,
            self.repository,
            self.rules,
            self.states_missing,
            self.lone,
            self.dropped,
            orphans=tuple(run for key, runs in self.runs.items() if key not in self.issues for run in runs),
            began_in=next(
                (one.record.repository for one in self.issues.values() if one.record and one.record.repository), ""
            ),
            named_now=self.named_now,
            call=self.call or Call("worker" if self.lone else "orchestrate", ALICE),
            unchecked={one.issue.id: self.watched.watch(one.issue.id, one.pull_request) for one in rest},
            refusals=self.refusals,
            departed=() if self.lone else tuple(self._departed()),
        )

    def _departed(self) -> Iterator[Departed]:
        record = self.issues["epic"].record
        for key, branch in record.at_work if record else ():
            if key not in self.issues:
                yield Departed(key, branch, self.out.get(key), self.whose, self.pulls.get(key))

    def takes_out(self, key: str) -> None:
        """Somebody makes a ticket part of something else."""
        self.out[key] = self.issues.pop(key)

    def puts_back(self, key: str) -> None:
        self.issues[key] = self.out.pop(key)

    def _place(self, key: str) -> dict[str, Any]:
        issue = (self.issues | self.out)[key]
        over = issue.stage is not None and issue.stage.over
        return {"stage": issue.stage, "state_name": issue.state_name, "over": over}

    def step(self) -> Decision:
        self.now += timedelta(seconds=1)
        self.decision = decide(self.facts(), HANDLERS)
        for action in self.decision.actions:
            self.apply(action)
        for blocker in self.decision.blockers:
            sentence(blocker)
        return self.decision

    def settle(self, rounds: int = 60) -> "Board":
        for _ in range(rounds):
            decision = self.step()
            changed, self.changed = self.changed, False
            if not changed and decision.recheck_after != 0.0:
                return self
        raise AssertionError(f"never settles: {decision.actions}")

    def apply(self, action: Any) -> None:
        self.changed |= not isinstance(action, Post | ShowCheck)
        if isinstance(action, Post) and action.issue in self.out:
            say(action.words, action.values)
            self.kept.append(action)
            return
        if isinstance(action, Move | Dispose | Post | Remember):
            assert not self.issues[action.issue].archived, f"Linear rejects every edit of what is archived: {action}"
        match action:
            case Move(issue, stage):
                self.walked.add((str(self.stage(issue)), str(stage)))
                state = STATES[stage]
                self.change(issue, stage=stage, state_name=state.name, state_type=state.type)
            case Dispose(issue, disposition):
                labels = self.issues[issue].labels - frozenset(Disposition) | ({disposition} if disposition else set())
                self.change(issue, labels=frozenset(labels))
            case Remember(issue, record):
                assert record.issue == issue
                self.change(issue, record=record)
            case Post(issue, topic, words, values, parent):
                body = say(words, values)
                there = {one.id for one in self.issues[issue].comments if one.parent is None}
                assert parent is None or parent in there, f"Linear knows no thread {parent} on {issue}: {words}"
                if f"{issue}/{topic}" in self.deleted:
                    return  # Linear says that it is there already
                if any(one.topic == topic and one.body == body for one in self.issues[issue].comments):
                    return
                self.changed |= topic != "panel"
                old = [one for one in self.issues[issue].comments if one.topic != topic]
                same = [one for one in self.issues[issue].comments if one.topic == topic]
                self.now += timedelta(milliseconds=1)
                written = same[0].created_at if same else self.now  # an edit in place changes nothing about that
                own = Comment(f"{issue}/{topic}", body, BOT, written, ours=True, topic=topic, parent=parent)
                self.change(issue, comments=(*old, own))
            case WriteBreakdown(_, content):
                self.document = Document("doc", "Breakdown", content, self.now)
            case CreateTickets(_, _, tasks, blocked_by):
                self._create(tasks, blocked_by)
            case StartRun():
                self.orders.append(action)
                run = Run(
                    f"{action.issue}-{action.generation}",
                    action.issue,
                    action.stage,
                    action.generation,
                    RunState.QUEUED,
                )
                self.runs.setdefault(action.issue, []).append(run)
                if action.prompt == "update" and self.updates:
                    self.end(run, self._result(run))
            case StopRun(_, run, _):
                self.set_run(run, state=RunState.CANCELED)
            case OpenPullRequest(issue, _, branch, base, _, values):
                say("pull_request_body", values)
                if issue not in self.pulls:
                    self.pulls[issue] = PullRequest(
                        len(self.pulls) + 1, "https://github/pull", "node", True, False, f"sha-{issue}", branch, base,
                        mergeable=Mergeable.YES, checks=self.checks,
                    )  # fmt: skip
            case Retarget(_, _, number, base):
                self.pull(number, base_branch=base)
            case Merge(_, _, number, head):
                self.merges.append(action)
                key = next(key for key, one in self.pulls.items() if one.number == number)
                assert self.pulls[key].head == head
                self.pull(number, open=False, merged=True, merge_commit=f"merge-{number}")
            case Answer() | Rerun() | RequestReview() | Enqueue() | Dequeue():
                self.done.append(action)
                self.changed = True
                if isinstance(action, Answer):
                    say(action.words, action.values)
                    self.answer(action)
            case CleanUp(_, _, branch, delete_branch):
                self.changed = branch not in self.cleaned
                self.cleaned.append(branch)
                standing = [one for one in self.pulls.values() if one.open and one.base_branch == branch]
                assert not (delete_branch and standing), f"deleting {branch} would close {standing}"
            case ClosePullRequest(_, _, number):
                self.pull(number, open=False)

    def _create(self, tasks: tuple[breakdown.Task, ...], blocked_by: tuple[tuple[str, str], ...]) -> None:
        from bot.machine.record import Record

        for task in tasks:
            if task.key in self.issues:
                continue
            self.created += 1
            self.add(task.key, f"YOU-{len(self.issues) + 1}", task.title, task.description, ("orchestrated",))
            self.change(task.key, record=Record(task.key, task=task.key, epic="epic"))
        related = [(task.key, below) for task in tasks for below in task.depends_on if below in self.issues]
        for key, below in (*related, *blocked_by):
            issue, other = self.issues[key], self.issues[below]
            if below not in {one.issue for one in issue.blocked_by}:
                link = Blocking(below, other.identifier, other.stage, other.state_name, over=False)
                self.change(key, blocked_by=(*issue.blocked_by, link))

    def change(self, key: str, **changes: Any) -> None:
        self.issues[key] = replace(self.issues[key], **changes)

    def pull(self, number: int, **changes: Any) -> None:
        key = next(key for key, one in self.pulls.items() if one.number == number)
        self.pulls[key] = replace(self.pulls[key], **changes)

    def set_run(self, run: str, **changes: Any) -> None:
        for runs in self.runs.values():
            for index, one in enumerate(runs):
                if one.id == run:
                    runs[index] = replace(one, **changes)

    def comments(self, key: str, body: str, author: Author = ALICE, **more: Any) -> Comment:
        self.now += timedelta(seconds=1)
        said = Comment(f"comment-{self.now.timestamp()}", body, author, self.now, **more)
        self.change(key, comments=(*self.issues[key].comments, said))
        return said

    def deletes(self, key: str, comment: Comment) -> None:
        self.deleted.add(comment.id)
        self.change(key, comments=tuple(one for one in self.issues[key].comments if one.id != comment.id))

    def moves(self, key: str, stage: Stage) -> None:
        self.apply(Move(key, stage))

    def live(self) -> list[Run]:
        return [run for runs in self.runs.values() for run in runs if run.live]

    def begin(self) -> "Board":
        """All queued runs get a worker."""
        for run in self.live():
            self.set_run(run.id, state=RunState.RUNNING, started_at=self.now)
        return self.settle()

    def finish(self, **result: Any) -> "Board":
        """All running runs end: well, unless `result` says otherwise. What they push is on the pull request."""
        for run in self.live():
            self.end(run, {**self._result(run), **result})
        return self.settle()

    def end(self, run: Run, result: dict[str, Any]) -> None:
        """One run ends."""
        self.set_run(run.id, state=RunState.FINISHED, result=result)
        pull = self.pulls.get(run.issue)
        if pull is not None and result.get("head") not in (None, "", pull.head) and pull.open:
            checks = Checks.PENDING if pull.checks is Checks.RED else pull.checks
            self.pull(pull.number, head=result["head"], checks=checks, failing=(), failing_details=())

    def answer(self, action: Answer) -> None:
        """Our answer appears where it was given."""
        pull = next(one for one in self.pulls.values() if one.number == action.number)
        ours = Remark(f"r{len(self.done)}", "callboard[bot]", "answered", self.now, ours=True, topic=action.topic)
        if not action.thread:
            assert action.topic not in {one.topic for one in pull.conversation if one.ours}, "answered twice"
            self.pull(action.number, conversation=(*pull.conversation, ours))
            return
        threads = []
        for thread in pull.threads:
            if thread.id == action.thread:
                stands = action.topic in {one.topic for one in thread.remarks if one.ours}
                assert not stands or (action.resolve and not thread.resolved), "answered twice"
                remarks = thread.remarks if stands else (*thread.remarks, ours)
                thread = replace(thread, remarks=remarks, resolved=thread.resolved or action.resolve)
            threads.append(thread)
        still = sum(one.open for one in threads)
        self.pull(action.number, threads=tuple(threads), open_threads=still)

    def remarks(self, key: str, text: str, thread: str = "t1", author: str = "bob", *, may: bool = True) -> Remark:
        """Somebody writes into a review thread, or begins one."""
        self.now += timedelta(seconds=1)
        pull = self.pulls[key]
        said = Remark(f"{thread}-{self.now.timestamp()}", author, text, self.now, person=True, may=may)
        known = {one.id: one for one in pull.threads}
        before = known.get(thread) or Thread(thread, "a.py", 3)
        known[thread] = replace(before, remarks=(*before.remarks, said), resolved=False)
        self.pull(pull.number, threads=tuple(known.values()), open_threads=sum(one.open for one in known.values()))
        return said

    def work(self, rounds: int = 1) -> "Board":
        for _ in range(rounds):
            self.begin().finish()
        return self

    def _result(self, run: Run) -> dict[str, Any]:
        order = next(one for one in self.orders if (one.issue, one.generation) == (run.issue, run.generation))
        result: dict[str, Any] = {
            "kind": "success",
            "cost_usd": 0.5,
            "outcome": {"summary": f"did {order.prompt}"},
            "about": dict(order.about),
        }
        if order.prompt != "breakdown":
            below = [one.head for one in self.pulls.values() if one.head_branch == order.base]
            result["base_at"] = below[0] if below else f"{order.base}-{len(self.merges)}"
        if order.prompt == "breakdown":
            result["outcome"] = {"summary": "three tasks", "tasks": TASKS, "questions": []}
        elif order.prompt in ("research", "plan"):
            result |= {"head": f"sha-{run.issue}-{run.generation}"}
            result["document"] = {
                "path": f"thoughts/{order.prompt}.md",
                "digest": f"digest-{run.generation}",
                "commit": "c",
            }
            result["outcome"]["document"] = PLAN if order.prompt == "plan" else "# Found"
        elif order.prompt == "update":
            now = self.pulls[run.issue].head
            before, after = (self.unheard[now], now) if now in self.unheard else (now, f"{now}+")
            result |= {"head": after, "carried": [before, after], "cost_usd": 0.0}
        elif order.prompt in ("feedback", "fix"):
            result |= {"head": f"{self.pulls[run.issue].head}.{run.generation}"}
            points = order.about.get("points", [])
            replies = [{"thread_id": one["id"], "body": "done", "resolved": True} for one in points]
            result["outcome"]["replies"] = replies
        elif order.prompt == "concern":
            result["outcome"]["tickets"] = []
        else:
            result |= {"head": f"sha-{run.issue}"}
            result["completed"] = {"summary": f"did {order.prompt}", "receipts": [], "by_worker": [], "verified": []}
        return result

    def stage(self, key: str) -> Stage | None:
        return self.issues[key].stage

    def stages(self) -> dict[str, str]:
        return {key: str(one.stage) for key, one in self.issues.items()}

    def said(self, key: str, topic: str = "") -> list[str]:
        return [one.body for one in self.issues[key].comments if one.ours and one.topic.startswith(topic)]

    def answers(self, comment: Comment) -> list[str]:
        return [
            one.body for issue in self.issues.values() for one in issue.comments if one.topic == f"reply-{comment.id}"
        ]

    def why(self, key: str) -> str:
        return "; ".join(sentence(one) for one in self.decision.blockers if one.issue == key)

    def blockers(self, key: str) -> list[Blocker]:
        return [one for one in self.decision.blockers if one.issue == key]


@pytest.fixture
def boards() -> type[Board]:
    return Board


@pytest.fixture
def gina() -> Author:
    return GINA


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def approved(board: Board) -> Board:
    """A board on which turn 1 is given and the tickets are there."""
    board.settle().work()
    board.comments("epic", "approve")
    return board.settle()
