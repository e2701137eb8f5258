"""Settings from the environment (where things are, and the keys), and the file of the policy, read and read again."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from bot import environment as stored
from bot.machine.errors import UserError
from bot.policy import Policy

SECRETS = (
    *("CALLBOARD_SECRET_KEY", "DATABASE_URL"),
    *("LINEAR_API_KEY", "LINEAR_CLIENT_SECRET", "LINEAR_WEBHOOK_SECRET"),
    *("GITHUB_APP_PRIVATE_KEY", "GITHUB_TOKEN", "GITHUB_WEBHOOK_SECRET"),
    *("CALLBOARD_LOGIN_LINEAR_CLIENT_SECRET", "CALLBOARD_LOGIN_GITHUB_CLIENT_SECRET", "CALLBOARD_METRICS_TOKEN"),
    *("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "OPENAI_API_KEY"),
)
"""Settings that nobody else may read; each can come from a file."""


@dataclass(frozen=True)
class Settings:
    """The environment, read once. Secrets may come from a file named by `NAME_FILE`."""

    home: Path
    config: Path
    secret_key: str
    base_url: str
    sandbox: str
    database_url: str | None
    host: str
    port: int
    linear_api_url: str
    linear_api_key: str | None
    linear_client: tuple[str, str] | None
    linear_webhook_secrets: tuple[str, ...]
    github_api_url: str
    github_app: tuple[str, str] | None
    github_token: str | None
    github_webhook_secrets: tuple[str, ...]
    anthropic_api_key: str | None
    claude_code_oauth_token: str | None
    anthropic_base_url: str
    openai_api_key: str | None = None
    openai_base_url: str = "https://api.openai.com/v1"
    login_linear: tuple[str, str] | None = None
    """Client id and secret of the OAuth application through which people log in with Linear; None: they don't."""
    login_github: tuple[str, str] | None = None
    older_keys: tuple[str, ...] = ()
    """Keys that `secret_key` took the place of: what they signed is still believed, and nothing new is signed."""
    metrics_token: str | None = None
    log_json: bool = False
    resync_seconds: float = 60.0

    def secrets(self) -> tuple[str, ...]:
        """Every secret value, so that logs can cut them out."""
        known = (
            self.secret_key,
            *self.older_keys,
            self.metrics_token,
            *(self.login_linear or ())[1:],
            *(self.login_github or ())[1:],
            self.linear_api_key,
            *(self.linear_client or ())[1:],
            *self.linear_webhook_secrets,
            *(self.github_app or ())[1:],
            self.github_token,
            *self.github_webhook_secrets,
            self.anthropic_api_key,
            self.claude_code_oauth_token,
            self.openai_api_key,
            urlsplit(self.database_url or "").password,
        )
        return tuple(one for one in known if one)


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment variables of design.md section 9, by default with the file that set-up wrote.

    Raises:
        UserError: something needed is missing or unreadable; the sentence names the variable.
    """
    env = stored.environment() if environment is None else environment
    secret = _reader(env)
    home = stored.home_of(env)
    port = env.get("PORT", "8080")
    if not port.isdigit():
        raise UserError(f"PORT must be a number, not {port!r}.")
    host = env.get("HOST", "127.0.0.1")
    login_linear, login_github = _login(env, secret)
    sandbox = env.get("CALLBOARD_SANDBOX", "bwrap")
    if sandbox not in {"bwrap", "off"}:
        raise UserError(f"CALLBOARD_SANDBOX must be `bwrap` or `off`, not {sandbox!r}.")
    return Settings(
        home=home,
        config=Path(env.get("CALLBOARD_CONFIG") or home / "callboard.toml"),
        secret_key=_long_enough("CALLBOARD_SECRET_KEY", secret("CALLBOARD_SECRET_KEY")),
        base_url=env.get("CALLBOARD_BASE_URL", f"http://{host}:{port}").rstrip("/"),
        sandbox=sandbox,
        database_url=secret("DATABASE_URL"),
        host=host,
        port=int(port),
        linear_api_url=env.get("LINEAR_API_URL", "https://api.linear.app/graphql"),
        linear_api_key=secret("LINEAR_API_KEY"),
        linear_client=_pair(secret, "LINEAR_CLIENT_ID", "LINEAR_CLIENT_SECRET"),
        linear_webhook_secrets=_several(secret("LINEAR_WEBHOOK_SECRET")),
        github_api_url=env.get("GITHUB_API_URL", "https://api.github.com"),
        github_app=_pair(secret, "GITHUB_APP_ID", "GITHUB_APP_PRIVATE_KEY"),
        github_token=secret("GITHUB_TOKEN"),
        github_webhook_secrets=_several(secret("GITHUB_WEBHOOK_SECRET")),
        anthropic_api_key=secret("ANTHROPIC_API_KEY"),
        claude_code_oauth_token=secret("CLAUDE_CODE_OAUTH_TOKEN"),
        anthropic_base_url=env.get("ANTHROPIC_BASE_URL", "https://api.anthropic.com"),
        openai_api_key=secret("OPENAI_API_KEY"),
        openai_base_url=env.get("OPENAI_BASE_URL", "https://api.openai.com/v1"),
        login_linear=login_linear,
        login_github=login_github,
        older_keys=tuple(
            _long_enough("CALLBOARD_SECRET_KEY_OLDER", one) for one in _several(secret("CALLBOARD_SECRET_KEY_OLDER"))
        ),
        metrics_token=secret("CALLBOARD_METRICS_TOKEN"),
        log_json=env.get("CALLBOARD_LOG", "") == "json",
        resync_seconds=float(env.get("CALLBOARD_RESYNC_SECONDS", "60")),
    )


def require_for_serving(settings: Settings) -> None:
    """Check that everything the service needs to run is there.

    Raises:
        UserError: one sentence that names every variable that is missing.
    """
    missing = [
        name
        for name, there in (
            (
                "LINEAR_API_KEY (or LINEAR_CLIENT_ID with LINEAR_CLIENT_SECRET)",
                settings.linear_api_key or settings.linear_client,
            ),
            ("LINEAR_WEBHOOK_SECRET", settings.linear_webhook_secrets),
            (
                "GITHUB_TOKEN (or GITHUB_APP_ID with GITHUB_APP_PRIVATE_KEY)",
                settings.github_token or settings.github_app,
            ),
            ("GITHUB_WEBHOOK_SECRET", settings.github_webhook_secrets),
        )
        if not there
    ]
    if missing:
        raise UserError(f"Set {', '.join(missing)} in the environment, or a file's path in the same name with _FILE.")


def read_policy(path: Path) -> Policy:
    """The policy from a TOML file.

    Raises:
        UserError: the file is missing, isn't TOML, or has a key or value that means nothing.
    """
    try:
        return Policy.model_validate(tomllib.loads(path.read_text()))
    except FileNotFoundError:
        raise UserError(
            f"There is no policy at {path}: run `callboard setup`, or point CALLBOARD_CONFIG at one."
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{path} is not valid TOML: {error}.") from None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise UserError(f"{path} has a mistake: {wrong}.") from None


class PolicyFile:
    """The policy, read again whenever its file changes; the last good one is kept when the new one is wrong."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._policy = read_policy(path)
        self._stamp = self._modified()
        self.mistake: str | None = None

    def current(self) -> Policy:
        """The newest policy that is valid; `mistake` says what is wrong with a newer one."""
        stamp = self._modified()
        if stamp != self._stamp:
            self._stamp = stamp
            try:
                self._policy, self.mistake = read_policy(self._path), None
            except UserError as error:
                self.mistake = str(error)
        return self._policy

    def _modified(self) -> float:
        try:
            return self._path.stat().st_mtime
        except FileNotFoundError:
            return 0.0


