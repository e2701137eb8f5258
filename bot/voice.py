"""How the service speaks: a text made of a template, without a secret in it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.machine.inert import disarmed
from bot.words import say


@dataclass(frozen=True)
class Voice:
    """`redact` cuts secrets out of a text."""

    redact: Callable[[str], str] = str

    def says(self, words: str, values: Mapping[str, Any]) -> str:
        """The template `words` with these values: secrets are cut out before it is made harmless, which changes them,
        and after."""
        return self.redact(say(words, {name: _redacted(value, self.redact) for name, value in values.items()}))

    def repeats(self, text: str) -> str:
        """What an agent wrote, as a text in Linear that notifies nobody and loads nothing."""
        return disarmed(self.redact(text), references=False)


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    match value:
        case str() if type(value) is str:
            return redact(value)
        case dict():
            return {name: _redacted(one, redact) for name, one in value.items()}
        case list() | tuple() if type(value) in (list, tuple):
            return type(value)(_redacted(one, redact) for one in value)
    return value
