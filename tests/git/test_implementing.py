"""The implementation loop over real git: what an agent does, what stays, and how a later start goes on."""

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.git.bundle import bundle_command
from bot.git.commit import Author
from bot.machine.plan import read
from bot.machine.progress import Receipt
from bot.runs.contract import Ending, RunResult, RunSpec, judge
from bot.runs.runner import Handover
from bot.runs.worker import Access, LoopOrder, Worker, WorkOrder

BOT = Author("callboard[bot]", "1+callboard[bot]@users.noreply.github.com")
PATH = "thoughts/shared/plans/plan.md"
PLAN = """# Plan: a parser

## Phase 1: Add the lexer

Words.

#### Automated Verification:
- [ ] Lexer tests pass: `test -f lexer.py`
- [ ] Style: `make lint`

## Phase 2: Add the parser

#### Automated Verification:
- [ ] Parser tests pass: `test -f parser.py`

#### Manual Verification:
- [ ] It feels quick
"""


class Killed(BaseException):
    """The process died here."""


@dataclass
class Does:
    """What one run of an agent does."""

    files: dict = field(default_factory=dict)
    ticks: tuple = ()
    outcome: dict | None = field(default_factory=lambda: {"status": "success", "summary": "did it"})
    then: object = None
    commits: int = 1


@dataclass
class Lab:
    """A worker with a scripted agent and scripted commands, over a real remote."""

    shell: object
    remote: object
    tmp_path: Path
    token: str
    script: dict = field(default_factory=dict)
    failing: list = field(default_factory=list)
    """Commands that fail the next time they run."""
    needs: dict = field(default_factory=dict)
    """The file that a command needs to pass."""
    ran: list = field(default_factory=list)
    specs: list = field(default_factory=list)
    results: list = field(default_factory=list)
    orders: int = 0
    rules: dict = field(default_factory=dict)
    mine: bool = True
    service: Worker | None = None
    on_verify: object = None

    async def run(self, spec, *, tree, mirror, base_commit):
        self.specs.append(spec)
        phase = re.match(r"\d+", spec.variables.get("phase") or "0")[0]
        steps = self.script.get(f"{spec.prompt} {phase}") or self.script.get(spec.prompt) or [Does()]
        does = steps.pop(0) if len(steps) > 1 else steps[0]
        for name, content in does.files.items():
            path = tree / name
            if content is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content)
        for label in does.ticks:
            plan = tree / PATH
            plan.write_text(plan.read_text().replace(f"- [ ] {label}", f"- [x] {label}"))
        if does.then:
            does.then(tree)
        bundle = self.tmp_path / f"{spec.run_id}.bundle"
        for number in range(does.commits):
            self.shell("git", "add", "-A", cwd=tree)
            if self.shell("git", "status", "--porcelain", cwd=tree):
                self.shell("git", "commit", "-q", "-m", f"agent {number}", cwd=tree)
        if self.shell("git", "rev-parse", "HEAD", cwd=tree) != base_commit:
            self.shell(*bundle_command(base_commit, str(bundle)), cwd=tree)
        result = judge(spec.prompt, does.outcome) if isinstance(does.outcome, dict | None) else does.outcome
        return Handover(result.model_copy(update={"cost_usd": 1.0}), bundle if bundle.exists() else None)

    async def verify(self, commands, run_id, *, tree, mirror, minutes):
        if self.on_verify:
            self.on_verify()
        self.ran += commands
        return tuple(
            Receipt(0, one, int(self._fails(one, tree)), 0.5, "exited", f"output of {one}") for one in commands
        )

    def _fails(self, command, tree):
        if command in self.needs:
            return not (tree / self.needs[command]).exists()
        if command in self.failing:
            self.failing.remove(command)
            return True
        return False

    async def access(self, _name):
        return Access(self.remote.url, "https://github/acme/youlab", self.token, BOT)

    async def still_mine(self):
        return self.mine

    def worker(self):
        """The worker; after a kill one that remembers nothing: no mirror, no checkout."""
        if self.service is None:
            self.service = Worker(
                self.tmp_path / f"worker-{self.orders}", access=self.access, runner=self, key="the key"
            )
        return self.service

    def order(self, prompt, **more):
        self.orders += 1
        spec = RunSpec(run_id=f"run-{self.orders}", prompt=prompt, task_id="YOU-2", stage="dev", title="A parser")
        return WorkOrder(
            run=spec,
            repository="acme/youlab",
            branch="agent/YOU-2",
            base="main",
            plan_path=PATH,
            ordered_at=datetime(2026, 11, 21, 0, 0, self.orders, tzinfo=UTC),
            **more,
        )

    async def once(self, **more):
        order = self.order("implement", loop=LoopOrder(**{**self.rules, **more}))
        result = await self.worker().work(order, self)
        self.results.append(result)
        return result

    async def goes_on(self, most=20, **more):
        """As the service does: a run after the other until the loop ends."""
        for _ in range(most):
            result = await self.once(**more)
            more.pop("resume", None)
            if result["kind"] != "success" or "completed" in result:
                return result
        raise AssertionError(f"never ended: {[one.get('loop') for one in self.results]}")

    def log(self, form="%s"):
        return self.remote.git("log", "--reverse", f"--format={form}", "main..agent/YOU-2").splitlines()

    def plan(self):
        return self.remote.git("show", f"agent/YOU-2:{PATH}")

    def prompts(self):
        return [f"{spec.prompt} {spec.variables['phase'][:1]}" for spec in self.specs]


