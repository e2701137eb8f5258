"""Plans damaged at random: reading never fails, and writing changes what it should and not one character more."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.machine import plan

PLAN = """\
# Plan: everything

## Phase 1: Read
- [ ] a list of its own
```sh
- [ ] an example: `rm x`
```
#### Automated Verification:
- [x] Unit tests pass: `make test`
- [ ] Types are right: ``echo `date` ``
1. [ ] Lint (`make lint`)
  - more
   1. [X] nested: `make nested`

#### Manual Verification:
- [ ] With `make run`, the page looks right
* [x] It is quick

Phase 2 - Write
---
> - [ ] quoted: `rm y`

**Automated Checks**
+ [ ] Unit tests pass: `make test`
+ [ ] Unit tests pass: `make test`
+ [ ] By hand

<!-- ## Phase 9: hidden -->
### Phase 3. Tidy
Automated Verification:
- [ ] Unit tests pass:
  `make test`

## Who ticked what

- somebody
"""
MARKS = [
    "\r", "\n", "\r\n", "\n\n", "\0", "\ufeff", "\t", "    ", "`", "``", "```\n", "~~~\n", "[ ]", "[x]", "[", "]", "- ",
    "> ", "1. ", "# ", "## Phase 2: x\n", "#### Automated Verification\n", "**", "<!--", "-->", "<pre>", "---\n",
    "===\n", "\\", ":", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\udcff", "\ud800", "\u202e", "&#xD800;",
    "[a](\udcff)",
    "<http://\udcff>", "- [ ] a: `b`\n", "- [ ] a\n", "- a: `b`\n", "\n## Who ticked what\n", "[a]: b\n",
]  # fmt: skip
WORDS = st.one_of(st.sampled_from(MARKS), st.text(st.characters(), max_size=8))
MANY = settings(max_examples=300, deadline=None)
ENOUGH = settings(max_examples=150, deadline=None)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """The plan after a few accidents."""
    text = PLAN
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 60)))
        lines = text.splitlines(keepends=True)
        row = draw(st.integers(0, len(lines)))
        change = draw(st.sampled_from(["put", "cut", "twice", "row out", "row twice", "rows turned", "ends"]))
        if change == "put":
            text = text[:start] + draw(WORDS) + text[start:]
        elif change == "cut":
            text = text[:start] + text[end:]
        elif change == "twice":
            text = text[:end] + text[start:]
        elif change == "row out":
            text = "".join(lines[:row] + lines[row + 1 :])
        elif change == "row twice":
            text = "".join(lines[: row + 1] + lines[row:])
        elif change == "rows turned":
            text = "".join(lines[row:] + lines[:row])
        else:
            text = re.sub(r"\r\n|\r|\n", draw(st.sampled_from(["\r\n", "\r", "\n"])), text)
    return text


def differences(before: str, after: str) -> list[tuple[int, str, str]]:
    assert len(before) == len(after)
    return [(at, old, new) for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new]


def line_of(document: str, place: int) -> int:
    return 1 + len(re.findall(r"\r\n|\r|\n", document[:place]))


@MANY
@given(damaged() | st.text(st.characters(), max_size=60))
def test_any_text_is_read(document):
    read = plan.read(document)
    rows = len(re.findall(r"\r\n|\r|\n", document)) + 1
    assert [finding.line for finding in read.findings] == sorted(finding.line for finding in read.findings)
    for finding in read.findings:
        assert 1 <= finding.line <= rows
        assert finding.message.isprintable()
    for phase in read.phases:
        assert phase.text
        assert phase.text in document
        assert 1 <= phase.line <= rows
        last = phase.line + len(re.findall(r"\r\n|\r|\n", phase.text))
        assert all(phase.line < item.line <= last for item in (*phase.automated, *phase.manual))
        shown = [
            phase.name,
            *(text for item in (*phase.automated, *phase.manual) for text in (item.label, item.command)),
        ]
        assert all(text.isprintable() for text in shown)
        assert all(item.command for item in phase.automated)
    assert read.findings or read.phases


@MANY
@given(damaged())
def test_ticking_changes_one_character_an_item_and_unticking_takes_it_back(document):
    read = plan.read(document)
    assert plan.tick(document, ()) == document
    items = [item for phase in read.phases for item in (*phase.automated, *phase.manual) if not item.ticked]
    ticked = plan.tick(document, items)
    changes = differences(document, ticked)
    assert [(old, new) for _, old, new in changes] == [(" ", "x")] * len(items)
    assert [line_of(document, at) for at, _, _ in changes] == sorted(item.line for item in items)
    again = plan.read(ticked)
    assert again.digest == read.digest
    assert again.findings == read.findings
    assert all(item.ticked for phase in again.phases for item in (*phase.automated, *phase.manual))
    assert plan.tick(ticked, items, ticked=False) == document


@ENOUGH
@given(damaged(), damaged(), st.integers(1, 3), st.booleans())
def test_nothing_but_ticks_of_the_phase_is_taken_from_a_worker(document, other, number, all_ticked):
    if all_ticked:
        other = other.replace("[ ]", "[x]")
    taken, items = plan.take_ticks(document, other, number)
    changes = differences(document, taken)
    assert [(old, new) for _, old, new in changes] == [(" ", "x")] * len(items)
    if items:
        unticked = {item.line for item in plan.read(document).phase(number).unticked}
        assert {line_of(document, at) for at, _, _ in changes} == {item.line for item in items} <= unticked
        said = [(item.label, item.command) for item in plan.read(other).phase(number).automated if item.ticked]
        assert all((item.label, item.command) in said for item in items)
        assert plan.read(taken).digest == plan.read(document).digest


@ENOUGH
@given(damaged(), st.lists(WORDS, max_size=3))
def test_a_signature_is_part_of_no_phase(document, lines):
    read = plan.read(document)
    if any(finding.fatal for finding in read.findings):
        return
    signed = plan.sign(document, lines)
    start = next(
        (at for at, pair in enumerate(zip(document, signed, strict=False)) if pair[0] != pair[1]), len(document)
    )
    assert signed.startswith(document[:start])
    assert signed.endswith(document[start:].lstrip("\r\n"))
    again = plan.read(signed)
    assert again.digest == read.digest
    assert [phase.text.strip() for phase in again.phases] == [phase.text.strip() for phase in read.phases]
    assert [finding.message for finding in again.findings] == [finding.message for finding in read.findings]
