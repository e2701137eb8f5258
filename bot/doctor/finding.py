"""What a check found: data for a machine, a sentence for people, and how bad it is."""

from dataclasses import dataclass
from enum import StrEnum

from bot.words import findings


class Level(StrEnum):
    """How bad it is: WARN works, but worse than it could; FAIL does not work; a NOTE is only worth knowing."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Finding:
    """What one check found about something, why it matters, and what mends it; the last two are empty when all is well.

    `code` names the kind of finding for machines (`bot/words/findings.toml`).
    """

    code: str
    level: Level
    about: str
    what: str
    why: str = ""
    mend: str = ""

    @property
    def well(self) -> bool:
        """Whether there is nothing to mend."""
        return self.level in (Level.OK, Level.NOTE)


def found(code: str, about: str, **values: object) -> Finding:
    """The finding with this code, its sentences filled in.

    Raises:
        KeyError: there is no such finding, or a value is missing.
    """
    words = findings()[code]
    filled = {name: words.get(name, "").format(**values) for name in ("what", "why", "mend")}
    return Finding(code, Level(words["level"]), about, **filled)
