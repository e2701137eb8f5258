"""Claude Code's lines and exit codes are judged by evidence, whatever they call themselves."""

import json
from pathlib import Path
from typing import Any

import pytest

from bot.runs.contract import Ending, RunResult, RunSpec
from bot.runs.gateway import Meter
from bot.runs.runtimes.base import Assignment
from bot.runs.runtimes.claude import Claude, program
from bot.runs.supervisor import End, Exit

OUTCOME = {"summary": "s", "document": "# D"}
GOOD = {"type": "result", "subtype": "success", "is_error": False, "num_turns": 3, "structured_output": OUTCOME}
API = {"type": "result", "subtype": "success", "is_error": True, "terminal_reason": "api_error"}


def claude(**more: Any) -> Claude:
    spec = RunSpec(run_id="r-1", prompt="research", task_id="YOU-1", stage="research", title="T", **more)
    return Claude(Assignment(spec, "TASK_ID: YOU-1", Path("/run/prompt.md"), Path("/checkout"), Path("/door.sock")))


def conclude(*lines: Any, code: int = 0, stderr: str = "", meter: Meter | None = None) -> RunResult:
    session = claude()
    for line in lines:
        session.read(line if isinstance(line, bytes) else json.dumps(line).encode())
    return session.conclude(Exit(code, End.EXITED, stderr, 1.0), meter or Meter())


def said(**block: Any) -> dict[str, Any]:
    return {"type": "assistant", "message": {"content": [block]}, "parent_tool_use_id": None}


def test_success_is_exit_0_a_result_no_error_and_a_valid_outcome() -> None:
    result = conclude(GOOD)
    assert (result.kind, result.outcome, result.turns) == (Ending.SUCCESS, OUTCOME | {"promise": ""}, 3)
    assert result.session_id


def test_the_last_of_several_results_counts() -> None:
    assert conclude(GOOD, GOOD | {"structured_output": None}).kind is Ending.WORK_FAILED
    assert conclude(GOOD | {"structured_output": None}, GOOD).kind is Ending.SUCCESS


def test_lines_that_nobody_knows_are_ignored() -> None:
    noise = [b"", b"not json", b"[1]", b"null", b'{"subtype":"x"}', b'{"type":"brand_new","data":{}}', b"\xff\xfe"]
    assert conclude(*noise, GOOD, *noise).kind is Ending.SUCCESS


@pytest.mark.parametrize(
    ("line", "code", "kind"),
    [
        (GOOD | {"is_error": True}, 0, Ending.WORK_FAILED),
        (GOOD, 1, Ending.WORK_FAILED),
        (API | {"api_error_status": 500}, 1, Ending.TRANSPORT_FAILED),
        (API | {"api_error_status": None}, 1, Ending.TRANSPORT_FAILED),
        (API | {"api_error_status": 529}, 1, Ending.TRANSPORT_FAILED),
        (API | {"api_error_status": 413}, 1, Ending.WORK_FAILED),
        (API | {"terminal_reason": "prompt_too_long"}, 1, Ending.WORK_FAILED),
        (API | {"stop_reason": "refusal"}, 1, Ending.WORK_FAILED),
        ({"type": "result", "subtype": "error_max_turns", "is_error": True}, 1, Ending.WORK_FAILED),
        (
            {
                "type": "result",
                "subtype": "error_during_execution",
                "terminal_reason": "aborted_tools",
                "is_error": True,
            },
            0,
            Ending.TRANSPORT_FAILED,
        ),
        (
            {"type": "result", "subtype": "error_max_structured_output_retries", "errors": ["bad"], "is_error": True},
            1,
            Ending.WORK_FAILED,
        ),
    ],
)
def test_every_other_end_is_a_failure_of_its_kind(line: dict[str, Any], code: int, kind: Ending) -> None:
    result = conclude(line, code=code)
    assert result.kind is kind
    assert result.error


def test_the_gateway_knows_a_usage_limit_better_than_the_text() -> None:
    limited = Meter(limited=True)
    assert conclude(API | {"api_error_status": 429}, code=1, meter=limited).kind is Ending.USAGE_LIMIT
    assert conclude(API | {"api_error_status": 429}, code=1).kind is Ending.TRANSPORT_FAILED
    words = API | {"api_error_status": 500, "result": "usage limit reached, resets 3pm"}
    assert conclude(words, code=1).kind is Ending.TRANSPORT_FAILED


def test_an_answer_that_broke_off_is_no_success_and_no_fault_of_the_work() -> None:
    cut = {key: value for key, value in GOOD.items() if key != "structured_output"}
    assert conclude(cut, meter=Meter(unfinished=True)).kind is Ending.TRANSPORT_FAILED
    assert conclude(cut).kind is Ending.WORK_FAILED
    assert conclude(GOOD, meter=Meter(unfinished=True)).kind is Ending.SUCCESS


def test_no_result_is_the_work_s_failure_only_when_work_had_begun() -> None:
    early = conclude(code=1, stderr="warning\nerror: unknown option '--x'")
    assert early.kind is Ending.TRANSPORT_FAILED
    assert "unknown option" in early.error
    assert conclude(said(type="text", text="Hi"), code=137).kind is Ending.WORK_FAILED


def test_progress_is_what_the_agent_does_in_a_few_words() -> None:
    def read(event: dict[str, Any]) -> str:
        return claude().read(json.dumps(event).encode())

    assert read(said(type="text", text="\nI look.\nMore.")) == "I look."
    assert read(said(type="tool_use", name="Bash", input={"command": "make test"})) == "Bash: make test"
    assert read(said(type="tool_use", name="Write", input={"file_path": "/a/b.py"})) == "Write: /a/b.py"
    assert read(said(type="tool_use", name="StructuredOutput", input=OUTCOME)) == ""
    assert read(said(type="text", text="sub") | {"parent_tool_use_id": "toolu_1"}) == ""
    assert read({"type": "assistant"}) == ""


def test_the_command_line_keeps_the_repository_s_settings_out_and_the_prompt_off() -> None:
    launch = claude(model="sonnet", max_turns=7).launch()
    assert launch.argv[0] == str(program())
    assert launch.argv[launch.argv.index("--setting-sources") + 1] == ""
    assert "--strict-mcp-config" in launch.argv
    assert launch.argv[launch.argv.index("--model") + 1] == "sonnet"
    assert launch.argv[launch.argv.index("--max-turns") + 1] == "7"
    assert launch.stdin == b"TASK_ID: YOU-1"
    assert "TASK_ID: YOU-1" not in launch.argv
    assert launch.env["ANTHROPIC_UNIX_SOCKET"] == "/door.sock"
    assert all(len(word) < 100_000 for word in launch.argv)


def test_the_same_run_has_the_same_session_id() -> None:
    assert claude().launch().argv == claude().launch().argv
