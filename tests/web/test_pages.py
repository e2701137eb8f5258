"""The pages: what they show, whatever was written is text, no secret is on them, and live output is live."""

import asyncio
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import httpx2
import pytest

from bot.engine.port import RunOrder, RunState
from bot.machine.picture import MOST_RUNS, with_past
from bot.machine.stages import Stage
from bot.web import live
from bot.web.graph import HEIGHT, WIDTH, draw
from bot.web.live import Tail

pytestmark = pytest.mark.asyncio(loop_scope="module")

CORPUS = Path(__file__).with_name("xss.txt").read_text().splitlines()
RUN = "11111111-1111-4111-8111-111111111111"
PAGES = ("/", "/epics/HOS-70", "/tickets/HOS-71", f"/runs/{RUN}")


class Skeleton(HTMLParser):
    """The tags of a page with their attributes; of addresses only whether they lead to the web."""

    def __init__(self, text):
        super().__init__()
        self.found, self.addresses = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.addresses += [value for name, value in attrs if name in ("href", "src", "action", "xlink:href")]


async def look(house, path):
    async with house.browser("127.0.0.1") as browser:
        answer = await browser.get(path)
    assert answer.status_code == 200, (path, answer.text)
    return answer.text


def transcript(house, run, *texts):
    folder = house.theatre.settings.home / "runs" / run
    folder.mkdir(parents=True, exist_ok=True)
    lines = list(texts)
    for text in texts:
        blocks = [{"type": "text", "text": text}, {"type": "tool_use", "name": text, "input": {"command": text}}]
        lines.append(json.dumps({"type": "assistant", "message": {"content": blocks}}))
        result = [{"type": "tool_result", "content": [{"type": "text", "text": text}]}]
        lines.append(json.dumps({"type": "user", "message": {"content": result}}))
        lines.append(json.dumps({"type": "result", "result": text}))
    (folder / "transcript.jsonl").write_text("\n".join(lines) + "\n")


@pytest.mark.attack("S-70", "S-25")
async def test_whatever_was_written_is_text_on_every_page(open_house, painted):
    assert len(CORPUS) >= 50
    await open_house.hangs(painted("harmless"))
    transcript(open_house, RUN, "harmless")
    plain = {path: Skeleton(await look(open_house, path)) for path in PAGES}
    for hostile in CORPUS:
        await open_house.hangs(painted(hostile))
        transcript(open_house, RUN, hostile)
        for path in PAGES:
            found = Skeleton(await look(open_house, path))
            code = [one for one in found.found if one[0] != "code"]  # what stands in backticks is set as code
            assert code == [one for one in plain[path].found if one[0] != "code"], (path, hostile)
            assert found.addresses == plain[path].addresses, (path, hostile)


@pytest.mark.attack("S-70")
@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", " javascript:alert(1)", "vbscript:x", "//evil.example"]
)
async def test_no_address_that_was_written_leads_anywhere_but_to_the_web(open_house, painted, url):
    await open_house.hangs(painted("x", url=url))
    for path in PAGES[:3]:
        assert url not in Skeleton(await look(open_house, path)).addresses


@pytest.mark.attack("S-25")
async def test_no_secret_of_the_service_is_on_a_page_or_in_a_stream(open_house, painted):
    settings = open_house.theatre.settings
    canaries = [*settings.secrets(), "ghp_" + "a" * 36, "lin_api_" + "b" * 40, "sk-ant-" + "c" * 40]
    for canary in canaries:
        await open_house.hangs(painted(f"the key is {canary}."))
        transcript(open_house, RUN, f"the key is {canary}.", json.dumps({"key": canary}))
        for path in PAGES:
            assert canary not in await look(open_house, path)


