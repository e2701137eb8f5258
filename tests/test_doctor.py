"""The doctor: what it finds on simulated Linear and GitHub, what each check says, and the command's exit code."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bot import doctor
from bot.board import open_board
from bot.cli import main
from bot.config import PolicyFile, RepositoryPolicy, read_settings
from bot.doctor import Level, RepositorySeen
from bot.simulator.github import GitHubWorld, github_app
from bot.simulator.linear import LinearWorld, linear_app
from bot.simulator.serving import serve

POLICY = '[[repositories]]\nname = "acme/youlab"\nteams = ["YOU"]\n'


@dataclass
class Patient:
    """What the doctor looks at."""

    linear: LinearWorld
    github: GitHubWorld
    environment: dict[str, str]
    policy: Path

    async def examined(self) -> list[str]:
        settings = read_settings(self.environment)
        async with open_board(settings, PolicyFile(settings.config)) as board:
            return [f"{one.level} {one.about}: {one.says}" async for one in doctor.examine(board)]

    async def complaints(self) -> list[str]:
        return [line for line in await self.examined() if not line.startswith("ok")]

    async def set_up(self) -> None:
        settings = read_settings(self.environment)
        async with open_board(settings, PolicyFile(settings.config)) as board:
            await board.set_up()


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Patient]:
    """A workspace and a repository in which everything is as it should be."""
    policy = tmp_path / "callboard.toml"
    policy.write_text(POLICY)
    linear, github = LinearWorld.small(with_stages=True), GitHubWorld(tmp_path / "github")
    async with AsyncExitStack() as stack:
        linear_url = await stack.enter_async_context(serve(linear_app(linear)))
        github_url = await stack.enter_async_context(serve(github_app(github)))
        stack.push_async_callback(linear.close)
        stack.push_async_callback(github.post_office.close)
        github.base_url = github_url
        await github.create_repository("acme/youlab", {"README.md": "# YouLab\n"})
        app = github.app("callboard")
        environment = {
            "CALLBOARD_HOME": str(tmp_path),
            "CALLBOARD_SECRET_KEY": "k" * 32,
            "LINEAR_API_URL": f"{linear_url}/graphql",
            "LINEAR_CLIENT_ID": "callboard",
            "LINEAR_CLIENT_SECRET": "callboard-secret",
            "LINEAR_WEBHOOK_SECRET": "linear",
            "GITHUB_API_URL": f"{github_url}/api/v3",
            "GITHUB_APP_ID": str(app.id),
            "GITHUB_APP_PRIVATE_KEY": app.private_key,
            "GITHUB_WEBHOOK_SECRET": "github",
        }
        whole = Patient(linear, github, environment, policy)
        await whole.set_up()
        yield whole


async def test_all_is_well_when_everything_is_set_up(patient):
    assert await patient.examined() == [
        "ok Linear: reached as Callboard, an application in Acme",
        "ok team YOU: has a workflow state for every stage",
        "ok team YOU: has every label",
        "ok team YOU: no automation of Linear moves tickets against us",
        "ok acme/youlab: is reached, and has its base branch main",
        "ok acme/youlab: allows to merge by merge, squash, rebase",
        "ok acme/youlab: the GitHub App has every permission it needs",
    ]


async def test_what_linear_does_by_itself_is_named_with_the_setting_that_ends_it(patient):
    team = patient.linear.team("YOU")
    for event, state in (("start", "In Progress"), ("review", "In Review"), ("merge", "Done")):
        patient.linear.automate(team, event, state)
    patient.linear.automate(team, "draft", "Todo", branch="next")
    patient.linear.automate(team, "mergeable", None)
    team.auto_close_child_issues = True
    opened, reviewed, drafted, children = await patient.complaints()
    assert opened == (
        "warn team YOU: Linear's GitHub integration moves tickets to In Progress: “On PR open”; it is put right once, "
        "then left. Better set it to “No action” in Linear → Settings → Team YouLab → Workflows & automations → "
        "Pull request and commit automations"
    )
    assert "moves tickets to In Review: “On PR review request or activity”;" in reviewed
    assert "moves tickets to Todo: “On draft PR open” (target branch next);" in drafted
    assert "sub-issues" in children


async def test_states_and_labels_that_lack_or_are_of_another_type_are_named(patient):
    patient.policy.write_text(POLICY + '[states]\ndev = "Coding"\nmerge = "Backlog"\n')
    patient.linear.drop(patient.linear.label("needs input"))
    missing, wrong, label = await patient.complaints()
    assert missing.startswith("fail team YOU: lacks the workflow states Coding: run `callboard setup`")
    assert wrong.startswith("fail team YOU: Backlog has the type backlog, the stage merge needs started")
    assert label == "warn team YOU: lacks the labels needs input: run `callboard setup`"


async def test_a_label_that_is_a_group_is_no_label(patient):
    patient.linear.label("blocked").is_group = True
    [group] = await patient.complaints()
    assert group.startswith("fail team YOU: blocked is a group of labels")


async def test_a_team_that_is_not_there_hides_no_repository(patient):
    patient.policy.write_text(POLICY.replace("YOU", "NO"))
    found = await patient.examined()
    assert found[1].startswith("fail Linear: Linear has no team NO")
    assert found[2].startswith("ok acme/youlab: is reached")


async def test_a_repository_out_of_reach_hides_no_other(patient):
    patient.policy.write_text('[[repositories]]\nname = "acme/other"\nteams = ["YOU"]\n' + POLICY)
    found = await patient.examined()
    assert found[4].startswith("fail acme/other: ")
    assert found[5].startswith("ok acme/youlab: is reached")


async def test_a_base_branch_that_is_not_there_is_named_with_the_one_that_is(patient):
    patient.policy.write_text(POLICY + 'base = "develop"\n')
    [base] = await patient.complaints()
    assert base.startswith("fail acme/youlab: has no branch develop: the default branch is main")


async def test_permissions_that_the_app_lacks_are_named(patient):
    installation = patient.github.apps["callboard"].installations[0]
    installation.permissions.update({"checks": "read", "actions": "read"})
    [lacking] = await patient.complaints()
    assert lacking.startswith("fail acme/youlab: the GitHub App lacks checks: write:")


async def test_a_personal_key_of_linear_works_with_a_warning(patient):
    del patient.environment["LINEAR_CLIENT_ID"], patient.environment["LINEAR_CLIENT_SECRET"]
    patient.environment["LINEAR_API_KEY"] = "lin_api_alice"
    [key] = await patient.complaints()
    assert key.startswith("warn Linear: reached with the personal key of Alice")


async def test_the_command_prints_a_line_per_check_and_fails_only_when_something_fails(patient, monkeypatch, capsys):
    for name, value in patient.environment.items():
        monkeypatch.setenv(name, value)
    patient.linear.automate(patient.linear.team("YOU"), "start", "In Progress")
    assert await asyncio.to_thread(main, ["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ok", "ok", "ok", "warn", "ok", "ok", "ok"]
    patient.policy.write_text(POLICY + 'base = "develop"\n')
    assert await asyncio.to_thread(main, ["doctor"]) == 1


WELL = RepositorySeen(
    policy=RepositoryPolicy(name="acme/youlab"),
    default_branch="main",
    base_exists=True,
    archived=False,
    methods=("squash",),
    queue=False,
    role="WRITE",
    granted=None,
)


@pytest.mark.parametrize(
    ("seen", "level", "says"),
    [
        (WELL, Level.WARN, "by squash only"),
        (replace(WELL, methods=("merge",)), Level.OK, "by merge"),
        (replace(WELL, methods=()), Level.FAIL, "no way to merge"),
        (replace(WELL, methods=(), queue=True), Level.OK, "merge queue"),
    ],
)
def test_how_pull_requests_are_merged(seen, level, says):
    [found] = doctor.merging(seen)
    assert found.level is level
    assert says in found.says


@pytest.mark.parametrize(
    ("seen", "levels"),
    [
        (WELL, [Level.OK]),
        (replace(WELL, role="READ"), [Level.FAIL]),
        (replace(WELL, role=""), [Level.FAIL]),
        (replace(WELL, granted=doctor.NEEDED), [Level.OK, Level.WARN]),
        (replace(WELL, granted={**doctor.NEEDED, "actions": "write"}), [Level.OK]),
        (replace(WELL, queue=True, granted={**doctor.NEEDED, "actions": "write"}), [Level.OK, Level.WARN]),
        (replace(WELL, granted={}), [Level.FAIL]),
    ],
)
def test_what_we_may_do(seen, levels):
    assert [one.level for one in doctor.permissions(seen)] == levels


def test_an_archived_repository_can_not_be_worked_on():
    [found] = doctor.base_branch(replace(WELL, archived=True))
    assert found.level is Level.FAIL
