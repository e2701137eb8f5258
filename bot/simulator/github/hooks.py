"""Webhooks as GitHub sends them: signed, once, kept for a look at what became of them."""

import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from bot.simulator.github import render, render_apps
from bot.simulator.github.errors import not_found
from bot.simulator.github.model import Hook, Pull, Repository
from bot.simulator.github.people import App, Installation, User, node_id
from bot.simulator.post_office import Letter

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

NEEDS = {
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "pull_request_review_comment": "pull_requests",
    "pull_request_review_thread": "pull_requests",
    "issue_comment": "issues",
    "check_run": "checks",
    "check_suite": "checks",
    "status": "statuses",
    "workflow_run": "actions",
    "merge_group": "merge_queues",
    "push": "contents",
}
"""The permission without which an App is not told of an event."""


@dataclass(frozen=True)
class Event:
    """Something that happened, as the world's own listeners (a simulated CI, a page) hear of it."""

    name: str
    action: str | None
    repository: Repository
    sender: User
    pull: Pull | None = None
    payload: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Delivery:
    """One sending of one webhook. `guid` stays the same when it is sent again."""

    id: int
    guid: str
    event: str
    action: str | None
    letter: Letter
    delivered_at: datetime
    installation: Installation | None = None
    repository: Repository | None = None
    hook: Hook | None = None
    redelivery: bool = False


def emit(
    world: "GitHubWorld",
    repository: Repository,
    sender: User,
    name: str,
    payload: Mapping[str, Any],
    *,
    action: str | None = None,
    pull: Pull | None = None,
    only: App | None = None,
) -> None:
    """Tell everybody who subscribed: Apps that are installed and may know, and the repository's own hooks.

    `only` keeps an event for one App (a `check_suite` requested goes to the App that the suite belongs to).
    """
    whole = {"action": action, **payload} if action else dict(payload)
    whole["repository"] = render.repository(world, repository)
    if repository.owner.kind == "Organization":
        whole["organization"] = _organization(world, repository.owner)
    whole["sender"] = render.user(world, sender)
    for installation in _listening(world, repository, name, only):
        told = {**whole, "installation": {"id": installation.id, "node_id": node_id("I", installation.id)}}
        _to_app(world, installation, name, action, told, repository)
    for hook in repository.hooks:
        if only is None and hook.active and ({name, "*"} & set(hook.events)):
            _to_hook(world, repository, hook, name, action, whole)
    for listen in tuple(world.listeners):
        listen(Event(name, action, repository, sender, pull, whole))


def announce_installation(world: "GitHubWorld", installation: Installation, action: str = "created") -> None:
    """Send the `installation` event, which every App gets whether it subscribed or not."""
    app = installation.app
    if app.webhook_url is None:
        return
    covered = [repo for repo in world.repositories.values() if installation.covers(repo.owner, repo.id)]
    payload = {
        "action": action,
        "installation": render_apps.installation(world, installation),
        "repositories": [
            {
                "id": repo.id,
                "node_id": repo.node,
                "name": repo.name,
                "full_name": repo.full_name,
                "private": repo.private,
            }
            for repo in covered
        ],
        "requester": None,
        "sender": render.user(world, app.owner),
    }
    _to_app(world, installation, "installation", action, payload, None)


def ping(world: "GitHubWorld", repository: Repository, hook: Hook, sender: User) -> None:
    """Send the `ping` that a new repository hook gets."""
    payload = {
        "zen": "Non-blocking is better than blocking.",
        "hook_id": hook.id,
        "hook": render_apps.hook(world, repository, hook),
        "repository": render.repository(world, repository),
        "sender": render.user(world, sender),
    }
    _to_hook(world, repository, hook, "ping", None, payload)


def redeliver(world: "GitHubWorld", delivery: Delivery) -> None:
    """Send a delivery again: the same bytes under the same GUID."""
    letter = Letter(
        delivery.letter.url, delivery.letter.delivery, delivery.letter.headers, delivery.letter.body
    )  # a letter of its own, so that what becomes of it is told apart from the first
    again = Delivery(
        world.id(),
        delivery.guid,
        delivery.event,
        delivery.action,
        letter,
        world.now(),
        delivery.installation,
        delivery.repository,
        delivery.hook,
        redelivery=True,
    )
    world.deliveries.append(again)
    world.post_office.send(letter)


def find(world: "GitHubWorld", app: App, number: int) -> Delivery:
    """A delivery of an App by its id.

    Raises:
        ApiError: 404, there is none.
    """
    for delivery in of_app(world, app):
        if delivery.id == number:
            return delivery
    raise not_found()


