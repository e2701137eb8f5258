"""How the service knows its own things again: ids derived from what they are for, and a signed line in comments.

The marker is an HTML comment, which Linear keeps when it rewrites the Markdown around it. It binds the comment's own
id, so a marker that somebody copies into another comment proves nothing.
"""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import quote, unquote

_MARKER = re.compile(r"<!-- callboard (?P<topic>[\w%:]+) (?P<digest>[0-9a-f]{16}) (?P<proof>[0-9a-f]{64}) -->")


@dataclass(frozen=True)
class Marker:
    """What a marker claims. `digest` is that of the text as we wrote it; Linear stores it changed."""

    topic: str
    digest: str
    proof: str


@lru_cache(maxsize=8192)
def effect_id(*parts: str) -> str:
    """The id of what an effect creates, so that doing it twice is doing it once; the form is that of a UUID v4.

    Linear asks for version 4; whether it refuses other versions is not known (facts on Linear, section 8).
    """
    framed = "".join(f"{len(part)}:{part}," for part in ("callboard", *parts))
    raw = bytearray(hashlib.sha256(framed.encode()).digest()[:16])
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def comment_id(issue: str, topic: str) -> str:
    """The id of our comment about `topic` on an issue (by the issue's id)."""
    return effect_id("comment", issue, topic)


def digest_of(body: str) -> str:
    """The digest of a comment's text that its marker keeps."""
    return hashlib.sha256(body.encode()).hexdigest()[:16]


def mark(body: str, *, issue: str, topic: str, key: str, comment: str = "") -> str:
    """`body` with the marker at its end. `comment` is the comment's id when it isn't the derived one."""
    digest = digest_of(body)
    proof = _proof(key, comment or comment_id(issue, topic), issue, topic, digest)
    return f"{body.rstrip()}\n\n<!-- callboard {_encoded(topic)} {digest} {proof} -->"


def marker_of(body: str) -> Marker | None:
    """The last marker in a comment, unproven; None when there is none."""
    found = next(reversed(list(_MARKER.finditer(body))), None)
    return Marker(unquote(found["topic"]), found["digest"], found["proof"]) if found else None


def without_marker(body: str) -> str:
    """A comment's text as people see it."""
    return _MARKER.sub("", body).rstrip()


def proven(marker: Marker, *, comment: str, issue: str, keys: Sequence[str]) -> bool:
    """Whether one of our keys signed this marker for this comment on this issue."""
    return any(
        hmac.compare_digest(marker.proof, _proof(key, comment, issue, marker.topic, marker.digest)) for key in keys
    )


def _proof(key: str, comment: str, issue: str, topic: str, digest: str) -> str:
    said = "\0".join(("callboard.comment", comment, issue, topic, digest))
    return hmac.digest(key.encode(), said.encode(), "sha256").hex()


def _encoded(topic: str) -> str:
    return re.sub(r"[-.~/]", lambda found: f"%{ord(found[0]):02X}", quote(topic, safe=":"))
