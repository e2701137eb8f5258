"""Webhooks on the wire, and the checks they speak of."""

import asyncio
import hashlib
import hmac
import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.github import CI, RealCI
from bot.simulator.github.checks import suite_of
from bot.simulator.github.hooks import sign
from tests.simulator.github.conftest import refused
from tests.simulator.github.test_apps_and_limits import _jwt

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_signature_is_the_one_of_the_documentation() -> None:
    signature = sign("It's a Secret to Everybody", b"Hello, World!")
    assert signature == "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


async def test_a_delivery_is_signed_over_its_raw_bytes(stage: Any) -> None:
    await stage.opened()
    await stage.world.post_office.quiet()
    headers, raw = next(one for one in stage.heard if one[0]["x-github-event"] == "push")
    expected = "sha256=" + hmac.new(b"s3cret", raw, hashlib.sha256).hexdigest()
    assert headers["x-hub-signature-256"] == expected
    assert headers["x-github-event"] == "push"
    assert headers["user-agent"].startswith("GitHub-Hookshot/")
    assert headers["x-github-hook-installation-target-type"] == "integration"
    assert headers["x-github-hook-installation-target-id"] == str(stage.app.id)
    assert headers["content-type"] == "application/json"


async def test_a_failed_delivery_is_never_sent_again_by_itself(stage: Any) -> None:
    await stage.world.post_office.quiet()
    stage.world.deliveries.clear()
    stage.world.post_office.attempts.clear()
    stage.app.webhook_url = "http://127.0.0.1:9/hook"
    await stage.opened()
    await stage.world.post_office.quiet()
    listed = await stage.rest("GET", "/app/hook/deliveries?status=failure", _jwt(stage))
    assert len(listed) == len(stage.world.deliveries) == len(stage.world.post_office.attempts)
    assert listed[0]["status"] == "failed to connect to host"


async def test_a_redelivery_keeps_its_guid_and_its_bytes(stage: Any) -> None:
    await stage.opened()
    await stage.world.post_office.quiet()
    token = _jwt(stage)
    listed = await stage.rest("GET", "/app/hook/deliveries?per_page=1", token)
    [newest] = listed
    assert newest["status"] == "OK"
    detail = await stage.rest("GET", f"/app/hook/deliveries/{newest['id']}", token)
    assert detail["request"]["payload"]["action"] == newest["action"]
    before = stage.heard[-1]
    await stage.rest("POST", f"/app/hook/deliveries/{newest['id']}/attempts", token)
    await stage.world.post_office.quiet()
    assert stage.heard[-1][1] == before[1]
    again = (await stage.rest("GET", "/app/hook/deliveries", token))[0]
    assert (again["guid"], again["redelivery"]) == (newest["guid"], True)


async def test_an_app_hears_only_what_it_may_read(stage: Any) -> None:
    del stage.app.installations[0].permissions["pull_requests"]
    await stage.opened()
    assert {event for event, _ in await stage.events()} == {"installation", "push", "check_suite"}


async def test_a_repository_hook_is_pinged_and_sends_forms_unless_told_otherwise(stage: Any) -> None:
    stage.world.grant(stage.repo, "root", "admin")
    url = stage.app.webhook_url
    stage.app.webhook_url = None
    body = {"config": {"url": url, "secret": "x"}, "events": ["push"]}
    await stage.rest("POST", "/repos/acme/youlab/hooks", stage.world.token_for("root"), body)
    await stage.world.post_office.quiet()
    headers, raw = stage.heard[-1]
    assert (headers["x-github-event"], raw.startswith(b"payload=%7B")) == ("ping", True)
    assert headers["content-type"] == "application/x-www-form-urlencoded"


async def test_a_bot_reports_a_check_and_hears_of_it_itself(stage: Any) -> None:
    pull = await stage.opened()

    def report() -> Any:
        run = stage.bot().create_check_run("callboard", pull.head_sha, status="in_progress", external_id="run-1")
        run.edit(conclusion="success", output={"title": "Done", "summary": "All well"})
        return run

    run = await asyncio.to_thread(report)
    assert (run.status, run.conclusion, run.app.slug) == ("completed", "success", "callboard")
    told = await stage.payload("check_run", "completed")
    assert (told["check_run"]["app"]["slug"], told["check_run"]["external_id"]) == ("callboard", "run-1")
    assert told["check_run"]["check_suite"]["head_branch"] == "topic"
    events = await stage.events()
    assert events[-2:] == [("check_run", "completed"), ("check_suite", "completed")]


async def test_people_cannot_make_check_runs(stage: Any) -> None:
    pull = await stage.opened()
    error = await refused(lambda: stage.hub().create_check_run("mine", pull.head_sha))
    assert (error.status, error.data["message"]) == (403, "You must authenticate via a GitHub App.")


async def test_a_completed_check_run_is_not_opened_again(stage: Any) -> None:
    pull = await stage.opened()
    run = await stage.ci.passes(pull)
    token = stage.world.installation_token(stage.ci.app.installations[0]).value
    error = await refused(
        lambda: stage.with_token(token).get_repo("acme/youlab").get_check_run(run.id).edit(status="in_progress")
    )
    assert error.status == 422


