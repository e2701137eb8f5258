"""The verification items of one phase, and what is wrong with them.

An item is `` - [ ] What it shows: `command` ``. Its command is its only code span; where it has several, the one after
the last colon. When that leaves more than one, a guess could run the wrong command or leave one out, so the plan is
refused: for the same reason everything that looks like a command and would silently not be run is fatal.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from bot.machine.plan_markdown import Block, Kind, Piece, plain, shown

_FORM = "`` - [ ] What it shows: `command` ``"
_NAME = r"[\W_]*(?:(automated)|(manual))(?:\s+(?:verifications?|checks?|(?:success\s+)?criteria)\b|(?=\W*\Z))"
_SECTION = re.compile(_NAME, re.I)
_SECTION_ALONE = re.compile(_NAME + r"\W*(?:\([^)]*\)\W*)?\Z", re.I)
_COLON = re.compile(r"[:：](?=\s|\Z)")
_BOX_LINE = re.compile(r"^[ \t]*(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t]+)?\[[ xX]?\](?![(\[])", re.M)
_EDGE = " :：-–—("
_LONGEST_NAME = 200
"""Characters; a longer text names no section."""
_LONGEST_QUOTE = 80
_BELOW_HEADINGS = 7
"""The level of a section that a paragraph opens: any heading ends it."""


@dataclass(frozen=True)
class Item:
    """One verification item of a phase."""

    label: str
    """The text before the command without its colon, else the text after it, else ""; all of a manual item's text."""
    command: str
    """As it is run; "" for a manual item."""
    ticked: bool
    line: int
    """1-based line in the document."""


@dataclass(frozen=True)
class Finding:
    """Something wrong with a plan."""

    line: int
    message: str
    """One sentence: what is wrong, and what to write instead."""
    fatal: bool
    """The plan can't be run with it."""


@dataclass(frozen=True)
class Verification:
    """How a phase is verified, as far as it could be read."""

    automated: tuple[Item, ...]
    manual: tuple[Item, ...]
    findings: tuple[Finding, ...]


def verification(blocks: Sequence[Block]) -> Verification:
    """The items of a phase. An automated item without a command is a manual one: nothing but a person can try it."""
    automated, manual, findings = list[Item](), list[Item](), list[Finding]()
    sections = list(_sections(blocks))
    for name, section in sections:
        for result in _automated(section) if name == "automated" else _manual(section):
            if isinstance(result, Finding):
                findings.append(result)
            else:
                (automated if result.command else manual).append(result)
    by_line = sorted(manual, key=lambda item: item.line)
    return Verification(tuple(automated), tuple(by_line), tuple(findings))


def section_name(block: Block) -> str:
    """ "automated" or "manual" for a heading, or a paragraph of its own, that names such a section; else ""."""
    if block.kind is Kind.CODE or block.box or len(block.source) > _LONGEST_NAME:
        return ""
    match = (_SECTION if block.kind is Kind.HEADING else _SECTION_ALONE).match(block.text)
    return (match[1] or match[2]).lower() if match else ""


def _sections(blocks: Sequence[Block]) -> Iterator[tuple[str, list[Block]]]:
    """Each section with its blocks. A deeper heading stays in it; one of its own level or above ends it."""
    name, level, section = "", 0, list[Block]()
    for block in blocks:
        named = section_name(block)
        if named or (block.kind is Kind.HEADING and block.level <= level):
            if name:
                yield name, section
            level = block.level or _BELOW_HEADINGS
            name, section = named, []
        else:
            section.append(block)
    if name:
        yield name, section


def _automated(section: Sequence[Block]) -> Iterator[Item | Finding]:
    boxes = {block.within for block in section if block.box}
    followed = _followed_by_code(section)
    items = any(block.kind is Kind.ITEM for block in section)
    for index, block in enumerate(section):
        inside = _inside(section, index)
        if block.box:
            yield from _command_item(block, inside, followed[index])
        elif block.kind is Kind.ITEM and not _detail(block, boxes) and all(map(_no_box, inside)):
            yield _without_box(block, followed[index] or any(map(_code, (block, *inside))))
        elif block.kind is Kind.CODE and not items:
            message = f"What stands in this code block is never run: write each command as {_FORM}."
            yield Finding(block.line, message, True)
        if _BOX_LINE.search(block.source, 0 if block.kind is Kind.TEXT else _first_line(block)):
            message = f"A box in running text is no item: begin a list item of its own, as {_FORM}."
            yield Finding(block.line, message, _code(block))


