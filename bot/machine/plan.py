"""The plan of a ticket: phases, how each is verified, and what of that is ticked.

The file is written by agents and edited by people, so it is read through its Markdown tree with much patience, and
changed one character at a time. What would be lost without a word (a phase that isn't read as one, a command that
would never run) is a finding; the reading itself never fails.
"""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from bot.machine.plan_items import Finding, Item, section_name, verification
from bot.machine.plan_markdown import Block, Kind, Outline, box_in, outline

__all__ = ["Finding", "Item", "Phase", "Plan", "read", "sign", "take_ticks", "tick"]

SIGNED = "Who ticked what"
"""The heading of the section in which the service says who ticked an item."""
_PHASE = re.compile(r"[\W_]*phase[\s#]*([0-9]{1,6})(?![0-9])(\s*)(.*)", re.I | re.S)
_SEPARATOR = re.compile(r"[:：.)|\-–—−]+\s*")
Headings = dict[int, tuple[int, str]]
"""Where in the blocks a phase begins: its number and name."""
_LIKE_HEADING = re.compile(r"(?:#{1,6}[ \t]*|\*\*|__)[\W_]*phase", re.I)


@dataclass(frozen=True)
class Phase:
    """One phase of a plan; it becomes one commit."""

    number: int
    name: str
    text: str
    """Its Markdown as it stands, heading included."""
    automated: tuple[Item, ...]
    manual: tuple[Item, ...]
    line: int
    """1-based line of its heading."""
    digest: str
    """Sha256 (hex) over what it says: ticks, line ends and blanks at the end of a line don't count."""

    @property
    def unticked(self) -> tuple[Item, ...]:
        """The automated items that nobody has ticked yet."""
        return tuple(item for item in self.automated if not item.ticked)


@dataclass(frozen=True)
class Plan:
    """A plan as it was read."""

    title: str
    phases: tuple[Phase, ...]
    """In the order of the document. They run in the order of their numbers."""
    findings: tuple[Finding, ...]
    """In the order of their lines."""
    digest: str
    """Sha256 (hex) over the phases' digests."""

    def phase(self, number: int) -> Phase:
        """The phase with this number.

        Raises:
            KeyError: there is none.
        """
        for phase in self.phases:
            if phase.number == number:
                return phase
        raise KeyError(number)


def read(document: str) -> Plan:
    """The plan that a document holds, whoever edited it, and everything that is wrong with it."""
    return _plan(outline(document))


def tick(document: str, items: Iterable[Item], ticked: bool = True) -> str:
    """The document with these items ticked (or unticked), and every other character as it was.

    Raises:
        ValueError: an item isn't one of this document's.
    """
    tree = outline(document)
    known = {
        (item.line, item.label, item.command)
        for phase in _plan(tree).phases
        for item in (*phase.automated, *phase.manual)
    }
    lines = list(tree.lines)
    for item in items:
        line = lines[item.line - 1] if (item.line, item.label, item.command) in known else ""
        place = box_in(line)
        if place is None:
            raise ValueError(f"“{item.label}” is no item of this plan's line {item.line}")
        if (line[place] != " ") is not ticked:
            lines[item.line - 1] = line[:place] + ("x" if ticked else " ") + line[place + 1 :]
    return "".join(lines)


def take_ticks(document: str, other: str, number: int) -> tuple[str, tuple[Item, ...]]:
    """The document with those automated items of a phase ticked that are ticked in `other`, and these items.

    Nothing else of `other` is believed, whatever a worker made of it: an item counts as the same when its phase has the
    same number, and it has the same label and command; the same item twice is matched in order. A number that either
    document has twice says nothing.
    """
    mine, theirs = _only(document, number), _only(other, number)
    if mine is None or theirs is None:
        return document, ()
    ticks = defaultdict[tuple[str, str], list[bool]](list)
    for item in reversed(theirs.automated):
        ticks[item.label, item.command].append(item.ticked)
    taken = []
    for item in mine.automated:
        said = ticks[item.label, item.command]
        if (said.pop() if said else False) and not item.ticked:
            taken.append(replace(item, ticked=True))
    return tick(document, taken), tuple(taken)


