"""What an agent asks its model for, and what of it the gateway passes on.

The vendor's service can do more than answer: fetch pages, call other servers, run code, work on after the answer. Each
of these would be a way around the egress proxy, or around the budget. So tools that run at the vendor are taken out of
a request unless the policy names them, and what can't be taken out without changing the question is refused. What is
passed on is written anew from what was understood here, so that no two parsers can read it differently.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.runs.tally import Wire

_AT_THE_VENDOR = re.compile(
    r"(web_search|web_fetch|code_execution|code_interpreter|file_search|image_generation|mcp|x_search"
    r"|collections_search|advisor)"
)
"""Tools that run at the vendor, by how their type begins. A type that is in neither list is taken for one of them."""
_AT_THE_AGENT = re.compile(
    r"(custom|function|namespace|bash_|text_editor_|computer_|memory_|tool_search|local_shell|shell|apply_patch"
    r"|computer_use)"
)
_ELSEWHERE = {
    "mcp_servers": "servers that the vendor would call",
    "container": "a container at the vendor",
    "background": "an answer that goes on in the background",
    "previous_response_id": "what the vendor kept of an earlier answer",
    "conversation": "a conversation that the vendor keeps",
    "prompt": "a prompt that the vendor keeps",
}
_TIERS = {"service_tier": {None, "auto", "default", "standard", "standard_only", "flex"}, "speed": {None, "standard"}}
_SOURCES = {"base64", "text", "content", "data"}
_BOUNDS = ("max_tokens", "max_completion_tokens", "max_output_tokens")


@dataclass(frozen=True)
class Asked:
    """A request as it is passed on. `most_output` is the bound that it names itself, in tokens."""

    body: bytes
    model: str
    most_output: int | None
    streaming: bool


@dataclass(frozen=True)
class NotAsked:
    """A request that is not passed on; the reason is a sentence for the agent, and for people."""

    reason: str


def understand(raw: bytes, wire: Wire, server_tools: Collection[str] = ()) -> Asked | NotAsked:
    """Read a request. `server_tools` are tools at the vendor that the policy allows (`web_search`)."""
    try:
        body = json.loads(raw, parse_constant=_not_a_number)
    except (ValueError, RecursionError):
        return NotAsked("The request is not JSON.")
    if not isinstance(body, dict) or not isinstance(body.get("model"), str):
        return NotAsked("The request names no model.")
    for name, what in _ELSEWHERE.items():
        if body.get(name):
            return NotAsked(f"This gateway passes on no request that uses {what} (`{name}`).")
    for name, allowed in _TIERS.items():
        if not isinstance(body.get(name), str | None) or body.get(name) not in allowed:
            return NotAsked(f"This gateway passes on no request with `{name}` set: it costs more than the price table.")
    if not _answers_once(body):
        return NotAsked("This gateway passes on requests for one answer only (`n`).")
    if _points_elsewhere(body):
        return NotAsked("This gateway passes on no address and no stored file for the vendor to fetch: send the data.")
    if not isinstance(body.get("tools", []), list | None):
        return NotAsked("The tools of the request are not a list.")
    _without_server_tools(body, server_tools)
    if wire is Wire.CHAT and body.get("stream"):
        options = body.get("stream_options")
        body["stream_options"] = (options if isinstance(options, dict) else {}) | {"include_usage": True}
    bounds = [body[name] for name in _BOUNDS if isinstance(body.get(name), int) and body[name] > 0]
    return Asked(json.dumps(body).encode(), body["model"], max(bounds, default=None), bool(body.get("stream")))


def _not_a_number(word: str) -> Any:
    raise ValueError(word)


def _answers_once(body: Mapping[str, Any]) -> bool:
    return all(body.get(name) in (None, 1) for name in ("n", "best_of"))


def _without_server_tools(body: dict[str, Any], allowed: Collection[str]) -> None:
    """Take out the tools that run at the vendor. The model then simply doesn't have them."""
    body.pop("web_search_options", None)
    if not isinstance(body.get("tools"), list):
        return
    kept = [tool for tool in body["tools"] if _may_stay(tool, allowed)]
    if len(kept) == len(body["tools"]):
        return
    body["tools"] = kept
    if not kept:
        del body["tools"]
        body.pop("tool_choice", None)


def _may_stay(tool: object, allowed: Collection[str]) -> bool:
    kind = tool.get("type") if isinstance(tool, dict) else ""
    if kind is None:
        return True  # a tool of the agent's own: name, description, schema
    if not isinstance(kind, str) or not kind:
        return False
    if any(kind == name or kind.startswith(f"{name}_") for name in allowed):
        return True
    return bool(_AT_THE_AGENT.match(kind)) and not _AT_THE_VENDOR.match(kind)


def _points_elsewhere(body: Mapping[str, Any]) -> bool:
    """Whether some part of what is said to the model is to be fetched by the vendor from somewhere."""
    parts: list[object] = [body.get(name) for name in ("system", "messages", "input", "instructions")]
    while parts:
        part = parts.pop()
        if isinstance(part, list):
            parts.extend(part)
        elif isinstance(part, dict):
            if any(_is_elsewhere(name, part.get(name)) for name in ("source", "image_url", "file_url", "file_id")):
                return True
            if part.get("type") in ("mcp_call", "item_reference", "container_upload"):
                return True
            parts.extend(_within(part))
    return False


def _within(part: Mapping[str, Any]) -> Iterable[object]:
    """The parts of a part. The arguments of a tool's call are data of the agent's own, and nobody fetches them."""
    yield part.get("content")
    yield part.get("output")
    yield part.get("file")
    source = part.get("source")
    if isinstance(source, dict):
        yield source.get("content")


def _is_elsewhere(name: str, value: object) -> bool:
    if value is None:
        return False
    if name == "source":
        return isinstance(value, dict) and value.get("type") not in _SOURCES
    if name == "image_url":
        address = value.get("url") if isinstance(value, dict) else value
        return not (isinstance(address, str) and address.startswith("data:"))
    return True
