"""The scripted model speaks like the real one, and says what the script says."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from bot.simulator.model import (
    Answer,
    Asked,
    Fault,
    Log,
    Script,
    Spent,
    by_key,
    calls,
    concludes,
    model_app,
    runs,
    says,
    writes,
)
from bot.simulator.serving import serve

HEADER = "TASK_ID: YOU-7\nSTAGE: dev\nATTEMPT: 2\nTITLE: Count sessions\nDESCRIPTION:\nPROMPT: implement\n\nDo it."
FOLDER = "# Environment\n - Primary working directory: /home/agent/tree\n - Platform: linux"


def body(*answers: str, text: str = HEADER, **more: Any) -> dict[str, Any]:
    reminder = {"type": "text", "text": "<system-reminder>\nTASK_ID: NOPE\n</system-reminder>"}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [reminder, {"type": "text", "text": text}]},
        {"role": "system", "content": [{"type": "text", "text": FOLDER}]},
    ]
    for answer in answers:
        messages.append({"role": "assistant", "content": [{"type": "text", "text": answer}]})
        messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "ok"}]})
    return {"model": "claude-opus-5-5", "stream": True, "messages": messages, "tools": [{"name": "Bash"}], **more}


@asynccontextmanager
async def model(script: Script | Sequence[Answer], log: Log | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    played: Script = script if callable(script) else (lambda _: script)
    async with (
        serve(model_app(played, log)) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60) as client,
    ):
        yield client


def events(answer: httpx2.Response) -> list[dict[str, Any]]:
    return [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]


async def test_a_text_comes_as_the_events_of_the_messages_api() -> None:
    async with model([says("Hello.", spent=Spent(input=10, output=5))]) as client:
        answer = await client.post("/v1/messages?beta=true", json=body())
    found = events(answer)
    assert [event["type"] for event in found] == [
        *("message_start", "ping", "content_block_start", "content_block_delta", "content_block_stop"),
        *("message_delta", "message_stop"),
    ]
    assert found[0]["message"]["usage"]["input_tokens"] == 10
    assert found[3]["delta"] == {"type": "text_delta", "text": "Hello."}
    assert found[5]["delta"]["stop_reason"] == "end_turn"
    assert found[5]["usage"]["output_tokens"] == 5


async def test_tool_calls_carry_their_input_in_pieces_and_absolute_paths() -> None:
    content = "x = 1\n" * 2_000
    async with model([calls(writes("app/m.py", content), runs("make test"))]) as client:
        found = events(await client.post("/v1/messages", json=body()))
    pieces = [event for event in found if event["type"] == "content_block_delta"]
    written = "".join(event["delta"]["partial_json"] for event in pieces if event["index"] == 0)
    assert json.loads(written) == {"file_path": "/home/agent/tree/app/m.py", "content": content}
    starts = [event["content_block"] for event in found if event["type"] == "content_block_start"]
    assert [start["name"] for start in starts] == ["Write", "Bash"]
    assert len({start["id"] for start in starts}) == 2
    assert found[-2]["delta"]["stop_reason"] == "tool_use"


async def test_the_place_in_the_script_is_counted_in_the_request() -> None:
    script = [says("one"), says("two"), concludes({"status": "success"})]
    async with model(script) as client:
        first = await client.post("/v1/messages", json=body())
        again = await client.post("/v1/messages", json=body())
        third = events(await client.post("/v1/messages", json=body("one", "two")))
        after = await client.post("/v1/messages", json=body("one", "two", "three"))
    assert first.text == again.text
    assert third[2]["content_block"]["name"] == "StructuredOutput"
    assert "Done." in after.text


async def test_a_script_is_asked_with_the_header_of_the_run() -> None:
    heard: list[Asked] = []

    def script(asked: Asked) -> list[Answer]:
        heard.append(asked)
        return [says("x"), says("y")]

    async with model(script) as client:
        await client.post("/v1/messages", json=body("x"))
    asked = heard[0]
    assert (asked.task, asked.title, asked.prompt, asked.attempt) == ("YOU-7", "Count sessions", "implement", 2)
    assert (asked.folder, asked.answers, asked.tools, asked.text) == ("/home/agent/tree", 1, ("Bash",), HEADER)


async def test_a_table_is_asked_by_identifier_or_title_and_prompt() -> None:
    for key in ("YOU-7", "Count sessions"):
        async with model(by_key({(key, "implement"): [says("mine")], (key, "plan"): [says("other")]})) as client:
            assert "mine" in (await client.post("/v1/messages", json=body())).text


async def test_who_is_no_run_of_the_script_gets_a_short_text() -> None:
    async with model(by_key({})) as client:
        assert "Noted." in (await client.post("/v1/messages", json=body())).text
        helper = await client.post("/v1/messages", json=body(text="Find all files about sessions."))
    assert [event["type"] for event in events(helper)][-1] == "message_stop"


@pytest.mark.parametrize("times", [1, 2])
async def test_a_fault_happens_as_often_as_planted_and_then_no_more(times: int) -> None:
    fault = Fault(529, "overloaded_error", "busy", {"retry-after": "1"}, times=times)
    async with model([says("x", fault=fault)]) as client:
        answers = [await client.post("/v1/messages", json=body()) for _ in range(times + 1)]
    assert [answer.status_code for answer in answers] == [529] * times + [200]
    assert answers[0].json() == {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}}
    assert answers[0].headers["retry-after"] == "1"


async def test_a_dropped_stream_ends_in_the_middle_of_a_block() -> None:
    async with model([says("Hello.", fault=Fault(drop=True))]) as client:
        types = [event["type"] for event in events(await client.post("/v1/messages", json=body()))]
    assert types[-1] == "content_block_delta"


async def test_a_hanging_model_says_nothing() -> None:
    async with model([says("x", fault=Fault(hang=True))]) as client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.post("/v1/messages", json=body(), timeout=0.2)


async def test_an_answer_without_streaming_is_one_object() -> None:
    async with model([says("x", stop_reason="refusal")]) as client:
        answer = (await client.post("/v1/messages", json=body(stream=False))).json()
    assert (answer["content"][0]["text"], answer["stop_reason"], answer["role"]) == ("x", "refusal", "assistant")


async def test_the_log_keeps_every_request_byte_for_byte() -> None:
    log, sent = Log(), json.dumps(body(), indent=3).encode()
    async with model([says("x")], log) as client:
        await client.post("/v1/messages", content=sent, headers={"X-Api-Key": "k"})
        await client.post("/v1/messages", json=body(text="no header"))
    assert log.entries[0].body == sent
    assert log.entries[0].headers["x-api-key"] == "k"
    assert log.of("YOU-7") == log.of(prompt="implement") == log.entries[:1]


async def test_anything_else_is_not_found() -> None:
    async with model([says("x")]) as client:
        assert (await client.post("/v1/complete", json={})).status_code == 404
        assert (await client.post("/v1/messages/count_tokens", json=body())).json()["input_tokens"] > 0
