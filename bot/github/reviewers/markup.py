"""Reads a bot's Markdown as a person sees it: text, code, hidden marks, folded sections. Linear in the text's length.

A bot's text repeats what the pull request contains, so words count only where the bot itself puts them: never in code,
never in somebody's quote. Text that is cut off in a comment, a code block or a section has its rest in there.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache


class Kind(Enum):
    """What a line is. A MARK is an HTML comment at the beginning of a line; a CUT says that the text isn't whole."""

    TEXT = auto()
    CODE = auto()
    MARK = auto()
    CUT = auto()


@dataclass(frozen=True)
class Line:
    """A line without its quote marks. `quote` counts them; `alert` is GitHub's coloured box (`> [!NOTE]`)."""

    kind: Kind
    text: str
    quote: int = 0
    alert: bool = False

    @property
    def own(self) -> bool:
        """Whether these are the writer's words: text that is neither code nor quoted, or stands in an alert."""
        return self.kind is Kind.TEXT and (self.quote == 0 or (self.quote == 1 and self.alert))


@dataclass(frozen=True)
class Section:
    """A `<details>` block with the text of its `<summary>`; the whole text is one without a title.

    `quote` counts the quote marks before its beginning.
    """

    title: str
    parts: tuple["Line | Section", ...]
    quote: int = 0

    def lines(self) -> Iterator[Line]:
        """Its lines, those of the sections in it left out."""
        return (part for part in self.parts if isinstance(part, Line))

    @property
    def cut(self) -> bool:
        """Whether the text ends inside a comment, a code block or a section. Known of a whole text only."""
        return any(line.kind is Kind.CUT for line in self.lines())

    def sections(self) -> Iterator["Section"]:
        """The sections in it, at any depth."""
        for part in self.parts:
            if isinstance(part, Section):
                yield part
                yield from part.sections()


_QUOTE = re.compile(r" {0,3}> ?")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_ALERT = re.compile(r"\s*\[!(?:NOTE|TIP|IMPORTANT|WARNING|CAUTION)\]", re.IGNORECASE)
_SPAN_OR_COMMENT = re.compile(r"`[^`]*`|<!--")
_SPAN_OR_TAG = re.compile(r"`[^`]*`|(</?(?:details|summary|blockquote)\b[^<>]*>)", re.IGNORECASE)
_HALF_A_TAG = re.compile(r"<[a-z/!][^<>]*$", re.IGNORECASE)
_BUTTON = '"checkboxId"'  # a box that people tick to make the bot do something: nobody's words
_DEEPEST = 20
_LONGEST_TITLE = 300
_KEPT = 64


@lru_cache(maxsize=_KEPT)
def read(body: str) -> tuple[Line, ...]:
    """The lines of a text, hidden comments taken out of them. Kept a while: a verdict asks for the same ones often."""
    reader = _Reader()
    for raw in body.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        reader.feed(raw)
    return (*reader.lines, *reader.end())


