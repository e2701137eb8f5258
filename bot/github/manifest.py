"""Our GitHub App: what it must be allowed and told, and how one is made with a single click (facts on GitHub, 4 and 5).

The person's browser posts the manifest to GitHub; GitHub sends them back with a code that is good for an hour and for
one use, and the code buys the App's id and secrets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx2

from bot.machine.errors import Transient, UserError

PERMISSIONS: Mapping[str, str] = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "checks": "write",
    "statuses": "read",
    "actions": "read",
}
"""Without these something fails."""
USEFUL: Mapping[str, tuple[str, str]] = {
    "actions": ("write", "a flaky check can't be run once more before it is repaired"),
    "merge_queues": ("read", "what happens in the merge queue is heard late"),
}
"""What is asked for as well, and what goes without it."""
EVENTS = (
    *("pull_request", "pull_request_review", "pull_request_review_comment", "pull_request_review_thread"),
    *("issue_comment", "push", "check_run", "check_suite", "status"),
)
"""What the App must be told. `merge_group` is asked for as well: it belongs to `merge_queues`."""
_CODE = re.compile(r"[0-9A-Za-z_-]{1,200}", re.ASCII)
_NAME = 34
"""The longest name of an App that GitHub takes."""


@dataclass(frozen=True)
class Registered:
    """An App as GitHub has just made it. What is secret here is shown by GitHub once."""

    id: int
    slug: str
    html_url: str
    client_id: str
    client_secret: str = field(repr=False)
    webhook_secret: str = field(repr=False)
    private_key: str = field(repr=False)


def pages(api_url: str) -> str:
    """Where GitHub's pages are: api.github.com has them at github.com, a server of one's own beside its API."""
    parts = urlsplit(api_url)
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"


def manifest(name: str, base_url: str, redirect_url: str, *, hooks: bool) -> dict[str, Any]:
    """The App as we want it. `hooks`: GitHub can reach `base_url`; it refuses webhooks to what is no public address."""
    wanted = {**PERMISSIONS, **{name: level for name, (level, _) in USEFUL.items()}}
    return {
        "name": name[:_NAME],
        "url": base_url,
        "description": "Turns a labelled Linear epic into merged pull requests, and asks you three times at most.",
        "hook_attributes": {"url": f"{base_url}/webhooks/github", "active": hooks},
        "redirect_url": redirect_url,
        "callback_urls": [f"{base_url}/login/github/callback"],
        "public": False,
        "default_permissions": wanted,
        "default_events": [*EVENTS, "merge_group"],
    }


def form_action(api_url: str, organization: str, state: str) -> str:
    """Where the browser posts the manifest: for an organisation, or for the person's own account."""
    owner = f"organizations/{organization}/" if organization else ""
    return f"{pages(api_url)}/{owner}settings/apps/new?{urlencode({'state': state})}"


async def exchange(api_url: str, code: str) -> Registered:
    """Buy the App's secrets with the code that came back.

    Raises:
        UserError: the code was used, is older than an hour, or never was one.
        Transient: GitHub doesn't answer. The code may be spent then; making the App anew is the way on.
    """
    if not _CODE.fullmatch(code):
        raise UserError("That is no code of GitHub's: begin again with the form that makes the App.")
    url = f"{api_url.rstrip('/')}/app-manifests/{code}/conversions"
    try:
        async with httpx2.AsyncClient(timeout=30, trust_env=not is_local(api_url)) as client:
            answer = await client.post(url, headers={"Accept": "application/vnd.github+json"})
    except httpx2.HTTPError as error:
        raise Transient(f"GitHub can't be reached: {type(error).__name__}") from error
    if answer.status_code in (404, 422):
        raise UserError("GitHub does not know this code any more (it is good once, and for an hour): begin again.")
    if answer.status_code != httpx2.codes.CREATED:
        raise Transient(f"GitHub answered {answer.status_code} when asked for the App's keys")
    made = answer.json()
    return Registered(
        id=made["id"],
        slug=made["slug"],
        html_url=made["html_url"],
        client_id=made["client_id"],
        client_secret=made["client_secret"],
        webhook_secret=made["webhook_secret"] or "",
        private_key=made["pem"],
    )


def is_local(url: str) -> bool:
    """Whether an address is on this machine."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1", "0.0.0.0") or host.startswith("127.")  # noqa: S104  # read, not listened at
