"""The scripted model on the wire: `POST /v1/messages`, as a stream of server-sent events or as one answer."""

import asyncio
import hashlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from bot.simulator.model.log import Entry, Log
from bot.simulator.model.script import Answer, Asked, Block, Fault, Script, says, understand

_PIECE = 4_000
"""Characters in one delta; a real model sends fewer, but each costs time."""


def model_app(script: Script, log: Log | None = None) -> Starlette:
    """Return the application that plays `script`; every request is noted in `log`.

    A request of no run that the script knows (a sub-agent, a conversation's title) gets a short text.
    """
    log = log if log is not None else Log()
    happened: Counter[tuple[str, ...]] = Counter()

    async def messages(request: Request) -> Response:
        raw = await request.body()
        body = json.loads(raw)
        asked = understand(body)
        log.entries.append(Entry(request.url.path, raw, dict(request.headers), asked.task, asked.prompt))
        answer = _pick(script, asked)
        fault = _due(answer.fault, asked, happened)
        if fault:
            await asyncio.sleep(3_600 if fault.hang else fault.sleep)
            if fault.status != 200:
                return _error(fault)
        drop = bool(fault and fault.drop)
        if not body.get("stream"):
            whole = json.dumps(_whole(answer, asked, raw))
            return Response(whole[: len(whole) // 2] if drop else whole, media_type="application/json")
        return StreamingResponse(_stream(_events(answer, asked, raw), drop=drop), media_type="text/event-stream")

    async def count_tokens(request: Request) -> Response:
        return JSONResponse({"input_tokens": len(await request.body()) // 4})

    return Starlette(
        routes=[
            Route("/v1/messages", messages, methods=["POST"]),
            Route("/v1/messages/count_tokens", count_tokens, methods=["POST"]),
        ]
    )


def _pick(script: Script, asked: Asked) -> Answer:
    answers = script(asked)
    if answers is None:
        return says("Noted." if asked.header else "Nothing here that the caller does not know already.")
    return answers[asked.answers] if asked.answers < len(answers) else says("Done.")


def _due(fault: Fault | None, asked: Asked, happened: Counter[tuple[str, ...]]) -> Fault | None:
    if fault is None:
        return None
    place = (asked.task, asked.prompt, str(asked.attempt), str(asked.answers))
    if fault.times is not None and happened[place] >= fault.times:
        return None
    happened[place] += 1
    return fault


def _error(fault: Fault) -> Response:
    body = {"type": "error", "error": {"type": fault.kind, "message": fault.message}}
    return JSONResponse(body, fault.status, headers=dict(fault.headers))


def _content(block: Block, asked: Asked, name: str) -> dict[str, Any]:
    if not block.tool:
        return {"type": "text", "text": block.text}
    arguments = dict(block.input)
    if block.path:
        arguments = {"file_path": f"{asked.folder.rstrip('/')}/{block.path}", **arguments}
    return {"type": "tool_use", "id": f"toolu_{name}", "name": block.tool, "input": arguments}


def _blocks(answer: Answer, asked: Asked, raw: bytes) -> list[dict[str, Any]]:
    name = hashlib.sha256(raw).hexdigest()[:16]
    return [_content(block, asked, f"{name}{index:02}") for index, block in enumerate(answer.blocks)]


def _message(answer: Answer, asked: Asked, raw: bytes) -> dict[str, Any]:
    spent = answer.spent
    return {
        "id": f"msg_{hashlib.sha256(raw).hexdigest()[:20]}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": spent.input,
            "cache_creation_input_tokens": spent.cache_write,
            "cache_read_input_tokens": spent.cache_read,
            "output_tokens": 1,
        },
    }


def _stop_reason(answer: Answer) -> str:
    return answer.stop_reason or ("tool_use" if any(block.tool for block in answer.blocks) else "end_turn")


def _whole(answer: Answer, asked: Asked, raw: bytes) -> dict[str, Any]:
    message = _message(answer, asked, raw)
    message["usage"]["output_tokens"] = answer.spent.output
    return {**message, "content": _blocks(answer, asked, raw), "stop_reason": _stop_reason(answer)}


def _events(answer: Answer, asked: Asked, raw: bytes) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": _message(answer, asked, raw)}
    yield {"type": "ping"}
    for index, block in enumerate(_blocks(answer, asked, raw)):
        text = block["text"] if block["type"] == "text" else json.dumps(block["input"])
        empty = {**block, "text": ""} if block["type"] == "text" else {**block, "input": {}}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for start in range(0, len(text), _PIECE):
            piece = text[start : start + _PIECE]
            delta = (
                {"type": "text_delta", "text": piece}
                if block["type"] == "text"
                else {"type": "input_json_delta", "partial_json": piece}
            )
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    delta = {"stop_reason": _stop_reason(answer), "stop_sequence": None}
    yield {"type": "message_delta", "delta": delta, "usage": {"output_tokens": answer.spent.output}}
    yield {"type": "message_stop"}


async def _stream(events: Iterator[dict[str, Any]], *, drop: bool) -> AsyncIterator[bytes]:
    for event in events:
        yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()
        if drop and event["type"] == "content_block_delta":
            return
