"""Records on Linear: metadata of one attachment per issue, signed, with a few plain fields for people beside it.

Only the signed text is believed. It names its issue, so a record that is copied to another issue is refused; and
it can be read with several keys, so that a key can be changed while records of the old one are still about.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from itsdangerous import BadData, URLSafeSerializer
from pydantic import TypeAdapter, ValidationError

from bot.machine.record import Record

_RECORD = TypeAdapter(Record)
FIELD = "callboard"
"""The metadata field that holds the signed text."""


@dataclass(frozen=True)
class Refusal:
    """Why a record that was found is not believed."""

    reason: str


def seal(record: Record, key: str) -> dict[str, Any]:
    """The metadata that keeps `record` on Linear, signed with `key` (HMAC-SHA256)."""
    return {
        FIELD: _serializer([key]).dumps(_RECORD.dump_python(record, mode="json")),
        "stage": str(record.stage),
        "generation": record.generation,
        "attempts": record.attempts,
        "cost_usd": round(record.cost_usd, 4),
    }


def sealed(metadata: Mapping[str, Any] | None) -> bool:
    """Whether an attachment's metadata claims to be a record of ours."""
    return isinstance(metadata, Mapping) and FIELD in metadata


def unseal(metadata: Mapping[str, Any], issue: str, keys: Sequence[str]) -> Record | Refusal:
    """The record of the issue with this id; `keys` are tried all. Fields that a newer version added are left out."""
    text = metadata.get(FIELD)
    if not isinstance(text, str):
        return Refusal("the record on Linear has no signed text")
    for key in keys:
        try:
            fields = _serializer([key]).loads(text)
        except BadData:
            continue
        return _read(fields, issue)
    return Refusal("the record on Linear is not signed with this service's key")


def _read(fields: Any, issue: str) -> Record | Refusal:
    try:
        record = _RECORD.validate_python(fields)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        return Refusal(f"the record on Linear can't be read: {where}: {error.errors()[0]['msg']}")
    if record.issue != issue:
        return Refusal("the record on Linear belongs to another issue")
    return record


def _serializer(keys: list[str]) -> URLSafeSerializer:
    return URLSafeSerializer(
        keys, salt="callboard.record", signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
    )
