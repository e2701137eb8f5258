"""What people say in comments: the one table from which the parser, the help text and the README are made."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from bot.machine.visible import visible_text


class Word(StrEnum):
    """What a comment asks for. TEXT is everything that is no command."""

    APPROVE = "approve"
    APPROVE_WITH = "approve with"
    YES = "yes"
    MERGE = "merge"
    RETRY = "retry"
    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    STOP = "stop"
    BUDGET = "budget"
    STATUS = "status"
    WHY = "why"
    HELP = "help"
    TEXT = "text"


@dataclass(frozen=True)
class Command:
    """A parsed comment. `amount` is in US dollars, for `budget`."""

    word: Word
    text: str = ""
    amount: float = 0.0
    names: tuple[str, ...] = ()
    """The protected paths and folders that `approve with` names."""


@dataclass(frozen=True)
class Saying:
    """One row of the table: the spellings, and what they do, for the help text."""

    word: Word
    spellings: tuple[str, ...]
    does: str


SAYINGS: tuple[Saying, ...] = (
    Saying(
        Word.APPROVE,
        ("approve", "approved"),
        "approves what stands in review: the breakdown, the plan, or (turn 3) the merge",
    ),
    Saying(
        Word.APPROVE_WITH,
        ("approve with PATH",),
        "turn 3: the same, also for pull requests that change this protected file; more paths with commas, a folder"
        " ends with `/`",
    ),
    Saying(Word.YES, ("lgtm", "yes", "go"), "approves the breakdown or the plan, never a merge"),
    Saying(Word.MERGE, ("merge",), "turn 3: approves the merge of what the summary showed"),
    Saying(Word.RETRY, ("retry",), "tries again what is blocked"),
    Saying(Word.PAUSE, ("pause",), "starts nothing new here; what runs may finish"),
    Saying(Word.RESUME, ("resume",), "goes on after a pause"),
    Saying(Word.CANCEL, ("cancel",), "gives it up: workers stop, pull requests close"),
    Saying(Word.STOP, ("stop",), "ends running workers at once, keeps what they pushed, and pauses"),
    Saying(Word.BUDGET, ("budget $50",), "sets what this epic may cost"),
    Saying(Word.STATUS, ("status",), "answers how far things are"),
    Saying(Word.WHY, ("why",), "answers what things are waiting for"),
    Saying(Word.HELP, ("help",), "answers with this list"),
)
APPROVES_REVIEW = frozenset({Word.APPROVE, Word.YES})
APPROVES_MERGE = frozenset({Word.APPROVE, Word.APPROVE_WITH, Word.MERGE})

_SPELLINGS = {spelling: saying.word for saying in SAYINGS for spelling in saying.spellings}
_WITH = re.compile(r"approve with ([^\n]{1,4000})", re.I)
_NAME = re.compile(r"`([^`]+)`|([^\s,`]+)")
_BUDGET = re.compile(r"budget\s*:?\s*\$\s*([0-9]{1,7}(?:\.[0-9]{1,2})?)")


def parse(body: str) -> Command:
    """The command that a whole comment is, or TEXT.

    Only plain ASCII words count after NFKC has been ruled out as a trick: a body that NFKC would change, quotes,
    code or anything beside the word itself makes it text (facts/security S-16).
    """
    stripped = body.strip()
    word = stripped.rstrip(".! ").lower()
    if not word.isascii() or unicodedata.normalize("NFKC", stripped) != stripped:
        return Command(Word.TEXT, stripped)
    if match := _WITH.fullmatch(stripped):
        return Command(Word.APPROVE_WITH, stripped, names=_names(match[1]))
    if match := _BUDGET.fullmatch(word):
        return Command(Word.BUDGET, amount=float(match[1]))
    return Command(_SPELLINGS.get(word, Word.TEXT), stripped)


def _names(text: str) -> tuple[str, ...]:
    """The paths that a person named, whatever Linear made of them: links and escapes are read as they are seen."""
    found = (quoted or plain.rstrip(".!;") for quoted, plain in _NAME.findall(visible_text(text)))
    return tuple(dict.fromkeys(name for name in found if name and name.lower() != "and"))
