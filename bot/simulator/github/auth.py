"""Who is asking, and may they: tokens, the JWT of an App, roles and narrowed permissions."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt

from bot.simulator.github.errors import ApiError, bad_credentials, forbidden, not_found, not_granted
from bot.simulator.github.model import Repository
from bot.simulator.github.people import LEVELS, App, Installation, Token, User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

LONGEST_JWT = timedelta(minutes=10)


@dataclass(frozen=True)
class Caller:
    """Who is asking: with a token, as an App with its JWT, or nobody (all None)."""

    token: Token | None = None
    app: App | None = None

    @property
    def user(self) -> User | None:
        """The account that acts, a bot for an installation."""
        return self.token.user if self.token else None

    @property
    def via(self) -> App | None:
        """The App through which it acts."""
        return self.token.installation.app if self.token and self.token.installation else None

    @property
    def key(self) -> str:
        """What the rate limit counts by."""
        if self.token:
            return f"installation {self.token.installation.id}" if self.token.installation else self.token.user.login
        return f"app {self.app.slug}" if self.app else "anonymous"

    def actor(self) -> User:
        """The account that acts.

        Raises:
            ApiError: 401, there is none.
        """
        if self.user is None:
            raise bad_credentials("Requires authentication")
        return self.user


def identify(world: "GitHubWorld", header: str | None) -> Caller:
    """The caller behind an `Authorization` header.

    Raises:
        ApiError: 401, it is worth nothing (any more).
    """
    if not header:
        return Caller()
    scheme, _, value = header.partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        value = _password(value)
    if value.count(".") == 2 and not value.startswith("gh"):
        return Caller(app=_app(world, value))
    token = world.tokens.get(value)
    if token is None or (token.expires_at and token.expires_at <= world.now()):
        raise bad_credentials()
    return Caller(token=token)


def _password(encoded: str) -> str:
    try:
        return base64.b64decode(encoded).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        raise bad_credentials() from None


def _app(world: "GitHubWorld", value: str) -> App:
    try:
        claims = jwt.decode(value, options={"verify_signature": False})
        apps = world.apps.values()
        app = next((one for one in apps if str(claims.get("iss")) in {str(one.id), one.client_id}), None)
        if app is None:
            raise not_found("Integration not found")
        unchecked: Any = {"verify_exp": False, "verify_iat": False, "verify_sub": False, "verify_iss": False}
        claims = jwt.decode(value, app.public_key, algorithms=["RS256"], options=unchecked)
    except jwt.InvalidTokenError:
        raise bad_credentials("A JSON web token could not be decoded") from None
    _check_times(claims, world.now().timestamp())
    return app


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int) or issued > now:
        raise bad_credentials(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )
    if not isinstance(expires, int) or expires <= now:
        raise bad_credentials(
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the "
            "assertion expires"
        )
    if expires > now + LONGEST_JWT.total_seconds():
        raise bad_credentials("'Expiration time' claim ('exp') is too far in the future")


def require(caller: Caller, repo: Repository, need: str, role: str) -> None:
    """Refuse a caller who lacks a permission (an App, `need` such as `contents:write`) or a role (a person).

    Raises:
        ApiError: 404 for what they may not see, 403 for what they may not do, 401 for nobody.
    """
    name, _, level = need.partition(":")
    token = caller.token
    if token and token.installation:
        inside = token.installation.covers(repo.owner, repo.id)
        if not inside or (token.repositories is not None and repo.id not in token.repositories):
            if repo.private or level != "read":
                raise not_found()
        elif LEVELS[token.permissions.get(name, "none")] < LEVELS[level]:
            raise not_granted(need)
        return
    held = repo.role(token.user) if token else ("none" if repo.private else "read")
    if LEVELS[held] < LEVELS["read"]:
        raise not_found()
    if token is None and level != "read":
        raise bad_credentials("Requires authentication")
    if LEVELS[held] < LEVELS[role]:
        raise forbidden(f"Must have {'admin' if role == 'admin' else 'push'} access to repository.")


def narrow(
    world: "GitHubWorld", installation: Installation, wish: Mapping[str, Any]
) -> tuple[frozenset[int] | None, dict[str, str] | None]:
    """The repositories and permissions that a token is asked to be narrowed to; None where it says nothing.

    Raises:
        ApiError: 422, more than the installation has.
    """
    repositories: frozenset[int] | None = None
    if wish.get("repositories") is not None or wish.get("repository_ids") is not None:
        own = [repo for repo in world.repositories.values() if installation.covers(repo.owner, repo.id)]
        known = {repo.name: repo.id for repo in own}
        asked = [known.get(name, 0) for name in wish.get("repositories") or ()]
        asked += [number if number in known.values() else 0 for number in wish.get("repository_ids") or ()]
        if 0 in asked:
            raise ApiError(
                422,
                "There is at least one repository that does not exist or is not accessible to the parent installation.",
            )
        repositories = frozenset(asked)
    permissions: dict[str, str] | None = wish.get("permissions") or None
    for name, level in (permissions or {}).items():
        if LEVELS.get(level, 9) > LEVELS[installation.permissions.get(name, "none")]:
            raise ApiError(422, "The permissions requested are not granted to this installation.")
    return repositories, permissions
