"""How Linear changes Markdown when it stores it. What comes back is never quite what was sent.

Measured by others against the real service (facts: Linear, section 9.1). Which bare names count as domains is taken
from the rules of linkify-it: a file called README.md ends like a domain and becomes a link.
"""

import re
from collections.abc import Callable

_HTML_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FENCE = re.compile(r"^\s*(```|~~~)")
_ITEM = re.compile(r"^(\s*)([-+*]|\d+[.)])(\s+)(.*)$")
_TOKEN = re.compile(
    r"(?P<code>`+[^`]*`+)"
    r"|(?P<image>!\[[^\]]*\]\([^)]*\))"
    r"|\[(?P<text>(?:[^\[\]]|\[[^\[\]]*\])*)\]\((?P<target><[^>]*>|[^)\s]*)\)"
    r"|(?P<angle><[^>\s]+>)"
    r"|(?P<url>https?://[^\s<>()\[\]`\"']*[^\s<>()\[\]`\"'.,;:!?*_])"
    r"|(?P<email>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)"
    r"|(?P<domain>(?<![\w./@-])[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.(?:com|org|net|edu|gov|info|io|md|me|py|sh)(?![\w/@-]|\.\w))"
)


def stored(text: str, *, loosen_lists: bool = True) -> str:
    """What Linear keeps of `text`: bullets, links, spaces and blank lines rewritten; HTML comments survive.

    Storing what was stored changes nothing more.
    """
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match.group())
        return f"\x00{len(kept) - 1}\x00"

    text = _HTML_COMMENT.sub(keep, text.replace("\r\n", "\n"))
    text = "\n".join(_lines(text.split("\n"), loosen_lists)).strip("\n")
    return re.sub("\x00(\\d+)\x00", lambda match: kept[int(match.group(1))], text)


def _lines(lines: list[str], loosen_lists: bool) -> list[str]:
    out: list[str] = []
    in_fence = in_list = False
    for raw in lines:
        line = raw.rstrip() if not in_fence else raw
        if _FENCE.match(line):
            in_fence = not in_fence
            out.append(line)
        elif in_fence:
            out.append(_TOKEN.sub(_linked_in_code, line))
        elif not line:
            if out and out[-1]:
                out.append("")
        elif item := _ITEM.match(line):
            if loosen_lists and in_list and out[-1]:
                out.append("")
            in_list = True
            indent, mark, gap, rest = item.groups()
            mark, gap = ("*", " ") if mark in "-+*" else (mark, gap)
            out.append(f"{indent if out else ''}{mark}{gap}{_TOKEN.sub(_linked, rest)}")
        else:
            in_list = in_list and line.startswith(" ")
            if not in_list and not line.startswith("    "):
                line = line.lstrip(" ")
            out.append(_TOKEN.sub(_linked, line))
    return out


def _linked(match: re.Match[str]) -> str:
    target = match.group("target")
    if target is not None:
        address = target if target.startswith("<") else f"<{target}>"
        return f"[{match.group('text')}]({address})"
    return _autolinked(match)


def _linked_in_code(match: re.Match[str]) -> str:
    return match.group() if match.group("target") is not None else _autolinked(match)


def _autolinked(match: re.Match[str]) -> str:
    address: dict[str, Callable[[str], str]] = {
        "url": lambda found: found,
        "email": lambda found: f"mailto:{found}",
        "domain": lambda found: f"http://{found}",
    }
    for kind, of in address.items():
        if found := match.group(kind):
            return f"[{found}](<{of(found)}>)"
    return match.group()
