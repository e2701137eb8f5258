"""What the scripted model answers: a script gives, for one conversation, a list of answers, one after the other.

The model keeps no memory of a conversation: how many answers it gave already is counted in the request, so a repeated
request gets the same answer again.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bot.simulator.model.log import Body

_HEADER = re.compile(r"^(?P<name>[A-Z_]+): ?(?P<value>.*)$")
_FOLDER = re.compile(r"[Ww]orking directory: (?P<path>/\S*)")


@dataclass(frozen=True)
class Asked:
    """One request, as far as a script wants to know it.

    `header` holds the header lines of the run's prompt; a request that has none (a sub-agent, a title) is none of the
    run's main conversation. `answers` counts what the model said in it before.
    """

    header: Mapping[str, str]
    text: str
    """What the user said first, without what the agent program added."""
    folder: str
    """The working folder, as the agent program tells it."""
    answers: int
    tools: tuple[str, ...]
    model: str
    results: tuple[str, ...] = ()
    """Texts of the tool results that came last."""

    @property
    def task(self) -> str:
        """The ticket."""
        return self.header.get("TASK_ID", "")

    @property
    def title(self) -> str:
        """The ticket's title."""
        return self.header.get("TITLE", "")

    @property
    def prompt(self) -> str:
        """The name of the prompt."""
        return self.header.get("PROMPT", "")

    @property
    def phase(self) -> int:
        """Number of the plan's phase that the run is about; 0 when it is about none."""
        found = re.match(r"phase (\d+)", self.header.get("SCOPE", ""))
        return int(found[1]) if found else 0

    @property
    def attempt(self) -> int:
        """Number of the attempt, from 1."""
        return int(self.header.get("ATTEMPT") or 1)


@dataclass(frozen=True)
class Block:
    """One block of an answer: a text, or the call of a tool.

    A path in `path` belongs below the working folder; it becomes absolute in the argument `file_path`.
    """

    text: str = ""
    tool: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)
    path: str = ""


@dataclass(frozen=True)
class Fault:
    """How an answer goes wrong.

    `status` other than 200 is an error answer of type `kind`. `sleep` seconds pass before anything is said. `drop`
    cuts the stream in the middle of the first block. `hang` says nothing, for as long as the agent waits. It happens
    `times` times and then no more; None means always.
    """

    status: int = 200
    kind: str = "api_error"
    message: str = "planted"
    headers: Mapping[str, str] = field(default_factory=dict)
    sleep: float = 0.0
    drop: bool = False
    hang: bool = False
    times: int | None = None


@dataclass(frozen=True)
class Spent:
    """Tokens that an answer claims to have cost."""

    input: int = 2_000
    output: int = 300
    cache_write: int = 0
    cache_read: int = 0


@dataclass(frozen=True)
class Answer:
    """One answer. `stop_reason` None is the right one for the blocks."""

    blocks: tuple[Block, ...] = ()
    fault: Fault | None = None
    stop_reason: str | None = None
    spent: Spent = Spent()


Script = Callable[[Asked], Sequence[Answer] | None]
"""Gives all answers of the conversation that the request belongs to, or None when it knows nothing of it."""


def by_key(answers: Mapping[tuple[str, str], Sequence[Answer]]) -> Script:
    """Make a script from a table: the key is a ticket's identifier or title, and the prompt's name."""

    def script(asked: Asked) -> Sequence[Answer] | None:
        return answers.get((asked.task, asked.prompt)) or answers.get((asked.title, asked.prompt))

    return script


def says(text: str, **more: Any) -> Answer:
    """An answer that is a text. `more` are fields of `Answer`."""
    return Answer((Block(text=text),), **more)


def calls(*blocks: Block, **more: Any) -> Answer:
    """An answer that calls tools, all at once."""
    return Answer(blocks, **more)


def writes(path: str, content: str) -> Block:
    """Write a file below the working folder."""
    return Block(tool="Write", input={"content": content}, path=path)


def runs(command: str) -> Block:
    """Run a shell command in the working folder."""
    return Block(tool="Bash", input={"command": command, "description": "Run it"})


def concludes(outcome: Mapping[str, Any], **more: Any) -> Answer:
    """End the run with an outcome."""
    return Answer((Block(tool="StructuredOutput", input=outcome),), **more)


def understand(body: Body) -> Asked:
    """Read a request. Order and number of messages are not relied upon: newer agents put system messages between."""
    texts = _user_texts(body)
    text = next((text for text in texts if text.startswith("TASK_ID:")), texts[0] if texts else "")
    header = _header(text) if text.startswith("TASK_ID:") else {}
    everything = "\n".join([*_texts(body.get("system")), *(t for m in _messages(body) for t in _texts(m["content"]))])
    folder = _FOLDER.search(everything)
    last = _messages(body)[-1]["content"] if _messages(body) else ""
    return Asked(
        header=header,
        text=text,
        folder=folder["path"] if folder else "/",
        answers=sum(message["role"] == "assistant" for message in _messages(body)),
        tools=tuple(str(tool.get("name")) for tool in body.get("tools") or ()),
        model=str(body.get("model", "")),
        results=tuple(_results(last)),
    )


def _header(text: str) -> dict[str, str]:
    header: dict[str, str] = {}
    for line in text.splitlines():
        found = _HEADER.match(line)
        if not found:
            break
        header[found["name"]] = found["value"].strip()
    return header


def _messages(body: Body) -> list[dict[str, Any]]:
    return list(body.get("messages") or ())


def _texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    blocks = content if isinstance(content, list) else []
    return [str(block["text"]) for block in blocks if isinstance(block, dict) and block.get("type") == "text"]


def _user_texts(body: Body) -> list[str]:
    said = [text for message in _messages(body) if message["role"] == "user" for text in _texts(message["content"])]
    return [text for text in said if not text.startswith("<system-reminder>")]


def _results(content: object) -> list[str]:
    blocks = content if isinstance(content, list) else []
    results = [block for block in blocks if isinstance(block, dict) and block.get("type") == "tool_result"]
    return ["\n".join(_texts(result.get("content"))) for result in results]
