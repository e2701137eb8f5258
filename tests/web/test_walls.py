"""The walls around the pages: every route, tried by everybody who may not (S-70, S-71, S-06)."""

import re
import string
import time
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from starlette.requests import Request
from starlette.routing import Mount, Route

from bot.config import read_settings
from bot.engine.sessions import LIFETIME
from bot.machine.errors import UserError
from bot.simulator.faults import Fault
from bot.web import visitors, walls
from bot.web.visitors import signer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.attack("S-70")]

MACHINES = {"/healthz", "/readyz", "/metrics", "/webhooks/linear", "/webhooks/github"}
OPEN = {"/login", "/login/{provider:str}", "/login/{provider:str}/callback", "/static/{name}"}
"""What needs no visitor. Whoever opens another route must say so here too."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
FEW = ("GET", "POST")


def routes(app):
    """Every route of the application, with an address that fits it."""

    def walk(some, prefix):
        for one in some:
            if isinstance(one, Mount):
                yield from walk(one.routes, prefix + one.path)
            else:
                assert isinstance(one, Route), f"{one} is a kind of route that nobody tries here"
                sample = re.sub(r"\{[^}]*:run\}", "11111111-1111-4111-8111-111111111111", prefix + one.path)
                yield prefix + one.path, re.sub(r"\{[^}]*\}", "YOU-1", sample)

    return list(walk(app.routes, ""))


def closed(house):
    return [sample for path, sample in routes(house.theatre.service.web) if path not in MACHINES | OPEN]


async def cookie_of(house, name="alice", provider="linear"):
    async with house.browser() as browser:
        answer = await browser.logs_in(name, provider)
        assert answer.status_code == 303, answer.text
        return browser.cookies[house.cookie]


async def try_all(house, cookie=None, *, methods=FEW, headers=None, data=None):
    """Try every closed route; returns what was answered, by status."""
    found = {}
    for sample in closed(house):
        for method in methods:
            async with house.browser() as browser:
                if cookie is not None:
                    browser.cookies.set(house.cookie, cookie)
                content = "&".join(f"{key}={value}" for key, value in (data or {}).items())
                answer = await browser.request(method, sample, headers=headers, content=content)
            found.setdefault(answer.status_code, []).append(f"{method} {sample}")
    return found


async def test_the_open_routes_are_the_named_ones_and_there_are_closed_ones(house):
    known = {path for path, _ in routes(house.theatre.service.web)}
    assert known >= MACHINES | OPEN
    assert len(closed(house)) >= 3


async def test_nobody_sees_and_does_nothing(house):
    assert set(await try_all(house, methods=METHODS)) == {401}


@pytest.mark.parametrize("provider", ["linear", "github"])
async def test_a_stranger_is_not_let_in_by_either_door(house, provider):
    async with house.browser() as browser:
        answer = await browser.logs_in("eve", provider)
        assert answer.status_code == 403
        assert house.cookie not in browser.cookies
        assert (await browser.get("/")).status_code == 401


async def test_a_session_that_a_stranger_made_up_counts_nothing(house):
    forged = signer(("another key of thirty-two characters",), "session").sign("made-up").decode()
    assert set(await try_all(house, forged)) == {401}


async def test_an_expired_session_counts_nothing(house, monkeypatch):
    past = time.time() - LIFETIME.total_seconds() - 60
    with monkeypatch.context() as patch:
        patch.setattr("itsdangerous.timed.time.time", lambda: past)
        old = house.visitors._signer.sign("any-id").decode()
    assert set(await try_all(house, old)) == {401}


async def test_a_session_ends_after_eight_hours_whatever_its_cookie_says(house, monkeypatch):
    cookie = await cookie_of(house)
    monkeypatch.setattr(house.visitors, "_clock", lambda: datetime.now(UTC) + LIFETIME)
    assert set(await try_all(house, cookie, methods=("GET",))) == {401}


async def test_a_tampered_session_counts_nothing(house):
    cookie = await cookie_of(house)
    places = (0, len(cookie) // 2, cookie.rindex(".") + 1)
    for place in places:
        other = "A" if cookie[place] != "A" else "B"
        bent = cookie[:place] + other + cookie[place + 1 :]
        assert set(await try_all(house, bent, methods=("GET", "POST"))) == {401}
    for bent in ("", ".", "..", cookie.rpartition(".")[0], cookie + "x", "%00", "é" * 3):
        async with house.browser() as browser:
            answer = await browser.get("/", headers={"cookie": f"{house.cookie}={bent}".encode()})
        assert answer.status_code == 401


async def test_a_revoked_session_counts_nothing(house):
    async with house.browser() as browser:
        await browser.logs_in("alice")
        cookie, token = browser.cookies[house.cookie], await browser.form_token()
        left = await browser.post("/logout", headers={"origin": house.url}, content=f"csrf={token}")
        assert left.status_code == 303
        assert house.cookie not in browser.cookies
    assert set(await try_all(house, cookie)) == {401}


async def test_logging_out_everywhere_ends_every_session_of_that_person_and_nobody_elses(house):
    other, bobs = await cookie_of(house), await cookie_of(house, "bob")
    async with house.browser() as browser:
        await browser.logs_in("alice")
        token = await browser.form_token()
        await browser.post("/logout/everywhere", headers={"origin": house.url, "x-csrf-token": token})
    assert set(await try_all(house, other)) == {401}
    async with house.browser() as browser:
        browser.cookies.set(house.cookie, bobs)
        assert (await browser.get("/")).status_code == 200


CHANGING = tuple(method for method in METHODS if method not in ("GET", "HEAD"))


async def test_nothing_changes_without_the_token_of_the_session(house):
    cookie = await cookie_of(house)
    async with house.browser() as browser:
        await browser.logs_in("bob")
        anothers = await browser.form_token()
    for token, methods in (("", CHANGING), ("0" * 64, ("POST",)), (anothers, ("POST",)), ("é", ("POST",))):
        data = {"csrf": token} if token else None
        found = await try_all(house, cookie, methods=methods, headers={"origin": house.url}, data=data)
        assert set(found) == {403}, token


@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1.evil.example", "{}.evil.example"],
)
async def test_nothing_changes_for_a_page_of_another_site(house, origin):
    async with house.browser() as browser:
        await browser.logs_in("alice")
        cookie, token = browser.cookies[house.cookie], await browser.form_token()
    headers = {} if origin is None else {"origin": origin.format(house.url)}
    assert set(await try_all(house, cookie, methods=("POST", "DELETE"), headers=headers, data={"csrf": token})) == {403}


async def test_nothing_changes_by_looking(house):
    cookie = await cookie_of(house)
    await try_all(house, cookie, methods=("GET", "HEAD"))
    async with house.browser() as browser:
        browser.cookies.set(house.cookie, cookie)
        assert (await browser.get("/")).status_code == 200, "looking at /logout logged out"


async def test_a_form_of_any_size_is_not_read(house):
    async with house.browser() as browser:
        await browser.logs_in("alice")
        sent = await browser.post("/logout", headers={"origin": house.url}, content=b"x" * (walls.LARGEST_FORM + 1))
    assert sent.status_code == 413


async def test_who_is_no_member_any_more_is_out_within_fifteen_minutes(house, monkeypatch):
    dave = house.theatre.linear.add_user("dave", teams=(house.theatre.linear.team("YOU"),))
    async with house.browser() as browser:
        await browser.logs_in("dave")
        dave.active = False
        assert (await browser.get("/")).status_code == 200, "believed for some minutes"
        monkeypatch.setattr(house.visitors, "_clock", lambda: datetime.now(UTC) + visitors.DOUBTED)
        assert (await browser.get("/")).status_code == 401
        monkeypatch.undo()
        dave.active = True
        assert (await browser.get("/")).status_code == 401, "the session is gone for good"


async def test_who_may_write_no_more_on_github_is_out(house, monkeypatch):
    house.theatre.github.grant("acme/youlab", "frank", "write")
    async with house.browser() as browser:
        assert (await browser.logs_in("frank", "github")).status_code == 303
        house.theatre.github.grant("acme/youlab", "frank", "read")
        monkeypatch.setattr(house.visitors, "_clock", lambda: datetime.now(UTC) + visitors.DOUBTED)
        assert (await browser.get("/")).status_code == 401


async def test_no_answer_about_a_member_is_never_a_yes(house, monkeypatch):
    async with house.browser() as browser:
        await browser.logs_in("alice")
        house.theatre.linear.faults.plant(Fault(503), match="query user")
        monkeypatch.setattr(house.visitors, "_clock", lambda: datetime.now(UTC) + visitors.DOUBTED)
        assert (await browser.get("/")).status_code == 503
        monkeypatch.undo()
        assert (await browser.get("/")).status_code == 200


async def test_the_login_is_bound_to_the_browser_that_began_it(house):
    async with house.browser() as mine, house.browser() as theirs:
        back = await house.agrees(await mine.begins_login("linear"), "alice")
        stolen = await theirs.get(back)
        assert stolen.status_code == 400
        await theirs.begins_login("linear")
        assert (await theirs.get(back)).status_code == 400, "a state of another login"
        assert house.cookie not in theirs.cookies
        assert (await mine.get(back)).status_code == 303


async def test_a_callback_can_not_be_opened_twice(house):
    for provider in ("linear", "github"):
        async with house.browser() as browser:
            begun = await browser.begins_login(provider)
            state = browser.cookies[f"{house.cookie}-login"]
            back = await house.agrees(begun, "alice")
            assert (await browser.get(back)).status_code == 303
            assert (await browser.get(back)).status_code == 400
            async with house.browser() as replayed:
                replayed.cookies.set(f"{house.cookie}-login", state)
                assert (await replayed.get(back)).status_code == 403, "the code is used up"


async def test_a_code_of_one_login_is_no_good_in_another(house):
    for provider in ("linear", "github"):
        async with house.browser() as mine, house.browser() as theirs:
            victims = await house.agrees(await theirs.begins_login(provider), "alice")
            code = re.search(r"code=(\w+)", victims)[1]
            own = await house.agrees(await mine.begins_login(provider), "bob")
            answer = await mine.get(re.sub(r"code=\w+", f"code={code}", own))
            assert answer.status_code == 403, "the verifier of another login"


async def test_the_providers_send_nobody_to_another_address(house):
    for provider in ("linear", "github"):
        async with house.browser() as browser:
            asked = await browser.begins_login(provider)
        for other in ("https%3A%2F%2Fevil.example%2F", "http%3A%2F%2F127.0.0.1%3A1%2Flogin%2Flinear%2Fcallback"):
            async with httpx2.AsyncClient(trust_env=False) as there:
                answer = await there.get(re.sub(r"redirect_uri=[^&]+", f"redirect_uri={other}", asked))
            assert "evil.example" not in answer.headers.get("location", "")
            assert "code=" not in answer.headers.get("location", "")
            assert answer.status_code in (303, 400)


async def test_saying_no_at_the_provider_is_an_answer(house):
    async with house.browser() as browser:
        answer = await browser.get(await house.agrees(await browser.begins_login("github"), ""))
    assert answer.status_code == 403
    assert "access_denied" in answer.text


async def test_the_login_is_begun_by_a_page_of_ours_only(house):
    for headers in ({}, {"origin": "https://evil.example"}, {"origin": house.url, "sec-fetch-site": "cross-site"}):
        async with house.browser() as browser:
            assert (await browser.post("/login/linear", headers=headers)).status_code == 403
            assert (await browser.get("/login/linear", headers=headers)).status_code == 405


async def test_the_cookie_holds_a_signed_id_and_nothing_else(house):
    async with house.browser() as browser:
        entered = await browser.logs_in("alice")
    said = next(one for one in entered.headers.get_list("set-cookie") if one.startswith(f"{house.cookie}="))
    assert {"httponly", "samesite=lax", "path=/", "max-age=28800"} <= {one.strip().lower() for one in said.split(";")}
    assert "domain" not in said.lower()
    id_ = house.visitors._signer.unsign(browser.cookies[house.cookie]).decode()
    assert set(id_) <= set(string.ascii_letters + string.digits + "-_")
    assert len(id_) == 43
    pool = house.theatre.service.engine.sessions._pool
    async with pool.connection() as connection:
        rows = await (await connection.execute("SELECT sessions::text FROM sessions")).fetchall()
    assert rows
    assert not any(id_ in row[0] for row in rows), "the table alone makes no cookie"


async def test_a_changed_key_lets_those_in_whom_the_old_one_let_in(house):
    cookie = await cookie_of(house)
    new = visitors.Visitors(
        ("a new key of more than thirty-two characters", house.theatre.settings.secret_key),
        house.url, house.theatre.service.engine.sessions, house.visitors.providers, lambda: datetime.now(UTC),
    )  # fmt: skip
    without = visitors.Visitors(
        ("a new key of more than thirty-two characters",),
        house.url, house.theatre.service.engine.sessions, house.visitors.providers, lambda: datetime.now(UTC),
    )  # fmt: skip
    scope = {"type": "http", "headers": [(b"cookie", f"{house.cookie}={cookie}".encode())]}
    assert isinstance(await new.who(Request(scope)), visitors.Visitor)
    assert isinstance(await without.who(Request(scope)), visitors.TurnedAway)


async def test_every_answer_bears_the_headers(house):
    async with house.browser() as browser:
        answers = [await browser.get(path) for path in ("/", "/login", "/healthz", "/static/style.css", "/nothing")]
        answers.append(await browser.post("/webhooks/linear"))
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "nonce" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


async def test_a_cookie_of_a_public_service_is_bound_to_its_host_and_to_tls(house):
    sessions, providers = house.theatre.service.engine.sessions, house.visitors.providers
    public = visitors.Visitors(("k" * 32,), "https://callboard.example", sessions, providers, lambda: datetime.now(UTC))
    assert public.cookie == "__Host-callboard"
    assert public.secure
    with pytest.raises(UserError, match="https"):
        visitors.Visitors(("k" * 32,), "http://callboard.example", sessions, providers, lambda: datetime.now(UTC))


@pytest.mark.attack("S-06")
async def test_who_is_not_logged_in_is_slowed_down_and_nobody_else(house):
    async with house.browser("93.184.216.7") as flood:
        statuses = [(await flood.get("/login")).status_code for _ in range(80)]
        assert statuses[0] == 200
        assert statuses[-1] == 429
        assert (await flood.get("/")).status_code == 429
    async with house.browser("93.184.216.8") as other:
        assert (await other.get("/login")).status_code == 200


@pytest.mark.attack("S-06")
async def test_forged_webhooks_are_slowed_down_and_the_headers_of_a_stranger_do_not_help(house):
    async with house.browser("93.184.216.9") as flood:
        statuses = []
        for number in range(80):
            forged = {"x-forwarded-for": f"10.0.0.{number}", "linear-signature": "0" * 64}
            statuses.append((await flood.post("/webhooks/linear", headers=forged, content=b"{}")).status_code)
        assert statuses[0] == 401
        assert statuses[-1] == 429


@pytest.mark.attack("S-71")
async def test_the_numbers_are_for_this_machine_or_for_who_has_the_token(house, open_house):
    async with house.browser() as browser:
        assert (await browser.get("/metrics")).status_code == 401
        assert (await browser.get("/metrics", headers={"authorization": "Bearer "})).status_code == 401
        assert (await browser.get("/metrics", headers={"authorization": "Bearer None"})).status_code == 401
    async with open_house.browser("127.0.0.1") as here:
        assert (await here.get("/metrics")).status_code == 200
        assert (await here.get("/metrics", headers={"x-forwarded-for": "127.0.0.1"})).status_code == 401


@pytest.mark.attack("S-71")
@pytest.mark.parametrize(
    "path",
    [
        "/%2e%2e/%2e%2e/etc/passwd", "/static/..%2f..%2fapp.py", "/static/%2e%2e/walls.py", "/static//etc/passwd",
        "/static/style.css%00", "//evil.example/", "/debug", "/docs", "/openapi.json", "/.env", "/.git/config",
        "/metrics/", "/static/", "/webhooks/linear/../../", "/login/../",
    ],
)  # fmt: skip
async def test_no_address_leads_to_a_file_or_to_a_door_at_the_back(house, path):
    async with house.browser() as browser:
        answer = await browser.get(httpx2.URL(house.url).copy_with(raw_path=path.encode()))
    assert answer.status_code in (401, 404)
    assert "root:" not in answer.text
    assert "import" not in answer.text


FROM_ELSEWHERE = [
    ("203.0.113.5", {}),
    ("10.0.0.5", {}),
    ("::ffff:203.0.113.5", {}),
    ("127.0.0.1", {"x-forwarded-for": "203.0.113.5"}),
    ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}),
    ("127.0.0.1", {"forwarded": "for=203.0.113.5"}),
    ("127.0.0.1", {"x-real-ip": "203.0.113.5"}),
    ("127.0.0.1", {"via": "1.1 caddy"}),
    ("127.0.0.1", {"x-forwarded-host": "callboard.example"}),
    ("127.0.0.1", {"host": "evil.example"}),
    ("127.0.0.1", {"host": "evil.example:8080"}),
    ("127.0.0.1", {"host": "127.0.0.1.evil.example"}),
    ("127.0.0.1", {"host": "localhost.evil.example:80"}),
    ("127.0.0.1", {"host": "0x7f000001.evil.example"}),
    ("127.0.0.1", {"host": ""}),
    ("unix", {}),
]


@pytest.mark.parametrize(("peer", "headers"), FROM_ELSEWHERE)
async def test_with_no_login_the_pages_are_closed_to_everybody_elsewhere(open_house, peer, headers):
    for sample in ("/", "/epics/YOU-1/live"):  # nobody with one address gets further than to the limit
        async with open_house.browser(peer) as browser:
            answer = await browser.get(sample, headers=headers)
        assert answer.status_code == 403
        assert "CALLBOARD_LOGIN" in answer.text or "open them at" in answer.text


async def test_with_no_login_somebody_at_this_machine_can_look_and_change_nothing(open_house):
    for peer, host in (("127.0.0.1", "127.0.0.1"), ("::1", "localhost:8080"), ("127.0.0.1", "[::1]:8080")):
        async with open_house.browser(peer) as browser:
            assert (await browser.get("/", headers={"host": host})).status_code == 200
            for sample in closed(open_house):
                for method in CHANGING:
                    answer = await browser.request(method, sample, headers={"host": host, "origin": open_house.url})
                    assert answer.status_code == 403, (method, sample)


async def test_with_no_login_and_a_public_address_not_even_this_machine_sees_anything(open_house):
    sessions = open_house.theatre.service.engine.sessions
    public = visitors.Visitors(("k" * 32,), "https://callboard.example", sessions, {}, lambda: datetime.now(UTC))
    scope = {"type": "http", "headers": [(b"host", b"127.0.0.1:8080")], "client": ("127.0.0.1", 1)}
    assert isinstance(await public.who(Request(scope)), visitors.TurnedAway), "a proxy may stand before it in silence"


async def test_a_member_sees_every_page(house):
    for provider, name in (("linear", "alice"), ("github", "bob")):
        async with house.browser() as browser:
            assert (await browser.logs_in(name, provider)).status_code == 303
            page = await browser.get("/")
            assert page.status_code == 200
            assert name in page.text


def settings(**more):
    return read_settings({"CALLBOARD_SECRET_KEY": "k" * 32, "HOME": "/nowhere", **more})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"CALLBOARD_LOGIN": "google"}, "linear"),
        ({"CALLBOARD_LOGIN": "linear"}, "LINEAR_CLIENT_ID"),
        ({"CALLBOARD_LOGIN": "github"}, "CALLBOARD_LOGIN_GITHUB_CLIENT_ID"),
        ({"CALLBOARD_LOGIN_GITHUB_CLIENT_ID": "x"}, "belong together"),
        ({"CALLBOARD_SECRET_KEY_OLDER": "short"}, "CALLBOARD_SECRET_KEY_OLDER"),
        ({"CALLBOARD_SECRET_KEY": "short"}, "CALLBOARD_SECRET_KEY"),
    ],
)
async def test_a_login_that_is_half_set_up_refuses_to_start(more, says):
    with pytest.raises(UserError, match=says):
        settings(**more)


async def test_linear_lets_in_through_the_application_that_the_service_has(house):
    found = settings(LINEAR_CLIENT_ID="id", LINEAR_CLIENT_SECRET="secret", CALLBOARD_LOGIN="linear")
    assert found.login_linear == ("id", "secret")
    assert settings(LINEAR_CLIENT_ID="id", LINEAR_CLIENT_SECRET="secret").login_linear is None
    assert timedelta(minutes=15) >= visitors.DOUBTED
