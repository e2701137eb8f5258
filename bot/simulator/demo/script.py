"""What the scripted model thinks in the demo: a scenario's work, given to the real agent program step by step.

The agents read files, write code, run commands and tick them in the plan for real; only the thinking is prepared. When
a command fails, the script says so instead of claiming success.
"""

import re
import shlex
from collections.abc import Sequence

from starlette.types import ASGIApp

from bot.machine.plan import Item
from bot.simulator.demo.answering import answer_review, repair
from bot.simulator.demo.scenario import Files, Phase, Scenario, Task
from bot.simulator.model import Answer, Asked, Script, calls, concludes, model_app, runs, says, writes

_PLAN_FILE = re.compile(r"The plan file is `([^`]+)`")
_FILE = re.compile(r"^- \*\*File\*\*: `([^`]+)`: (.+)$", re.M)
"""A file that a plan names, and what is to be done there."""
_CHANGE = re.compile(r"`(git diff [0-9a-f]{40}\.\.\.HEAD)`")


def model(scenario: Scenario) -> ASGIApp:
    """The scripted model as an application."""
    return model_app(script(scenario))


def script(scenario: Scenario) -> Script:
    """The script: by the title of the ticket, the name of the prompt and the phase."""
    tasks = {task.title: task for task in scenario.tasks}
    if scenario.documentation:
        tasks["Update the documentation"] = scenario.documentation

    def answers(asked: Asked) -> Sequence[Answer] | None:
        if asked.prompt == "breakdown":
            look = runs("git log --oneline | head -5; ls youlab youlab/pages tests")
            return [calls(look), concludes(scenario.breakdown)]
        task = tasks.get(asked.title)
        if task is None:
            return [says("I have nothing prepared for this.")]
        match asked.prompt:
            case "research":
                return _document(task.research, f"What there is to know for: {task.title}.", task)
            case "plan":
                return _document(task.plan, f"{len(task.phases)} phases, each with its tests.", task)
            case "documentation":
                return _work(asked, task.files, task.phases[0].run, task.summary, documents=_documents(task))
            case "feedback":
                return answer_review(asked, task)
            case "fix" if not asked.phase:
                return repair(asked, task)
        phase = next((phase for phase in task.phases if phase.number == asked.phase), None)
        return _step(asked, task, phase) if phase else None

    return answers


def _step(asked: Asked, task: Task, phase: Phase) -> Sequence[Answer] | None:
    """One step of the implementation loop."""
    repaired = {path: phase.files[path] for path in phase.first}
    match asked.prompt:
        case "implement":
            return _work(asked, {**phase.files, **phase.first}, phase.run, _summary(task, phase))
        case "fix" if phase.mistake:
            return _work(asked, repaired, phase.run, phase.mistake.repair)
        case "review":
            return _review(asked, phase)
    return None


def _document(document: str, summary: str, task: Task) -> Sequence[Answer]:
    look = runs(f"ls youlab youlab/pages tests; cat {' '.join(task.areas[:2])} 2>/dev/null | head -40")
    return [calls(look), concludes({"summary": summary, "document": document})]


def _documents(task: Task) -> list[dict[str, str]]:
    """Every document of the task and why it is written, as its plan says it."""
    return [{"path": path, "why": why} for path, why in _FILE.findall(task.plan)]


def _work(asked: Asked, files: Files, checks: Sequence[Item], summary: str, **more: object) -> Sequence[Answer]:
    """Write the files, then run the checks; the outcome says what came of them."""
    writing = calls(*(writes(path, content) for path, content in files.items()))
    checking = calls(*(runs(_ticking(check, asked)) for check in checks))
    if asked.answers == 2 and any("FAILED" in result or "Error" in result for result in asked.results):
        return [writing, checking, concludes({"status": "failure", "summary": "The repository's tests fail."})]
    verified = [check.command for check in checks]
    outcome = {"status": "success", "summary": summary, "verified": verified, "skipped": [], **more}
    return [writing, checking, concludes(outcome)]


def _ticking(check: Item, asked: Asked) -> str:
    """A check, and its tick in the plan file for when it passes; a prompt that names no plan file wants none."""
    path = _PLAN_FILE.search(asked.text)
    tick = f" && sed -i '{check.line}s/- \\[ \\]/- [x]/' {shlex.quote(path[1])}" if path else ""
    return check.command + tick


def _summary(task: Task, phase: Phase) -> str:
    wrote = f"Wrote {', '.join(f'`{path}`' for path in phase.files)}."
    return f"{task.summary} {wrote}" if phase.number == len(task.phases) else wrote


def _review(asked: Asked, phase: Phase) -> Sequence[Answer]:
    change = _CHANGE.search(asked.text)
    look = [runs(f"{change[1]} --stat" if change else "git status --short")]
    mistake = phase.mistake
    if mistake and mistake.blockers and asked.attempt == 1:
        look.append(runs(mistake.shown_by))
        summary = "The phase does what the plan says, but must not be merged like this."
        return [calls(*look), concludes({"verdict": "blockers", "summary": summary, "blockers": mistake.blockers})]
    summary = "The phase does what the plan says, with tests."
    return [calls(*look), concludes({"verdict": "approved", "summary": summary, "blockers": []})]
