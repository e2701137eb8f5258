"""Linear's GitHub integration: it hears GitHub's webhooks and moves the issues that a pull request is linked to.

It asks nobody, and it doesn't mind whether an issue moves forward or back (facts on Linear, section 7). Which event
moves to which state is said by the team's rules; a rule for the pull request's target branch goes before the team's
default, and one without a state means that nothing happens.
"""

import hmac
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.simulator.linear import talk
from bot.simulator.linear.git_rules import GitAutomation
from bot.simulator.linear.issues import update_issue
from bot.simulator.linear.model import Actor, Bot, Issue, Team
from bot.simulator.linear.world import LinearWorld

PATH = "/connect/github"
_IDENTIFIER = re.compile(r"(?<![a-z0-9])([a-z][a-z0-9]*-[0-9]+)(?![0-9])", re.I)
_CLOSING = re.compile(r"\b(?:clos|fix|resolv|complet|implement)(?:e|es|ed|ing|s)?\s*:?\s+([a-z][a-z0-9]*-[0-9]+)", re.I)
_CONTRIBUTING = re.compile(
    r"\b(?:refs?|references|part of|related to|relates to|contributes to|towards?)\s*:?\s+([a-z][a-z0-9]*-[0-9]+)", re.I
)
_EVENTS = {
    "opened": "start",
    "reopened": "start",
    "ready_for_review": "start",
    "converted_to_draft": "draft",
    "review_requested": "review",
}


@dataclass(frozen=True)
class GitHubIntegration:
    """The integration of one workspace, connected with the secret that GitHub signs its webhooks with."""

    world: LinearWorld
    secret: str
    actor: Actor = field(default_factory=lambda: Actor(bot=Bot(type="github", name="GitHub", id="github")))

    def hears(self, event: str, payload: Mapping[str, Any]) -> list[Issue]:
        """Act upon a webhook; returns the issues that were moved."""
        pull = payload.get("pull_request")
        trigger = _trigger(event, payload) if pull else None
        if pull is None or trigger is None:
            return []
        moved = []
        for issue, closes in self._linked(pull):
            shown = {"title": pull["title"], "subtitle": f"#{pull['number']}", "url": pull["html_url"]}
            talk.create_attachment(self.world, self.actor, {"issue_id": issue.id, **shown})
            rule = _rule(issue.team, trigger, pull["base"]["ref"])
            contributes_only = trigger == "merge" and not closes
            if rule and rule.state and not contributes_only and issue.state is not rule.state:
                moved.append(update_issue(self.world, self.actor, issue, {"state_id": rule.state.id}))
        return moved

    def _linked(self, pull: Mapping[str, Any]) -> Iterator[tuple[Issue, bool]]:
        """The issues that a pull request names, and whether its merge closes them."""
        body = pull.get("body") or ""
        named = [*_IDENTIFIER.findall(pull["head"]["ref"]), *_IDENTIFIER.findall(pull["title"])]
        closing = {one.upper(): True for one in (*named, *_CLOSING.findall(body))}
        contributing = {one.upper(): False for one in _CONTRIBUTING.findall(body)}
        for identifier, closes in (contributing | closing).items():
            issue = self.world.find_issue(identifier)
            if issue is not None and not issue.archived_at:
                yield issue, closes

    async def receive(self, request: Request) -> Response:
        """The address that GitHub is given."""
        body = await request.body()
        expected = "sha256=" + hmac.new(self.secret.encode(), body, sha256).hexdigest()
        if not hmac.compare_digest(expected, request.headers.get("x-hub-signature-256", "")):
            return PlainTextResponse("Invalid signature", 401)
        self.hears(request.headers["x-github-event"], json.loads(body))
        return PlainTextResponse("OK")


def connect_github(world: LinearWorld, secret: str) -> GitHubIntegration:
    """Connect the workspace with GitHub: from now on the address `PATH` takes GitHub's webhooks."""
    integration = GitHubIntegration(world, secret)
    world.github_webhook = integration.receive
    return integration


def route(world: LinearWorld) -> Route:
    """Where GitHub's webhooks arrive, as soon as the workspace is connected."""

    async def endpoint(request: Request) -> Response:
        if world.github_webhook is None:
            return PlainTextResponse("Not connected", 404)
        return await world.github_webhook(request)

    return Route(PATH, endpoint, methods=["POST"])


def _trigger(event: str, payload: Mapping[str, Any]) -> str | None:
    """Linear's word for what happened, of `GitAutomationStates` in its schema; None when it is nothing to it."""
    action, pull = str(payload.get("action")), payload["pull_request"]
    if event == "pull_request_review" and action == "submitted":
        return "mergeable" if payload["review"]["state"].lower() == "approved" else "review"
    if event != "pull_request":
        return None
    if action == "closed":
        return "merge" if pull["merged"] else None
    return "draft" if action in ("opened", "reopened") and pull["draft"] else _EVENTS.get(action)


def _rule(team: Team, event: str, branch: str) -> GitAutomation | None:
    rules = [one for one in team.git_automation_states if one.event == event]
    aimed = [one for one in rules if one.target_branch and one.target_branch.matches(branch)]
    return next(iter((*aimed, *(one for one in rules if one.target_branch is None))), None)
