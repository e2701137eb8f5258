"""Set-up in a browser: from nothing to a service that can start, and nobody else gets in."""

import html
import json
import re
import stat

import httpx2
import pytest

from bot.config import read_policy, read_settings, require_for_serving
from bot.environment import environment
from bot.setup import steps
from bot.setup.door import LIFETIME
from bot.setup.steps import Step


async def make_the_app(newcomer, **owner):
    """Click through to GitHub and back; returns the last page before the keys are taken, and its fields."""
    form = (await newcomer.post("github", name="Callboard of Acme", **owner)).text
    action = html.unescape(re.search(r'action="(http[^"]+)"', form)[1])
    manifest = html.unescape(re.search(r'name="manifest" value="([^"]+)"', form)[1])
    shown = await newcomer.browser.post(action, data={"manifest": manifest}, headers={"origin": newcomer.url})
    assert "Create GitHub App for" in shown.text
    name = json.loads(manifest)["name"]
    back = await newcomer.browser.post(action, data={"manifest": manifest, "name": name, "act": "create"})
    fields = dict(re.findall(r'name="(code|state)" value="([^"]+)"', back.text))
    return back, {name: html.unescape(value) for name, value in fields.items()}


async def until_the_app(newcomer):
    await newcomer.enter()
    await newcomer.post("address", url="http://127.0.0.1:8080")
    _, fields = await make_the_app(newcomer, organization="acme")
    return await newcomer.post("github-take", **fields)


async def test_from_nothing_to_a_service_that_can_start(newcomer):
    assert steps.unconfigured(newcomer.process)
    taken = await until_the_app(newcomer)
    assert "Linear" in taken.text
    app = newcomer.github.apps["callboard-of-acme"]
    assert (app.permissions["checks"], app.permissions["merge_queues"]) == ("write", "read")
    refused = await newcomer.post("linear", client_id="callboard", client_secret="wrong", webhook_secret="s")
    assert (refused.status_code, "Client authentication failed" in refused.text) == (422, True)
    found = await newcomer.post("linear", client_id="callboard", client_secret="callboard-secret", webhook_secret="s")
    assert "Linear was reached as Callboard, an application in Acme." in found.text
    work = (await newcomer.post("model", api_key="sk-ant-none")).text
    install = re.search(r'href="(http[^"]+/installations/new)"', work)[1]
    assert "installed nowhere yet" in work
    await newcomer.browser.post(install, data={})
    assert 'value="acme/youlab"' in (await newcomer.browser.get(f"{newcomer.url}/setup")).text
    board = (await newcomer.post("work", repository="acme/youlab", base="main", teams="YOU")).text
    assert "Research in Progress" in board
    assert "Research in Progress" not in [one.name for one in newcomer.linear.team("YOU").states]
    made = (await newcomer.post("board")).text
    assert "Created in Linear: YOU: Research in Progress" in made
    assert newcomer.linear.state("Research in Progress").type == "started"
    assert "Callboard starts" in (await newcomer.post("finish")).text
    assert newcomer.page.finished.is_set()
    settings = read_settings(environment(newcomer.process))
    require_for_serving(settings)
    assert settings.github_app == (str(app.id), app.private_key.strip())
    assert settings.github_webhook_secrets == (app.webhook_secret,)
    assert settings.login_github == (app.client_id, app.client_secret)
    assert read_policy(settings.config).repositories[0].teams == ("YOU",)
    assert not steps.unconfigured(newcomer.process)


async def test_what_is_written_is_for_its_owner_only_and_no_secret_lies_in_the_settings(newcomer):
    await until_the_app(newcomer)
    for path in newcomer.home.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert stat.S_IMODE(newcomer.home.stat().st_mode) == 0o700
    text = (newcomer.home / "environment").read_text()
    app = newcomer.github.apps["callboard-of-acme"]
    assert "GITHUB_APP_PRIVATE_KEY_FILE=" in text
    assert not [one for one in (app.client_secret, app.webhook_secret, "BEGIN") if one in text]


async def test_the_address_is_good_once_and_for_one_browser(newcomer):
    first = newcomer.tokens[0]
    await newcomer.enter()
    assert newcomer.tokens[-1] != first
    async with httpx2.AsyncClient(follow_redirects=True, trust_env=False, verify=False) as stranger:
        for path in ("/setup", f"/setup?token={first}", "/setup?token=", "/setup/github/back?code=a&state=b", "/"):
            answer = await stranger.get(f"{newcomer.url}{path}")
            assert (answer.status_code, "good once" in answer.text) == (403, True)
        for act in ("address", "finish", "github-take", "nonsense"):
            form = {"csrf": newcomer.csrf, "url": "http://127.0.0.1:1"}
            answer = await stranger.post(f"{newcomer.url}/setup/{act}", data=form, headers={"origin": newcomer.url})
            assert answer.status_code == 403
    assert not newcomer.home.exists()