def _manual(section: Sequence[Block]) -> Iterator[Item | Finding]:
    boxes = {block.within for block in section if block.box}
    for index, block in enumerate(section):
        if block.kind is not Kind.ITEM:
            continue
        if block.box and block.text:
            yield Item(block.text, "", block.box != " ", block.line)
        elif block.box:
            yield _empty(block)
        elif not _detail(block, boxes) and all(map(_no_box, _inside(section, index))):
            yield _without_box(block, False)


def _command_item(block: Block, inside: Sequence[Block], followed: bool) -> Iterator[Item | Finding]:
    candidates = _candidates(block.pieces)
    command = shown(block.pieces[candidates[-1]].text.strip()) if candidates else ""
    if not command:
        yield from _commandless(block, inside, followed)
        return
    label = _label(block.pieces, candidates[-1])
    yield Item(label, command, block.box != " ", block.line)
    if any(block.pieces[index].broken for index in candidates):
        yield _split(block)
    elif len(candidates) > 1:
        told = ", ".join(_quoted(shown(block.pieces[index].text.strip())) for index in candidates)
        message = f"This item's command may be any of {told}: write one item for each command, as {_FORM}."
        yield Finding(block.line, message, True)
    elif _open(block):
        yield _left_open(block)
    if "\ufffd" in command:
        message = f"The command {_quoted(command)} holds characters that can't be seen (here \ufffd): type it anew."
        yield Finding(block.line, message, True)


def _commandless(block: Block, inside: Sequence[Block], followed: bool) -> Iterator[Item | Finding]:
    if not block.text:
        yield _empty(block)
    elif _open(block):
        yield _left_open(block)
    elif followed or any(map(_code, takewhile(_no_box, inside))):
        yield _split(block)
    elif all(map(_no_box, inside)):  # else it is a title for the items in it
        yield Item(block.text, "", block.box != " ", block.line)
        message = (
            f"{_quoted(block.text)} has no command, so a person must try it: write {_FORM}, or make it a manual item."
        )
        yield Finding(block.line, message, False)


def _candidates(pieces: Sequence[Piece]) -> list[int]:
    """Where the code spans stand that can be the command: those after the last colon before one, else all."""
    spans = [index for index, piece in enumerate(pieces) if piece.mark]
    colons = [
        index
        for index, piece in enumerate(pieces[: spans[-1]] if spans else ())
        if not piece.mark and _COLON.search(piece.text)
    ]
    return [index for index in spans if index > colons[-1]] if colons else spans


def _label(pieces: tuple[Piece, ...], command: int) -> str:
    before = plain(pieces[:command]).rstrip(_EDGE).lstrip()
    return before or plain(pieces[command + 1 :]).strip(_EDGE)


def _inside(section: Sequence[Block], index: int) -> Sequence[Block]:
    """The blocks within the list item that begins at `index`."""
    own, end = section[index].within, index + 1
    while own and end < len(section) and section[end].within[: len(own)] == own:
        end += 1
    return section[index + 1 : end]


def _followed_by_code(section: Sequence[Block]) -> list[bool]:
    """For each block whether a code block comes after it and before the next box."""
    followed, code = list[bool](), False
    for block in reversed(section):
        followed.append(code)
        code = block.kind is Kind.CODE or (code and not block.box)
    return followed[::-1]


def _detail(block: Block, boxes: set[tuple[int, ...]]) -> bool:
    """Whether a list item stands within one that has a box, and so says more about it."""
    return any(block.within[:depth] in boxes for depth in range(1, len(block.within)))


def _code(block: Block) -> bool:
    return block.kind is Kind.CODE or any(piece.mark for piece in block.pieces)


def _no_box(block: Block) -> bool:
    return not block.box


def _open(block: Block) -> bool:
    return any("`" in piece.text for piece in block.pieces if not piece.mark)


def _first_line(block: Block) -> int:
    end = block.source.find("\n")
    return len(block.source) if end < 0 else end + 1


def _quoted(text: str) -> str:
    return f"“{text}”" if len(text) <= _LONGEST_QUOTE else f"“{text[:_LONGEST_QUOTE]}…”"


def _split(block: Block) -> Finding:
    message = f"The command of {_quoted(block.text)} is split over lines: write it on the item's own line, as {_FORM}."
    return Finding(block.line, message, True)


def _left_open(block: Block) -> Finding:
    return Finding(
        block.line, f"A backtick is left open, so the command can't be told: write {_FORM} on one line.", True
    )


def _empty(block: Block) -> Finding:
    return Finding(block.line, "This box has nothing beside it: say what is verified, or take it away.", False)


def _without_box(block: Block, told: bool) -> Finding:
    form = _FORM if told else "`- [ ] …`"
    return Finding(block.line, f"{_quoted(block.text)} has no box to tick, so it is no item: write it as {form}.", told)
