"""The page while it is served: its address is told, what is written is noticed, and a taken port is said."""

import asyncio
import re
import socket

import httpx2
import pytest

from bot.machine.errors import UserError
from bot.setup import steps
from bot.setup.serving import open_page
from bot.setup.steps import Step


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def test_what_is_done_on_the_page_is_noticed_by_who_waits_for_it(newcomer):
    told: list[str] = []
    async with open_page(newcomer.process, "127.0.0.1", free_port(), told.append) as page:
        waiting = asyncio.create_task(page.until(lambda: Step.ADDRESS in steps.stand(newcomer.process).done))
        url = re.search(r"http\S+", told[0])[0]
        async with httpx2.AsyncClient(follow_redirects=True, trust_env=False, verify=False) as browser:
            text = (await browser.get(url)).text
            origin = url.partition("/setup")[0]
            form = {"csrf": newcomer.form_token(text), "url": "http://127.0.0.1:8080"}
            assert not waiting.done()
            await browser.post(f"{origin}/setup/address", data=form, headers={"origin": origin})
        await waiting
    assert "For another browser" in told[1]


async def test_a_port_that_is_taken_is_said(newcomer):
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UserError, match="running already"):
        async with open_page(newcomer.process, "127.0.0.1", taken.getsockname()[1], lambda _text: None):
            raise AssertionError("it was served")