REVIEW = {"verdict": "approved", "summary": "fine", "blockers": []}


@pytest.fixture
def lab(shell, remote, tmp_path, token):
    remote.commit({PATH: PLAN}, branch="agent/YOU-2", message="YOU-2: plan")
    one = Lab(shell, remote, tmp_path, token)
    one.script = {
        "implement 1": [Does({"lexer.py": "1\n"}, ("Lexer tests",))],
        "implement 2": [Does({"parser.py": "2\n"})],
        "review": [Does(outcome=REVIEW, commits=0)],
        "fix": [Does({"fixed.py": "1\n"})],
    }
    return one


async def test_all_green_at_once_is_one_commit_per_phase_and_only_unticked_commands_run(lab):
    result = await lab.goes_on()
    assert lab.prompts() == ["implement 1", "review 1", "implement 2", "review 2"]
    assert lab.ran == ["make lint", "test -f parser.py"]
    assert lab.log() == ["YOU-2: plan", "Phase 1: Add the lexer", "Phase 2: Add the parser"]
    assert lab.log("%an")[1:] == ["callboard[bot]", "callboard[bot]"]
    assert all(not phase.unticked for phase in read(lab.plan()).phases)
    assert "Phase 1: `make lint` was run by the service and passed." in lab.plan()
    assert "Phase 1: `test -f lexer.py` was ticked by the worker." in lab.plan()
    done = result["completed"]
    assert [(one["command"], one["code"]) for one in done["receipts"]] == [("make lint", 0), ("test -f parser.py", 0)]
    assert done["receipts"][0]["commit"] == lab.log("%H")[1]
    assert done["by_worker"] == ["test -f lexer.py"]
    assert done["manual"] == ["Add the parser: It feels quick"]
    body = lab.remote.git("log", "-1", "--format=%B", "agent/YOU-2")
    assert "Callboard-Phase: 2" in body
    assert "Callboard-Attempt: 1" in body
    assert f"Callboard-Plan: {read(PLAN).digest[:16]}" in body


async def test_a_failing_command_is_fixed_on_the_second_attempt_and_only_it_runs_again(lab):
    lab.failing = ["make lint"]
    result = await lab.goes_on()
    assert lab.prompts()[:3] == ["implement 1", "fix 1", "review 1"]
    assert lab.ran[:2] == ["make lint", "make lint"]
    finding = lab.specs[1].variables["findings"][0]
    assert "`make lint` failed (exit code 1)" in finding
    assert "output of make lint" in finding
    assert [one["attempts"] for one in result["loop"]["phases"]] == [2, 1]
    assert lab.remote.git("show", "agent/YOU-2~1:fixed.py") == "1"
    assert result["completed"]["receipts"][0]["commit"] == ""


async def test_blockers_of_a_review_are_fixed_and_reviewed_again(lab):
    lab.script["review 2"] = [
        Does(outcome={"verdict": "blockers", "summary": "no", "blockers": ["parser.py:1 crashes"]}),
        Does(outcome=REVIEW),
    ]
    result = await lab.goes_on()
    assert lab.prompts()[2:] == ["implement 2", "review 2", "fix 2", "review 2"]
    assert lab.specs[4].variables["findings"] == ["parser.py:1 crashes"]
    assert [one["attempts"] for one in result["loop"]["phases"]] == [1, 2]


