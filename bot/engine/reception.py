"""What both webhooks have in common: is it signed, is it sane JSON, and what is answered and stored."""

import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from bot.engine.port import Delivery

DEPTH = 64
"""How deeply JSON may be nested."""
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\Z)|[\[\]{}]', re.DOTALL)

_STEPS = {b"[": 1, b"{": 1, b"]": -1, b"}": -1}


class Verdict(IntEnum):
    """The HTTP answer. Its body says nothing: Linear keeps the first 1,000 characters of it."""

    OK = 200
    BAD_REQUEST = 400
    UNAUTHORIZED = 401


@dataclass(frozen=True)
class Reception:
    """What to answer, and what to store; no `delivery` means that nothing is stored, for the reason given.

    `parent` is the issue above the one that the delivery speaks of, when it told.
    """

    verdict: Verdict
    delivery: Delivery | None = None
    reason: str = ""
    parent: str | None = None


def signed(body: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed exactly these bytes; `signature` is HMAC-SHA256 in lower-case hex.

    Raises:
        ValueError: there is no secret, or an empty one.
    """
    if not secrets or not all(secrets):
        raise ValueError("a webhook secret is missing")
    made = (hmac.digest(secret.encode(), body, "sha256").hex() for secret in secrets)
    matches = [hmac.compare_digest(one, signature) for one in made]  # all of them, so that time tells nothing
    return any(matches)


def parse(body: bytes) -> dict[str, Any] | None:
    """The JSON object in a body; None when it is none, or nested too deeply to be worth a look."""
    if body.count(b"[") + body.count(b"{") > DEPTH and _is_too_deep(body):
        return None
    try:
        fields = json.loads(body)
    except ValueError:  # also undecodable bytes
        return None
    return fields if isinstance(fields, dict) else None


def _is_too_deep(body: bytes) -> bool:
    depth = 0
    for token in _STRUCTURE.finditer(body):
        depth += _STEPS.get(token[0], 0)
        if depth > DEPTH:
            return True
    return False
