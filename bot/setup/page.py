"""The page at `/setup` of a service that is not configured yet: one step after the other, each a small form.

Reached with the token from the log only (`door.py`). No GET changes anything: also when GitHub sends the browser back
with the code for a new App, a button takes its keys. Once it is finished, the service starts and the page is gone.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from markdown_it import MarkdownIt
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.github import manifest
from bot.linear.hooks import RESOURCE_TYPES
from bot.machine.errors import Refused, Transient, UserError
from bot.setup import files, steps
from bot.setup.door import COOKIE, LIFETIME, Door, Session, is_ours
from bot.setup.steps import LinearEntry, Standing, Step
from bot.web.looks import page, static_route
from bot.web.walls import HEADERS, LARGEST_FORM, form_of
from bot.words import setup_text

Form = Mapping[str, str]
_MARKDOWN = MarkdownIt("commonmark", {"html": False})
_STATE_SECONDS = 3600


class SetupPage:
    """The application. `finished` is set when the person said that it is done."""

    def __init__(self, process: Mapping[str, str], door: Door, local: str) -> None:
        self._process, self._door, self._local = process, door, local
        self.finished = asyncio.Event()
        self._wrote = asyncio.Condition()
        self._acts: dict[str, Callable[[Session, Form], Awaitable[Response | None]]] = {
            "address": self._address,
            "github": self._github,
            "github-existing": self._github_existing,
            "github-take": self._github_take,
            "linear": self._linear,
            "model": self._model,
            "work": self._work,
            "board": self._board,
            "confirm": self._confirm,
            "finish": self._finish,
        }

    def app(self) -> ASGIApp:
        """Everything that answers while nothing is configured."""
        routes = [
            Route("/healthz", _alive),
            Route("/readyz", _not_ready),
            Route("/webhooks/{source}", _not_ready, methods=["POST"]),  # GitHub is asked for them again later
            static_route(),
            Route("/setup", self._show),
            Route("/setup/github/back", self._back),
            Route("/setup/{act}", self._act, methods=["POST"]),
            Route("/{path:path}", _closed),
        ]
        return _dressed(Starlette(routes=routes), manifest.pages(self._github_api))

    @property
    def _github_api(self) -> str:
        return self._stand().env.get("GITHUB_API_URL", "https://api.github.com")

    def _stand(self) -> Standing:
        return steps.stand(self._process)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; it is looked at after everything that was written."""
        async with self._wrote:
            await self._wrote.wait_for(holds)

    # ---- looking

    async def _show(self, request: Request) -> Response:
        token = request.query_params.get("token")
        if token is not None and request.method == "GET":
            session = self._door.enter(token)
            if session is None:
                return await _closed(request)
            response = RedirectResponse("/setup", 303)
            secure = request.url.scheme == "https"
            response.set_cookie(
                COOKIE, session.id, max_age=int(LIFETIME), path="/setup", httponly=True, samesite="lax", secure=secure
            )
            return response
        session = self._door.who(request)
        return await self._page(session) if session else await _closed(request)

    async def _page(self, session: Session, *, mistake: str = "", said: str = "", status: int = 200) -> Response:
        standing = self._stand()
        values: dict[str, Any] = {"repositories": (), "teams": (), "install": "", "lacking": ()}
        try:
            values |= await self._seen(standing)
        except (UserError, Refused, Transient) as error:
            mistake = mistake or str(error)
        base = standing.env.get("CALLBOARD_BASE_URL", "")
        texts = {
            "address": _html("address", local=self._local),
            "github": _html("github", permissions=_permissions(), events=", ".join(manifest.EVENTS)),
            "linear": _html("linear", base=base, types=", ".join(RESOURCE_TYPES)),
            **{name: _html(name) for name in ("model", "work", "board")},
        }
        return page(
            "setup.html",
            None,
            status,
            session=session,
            standing=standing,
            titles=steps.TITLES,
            texts=texts,
            base=base,
            local=self._local,
            mistake=mistake,
            said=said,
            **values,
        )

    async def _seen(self, standing: Standing) -> dict[str, Any]:
        """What the steps that are at hand ask Linear and GitHub."""
        if standing.settings is None or standing.next not in (Step.WORK, None):
            return {}
        if standing.next is None:
            return {"lacking": await steps.look_at_board(standing)}
        return {
            "repositories": await steps.repositories(standing.settings),
            "install": await steps.install_page(standing.settings),
            "teams": await steps.teams(standing.settings),
        }

    async def _back(self, request: Request) -> Response:
        session = self._door.who(request)
        if session is None:
            return await _closed(request)
        code, state = request.query_params.get("code", ""), request.query_params.get("state", "")
        return page("setup_back.html", None, session=session, code=code, state=state)

    # ---- acting

    async def _act(self, request: Request) -> Response:
        session, act = self._door.who(request), self._acts.get(request.path_params["act"])
        if session is None or act is None:
            return await _closed(request)
        form = form_of(await _body(request))
        if not is_ours(request, session, form.get("csrf", "")):
            return await self._page(session, mistake="That did not come from this page. Try again.", status=403)
        form["origin"] = request.headers["origin"]
        try:
            if request.path_params["act"] != "address" and Step.ADDRESS not in self._stand().done:
                raise UserError("Say first where the service is reached.")
            answer = await act(session, form)
            async with self._wrote:
                self._wrote.notify_all()
            return answer or RedirectResponse("/setup", 303)
        except (UserError, Refused, Transient) as error:
            return await self._page(session, mistake=str(error), status=422)

    def _write(self, session: Session, changes: tuple[files.Change, ...]) -> Response | None:
        """Write what overwrites nothing; ask before the rest."""
        if any(change.overwrites for change in changes):
            session.pending = changes
            return page("setup_confirm.html", None, session=session, changes=changes)
        files.apply(changes)
        return None

    async def _confirm(self, session: Session, _form: Form) -> Response | None:
        changes, session.pending = session.pending, ()
        files.apply(changes)
        return None

    async def _address(self, session: Session, form: Form) -> Response | None:
        return self._write(session, steps.address(self._stand(), form.get("url", "")))

    async def _github(self, session: Session, form: Form) -> Response:
        """Show the form that goes to GitHub, with the App as it will be."""
        standing, owner = self._stand(), form.get("organization", "").strip()
        assert standing.settings
        if owner and not owner.replace("-", "").isalnum():
            raise UserError("That is no organisation's name: letters, digits and hyphens.")
        base = standing.settings.base_url
        app = manifest.manifest(
            form.get("name", "").strip() or "Callboard",
            base,
            f"{form['origin']}/setup/github/back",
            hooks=not manifest.is_local(base) or manifest.is_local(self._github_api),
        )
        action = manifest.form_action(self._github_api, owner, self._signer(standing).dumps(session.id))
        return page("setup_github.html", None, session=session, action=action, manifest=json.dumps(app), app=app)

    def _signer(self, standing: Standing) -> URLSafeTimedSerializer:
        assert standing.settings
        return URLSafeTimedSerializer(standing.settings.secret_key, salt="callboard github app")

    async def _github_take(self, session: Session, form: Form) -> Response | None:
        standing = self._stand()
        assert standing.settings
        try:
            whose = self._signer(standing).loads(form.get("state", ""), max_age=_STATE_SECONDS)
        except BadData:
            whose = None
        if whose != session.id:
            raise UserError("This App was not asked for here, or more than an hour ago: begin again.")
        made = await manifest.exchange(self._github_api, form.get("code", ""))
        return self._write(session, steps.github_app(standing, made))

    async def _github_existing(self, session: Session, form: Form) -> Response | None:
        fields = (form.get(name, "") for name in ("app_id", "private_key", "webhook_secret"))
        return self._write(session, await steps.existing_app(self._stand(), *fields))

    async def _linear(self, session: Session, form: Form) -> Response | None:
        names = ("client_id", "client_secret", "api_key", "webhook_secret")
        entry = LinearEntry(**{name: form.get(name, "").strip() for name in names})
        changes, who = await steps.linear(self._stand(), entry)
        return self._write(session, changes) or await self._page(session, said=f"Linear was reached as {who}.")

    async def _model(self, session: Session, form: Form) -> Response | None:
        key, token = form.get("api_key", ""), form.get("oauth_token", "")
        return self._write(session, steps.model(self._stand(), api_key=key, oauth_token=token))

    async def _work(self, session: Session, form: Form) -> Response | None:
        teams = [one for one in form.get("teams", "").replace(",", " ").split() if one]
        standing, repository = self._stand(), form.get("repository", "").strip()
        assert standing.settings
        steps.check_work(repository, teams, dict(await steps.teams(standing.settings)))
        change = files.policy_change(standing.config, repository, teams, form.get("base", "").strip() or "main")
        return self._write(session, (change,) if change else ())

    async def _board(self, session: Session, _form: Form) -> Response:
        made = await steps.create_on_board(self._stand())
        return await self._page(session, said=f"Created in Linear: {'; '.join(made)}.")

    async def _finish(self, session: Session, _form: Form) -> Response:
        standing = self._stand()
        if standing.next is not None or standing.policy is None:
            raise UserError("Something is still open.")
        teams = ", ".join(dict.fromkeys(team for place in standing.policy.repositories for team in place.teams))
        base = standing.env["CALLBOARD_BASE_URL"]
        self.finished.set()
        return page("setup_finished.html", None, session=session, text=_html("finished", teams=teams), base=base)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            return b""  # a form without its token, so it is refused
    return bytes(body)


