"""One run of the implementation loop: the service's own steps, and at most one step of an agent.

The branch is read, the next step is asked for and done, and what it came to is pushed before the next one: first to the
ref of the work in hand, at the end of a phase to the branch. So a run that is killed loses one step, and whoever comes
next goes on from there. The run ends before a second agent would begin, so that budget, pause and people's words are
looked at between any two.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from bot.git.bundle import Bars, Rejected
from bot.git.mirror import Mirror, Pushed
from bot.machine import loop, plan, protected
from bot.machine.errors import Transient
from bot.machine.progress import (
    AFTER,
    AGENT_STEPS,
    EXITS,
    Asked,
    Failed,
    Kind,
    Outcome,
    Receipt,
    Reviewed,
    Step,
    Verified,
    Written,
)
from bot.runs import branch
from bot.runs.branch import Standing
from bot.runs.contract import Ending, RunResult, RunSpec
from bot.runs.runner import Handover
from bot.runs.settings import take_bundle

_PASSED_ON = frozenset({Ending.TRANSPORT_FAILED, Ending.USAGE_LIMIT, Ending.OUT_OF_BUDGET, Ending.STOPPED})
"""Ends of a run that are not about the work: the loop stays where it is."""


_LARGEST_PLAN = 512_000
"""Bytes of a plan file as an agent left it; ticks in a larger one are not looked for."""


@dataclass(frozen=True)
class Rules:
    """What the policy says about the loop. `resume`: a person had a say since it stood still."""

    max_retries: int = 3
    verify_all: bool = False
    resume: bool = False
    skipped: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Hands:
    """What the loop can do to the world. `may_push` is asked before every push; `token` is one for this moment."""

    run_agent: Callable[[RunSpec, str], Awaitable[Handover]]
    """Run an agent in a fresh checkout of a commit."""
    verify: Callable[[tuple[str, ...], str], Awaitable[tuple[Receipt, ...]]]
    """Run commands in a fresh checkout of a commit."""
    may_push: Callable[[], Awaitable[bool]]
    token: Callable[[], Awaitable[str | None]]
    tell: Callable[[str], None] = lambda _text: None


class NotMine(Exception):  # noqa: N818
    """The run was taken away: nothing more may be pushed."""


@dataclass
class Implementation:
    """The loop of one ticket's plan, for as long as one run lasts. `old` is where the branch is on the other side."""

    mirror: Mirror
    place: branch.Place
    spec: RunSpec
    rules: Rules
    hands: Hands
    old: str | None
    trunk: str
    bars: Bars
    """The commit that agent settings come from."""
    agent: RunResult | None = None
    """What the run's agent came to."""
    told: bool = False
    """Whether what people said reached somebody who acted upon it."""

    async def go_on(self, standing: Standing) -> Mapping[str, Any]:
        """Do what can be done with at most one agent; the result is plain JSON.

        Raises:
            NotMine: the run was taken away.
            Transient: somebody pushed meanwhile, or git failed for a reason outside.
        """
        rules, given_up = self.rules, list(standing.given_up)
        progress = replace(
            standing.progress, max_retries=rules.max_retries, verify_all=rules.verify_all, skipped=rules.skipped
        )
        step = loop.next_step(loop.resume(progress) if rules.resume else progress)
        while step.kind not in EXITS and not (step.kind in AGENT_STEPS and self.agent):
            self.hands.tell(f"{step.name}: {step.kind}")
            standing = replace(standing, progress=step.progress)
            done = await self._do(step, standing)
            if done is None:
                break
            step, standing = done
        result = self._result(step, standing) | ({"given_up": given_up} if given_up else {})
        if step.kind is Kind.COMPLETED and result["kind"] == "success":
            result["completed"] = await self._completed(standing)
        return result

    async def _do(self, step: Step, standing: Standing) -> tuple[Step, Standing] | None:
        """Do one step and keep what it came to; None when it ended for a reason that is not about the work."""
        if step.kind is Kind.COMMIT:
            standing = await branch.commit(self.mirror, self.place, standing, self.spec.run_id)
            await self._push(standing.tip)
            after = loop.next_step(standing.progress)
            return after, await self._keep(replace(standing, progress=after.progress))
        outcome: Outcome
        if step.kind is Kind.VERIFY:
            standing, outcome = await self._verify(step, standing)
        else:
            handed = await self.hands.run_agent(self._spec(step, standing), standing.files)
            self.agent = handed.result
            if handed.result.kind in _PASSED_ON:
                return None
            standing, outcome = await self._take_over(step, standing, handed)
        after = loop.next_step(standing.progress, outcome)
        return after, await self._keep(replace(standing, progress=after.progress))

    async def _verify(self, step: Step, standing: Standing) -> tuple[Standing, Verified]:
        receipts = tuple(
            replace(one, phase=step.phase) for one in await self.hands.verify(step.commands, standing.files)
        )
        passed = {one.command for one in receipts if one.passed}
        text = standing.text
        if step.phase != AFTER:
            items = standing.progress.plan.phase(step.phase).unticked
            text = plan.tick(text, (item for item in items if item.command in passed))
        return replace(standing, text=text), Verified(plan.read(text), receipts)

    async def _take_over(self, step: Step, standing: Standing, handed: Handover) -> tuple[Standing, Outcome]:
        """What an agent left, and what its outcome means for the loop."""
        result, outcome = handed.result, handed.result.outcome or {}
        if step.kind is Kind.REVIEW:
            if result.kind is not Ending.SUCCESS:
                return standing, Failed(standing.progress.plan, result.error or result.summary)
            blockers = tuple(outcome.get("blockers") or ())
            refused = outcome.get("verdict") == "blockers" and not blockers
            return standing, Reviewed((str(outcome.get("summary")),) if refused else blockers)
        standing, changed, ticked, objection = await self._files(step, standing, handed)
        now = standing.progress.plan
        if objection:
            return standing, Failed(now, objection)
        if result.kind is Ending.SUCCESS:
            self.told = True
            return standing, Written(now, result.summary, changed, ticked)
        if result.kind is Ending.NEEDS_INPUT:
            self.told = True
            question = str(outcome.get("question") or result.error or result.summary)
            return standing, Asked(now, question, tuple(outcome.get("options") or ()), changed, ticked)
        return standing, Failed(now, result.error or result.summary, changed, ticked)

    async def _files(
        self, step: Step, standing: Standing, handed: Handover
    ) -> tuple[Standing, bool, tuple[str, ...], str]:
        """The files an agent handed over, whether they differ, which commands it ticked, and why they are refused."""
        if handed.bundle is None:
            return standing, False, (), ""
        imported = await take_bundle(
            self.mirror, handed.bundle, self.spec.run_id, standing.files, self.trunk, bars=self.bars
        )
        if isinstance(imported, Rejected):
            return standing, False, (), f"its commits were refused: {'; '.join(imported.reasons)}"
        theirs = await self.mirror.read(imported.commit, self.place.plan_path) or b""
        seen = branch.as_text(theirs) if len(theirs) <= _LARGEST_PLAN else ""
        text, items = plan.take_ticks(standing.text, seen, step.phase)
        changed = any(path != self.place.plan_path for path in imported.files)
        progress = replace(standing.progress, plan=plan.read(text))
        standing = replace(standing, text=text, files=imported.commit, progress=progress)
        return standing, changed, tuple(item.command for item in items), ""

    async def _keep(self, standing: Standing) -> Standing:
        """Push what the loop must remember."""
        kept = await branch.keep(self.mirror, self.place, standing)
        await self._check()
        pushed = await self.mirror.push_work(self.place.branch, kept, standing.kept, await self.hands.token())
        if pushed is Pushed.MOVED:
            raise Transient(f"the work in hand of {self.place.branch} was changed by somebody else")
        return replace(standing, files=kept, kept=kept)

    async def _push(self, head: str) -> None:
        await self._check()
        pushed = await self.mirror.push(self.place.branch, head, self.old, await self.hands.token())
        if pushed is Pushed.MOVED:
            raise Transient(f"somebody pushed to {self.place.branch} meanwhile; the work goes on on top of that")
        self.old = head

    async def _check(self) -> None:
        if not await self.hands.may_push():
            raise NotMine

    def _spec(self, step: Step, standing: Standing) -> RunSpec:
        work = standing.progress.work
        assert work is not None
        variables = {
            **self.spec.variables,
            "plan": standing.text.encode("utf-8", "replace").decode(),
            "plan_path": self.place.plan_path,
            "phase": "" if step.phase == AFTER else step.name.removeprefix("phase "),
            "findings": list(step.findings),
            "base_commit": standing.tip,
        }
        update = {"prompt": str(step.kind), "attempt": work.attempt, "scope": step.name, "variables": variables}
        return self.spec.model_copy(update=update)

    def _result(self, step: Step, standing: Standing) -> dict[str, Any]:
        ended = self.agent or RunResult(kind=Ending.SUCCESS)
        result = ended.model_dump(mode="json")
        if ended.kind in _PASSED_ON:
            return result | {"told": False}
        work = step.progress.work
        result |= {
            "kind": "success",
            "error": "",
            "head": standing.tip,
            "told": self.told,
            "loop": {
                "at": step.name,
                "next": str(step.kind),
                "attempt": work.attempt if work else 0,
                "phases": [asdict(one) for one in step.progress.done],
            },
        }
        if step.kind is Kind.NEEDS_INPUT and work is not None:
            result |= {"kind": "needs_input", "outcome": {"question": work.question, "options": list(work.options)}}
        if step.kind is Kind.BLOCKED and work is not None:
            error = "\n\n".join(step.findings)
            result |= {
                "kind": str(Ending.BLOCKED),
                "error": error,
                "attempts": work.attempt - 1,
                "tried": list(work.tried),
            }
        return result

    async def _completed(self, standing: Standing) -> dict[str, Any]:
        """What a finished plan leaves for people: receipts, what only the worker verified, what a person should try."""
        progress, phases = standing.progress, standing.progress.plan.phases
        ran = {receipt.command for receipt in progress.receipts if receipt.passed}
        ticked = dict.fromkeys(item.command for phase in phases for item in phase.automated if item.ticked)
        base = self.place.base or standing.tip
        paths = await self.mirror.differing(base, standing.tip)
        summaries = [f"{one.name}: {one.summary}" if len(phases) > 1 else one.summary for one in progress.done]
        return {
            "summary": "\n\n".join(summaries),
            "receipts": [asdict(one) for one in progress.receipts],
            "verified": list(ticked),
            "by_worker": [command for command in ticked if command not in ran],
            "manual": [f"{phase.name}: {item.label}" for phase in phases for item in phase.manual],
            "protected": list(protected.among(paths, self.bars.protected)),
        }