async def test_a_look_at_the_address_does_not_spend_it(newcomer):
    assert (await newcomer.browser.head(f"{newcomer.url}/setup?token={newcomer.tokens[-1]}")).status_code == 403
    await newcomer.enter()


async def test_a_session_ends_after_an_hour(newcomer, monkeypatch):
    await newcomer.enter()
    monkeypatch.setattr("bot.setup.door.LIFETIME", -1.0)
    assert (await newcomer.browser.get(f"{newcomer.url}/setup")).status_code == 403
    assert LIFETIME == 3600


@pytest.mark.parametrize(
    "changed",
    [{"csrf": ""}, {"csrf": "x" * 43}, {"origin": "https://evil.example.org"}, {"origin": "null"}, {"origin": ""}],
)
async def test_only_a_page_of_ours_can_change_something(newcomer, changed):
    await newcomer.enter()
    answer = await newcomer.post("address", url="http://127.0.0.1:8080", **changed)
    assert answer.status_code == 403
    assert not newcomer.home.exists()


async def test_nothing_can_be_done_before_its_turn(newcomer):
    await newcomer.enter()
    for act in ("github", "github-take", "linear", "model", "work", "board", "finish"):
        answer = await newcomer.post(act, api_key="lin_api_alice")
        assert (answer.status_code, "Say first where" in answer.text) == (422, True)
    await newcomer.post("address", url="http://127.0.0.1:8080")
    for act in ("work", "board", "finish"):
        assert (await newcomer.post(act, repository="acme/youlab", teams="YOU")).status_code == 422
    assert not newcomer.page.finished.is_set()


async def test_no_get_changes_anything(newcomer):
    await newcomer.enter()
    await newcomer.post("address", url="http://127.0.0.1:8080")
    back, fields = await make_the_app(newcomer)
    assert "Take the keys" in back.text
    assert "GITHUB_APP_ID" not in (newcomer.home / "environment").read_text()
    for act in ("address", "github-take", "board", "confirm", "finish"):
        answer = await newcomer.browser.get(f"{newcomer.url}/setup/{act}", params=fields)
        assert answer.status_code in (403, 405)
    assert not newcomer.page.finished.is_set()


async def test_an_app_that_was_not_asked_for_here_is_not_taken(newcomer):
    await newcomer.enter()
    await newcomer.post("address", url="http://127.0.0.1:8080")
    _, fields = await make_the_app(newcomer)
    for wrong in ({**fields, "state": "forged"}, {**fields, "code": "never"}, {**fields, "code": "../../user"}):
        answer = await newcomer.post("github-take", **wrong)
        assert (answer.status_code, "begin again" in answer.text) == (422, True)
    assert Step.GITHUB not in steps.stand(newcomer.process).done
    await newcomer.enter()  # the same person in a new session
    assert (await newcomer.post("github-take", **fields)).status_code == 422


async def test_the_headers_allow_nothing_but_our_files_and_github(newcomer):
    await newcomer.enter()
    answer = await newcomer.browser.get(f"{newcomer.url}/setup")
    policy = answer.headers["content-security-policy"]
    github = newcomer.process["GITHUB_API_URL"].removesuffix("/api/v3")
    assert "default-src 'none'" in policy
    assert f"form-action 'self' {github};" in policy
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    assert " style=" not in answer.text
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"


async def test_what_takes_the_place_of_something_is_shown_first(newcomer):
    await newcomer.enter()
    await newcomer.post("address", url="http://127.0.0.1:8080")
    await newcomer.post("model", api_key="sk-ant-first")
    asked = await newcomer.post("model", api_key="sk-ant-second")
    assert "another secret" in asked.text
    assert "sk-ant" not in asked.text
    key = newcomer.home / "secrets" / "anthropic-api-key"
    assert key.read_text() == "sk-ant-first\n"
    await newcomer.post("confirm")
    assert key.read_text() == "sk-ant-second\n"
    moved = await newcomer.post("address", url="https://callboard.example.org")
    assert "-CALLBOARD_BASE_URL=http://127.0.0.1:8080" in moved.text


async def test_webhooks_that_come_too_early_fail_so_that_they_are_asked_for_again(newcomer):
    assert (await newcomer.browser.post(f"{newcomer.url}/webhooks/github", content=b"{}")).status_code == 503


async def test_an_app_that_was_made_before_is_taken_when_its_key_fits(newcomer):
    await newcomer.enter()
    await newcomer.post("address", url="http://127.0.0.1:8080")
    app = newcomer.github.app("mine")
    wrong = await newcomer.post(
        "github-existing", app_id=str(app.id + 1), private_key=app.private_key, webhook_secret="s"
    )
    assert wrong.status_code == 422
    await newcomer.post("github-existing", app_id=str(app.id), private_key=app.private_key, webhook_secret="s")
    assert Step.GITHUB in steps.stand(newcomer.process).done
