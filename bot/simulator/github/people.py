"""Who there is: people, bots, organisations, Apps, and the credentials they carry."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

LEVELS = {"none": 0, "read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}


def node_id(prefix: str, number: int) -> str:
    """An opaque GraphQL id in GitHub's shape, such as `PR_kwDOAA…`."""
    return f"{prefix}_kwDO{base64.urlsafe_b64encode(f'{prefix}{number:08d}'.encode()).decode().rstrip('=')}"


@cache
def _key_of(app: int) -> rsa.RSAPrivateKey:  # noqa: ARG001 - by which it is found again
    """The key of an App, by its id. It takes a tenth of a second to make one, so all worlds of a process share them."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass(eq=False)
class User:
    """A person, a bot (`login` ends in `[bot]`, as REST spells it) or an organisation."""

    id: int
    login: str
    kind: str = "User"
    name: str | None = None
    remarks_as: str | None = None
    """Another login under which REST shows what it says on lines (Copilot alone has one)."""

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id({"User": "U", "Bot": "BOT", "Organization": "O"}[self.kind], self.id)

    @property
    def actor_login(self) -> str:
        """The login as GraphQL spells it: a bot without its `[bot]`."""
        return self.login.removesuffix("[bot]")


@dataclass(eq=False)
class App:
    """A registered GitHub App. `permissions` are what installations are granted; `user` is its bot.

    Its key pair is made when somebody first asks for it: that takes a while, and many Apps never log in.
    """

    id: int
    slug: str
    user: User
    owner: User
    permissions: dict[str, str]
    events: tuple[str, ...]
    client_id: str
    created_at: datetime
    webhook_url: str | None = None
    webhook_secret: str | None = None
    client_secret: str = field(default_factory=lambda: secrets.token_hex(20))
    callback_urls: tuple[str, ...] = ()
    """Where a person's browser may be sent back to; none: nobody can log in through it."""
    installations: list["Installation"] = field(default_factory=list)

    @property
    def node(self) -> str:
        """The GraphQL id."""
        return node_id("A", self.id)

    @property
    def _key(self) -> rsa.RSAPrivateKey:
        return _key_of(self.id)

    @property
    def private_key(self) -> str:
        """The PEM file that its owner downloads."""
        form = serialization.PrivateFormat.TraditionalOpenSSL
        return self._key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    @property
    def public_key(self) -> str:
        """What GitHub keeps of it, as PEM."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


@dataclass(eq=False)
class Installation:
    """An App in an account, on all repositories (None) or on some, by id.

    Its permissions lag behind the App's until somebody accepts the new ones.
    """

    id: int
    app: App
    account: User
    permissions: dict[str, str]
    repositories: frozenset[int] | None = None
    created_at: datetime | None = None

    def covers(self, account: User, repository: int) -> bool:
        """Whether a repository of `account` belongs to this installation."""
        return account is self.account and (self.repositories is None or repository in self.repositories)


@dataclass(frozen=True)
class Token:
    """A credential. For an installation, `repositories` and `permissions` say what it was narrowed to."""

    value: str
    user: User
    installation: Installation | None = None
    repositories: frozenset[int] | None = None
    permissions: Mapping[str, str] = field(default_factory=dict)
    expires_at: datetime | None = None
