"""Every request that reached the scripted model, byte for byte."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Entry:
    """One request: its exact body, its headers with lower-case names, and the run's ticket and prompt, if any."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    task: str
    prompt: str

    @property
    def json(self) -> Body:
        """The body, read."""
        read: Body = json.loads(self.body)
        return read


@dataclass
class Log:
    """What was asked, in order."""

    entries: list[Entry] = field(default_factory=list)

    def of(self, task: str = "", prompt: str = "") -> list[Entry]:
        """The requests of one ticket, one prompt, or both."""
        return [
            entry
            for entry in self.entries
            if (not task or entry.task == task) and (not prompt or entry.prompt == prompt)
        ]