async def test_retries_used_up_is_blocked_with_what_was_tried_and_a_retry_goes_on_from_there(lab):
    lab.failing = ["make lint"] * 3
    lab.rules = {"max_retries": 2}
    result = await lab.goes_on()
    assert result["kind"] == "blocked"
    assert result["attempts"] == 3
    assert len(result["tried"]) == 3
    assert "make lint" in result["error"]
    again = await lab.once()
    assert again["kind"] == "blocked", "without a person's word nothing is tried again"
    assert len(lab.specs) == 3
    ended = await lab.goes_on(resume=True)
    assert "completed" in ended
    assert lab.prompts().count("implement 1") == 1, "what is done is not done again"
    assert lab.prompts()[3] == "fix 1"


async def test_a_question_keeps_what_stands_and_the_answer_goes_on_from_there(lab):
    asks = {"status": "needs_input", "summary": "?", "question": "Which grammar?", "options": ["LL", "LR"]}
    lab.script["implement 1"] = [Does({"half.py": "1\n"}, outcome=asks), Does({"lexer.py": "1\n"})]
    result = await lab.goes_on()
    assert (result["kind"], result["outcome"]["question"]) == ("needs_input", "Which grammar?")
    assert lab.log() == ["YOU-2: plan"]
    await lab.goes_on(resume=True)
    assert lab.remote.git("show", "agent/YOU-2~1:half.py") == "1"


async def test_a_phase_with_nothing_to_change_is_committed_and_not_failed(lab):
    lab.script["implement 2"] = [Does({}, ("Parser tests",), commits=0)]
    lab.script["implement 2"][0].ticks = ()
    result = await lab.goes_on()
    assert lab.log()[-1] == "Phase 2: Add the parser"
    assert result["loop"]["phases"][1]["attempts"] == 1


@pytest.mark.parametrize("commits", [0, 5])
async def test_one_commit_per_phase_even_when_the_agent_made_five_or_none(lab, commits):
    lab.script["implement 1"] = [Does({"lexer.py": "1\n"}, commits=max(commits, 1))]
    await lab.goes_on()
    assert lab.log() == ["YOU-2: plan", "Phase 1: Add the lexer", "Phase 2: Add the parser"]


async def test_an_agent_that_edits_other_phases_of_the_plan_changes_nothing_there(lab):
    def edits(tree):
        plan = tree / PATH
        text = plan.read_text().replace("test -f parser.py", "true").replace("- [ ] Parser", "- [x] Parser")
        plan.write_text(text.replace("- [ ] It feels", "- [x] It feels").replace("make lint", "true"))

    lab.script["implement 1"] = [Does({"lexer.py": "1\n"}, then=edits)]
    await lab.goes_on()
    assert lab.ran == ["test -f lexer.py", "make lint", "test -f parser.py"]
    assert "- [ ] It feels quick" in lab.plan()


async def test_an_agent_that_deletes_the_plan_changes_nothing_there(lab):
    lab.script["implement 1"] = [Does({"lexer.py": "1\n", PATH: None})]
    await lab.goes_on()
    assert read(lab.plan()).digest == read(PLAN).digest
    assert "test -f lexer.py" in lab.ran


async def test_a_tick_that_was_not_earned_is_found_where_everything_is_verified_once_more(lab):
    lab.rules = {"verify_all": True}
    lab.failing = []
    lab.script["implement 1"] = [Does({"lexer.py": "1\n"}, ("Lexer tests", "Style"))]

    def lies():
        if lab.specs[-1].prompt == "review" and lab.prompts()[-1] == "review 2":
            lab.failing = ["make lint"]

    lab.on_verify = lies
    result = await lab.goes_on()
    assert lab.prompts()[-2:] == ["fix ", "review "]
    assert lab.log()[-1] == "YOU-2: repairs after everything was verified once more"
    assert lab.ran[-3:] == ["test -f lexer.py", "make lint", "test -f parser.py"]
    assert result["completed"]["by_worker"] == []


async def test_what_a_person_wishes_after_the_last_phase_is_one_more_commit_and_done_once(lab):
    await lab.goes_on()
    lab.script["fix"] = [Does({"wish.py": "1\n"})]
    first = await lab.once(wishes=("comment-1",))
    assert first["told"] is True
    result = await lab.goes_on()
    assert lab.log()[-1] == "YOU-2: what was asked for after the last phase"
    assert lab.prompts()[-2:] == ["fix ", "review "]
    assert "completed" in result
    before = len(lab.specs)
    await lab.goes_on(wishes=("comment-1",))
    assert len(lab.specs) == before


async def test_commits_that_are_refused_are_an_attempt_that_failed(lab):
    lab.script["implement 1"] = [
        Does({"lexer.py": "1\n"}, then=lambda tree: (tree / "passwd").symlink_to("/etc/passwd")),
        Does({"lexer.py": "1\n"}),
    ]
    await lab.goes_on()
    assert "passwd is a symbolic link" in lab.specs[1].variables["findings"][0]
    assert lab.prompts()[:2] == ["implement 1", "implement 1"]


