"""Reads what an answer used while its bytes pass by, on the three wires that agents speak.

    messages     Anthropic `/v1/messages`: usage in `message_start` and, cumulative, in `message_delta`
    chat         OpenAI `/v1/chat/completions`: usage in the last chunk, because the gateway asks for it
    responses    OpenAI `/v1/responses`: usage in `response.completed`, searches as items on the way

A stream that broke off never said what it used: then the request's size and the text seen so far are the measure, four
bytes to a token.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from bot.runs.prices import Usage

_PER_TOKEN = 4


class Wire(StrEnum):
    """How an agent speaks to its model."""

    MESSAGES = "messages"
    COUNT = "count"
    CHAT = "chat"
    RESPONSES = "responses"


class Tally:
    """What one answer used. `size` is that of the request in bytes."""

    def __init__(self, model: str, size: int = 0) -> None:
        self.model = model
        self.finished = False
        self._size = size
        self._usage: dict[str, Any] = {}
        self._said = 0
        self._searches = 0
        self._line = bytearray()

    def stream(self, chunk: bytes) -> None:
        """Take in some bytes of a server-sent event stream."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line = bytes(self._line + part) if self._line else part
            self._line.clear()
            if line.startswith(b"data:"):
                self.finished |= line[5:].strip() == b"[DONE]"
                self.event(as_object(line[5:]))
        self._line += rest

    def whole(self, body: bytes) -> None:
        """Take in an answer that is one JSON object."""
        answer = as_object(body)
        self.finished = bool(answer)
        self.take(answer)

    def event(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        raise NotImplementedError

    def take(self, answer: object) -> None:
        """Take in an object that tells the model and the usage."""
        if not isinstance(answer, dict):
            return
        self.model = str(answer.get("model") or self.model)
        if isinstance(usage := answer.get("usage"), dict):
            self._usage |= usage

    @property
    def usage(self) -> Usage:
        """What was used, as far as is known."""
        told = self.told()
        if self.finished:
            return told
        read = told if told.read else Usage(input=self._size // _PER_TOKEN)
        output = max(told.output, self._said // _PER_TOKEN)
        return Usage(
            read.input, output, read.cache_write, read.cache_read, read.cache_write_hour, max(told.searches, 0)
        )

    def told(self) -> Usage:
        """What the answer said that it used."""
        raise NotImplementedError

    def count(self, *path: str) -> int:
        """A number of the usage by its path; 0 when it isn't there, or is none."""
        value: Any = self._usage
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        return value if isinstance(value, int) and value > 0 else 0

    def said(self, text: object) -> None:
        """Note some text of the answer."""
        self._said += len(text) if isinstance(text, str) else 0


class Messages(Tally):
    """Anthropic's wire."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        match event.get("type"):
            case "message_start":
                self.take(event.get("message"))
            case "message_delta":
                self.take(event)
            case "content_block_delta":
                delta = event.get("delta")
                for name, text in delta.items() if isinstance(delta, dict) else ():
                    self.said(text if name != "type" else "")
            case "message_stop":
                self.finished = True

    def told(self) -> Usage:
        """Cache writes for an hour are part of all cache writes."""
        hour = self.count("cache_creation", "ephemeral_1h_input_tokens")
        return Usage(
            input=self.count("input_tokens"),
            output=self.count("output_tokens"),
            cache_write=max(0, self.count("cache_creation_input_tokens") - hour),
            cache_write_hour=hour,
            cache_read=self.count("cache_read_input_tokens"),
            searches=self.count("server_tool_use", "web_search_requests"),
        )


class Chat(Tally):
    """OpenAI's older wire."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Take in one chunk."""
        self.take(event)
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            delta = choice.get("delta") if isinstance(choice, dict) else None
            if isinstance(delta, dict):
                self.said(delta.get("content"))
                self.said(json.dumps(delta.get("tool_calls")) if delta.get("tool_calls") else "")

    def told(self) -> Usage:
        """What was read from the cache is part of the prompt's tokens."""
        return _openai(self, "prompt", "completion", 0)


class Responses(Tally):
    """OpenAI's newer wire."""

    def event(self, event: Mapping[str, Any]) -> None:
        """Take in one event."""
        kind = str(event.get("type"))
        if kind in ("response.created", "response.in_progress"):
            response = event.get("response")
            self.model = str(response.get("model") or self.model) if isinstance(response, dict) else self.model
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            self.finished = True
            self.take(event.get("response"))
        elif kind.endswith(".delta"):
            self.said(event.get("delta"))
        elif kind == "response.output_item.done":
            self._item(event.get("item"))

    def whole(self, body: bytes) -> None:
        """Take in an answer that is one JSON object."""
        super().whole(body)
        output = as_object(body).get("output")
        for item in output if isinstance(output, list) else ():
            self._item(item)

    def told(self) -> Usage:
        """What was read from the cache is part of the input's tokens."""
        return _openai(self, "input", "output", self._searches)

    def _item(self, item: object) -> None:
        self._searches += isinstance(item, dict) and item.get("type") == "web_search_call"


def _openai(tally: Tally, read: str, written: str, searches: int) -> Usage:
    cached = tally.count(f"{read}_tokens_details", "cached_tokens")
    made = tally.count(f"{read}_tokens_details", "cache_write_tokens")
    return Usage(
        input=max(0, tally.count(f"{read}_tokens") - cached - made),
        output=tally.count(f"{written}_tokens"),
        cache_read=cached,
        cache_write=made,
        searches=searches,
    )


TALLIES: Mapping[Wire, type[Tally]] = {Wire.MESSAGES: Messages, Wire.CHAT: Chat, Wire.RESPONSES: Responses}


def as_object(text: bytes) -> dict[str, Any]:
    """A JSON object, or an empty one: what is none is not ours to judge, it is passed on as it is."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
