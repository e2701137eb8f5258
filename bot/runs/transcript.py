"""Transcripts for people: the lines that an agent's program wrote, as short pieces that say what they are.

Whatever is no line of a known shape is shown as it is; nothing here fails on what an agent wrote.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

LONGEST = 4_000
"""Characters of one piece that are shown."""
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What a terminal would obey, and what turns the direction of writing around."""


@dataclass(frozen=True)
class Piece:
    """One thing that happened: `says`, `does`, `sees`, `ends`, or `line` for what nobody knows.

    `inner`: a subagent did it.
    """

    kind: str
    text: str
    name: str = ""
    inner: bool = False


def pieces(line: bytes) -> Iterator[Piece]:
    """What one line of a transcript tells; nothing for lines that are about the program itself."""
    text = line.decode("utf-8", "replace").strip()
    if not text:
        return
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        yield Piece("line", _cut(text))
        return
    if not isinstance(event, Mapping) or "type" not in event:
        yield Piece("line", _cut(text))
        return
    inner = bool(event.get("parent_tool_use_id"))
    match event["type"]:
        case "assistant" | "user":
            for block in _blocks(event):
                yield from _block(block, inner)
        case "result":
            said = event.get("structured_output")
            summary = said.get("summary") if isinstance(said, Mapping) else ""
            yield Piece("ends", _cut(str(summary or event.get("result") or event.get("subtype") or "")))


def _blocks(event: Mapping[str, Any]) -> list[Any]:
    message = event.get("message")
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return content if isinstance(content, list) else []


def _block(block: Any, inner: bool) -> Iterator[Piece]:
    if not isinstance(block, Mapping):
        return
    match block.get("type"):
        case "text" if str(block.get("text") or "").strip():
            yield Piece("says", _cut(str(block["text"])), inner=inner)
        case "tool_use":
            yield Piece("does", _cut(_given(block.get("input"))), _cut(str(block.get("name") or "")), inner)
        case "tool_result":
            yield Piece("sees", _cut(_content(block.get("content"))), inner=inner)


def _given(given: Any) -> str:
    """What a tool is used on: its one telling argument, else all of them."""
    if isinstance(given, Mapping):
        for name in ("command", "file_path", "pattern", "description", "prompt", "summary"):
            if given.get(name):
                return str(given[name])
        return json.dumps(given, ensure_ascii=False)
    return str(given or "")


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(one.get("text") or "") for one in content if isinstance(one, Mapping))
    return str(content or "")


def _cut(text: str) -> str:
    clean = _ODD.sub("\ufffd", text.strip())
    return clean if len(clean) <= LONGEST else f"{clean[:LONGEST]} … ({len(clean) - LONGEST} characters more)"
