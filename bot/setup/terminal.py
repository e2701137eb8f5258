"""Set-up in a terminal: asks what is open, checks it, shows what it would write, and writes it.

With `yes` nothing is asked: values come from the options and the environment, and what is missing is named.
"""

import getpass
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from bot import environment
from bot.github import manifest
from bot.linear.hooks import RESOURCE_TYPES
from bot.machine.errors import Refused, UserError
from bot.setup import files, steps
from bot.setup.serving import open_page
from bot.setup.steps import CREDENTIALS, TITLES, LinearEntry, Standing, Step
from bot.words import setup_text

KEPT = (
    *("CALLBOARD_SECRET_KEY", "CALLBOARD_BASE_URL", "DATABASE_URL"),
    *CREDENTIALS,
    *("ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "OPENAI_API_KEY"),
    *("LINEAR_API_URL", "GITHUB_API_URL", "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL", "HOST", "PORT"),
)
"""Settings of this shell that are kept in the file, so that the service starts with them from anywhere."""


@dataclass(frozen=True)
class Wanted:
    """The options of the command; empty where nothing was said."""

    yes: bool = False
    base_url: str = ""
    repository: str = ""
    teams: tuple[str, ...] = ()
    base: str = ""


@dataclass(frozen=True)
class Ask:
    """How a person is asked; a test answers in their place."""

    text: Callable[[str], str] = input
    secret: Callable[[str], str] = getpass.getpass


@dataclass
class Terminal:
    """One run of `callboard setup`."""

    process: Mapping[str, str]
    wanted: Wanted
    console: Console
    ask: Ask = field(default_factory=Ask)
    wrote: bool = False

    async def run(self) -> None:
        """All steps that are open, in their order.

        Raises:
            UserError: something that is needed is missing or wrong; what was written before stays.
            Refused, Transient: Linear or GitHub refuses, or does not answer.
        """
        self._keep_environment()
        await self._step(Step.ADDRESS, self._address)
        await self._step(Step.GITHUB, self._github)
        await self._step(Step.LINEAR, self._linear)
        await self._step(Step.MODEL, self._model)
        await self._check()
        await self._step(Step.WORK, self._work)
        if self.wanted.repository:
            await self._work()
        await self._board()
        standing = self._stand()
        assert standing.policy
        teams = ", ".join(dict.fromkeys(team for place in standing.policy.repositories for team in place.teams))
        self._say("finished" if self.wrote else "nothing_to_do", teams=teams)

    def _stand(self) -> Standing:
        return steps.stand(self.process)

    async def _step(self, step: Step, act: Callable[[], Awaitable[None]]) -> None:
        """Do a step that is open; what a person entered wrong they enter again."""
        if step not in self._stand().done and not self.wanted.yes:
            self._explain(step)
        while step not in self._stand().done:
            if self.wanted.yes and step in _NEEDED:
                raise UserError(f"With --yes this must be in the environment: {_NEEDED[step]}.")
            try:
                await act()
            except (UserError, Refused) as error:
                if self.wanted.yes:
                    raise
                self.console.print(Text(f"✗ {error}", style="red"))

    # ---- steps

    def _keep_environment(self) -> None:
        """Offer to keep in the file what this shell sets."""
        values: dict[str, str] = {}
        for name in KEPT:
            if path := self.process.get(f"{name}_FILE"):
                values[f"{name}_FILE"] = str(Path(path).absolute())
            elif value := self.process.get(name):
                values[name] = value
        home = environment.home_of(self.process)
        changes = files.settings_changes(home, values) if values else ()
        if changes and (self.wanted.yes or self._yes(f"Keep {', '.join(values)} of this shell in {home}?")):
            self._write(changes)

    async def _address(self) -> None:
        port = self.process.get("PORT", "8080")
        local = f"http://127.0.0.1:{port}"
        url = self.wanted.base_url
        if not url and self.wanted.yes:
            raise UserError("With --yes say where the service is reached: --base-url https://callboard.example.org.")
        if not url:
            url = self.ask.text(f"Public address [{local}]: ").strip() or local
        self._write(steps.address(self._stand(), url))

    async def _github(self) -> None:
        standing = self._stand()
        answer = self.ask.text("Make a new App in the browser (n), or use one there is (e)? [n]: ").strip() or "n"
        if answer == "e":
            app_id, path = self.ask.text("App id: "), self.ask.text("File with its private key: ")
            secret = self.ask.secret("Webhook secret: ")
            self._write(await steps.existing_app(standing, app_id, _read(path), secret))
            return
        settings = standing.settings
        assert settings

        def tell(words: str) -> None:
            self.console.print(Markdown(words))

        async with open_page(self.process, settings.host, settings.port, tell) as page:
            await page.until(lambda: Step.GITHUB in self._stand().done)
        self.wrote = True

    async def _linear(self) -> None:
        client_id = self.ask.text("Client id (empty: a personal API key): ").strip()
        if client_id:
            entry = LinearEntry(
                client_id, self.ask.secret("Client secret: ").strip(), "", self.ask.secret("Signing secret: ").strip()
            )
        else:
            key = self.ask.secret("API key: ").strip()
            secret = self.ask.secret("Webhook signing secret (empty: make the webhook): ").strip()
            entry = LinearEntry(api_key=key, webhook_secret=secret)
        changes, who = await steps.linear(self._stand(), entry)
        self.console.print(Text(f"✓ Linear was reached as {who}", style="green"))
        self._write(changes)

    async def _model(self) -> None:
        key = self.ask.secret("Key (sk-ant-api…) or token (sk-ant-oat…): ").strip()
        oauth = key.startswith("sk-ant-oat")
        self._write(steps.model(self._stand(), api_key="" if oauth else key, oauth_token=key if oauth else ""))

    async def _check(self) -> None:
        """What came from the environment was not tried yet."""
        settings = self._stand().settings
        assert settings
        await steps.teams(settings)
        await steps.repositories(settings)

    async def _work(self) -> None:
        standing = self._stand()
        assert standing.settings
        repository, teams, base = self.wanted.repository, list(self.wanted.teams), self.wanted.base or "main"
        if self.wanted.yes and not (repository and teams):
            raise UserError("With --yes say what to work on: --repository OWNER/NAME --team KEY.")
        if not repository:
            repository, base = await self._choose_repository(standing)
        known = dict(await steps.teams(standing.settings))
        if not teams:
            shown = ", ".join(f"{key} ({name})" for key, name in known.items())
            teams = self.ask.text(f"Teams whose epics work on it, of {shown}: ").replace(",", " ").split()
        steps.check_work(repository, teams, known)
        if change := files.policy_change(standing.config, repository, teams, base):
            self._write((change,))

    async def _choose_repository(self, standing: Standing) -> tuple[str, str]:
        assert standing.settings
        while True:
            found = await steps.repositories(standing.settings)
            if found or standing.settings.github_app is None:
                break
            self._say("install", url=await steps.install_page(standing.settings))
            self.ask.text("Enter, when that is done: ")
        for one in found:
            self.console.print(f"  {one.name}  [dim]{one.base}[/dim]")
        default = found[0] if len(found) == 1 else None
        name = self.ask.text(f"Repository{f' [{default.name}]' if default else ''}: ").strip()
        chosen = (
            default if not name else next((one for one in found if one.name == name), steps.Reachable(name, "main"))
        )
        if chosen is None:
            raise UserError("A repository is needed: OWNER/NAME.")
        base = self.ask.text(f"Base branch [{chosen.base}]: ").strip() or chosen.base
        return chosen.name, base

    async def _board(self) -> None:
        standing = self._stand()
        lacking = await steps.look_at_board(standing)
        if not lacking:
            return
        self._explain(Step.BOARD)
        for one in lacking:
            if one.states:
                states = ", ".join(f"{name} ({kind})" for name, kind in one.states)
                self.console.print(f"  {one.team} lacks the workflow states {states}")
            if one.labels:
                self.console.print(f"  {one.team} lacks the labels {', '.join(one.labels)}")
        if self.wanted.yes or self._yes("Create them in Linear?"):
            for line in await steps.create_on_board(standing):
                self.console.print(Text(f"✓ {line}", style="green"))
            self.wrote = True

    # ---- asking and showing

    def _write(self, changes: Sequence[files.Change]) -> None:
        """Show what changes; what takes the place of something is asked for first."""
        for change in changes:
            self.console.print(Text(change.shown() if change.overwrites else f"✓ {change.path}", style="dim"))
        taking = any(change.overwrites for change in changes)
        if taking and not self.wanted.yes and not self._yes("That takes the place of what is there. Write it?"):
            raise UserError("Nothing was written.")
        files.apply(changes)
        self.wrote = self.wrote or bool(changes)

    def _yes(self, question: str) -> bool:
        return self.ask.text(f"{question} [y/N]: ").strip().lower() in ("y", "yes")

    def _explain(self, step: Step) -> None:
        env = self._stand().env
        values = {
            Step.ADDRESS: {"local": f"http://127.0.0.1:{self.process.get('PORT', '8080')}"},
            Step.GITHUB: {"permissions": _permissions(), "events": ", ".join(manifest.EVENTS)},
            Step.LINEAR: {"base": env.get("CALLBOARD_BASE_URL", ""), "types": ", ".join(RESOURCE_TYPES)},
        }
        self.console.print(Text(f"\n{TITLES[step]}", style="bold"))
        self._say(step, **values.get(step, {}))

    def _say(self, name: str, **values: object) -> None:
        self.console.print(Markdown(setup_text(name, **values)))


def _read(path: str) -> str:
    try:
        return Path(path.strip()).expanduser().read_text()
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}.") from None


_NEEDED = {
    Step.GITHUB: "GITHUB_APP_ID with GITHUB_APP_PRIVATE_KEY (or GITHUB_TOKEN), and GITHUB_WEBHOOK_SECRET",
    Step.LINEAR: "LINEAR_CLIENT_ID with LINEAR_CLIENT_SECRET (or LINEAR_API_KEY), and LINEAR_WEBHOOK_SECRET",
    Step.MODEL: "ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN",
}


def _permissions() -> str:
    wanted = {**manifest.PERMISSIONS, **{name: level for name, (level, _) in manifest.USEFUL.items()}}
    return ", ".join(f"{name}: {level}" for name, level in wanted.items())
