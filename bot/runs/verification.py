"""Verification: the commands that a plan names, run behind the same walls as an agent, each with a receipt.

The commands are as untrusted as the agent that could write them, or what they start. They get no model, no secret, and
the same way out. Whatever one does (hang, flood, leave daemons, delete the checkout) comes to a receipt, and to no
exception.
"""

import asyncio
import math
import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter

from bot.git.checkout import remove
from bot.runs.place import House, Place, behind_walls, environment, make_home, way_out
from bot.runs.prompting import visible
from bot.runs.supervisor import End, Limits, supervise

_ONE_STREAM = 'exec "$0" -c "$1" </dev/null 2>&1'
_LONGEST = 100_000
"""Bytes of a command; Linux takes no single argument above 128 KB."""
_GRACE = 2.0
"""Seconds between asking and killing: a verification leaves nothing behind that is worth more."""
_FLOOD = 64 << 20
"""Bytes of output from which on a command is taken for one that never stops printing; well below what the supervisor
writes into a log, which is the bound for what can be printed between two looks."""
_LOOK = 0.25
"""Seconds between two looks at how much was printed."""
_FLOODED = 153
"""What a shell reports for SIGXFSZ, the signal for a file that grew too large."""
_NOT_RUN = 127
_BEGINNING, _ENDING = 1_200, 2_700
"""Characters that a receipt shows of a long output."""
_WINDOW = 1 << 16
"""Bytes that are read from each end of a log: enough for those characters, escape sequences included."""
_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours and cursor movements
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)?"  # titles, links and other strings
    r"|\x1b[ -/]*[0-~]"
)
_SEPARATORS = str.maketrans({"\u2028": "\n", "\u2029": "\n"})


