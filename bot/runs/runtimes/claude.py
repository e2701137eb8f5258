"""Claude Code, headless: the program that the `claude-agent-sdk` package brings along.

The facts this relies on (flags, lines, exit codes) were measured with the pinned version; what is unknown is ignored.
Success is: exit code 0, a result line, not `is_error`, and an outcome that is valid. Neither the exit code nor the
word "success" is enough: API failures come with the subtype "success", an interrupt with exit code 0.
"""

import json
import uuid
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bot.runs.contract import Ending, RunResult, judge, outcome_schema
from bot.runs.gateway import Meter
from bot.runs.prompting import sub_agents
from bot.runs.runtimes.base import Assignment, Launch
from bot.runs.supervisor import Exit

TRIED = "2.1.329"
"""The version that the pinned `claude-agent-sdk` brings along, with which all this was measured."""
TOOLS = ("Agent", "Bash", "Edit", "Glob", "Grep", "Read", "Write")
"""No web, no schedules, no worktrees: there is no network, and a run ends when it ends."""
_SETTINGS = {"disableAllHooks": True, "attribution": {"commit": "", "pr": ""}, "cleanupPeriodDays": 1}
_QUIET = {
    "IS_SANDBOX": "1",  # exactly this, or it refuses to work as root
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
    "DISABLE_TELEMETRY": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_MAX_RETRIES": "4",  # about 9 seconds; the service itself tries again later
    "API_TIMEOUT_MS": "600000",
}


@cache
def program() -> Path:
    """Return the Claude Code program.

    Raises:
        FileNotFoundError: the `claude-agent-sdk` package is not installed, or brings no program for this platform.
    """
    package = find_spec("claude_agent_sdk")
    path = Path(package.origin).parent / "_bundled" / "claude" if package and package.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError("claude-agent-sdk brings no Claude Code program here")
    return path.resolve()


class Claude:
    """One run of Claude Code."""

    def __init__(self, assignment: Assignment) -> None:
        self._assignment = assignment
        self._session = str(uuid.uuid5(uuid.NAMESPACE_URL, f"callboard:{assignment.spec.run_id}"))
        self._result: dict[str, Any] | None = None
        self._spoke = False
        self._error = ""

    def launch(self) -> Launch:
        """The command line; the prompt goes in by standard input, where it has no size limit."""
        spec, door = self._assignment.spec, self._assignment.door
        argv = [
            *(str(program()), "-p", "--output-format", "stream-json", "--verbose"),
            *("--permission-mode", "bypassPermissions", "--model", spec.model, "--session-id", self._session),
            *("--setting-sources", "", "--strict-mcp-config", "--disable-slash-commands", "--no-chrome"),
            *("--settings", json.dumps(_SETTINGS), "--tools", ",".join(TOOLS), "--agents", json.dumps(sub_agents())),
            *("--json-schema", json.dumps(outcome_schema(spec.prompt))),
        ]
        if spec.max_turns:
            argv += ["--max-turns", str(spec.max_turns)]
        key = self._assignment.token or "the-gateway-has-it"
        env = {**_QUIET, "ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": "http://model.invalid"}
        if door:
            env["ANTHROPIC_UNIX_SOCKET"] = str(door)
        return Launch(tuple(argv), env, self._assignment.prompt.encode(), (program(),))

    def read(self, line: bytes) -> str:
        """Understand one line of the stream; anything else than a JSON object is ignored."""
        try:
            event = json.loads(line)
        except ValueError:
            return ""
        if not isinstance(event, dict):
            return ""
        if event.get("type") == "result":
            self._result = event  # there may be several: the last one counts
        if event.get("type") != "assistant" or event.get("parent_tool_use_id"):
            return ""
        if event.get("error"):
            self._error = str(event["error"])
            return ""
        self._spoke = True
        return _progress(event)

    def conclude(self, ended: Exit, meter: Meter) -> RunResult:
        """Judge by the result line, the exit code and the gateway."""
        if self._result is None:
            return self._without_result(ended)
        if ended.code != 0 or self._result.get("is_error"):
            verdict = self._failed(ended, meter)
        elif self._result.get("structured_output") is None and (meter.unfinished or meter.limited):
            verdict = _ended(Ending.TRANSPORT_FAILED, "The model broke off in the middle of an answer.")
        else:
            verdict = judge(self._assignment.spec.prompt, self._result.get("structured_output"))
        return verdict.model_copy(
            update={"session_id": self._session, "turns": int(self._result.get("num_turns") or 0)}
        )

    def _without_result(self, ended: Exit) -> RunResult:
        last = ended.stderr.strip().splitlines()
        why = f"Claude Code ended with code {ended.code} and no result{': ' + last[-1] if last else ''}."
        kind = Ending.WORK_FAILED if self._spoke else Ending.TRANSPORT_FAILED
        return RunResult(kind=kind, error=why, summary=why, session_id=self._session)

    def _failed(self, ended: Exit, meter: Meter) -> RunResult:
        result = self._result or {}
        status, reason = result.get("api_error_status"), result.get("terminal_reason")
        errors = "; ".join(str(error) for error in result.get("errors") or [])
        said = str(result.get("result") or errors or reason or f"exit code {ended.code}")[:2_000]
        if meter.limited or self._error == "billing_error":
            return _ended(Ending.USAGE_LIMIT, f"The account is at its usage limit: {said}")
        if result.get("subtype") == "error_max_turns":
            return _ended(Ending.WORK_FAILED, f"The agent used up its {self._assignment.spec.max_turns} turns.")
        ours = status in (400, 413) or result.get("stop_reason") == "refusal" or self._error == "max_output_tokens"
        if reason == "api_error" and not ours:
            return _ended(Ending.TRANSPORT_FAILED, f"The model did not answer: {said}")
        if str(reason).startswith("aborted"):
            return _ended(Ending.TRANSPORT_FAILED, f"The agent was interrupted: {said}")
        return _ended(Ending.WORK_FAILED, f"The agent failed: {said}")


def _ended(kind: Ending, error: str) -> RunResult:
    return RunResult(kind=kind, error=error, summary=error)


def _progress(event: dict[str, Any]) -> str:
    """What the agent does, in a few words: the tool and what it is used on, or the first line it says."""
    message = event.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    for block in content if isinstance(content, list) else []:
        if block.get("type") == "text" and block.get("text", "").strip():
            return str(block["text"].strip().splitlines()[0])[:200]
        if block.get("type") == "tool_use" and block.get("name") != "StructuredOutput":
            given = block.get("input")
            words = [given.get(name) for name in ("description", "file_path", "command", "pattern")] if given else []
            return f"{block.get('name')}: {next((str(word) for word in words if word), '')}"[:200]
    return ""
