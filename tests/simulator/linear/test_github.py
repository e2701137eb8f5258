"""Linear's GitHub integration: what a pull request does to the issues it is linked to, and how history tells it."""

import hmac
import json
from hashlib import sha256
from typing import Any

import pytest

from bot.simulator.linear import GitHubIntegration, Knobs, LinearWorld, connect_github
from bot.simulator.linear.github import PATH

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def github(world: LinearWorld) -> GitHubIntegration:
    team = world.team("YOU")
    for event, state in (("start", "In Progress"), ("review", "In Review"), ("merge", "Done")):
        world.automate(team, event, state)
    return connect_github(world, "shared")


def told(action: str, *, head: str = "agent/YOU-1", **more: Any) -> dict[str, Any]:
    pull = {
        "number": 7,
        "title": "A change",
        "body": None,
        "html_url": "https://github.test/acme/youlab/pull/7",
        "draft": False,
        "merged": False,
        "head": {"ref": head},
        "base": {"ref": "main"},
        **more,
    }
    return {"action": action, "pull_request": pull}


async def test_a_pull_request_moves_its_issue_as_the_team_s_rules_say(alice, github):
    issue = alice.creates("YOU", "One", state="Todo")
    github.hears("pull_request", told("opened"))
    assert issue.state.name == "In Progress"
    github.hears("pull_request", told("review_requested"))
    assert issue.state.name == "In Review"
    github.hears("pull_request", told("closed"))
    assert issue.state.name == "In Review"
    github.hears("pull_request", told("closed", merged=True))
    assert issue.state.name == "Done"
    [shown] = issue.attachments
    assert shown.url == "https://github.test/acme/youlab/pull/7"


async def test_the_history_names_the_integration_and_no_person(world, wire, alice, github, clock):
    issue = alice.creates("YOU", "One", state="Todo")
    clock.advance(minutes=10)
    github.hears("pull_request", told("opened"))
    clock.advance(minutes=10)
    alice.moves(issue, "Todo")
    asked = '{ issue(id: "YOU-1") { history { nodes { actor { name } botActor { type name } toState { name } } } } }'
    nodes = (await wire.data(asked))["issue"]["history"]["nodes"]
    assert [(one["actor"], one["botActor"], one["toState"]["name"]) for one in nodes] == [
        ({"name": "Alice"}, None, "Todo"),
        (None, {"type": "github", "name": "GitHub"}, "In Progress"),
    ]


async def test_everybody_who_listens_hears_of_the_move(world, mailbox, alice, github):
    issue = alice.creates("YOU", "One", state="Todo")
    github.hears("pull_request", told("opened"))
    await world.post_office.quiet()
    [moved] = [one for one in mailbox.events if one["action"] == "update" and one["type"] == "Issue"]
    assert (moved["data"]["id"], moved["data"]["state"]["name"]) == (issue.id, "In Progress")
    assert moved["actor"] == {"id": "github", "type": "integration", "service": "github"}


@pytest.mark.parametrize(
    ("words", "moves"),
    [
        ({"head": "feature", "title": "YOU-1: a change"}, True),
        ({"head": "you-1-a-change"}, True),
        ({"head": "feature", "body": "This fixes YOU-1."}, True),
        ({"head": "feature", "body": "Part of YOU-1"}, False),
        ({"head": "feature", "body": "YOU-1 is somewhere else"}, False),
        ({"head": "agent/YOU-12"}, False),
    ],
)
async def test_a_merge_closes_what_branch_title_or_closing_words_name(alice, github, words, moves):
    issue = alice.creates("YOU", "One", state="Todo")
    github.hears("pull_request", told("closed", merged=True, **words))
    assert (issue.state.name == "Done") is moves


async def test_it_drags_a_finished_issue_back(alice, github):
    issue = alice.creates("YOU", "One", state="Done")
    github.hears("pull_request", told("opened"))
    assert issue.state.name == "In Progress"


async def test_an_approval_makes_it_mergeable_and_any_other_review_is_activity(world, alice, github):
    issue = alice.creates("YOU", "One", state="Todo")
    world.automate(world.team("YOU"), "mergeable", "Backlog")
    github.hears("pull_request_review", {**told("submitted"), "review": {"state": "commented"}})
    assert issue.state.name == "In Review"
    github.hears("pull_request_review", {**told("submitted"), "review": {"state": "approved"}})
    assert issue.state.name == "Backlog"


async def test_a_rule_for_the_target_branch_goes_first_and_may_say_no_action(world, alice, github):
    issue = alice.creates("YOU", "One", state="Todo")
    world.automate(world.team("YOU"), "start", None, branch="main")
    github.hears("pull_request", told("opened"))
    assert issue.state.name == "Todo"
    github.hears("pull_request", told("opened", base={"ref": "next"}))
    assert issue.state.name == "In Progress"


async def test_github_s_webhooks_are_taken_signed_and_only_when_connected(world, wire, alice):
    issue = alice.creates("YOU", "One", state="Todo")
    body = json.dumps(told("opened")).encode()

    async def post(secret: str) -> int:
        signed = "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()
        headers = {"X-GitHub-Event": "pull_request", "X-Hub-Signature-256": signed}
        return (await wire.client.post(f"{wire.base}{PATH}", content=body, headers=headers)).status_code

    assert await post("shared") == 404
    connect_github(world, "shared")
    world.automate(world.team("YOU"), "start", "In Progress")
    assert await post("guessed") == 401
    assert issue.state.name == "Todo"
    assert await post("shared") == 200
    assert issue.state.name == "In Progress"


async def test_how_long_a_new_issue_has_no_history_can_be_set(world, alice):
    world.knobs = Knobs(folded=world.knobs.folded * 0)
    issue = alice.creates("YOU", "One", state="Todo")
    alice.moves(issue, "Done")
    assert [one.to_state.name for one in issue.history] == ["Done"]
