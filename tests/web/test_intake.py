"""Webhooks over a real socket: verified, stored, answered; nothing taken on trust."""

import asyncio
import hashlib
import hmac
import json
import time
import uuid
from http import HTTPStatus

import httpx2
import pytest
from starlette.applications import Starlette

from bot.engine.port import Accepted
from bot.linear import webhook as linear_webhook
from bot.simulator.serving import serve
from bot.web import health, intake

SECRET = "the-signing-secret"


class Inbox:
    def __init__(self):
        self.deliveries = {}
        self.fails = False
        self.refused = []

    async def accept(self, delivery):
        if self.fails:
            raise ConnectionError("the database is away")
        known = delivery.delivery in self.deliveries
        self.deliveries[delivery.delivery] = delivery
        return Accepted.KNOWN if known else Accepted.NEW


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
async def url(inbox):
    def receive(headers, body, now):
        return linear_webhook.receive(headers, body, (SECRET,), now)

    async def well():
        pass

    async def ill():
        raise ConnectionError("no route")

    async def refuse(name):
        inbox.refused.append(name)

    source = intake.Source("linear", 64 * 1024, receive)
    more = health.routes({"database": well, "linear": ill}, is_here=lambda _request: True)
    routes = [intake.route(source, inbox.accept, refuse), *more]
    async with serve(Starlette(routes=routes)) as base:
        yield base


def event(kind="Issue", **data):
    return {
        "action": "update",
        "type": kind,
        "organizationId": "o",
        "webhookId": "w",
        "webhookTimestamp": time.time() * 1000,
        "createdAt": "2026-11-21T10:00:00.000Z",
        "data": {"id": "issue-1", **data},
    }


async def post(url, body, *, secret=SECRET, delivery=None, headers=None):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    sent = {"Linear-Signature": signature, "Linear-Delivery": delivery or str(uuid.uuid4()), "Linear-Event": "Issue"}
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.post(f"{url}/webhooks/linear", content=raw, headers={**sent, **(headers or {})})


async def test_a_signed_event_is_stored_and_answered(url, inbox):
    answer = await post(url, event(), delivery="11111111-1111-4111-8111-111111111111")
    assert (answer.status_code, answer.text) == (200, "OK")
    stored = inbox.deliveries["11111111-1111-4111-8111-111111111111"]
    assert (stored.source, stored.subject) == ("linear", "linear:issue-1")


@pytest.mark.attack("S-04")
async def test_a_known_delivery_is_answered_and_nothing_happens_twice(url, inbox):
    for _ in range(3):
        assert (await post(url, event(), delivery="22222222-2222-4222-8222-222222222222")).status_code == 200
    assert len(inbox.deliveries) == 1


@pytest.mark.attack("S-01", "S-05b")
async def test_a_wrong_signature_is_refused_with_a_fixed_answer(url, inbox):
    answer = await post(url, event(), secret="another")
    assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert inbox.deliveries == {}
    await post(url, event(), secret="another")
    assert inbox.refused == ["linear"]  # noted, and not for every stranger's request


@pytest.mark.attack("S-01", "S-05b")
async def test_a_signature_that_is_not_even_ascii_is_refused_not_a_crash(url):
    answer = await post(url, event(), headers={"Linear-Signature": b"\xc3\xa9" * 32})
    assert answer.status_code == 401


@pytest.mark.attack("S-03")
async def test_what_is_signed_but_no_json_is_a_bad_request(url, inbox):
    assert (await post(url, b"{not json")).status_code == 400
    assert (await post(url, b"[" * 10_000)).status_code == 400
    assert inbox.deliveries == {}


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.attack("S-03")
async def test_a_body_that_is_too_large_is_cut_off_before_it_is_checked(url, inbox, chunked):
    async def parts():
        for _ in range(20):
            yield b"x" * 8192

    content = parts() if chunked else b"x" * 200_000
    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{url}/webhooks/linear", content=content)
    assert answer.status_code == 413


@pytest.mark.proves("S-06")
async def test_an_event_of_an_unknown_type_is_stored_and_ignored_with_the_reason(url, inbox):
    assert (await post(url, event("Starship"))).status_code == 200
    assert next(iter(inbox.deliveries.values())).ignored


@pytest.mark.proves("S-06")
async def test_a_malformed_event_of_a_known_type_is_parked_not_dropped(url, inbox):
    broken = event()
    del broken["data"]
    assert (await post(url, broken)).status_code == 200
    assert next(iter(inbox.deliveries.values())).parked


@pytest.mark.proves("S-04")
async def test_no_answer_is_given_for_what_could_not_be_stored(url, inbox):
    inbox.fails = True
    assert (await post(url, event())).status_code == 500


@pytest.mark.attack("S-03")
async def test_a_body_that_never_ends_is_given_up(url, monkeypatch):
    monkeypatch.setattr(intake, "READ_SECONDS", 0.1)

    async def slowly():
        yield b"{"
        await asyncio.sleep(1)
        yield b"}"

    async with httpx2.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{url}/webhooks/linear", content=slowly())
    assert answer.status_code == HTTPStatus.REQUEST_TIMEOUT


async def test_ready_names_what_does_not_answer(url):
    async with httpx2.AsyncClient(trust_env=False) as client:
        alive, ready, metrics = [await client.get(f"{url}/{path}") for path in ("healthz", "readyz", "metrics")]
    assert alive.status_code == 200
    assert ready.status_code == 503
    assert ready.json() == {"database": "ok", "linear": "no answer"}, "why stands in the log, not before strangers"
    assert "callboard_deliveries_total" in metrics.text