async def test_the_suite_may_be_announced_before_its_last_run(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.knobs.suite_first = True
    await stage.ci.passes(pull)
    assert (await stage.events())[-3:] == [
        ("check_suite", "completed"),
        ("check_run", "completed"),
        ("workflow_run", "completed"),
    ]


async def test_a_suite_of_two_runs_ends_with_the_second(stage: Any) -> None:
    pull = await stage.opened()
    await stage.ci.pending(pull, "lint")
    await stage.ci.passes(pull, "test")
    assert ("check_suite", "completed") not in await stage.events()
    await stage.ci.fails(pull, "lint")
    told = await stage.payload("check_suite", "completed")
    assert (told["check_suite"]["conclusion"], told["check_suite"]["latest_check_runs_count"]) == ("failure", 2)


async def test_statuses_are_counted_apart_from_check_runs(stage: Any) -> None:
    pull = await stage.opened()
    await stage.ci.fails(pull)
    path = f"/repos/acme/youlab/statuses/{pull.head_sha}"
    await stage.rest("POST", path, body={"state": "success", "context": "CodeRabbit", "description": "Done"})
    combined = await stage.rest("GET", f"/repos/acme/youlab/commits/{pull.head_sha}/status")
    assert (combined["state"], combined["total_count"]) == ("success", 1)
    runs = await stage.rest("GET", "/repos/acme/youlab/commits/topic/check-runs")
    assert (runs["total_count"], runs["check_runs"][0]["conclusion"]) == (1, "failure")
    told = await stage.payload("status")
    assert (told["context"], told["state"], told["branches"][0]["name"]) == ("CodeRabbit", "success", "topic")


async def _run(command: list[str], folder: Path) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


@pytest.mark.parametrize("python", ["this one", "before 3.11.4"])
async def test_a_real_ci_runs_the_tests_of_every_pushed_head(
    stage: Any, python: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if python == "before 3.11.4":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    program = (
        "import pathlib, sys; text = pathlib.Path('app.py').read_text(); print(len(text)); sys.exit('bad' in text)"
    )
    async with RealCI(stage.world, command=[sys.executable, "-c", program], run=_run) as ci:
        pull = await stage.opened(**{"app.py": "bad\n"})
        await ci.quiet()
        first = next(iter(stage.repo.check_runs))
        assert (first.conclusion, first.suite.head_sha, first.title) == ("failure", pull.head_sha, "Exit code 1")
        await stage.alice.pushes(stage.repo, "topic", {"app.py": "good\n"}, "Fix it")
        await ci.quiet()
    assert [run.conclusion for run in stage.repo.check_runs] == ["failure", "success"]
    assert "5" in (list(stage.repo.check_runs)[1].summary or "")


async def test_a_runner_that_breaks_is_a_red_check(stage: Any) -> None:
    async def broken(command: list[str], folder: Path) -> tuple[int, str]:
        raise OSError("no such machine")

    async with RealCI(stage.world, command=["true"], run=broken) as ci:
        await stage.opened()
        await ci.quiet()
    [run] = stage.repo.check_runs
    assert (run.conclusion, "no such machine" in (run.text or "")) == ("failure", True)


async def test_a_job_of_another_check_that_is_done_again_is_none_of_its_business(stage: Any) -> None:
    async with RealCI(stage.world, command=["true"], run=_run) as ci:
        pull = await stage.opened()
        await ci.quiet()
        other = await CI(stage.world).fails(pull, "browser")
        await stage.alice.reruns(other)
        await ci.quiet()
        tests = [run for run in stage.repo.check_runs if run.name == "test"]
        assert len(tests) == 1
        await CI(stage.world).passes(pull, "browser")
        await stage.alice.reruns(tests[0])
        await ci.quiet()
    assert [run.conclusion for run in stage.repo.check_runs if run.name == "test"] == ["success", "success"]


async def test_at_most_two_runs_at_once(stage: Any) -> None:
    running, opened = [], asyncio.Event()

    async def waits(command: list[str], folder: Path) -> tuple[int, str]:
        running.append(folder)
        await opened.wait()
        return 0, ""

    async with RealCI(stage.world, command=["true"], run=waits) as ci:
        for number in range(3):
            await stage.opened(f"topic-{number}", **{f"{number}.txt": "x"})
        await asyncio.sleep(0.1)
        assert len(running) == 2
        opened.set()
        await ci.quiet()
    assert len(running) == 3


async def test_webhook_bodies_are_json_that_names_everybody(stage: Any) -> None:
    pull = await stage.opened()
    await CI(stage.world).passes(pull)
    await stage.bob.merges(pull)
    await stage.world.post_office.quiet()
    for _, raw in stage.heard:
        body = json.loads(raw)
        assert body["sender"]["login"]
        assert body["installation"]["id"] == stage.app.installations[0].id
        assert "repository" in body or "repositories" in body


async def test_two_who_ask_at_once_for_the_suite_of_a_commit_get_one(stage: Any, monkeypatch: Any) -> None:
    """Pull requests come and go while git is asked: a scripted CI fell over that, and its story never ended."""
    pull, ask = await stage.opened(), stage.world.git.commit

    async def slowly(path: Path, sha: str) -> Any:
        await asyncio.sleep(0.01)
        return await ask(path, sha)

    monkeypatch.setattr(stage.world.git, "commit", slowly)
    stage.repo.check_suites.clear()
    one, other = await asyncio.gather(
        *(suite_of(stage.world, stage.repo, stage.app, pull.head_sha) for _ in range(2)),
    )
    assert one is other
    assert len([suite for suite in stage.repo.check_suites if suite.app is stage.app]) == 1