async def test_the_pages_tell_of_an_epic_its_tickets_and_whose_turn_it_is(open_house, painted):
    picture = painted("Draw a chart")
    await open_house.hangs(picture)
    text = await look(open_house, "/epics/HOS-70")
    assert "Your turn" in text
    assert "failing on pull request #7: Draw a chart" in text
    assert "<svg" in text
    assert "HOS-71" in text
    assert "$1.00 of $100.00" in text
    ticket = await look(open_house, "/tickets/HOS-71")
    assert "exit code 0" in ticket
    assert "work failed" in ticket
    assert f"/runs/{RUN}" in ticket


async def test_a_page_that_did_not_change_is_not_sent_again(open_house, painted):
    await open_house.hangs(painted("Draw a chart"))
    text = await look(open_house, "/epics/HOS-70")
    again = re.search(r'hx-get="([^"]+)"', text)[1]
    async with open_house.browser("127.0.0.1") as browser:
        assert (await browser.get(again)).status_code == 204
        await open_house.hangs(painted("Draw two charts"))
        assert "Draw two charts" in (await browser.get(again)).text


@pytest.mark.attack("S-71")
@pytest.mark.parametrize(
    "path",
    [
        "/epics/you-1", "/epics/YOU-1%00", "/epics/%2e%2e%2f%2e%2e", "/epics/YOU-1'--", "/epics/YOU-99999999999",
        "/tickets/%2e%2e",
        "/runs/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/runs/1", f"/runs/{RUN}/../../audit", f"/runs/{RUN.upper()}X",
        "/runs/99999999-9999-4999-8999-999999999999", "/runs/99999999-9999-4999-8999-999999999999/live",
        "/epics/ZZZ-1/live",
    ],
)  # fmt: skip
async def test_only_what_the_service_knows_by_its_id_has_a_page(open_house, path):
    run = open_house.theatre.settings.home / "runs" / "99999999-9999-4999-8999-999999999999"
    run.mkdir(parents=True, exist_ok=True)
    (run / "transcript.jsonl").write_text("a transcript of nobody knows whom\n")
    async with open_house.browser("127.0.0.1") as browser:
        answer = await browser.get(httpx2.URL(open_house.url).copy_with(raw_path=path.encode()))
    assert answer.status_code == 404
    assert "nobody knows whom" not in answer.text


