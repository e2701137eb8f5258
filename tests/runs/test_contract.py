"""What an agent hands back is believed only as far as it is valid."""

import pytest

from bot.runs.contract import OUTCOMES, Ending, RunResult, RunSpec, judge, outcome_schema

GOOD = {
    "breakdown": {"summary": "s", "tasks": [{"key": "a-1", "title": "T", "description": "d", "scope": "s"}]},
    "research": {"summary": "s", "document": "# D"},
    "plan": {"summary": "s", "document": "# P"},
    "implement": {"status": "success", "summary": "s"},
    "fix": {"status": "success", "summary": "s"},
    "review": {"verdict": "approved", "summary": "s"},
    "feedback": {"status": "success", "summary": "s", "replies": [{"thread_id": "1", "body": "b", "resolved": True}]},
    "documentation": {"status": "success", "summary": "s"},
    "concern": {"summary": "s", "tickets": ["YOU-2"]},
}


@pytest.mark.parametrize("prompt", OUTCOMES)
def test_every_prompt_has_an_outcome_that_can_succeed(prompt: str) -> None:
    result = judge(prompt, {**GOOD[prompt], "something_else": 1})
    assert (result.kind, result.summary, result.error) == (Ending.SUCCESS, "s", "")
    assert result.outcome is not None
    assert "something_else" not in result.outcome


@pytest.mark.parametrize("prompt", OUTCOMES)
def test_every_outcome_has_a_schema_that_names_its_summary(prompt: str) -> None:
    assert "summary" in outcome_schema(prompt)["required"]


@pytest.mark.parametrize("prompt", OUTCOMES)
def test_every_outcome_may_carry_a_promise_which_is_said_last(prompt: str) -> None:
    schema = outcome_schema(prompt)
    assert list(schema["properties"])[-1] == "promise"
    assert "promise" not in schema["required"]
    plain, promised = judge(prompt, GOOD[prompt]).outcome, judge(prompt, {**GOOD[prompt], "promise": "DONE"}).outcome
    assert plain is not None
    assert promised is not None
    assert (plain["promise"], promised["promise"]) == ("", "DONE")


@pytest.mark.parametrize(
    ("prompt", "raw", "said"),
    [
        ("plan", None, "without handing back"),
        ("plan", "done", "outcome:"),
        ("plan", {"summary": "s", "document": ""}, "document:"),
        ("plan", {"summary": "s", "document": "x" * 300_001}, "document:"),
        ("implement", {"status": "great", "summary": "s"}, "status:"),
        ("breakdown", {"summary": "s", "tasks": []}, "tasks:"),
        ("breakdown", {"summary": "s", "tasks": [{"key": "A B", "title": "T"}]}, "tasks.0.key:"),
        ("review", {"verdict": "lgtm", "summary": "s"}, "verdict:"),
    ],
)
def test_an_outcome_that_is_not_valid_is_a_failure_that_says_where(prompt: str, raw: object, said: str) -> None:
    result = judge(prompt, raw)
    assert (result.kind, result.outcome) == (Ending.WORK_FAILED, None)
    assert said in result.error


def test_an_agent_may_fail_or_ask() -> None:
    failed = judge("implement", {"status": "failure", "summary": "No compiler."})
    assert (failed.kind, failed.error) == (Ending.WORK_FAILED, "No compiler.")
    asked = judge("fix", {"status": "needs_input", "summary": "s", "question": "Which?", "options": ["a", "b"]})
    assert asked.kind is Ending.NEEDS_INPUT
    assert asked.outcome is not None
    assert (asked.outcome["question"], asked.outcome["options"]) == ("Which?", ["a", "b"])


def test_spec_and_result_survive_json() -> None:
    spec = RunSpec(run_id="r", prompt="plan", task_id="YOU-1", stage="plan", title="T", variables={"research": "x"})
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec
    result = judge("plan", GOOD["plan"])
    assert RunResult.model_validate_json(result.model_dump_json()) == result