def sign(document: str, lines: Iterable[str]) -> str:
    """The document with these lines as bullets at the end of its section “Who ticked what”, made if missing.

    The plan must have no fatal finding: what is put behind a code block without an end would be a part of it.
    """
    ends = re.search(r"\r\n|\r|\n", document)
    end = ends[0] if ends else "\n"
    bullets = [f"- {' '.join(line.split())}{end}" for line in lines]
    if not bullets:
        return document
    tree = outline(document)
    rows = list(tree.lines)
    tops = [block for block in tree.blocks if _top(block)]
    section = next((i for i in reversed(range(len(tops))) if _signed(tops[i])), None)
    place = len(rows)
    if section is not None and section + 1 < len(tops):
        place = tops[section + 1].line - 1
    while place and not rows[place - 1].strip(" \t\r\n"):
        place -= 1
    if place and not rows[place - 1].endswith(("\r", "\n")):
        rows[place - 1] += end
    if section is None:
        bullets = [*([end] if place else []), f"## {SIGNED}{end}", end, *bullets]
    elif not rows[place - 1].startswith("- "):
        bullets.insert(0, end)
    return "".join([*rows[:place], *bullets, *rows[place:]])


def _plan(tree: Outline) -> Plan:
    headings = _headings(tree.blocks)
    parts = [_part(tree, headings, start) for start in headings]
    phases = tuple(phase for phase, _ in parts)
    findings = [finding for _, found in parts for finding in found]
    findings += [*_numbering(phases), *_lost(tree, headings), *_homeless(tree, headings)]
    if tree.unclosed:
        message = "The code block or comment that begins here has no end, and hides what follows: close it."
        findings.append(Finding(tree.unclosed, message, True))
    titles = (b.text for i, b in enumerate(tree.blocks) if _top(b) and b.level == 1 and i not in headings)
    digest = hashlib.sha256("".join(phase.digest for phase in phases).encode()).hexdigest()
    return Plan(next(titles, ""), phases, tuple(sorted(findings, key=lambda one: one.line)), digest)


def _top(block: Block) -> bool:
    return block.kind is Kind.HEADING and not block.within


def _signed(block: Block) -> bool:
    return block.text.strip(" :").casefold() == SIGNED.casefold()


def _headings(blocks: Sequence[Block]) -> Headings:
    """The headings that begin a phase.

    “Phase 2 notes”, with nothing between number and words, begins a phase only where no other heading does for 2.
    """
    sure, unsure = Headings(), Headings()
    for index, block in enumerate(blocks):
        match = _PHASE.match(block.text) if _top(block) else None
        if match is None or _part_number(match):
            continue
        separator = _SEPARATOR.match(match[3])
        name = match[3][separator.end() :] if separator else match[3]
        (sure if separator or not match[3] else unsure)[index] = (int(match[1]), name.strip())
    numbers = {number for number, _ in sure.values()}
    return dict(sorted({**sure, **{i: one for i, one in unsure.items() if one[0] not in numbers}}.items()))


def _part_number(match: re.Match[str]) -> bool:
    """Whether the number goes on, as in “2.1”, “2a” and “1-3”."""
    return not match[2] and re.match(r"\w|[.\-–—−/][0-9]", match[3]) is not None


def _part(tree: Outline, headings: Headings, start: int) -> tuple[Phase, list[Finding]]:
    number, name = headings[start]
    heading = tree.blocks[start]
    after = _end(tree.blocks, headings, start)
    blocks = tree.blocks[start + 1 : after]
    last = tree.blocks[after].line - 1 if after < len(tree.blocks) else len(tree.lines)
    rows = tree.lines[heading.line - 1 : last]
    found = verification(blocks)
    findings = list(found.findings)
    if not name:
        findings.append(Finding(heading.line, f"Phase {number} has no name: write `## Phase {number}: Name`.", False))
    if not found.automated and not any(finding.fatal for finding in findings):
        what = "only a person can verify it" if found.manual else "nothing verifies it"
        message = f"Phase {number} has no automated item, so {what}: add one below `#### Automated Verification:`."
        findings.append(Finding(heading.line, message, False))
    digest = _digest(rows, [block.line - heading.line for block in blocks if block.box])
    return Phase(number, name, "".join(rows), found.automated, found.manual, heading.line, digest), findings