@dataclass(frozen=True)
class Receipt:
    """What one command came to."""

    command: str
    code: int
    """Exit code; 128 + the signal when one ended it, 153 when it was ended because it never stopped printing, 127
    when it could not be started. Says nothing when `end` isn't "exited"."""
    end: Literal["exited", "timed out", "stopped"]
    seconds: float
    output: str
    """Plain text, at most 4,000 characters: the first and the last part, with a line saying how much is left out."""
    log: str
    """Path of the file with the whole output, up to about 64 MB; empty when the command was not started."""

    @property
    def passed(self) -> bool:
        """Whether it ended by itself and well."""
        return self.end == "exited" and self.code == 0

    def to_json(self) -> dict[str, Any]:
        """Return it as values that JSON knows."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> "Receipt":
        """Return the receipt that `to_json` made `raw` from.

        Raises:
            pydantic.ValidationError: it is none.
        """
        return _RECEIPT.validate_python(raw)


_RECEIPT = TypeAdapter(Receipt)


async def verify(
    commands: Sequence[str],
    place: Place,
    house: House,
    *,
    minutes: float,
    on_progress: Callable[[str], None] = lambda _text: None,
    stop: asyncio.Event | None = None,
) -> tuple[Receipt, ...]:
    """Run `commands` in the checkout of `place`, one after another, and return a receipt for each, in order.

    All are run, also after one that failed. Each is a line of bash (of sh where there is none) with empty input, no
    terminal and `minutes` of its own. They share a home, which is empty at first. The whole output of the first goes
    to `verify-1.log` in the place's folder, and so on. Setting `stop` ends the one that runs and starts no other.

    Nothing that a command does raises. When this returns or is cancelled, nothing of them runs.

    Raises:
        OSError: the folder of the place can't be written.
    """
    stop = stop or asyncio.Event()
    await make_home(place)
    receipts: list[Receipt] = []
    for number, command in enumerate(commands, 1):
        on_progress(f"Verifying, {number} of {len(commands)}: {command}"[:200])
        log = place.folder / f"verify-{number}.log"
        if stop.is_set():
            receipts.append(Receipt(command, _NOT_RUN, "stopped", 0.0, "It was not run: somebody asked to stop.", ""))
        elif obstacle := _obstacle(command, place):
            receipts.append(Receipt(command, _NOT_RUN, "exited", 0.0, obstacle, ""))
        else:
            await _mend_home(place)
            receipts.append(await _run(command, log, place, house, minutes * 60, stop))
    await remove(place.home)
    return tuple(receipts)


async def _run(command: str, log: Path, place: Place, house: House, seconds: float, stop: asyncio.Event) -> Receipt:
    shell = shutil.which("bash", path=environment(place)["PATH"]) or "/bin/sh"
    argv = ("/bin/sh", "-c", _ONE_STREAM, shell, command)
    await remove(log)  # one of an earlier verification says nothing about this one
    halt = asyncio.Event()
    guard = asyncio.create_task(_guard(log, stop, halt))
    try:
        async with way_out(house, place.folder.name) as door:
            env = {**environment(place, door), **house.env}
            ended = await supervise(
                behind_walls(argv, place, house.sandbox, env, door=door),
                Limits(seconds, silent=math.inf, grace=_GRACE, bounds=house.bounds()),
                transcript=log,
                stop=halt,
            )
    finally:
        guard.cancel()
    refused = door.refusals.lines()[:5] if door else []
    output = await asyncio.to_thread(_shown, log, ended.stderr + "".join(f"\n[Refused: {line}]" for line in refused))
    took = round(ended.seconds, 3)
    match ended.end:
        case End.EXITED:
            return Receipt(command, ended.code, "exited", took, output, str(log))
        case End.BOUNDS:
            return Receipt(command, ended.code, "exited", took, f"{output}\n[{ended.why}]", str(log))
        case End.STOPPED if stop.is_set():
            return Receipt(command, ended.code, "stopped", took, f"{output}\n[It was stopped.]", str(log))
        case End.STOPPED:
            note = f"[It printed more than {_FLOOD >> 20} MB and was ended.]"
            return Receipt(command, _FLOODED, "exited", took, f"{output}\n{note}", str(log))
    note = f"[It was not done after {seconds / 60:g} minutes and was ended.]"
    return Receipt(command, ended.code, "timed out", took, f"{output}\n{note}", str(log))


async def _guard(log: Path, stop: asyncio.Event, halt: asyncio.Event) -> None:
    """Set `halt` when somebody sets `stop`, or when there is too much in the log."""
    while _size(log) <= _FLOOD:
        try:
            async with asyncio.timeout(_LOOK):
                await stop.wait()
                break
        except TimeoutError:
            continue
    halt.set()


def _obstacle(command: str, place: Place) -> str:
    """Say why the command can't be started, or nothing."""
    try:
        words = os.fsencode(command).strip()
    except UnicodeEncodeError:
        words = b"\0"
    if not words:
        return "There is no command."
    if b"\0" in words or len(words) > _LONGEST:
        return "It was not run: no shell takes such a command."
    usable = os.access(place.checkout, os.R_OK | os.W_OK | os.X_OK)
    if not usable or not any(place.checkout.iterdir()):
        return "It was not run: the checkout is gone. A command before this one may have deleted it."
    return ""


async def _mend_home(place: Place) -> None:
    """Make the home again when a command deleted or closed it."""
    if not os.access(place.home / "tmp", os.W_OK | os.X_OK):
        await make_home(place)


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except FileNotFoundError:
        return 0  # not begun yet


def _shown(log: Path, errors: str) -> str:
    """What a receipt shows of the log. `errors` is what the walls themselves said: it belongs to the end."""
    size = _size(log)
    with log.open("rb") as file:
        first = file.read(_WINDOW)
        file.seek(max(len(first), size - _WINDOW))
        last = file.read(_WINDOW)
    if size <= 2 * _WINDOW:
        text = _plain(first + last) + errors
        if len(text) <= _BEGINNING + _ENDING:
            return visible(text).strip("\n")
        beginning, ending = text[:_BEGINNING], text[-_ENDING:]
    else:
        beginning, ending = _plain(first)[:_BEGINNING], (_plain(last) + errors)[-_ENDING:]
    left_out = size + len(errors) - len((beginning + ending).encode())
    return f"{visible(beginning)}\n[… {left_out:,} bytes left out …]\n{visible(ending)}".strip("\n")


def _plain(output: bytes) -> str:
    """The text as a terminal would leave it: no escape sequences, and of a line that was overwritten only the last."""
    text = _ESCAPE.sub("", output.decode(errors="replace")).translate(_SEPARATORS)
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
