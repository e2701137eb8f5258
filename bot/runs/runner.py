"""One run from its spec to what it hands over: prompt, walls, gateway, agent, verdict, bundle.

The service runs no git in a folder that an agent could write: what the agent left is committed and bundled by a small
script behind the same walls. The bundle is as untrusted as the agent; whoever imports it examines it.
"""

import asyncio
import json
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bot.git.checkout import remove
from bot.runs.contract import WRITERS, Ending, RunResult, RunSpec
from bot.runs.egress import Door
from bot.runs.gateway import Meter, Upstream, gateway
from bot.runs.keep_going import Stop, keep_going, out_of_money, out_of_time
from bot.runs.place import House, Place, behind_walls, environment, make_home, way_out
from bot.runs.prompting import render
from bot.runs.runtimes.base import Assignment, Launch, Session
from bot.runs.supervisor import Command, End, Exit, Limits, supervise

__all__ = ["Handover", "House", "Place", "run_agent"]

_HAND_OVER = """
set -eu
rm -f .git/index.lock .git/HEAD.lock
if [ -d .git/rebase-merge ] || [ -d .git/rebase-apply ]; then echo "a rebase is under way" >&2; exit 1; fi
if [ -z "$FINISHED" ] && [ -n "$(git ls-files --unmerged)" ]; then echo "a merge is under way" >&2; exit 1; fi
git add --all -- .
git diff --cached --quiet || git commit --quiet --no-verify --message "$SUBJECT"
test "$(git rev-list --count "$BASE..HEAD")" -eq 0 || git bundle create --quiet "$BUNDLE" HEAD "^$BASE"
"""
"""Nobody else is there any more, so a lock is left over. Unfinished work with conflicts in it is not worth having."""
_HAND_OVER_SECONDS = 120.0
_LARGEST_BUNDLE = 256 << 20
_WORTH_HAVING = frozenset({Ending.SUCCESS, Ending.NEEDS_INPUT, Ending.WORK_FAILED})
"""Ends after which the work is taken over; after the others the very same run begins anew."""


