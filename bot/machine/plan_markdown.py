"""The Markdown below a plan: a row of blocks that know their line, made from markdown-it's tree.

Block quotes, HTML (comments too) and what stands in code blocks are no part of the row, so nothing downstream can take
an example for the real thing. Links, images and entities are left as they are written: nobody follows them here, and
their reading is the one part of the parser that cares which characters an address holds.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline, backtick
from markdown_it.token import Token

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
"""Lines as markdown-it counts them; `str.splitlines` knows more line ends than Markdown does."""
_BOX = re.compile(r"\[([ xX])\](?![(\[])")
_BOX_IN_LINE = re.compile(r"[ \t]*(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t]+)*" + _BOX.pattern)
_NOT_TEXT = {"softbreak": " ", "hardbreak": " ", "html_inline": ""}
_END = "\n\n# end\n"


class Kind(StrEnum):
    """What a block is."""

    HEADING = "heading"
    ITEM = "item"
    """The first paragraph of a list item."""
    TEXT = "text"
    """Any other paragraph."""
    CODE = "code"
    """A fenced or indented block."""


@dataclass(frozen=True)
class Piece:
    """A stretch of a line: text without marks for stress, or a code span."""

    text: str
    mark: str = ""
    """The backticks around a code span; "" for text."""
    broken: bool = False
    """The code span is written over more than one line."""


@dataclass(frozen=True)
class Block:
    """One block of the document, in its order."""

    kind: Kind
    line: int
    """1-based."""
    within: tuple[int, ...] = ()
    """Numbers of the list items it stands in, outermost first; an item's own number is the last."""
    level: int = 0
    """Of a heading, 1 to 6."""
    box: str = ""
    """What an item's box holds: " ", "x" or "X"; "" without a box."""
    pieces: tuple[Piece, ...] = ()
    """Without the box."""
    source: str = ""

    @property
    def text(self) -> str:
        """What it says on one line, code spans in their backticks."""
        return plain(self.pieces)


@dataclass(frozen=True)
class Outline:
    """A document as lines, each with its line end as it stands, and as blocks."""

    lines: tuple[str, ...]
    blocks: tuple[Block, ...]
    unclosed: int
    """Line in which a code block or comment begins that swallows the rest of the document; 0 without one."""


def outline(document: str) -> Outline:
    """Read a document; every text is Markdown, so there is nothing to raise."""
    lines = tuple(_LINE.findall(document))
    # A heading put after the end shows whether the end is still in the open.
    tokens = _PARSER.parse(document.removeprefix("\ufeff") + _END)
    unclosed = 0
    if tokens[-1].type != "heading_close":
        unclosed = 1 + (tokens[-1].map or [0])[0]
    blocks: list[Block] = []
    quotes, items, count = 0, list[int](), 0
    for index, token in enumerate(tokens if unclosed else tokens[:-3]):
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if quotes:
            continue
        if token.type == "list_item_open":
            count += 1
            items.append(count)
        elif token.type == "list_item_close":
            items.pop()
        elif token.type in {"inline", "fence", "code_block"}:
            before = [one.type for one in tokens[max(index - 2, 0) : index]]
            blocks.append(replace(_block(token, before, tokens[index - 1], lines), within=tuple(items)))
    return Outline(lines, tuple(blocks), unclosed)


def box_in(line: str) -> int | None:
    """Where in a list item's first line the character between the brackets stands; None without a box."""
    match = _BOX_IN_LINE.match(line)
    return match.start(1) if match else None


def plain(pieces: tuple[Piece, ...]) -> str:
    """Pieces on one line, code spans in their backticks; what can't be shown becomes U+FFFD."""
    return " ".join("".join(_written(piece) for piece in pieces).split())


def shown(text: str) -> str:
    """The text with every character that nobody can see (control, direction, half a surrogate) made U+FFFD."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _written(piece: Piece) -> str:
    if not piece.mark:
        return " ".join(shown(part) for part in re.split(r"\s+", piece.text))
    pad = " " if "`" in (piece.text[:1], piece.text[-1:]) else ""
    return f"{piece.mark}{pad}{shown(piece.text)}{pad}{piece.mark}"


def _block(token: Token, before: list[str], opening: Token, lines: tuple[str, ...]) -> Block:
    first = (token.map or [0])[0]
    if token.type != "inline":
        return Block(Kind.CODE, first + 1)
    block = Block(Kind.TEXT, first + 1, pieces=_pieces(token), source=token.content)
    if opening.type == "heading_open":
        return replace(block, kind=Kind.HEADING, level=int(opening.tag[1:]))
    if before != ["list_item_open", "paragraph_open"]:
        return block
    box = _BOX.match(token.content)
    # Only what can be ticked in its line is a box, so that ticking what was read can't fail.
    if box is None or box_in(lines[first]) is None:
        return replace(block, kind=Kind.ITEM)
    head, *rest = block.pieces
    return replace(block, kind=Kind.ITEM, box=box[1], pieces=(replace(head, text=head.text[3:]), *rest))


def _pieces(token: Token) -> tuple[Piece, ...]:
    """A paragraph's children with neighbouring text made one piece, so that a piece ends where a code span begins."""
    pieces: list[Piece] = []
    for is_code, group in groupby(token.children or (), key=lambda child: child.type == "code_inline"):
        if is_code:
            pieces += [Piece(child.content, child.markup, child.meta["broken"]) for child in group]
        else:
            pieces.append(Piece("".join(_NOT_TEXT.get(child.type, child.content) for child in group)))
    return tuple(piece for piece in pieces if piece.mark or piece.text)


def _code_span(state: StateInline, silent: bool) -> bool:
    """markdown-it's own rule; it makes a line break in a code span a blank, so what was there is noted."""
    start, before = state.pos, len(state.tokens)
    found = backtick(state, silent)
    if len(state.tokens) > before and state.tokens[-1].type == "code_inline":
        state.tokens[-1].meta["broken"] = "\n" in state.src[start : state.pos]
    return found


def _parser() -> MarkdownIt:
    parser = MarkdownIt().disable(["link", "image", "autolink", "reference", "entity"])
    parser.inline.ruler.at("backticks", _code_span)
    return parser


_PARSER = _parser()
