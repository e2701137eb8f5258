"""The pages on which a person makes and installs a GitHub App by hand.

The form that brings a manifest comes from another site, as on the real GitHub, so it changes nothing: it shows what
will be made, and the person's own click here makes it.
"""

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import RedirectResponse, Response

from bot.simulator.github import registering
from bot.simulator.github.errors import ApiError, not_found

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

PERSON = "alice"
"""Who is logged in."""


def owner_of(parts: list[str]) -> str | None:
    """Whose settings an address is about, when it is the one that takes manifests."""
    match parts:
        case ["settings", "apps", "new"]:
            return PERSON
        case ["organizations", owner, "settings", "apps", "new"]:
            return owner
    return None


def make(world: "GitHubWorld", owner: str, form: dict[str, str], state: str) -> Response:
    """Make the App as the person confirmed it, and send the browser back with its code.

    Raises:
        ApiError: 422, with what is wrong.
    """
    manifest = registering.read(world, form.get("manifest", ""))
    code = registering.register(world, manifest, owner, form.get("name", ""))
    query = urlencode({"code": code, **({"state": state} if state else {})})
    separator = "&" if "?" in manifest["redirect_url"] else "?"
    return RedirectResponse(f"{manifest['redirect_url']}{separator}{query}", 302)


def install(world: "GitHubWorld", slug: str, form: dict[str, str]) -> Response:
    """Install an App in its owner's account, on all repositories or on one.

    Raises:
        ApiError: 404, there is no such App or repository.
    """
    app = world.apps.get(slug)
    if app is None:
        raise not_found()
    if any(one.account is app.owner for one in app.installations):
        raise ApiError(422, "It is installed there already")
    chosen = form.get("repository", "")
    world.install(app, app.owner.login, repositories=[chosen] if chosen else None)
    return RedirectResponse(f"/apps/{slug}", 303)
