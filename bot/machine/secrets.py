"""Find secrets in a text: exact known values, what is easily made of them, and what is shaped like one (S-25, S-51)."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""Characters of a known value; shorter ones would be found everywhere."""
_CUT = 7
"""Characters that thieves cut off to deceive those who look for the whole."""
_TELLING = 12
"""Characters of a part that are no accident."""
_SHAPES = (
    r"gh[pousr]_[A-Za-z0-9_.-]{10,}|github_pat_\w{10,}|lin_(?:api|oauth|wh)_\w{8,}|sk-ant-[\w-]{8,}|sk-proj-[\w-]{8,}"
    r"|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}|-----BEGIN [A-Z ]*PRIVATE KEY-----[^-]*-----END [A-Z ]*PRIVATE KEY-----"
)


def pattern_of(secrets: Iterable[str]) -> re.Pattern[str]:
    """What finds these values, their transforms, and everything shaped like a secret, in one pass."""
    known = {form for secret in secrets if len(secret) >= SHORTEST for form in forms(secret)}
    longest_first = sorted(known, key=len, reverse=True)
    return re.compile("|".join([*map(re.escape, longest_first), _SHAPES]))


def without(secret: re.Pattern[str], value: Any) -> Any:
    """Plain JSON with what the pattern finds cut out of its texts."""
    match value:
        case str():
            return secret.sub("[secret]", value)
        case dict():
            return {without(secret, name): without(secret, one) for name, one in value.items()}
        case list():
            return [without(secret, one) for one in value]
    return value


def is_shaped(text: str) -> bool:
    """Whether a text is shaped like a secret, whoever's it is."""
    return re.fullmatch(_SHAPES, text) is not None


def forms(secret: str) -> Iterator[str]:
    """The value itself, its lines, reversed, cut, in base64 (wherever it begins), in hex, and as addresses spell it."""
    raw = secret.encode()
    yield from (secret, secret[::-1], raw.hex(), raw.hex().upper(), quote(secret, safe=""), quote_plus(secret))
    yield json.dumps(secret)[1:-1]
    yield from (line for line in secret.splitlines() if len(line) >= _TELLING)
    yield from (part for part in (secret[_CUT:], secret[:-_CUT]) if len(part) >= _TELLING)
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        inner = encoded[4 if before else 0 : len(encoded) - len(encoded) % 4 - (4 if len(encoded) % 4 == 0 else 0)]
        if len(inner) >= SHORTEST:
            yield from (inner, inner.replace("+", "-").replace("/", "_"))


SHAPED = pattern_of(())
"""Finds what is shaped like a secret, where none is known."""
