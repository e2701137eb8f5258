"""What an agent of the story makes of its work: files in the git of the world, and what it says of them.

Outcomes are judged by the real contract.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bot.machine.breakdown import DOCUMENTATION
from bot.machine.plan import read as read_plan
from bot.runs.contract import WRITERS, Ending, judge
from bot.runs.order import asks, ended, nothing_new
from bot.runs.worker import WorkOrder
from tests.simulation.setting import PROTECTED

if TYPE_CHECKING:
    from tests.simulation.world import World

PHASE = """## Phase {number}: Part {number}

#### Automated Verification:
- [ ] Tests pass: `make test`

"""
_AT = {"at": "phase 1 of 1: Part 1", "next": "commit", "attempt": 1, "phases": []}


@dataclass
class Begun:
    """Where a run stands when it begins: the commit that it builds on, the old tip of its branch, and its base."""

    commit: str
    old: str | None
    base: str


def untold(prompt: str) -> dict[str, Any]:
    """That an implementation did not get as far as to say how it went."""
    return {"told": False} if prompt == "implement" else {}


class Results:
    """What runs come to."""

    def __init__(self, world: "World") -> None:
        self.world = world

    def result(
        self, order: WorkOrder, begun: Begun, how: str, made_by: tuple[str, int], chance: random.Random
    ) -> dict[str, Any]:
        prompt = order.run.prompt
        if prompt == "update":
            return self._updates(order, begun, made_by)
        match how:
            case "transport":
                return ended(Ending.TRANSPORT_FAILED, "the model can't be reached") | untold(prompt)
            case "limit":
                resets = self.world.later(minutes=40).isoformat()
                return ended(Ending.USAGE_LIMIT, "the limit is reached") | {"resets_at": resets} | untold(prompt)
            case "fails" | "hangs":
                return ended(Ending.WORK_FAILED, "the agent did not end in time" if how == "hangs" else "tests fail")
            case "nonsense":
                return judge(prompt, {"nonsense": True}).model_dump(mode="json")
            case "asks" if prompt in WRITERS:
                outcome = {"status": "needs_input", "summary": "unclear", "question": "Blue or green?"}
                return judge(prompt, outcome).model_dump(mode="json")
            case "blocked" if prompt == "implement":
                return ended(Ending.BLOCKED, "tests fail") | {"attempts": 3, "tried": ["a", "b"], "loop": _AT}
        match prompt:
            case "breakdown":
                return judge(prompt, self._breakdown(order, chance, lies=how == "lies")).model_dump(mode="json")
            case "concern":
                names = [str(one["identifier"]) for one in order.run.variables["tickets"]]  # type: ignore[index,union-attr,call-overload]
                told = {"summary": "it is about", "tickets": chance.sample(names, min(1, len(names)))}
                return judge(prompt, told).model_dump(mode="json")
            case "research" | "plan":
                return self._document(order, begun, how, made_by, chance)
            case "implement":
                return self._implements(order, begun, how, made_by)
        return self._writes(order, begun, how, made_by)

    def _breakdown(self, order: WorkOrder, chance: random.Random, *, lies: bool) -> dict[str, Any]:
        keys = ["store", "page", "feed"][: self.world.lot.tasks]
        tasks: list[dict[str, Any]] = []
        for place, key in enumerate(keys):
            below = [one for one in keys[:place] if chance.random() < 0.5 or self.world.setting.stacked]
            tasks.append({"key": key, "title": f"Make the {key}", "description": "As said.", "scope": key,
                          "depends_on": ["nobody"] if lies else below})  # fmt: skip
        return {"summary": "Three parts.", "tasks": tasks}

    def _document(
        self, order: WorkOrder, begun: Begun, how: str, made_by: tuple[str, int], chance: random.Random
    ) -> dict[str, Any]:
        prompt, task = order.run.prompt, order.run.task_id
        phases = "".join(PHASE.format(number=n) for n in range(1, 1 + chance.choice((1, 1, 2))))
        text = f"# Plan of {task}\n\n{phases}" if prompt == "plan" else f"# Research {made_by[1]}"
        if how == "lies":
            text = "nothing here"
        result = judge(prompt, {"summary": "done", "document": text}).model_dump(mode="json")
        folder = "plans" if prompt == "plan" else "research"
        path = (order.research_path if prompt == "research" else order.plan_path) or f"thoughts/{folder}/{task}.md"
        head = self._commit(begun, {path: text}, made_by)
        digest = read_plan(text).digest if prompt == "plan" else text
        return result | {"head": head, "document": {"path": path, "digest": digest, "commit": head},
                         "document_url": f"https://github.com/{path}"}  # fmt: skip

    def _implements(self, order: WorkOrder, begun: Begun, how: str, made_by: tuple[str, int]) -> dict[str, Any]:
        git, task = self.world.git, order.run.task_id
        tree = git.commits[begun.commit].tree
        text = tree.get(order.plan_path)
        if text is None:
            return asks(f"There is no plan at `{order.plan_path}` on `{order.branch}`.")
        plan = read_plan(text)
        if order.plan_digest and plan.digest != order.plan_digest:
            changed = {"path": order.plan_path, "digest": plan.digest, "commit": begun.commit}
            return {**ended(Ending.SUCCESS), "changed_plan": changed}
        done = [path for path in tree if path.startswith(f"src/{task}/phase")]
        left = [one.number for one in plan.phases if f"src/{task}/phase{one.number}-{one.name}" not in done]
        result = judge("implement", {"status": "success", "summary": f"{task} is done"}).model_dump(mode="json")
        result |= {"told": True, "loop": _AT}
        if how == "lies":  # it says that all is well and leaves nothing
            return result | {"head": begun.commit, "told": False}
        files = {}
        if left:
            name = next(one.name for one in plan.phases if one.number == left[0])
            files = {f"src/{task}/phase{left[0]}-{name}": task}
            if self.world.setting.guarded and self.world.agent_chance.random() < 0.8:
                files[f"{PROTECTED}{task}"] = f"{task} {made_by[1]}"
            if self.world.lot.shared and left[0] == 1:
                files["src/shared"] = f"{task} {made_by[1]}"
        elif order.loop.wishes:
            files = {f"src/{task}/wish": " ".join(order.loop.wishes)}
        head = self._commit(begun, files, made_by) if files else begun.commit
        result["head"] = head
        if len(left) <= 1:
            result["completed"] = {
                "summary": f"{task} is done", "receipts": [], "verified": ["make test"], "by_worker": [],
                "manual": [], "protected": [],
            }  # fmt: skip
        return result

    def _writes(self, order: WorkOrder, begun: Begun, how: str, made_by: tuple[str, int]) -> dict[str, Any]:
        """fix, feedback, documentation: files that become one commit."""
        prompt, task, git = order.run.prompt, order.run.task_id, self.world.git
        outcome: dict[str, Any] = {"status": "success", "summary": f"{prompt} of {task}"}
        if prompt == "feedback":
            points = order.about.get("points") or ()
            outcome["replies"] = [
                {"thread_id": str(one["id"]), "body": "Done.", "resolved": True}  # type: ignore[index,call-overload]
                for one in points  # type: ignore[union-attr]
            ]
        result = judge(prompt, outcome).model_dump(mode="json")
        if how == "lies":
            if prompt == "documentation":
                return result | self._leaves_it(begun, made_by[0])
            return result | {"head": begun.commit, "unchanged": True}
        if order.about.get("kind") == "conflict":
            tree, clashes = git.merged(begun.commit, begun.base)
            mended = dict.fromkeys(clashes, f"{task} both {made_by[1]}")
            head = git.commit((begun.commit, begun.base), {**tree, **mended}, ours=True, made_by=made_by)
            return result | {"head": head, "protected": []}
        name = DOCUMENTATION if prompt == "documentation" else f"src/{task}/{prompt}"
        head = self._commit(begun, {name: f"{made_by[1]}"}, made_by)
        if prompt == "documentation" and head == begun.commit:
            return result | self._leaves_it(begun, made_by[0])
        return result | {"head": head, "protected": []}

    def _leaves_it(self, begun: Begun, issue: str) -> dict[str, Any]:
        """The documentation's agent changes nothing: all is said, or was, by one that was killed when it had pushed."""
        git = self.world.git
        if begun.old is None or git.descends(begun.base, begun.old):
            self.world.nothing_to_do.add(issue)
        return {"protected": []} | nothing_new(begun.old, git.fork(begun.old, begun.base) if begun.old else None)

    def _updates(self, order: WorkOrder, begun: Begun, made_by: tuple[str, int]) -> dict[str, Any]:
        """As `bot/runs/updating.py`, without its finer points: a rebase of what is ours alone, else a merge."""
        git, tip, base = self.world.git, begun.commit, begun.base
        if begun.old is None:
            return ended(Ending.WORK_FAILED, f"the branch {order.branch} is gone")
        if git.descends(tip, base) or git.descends(base, tip):
            return {**ended(Ending.SUCCESS), "unchanged": True}
        upstream = order.upstream if order.upstream and git.descends(tip, order.upstream) else ""
        ours = upstream and not git.others_since(tip, upstream) and begun.old == order.head
        if upstream and not order.about.get("must", True) and self._landed_as_it_was(upstream, base):
            return {**ended(Ending.SUCCESS), "unchanged": True}
        head = ""
        if ours:
            tree, clashes = git.merged(base, tip, base=upstream)
            if not clashes and tree != git.commits[base].tree:
                head = git.commit((base,), tree, ours=True, made_by=made_by)
        if not head:
            tree, clashes = git.merged(tip, base)
            if clashes:
                clash: dict[str, Any] = {"paths": list(clashes), "with": order.base, "commit": base}
                return {**ended(Ending.SUCCESS), "conflict": clash}
            head = git.commit((tip, base), tree, ours=True, made_by=made_by)
        self.world.carried[head] = (tip, order.base)
        return {**ended(Ending.SUCCESS), "head": head, "carried": [tip, head]}

    def _landed_as_it_was(self, upstream: str, base: str) -> bool:
        git = self.world.git
        if not git.descends(base, upstream):
            return False
        line = base
        while True:
            parents = git.commits[line].parents
            if not parents or parents[0] == upstream:
                return False
            if not git.descends(parents[0], upstream):
                return True
            line = parents[0]

    def _commit(self, begun: Begun, files: Mapping[str, str], made_by: tuple[str, int]) -> str:
        git = self.world.git
        tree = git.commits[begun.commit].tree
        if all(tree.get(path) == text for path, text in files.items()):
            return begun.commit
        return git.commit((begun.commit,), {**tree, **files}, ours=True, made_by=made_by)
