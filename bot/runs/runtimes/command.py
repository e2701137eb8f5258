"""Any program as an agent: it reads the prompt, does its work, and leaves its outcome in a file.

    standard input            the prompt; also in the file named by CALLBOARD_PROMPT
    .callboard/outcome.json   in its working folder: the outcome; also named by CALLBOARD_OUTCOME
    exit code                 0, or 75 (sysexits.h: try again later) when something outside failed; else the work failed

Its lines of output are shown as progress. A model is reached as Claude Code does it, through ANTHROPIC_UNIX_SOCKET,
with the key in ANTHROPIC_API_KEY; the same socket and key speak OpenAI's wires at `/v1/responses` and
`/v1/chat/completions`.
"""

import json
import os
import shutil
import stat
from pathlib import Path

from bot.runs.contract import Ending, RunResult, judge
from bot.runs.gateway import Meter
from bot.runs.runtimes.base import Assignment, Launch
from bot.runs.supervisor import Exit

FOLDER = ".callboard"
OUTCOME = "outcome.json"
_LARGEST = 4 << 20
_TRY_LATER = 75


class Command:
    """One run of a program that the policy names."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._last = ""

    def launch(self) -> Launch:
        """The program's own argument list. An outcome that lies there already is removed first."""
        spec, checkout = self._assignment.spec, self._assignment.checkout
        _remove(checkout / FOLDER)
        env = {
            "CALLBOARD_PROMPT": str(self._assignment.prompt_file),
            "CALLBOARD_OUTCOME": str(checkout / FOLDER / OUTCOME),
        }
        if self._assignment.door:
            env |= {"ANTHROPIC_UNIX_SOCKET": str(self._assignment.door), "ANTHROPIC_BASE_URL": "http://model.invalid"}
            env |= {"ANTHROPIC_API_KEY": self._assignment.token, "OPENAI_API_KEY": self._assignment.token}
        stdin = self._assignment.prompt.encode()
        return Launch(tuple(spec.command), env, stdin, (self._assignment.prompt_file,))

    def read(self, line: bytes) -> str:
        """Every line is progress."""
        self._last = line.decode(errors="replace").strip()[:200] or self._last
        return self._last

    def conclude(self, ended: Exit, meter: Meter) -> RunResult:
        """Judge by the exit code and the file."""
        if ended.code != 0:
            last = ended.stderr.strip().splitlines() or [self._last]
            error = f"The program ended with code {ended.code}{': ' + last[-1] if last[-1] else ''}."
            if meter.limited:
                return RunResult(kind=Ending.USAGE_LIMIT, error=error, summary=error)
            kind = Ending.TRANSPORT_FAILED if ended.code == _TRY_LATER else Ending.WORK_FAILED
            return RunResult(kind=kind, error=error, summary=error)
        try:
            raw = json.loads(read_outcome(self._assignment.checkout))
        except FileNotFoundError:
            raw = None
        except (OSError, ValueError) as error:
            return RunResult(kind=Ending.WORK_FAILED, error=f"The outcome can't be read: {error}")
        return judge(self._assignment.spec.prompt, raw)


def read_outcome(checkout: Path) -> bytes:
    """Read the outcome that an agent left in its checkout, following no link on the way.

    Raises:
        FileNotFoundError: there is none.
        OSError: it is no regular file, lies behind a link, or is larger than 4 MB.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    folder = os.open(checkout / FOLDER, flags | os.O_DIRECTORY)
    try:
        file = os.open(OUTCOME, flags, dir_fd=folder)
    finally:
        os.close(folder)
    with os.fdopen(file, "rb") as opened:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise OSError(f"{FOLDER}/{OUTCOME} is not a file of its own")
        content = opened.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(f"{FOLDER}/{OUTCOME} is larger than {_LARGEST >> 20} MB")
    return content


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
