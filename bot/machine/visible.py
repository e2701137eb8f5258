"""What a person sees of a text: Markdown rendered over its CommonMark tree, without what is there but not shown (S-22).

No list of tricks is kept here. What is taken over is what the tree says is text, code, or the shape of both; comments,
tags, attributes, definitions, titles, addresses, alternative texts and the rest of an info string have no way in. Of
the characters that are left, those that show nothing are dropped, except where they shape an emoji or a script.
"""

import re
import unicodedata
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

_LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,20}")
_TAG = re.compile(r"<(/?)([a-zA-Z][\w-]*)([^>]*)>")
_HIDING = frozenset(
    {"script", "style", "template", "title", "textarea", "noscript", "iframe", "noembed", "noframes", "svg", "math",
     "select", "object", "video", "audio", "canvas", "head", "xmp", "plaintext"}
)  # fmt: skip
"""Elements whose content a page does not show as text."""
_EMPTY = frozenset({"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"})
_HIDDEN = re.compile(r"\bhidden\b|display\s*:\s*none|visibility\s*:\s*hidden|aria-hidden|font-size\s*:\s*0", re.I)

_PICTURE = (
    "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u25fe\u2600-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
)
_SCRIPTS = "\u0600-\u08ff\u0900-\u0dff"
"""Arabic and Indic letters, between which a joiner changes what is seen."""
_FLAGS = "|".join(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
_JOINED = re.compile(
    f"({_FLAGS})"
    f"|(?<=[{_PICTURE}])(\ufe0f)"
    f"|(?<=[0-9#*])(\ufe0f)(?=\u20e3)"
    f"|(?<=[{_PICTURE}\ufe0f])(\u200d)(?=[{_PICTURE}])"
    f"|(?<=[{_SCRIPTS}])([\u200c\u200d])(?=[{_SCRIPTS}])"
)
"""The places in which a character that shows nothing belongs to what is seen."""
_IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    "\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
"""Unicode's default-ignorable code points, and blanks that pass for letters."""


@lru_cache(maxsize=512)
def visible_text(markdown: str) -> str:
    """What a person sees of a Markdown text, as plain Markdown: paragraphs, lists, quotes, tables and code."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return visible_characters(_Renderer().blocks(SyntaxTreeNode(parser.parse(markdown)))).strip()


def visible_characters(text: str) -> str:
    """The text without characters that show nothing: control and format characters, fillers, selectors, tags.

    Joiners and selectors stay where they shape an emoji, or join letters of scripts that are written so.
    """
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    kept, end = list[str](), 0
    for found in _JOINED.finditer(composed):
        kept += [_without_ignorable(composed[end : found.start()]), found[0]]
        end = found.end()
    return "".join((*kept, _without_ignorable(composed[end:])))


def _without_ignorable(text: str) -> str:
    return "".join(
        one
        for one in _IGNORABLE.sub("", text)
        if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cf", "Co", "Cs")
    )


class _Renderer:
    """Writes a tree down again. `_hiding` are the names of the open elements whose content is not shown."""

    def __init__(self) -> None:
        self._hiding: list[str] = []

    def blocks(self, node: SyntaxTreeNode) -> str:
        """The blocks below a node, with a blank line between two."""
        parts = [self._block(child) for child in node.children]
        tight = bool(node.children) and node.children[0].type == "paragraph" and node.children[0].hidden
        return ("\n" if tight else "\n\n").join(part for part in parts if part.strip())

    def _block(self, node: SyntaxTreeNode) -> str:
        if node.type == "html_block":
            self._pass(node.content)
            return ""
        if node.type in ("bullet_list", "ordered_list"):
            return self._list(node)
        if node.type == "blockquote":
            return "\n".join(f"> {line}".rstrip() for line in self.blocks(node).splitlines())
        if node.type == "table":
            rows = [row for part in node.children for row in part.children]
            lines = [f"| {' | '.join(self._inline(cell).replace('|', '/') for cell in row.children)} |" for row in rows]
            return "\n".join((lines[0], f"|{' --- |' * len(rows[0].children)}", *lines[1:]))
        if self._hiding and node.type in ("fence", "code_block", "hr"):
            return ""
        match node.type:
            case "heading":
                return f"{'#' * int(node.tag[1])} {self._inline(node).strip()}"
            case "fence" | "code_block":
                return _fenced(node)
            case "hr":
                return "---"
        return self._inline(node)

    def _list(self, node: SyntaxTreeNode) -> str:
        first = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else None
        items = []
        for number, item in enumerate(node.children, first or 0):
            mark = "- " if first is None else f"{number}. "
            items.append(mark + re.sub(r"\n(?!\n)", "\n" + " " * len(mark), self.blocks(item)))
        return "\n".join(items)

    def _inline(self, node: SyntaxTreeNode) -> str:
        text = "".join(self._piece(child) for child in node.children)
        return text.partition("<!--")[0]  # one that is never closed; not every renderer shows it as text

    def _piece(self, node: SyntaxTreeNode) -> str:
        if node.type == "html_inline":
            self._pass(node.content)
            return ""
        if node.children and node.type != "image":
            return "".join(self._piece(child) for child in node.children)
        if self._hiding:
            return ""
        match node.type:
            case "text":
                return node.content
            case "code_inline":
                fence = "`" * (max((len(run) for run in re.findall("`+", node.content)), default=0) + 1)
                return f"{fence}{node.content}{fence}"
            case "softbreak" | "hardbreak":
                return "\n"
            case "image":
                return "[image]"
        return ""

    def _pass(self, html: str) -> None:
        """Note which elements that hide their content open and close here."""
        for closing, name, attributes in _TAG.findall(html):
            tag = name.lower()
            if closing and tag in self._hiding:
                del self._hiding[len(self._hiding) - 1 - self._hiding[::-1].index(tag) :]
            elif (
                not closing
                and tag not in _EMPTY
                and (tag in _HIDING or tag in self._hiding or _HIDDEN.search(attributes))
            ):
                self._hiding.append(tag)


def _fenced(node: SyntaxTreeNode) -> str:
    language = (node.info.split() or [""])[0]
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", node.content)), default=0) + 1)
    return f"{fence}{language if _LANGUAGE.fullmatch(language) else ''}\n{node.content.rstrip()}\n{fence}"