class _Reader:
    """Knows, from line to line, whether it stands in a code block, a hidden comment or an alert."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._fence = ""
        self._fence_quote = 0
        self._hidden = False
        self._alert = False

    def feed(self, raw: str) -> None:
        if self._fence:
            text, quote = _unquoted(raw, self._fence_quote)
            if quote == self._fence_quote:
                self._code(text, quote)
                return
            self._fence = ""  # a code block ends with the quote it stands in
        text, quote = _unquoted(raw, _DEEPEST)
        self._alert = quote > 0 and (self._alert or _ALERT.match(text) is not None)
        opening = None if self._hidden else _FENCE.fullmatch(text)
        if opening and not (opening[1][0] == "`" and "`" in opening[2]):
            self._fence, self._fence_quote = opening[1], quote
            self.lines.append(Line(Kind.CODE, text, quote))
            return
        self._visible(text, quote)

    def end(self) -> Iterator[Line]:
        """A CUT if something is still open, were it a tag."""
        last = self.lines[-1] if self.lines else None
        tag = last is not None and last.kind is Kind.TEXT and _HALF_A_TAG.search(last.text) is not None
        if self._fence or self._hidden or tag:
            yield Line(Kind.CUT, "")

    def _code(self, text: str, quote: int) -> None:
        self.lines.append(Line(Kind.CODE, text, quote))
        closing = _FENCE.fullmatch(text)
        if closing and closing[1].startswith(self._fence) and not closing[2].strip():
            self._fence = ""

    def _visible(self, text: str, quote: int) -> None:
        """Takes hidden comments out of a line; those that begin it are marks."""
        kept, position, button = "", 0, False
        if self._hidden:
            end = text.find("-->")
            if end < 0:
                return
            self._hidden, position = False, end + len("-->")
        while found := _SPAN_OR_COMMENT.search(text, position):
            kept += text[position : found.start()]
            if found[0] != "<!--":
                kept, position = kept + found[0], found.end()
                continue
            end = text.find("-->", found.end())
            if end < 0:
                self._hidden = True
                position = len(text)
                break
            comment, position = text[found.end() : end], end + len("-->")
            button = button or _BUTTON in comment
            if len(kept) < 4 and not kept.strip():
                self.lines.append(Line(Kind.MARK, comment.strip(), quote, self._alert))
        kept += text[position:]
        blank = Line(Kind.TEXT, "", quote, self._alert)
        if kept.strip() and not button:
            self.lines.append(Line(Kind.TEXT, kept, quote, self._alert))
        elif not text.strip() and self.lines[-1:] != [blank]:
            self.lines.append(blank)


def _unquoted(raw: str, most: int) -> tuple[str, int]:
    """A line without its first quote marks, and how many these were."""
    position = depth = 0
    while depth < most and (mark := _QUOTE.match(raw, position)):
        position, depth = mark.end(), depth + 1
    return raw[position:], depth


class _Open:
    """A section that is being read."""

    def __init__(self, quote: int = 0) -> None:
        self.title = ""
        self.parts: list[Line | Section] = []
        self.quote = quote


@lru_cache(maxsize=_KEPT)
def whole(body: str) -> Section:
    """A text as a tree of sections."""
    return fold(read(body))


def fold(lines: Iterable[Line]) -> Section:
    """Lines as a tree of sections. A section that is never closed ends with the text, which then is cut."""
    stack, in_title, too_deep = [_Open()], False, 0
    for line in lines:
        if line.kind is not Kind.TEXT:
            (stack[0] if line.kind is Kind.CUT else stack[-1]).parts.append(line)
            continue
        kept = ""
        for piece, tag in _pieces(line.text):
            if tag and (kept.strip() or in_title):
                _put(stack[-1], kept, line, in_title)
            kept = "" if tag else kept + piece
            name = tag.strip("<>").split()[0].lower() if tag else ""
            if name == "details":
                if len(stack) < _DEEPEST:
                    stack.append(_Open(line.quote))
                else:
                    too_deep += 1
            elif name == "/details" and too_deep:
                too_deep -= 1
            elif name == "/details" and len(stack) > 1:
                _close(stack)
            elif name in ("summary", "/summary"):
                in_title = name == "summary" and len(stack) > 1
        if kept.strip() or not line.text.strip():
            _put(stack[-1], kept, line, in_title)
    if len(stack) > 1:
        stack[0].parts.append(Line(Kind.CUT, ""))
    while len(stack) > 1:
        _close(stack)
    return Section("", tuple(stack[0].parts))


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """A line's text and tags in turn, as (text, "") or ("", tag); tags in code are text."""
    position = 0
    for found in _SPAN_OR_TAG.finditer(text):
        yield text[position : found.start()], ""
        yield ("", found[1]) if found[1] else (found[0], "")
        position = found.end()
    yield text[position:], ""


def _put(section: _Open, text: str, line: Line, in_title: bool) -> None:
    if in_title:
        section.title = f"{section.title} {text.strip()}".strip()[:_LONGEST_TITLE]
    else:
        section.parts.append(Line(line.kind, text, line.quote, line.alert))


def _close(stack: list[_Open]) -> None:
    done = stack.pop()
    stack[-1].parts.append(Section(done.title, tuple(done.parts), done.quote))
