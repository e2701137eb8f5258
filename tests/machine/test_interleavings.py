"""Three hundred random interleavings of everything that people, GitHub, workers and bad luck do to pull requests.

The simulation of the whole service (`make simulate`) goes further; this one is quick to read and to fail.

`Storm` is a Board whose GitHub is seen late or twice, whose runs end in every way or get lost, and whose rounds may
break off half-way. It keeps a truth of its own: which heads people approved by the summary they had before them, and
which heads the service made of those. Whatever happens, nothing else is merged; and once everything calms down, the
epic is done.
"""

import copy
import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.machine.decision import Answer, CleanUp, Dequeue, Enqueue, Merge, Move, Post, Remember, Rerun, StartRun
from bot.machine.facts import Author, RunState
from bot.machine.pull_request import Checks, Ejection, Failure, Mergeable, Merging, Opinion, QueueState, Remark, Review
from bot.machine.stages import Disposition, Stage

ALICE = Author("user-alice", "alice", person=True)
BOB = Author("user-bob", "bob", person=True)
HANDFULS, EACH = 12, 25
ENDS = ("success",) * 8 + ("work_failed", "transport_failed", "needs_input", "blocked", "usage_limit", "stopped")
LANDED = "main"


def storm_of(board_type: type, begun: Any, seed: int) -> Any:
    """A board on which a storm begins, some way after turn 1."""

    class Storm(board_type):  # type: ignore[misc]
        """See the top of this file."""

        def start(self) -> None:
            self.chance = random.Random(seed)
            self.updates = False
            self.late: dict[str, Any] = {}
            self.began: dict[str, str] = {}
            self.generations: dict[str, int] = {}
            self.said_yes: dict[str, frozenset[str]] = {}
            shown = self.issues["epic"].record.shown
            self.summary = frozenset(head[:12] for _, head in shown.heads) if shown else frozenset()
            self.made: dict[str, str] = {}
            self.breaks_off = self.broke_off = False
            self.heads = 0

        # ---- what the service does

        def facts(self) -> Any:
            facts = super().facts()
            tickets = tuple(
                replace(one, pull_request=self.late.get(one.issue.id, one.pull_request)) for one in facts.tickets
            )
            return replace(facts, tickets=tickets)

        def apply(self, action: Any) -> None:
            if self.breaks_off and isinstance(action, Remember):
                self.broke_off = True
                return
            match action:
                case Merge(_, _, number, head) | Enqueue(_, _, number, head) if self.numbered(number).head != head:
                    return  # 409: the head moved
                case Merge(_, _, number, head):
                    if not self.numbered(number).open:
                        return
                    self.allows(number, head)
                    super().apply(action)
                    self.landed(number)
                case Enqueue(_, _, number, head):
                    self.allows(number, head)
                    self.pull(number, queue=QueueState(1, "awaiting_checks"))
                case Dequeue(_, _, number):
                    self.pull(number, queue=None)
                case Answer():
                    self.answered(action)
                case StartRun(issue=issue, generation=generation):
                    assert generation > self.generations.get(issue, 0) or self.broke_off, "a generation twice"
                    self.generations[issue] = generation
                    if self.breaks_off:
                        return
                    super().apply(action)
                case Rerun(_, _, failure):
                    self.rerun(failure)
                case CleanUp(_, _, branch, True):
                    standing = [one for one in self.pulls.values() if one.open and one.base_branch == branch]
                    assert not standing, f"deleting {branch} would close {standing}"
                    super().apply(action)
                case Move(issue, Stage.DONE) if issue != "epic":
                    self.is_on_the_base(issue)
                    super().apply(action)
                case Post(topic="panel"):
                    return
                case Post(_, topic, "summary", values):
                    heads = frozenset(row["head"] for row in values["rows"] if row["stage"] == "merge")
                    new = topic not in {one.topic for one in self.issues[action.issue].comments}
                    super().apply(action)
                    if new:
                        self.summary = heads
                case _:
                    super().apply(action)

        def allows(self, number: int, head: str) -> None:
            """A person who may approved this head, and did not take that back."""
            approved = frozenset[str]().union(*self.said_yes.values())
            line = [head]
            while line[-1] in self.made:
                line.append(self.made[line[-1]])
            assert any(one[:12] in approved for one in line), f"#{number} merges at {head}, which nobody approved"
            issue = next(key for key, one in self.pulls.items() if one.number == number)
            held = {self.issues["epic"].disposition, self.issues[issue].disposition} - {None}
            assert not held, f"#{number} merges although it is {held}"

        def is_on_the_base(self, issue: str) -> None:
            """What is called done was merged there, by itself or with what it was merged into."""
            pull = self.pulls.get(issue)
            while pull is not None and pull.base_branch != LANDED:
                pull = next((one for one in self.pulls.values() if one.head_branch == pull.base_branch), None)
                assert pull is not None, f"{issue} is done, and nothing takes it to the base branch"
                assert pull.merged, f"{issue} is done before the branch that it was merged into"

        def landed(self, number: int) -> None:
            """Others may clash with it now, or nobody knows."""
            for one in list(self.pulls.values()):
                if one.open and one.number != number:
                    guess = self.chance.choice((Mergeable.YES, Mergeable.UNKNOWN, Mergeable.CONFLICT))
                    self.pull(one.number, mergeable=guess, behind=self.chance.random() < 0.2, queue=one.queue)

        def answered(self, answer: Answer) -> None:
            pull = self.numbered(answer.number)
            told = [one.topic for thread in pull.threads for one in thread.remarks if one.ours]
            told += [one.topic for one in pull.conversation if one.ours]
            self.changed = True
            if answer.topic in told:  # GitHub's verb does it once; that it is asked twice is right after bad luck only
                late = any(one.number == answer.number for one in self.late.values()) and answer.words != "answer"
                assert self.broke_off or late, f"{answer.topic} is answered twice"
                return
            super().answer(answer)

        def rerun(self, failure: Failure) -> None:
            key = next((key for key, one in self.pulls.items() if one.head == failure.head and one.open), None)
            if key is None:
                return
            if self.chance.random() < 0.5:
                self.turns(key, Checks.GREEN)
            else:
                self.fails(key, failure.name, attempt=failure.attempt + 1)

        # ---- what happens to runs

        def takes_up(self) -> None:
            for run in self.live():
                if run.state is RunState.QUEUED:
                    self.set_run(run.id, state=RunState.RUNNING, started_at=self.now)
                    self.began[run.id] = self.head(run.issue)

        def ends(self, how: str = "") -> None:
            for run in self.live():
                if run.state is RunState.RUNNING and (how or self.chance.random() < 0.7):
                    self.ends_one(run, how or self.chance.choice(ENDS))

        def ends_one(self, run: Any, how: str) -> None:
            order = next(one for one in self.orders if (one.issue, one.generation) == (run.issue, run.generation))
            result = {**self._result(run), "kind": how}
            before = self.head(run.issue)
            if how != "success":
                result.pop("head", None)
                result.pop("carried", None)
            elif before and before != self.began.get(run.id, before):
                result = {"kind": "transport_failed", "about": dict(order.about)}  # somebody pushed meanwhile
            elif order.prompt == "update" and self.chance.random() < 0.2 and not self.calm:
                result = {"kind": "success", "about": dict(order.about), "head": before, "unchanged": True,
                          "base_at": result["base_at"]}  # fmt: skip
                if self.chance.random() < 0.7:
                    result |= {"conflict": {"paths": ["a.py"], "with": order.base, "commit": "c"}}
            elif order.prompt == "update":
                result |= {"head": self.fresh(), "carried": None}
                result["carried"] = [before, result["head"]]
                if order.base == LANDED:
                    self.made[result["head"]] = before
                key = next(one.number for key, one in self.pulls.items() if key == run.issue)
                self.pull(key, mergeable=Mergeable.YES, behind=False)
            if order.about.get("kind") == "conflict" and result["kind"] == "success":
                self.pull(self.pulls[run.issue].number, mergeable=Mergeable.YES)
            self.end(run, result)
            if result.get("head") not in (None, before) and run.issue in self.pulls:
                self.pull(self.pulls[run.issue].number, queue=None)

        def lost(self) -> None:
            """The engine's database is gone, and every run with it."""
            self.runs.clear()

        # ---- what people and GitHub do

        calm = False

        def fresh(self) -> str:
            self.heads += 1
            return f"{self.heads:012d}-{seed}"

        def head(self, key: str) -> str:
            return self.pulls[key].head if key in self.pulls else ""

        def numbered(self, number: int) -> Any:
            return next(one for one in self.pulls.values() if one.number == number)

        def open_keys(self) -> list[str]:
            return [key for key, one in self.pulls.items() if one.open]

        def pushes(self, key: str, checks: Checks | None = None) -> None:
            pull = self.pulls[key]
            known = Mergeable.YES if checks else self.chance.choice(tuple(Mergeable))
            checks = checks or self.chance.choice((Checks.PENDING, Checks.GREEN, Checks.NONE))
            self.pull(
                pull.number, head=self.fresh(), checks=checks, failing=(), failing_details=(), queue=None,
                mergeable=known,
            )  # fmt: skip

        def right_after_an_approval(self, something: Any) -> None:
            """The unluckiest moment: the approval was heard, and nothing is merged yet."""
            self.approves()
            self.decides()
            something()

        def fails(self, key: str, name: str = "test", **more: Any) -> None:
            pull = self.pulls[key]
            failure = Failure(name, "check_run", pull.head, 7, summary=f"{self.chance.choice('abc')} failed", **more)
            self.pull(pull.number, checks=Checks.RED, failing=(name,), failing_details=(failure,))

        def turns(self, key: str, checks: Checks) -> None:
            self.pull(self.pulls[key].number, checks=checks, failing=(), failing_details=())

        def merges_by_hand(self, key: str) -> None:
            pull = self.pulls[key]
            below = next((one for one in self.pulls.values() if one.open and one.head_branch == pull.base_branch), None)
            self.pull(pull.number, open=False, merged=True, merge_commit=f"merge-{pull.number}", queue=None)
            if below is not None:
                self.pull(below.number, head=self.fresh(), queue=None)
            self.landed(pull.number)

        def rewrites(self, key: str, what: str) -> None:
            """A remark is edited or deleted, or its thread resolved."""
            pull = self.pulls[key]
            if not pull.threads:
                return
            place = self.chance.randrange(len(pull.threads))
            thread = pull.threads[place]
            if what == "resolve":
                thread = replace(thread, resolved=True)
            elif what == "delete":
                thread = replace(thread, remarks=thread.remarks[1:])
            elif thread.remarks and not thread.remarks[0].ours:
                self.now += timedelta(seconds=1)
                edited = replace(thread.remarks[0], body=f"rather {self.heads}", edited_at=self.now)
                thread = replace(thread, remarks=(edited, *thread.remarks[1:]), resolved=False)
            threads = (*pull.threads[:place], thread, *pull.threads[place + 1 :])
            self.pull(pull.number, threads=threads, open_threads=sum(one.open for one in threads))

        def reviews(self, key: str) -> None:
            pull = self.pulls[key]
            self.now += timedelta(seconds=1)
            may = self.chance.random() < 0.7
            state = self.chance.choice((Opinion.CHANGES_REQUESTED, Opinion.COMMENTED, Opinion.APPROVED))
            said = Review(
                f"v{self.now.timestamp()}", "bob" if may else "eve", state, "Handle this", pull.head, self.now,
                person=True, may=may,
            )  # fmt: skip
            asks = ("bob",) if may and state is Opinion.CHANGES_REQUESTED else pull.changes_requested_by
            self.pull(pull.number, reviews=(*pull.reviews, said), changes_requested_by=asks)

        def calls(self, key: str) -> None:
            pull = self.pulls[key]
            self.now += timedelta(seconds=1)
            may = self.chance.random() < 0.5
            body = "@callboard what is this?"
            said = Remark(f"c{self.now.timestamp()}", "bob", body, self.now, person=True, may=may)
            self.pull(pull.number, conversation=(*pull.conversation, said))

        def approves(self, author: Author = ALICE, body: str = "approve") -> None:
            said = self.comments("epic", body, author)
            if author.person:
                self.said_yes[said.id] = self.summary

        def takes_back(self, how: str) -> None:
            yes = [one for one in self.issues["epic"].comments if one.id in self.said_yes]
            if not yes:
                return
            gone = self.chance.choice(yes)
            others = tuple(one for one in self.issues["epic"].comments if one is not gone)
            kept = (replace(gone, edited=True),) if how == "edit" else ()
            self.change("epic", comments=(*others, *kept))
            del self.said_yes[gone.id]

        def queue_goes_on(self) -> None:
            for pull in list(self.pulls.values()):
                if pull.queue is None or not pull.open:
                    continue
                if self.calm or self.chance.random() < 0.6:
                    self.pull(pull.number, open=False, merged=True, merge_commit=f"merge-{pull.number}", queue=None)
                    self.landed(pull.number)
                else:
                    self.now += timedelta(seconds=1)
                    self.pull(pull.number, queue=None, ejected=Ejection("CI_FAILURE", self.now, pull.head))

        def is_seen_late(self) -> None:
            for key in list(self.pulls):
                if key in self.late:
                    del self.late[key]
                elif self.chance.random() < 0.3:
                    self.late[key] = self.pulls[key]

        def happens(self) -> None:
            """One thing, whoever does it."""
            key = self.chance.choice(self.open_keys() or [""])
            ticket = self.chance.choice([one for one in self.issues if one != "epic"])
            anywhere = [
                self.takes_up, self.takes_up, self.takes_up, self.ends, self.ends, self.ends, self.lost,
                self.approves, self.approves, lambda: self.approves(BOB, "merge"), self.queue_goes_on,
                lambda: self.approves(replace(BOB, person=False, guest=True)), self.is_seen_late,
                lambda: self.takes_back("edit"), lambda: self.takes_back("delete"),
                lambda: self.comments("epic", self.chance.choice(("retry", "pause", "resume", "resume", "status"))),
                lambda: self.comments("epic", f"{self.issues[ticket].identifier} should be nicer"),
                lambda: self.comments(ticket, self.chance.choice(("retry", "resume", "make it faster", "approve"))),
                lambda: setattr(self, "breaks_off", True),
                lambda: setattr(self, "now", self.now + timedelta(minutes=self.chance.choice((1, 5, 30)))),
            ]  # fmt: skip
            there = [
                lambda: self.right_after_an_approval(lambda: self.pushes(key, Checks.GREEN)),
                lambda: self.right_after_an_approval(lambda: self.pushes(key, Checks.GREEN)),
                lambda: self.right_after_an_approval(lambda: self.takes_back("delete")),
                lambda: self.right_after_an_approval(lambda: self.comments("epic", "pause")),
                lambda: self.pushes(key), lambda: self.pushes(key), lambda: self.fails(key),
                lambda: self.fails(key, actions_run=5), lambda: self.fails(key, self.chance.choice("xyz")),
                lambda: self.turns(key, Checks.GREEN), lambda: self.turns(key, Checks.GREEN),
                lambda: self.turns(key, Checks.PENDING), lambda: self.reviews(key), lambda: self.calls(key),
                lambda: self.remarks(key, "why?", self.chance.choice(("t1", "t2"))),
                lambda: self.remarks(key, "run this", "t3", "eve", may=False),
                lambda: self.rewrites(key, "edit"), lambda: self.rewrites(key, "delete"),
                lambda: self.rewrites(key, "resolve"), lambda: self.merges_by_hand(key),
                lambda: self.pull(self.pulls[key].number, changes_requested_by=()),
                lambda: self.pull(self.pulls[key].number, mergeable=self.chance.choice(tuple(Mergeable))),
                lambda: self.pull(self.pulls[key].number, behind=True),
                lambda: self.pull(self.pulls[key].number, merging=Merging(queue=True)),
                lambda: self.pull(self.pulls[key].number, open=False, queue=None),
            ]  # fmt: skip
            self.chance.choice(anywhere + there if key else anywhere)()

        def decides(self) -> None:
            self.step()
            self.breaks_off = False
            for issue in self.issues:
                live = [one for one in self.live() if one.issue == issue]
                assert len(live) <= 1, f"{live} on {issue}"

        def rages(self, events: int) -> None:
            for _ in range(events):
                for _ in range(self.chance.choice((1, 1, 2, 3))):  # not every event is told of
                    self.happens()
                self.decides()

        # ---- and then it calms down

        def calms_down(self) -> None:
            """People settle what is open, workers work, checks are green, and alice approves what she is shown."""
            self.calm = True
            self.late.clear()
            for _ in range(80):
                if self.stage("epic") is Stage.DONE:
                    return
                self.settles()
                self.takes_up()
                self.ends("success")
                self.queue_goes_on()
                self.now += timedelta(minutes=1)
                for _ in range(2):
                    self.decides()
                stands = self.stage("epic") is Stage.CODE_REVIEW and not self.live()
                if stands and any(one.reason == "turn_3" for one in self.blockers("epic")):
                    self.approves()
                    self.decides()
            raise AssertionError(f"never done: {self.stages()}; {[(one.issue, one) for one in self.decision.blockers]}")

        def settles(self) -> None:
            for issue, one in list(self.issues.items()):
                if one.disposition is not None:
                    word = "resume" if one.disposition is Disposition.PAUSED else "retry"
                    self.comments(issue, word)
            for blocker in self.decision.blockers:
                if blocker.reason == "merged_elsewhere":  # somebody takes it to the base by hand, and says so
                    self.pull(self.pulls[blocker.issue].number, base_branch=LANDED)
                    self.moves(blocker.issue, Stage.DONE)
            for pull in list(self.pulls.values()):
                if pull.merged:
                    continue
                threads = tuple(replace(one, resolved=True) for one in pull.threads)
                known = pull.mergeable if pull.mergeable is Mergeable.CONFLICT else Mergeable.YES
                self.pull(
                    pull.number, open=True, checks=Checks.GREEN, failing=(), failing_details=(), mergeable=known,
                    threads=threads, open_threads=0, changes_requested_by=(),
                )  # fmt: skip

    storm = Storm()
    for name, value in vars(begun).items():
        setattr(storm, name, copy.copy(value))
    storm.runs = {issue: list(runs) for issue, runs in begun.runs.items()}
    storm.document = None  # that it stays as approved is told elsewhere; reading it is slow
    storm.start()
    return storm


@pytest.fixture(scope="module")
def beginnings() -> list[Any]:
    """The same epic, each time a little further; the first storm fills it."""
    return []


def begin(board_type: type, rounds: int) -> Any:
    board = board_type()
    board.settle().work()
    board.comments("epic", "approve")
    board.settle()
    return board.work(rounds)


@pytest.mark.parametrize("first", range(0, HANDFULS * EACH, EACH))
def test_only_what_was_approved_is_merged_and_in_the_end_all_of_it(boards, beginnings, first):
    if not beginnings:
        beginnings.extend(begin(boards, rounds) for rounds in (2, 3, 5, 12))
    for seed in range(first, first + EACH):
        storm = storm_of(boards, beginnings[seed % len(beginnings)], seed)
        try:
            storm.rages(16)
            storm.calms_down()
        except AssertionError as error:
            error.add_note(f"seed {seed}")
            raise