async def test_a_transport_that_failed_leaves_the_loop_where_it_is_and_its_cost_is_owed(lab):
    lab.script["implement 1"].insert(0, Does(outcome=RunResult(kind=Ending.TRANSPORT_FAILED, error="502")))
    first = await lab.once()
    assert (first["kind"], first["cost_usd"]) == ("transport_failed", 1.0)
    result = await lab.goes_on()
    assert [one["attempts"] for one in result["loop"]["phases"]] == [1, 1]


async def test_a_run_that_was_taken_away_pushes_nothing(lab):
    lab.script["implement 1"][0].then = lambda _tree: setattr(lab, "mine", False)
    result = await lab.once()
    assert (result["kind"], result["cost_usd"]) == ("stopped", 1.0)
    assert lab.log() == ["YOU-2: plan"]
    assert lab.remote.git("for-each-ref", "refs/callboard") == ""


async def test_a_person_who_pushes_in_the_middle_loses_nothing_and_the_work_goes_on_on_top(lab):
    await lab.once()
    lab.remote.commit({"theirs.py": "3\n"}, branch="agent/YOU-2", message="by hand")
    result = await lab.goes_on()
    assert lab.prompts().count("implement 1") == 1
    assert lab.log() == ["YOU-2: plan", "by hand", "Phase 1: Add the lexer", "Phase 2: Add the parser"]
    assert lab.remote.git("show", "agent/YOU-2:lexer.py") == "1"
    assert "completed" in result


@pytest.mark.parametrize("how", ["rebased", "merged"])
async def test_the_work_in_hand_follows_a_branch_that_is_brought_up_to_date(lab, how):
    tip, begun = lab.remote.git("rev-parse", "agent/YOU-2"), lab.remote.git("rev-parse", "main")
    if how == "rebased":
        ours = {"GIT_COMMITTER_NAME": BOT.name, "GIT_COMMITTER_EMAIL": BOT.email}
        lab.shell("git", "commit", "-q", "--amend", "--no-edit", cwd=lab.remote.work, **ours)
        tip = lab.shell("git", "rev-parse", "HEAD", cwd=lab.remote.work)
        lab.shell("git", "push", "-q", "-f", str(lab.remote.bare), "agent/YOU-2", cwd=lab.remote.work)
    await lab.once()
    moved = lab.remote.add({"README.md": "# Better\n"})
    updated = await lab.worker().work(lab.order("update", head=tip, upstream=begun), lab)
    assert updated["carried"][0] == tip
    assert (lab.log()[-1] == "YOU-2: plan") is (how == "rebased")
    result = await lab.goes_on()
    assert lab.prompts().count("implement 1") == 1
    assert lab.remote.git("show", "agent/YOU-2:lexer.py") == "1"
    assert lab.remote.git("show", "agent/YOU-2:README.md") == "# Better"
    assert (result["base_at"], "completed" in result) == (moved, True)


async def test_work_in_hand_that_clashes_with_a_persons_push_is_begun_anew_and_said(lab):
    await lab.once()
    lab.remote.commit({"lexer.py": "by hand\n"}, branch="agent/YOU-2", message="by hand")
    lab.script["implement 1"] = [Does({"more.py": "1\n"})]
    result = await lab.once()
    assert result["given_up"] == ["lexer.py"]
    await lab.goes_on()
    assert lab.prompts().count("implement 1") == 2, "nothing of it is taken for done"
    assert lab.remote.git("show", "agent/YOU-2:lexer.py") == "by hand"
    assert lab.remote.git("show", "agent/YOU-2:more.py") == "1"


async def test_a_person_who_mends_a_command_of_the_plan_keeps_what_was_done(lab):
    lab.failing = ["make lint"] * 4
    await lab.goes_on()
    lab.remote.commit({PATH: PLAN.replace("make lint", "make style")}, branch="agent/YOU-2", message="mend the plan")
    await lab.goes_on(resume=True)
    assert lab.ran[-2:] == ["make style", "test -f parser.py"]
    assert lab.remote.git("show", "agent/YOU-2:fixed.py") == "1"


async def test_a_plan_that_is_missing_or_cannot_be_run_is_a_question(lab):
    lab.remote.commit({PATH: "# nothing\n"}, branch="agent/YOU-2", message="broken")
    result = await lab.once()
    assert result["kind"] == "needs_input"
    assert "can't be run" in result["outcome"]["question"]
    assert lab.specs == []


