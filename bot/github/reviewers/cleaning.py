"""Makes a bot's finding readable: without the parts that were written for machines or to please."""

import re
from collections.abc import Iterable

from bot.github.reviewers.markup import Kind, Line, Section
from bot.github.reviewers.said import Severity

LONGEST = 8_000
"""Characters of a finding's text; more is cut with a note."""

_CHATTER = re.compile(
    r"prompt for .*\bai\b|\bai agents?\b|analysis chain|script executed|web query|review details|run configuration"
    r"|review info|^\W*commits\b|files (?:selected|ignored|not reviewed|skipped)|learnings?\b|context used|^\W*tools\b"
    r"|additional context|about codex|finishing touches|^\W*tips\b|^\W*share\b|code graph|verification agent",
    re.IGNORECASE,
)
_COMMITTABLE = re.compile(r"committable suggestion", re.IGNORECASE)
_IDLE = re.compile(
    r"carefully review the code before committing|^\W*IMPORTANT\W*$|useful\? react with|copilot uses ai\. check"
    r"|fix (?:in|all in) (?:cursor|web|claude)|reviewed by \[?cursor bugbot|thanks for using \[?coderabbit"
    r"|`@coderabbitai help`|copilot custom instructions|learn (?:more in the docs|how to get started)"
    r"|doesn't match your team's coding style|knowledge base used",
    re.IGNORECASE,
)
_LABELS = re.compile(r"\s*_[^_]+_(?:\s*\|\s*_[^_]+_)*\s*")
_SPAN_OR_MARKUP = re.compile(
    r"`[^`]*`"
    r"|(!\[[^\[\]]*\]\([^()]*\)"
    r"|</?(?:details|summary|blockquote|su[bp]|picture|source|img|a|div|p|br|b|i|em|strong|h[1-6])\b[^<>]*>"
    r"|&nbsp;)",
    re.IGNORECASE,
)
_BADGE = re.compile(r"(?:\*\*|<(?!img\b)[^<>]*>)*(?:!\[([^\]]*)\]|<img\b[^<>]*\balt=\"([^\"]*)\")", re.IGNORECASE)
_BLANKS = re.compile(r"\n{3,}")

_SEVERITIES = (  # the first that is found wins: they stand in the order of their weight
    (Severity.CRITICAL, re.compile(r"\bcritical\b|\bP0\b", re.IGNORECASE)),
    (Severity.MAJOR, re.compile(r"\bmajor\b|\bhigh\b|\bP1\b", re.IGNORECASE)),
    (Severity.MINOR, re.compile(r"\bminor\b|\bmedium\b|\blow\b|\bP[23]\b", re.IGNORECASE)),
    (Severity.NITPICK, re.compile(r"\bnitpick\b|\btrivial\b", re.IGNORECASE)),
)


def severity_in(label: str) -> Severity:
    """The severity that a bot's label names, such as `_⚠️ Potential issue_ | _🟠 Major_`. Not for a finding's prose."""
    label = label.replace("_", " ")
    if re.search(r"\bnitpick\b", label, re.IGNORECASE):  # its label may go on: `_🧹 Nitpick_ | _🟡 Minor_`
        return Severity.NITPICK
    return next((severity for severity, words in _SEVERITIES if words.search(label)), Severity.UNKNOWN)


def badge(line: str) -> str:
    """What the picture at the beginning of a line says: `P1 Badge`, `Medium`. The words after it are prose."""
    found = _BADGE.match(line.strip())
    return (found[1] or found[2]) if found else ""


def labels(parts: Iterable[Line | Section]) -> str:
    """The line of labels that begins a finding, or nothing."""
    for part in parts:
        if isinstance(part, Line) and part.kind is Kind.TEXT and part.text.strip():
            return part.text.strip() if _LABELS.fullmatch(part.text) else ""
    return ""


def readable(parts: Iterable[Line | Section]) -> str:
    """The text of a finding: visible words and code, no prompts for agents, no tool output, no advertisement."""
    text = "\n".join(_rendered(tuple(parts)))
    text = _BLANKS.sub("\n\n", text).strip().removesuffix("---").strip()
    return text if len(text) <= LONGEST else text[:LONGEST].rstrip() + "\n[the rest is cut]"


def _rendered(parts: tuple[Line | Section, ...]) -> list[str]:
    has_patch = any(_is_patch(part) for part in parts)
    out: list[str] = []
    for part in parts:
        if isinstance(part, Section):
            if _CHATTER.search(part.title) or (has_patch and _COMMITTABLE.search(part.title)):
                out.append("")
                continue
            out += ["", f"{plain(part.title)}:" if part.title else "", "", *_rendered(part.parts), ""]
        elif part.kind is Kind.CODE:
            out.append(part.text)
        elif part.kind is Kind.TEXT and not _LABELS.fullmatch(part.text) and not _IDLE.search(part.text):
            out.append(plain(part.text))
    return out


def plain(text: str) -> str:
    """A line of text without images and layout tags; what stands in code is kept."""
    return _SPAN_OR_MARKUP.sub(lambda found: "" if found[1] else found[0], text).rstrip()


def _is_patch(part: Line | Section) -> bool:
    """Whether it shows the change in another way than as a committable suggestion."""
    if isinstance(part, Line):
        return part.kind is Kind.CODE and part.text.strip().lower().startswith(("```diff", "````diff"))
    return not _COMMITTABLE.search(part.title) and any(_is_patch(inner) for inner in part.parts)


def quotable(text: str, longest: int = 160) -> str:
    """A bot's own words, short and without anything that acts in Markdown, to stand in a sentence for people."""
    words = " ".join(re.sub(r"[`*_#<>\[\](){}@|~\\]", "", text).split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"