async def _alive(_request: Request) -> Response:
    return JSONResponse({"alive": True})


async def _not_ready(_request: Request) -> Response:
    return JSONResponse({"setup": "not done yet"}, 503)


async def _closed(_request: Request) -> Response:
    return page("closed.html", None, 403, sentence=setup_text("closed"), doors=())


def _html(name: str, **values: object) -> Markup:
    return Markup(_MARKDOWN.render(setup_text(name, **values)))  # noqa: S704  # our own text; markdown-it escapes HTML


def _permissions() -> str:
    wanted = {**manifest.PERMISSIONS, **{name: level for name, (level, _) in manifest.USEFUL.items()}}
    return ", ".join(f"{name}: {level}" for name, level in wanted.items())


def _dressed(app: ASGIApp, github: str) -> ASGIApp:
    """The headers of every page; forms may go to us, and to GitHub with the App that is to be made."""
    policy = (
        "default-src 'none'; style-src 'self'; img-src 'self'; "
        f"form-action 'self' {github}; base-uri 'none'; frame-ancestors 'none'"
    )

    async def dressed(scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in {**HEADERS, "content-security-policy": policy, "cache-control": "no-store"}.items():
                    headers[name] = value
            await send(message)

        await app(scope, receive, with_headers)

    return dressed
