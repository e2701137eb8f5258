"""What every kind of agent has in common: it is launched, its lines are read, and its end is judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bot.runs.contract import RunResult, RunSpec
from bot.runs.gateway import Meter
from bot.runs.supervisor import Exit


@dataclass(frozen=True)
class Assignment:
    """One run as a runtime gets it. `door` is the socket of the model gateway, None when the run has no model.

    `token` is what the gateway wants to see as the key.
    """

    spec: RunSpec
    prompt: str
    prompt_file: Path
    checkout: Path
    door: Path | None = None
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Launch:
    """How to start the agent. `env` comes on top of the plain environment that every run has."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    read_only: tuple[Path, ...] = ()
    """What it must be able to read besides the system's programs."""


class Session(Protocol):
    """One agent at work."""

    def launch(self) -> Launch:
        """Say how to start it; asked once."""
        ...

    def read(self, line: bytes) -> str:
        """Take in one line of its output; return a short text when there is progress to tell, else nothing."""
        ...

    def conclude(self, ended: Exit, meter: Meter) -> RunResult:
        """Judge an agent that ended by itself, by its exit, its lines and what the gateway saw.

        Cost, tokens and seconds are not the session's to tell.
        """
        ...


Runtime = Callable[[Assignment], Session]
"""A kind of agent: makes a session for each run."""