async def test_an_agent_cannot_write_trailers_of_ours(lab):
    lies = (
        "Done.\n\nCallboard-Ticket: YOU-2\nCallboard-Phase: 2\nCallboard-Phase-Text: "
        + read(PLAN).phases[1].digest[:16]
    )
    lab.script["implement 1"] = [Does({"lexer.py": "1\n"}, outcome={"status": "success", "summary": lies})]
    await lab.goes_on()
    assert lab.prompts() == ["implement 1", "review 1", "implement 2", "review 2"]


STEPS = ["run", "verify", "push_work", "push"]


@pytest.mark.parametrize("place", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_in_each_step_and_resumed_nothing_is_committed_or_ticked_twice(lab, monkeypatch, place, when):
    from bot.git.mirror import Mirror

    owner = lab if place in ("run", "verify") else Mirror
    original = getattr(owner, place)
    calls = 0

    async def dies(*arguments, **named):
        """Every time this is done, the process dies at it once."""
        nonlocal calls
        calls += 1
        dies_now = calls % 2 == 1
        if dies_now and when == "before":
            raise Killed
        result = await original(*arguments, **named)
        if dies_now and when == "after":
            raise Killed
        return result

    lab.needs = {"make lint": "fixed.py"}
    if owner is lab:
        lab.run, lab.verify = (dies, lab.verify) if place == "run" else (lab.run, dies)
    else:
        monkeypatch.setattr(Mirror, place, dies)
    kills = 0
    while True:
        try:
            result = await lab.goes_on()
        except Killed:
            kills += 1
            lab.service = None
            continue
        break
    assert kills
    assert lab.log() == ["YOU-2: plan", "Phase 1: Add the lexer", "Phase 2: Add the parser"]
    assert [one["attempts"] for one in result["loop"]["phases"]] == [2, 1], "attempts are remembered"
    ticked = [one["command"] for one in result["completed"]["receipts"] if one["code"] == 0]
    assert len(ticked) == len(set(ticked)), "no ticked command was run again"


async def test_stopping_the_service_in_the_middle_of_an_agent_loses_that_step_only(lab):
    await lab.once()
    started = asyncio.Event()

    async def hangs(*_arguments, **_named):
        started.set()
        await asyncio.sleep(60)

    work, lab.run = lab.run, hangs
    task = asyncio.create_task(lab.once())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    lab.run = work
    await lab.goes_on()
    assert lab.prompts() == ["implement 1", "review 1", "implement 2", "review 2"]


async def test_a_ticket_that_has_no_plan_at_all_is_a_question(lab, monkeypatch):
    monkeypatch.setitem(globals(), "PATH", "")
    result = await lab.once()
    assert result["kind"] == "needs_input"
    assert "There is no plan" in result["outcome"]["question"]


def forged(lab, message, *, files="main"):
    """Somebody who may push writes what the service keeps of unfinished work."""
    ref, tip = "refs/callboard/unfinished/agent/YOU-2", lab.remote.git("rev-parse", "agent/YOU-2")
    commit = lab.remote.git("commit-tree", f"{files}^{{tree}}", "-p", tip, "-m", message)
    lab.remote.git("update-ref", ref, commit)
    return commit


@pytest.mark.parametrize("what", ["written by somebody", "other files under our words", "our words of another key"])
async def test_unfinished_work_that_the_service_did_not_write_is_not_believed_and_a_person_is_asked(lab, what):
    await lab.once()
    ref = "refs/callboard/unfinished/agent/YOU-2"
    ours = lab.remote.git("log", "-1", "--format=%B", ref)
    believed = lab.remote.git("log", "-1", "--format=%b", ref)
    assert "Callboard-Proof: " in believed
    if what == "other files under our words":
        forged(lab, ours)
    elif what == "our words of another key":
        proof = believed.rpartition("Callboard-Proof: ")[2].strip()
        forged(lab, ours.replace(proof, "0" * 64), files=ref)
    else:
        forged(lab, f"YOU-2: phase 1\n\n{ours.splitlines()[2]}", files=ref)
    lab.service, ran = None, len(lab.specs)
    result = await lab.once()
    assert result["kind"] == "needs_input"
    assert "not signed with this service's key" in result["outcome"]["question"]
    assert len(lab.specs) == ran, "an agent was started on it"
    assert (await lab.once())["kind"] == "needs_input", "asked until a person had a say"
    result = await lab.goes_on(resume=True)
    assert result["kind"] == "success"
    assert lab.log() == ["YOU-2: plan", "Phase 1: Add the lexer", "Phase 2: Add the parser"]
    assert lab.prompts()[ran] == "implement 1", "it begins from what is committed"