def of_app(world: "GitHubWorld", app: App) -> list[Delivery]:
    """What was sent to an App, newest first."""
    own = [one for one in world.deliveries if one.installation and one.installation.app is app]
    return sorted(own, key=lambda one: -one.id)


def outcome(world: "GitHubWorld", delivery: Delivery) -> tuple[str, int]:
    """What became of a delivery, in GitHub's words, with the status code (0: nobody answered)."""
    for attempt in world.post_office.attempts:
        if attempt.letter is delivery.letter:
            if attempt.status is None:
                return "failed to connect to host", 0
            code = attempt.status
            return ("OK" if 200 <= code < 300 else f"Invalid HTTP Response: {code}"), code
    if any(letter is delivery.letter for letter in world.post_office.dropped):
        return "failed to connect to host", 0
    return "pending", 0


def sign(secret: str, body: bytes) -> str:
    """The value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def _organization(world: "GitHubWorld", owner: User) -> dict[str, Any]:
    url = render.api(world, f"/orgs/{owner.login}")
    return {
        "login": owner.login,
        "id": owner.id,
        "node_id": owner.node,
        "url": url,
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events",
        "hooks_url": f"{url}/hooks",
        "issues_url": f"{url}/issues",
        "members_url": f"{url}/members{{/member}}",
        "public_members_url": f"{url}/public_members{{/member}}",
        "avatar_url": f"{world.base_url}/avatars/u/{owner.id}",
        "description": None,
    }


def _listening(world: "GitHubWorld", repo: Repository, name: str, only: App | None) -> Iterable[Installation]:
    for app in world.apps.values():
        for place in app.installations:
            asked = only is app if only else _subscribed(app, place, name)
            if app.webhook_url and asked and place.covers(repo.owner, repo.id) and NEEDS[name] in place.permissions:
                yield place


def _subscribed(app: App, place: Installation, name: str) -> bool:
    # Permission to write checks subscribes an App to check runs and suites by itself.
    return name in app.events or (name in {"check_run", "check_suite"} and place.permissions.get("checks") == "write")


def _to_app(
    world: "GitHubWorld",
    installation: Installation,
    name: str,
    action: str | None,
    payload: Mapping[str, Any],
    repository: Repository | None,
) -> None:
    app = installation.app
    if app.webhook_url is None:
        return
    target = (str(app.id), str(app.id), "integration")
    letter = _letter(app.webhook_url, app.webhook_secret, name, json.dumps(payload).encode(), "json", target)
    _record(world, letter, name, action, installation=installation, repository=repository)


def _to_hook(
    world: "GitHubWorld", repo: Repository, hook: Hook, name: str, action: str | None, payload: Mapping[str, Any]
) -> None:
    target = (str(hook.id), str(repo.id), "repository")
    raw = json.dumps(payload).encode()
    body = raw if hook.content_type == "json" else urlencode({"payload": raw.decode()}).encode()
    letter = _letter(hook.url, hook.secret, name, body, hook.content_type, target)
    _record(world, letter, name, action, repository=repo, hook=hook)


def _letter(
    url: str, secret: str | None, name: str, body: bytes, content_type: str, target: tuple[str, str, str]
) -> Letter:
    guid = str(uuid.uuid4())
    hook_id, target_id, target_type = target
    headers = [
        ("Accept", "*/*"),
        ("Content-Type", "application/json" if content_type == "json" else "application/x-www-form-urlencoded"),
        ("User-Agent", "GitHub-Hookshot/5f0bd1c"),
        ("X-GitHub-Delivery", guid),
        ("X-GitHub-Event", name),
        ("X-GitHub-Hook-ID", hook_id),
        ("X-GitHub-Hook-Installation-Target-ID", target_id),
        ("X-GitHub-Hook-Installation-Target-Type", target_type),
    ]
    if secret:
        legacy = hmac.new(secret.encode(), body, hashlib.sha1).hexdigest()
        headers += [("X-Hub-Signature", f"sha1={legacy}"), ("X-Hub-Signature-256", sign(secret, body))]
    return Letter(url, guid, tuple(headers), body)


def _record(
    world: "GitHubWorld",
    letter: Letter,
    name: str,
    action: str | None,
    *,
    installation: Installation | None = None,
    repository: Repository | None = None,
    hook: Hook | None = None,
) -> None:
    one = Delivery(world.id(), letter.delivery, name, action, letter, world.now(), installation, repository, hook)
    world.deliveries.append(one)
    world.post_office.send(letter)
