"""The pages: what they show, and that their forms do what the actors do."""

import asyncio
from typing import Any

import httpx2
import pytest

from bot.simulator.faults import Fault
from bot.simulator.github import Protection

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def page(stage: Any, path: str) -> str:
    async with httpx2.AsyncClient(base_url=stage.world.base_url, trust_env=False) as client:
        answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


async def act(stage: Any, headers: dict[str, str] | None = None, **form: str) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=stage.world.base_url, trust_env=False) as client:
        return await client.post("/acme/youlab/pull/1", data=form, headers=headers, follow_redirects=True)


async def test_the_repository_lists_its_pull_requests_and_branches(stage: Any) -> None:
    await stage.opened()
    text = await page(stage, "/acme/youlab")
    assert "The topic" in text
    assert f"git clone {stage.world.base_url}/acme/youlab.git" in text
    assert "Initial commit" in text


async def test_a_pull_request_shows_what_was_said_what_changed_and_what_blocks(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.protect(stage.repo, "main", Protection(checks=("test",), approvals=1))
    pull.body = "Some **bold** words <!-- marker --> and <script>alert(1)</script>\n\n- [x] done"
    await stage.bob.reviews(pull, "request changes", "Not yet", comments=[("app.py", 10, "Why this?")])
    await stage.ci.fails(pull)
    text = await page(stage, "/acme/youlab/pull/1")
    assert "<strong>bold</strong>" in text
    assert "marker" not in text
    assert "<script>" not in text
    assert "☑ done" in text
    assert "Why this?" in text
    assert "+changed 10" in text
    assert "At least 1 approving review is required" in text
    assert "Required status check &#34;test&#34; is failing." in text


async def test_looking_at_the_page_is_not_asking_for_mergeability(stage: Any) -> None:
    await stage.opened()
    for _ in range(3):
        await page(stage, "/acme/youlab/pull/1")
    assert (await stage.rest("GET", "/repos/acme/youlab/pulls/1"))["mergeable"] is None


async def test_forms_do_what_people_do(stage: Any) -> None:
    pull = await stage.opened()
    await act(stage, act="say", body="Hello", **{"as": "bob"})
    await act(stage, act="approve", body="", **{"as": "bob"})
    await act(stage, act="remark", body="Here", path="app.py", line="10", **{"as": "bob"})
    thread = str(pull.threads[0].id)
    await act(stage, act="reply", body="There", thread=thread, **{"as": "alice"})
    await act(stage, act="resolve", thread=thread, **{"as": "alice"})
    await act(stage, act="pass", check="lint")
    done = await act(stage, act="merge", **{"as": "bob"})
    assert "bob merged this as" in done.text.replace("\n", " ")
    assert [one.body for one in pull.comments] == ["Hello"]
    assert [one.state for one in pull.reviews] == ["APPROVED", "COMMENTED", "COMMENTED"]
    assert pull.threads[0].resolved_by is stage.alice.user
    assert [run.name for run in stage.repo.check_runs] == ["lint"]
    await act(stage, act="delete branch", **{"as": "bob"})
    assert "topic" not in await stage.world.git.branches(stage.repo.path)


async def test_a_refusal_is_shown_in_the_words_of_the_api(stage: Any) -> None:
    await stage.opened()
    answer = await act(stage, act="approve", **{"as": "alice"})
    assert "Refused: Can not approve your own pull request" in answer.text


async def test_another_sites_form_does_nothing(stage: Any) -> None:
    pull = await stage.opened()
    answer = await act(stage, {"Origin": "http://elsewhere.example"}, act="merge", **{"as": "bob"})
    assert answer.status_code == 403
    assert not pull.merged


async def test_a_check_and_a_commit_have_pages_too(stage: Any) -> None:
    pull = await stage.opened()
    run = await stage.ci.fails(pull, summary="1 failed", log="E  assert 1 == 2")
    assert "assert 1 == 2" in await page(stage, f"/acme/youlab/runs/{run.id}")
    assert "+changed 10" in await page(stage, f"/acme/youlab/commit/{pull.head_sha}")


async def test_an_answer_can_come_late(stage: Any) -> None:
    await stage.opened()
    stage.world.faults.plant(Fault(200, seconds=0.15), match="GET /repos/acme/youlab/pulls/1")
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert (await stage.rest("GET", "/repos/acme/youlab/pulls/1"))["number"] == 1
    assert loop.time() - before >= 0.15