@dataclass(frozen=True)
class Handover:
    """What a run came to. `bundle` holds the commits since the base, when there are any that are worth having.

    A run that failed or asked hands over what it had, too, so that nothing that was done is done again.
    """

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

    Nothing that an agent does raises. Setting `stop` ends it; the result is then `stopped`. With more than one
    iteration allowed it may be started again in the same checkout (see `keep_going`); the transcript of the second is
    `transcript-2.jsonl`, and so on.

    Raises:
        KeyError: there is no such runtime or prompt.
        jinja2.UndefinedError: the spec lacks a variable of its prompt.
        OSError: the folder can't be written, or the checkout is missing.
    """
    started = time.monotonic()
    prompt = render(spec)
    await _prepare(place, prompt)
    result = await keep_going(spec, _Run(spec, prompt, place, house, on_progress, stop).once)
    handover = await _handed_over(spec, place, house, result)
    await remove(place.home)
    took = {"seconds": round(time.monotonic() - started, 3)}
    return replace(handover, result=handover.result.model_copy(update=took))


@dataclass(frozen=True)
class _Run:
    """All that the iterations of one run share."""

    spec: RunSpec
    prompt: str
    place: Place
    house: House
    on_progress: Callable[[str], None]
    stop: asyncio.Event | None

    async def once(self, left: RunSpec, iteration: int) -> RunResult:
        """Run the agent once, with the time and the money that are left, and a fresh home."""
        started = time.monotonic()
        transcript = self.place.folder / ("transcript.jsonl" if iteration == 1 else f"transcript-{iteration}.jsonl")
        if iteration > 1:
            await make_home(self.place)
            self.on_progress(f"Iteration {iteration} of {self.spec.max_iterations}")
        account = self.house.account(self.spec.run_id) if self.house.account else None
        meter = Meter(left.budget_usd, self.house.prices, account=account)
        async with _door(self.house.upstream, meter) as door, way_out(self.house, left.run_id) as out:
            prompt_file = self.place.folder / "prompt.md"
            session = self.house.runtimes[left.runtime](
                Assignment(left, self.prompt, prompt_file, self.place.checkout, *door)
            )
            ended = await supervise(
                _launched(session.launch(), self.place, self.house, door[0], out),
                Limits(left.minutes * 60, self.house.silent, bounds=self.house.bounds()),
                transcript=transcript,
                on_line=lambda line: self._hear(session, line),
                stop=self.stop,
                pulse=meter.pulse,
            )
        result = _told(_judged(self.spec, session, ended, meter), out, transcript)
        figures = {
            "cost_usd": round(meter.cost_usd, 6),
            "input_tokens": meter.input_tokens,
            "output_tokens": meter.output_tokens,
            "resets_at": meter.resets_at if result.kind is Ending.USAGE_LIMIT else None,
            "seconds": round(time.monotonic() - started, 3),
        }
        return result.model_copy(update=figures)

    def _hear(self, session: Session, line: bytes) -> None:
        if text := session.read(line):
            self.on_progress(text)


async def _prepare(place: Place, prompt: str) -> None:
    await remove(place.folder)
    await make_home(place)
    (place.folder / "handover").mkdir()
    (place.folder / "prompt.md").write_text(prompt, encoding="utf-8")


@asynccontextmanager
async def _door(upstream: Upstream | None, meter: Meter) -> AsyncIterator[tuple[Path | None, str]]:
    """The socket and the token of a gateway; none for a run that gets no model."""
    if upstream is None:
        yield None, ""
        return
    async with gateway(upstream, meter) as opened:
        yield opened.socket, opened.token


def _launched(launch: Launch, place: Place, house: House, door: Path | None, out: Door | None) -> Command:
    env = {**environment(place, out), **launch.env, **house.env}
    visible = (*launch.read_only, *((door,) if door else ()))
    return behind_walls(launch.argv, place, house.sandbox, env, visible=visible, stdin=launch.stdin, door=out)


def _told(result: RunResult, out: Door | None, transcript: Path) -> RunResult:
    """The result with what was refused on the way out, which may be what it failed for; the transcript has it, too."""
    if out is None or not (lines := out.refusals.lines()):
        return result
    with transcript.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"type": "callboard", "subtype": "refused", "refused": lines}) + "\n")
    failed = result.kind is Ending.WORK_FAILED
    error = f"{result.error} On the way out this was refused: {'; '.join(lines[:5])}." if failed else result.error
    return result.model_copy(update={"refused": lines, "error": error})


def _judged(spec: RunSpec, session: Session, ended: Exit, meter: Meter) -> RunResult:
    """What ended the run from outside goes before what the agent says of itself."""
    match ended.end:
        case End.STOPPED:
            return _ended(Ending.STOPPED, "The run was stopped.")
        case End.WALL:
            return _ended(Ending.WORK_FAILED, out_of_time(spec))
        case End.SILENT:
            return _ended(Ending.TRANSPORT_FAILED, "The agent gave no sign of life any more and was ended.")
        case End.BOUNDS:
            return _ended(Ending.WORK_FAILED, ended.why)
    if meter.refused:
        return _ended(Ending.NEEDS_INPUT, out_of_money(spec))
    if meter.exhausted:
        return _ended(Ending.OUT_OF_BUDGET, meter.exhausted)
    if meter.unpriced:
        return _ended(Ending.NEEDS_INPUT, _no_price(meter.unpriced))
    return session.conclude(ended, meter)


def _no_price(model: str) -> str:
    return (
        f"The price of the model `{model}` is not known, so it was not called: give it one in the policy"
        f' (`[prices."{model}"]` with `input` and `output`, US dollars per million tokens), then reply `retry`.'
    )


def _ended(kind: Ending, error: str) -> RunResult:
    return RunResult(kind=kind, error=error, summary=error)


async def _handed_over(spec: RunSpec, place: Place, house: House, result: RunResult) -> Handover:
    """Commit what is left and make the bundle, for runs that are meant to change code and were not cut off.

    What a run left that did not succeed is worth having, but no trouble with it changes the verdict.
    """
    if result.kind not in _WORTH_HAVING or spec.prompt not in WRITERS:
        return Handover(result)
    bundle, trouble = await _bundled(spec, place, house, finished=result.kind is Ending.SUCCESS)
    if trouble and result.kind is Ending.SUCCESS:
        error = f"What the agent left could not be committed: {trouble}"
        failed = {"kind": Ending.WORK_FAILED, "error": error, "stopped_because": str(Stop.BLOCKED)}
        return Handover(result.model_copy(update=failed))
    return Handover(result, bundle)


async def _bundled(spec: RunSpec, place: Place, house: House, *, finished: bool) -> tuple[Path | None, str]:
    """Commit what lies in the checkout and bundle what is new since the base; return that, and what went wrong."""
    bundle = place.folder / "handover" / "work.bundle"
    env = {
        **environment(place),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "2",
        **{"GIT_CONFIG_KEY_0": "core.hooksPath", "GIT_CONFIG_VALUE_0": "/dev/null"},
        **{"GIT_CONFIG_KEY_1": "commit.gpgSign", "GIT_CONFIG_VALUE_1": "false"},
        **{"BASE": place.base_commit, "BUNDLE": str(bundle), "SUBJECT": f"{spec.task_id}: {spec.title}"},
        "FINISHED": "yes" if finished else "",
    }
    argv = ("/bin/sh", "-c", _HAND_OVER)
    command = behind_walls(argv, place, house.sandbox, env, handover=bundle.parent)
    limits = Limits(_HAND_OVER_SECONDS, bounds=house.bounds())
    ended = await supervise(command, limits, transcript=place.folder / "handover.log")
    if ended.code != 0:
        said = ended.stderr.strip().splitlines() or [f"exit code {ended.code}"]
        return None, next((line for line in said if line.startswith(("fatal:", "error:"))), said[-1])
    return _examined(bundle)


def _examined(bundle: Path) -> tuple[Path | None, str]:
    """The script ran beside the agent's own git configuration, so even this file is not believed."""
    try:
        found = bundle.lstat()
    except FileNotFoundError:
        return None, ""  # nothing was changed
    if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_size <= _LARGEST_BUNDLE:
        return bundle, ""
    return None, f"its bundle is no plain file of at most {_LARGEST_BUNDLE >> 20} MB"