def _end(blocks: Sequence[Block], headings: Headings, start: int) -> int:
    """Where in the blocks a phase is over: the next phase, the signatures, or a heading of its own level or above.

    “Phase 2.1” is a part of phase 2 at any level.
    """
    number, level = headings[start][0], blocks[start].level
    for index in range(start + 1, len(blocks)):
        block = blocks[index]
        if not _top(block):
            continue
        match = _PHASE.match(block.text)
        part = match is not None and _part_number(match) and int(match[1]) == number
        if index in headings or _signed(block) or (block.level <= level and not part):
            return index
    return len(blocks)


def _digest(rows: Sequence[str], boxes: Iterable[int]) -> str:
    lines = [row.removeprefix("\ufeff").rstrip(" \t\r\n") for row in rows]
    for index in boxes:
        place = box_in(lines[index])
        if place is not None:
            lines[index] = lines[index][:place] + " " + lines[index][place + 1 :]
    text = "\n".join(lines).rstrip("\n")
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _numbering(phases: Sequence[Phase]) -> Iterator[Finding]:
    if not phases:
        yield Finding(1, "The plan has no phase: each phase is a heading such as `## Phase 1: Name`.", True)
    first, highest = dict[int, int](), 0
    for phase in phases:
        if phase.number == 0:
            yield Finding(phase.line, "A phase can't have the number 0: number the phases from 1.", True)
        if phase.number in first:
            message = f"Phase {phase.number} stands in line {first[phase.number]} and in line {phase.line}"
            yield Finding(phase.line, f"{message}: give each phase a number of its own.", True)
        elif phase.number < highest:
            message = f"Phase {phase.number} stands after phase {highest}, but they run in the order of their numbers"
            yield Finding(phase.line, f"{message}: put them in that order.", False)
        first.setdefault(phase.number, phase.line)
        highest = max(highest, phase.number)
    for before, number in pairwise([0, *sorted(first)]):
        if number > before + 1:
            message = f"There is no phase {before + 1} before phase {number}: number the phases from 1 without a gap."
            yield Finding(first[number], message, False)


def _lost(tree: Outline, headings: Headings) -> Iterator[Finding]:
    """What looks like a phase that the plan doesn't have otherwise, and isn't read as one."""
    numbers = {number for number, _ in headings.values()}
    for _, block in _unsigned(tree.blocks):
        alike = block.kind is Kind.HEADING or (block.kind is Kind.TEXT and _LIKE_HEADING.match(block.source))
        match = _PHASE.match(block.text) if alike else None
        if match and int(match[1]) not in numbers:
            form = f"`## Phase {int(match[1])}: Name`"
            message = (
                f"“{block.text[:80]}” isn't read as a phase: make it a heading of its own with a whole number, {form}."
            )
            yield Finding(block.line, message, True)


def _homeless(tree: Outline, headings: Headings) -> Iterator[Finding]:
    """Automated verification that belongs to no phase."""
    inside = {index for start in headings for index in range(start, _end(tree.blocks, headings, start))}
    outside = [block for index, block in _unsigned(tree.blocks) if index not in inside]
    unrun = bool(verification(outside).automated)
    for block in outside if headings else ():
        if section_name(block) == "automated":
            message = (
                "This belongs to no phase and never runs: put it into one, below a deeper heading than the phase's."
            )
            yield Finding(block.line, message, unrun)


def _unsigned(blocks: Sequence[Block]) -> Iterator[tuple[int, Block]]:
    """All blocks with their index, but those of the section “Who ticked what”."""
    signed = False
    for index, block in enumerate(blocks):
        signed = _signed(block) if _top(block) else signed
        if not signed:
            yield index, block


def _only(document: str, number: int) -> Phase | None:
    phases = [phase for phase in read(document).phases if phase.number == number]
    return phases[0] if len(phases) == 1 else None
