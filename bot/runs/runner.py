"""One run from its spec to what it hands over: prompt, walls, gateway, agent, verdict, bundle.

The service runs no git in a folder that an agent could write: what the agent left is committed and bundled by a small
script behind the same walls. The bundle is as untrusted as the agent; whoever imports it examines it.
"""

import asyncio
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.git.checkout import remove
from bot.runs.contract import COMMIT_DUE, WRITERS, Ending, RunResult, RunSpec
from bot.runs.gateway import Meter, Upstream, gateway
from bot.runs.place import House, Place, behind_walls, environment, make_home
from bot.runs.prompting import render
from bot.runs.runtimes.base import Assignment, Launch, Session
from bot.runs.supervisor import Command, End, Exit, Limits, supervise

__all__ = ["Handover", "House", "Place", "run_agent"]

_HAND_OVER = """
set -eu
if [ -d .git/rebase-merge ] || [ -d .git/rebase-apply ]; then echo "a rebase is under way" >&2; exit 1; fi
git add --all -- .
git diff --cached --quiet || git commit --quiet --no-verify --message "$SUBJECT"
test "$(git rev-list --count "$BASE..HEAD")" -eq 0 || git bundle create --quiet "$BUNDLE" HEAD "^$BASE"
"""
_HAND_OVER_SECONDS = 120.0
_LARGEST_BUNDLE = 256 << 20


@dataclass(frozen=True)
class Handover:
    """What a run came to. `bundle` holds the commits since the base, when there are any and the run ended well."""

    result: RunResult
    bundle: Path | None = None


async def run_agent(
    spec: RunSpec,
    place: Place,
    house: House,
    *,
    on_progress: Callable[[str], None] = lambda _text: None,
    stop: asyncio.Event | None = None,
) -> Handover:
    """Run one agent to its end and take over what it made. When this returns or is cancelled, nothing of it runs.

    Nothing that an agent does raises. Setting `stop` ends it; the result is then `stopped`.

    Raises:
        KeyError: there is no such runtime or prompt.
        jinja2.UndefinedError: the spec lacks a variable of its prompt.
        OSError: the folder can't be written, or the checkout is missing.
    """
    started = time.monotonic()
    prompt = render(spec)
    await _prepare(place, prompt)
    meter = Meter(spec.budget_usd, house.prices)
    async with _door(house.upstream, meter) as door:
        assignment = Assignment(spec, prompt, place.folder / "prompt.md", place.checkout, door)
        session = house.runtimes[spec.runtime](assignment)

        def hear(line: bytes) -> None:
            if text := session.read(line):
                on_progress(text)

        command = _launched(session.launch(), place, house, door)
        ended = await supervise(
            command,
            Limits(spec.minutes * 60, house.silent),
            transcript=place.folder / "transcript.jsonl",
            on_line=hear,
            stop=stop,
            pulse=meter.pulse,
        )
    handover = await _handed_over(spec, place, house, _judged(spec, session, ended, meter))
    await remove(place.home)
    figures = {
        "cost_usd": round(meter.cost_usd, 6),
        "input_tokens": meter.input_tokens,
        "output_tokens": meter.output_tokens,
        "resets_at": meter.resets_at if handover.result.kind is Ending.USAGE_LIMIT else None,
        "seconds": round(time.monotonic() - started, 3),
    }
    return Handover(handover.result.model_copy(update=figures), handover.bundle)


async def _prepare(place: Place, prompt: str) -> None:
    await remove(place.folder)
    await make_home(place)
    (place.folder / "handover").mkdir()
    (place.folder / "prompt.md").write_text(prompt, encoding="utf-8")


@asynccontextmanager
async def _door(upstream: Upstream | None, meter: Meter) -> AsyncIterator[Path | None]:
    if upstream is None:
        yield None
        return
    async with gateway(upstream, meter) as opened:
        yield opened.socket


def _launched(launch: Launch, place: Place, house: House, door: Path | None) -> Command:
    env = {**environment(place), **launch.env, **house.env}
    visible = (*launch.read_only, *((door,) if door else ()))
    return behind_walls(launch.argv, place, house.sandbox, env, visible=visible, stdin=launch.stdin)


def _judged(spec: RunSpec, session: Session, ended: Exit, meter: Meter) -> RunResult:
    """What ended the run from outside goes before what the agent says of itself."""
    match ended.end:
        case End.STOPPED:
            return _ended(Ending.STOPPED, "The run was stopped.")
        case End.WALL:
            return _ended(Ending.WORK_FAILED, f"The agent was not done after {spec.minutes:g} minutes and was ended.")
        case End.SILENT:
            return _ended(Ending.TRANSPORT_FAILED, "The agent gave no sign of life any more and was ended.")
    if meter.refused:
        return _ended(
            Ending.NEEDS_INPUT,
            f"The run spent its budget of ${meter.budget_usd:.2f} before it was done. Reply with `budget $N` to allow"
            " more, or `cancel`.",
        )
    return session.conclude(ended, meter)


def _ended(kind: Ending, error: str) -> RunResult:
    return RunResult(kind=kind, error=error, summary=error)


async def _handed_over(spec: RunSpec, place: Place, house: House, result: RunResult) -> Handover:
    """Commit what is left and make the bundle, for runs that ended well and are meant to change code."""
    if result.kind is not Ending.SUCCESS or spec.prompt not in WRITERS:
        return Handover(result)
    bundle = place.folder / "handover" / "work.bundle"
    env = {
        **environment(place),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "2",
        **{"GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": "/dev/null"},
        **{"GIT_CONFIG_KEY_1": "commit.gpgSign", "GIT_CONFIG_VALUE_1": "false"},
        **{"BASE": place.base_commit, "BUNDLE": str(bundle), "SUBJECT": f"{spec.task_id}: {spec.title}"},
    }
    argv = ("/bin/sh", "-c", _HAND_OVER)
    command = behind_walls(argv, place, house.sandbox, env, handover=bundle.parent)
    ended = await supervise(command, Limits(_HAND_OVER_SECONDS), transcript=place.folder / "handover.log")
    if ended.code != 0:
        last = (ended.stderr.strip().splitlines() or [f"exit code {ended.code}"])[-1]
        failed = {"kind": Ending.WORK_FAILED, "error": f"What the agent left could not be committed: {last}"}
        return Handover(result.model_copy(update=failed))
    if not _is_plain_file(bundle):
        if spec.prompt not in COMMIT_DUE:
            return Handover(result)
        failed = {"kind": Ending.WORK_FAILED, "error": "The agent said it was done and left no commit."}
        return Handover(result.model_copy(update=failed))
    return Handover(result, bundle)


def _is_plain_file(path: Path) -> bool:
    """The script ran beside the agent's own git configuration, so even this file is not believed."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size <= _LARGEST_BUNDLE