class _reader:  # noqa: N801  # used like a function
    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def __call__(self, name: str) -> str | None:
        path = self._env.get(f"{name}_FILE")
        if path is None:
            return self._env.get(name) or None
        try:
            return Path(path).read_text().strip() or None
        except OSError as error:
            raise UserError(f"{name}_FILE points at {path}, which can't be read: {error.strerror}.") from None


def _login(env: Mapping[str, str], secret: _reader) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """The OAuth applications of Linear and of GitHub through which people log in, of those that CALLBOARD_LOGIN names.

    Linear's is the one that the service itself uses, unless another is named: a redirect address is all it needs more.
    """
    wanted = {word.strip() for word in env.get("CALLBOARD_LOGIN", "").split(",")} - {""}
    if wanted - {"linear", "github"}:
        raise UserError("CALLBOARD_LOGIN may name `linear`, `github`, or both with a comma between.")
    linear = _pair(secret, "CALLBOARD_LOGIN_LINEAR_CLIENT_ID", "CALLBOARD_LOGIN_LINEAR_CLIENT_SECRET") or _pair(
        secret, "LINEAR_CLIENT_ID", "LINEAR_CLIENT_SECRET"
    )
    github = _pair(secret, "CALLBOARD_LOGIN_GITHUB_CLIENT_ID", "CALLBOARD_LOGIN_GITHUB_CLIENT_SECRET")
    if "linear" in wanted and linear is None:
        raise UserError("CALLBOARD_LOGIN=linear needs LINEAR_CLIENT_ID with LINEAR_CLIENT_SECRET (an OAuth app).")
    if "github" in wanted and github is None:
        raise UserError(
            "CALLBOARD_LOGIN=github needs CALLBOARD_LOGIN_GITHUB_CLIENT_ID with CALLBOARD_LOGIN_GITHUB_CLIENT_SECRET."
        )
    return (linear if "linear" in wanted else None), (github if "github" in wanted else None)


def _pair(secret: _reader, first: str, second: str) -> tuple[str, str] | None:
    one, other = secret(first), secret(second)
    if one and other:
        return one, other
    if one or other:
        raise UserError(f"{first} and {second} belong together; only one of them is set.")
    return None


def _several(value: str | None) -> tuple[str, ...]:
    return tuple(part for part in (value or "").split(",") if part)


def _long_enough(name: str, value: str | None) -> str:
    if value is None or len(value) < 32:
        raise UserError(f"{name} must be set to at least 32 random characters (`openssl rand -hex 32` makes some).")
    return value
