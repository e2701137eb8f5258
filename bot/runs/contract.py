"""The contract of a run: what it is given, what it must hand back, and how its end is judged.

Outcomes are what the agent says; design.md section 4 fixes their field names. A `RunResult` is what the service
believes after looking at the evidence. Everything here travels as JSON between processes and through the database.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

Line = Annotated[str, StringConstraints(max_length=2_000)]
"""One item of a list that people will read."""
Text = Annotated[str, StringConstraints(max_length=20_000)]
"""A paragraph or a few."""
Paper = Annotated[str, StringConstraints(min_length=1, max_length=300_000)]
"""A whole Markdown document."""
Status = Literal["success", "failure", "needs_input"]


class _Outcome(BaseModel):
    """Fields that we don't know are ignored: an agent that says more than asked has not failed."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _Ended(_Outcome):
    """What every outcome of a run may say."""

    promise: str = Field(
        default="",
        description="When the prompt names a completion promise: exactly that word, once everything is done; else"
        " leave empty.",
    )


class Task(_Outcome):
    """One task of a breakdown; it becomes a ticket."""

    key: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")] = Field(
        description="Short and unique within this breakdown: lower-case letters, digits, hyphens."
    )
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="Imperative, one line, understandable without the spec."
    )
    description: Text = Field(description="What to build and why, in Markdown; complete without the spec at hand.")
    scope: Text = Field(description="What belongs to this task, and what explicitly does not.")
    depends_on: list[str] = Field(default_factory=list, description="Keys of tasks that must be in review first.")
    areas: list[Line] = Field(default_factory=list, description="Files or folders it will touch.")
    impact: Line = Field(default="", description="How big, and what else it may affect; one sentence.")


class BreakdownOutcome(_Ended):
    """A spec cut into tasks."""

    summary: Text
    tasks: Annotated[list[Task], Field(min_length=1, max_length=100)]
    questions: list[Line] = Field(default_factory=list, description="What a person should decide; often empty.")


class ResearchOutcome(_Ended):
    """What was found out about one ticket."""

    summary: Text
    document: Paper = Field(description="The whole research document in Markdown.")


class PlanOutcome(_Ended):
    """How one ticket will be done, phase by phase."""

    summary: Text
    document: Paper = Field(description="The whole plan in Markdown, in the plan format that the prompt shows.")


class WorkOutcome(_Ended):
    """Code was, or was not, written."""

    status: Status
    summary: Text = Field(description="What was done, or what went wrong.")
    verified: list[Line] = Field(default_factory=list, description="Checks that were run and passed.")
    skipped: list[Line] = Field(default_factory=list, description="Checks that were not run, each with the reason.")
    question: Text = Field(default="", description="With needs_input: the one question for a person.")
    options: list[Line] = Field(default_factory=list, description="With needs_input: the possible answers.")


class ReviewOutcome(_Ended):
    """A second pair of eyes; blockers only."""

    verdict: Literal["approved", "blockers"]
    summary: Text
    blockers: list[Line] = Field(default_factory=list, description="Each names the file, the line and the harm.")


class Reply(_Outcome):
    """What to answer in one review thread."""

    thread_id: str
    body: Text
    resolved: bool = Field(description="True only when the change that was asked for is in the code.")


class FeedbackOutcome(WorkOutcome):
    """Review comments were worked through."""

    replies: list[Reply] = Field(default_factory=list)


class ChangedDocument(_Outcome):
    """One document that was changed."""

    path: Line
    why: Line = Field(description="What was wrong or missing there, in one sentence.")


class DocumentationOutcome(WorkOutcome):
    """The documentation was brought up to date."""

    documents: list[ChangedDocument] = Field(default_factory=list, description="Every document that was changed.")


class ConcernOutcome(_Ended):
    """Which tickets a wish is about."""

    summary: Text
    tickets: list[Line] = Field(default_factory=list, description="Identifiers as given; empty: none of them.")


OUTCOMES: dict[str, type[BaseModel]] = {
    "breakdown": BreakdownOutcome,
    "research": ResearchOutcome,
    "plan": PlanOutcome,
    "implement": WorkOutcome,
    "fix": WorkOutcome,
    "review": ReviewOutcome,
    "feedback": FeedbackOutcome,
    "documentation": DocumentationOutcome,
    "concern": ConcernOutcome,
}
"""The outcome that each prompt must end with, by the prompt's name."""

