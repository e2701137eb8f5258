"""Refs outside of the branches, and people who push where others work."""

import asyncio
from typing import Any

import pytest
from github import GithubException

from bot.simulator.github import ApiError
from tests.simulator.github.conftest import changed, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")
WORK = "refs/callboard/unfinished/you-1"


async def pushes_by_ref(stage: Any) -> list[str]:
    await stage.world.post_office.quiet()
    return [one.action or one.event for one in stage.world.deliveries if one.event == "push"]


async def test_a_push_to_a_ref_outside_of_the_branches_is_kept_and_tells_nobody(stage: Any) -> None:
    token = stage.app_token()
    await stage.git("clone", "REMOTE", "work", token=token)
    work = stage.folder / "work"
    await stage.git("commit", "--allow-empty", "-m", "On the way", cwd=work)
    code, said = await stage.git("push", "origin", f"HEAD:{WORK}", cwd=work)
    assert code == 0, said
    _, listed = await stage.git("ls-remote", "REMOTE", token=token)
    assert WORK in listed
    assert await pushes_by_ref(stage) == []
    assert ("check_suite", "requested") not in await stage.events()
    code, said = await stage.git("push", "origin", f":{WORK}", cwd=work)
    assert code == 0, said
    _, listed = await stage.git("ls-remote", "REMOTE", token=token)
    assert WORK not in listed
    assert await pushes_by_ref(stage) == []


async def test_a_push_to_a_pull_ref_is_refused_in_gits_own_words(stage: Any) -> None:
    pull = await stage.opened()
    await stage.git("clone", "REMOTE", "work", token=stage.app_token())
    work = stage.folder / "work"
    code, said = await stage.git("fetch", "origin", "refs/pull/1/head", cwd=work)
    assert code == 0, said
    code, said = await stage.git("push", "--force", "origin", "HEAD:refs/pull/1/head", cwd=work)
    assert code != 0
    assert "deny updating a hidden ref" in said
    assert await stage.world.git.resolve(stage.repo.path, "refs/pull/1/head") == pull.head_sha
    code, _ = await stage.git("push", "origin", ":refs/pull/1/head", cwd=work)
    assert code != 0


async def test_the_api_makes_moves_and_deletes_such_refs_too(stage: Any) -> None:
    main = await stage.world.git.branch(stage.repo.path, "main")
    topic = await stage.alice.pushes(stage.repo, "topic", {"a.txt": "a"}, "Add a")
    before = await pushes_by_ref(stage)
    made = await stage.rest("POST", "/repos/acme/youlab/git/refs", body={"ref": WORK, "sha": main})
    assert (made["ref"], made["object"]["sha"]) == (WORK, main)
    path = f"/repos/acme/youlab/git/{WORK}"
    assert (await stage.rest("PATCH", path, body={"sha": topic}))["object"]["sha"] == topic
    [found] = await stage.rest("GET", "/repos/acme/youlab/git/matching-refs/callboard/unfinished/")
    assert found["ref"] == WORK
    query = '{ repository(owner: "acme", name: "youlab") { ref(qualifiedName: "%s") { prefix name target { oid } } } }'
    read = (await stage.graphql(query % WORK))["data"]["repository"]["ref"]
    assert read == {"prefix": "refs/callboard/", "name": "unfinished/you-1", "target": {"oid": topic}}
    await stage.rest("DELETE", path)
    assert (await stage.graphql(query % WORK))["data"]["repository"]["ref"] is None
    assert await pushes_by_ref(stage) == before


async def test_the_api_does_not_touch_pull_refs_nor_names_that_are_no_refs(stage: Any) -> None:
    await stage.opened()
    main = await stage.world.git.branch(stage.repo.path, "main")
    repo = stage.hub()
    error = await refused(lambda: repo.create_git_ref("refs/pull/9/head", main))
    assert error.status == 422
    with pytest.raises(GithubException, match="hidden ref"):
        await stage.rest("DELETE", "/repos/acme/youlab/git/refs/pull/1/head")
    error = await refused(lambda: repo.create_git_ref("topic/x", main))
    assert "at least two slashes" in error.data["message"]


async def test_a_person_amends_what_stands_on_our_branch(stage: Any) -> None:
    pull = await stage.opened()
    ours = pull.head_sha
    await stage.bob.force_pushes(stage.repo, "topic", {"app.py": changed(11)}, "Amended", onto="topic~1")
    push = await stage.payload("push")
    assert (push["forced"], push["before"], push["after"]) == (True, ours, pull.head_sha)
    assert (await stage.payload("pull_request", "synchronize"))["sender"]["login"] == "bob"
    assert not await stage.world.git.contains(stage.repo.path, ours, pull.head_sha)
    await stage.bob.resets(stage.repo, "topic", ours)
    assert pull.head_sha == ours


async def test_a_reader_pushes_nothing_and_a_stranger_sees_nothing(stage: Any) -> None:
    from bot.simulator.github import Person

    pull = await stage.opened()
    stage.world.grant(stage.repo, "eve", "read")
    stage.world.grant(stage.repo, "mallory", "none")
    with pytest.raises(ApiError, match="Must have push access"):
        await Person(stage.world, "eve").pushes(stage.repo, "topic", {"x.txt": "x"}, "Mine")
    with pytest.raises(ApiError, match="Not Found"):
        await Person(stage.world, "mallory").comments(pull, "Hello")
    assert await asyncio.to_thread(lambda: stage.hub().get_collaborator_permission("eve")) == "read"
