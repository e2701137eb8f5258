"""`callboard serve` as a process of its own: started, killed, frozen, and read by its log."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bot


@dataclass
class Service:
    """One service, in as many processes after each other as it takes. `log` holds all of them."""

    environment: Mapping[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    started_at: float = 0.0
    """By time.monotonic."""
    kills: int = 0
    exits: list[int] = field(default_factory=list)
    """Codes of processes that ended by themselves."""

    @property
    def pid(self) -> int:
        """Of the process that runs now; 0 when none does."""
        return self.process.pid if self.process and self.process.returncode is None else 0

    async def start(self) -> None:
        """Start it."""
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        path = {"PYTHONPATH": str(Path(bot.__file__).parents[1]), "CALLBOARD_LOG": "json"}
        self.started_at = time.monotonic()
        with self.log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "bot.cli", "serve"),
                env={**inherited, **path, **self.environment},
                cwd=self.environment["CALLBOARD_HOME"],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    async def kill(self) -> None:
        """SIGKILL; what hangs on it is not waited for. One that ended by itself is noted."""
        assert self.process
        if self.process.returncode is not None:
            self.exits.append(self.process.returncode)
            return
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()
        self.kills += 1

    async def end(self, patience: float = 60.0) -> int:
        """Ask it to end (SIGTERM) and return its exit code.

        Raises:
            TimeoutError: it did not.
        """
        assert self.process
        if self.process.returncode is None:
            self.process.terminate()
        async with asyncio.timeout(patience):
            return await self.process.wait()

    def events(self) -> Iterator[dict[str, Any]]:
        """Everything it logged, oldest first; a line that a kill cut off is left out."""
        for line in self.log.read_text(errors="replace").splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event

    def begun(self) -> Counter[str]:
        """How often each run was begun."""
        return Counter(str(event["run"]) for event in self.events() if event.get("event") == "run_began")

    def begun_twice(self) -> list[str]:
        """Starts (run and fence) that were begun more than once."""
        starts = Counter((str(one["run"]), one["fence"]) for one in self.events() if one.get("event") == "run_began")
        return [
            f"start {fence} of run {run} was begun {count} times" for (run, fence), count in starts.items() if count > 1
        ]
