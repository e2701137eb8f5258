"""The policy: how to work, as `callboard.toml` says it. `make docs` makes the reference of what each key does."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from bot.machine import protected
from bot.machine.hostname import host_name
from bot.machine.stages import STATES, Stage


class Strict(BaseModel):
    """A section of the policy: an unknown key is a mistake, said at start."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class RepositoryPolicy(Strict):
    """One repository and the Linear teams whose epics work on it."""

    name: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")]
    """The repository, as `owner/name`."""
    teams: tuple[str, ...] = ()
    """Keys of the Linear teams whose epics work on it."""
    projects: tuple[str, ...] = ()
    """Names of Linear projects whose epics work on it; a project goes before a team."""
    label: str = ""
    """An epic with this label works on it; a label goes before everything."""
    base: str = "main"
    """The branch that work starts from and goes to."""


class Limits(Strict):
    """How much at once, how long, how often."""

    workers: Annotated[int, Field(ge=1)] = 10
    """Runs at once in the whole service; a higher number counts from its next start on."""
    workers_per_epic: Annotated[int, Field(ge=1)] = 10
    """Runs at once for one epic."""
    workers_per_repository: Annotated[int, Field(ge=1)] = 10
    """Runs at once for one repository."""
    max_retries: Annotated[int, Field(ge=0)] = 3
    """Failures of one stage, or repairs of one phase, before the ticket is blocked."""
    max_fix_rounds: Annotated[int, Field(ge=0)] = 2
    """Repairs of a pull request, for each kind (checks, conflict), before it is blocked."""
    open_reviews: Annotated[int, Field(ge=0)] = 0
    """How many pull requests may wait for a person at once; 0: any number."""
    run_minutes: Annotated[float, Field(gt=0)] = 60
    """Wall-clock limit of one run."""
    verify_minutes: Annotated[float, Field(gt=0)] = 20
    """Wall-clock limit of one command of a plan."""
    max_turns: Annotated[int, Field(ge=1)] = 200
    """Turns of the agent's conversation in one run."""
    runs_per_ticket: Annotated[int, Field(ge=1)] = 100
    """Runs of one ticket before its breaker opens; a person's `retry` there closes it again."""
    runs_per_hour: Annotated[int, Field(ge=1)] = 600
    """Runs that the whole service may begin within an hour."""
    spec_kilobytes: Annotated[int, Field(ge=1)] = 150
    """The longest description that is taken as a spec."""


class Gates(Strict):
    """Where a person, or another ticket, must have gone first."""

    plan: Literal["auto", "person"] = "auto"
    """Whether a ticket's plan needs a person's approval: `auto` or `person`."""
    verify: Literal["unticked", "all"] = "unticked"
    """`unticked` believes an agent's tick; `all` runs every command once more before the pull request."""
    dependents_start: Literal["code_review", "done"] = "code_review"
    """A ticket starts when what it depends on is in `code_review` with green checks, or only when it is `done`."""
    documentation: bool = True
    """Whether an epic ends with a ticket that brings the documentation up to date."""
    review_bots: tuple[str, ...] = ()
    """Logins of the review bots whose word is waited for, such as `coderabbitai[bot]`."""
    review_bot_minutes: Annotated[float, Field(ge=0)] = 20
    """How long a review bot is waited for."""
    checks_appear_seconds: Annotated[float, Field(ge=0)] = 60
    """How long a new head is watched for checks before it counts as having none."""


class Budget(Strict):
    """Money, in US dollars."""

    epic_usd: Annotated[float, Field(gt=0)] = 100.0
    """What an epic may cost; `budget $N` there changes it."""
    run_usd: Annotated[float, Field(gt=0)] = 20.0
    """What one run may cost; it is ended there."""
    day_usd: Annotated[float, Field(gt=0)] = 250.0
    """What the whole service may spend in a day."""


class ModelPrice(Strict):
    """What a model costs, in US dollars per million tokens (searches: per thousand); what is left out is derived."""

    input: Annotated[float, Field(ge=0)]
    """Input tokens."""
    output: Annotated[float, Field(ge=0)]
    """Output tokens."""
    cache_write: Annotated[float, Field(ge=0)] | None = None
    """Tokens written to the cache for five minutes."""
    cache_write_hour: Annotated[float, Field(ge=0)] | None = None
    """Tokens written to the cache for an hour."""
    cache_read: Annotated[float, Field(ge=0)] | None = None
    """Tokens read from the cache."""
    searches: Annotated[float, Field(ge=0)] = 10.0
    """Searches of the vendor's own, for a thousand."""
    most_output: Annotated[int, Field(ge=1)] = 128_000
    """The most tokens that one answer may have; so much is reserved before a call."""


class StageAgent(Strict):
    """What one stage's agent does otherwise than the rest.

    With a completion promise it runs again with the same prompt until its outcome carries the promise, at most
    `max_iterations` times.
    """

    runtime: str | None = None
    """Another runtime for this stage."""
    model: str | None = None
    """Another model for this stage."""
    max_iterations: Annotated[int, Field(ge=1, le=100)] = 1
    """Runs again with the same prompt at most so often."""
    completion_promise: Annotated[str, Field(max_length=100, pattern=r"^[A-Za-z0-9_.-]*$")] = ""
    """The word that ends the repetition."""

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.max_iterations > 1) != bool(self.completion_promise):
            raise ValueError("max_iterations (2 or more) and completion_promise belong together")
        return self


