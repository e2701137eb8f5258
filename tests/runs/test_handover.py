"""What a run made is handed over, also by one that failed or asked; nothing that was done is done again."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot.runs.contract import Ending
from bot.runs.runner import Handover, House, Place, run_agent
from bot.runs.sandbox import Bubblewrap

Make = Callable[..., Any]
WORK = "echo half > work; "
OUT = "mkdir -p .callboard; cat > .callboard/outcome.json"


def says(status: str) -> str:
    return f'echo \'{{"status":"{status}","summary":"{status}"}}\' | ({OUT})'


async def run(spec: Make, place: Place, script: str, prompt: str = "implement", **more: Any) -> Handover:
    fields = {"variables": {"plan": "P", "findings": [], "threads": [], "tickets": []}} | more
    order = spec(prompt, runtime="command", command=["sh", "-c", script], **fields)
    return await run_agent(order, place, House(Bubblewrap()))


def files_in(bundle: Path | None, place: Place, git: Make) -> list[str]:
    """What a clone of the repository gets from the bundle."""
    assert bundle is not None
    clone = place.folder / "clone"
    git("clone", "-q", str(place.checkout), str(clone), cwd=place.folder)
    git("reset", "-q", "--hard", place.base_commit, cwd=clone)
    git("fetch", "-q", str(bundle), "HEAD", cwd=clone)
    listed: str = git("ls-tree", "--name-only", "FETCH_HEAD", cwd=clone)
    return listed.split()


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (says("success"), Ending.SUCCESS),
        (says("needs_input"), Ending.NEEDS_INPUT),
        (says("failure"), Ending.WORK_FAILED),
        ("exit 3", Ending.WORK_FAILED),
        ("true", Ending.WORK_FAILED),
    ],
)
async def test_a_run_that_came_to_an_end_hands_over_what_it_made(
    place: Place, spec: Make, git: Make, script: str, kind: Ending
) -> None:
    handover = await run(spec, place, WORK + script)
    assert handover.result.kind is kind
    assert files_in(handover.bundle, place, git) == ["README.md", "work"]


@pytest.mark.parametrize("prompt", ["implement", "fix", "feedback", "documentation"])
async def test_every_writer_hands_over_when_it_failed(place: Place, spec: Make, prompt: str) -> None:
    assert (await run(spec, place, WORK + says("failure"), prompt)).bundle is not None


@pytest.mark.parametrize("prompt", ["research", "plan", "review"])
async def test_who_writes_no_code_hands_over_none(place: Place, spec: Make, prompt: str) -> None:
    more = {"variables": {"plan": "P", "base_commit": "abc"}}
    assert (await run(spec, place, WORK + says("failure"), prompt, **more)).bundle is None


async def test_a_run_that_was_not_done_in_time_hands_over_what_it_made(place: Place, spec: Make, git: Make) -> None:
    handover = await run(spec, place, WORK + "git add work; touch .git/index.lock; sleep 75.0075", minutes=0.01)
    assert handover.result.kind is Ending.WORK_FAILED
    assert "not done after" in handover.result.error
    assert files_in(handover.bundle, place, git) == ["README.md", "work"]


async def test_a_failed_connection_hands_over_nothing(place: Place, spec: Make) -> None:
    handover = await run(spec, place, WORK + "exit 75")
    assert handover.result.kind is Ending.TRANSPORT_FAILED
    assert handover.bundle is None


async def test_a_run_that_was_stopped_hands_over_nothing(place: Place, spec: Make) -> None:
    stop = asyncio.Event()
    order = spec("implement", runtime="command", command=["sh", "-c", WORK + "echo go; sleep 76.0076"])
    handover = await run_agent(order, place, House(Bubblewrap()), stop=stop, on_progress=lambda _: stop.set())
    assert handover.result.kind is Ending.STOPPED
    assert handover.bundle is None


@pytest.mark.parametrize("status", ["success", "needs_input", "failure"])
async def test_with_nothing_changed_there_is_no_bundle_and_the_verdict_stays(
    place: Place, spec: Make, status: str
) -> None:
    handover = await run(spec, place, says(status))
    kinds = {"success": Ending.SUCCESS, "needs_input": Ending.NEEDS_INPUT, "failure": Ending.WORK_FAILED}
    assert (handover.result.kind, handover.result.summary) == (kinds[status], status)
    assert handover.bundle is None


@pytest.mark.parametrize("status", ["needs_input", "failure"])
async def test_trouble_with_committing_does_not_change_what_an_unfinished_run_came_to(
    place: Place, spec: Make, status: str
) -> None:
    handover = await run(spec, place, f"{WORK} rm .git/HEAD; {says(status)}")
    assert handover.result.summary == status
    assert "committed" not in handover.result.error
    assert handover.bundle is None


async def test_trouble_with_committing_makes_a_success_a_failure(place: Place, spec: Make) -> None:
    result = (await run(spec, place, f"{WORK} rm .git/HEAD; {says('success')}")).result
    assert (result.kind, result.stopped_because) == (Ending.WORK_FAILED, "blocked")
    assert "could not be committed" in result.error


CLASH = (
    "git checkout -q -b other; echo theirs > README.md; git commit -qam theirs; git checkout -q -; "
    "echo ours > README.md; git commit -qam ours; git merge -q other; "
)


async def test_half_a_merge_is_not_handed_over(place: Place, spec: Make) -> None:
    handover = await run(spec, place, CLASH + says("failure"))
    assert "<<<<<<<" in (place.checkout / "README.md").read_text()
    assert handover.bundle is None
    assert handover.result.summary == "failure"


async def test_a_merge_whose_conflicts_were_resolved_is(place: Place, spec: Make, git: Make) -> None:
    handover = await run(spec, place, f"{CLASH} echo both > README.md; {says('success')}")
    assert files_in(handover.bundle, place, git) == ["README.md"]
    assert git("show", "HEAD:README.md", cwd=place.checkout) == "both"
