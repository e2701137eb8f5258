"""Making a GitHub App from a manifest: what GitHub checks, and the code that buys its secrets, once, for an hour."""

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.simulator.github.errors import ApiError, not_found
from bot.simulator.github.hooks import NEEDS
from bot.simulator.github.people import LEVELS, App

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

CODE_LIFE = timedelta(hours=1)
_PERMISSIONS = {*NEEDS.values(), "metadata", "workflows", "administration", "members"}


@dataclass(frozen=True)
class NewApp:
    """What GitHub sends the browser back with."""

    app: App
    until: datetime


def read(world: "GitHubWorld", text: str) -> dict[str, Any]:
    """A manifest that GitHub would take.

    Raises:
        ApiError: 422, with what is wrong.
    """
    try:
        found = json.loads(text)
    except ValueError:
        raise ApiError(422, "Error in app manifest: it is not JSON") from None
    if not isinstance(found, dict):
        raise ApiError(422, "Error in app manifest: it is no object")
    hook = found.get("hook_attributes") or {}
    for name, url in (
        ("url", found.get("url")),
        ("redirect_url", found.get("redirect_url")),
        ("hook", hook.get("url")),
    ):
        if not isinstance(url, str) or urlsplit(url).scheme not in ("http", "https"):
            raise ApiError(422, f"Error in app manifest: {name} must be a valid URL")
    if hook.get("active", True) and world.knobs.public_webhooks and _is_local(hook["url"]):
        raise ApiError(422, "Hook url is not supported because it isn't reachable over the public Internet (localhost)")
    _check_rights(found.get("default_permissions") or {}, found.get("default_events") or [])
    return found


def register(world: "GitHubWorld", manifest: Mapping[str, Any], owner: str, name: str) -> str:
    """Make the App; returns the code for its secrets.

    Raises:
        ApiError: 422, the name is taken, too long or empty.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug or len(name) > 34:
        raise ApiError(422, "Name is too long (maximum is 34 characters)" if slug else "Name can't be blank")
    if slug in world.apps:
        raise ApiError(422, "Name has already been taken")
    hook = manifest["hook_attributes"]
    app = world.app(
        slug,
        owner=owner,
        webhook_url=hook["url"] if hook.get("active", True) else None,
        webhook_secret=secrets.token_hex(20),
        permissions={"metadata": "read", **manifest.get("default_permissions", {})},
        events=manifest.get("default_events", ()),
        install=False,
    )
    app.callback_urls = tuple(manifest.get("callback_urls", ()))
    code = secrets.token_urlsafe(30)
    world.new_apps[code] = NewApp(app, world.now() + CODE_LIFE)
    return code


def redeem(world: "GitHubWorld", code: str) -> App:
    """The App that a code stands for; it is spent.

    Raises:
        ApiError: 404, it was never one, was used, or is too old.
    """
    found = world.new_apps.pop(code, None)
    if found is None or found.until <= world.now():
        raise not_found()
    return found.app


def _check_rights(permissions: Mapping[str, str], events: list[str]) -> None:
    for name, level in permissions.items():
        if name not in _PERMISSIONS or level not in LEVELS:
            raise ApiError(422, f"Error in app manifest: default permission {name}: {level} is not valid")
    for event in events:
        if event not in NEEDS:
            raise ApiError(422, f"Error in app manifest: default events unsupported: {event}")
        if NEEDS[event] not in permissions:
            raise ApiError(422, f"Error in app manifest: default events are not supported by permissions: {event}")


def _is_local(url: str) -> bool:
    return (urlsplit(url).hostname or "") in ("localhost", "127.0.0.1", "::1")
