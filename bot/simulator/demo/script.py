"""What the scripted model thinks in the demo: the story's work, given to the real agent program step by step.

The agents read files, write code and run the repository's tests for real; only the thinking is prepared. When the
tests fail, the script says so instead of claiming success.
"""

from collections.abc import Sequence

from starlette.types import ASGIApp

from bot.simulator.demo import story
from bot.simulator.demo.story import Phase, Task
from bot.simulator.model import Answer, Asked, Script, calls, concludes, model_app, runs, says, writes

_APPROVED = {"verdict": "approved", "summary": "The phase does what the plan says, with tests.", "blockers": []}
TESTS = "python3 -m unittest discover -s tests -t ."


def model() -> ASGIApp:
    """The scripted model as an application."""
    return model_app(script())


def script() -> Script:
    """The script: by the title of the ticket and the name of the prompt."""
    tasks = {task.title: task for task in (*story.STORY, story.DOCUMENTATION)}
    tasks["Update the documentation"] = story.DOCUMENTATION

    def answers(asked: Asked) -> Sequence[Answer] | None:
        if asked.prompt == "breakdown":
            return [
                calls(runs("git log --oneline | head -5; ls youlab youlab/pages tests")),
                concludes(story.BREAKDOWN),
            ]
        task = tasks.get(asked.title)
        if task is None:
            return [says("I have nothing prepared for this.")]
        match asked.prompt:
            case "research":
                return _document(task.research, f"What there is to know for: {task.title}.", task)
            case "plan":
                return _document(task.plan, f"{len(task.phases)} phases, each with its tests.", task)
            case "implement":
                return _work(task, asked, [phase for phase in task.phases if phase.number == asked.phase])
            case "documentation":
                return _work(task, asked, task.phases)
            case "review":
                return [calls(runs("git diff --stat HEAD~1")), concludes(_APPROVED)]
        return None

    return answers


def _document(document: str, summary: str, task: Task) -> Sequence[Answer]:
    look = runs(f"ls youlab youlab/pages tests; cat {' '.join(task.areas[:2])} 2>/dev/null | head -40")
    return [calls(look), concludes({"summary": summary, "document": document})]


def _work(task: Task, asked: Asked, phases: Sequence[Phase]) -> Sequence[Answer]:
    steps = [calls(*(writes(path, content) for path, content in phase.files.items())) for phase in phases]
    failed = any("FAILED" in result or "Error" in result for result in asked.results)
    if asked.answers == len(steps) + 1 and failed:
        outcome: dict[str, object] = {"status": "failure", "summary": "The repository's tests fail."}
    else:
        outcome = {"status": "success", "summary": task.summary, "verified": [f"`{TESTS}` passes"], "skipped": []}
    return [*steps, calls(runs(TESTS)), concludes(outcome)]