async def test_what_runs_is_shown_with_its_output_as_it_comes(open_house, painted, monkeypatch):
    run = "22222222-2222-4222-8222-222222222222"
    picture = painted("Draw a chart", key="epic:live", number=80)
    await open_house.hangs(picture)
    engine = open_house.theatre.service.engine
    spec = {"nothing": "that a worker would take"}
    held = asyncio.Event()

    async def hold(_order, _lease):
        await held.wait()
        return {"kind": "success"}

    async def leaves_it(_key):
        """Linear knows of no such epic: a round would stop what runs for it."""

    monkeypatch.setattr(open_house.theatre.service.callbacks, "execute", hold)
    monkeypatch.setattr(open_house.theatre.service.callbacks, "reconcile", leaves_it)
    await engine.start_run(RunOrder(run, "epic:live", picture.tickets[0].id, 3, "dev", (), 1, spec))
    transcript(open_house, run, "hello")
    url = f"{open_house.url}/epics/HOS-80/live"
    seen = ""
    file = open_house.theatre.settings.home / "runs" / run / "transcript.jsonl"
    later = '{"type": "result", "result": "later </script>"}\n'
    async with (
        asyncio.timeout(60),
        httpx2.AsyncClient(trust_env=False, timeout=60) as client,
        client.stream("GET", url) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for chunk in answer.aiter_text():
            seen += chunk
            if '"text": "hello"' in seen and "later" not in file.read_text():
                file.write_text(file.read_text() + later)
            if "later </script>" in seen:
                break
    assert "HOS-81 Draw a chart" in seen
    assert [row.state for row in await engine.runs("epic:live")] == [RunState.RUNNING]
    page = await look(open_house, "/epics/HOS-80")
    assert "hello" in page, "the page begins with what there is, also without scripts"
    held.set()
    async with asyncio.timeout(60):
        while RunState.RUNNING in [row.state for row in await engine.runs("epic:live")]:
            await asyncio.sleep(0.05)


async def test_a_stream_ends_by_itself_so_that_the_browser_passes_the_walls_again(open_house, painted, monkeypatch):
    monkeypatch.setattr(live, "LASTS", 0.2)
    monkeypatch.setattr(live, "EVERY", 0.05)
    await open_house.hangs(painted("x"))
    async with asyncio.timeout(30), open_house.browser("127.0.0.1") as browser:
        answer = await browser.get("/epics/HOS-70/live")
    assert answer.text.startswith("retry: 1000\nevent: begin")


async def test_health_tells_what_waits_and_why(open_house):
    text = await look(open_house, "/health")
    for word in ("Sandbox", "Linear, requests left", "Webhooks last seen", "put aside"):
        assert word in text


async def test_every_round_hangs_up_a_picture(open_house):
    alice = open_house.theatre.person("alice")
    epic = alice.creates("YOU", "An epic to look at", "")
    alice.labels(epic, "orchestrate")
    async with asyncio.timeout(60):
        while await open_house.theatre.service.engine.pictures.with_issue(epic.identifier) is None:
            await asyncio.sleep(0.1)
    text = await look(open_house, f"/epics/{epic.identifier}")
    assert "An epic to look at" in text
    assert "the description is empty" in text, "the reason, in the words of `why`"


async def test_a_tail_follows_a_file_that_grows_and_one_that_is_begun_anew(tmp_path):
    path = tmp_path / "transcript.jsonl"
    tail = Tail(path)
    assert tail.read() == []
    path.write_bytes(b"one\ntw")
    assert tail.read() == [b"one"]
    with path.open("ab") as file:
        file.write(b"o\n")
    assert tail.read() == [b"two"]
    path.unlink()
    path.write_bytes(b"the next step, longer than before\n")
    assert tail.read() == [b"the next step, longer than before"]


async def test_runs_that_the_engine_forgot_stay_in_the_picture(painted):
    old = painted("x")
    new = replace(old, tickets=(replace(old.tickets[0], runs=(), proofs=()),))
    kept = with_past(new, old).tickets[0]
    assert kept.runs == old.tickets[0].runs
    assert kept.proofs == old.tickets[0].proofs
    assert (
        len(
            with_past(new, replace(old, tickets=(replace(old.tickets[0], runs=old.tickets[0].runs * 99),)))
            .tickets[0]
            .runs
        )
        <= MOST_RUNS
    )
    waiting = replace(old.tickets[0].runs[0], state="queued")
    gone = replace(old, tickets=(replace(old.tickets[0], runs=(waiting,)),))
    assert with_past(new, gone).tickets[0].runs == ()


async def test_the_graph_places_who_waits_to_the_right_and_draws_no_line_twice(painted):
    one = painted("x").tickets[0]
    first, second, last = (replace(one, identifier=name, after=after) for name, after in
                           (("A-1", ()), ("A-2", ("A-1",)), ("A-3", ("A-1", "A-2"))))  # fmt: skip
    graph = draw((first, second, last))
    places = {node.ticket.identifier: node.x for node in graph.nodes}
    assert places["A-1"] + WIDTH < places["A-2"]
    assert places["A-2"] + WIDTH < places["A-3"]
    assert len(graph.edges) == 2, "that A-3 comes after A-1 is shown by the way over A-2"
    assert graph.height >= HEIGHT


async def test_a_circle_of_tickets_is_drawn_too(painted):
    one = painted("x").tickets[0]
    ring = [replace(one, identifier=f"A-{at}", after=(f"A-{(at + 1) % 5}",), stage=Stage.TODO) for at in range(5)]
    assert len(draw(ring).nodes) == 5
    assert draw(()).nodes == ()


async def test_times_on_pages_are_in_utc_and_machine_readable(open_house, painted):
    await open_house.hangs(painted("x"))
    assert 'datetime="2026-11-21T10:00:00+00:00"' in await look(open_house, "/epics/HOS-70")
