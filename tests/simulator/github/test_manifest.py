"""Making an App from a manifest: a person confirms, the code is good once and for an hour, and mistakes are refused."""

import json
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import pytest_asyncio

pytestmark = pytest.mark.asyncio(loop_scope="module")

MANIFEST = {
    "name": "Callboard of Acme",
    "url": "https://callboard.example.org",
    "hook_attributes": {"url": "https://callboard.example.org/webhooks/github", "active": True},
    "redirect_url": "https://callboard.example.org/setup/github/back",
    "default_permissions": {"checks": "write", "issues": "read"},
    "default_events": ["check_run", "issue_comment"],
}


@pytest_asyncio.fixture(loop_scope="module")
async def browser(stage):
    async with httpx2.AsyncClient(base_url=stage.world.base_url, trust_env=False, verify=False) as client:
        yield client


async def send(browser, manifest=MANIFEST, **more):
    form = {"manifest": manifest if isinstance(manifest, str) else json.dumps(manifest), **more}
    return await browser.post("/organizations/acme/settings/apps/new?state=s%26t", data=form, headers=OTHER_SITE)


OTHER_SITE = {"origin": "https://callboard.example.org"}


async def create(browser, stage, **more):
    form = {"manifest": json.dumps(MANIFEST), "name": "Callboard of Acme", "act": "create", **more}
    answer = await browser.post("/organizations/acme/settings/apps/new?state=s%26t", data=form)
    return parse_qs(urlsplit(answer.headers.get("location", "")).query), answer


async def test_a_form_of_another_site_only_shows_what_would_be_made(stage, browser):
    shown = await send(browser)
    assert "Create GitHub App for acme" in shown.text
    assert (await send(browser, act="create", name="x")).status_code == 403
    assert "callboard-of-acme" not in stage.world.apps


async def test_a_code_buys_the_secrets_once(stage, browser):
    query, answer = await create(browser, stage)
    assert answer.headers["location"].startswith(MANIFEST["redirect_url"])
    assert query["state"] == ["s&t"]
    address = f"/api/v3/app-manifests/{query['code'][0]}/conversions"
    bought = await browser.post(address)
    app = stage.world.apps["callboard-of-acme"]
    made = bought.json()
    assert bought.status_code == 201
    assert (made["id"], made["webhook_secret"], made["pem"]) == (app.id, app.webhook_secret, app.private_key)
    assert (app.permissions["checks"], app.installations) == ("write", [])
    assert (await browser.post(address)).status_code == 404


async def test_a_code_is_good_for_an_hour(stage, browser):
    query, _ = await create(browser, stage)
    stage.clock.ahead += timedelta(hours=1, seconds=1)
    assert (await browser.post(f"/api/v3/app-manifests/{query['code'][0]}/conversions")).status_code == 404


@pytest.mark.parametrize(
    ("manifest", "says"),
    [
        ("{not json", "not JSON"),
        ("[]", "no object"),
        ({**MANIFEST, "url": "callboard"}, "url must be a valid URL"),
        ({**MANIFEST, "default_permissions": {"nonsense": "read"}}, "nonsense"),
        ({**MANIFEST, "default_events": ["nonsense"]}, "unsupported: nonsense"),
        ({**MANIFEST, "default_events": ["push"]}, "not supported by permissions: push"),
    ],
)
async def test_a_manifest_with_a_mistake_is_refused(browser, manifest, says):
    refused = await send(browser, manifest)
    assert refused.status_code == 422
    assert says in refused.text


async def test_webhooks_to_this_machine_can_be_refused_as_the_real_one_does(stage, browser):
    local = {**MANIFEST, "hook_attributes": {"url": "http://127.0.0.1:1/webhooks/github", "active": True}}
    assert (await send(browser, local)).status_code == 200
    stage.world.knobs.public_webhooks = True
    assert "public Internet" in (await send(browser, local)).text
    local["hook_attributes"]["active"] = False
    assert (await send(browser, local)).status_code == 200


async def test_a_name_that_is_taken_too_long_or_empty_is_refused(stage, browser):
    for name in ("Callboard of Acme", "x" * 35, "…"):
        await create(browser, stage)
        _, answer = await create(browser, stage, name=name)
        assert answer.status_code == 422


async def test_an_app_is_installed_by_hand(stage, browser):
    await create(browser, stage)
    assert "Nowhere yet" in (await browser.get("/apps/callboard-of-acme/installations/new")).text
    assert (await browser.post("/apps/callboard-of-acme/installations/new", data={})).status_code == 303
    assert len(stage.world.apps["callboard-of-acme"].installations) == 1
    assert (await browser.post("/apps/callboard-of-acme/installations/new", data={})).status_code == 422