@dataclass(frozen=True)
class AgentChoice:
    """The agent of one stage, with everything that is not said there filled in."""

    runtime: str
    model: str
    max_iterations: int
    completion_promise: str


class Agent(Strict):
    """Which program does the work."""

    runtime: str = "claude"
    """`claude` (Claude Code), or `command` (any program that reads the prompt and writes the outcome)."""
    model: str = "opus"
    """The model, as the runtime names it."""
    command: tuple[str, ...] = ()
    """The program and its arguments, for the runtime `command`."""
    server_tools: tuple[str, ...] = ()
    """Tools that the model's vendor runs itself and agents may use, such as a search of the web."""
    stages: Mapping[str, StageAgent] = Field(default_factory=dict)
    """What single stages do otherwise, by stage or by prompt."""

    def for_stage(self, stage: str) -> AgentChoice:
        """The agent of a stage, or of a prompt (`breakdown`, `implement`, `review`, `fix`, `documentation`)."""
        own = self.stages.get(stage, StageAgent())
        return AgentChoice(
            own.runtime or self.runtime, own.model or self.model, own.max_iterations, own.completion_promise
        )

    def for_step(self, prompt: str, stage: str) -> dict[str, Any]:
        """The agent of a run by its prompt, as fields of its spec: settings of its own go before those of its stage.

        That a stage keeps going says nothing about the reviews and repairs of its work.
        """
        own = self.for_stage(prompt if prompt in self.stages else stage)
        if prompt not in (*self.stages, stage, "implement"):
            own = replace(own, max_iterations=1, completion_promise="")
        return asdict(own)


class People(Strict):
    """Who may approve and command; empty means every active member who is no guest."""

    users: tuple[str, ...] = ()
    """Linear user ids that may approve and command."""


class SandboxPolicy(Strict):
    """What agents may see of the machine besides their checkout, and how much of it one run may use."""

    read_only: tuple[str, ...] = ()
    """More paths of this machine that agents may read, such as a toolchain."""
    memory_gigabytes: Annotated[float, Field(ge=1)] = 6
    """Memory of one run."""
    processes: Annotated[int, Field(ge=64)] = 1024
    """Processes of one run."""
    cpus: Annotated[float, Field(gt=0)] = 4
    """Processors that one run may keep busy."""
    disk_gigabytes: Annotated[float, Field(gt=0)] = 10
    """What one run may write."""


REGISTRIES = (
    *("pypi.org", "files.pythonhosted.org"),
    *("registry.npmjs.org", "registry.yarnpkg.com"),
    *("index.crates.io", "static.crates.io"),
    *("proxy.golang.org", "sum.golang.org"),
    *("rubygems.org", "index.rubygems.org"),
    *("repo.maven.apache.org", "repo1.maven.org", "plugins.gradle.org"),
    *("api.nuget.org", "repo.packagist.org", "repo.hex.pm", "pub.dev"),
)
"""Where packages come from. No code host is among them: what can be written to can carry secrets away."""


class NetworkPolicy(Strict):
    """Which hosts runs may reach, on port 443 and through the service's proxy only."""

    allow: tuple[Annotated[str, AfterValidator(host_name)], ...] = REGISTRIES
    """Host names, each exactly; by default the well-known package registries."""


class GitPolicy(Strict):
    """What may come into a repository only when a person names it in the approval; patterns as in `.gitignore`."""

    protected: tuple[Annotated[str, Field(min_length=1)], ...] = protected.DEFAULT
    """Patterns of paths; by default the CI's files, lock files, CODEOWNERS, and the settings of agents."""


class Policy(Strict):
    """`callboard.toml`, all of it."""

    repositories: tuple[RepositoryPolicy, ...] = ()
    """The repositories, each in a `[[repositories]]` of its own."""
    states: Mapping[Stage, str] = Field(default_factory=dict)
    """Names of the workflow states, by stage, where yours differ."""
    limits: Limits = Limits()
    gates: Gates = Gates()
    budget: Budget = Budget()
    prices: Mapping[str, ModelPrice] = Field(default_factory=dict)
    """By model (`[prices."claude-opus-4"]`), where yours differ from the built-in ones."""
    agent: Agent = Agent()
    people: People = People()
    sandbox: SandboxPolicy = SandboxPolicy()
    network: NetworkPolicy = NetworkPolicy()
    git: GitPolicy = GitPolicy()

    def state_names(self) -> dict[Stage, str]:
        """The Linear workflow state of every stage."""
        return {stage: self.states.get(stage, state.name) for stage, state in STATES.items()}

    def repository_for(self, team: str, project: str, labels: frozenset[str]) -> RepositoryPolicy | None:
        """The repository an epic works on: by label, then by project, then by team; None when nothing names one."""
        by_label = [one for one in self.repositories if one.label and one.label in labels]
        by_project = [one for one in self.repositories if project and project in one.projects]
        by_team = [one for one in self.repositories if team in one.teams and not one.projects and not one.label]
        return next(iter((*by_label, *by_project, *by_team)), None)

    def repository_named(self, name: str) -> RepositoryPolicy | None:
        """The repository of this name; GitHub doesn't tell upper from lower case in it."""
        return next((one for one in self.repositories if one.name.lower() == name.lower()), None)