WRITERS: frozenset[str] = frozenset({"implement", "fix", "feedback", "documentation"})
"""Prompts whose commits are taken over. What any other run leaves in its checkout is thrown away with it."""


class Ending(StrEnum):
    """How a run ended. The three kinds of failing are counted apart (design.md section 4).

    OUT_OF_BUDGET is about money that several runs share.
    BLOCKED is the implementation loop's: it counted its attempts itself, and they are used up.
    """

    SUCCESS = "success"
    WORK_FAILED = "work_failed"
    TRANSPORT_FAILED = "transport_failed"
    USAGE_LIMIT = "usage_limit"
    OUT_OF_BUDGET = "out_of_budget"
    NEEDS_INPUT = "needs_input"
    STOPPED = "stopped"
    BLOCKED = "blocked"


class RunSpec(BaseModel):
    """Everything one run is told. Survives a round-trip through JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run_id: str
    prompt: str
    """Name of the prompt, a key of `OUTCOMES`."""
    task_id: str
    stage: str
    attempt: int = 1
    title: str
    description: str = ""
    scope: str = ""
    dependencies: list[str] = Field(default_factory=list)
    """Identifiers of the tickets this one builds upon."""
    parent_ticket: str = ""
    variables: dict[str, JsonValue] = Field(default_factory=dict)
    """What the prompt's template wants besides the header; see `bot/runs/prompting.py`."""
    runtime: str = "claude"
    model: str = "opus"
    minutes: float = 60
    """Hard wall-clock limit of the whole run."""
    budget_usd: float | None = None
    """What the whole run may spend on its model; None means no limit of its own."""
    max_turns: int | None = None
    max_iterations: int = Field(default=1, ge=1)
    """How often the same prompt may be run, each time in a fresh context (see `bot/runs/keep_going.py`)."""
    completion_promise: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{0,100}$")] = ""
    """The word that an outcome must carry for the run to be complete; empty when "success" is enough."""
    command: list[str] = Field(default_factory=list)
    """Argument list of the program, for the `command` runtime."""


class RunResult(BaseModel):
    """What a run came to, judged by the evidence. Survives a round-trip through JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Ending
    outcome: dict[str, Any] | None = None
    """The validated outcome as JSON; None when there was none to believe."""
    summary: str = ""
    """A sentence for people."""
    error: str = ""
    """What went wrong, for people; empty when nothing did."""
    resets_at: datetime | None = None
    """With `usage_limit`: when the account may work again; None when nobody said."""
    cost_usd: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    session_id: str = ""
    seconds: float = 0.0
    turns: int = 0
    iterations: int = 1
    """How often the prompt was run; cost, tokens, seconds and turns are the sum."""
    refused: list[str] = Field(default_factory=list)
    """What it was refused on its way out of the sandbox, a line for each kind."""
    stopped_because: str = ""
    """Why it was not run once more, one of `keep_going.Stop`; empty before anybody asked."""


def outcome_schema(prompt: str) -> dict[str, Any]:
    """Return the JSON schema that an outcome of `prompt` must satisfy.

    Raises:
        KeyError: there is no such prompt.
    """
    schema = OUTCOMES[prompt].model_json_schema()
    fields = schema["properties"]
    fields["promise"] = fields.pop("promise")  # comes last: it is said when all the rest is said
    return schema


def judge(prompt: str, raw: object) -> RunResult:
    """Judge what the agent handed back as its outcome: `success`, `needs_input`, or `work_failed` with the reason.

    Only the outcome is looked at; exit code and git are for the caller, who asks this last. `raw` None means that
    the agent handed nothing back.
    """
    if raw is None:
        return RunResult(kind=Ending.WORK_FAILED, error="The agent ended without handing back an outcome.")
    try:
        outcome = OUTCOMES[prompt].model_validate(raw)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "outcome"
        error = f"The agent's outcome is not valid: {where}: {first['msg']}."
        return RunResult(kind=Ending.WORK_FAILED, error=error)
    status = getattr(outcome, "status", "success")
    summary = str(getattr(outcome, "summary", ""))
    kind = {"failure": Ending.WORK_FAILED, "needs_input": Ending.NEEDS_INPUT}.get(status, Ending.SUCCESS)
    error = summary if kind is Ending.WORK_FAILED else ""
    return RunResult(kind=kind, outcome=outcome.model_dump(mode="json"), summary=summary, error=error)
