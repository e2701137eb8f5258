"""Everybody who acts in a scenario besides the service: its checks, its review bot, and people who review and push.

People watch the simulated worlds and act when their moment has come: a pull request is ready to merge, an answer is
there. Nobody acts by the clock.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

from bot.simulator.demo.checks import tests_of_the_repository
from bot.simulator.demo.scenario import CODERABBIT, Push, Remark, Review, Scenario, Task
from bot.simulator.demo.show import DONE, Show
from bot.simulator.github import CodeRabbit, Finding, Protection, Pull, ScriptedCI, Thread, Trial
from bot.simulator.github.actors import Person
from bot.simulator.github.hooks import Event
from bot.simulator.theatre import REPOSITORY, Theatre

_READY = "Ready to Merge"
_LOG = "Run browser\nnet::ERR_CONNECTION_RESET at http://127.0.0.1:8000/dashboard\n##[error]browser: failure"


@asynccontextmanager
async def machines(scenario: Scenario, theatre: Theatre) -> AsyncIterator[None]:
    """Let checks and the review bot work for as long as the block lasts."""
    others = {name: _script(scenario, last=name == scenario.checks[-1]) for name in scenario.checks[1:]}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(tests_of_the_repository(theatre))
        if scenario.checks:
            theatre.github.protect(REPOSITORY, "main", Protection(checks=scenario.checks))
            await stack.enter_async_context(ScriptedCI(theatre.github, others, logs=dict.fromkeys(others, _LOG)))
        if scenario.review_bot:
            findings = [finding for task in scenario.tasks for finding in _findings(task)]
            await stack.enter_async_context(CodeRabbit(theatre.github, findings=findings, seconds=0.5))
        yield


@asynccontextmanager
async def people(scenario: Scenario, show: Show) -> AsyncIterator[None]:
    """Let people act for as long as the block lasts; the show knows what is still to come."""

    def heard(event: Event) -> None:
        run = event.payload.get("workflow_run", {})
        if event.name == "workflow_run" and event.action == "requested" and run["run_attempt"] > 1 and event.pull:
            show.say("CI", f"was asked to run what failed on #{event.pull.number} again")

    show.theatre.github.listeners.append(heard)
    async with asyncio.TaskGroup() as group:
        show.to_come = {group.create_task(act) for act in _acts(scenario, show)}
        yield
        for act in show.to_come:
            act.cancel()


def line_of(task: Task, remark: Remark) -> int:
    """The line that a remark stands on, in the file as it is when its pull request is opened."""
    lines = task.files[remark.path].splitlines()
    return 1 + next(number for number, line in enumerate(lines) if remark.at in line)


def _script(scenario: Scenario, *, last: bool) -> Callable[[Trial], str]:
    """A check that passes; the last one fails for the task that is said to be flaky until it is run again."""
    title = next((task.title for task in scenario.tasks if last and task.key == scenario.flaky), None)
    recovered = False

    def ends(trial: Trial) -> str:
        nonlocal recovered
        if title is None or trial.pull is None or not trial.pull.title.endswith(title):
            return "success"
        recovered = recovered or trial.attempt > 1
        return "success" if recovered else "failure"

    return ends


def _findings(task: Task) -> Iterator[Finding]:
    for review in task.reviews:
        if review.by == CODERABBIT:
            yield from (Finding(one.path, line_of(task, one), one.text) for one in review.remarks)


def _acts(scenario: Scenario, show: Show) -> Iterator[Coroutine[None, None, None]]:
    for task in scenario.tasks:
        yield from (_reviews(show, task, one) for one in task.reviews if one.by != CODERABBIT)
        if task.push:
            yield _pushes(show, task, task.push)


async def _reviews(show: Show, task: Task, review: Review) -> None:
    """Somebody says what they think, waits for the answers, and is content."""
    pull = await _ready(show, task)
    person, before = Person(show.theatre.github, review.by), len(pull.threads)
    remarks = [(one.path, line_of(task, one), one.text) for one in review.remarks]
    if review.verdict == "request changes":
        show.say(review.by, f"asks for changes on #{pull.number}: “{review.body}”")
        await person.reviews(pull, "request changes", review.body, comments=remarks)
    else:
        show.say(review.by, f"asks on #{pull.number}: “{review.remarks[0].text}”")
        for path, line, text in remarks:
            await person.remarks(pull, path, line, text)
    threads = pull.threads[before:]
    await show.until(lambda: all(map(_answered, threads)))
    if review.verdict == "request changes":
        await show.until(lambda: person.user in pull.requested)
        show.say(review.by, f"was asked to look again, and approves #{pull.number}")
        await person.reviews(pull, "approve", "Thank you!")
    for thread in threads:
        if thread.resolved_by is None:
            show.say(review.by, f"takes the answer on #{pull.number}, and resolves the thread")
            await person.resolves(thread)


async def _pushes(show: Show, task: Task, push: Push) -> None:
    """Somebody pushes to the base branch what clashes with a pull request, and waits until it is ready again."""
    pull = await _ready(show, task)
    head = pull.head_sha
    show.say(push.by, f"pushes to main: “{push.message}”")
    await Person(show.theatre.github, push.by).pushes(pull.repository, "main", push.files, push.message)
    await show.until(lambda: pull.head_sha != head)
    await _ready(show, task)


async def _ready(show: Show, task: Task) -> Pull:
    """Wait until the ticket of a task is ready to merge; its pull request."""
    await show.until(lambda: _state(show, task) in (_READY, DONE))
    ticket = next(one for one in show.tickets if one.title == task.title)
    found: Pull = show.pulls[ticket.identifier]
    return found


def _state(show: Show, task: Task) -> str | None:
    return next((one.state.name for one in show.tickets if one.title == task.title), None)


def _answered(thread: Thread) -> bool:
    return thread.comments[-1].user.login == "callboard[bot]"
