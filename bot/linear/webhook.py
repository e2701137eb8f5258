"""A webhook of Linear becomes a hint: which issue may have changed. Nothing else in it is believed.

The signature is checked over the raw bytes before anything is parsed. Linear retries after 1 minute, 1 hour and 6
hours with the original body and its timestamp, so an old one is accepted as late, not refused: refusing retries makes
Linear switch the webhook off (facts on Linear, section 1.2).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.engine.port import Delivery
from bot.engine.reception import Reception, Verdict, parse, signed

FRESH = 60.0
"""Seconds for which a webhook counts as fresh; also how far ahead of ours Linear's clock may be."""
LATE = 8 * 3600 + 15 * 60.0
"""Seconds after which one is dropped: the last retry leaves about seven hours after the first attempt."""
_SIGNATURE = re.compile(r"[0-9a-f]{64}")
_DELIVERY = re.compile(r"[0-9A-Za-z-]{1,100}")


def verify(body: bytes, signature: str | None, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed exactly these bytes.

    Raises:
        ValueError: there is no secret, or an empty one.
    """
    if signature is None or not _SIGNATURE.fullmatch(signature):
        signature = ""  # refused below, after the secrets were looked at
    return signed(body, signature, secrets)


def receive(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime, *, own: str = ""
) -> Reception:
    """Judge one request to the webhook address. `headers` is asked for lower-case names.

    `own` is the id of the app user that we are, to leave out what we did: Linear tells an app of some of its own writes
    (facts on Linear, section 1.2). Not a person's, whose comments count.

    Raises:
        ValueError: there is no secret, or an empty one.
    """
    if not verify(body, headers.get("linear-signature"), secrets):
        return Reception(Verdict.UNAUTHORIZED, reason="bad signature")
    name = headers.get("linear-delivery") or ""
    if not _DELIVERY.fullmatch(name):
        return Reception(Verdict.BAD_REQUEST, reason="no delivery id")
    fields = parse(body)
    if fields is None:
        return Reception(Verdict.BAD_REQUEST, reason="not a JSON object of sane depth")
    sent = fields.get("webhookTimestamp")
    if isinstance(sent, bool) or not isinstance(sent, int | float) or not math.isfinite(sent):
        return Reception(Verdict.BAD_REQUEST, reason="no timestamp")
    age = now.timestamp() - sent / 1000
    if age < -FRESH:
        return Reception(Verdict.BAD_REQUEST, reason="timestamp in the future")
    if age > LATE:
        return Reception(Verdict.OK, reason="too old")
    kind, action = str(fields.get("type", "")), str(fields.get("action", ""))
    event = f"{kind}.{action}" if action else kind
    delivery = Delivery("linear", name, event, None, body, now, late=age > FRESH)
    actor = fields.get("actor")
    if own and isinstance(actor, dict) and actor.get("id") == own:
        return _stored(replace(delivery, ignored="our own act"))
    return _reduced(delivery, kind, fields)


class _Tolerant(BaseModel):
    """Other fields are none of our business, and Linear may add some any day."""

    model_config = ConfigDict(extra="ignore")


_Id = Field(pattern=r"^[0-9A-Za-z-]{1,64}$")
_MaybeId = Field(default=None, pattern=r"^[0-9A-Za-z-]{1,64}$")


class _Thing(_Tolerant):
    id: str = _Id


class _Issue(_Thing):
    parentId: str | None = _MaybeId  # noqa: N815  # Linear's name


class _OnIssue(_Thing):
    """A comment, an attachment, a document, or a reaction, on an issue or on something else."""

    issueId: str | None = _MaybeId  # noqa: N815  # Linear's name
    issue: _Thing | None = None
    comment: "_OnIssue | None" = None

    @property
    def subject(self) -> str | None:
        """The issue it is on."""
        if self.issueId or self.issue:
            return self.issueId or (self.issue.id if self.issue else None)
        return self.comment.subject if self.comment else None


def _reduced(delivery: Delivery, kind: str, fields: Mapping[str, Any]) -> Reception:
    parent = None
    try:
        if kind == "Issue":
            issue = _Issue.model_validate(fields.get("data"))
            subject, parent = issue.id, issue.parentId
        elif kind == "Document":  # its payload doesn't name the issue: `resolve` asks for it
            thing = _OnIssue.model_validate(fields.get("data"))
            subject = thing.subject or thing.id
        elif kind in ("Comment", "Attachment", "Reaction", "AgentSessionEvent"):
            what = fields.get("agentSession" if kind == "AgentSessionEvent" else "data")
            found = _OnIssue.model_validate(what).subject
            if found is None:
                return _stored(replace(delivery, ignored=f"{kind} is on no issue"))
            subject = found
        else:
            return _stored(replace(delivery, ignored=f"unknown event type {kind[:40] or '(none)'}"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "data"
        return _stored(replace(delivery, parked=f"malformed {kind}: {where}: {first['msg']}"))
    return Reception(Verdict.OK, replace(delivery, subject=f"linear:{subject}"), parent=parent)


def _stored(delivery: Delivery) -> Reception:
    return Reception(Verdict.OK, delivery, reason=delivery.ignored or delivery.parked or "")
