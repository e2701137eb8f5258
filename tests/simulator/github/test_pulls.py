"""Pull requests: opened, listed, changed, closed, stacked."""

import asyncio
from typing import Any

import pytest

from tests.simulator.github.conftest import changed, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_bot_opens_a_pull_request_with_its_installation_token(stage: Any) -> None:
    await stage.alice.pushes(stage.repo, "topic", {"app.py": changed(3)}, "Change a line")

    def opens() -> Any:
        return stage.bot().create_pull(base="main", head="topic", title="T", body="**B**")

    made = await asyncio.to_thread(opens)
    assert (made.number, made.user.login, made.user.type) == (1, "callboard[bot]", "Bot")
    assert (made.commits, made.additions, made.deletions, made.changed_files) == (1, 1, 1, 1)
    assert made.mergeable is None
    told = await stage.payload("pull_request", "opened")
    assert told["pull_request"]["head"]["sha"] == made.head.sha
    assert told["pull_request"]["mergeable"] is None
    assert told["installation"]["id"] == stage.app.installations[0].id


async def test_a_second_pull_request_for_the_same_branch_is_refused(stage: Any) -> None:
    await stage.opened()
    repo = stage.hub()
    error = await refused(lambda: repo.create_pull(base="main", head="acme:topic", title="Again"))
    assert error.status == 422
    assert error.data["errors"][0]["message"] == "A pull request already exists for acme:topic."


async def test_no_commits_no_pull_request(stage: Any) -> None:
    main = await stage.world.git.branch(stage.repo.path, "main")
    repo = stage.hub()
    await asyncio.to_thread(repo.create_git_ref, "refs/heads/empty", main)
    error = await refused(lambda: repo.create_pull(base="main", head="empty", title="Nothing"))
    assert error.data["errors"][0]["message"] == "No commits between main and empty"


async def test_an_unknown_branch_is_a_validation_error(stage: Any) -> None:
    repo = stage.hub()
    error = await refused(lambda: repo.create_pull(base="main", head="nowhere", title="T"))
    assert error.data["errors"] == [{"resource": "PullRequest", "field": "head", "code": "invalid"}]


async def test_lists_filter_and_never_show_mergeable(stage: Any) -> None:
    await stage.opened("one")
    await stage.opened("two")
    listed = await stage.rest("GET", "/repos/acme/youlab/pulls?head=acme:two&state=open")
    assert [one["head"]["ref"] for one in listed] == ["two"]
    assert not {"mergeable", "merged", "commits"} & listed[0].keys()
    without_owner = await stage.rest("GET", "/repos/acme/youlab/pulls?head=two")
    assert len(without_owner) == 2


async def test_mergeable_is_unknown_until_it_was_asked_for(stage: Any) -> None:
    pull = await stage.opened()
    stage.world.knobs.mergeable_after = 2
    seen = [(await stage.rest("GET", "/repos/acme/youlab/pulls/1"))["mergeable"] for _ in range(3)]
    assert seen == [None, None, True]
    await stage.bob.pushes(stage.repo, "main", {"other.txt": "x"}, "Main moves on")
    assert (await stage.rest("GET", "/repos/acme/youlab/pulls/1"))["mergeable_state"] == "unknown"
    await stage.alice.pushes(stage.repo, "topic", {"b.txt": "b"}, "More")
    assert (await stage.rest("GET", "/repos/acme/youlab/pulls/1"))["head"]["sha"] == pull.head_sha


async def test_a_conflict_shows_as_dirty(stage: Any) -> None:
    await stage.opened()
    await stage.bob.pushes(stage.repo, "main", {"app.py": changed(10, by="other")}, "The same line")
    await stage.rest("GET", "/repos/acme/youlab/pulls/1")
    shown = await stage.rest("GET", "/repos/acme/youlab/pulls/1")
    assert (shown["mergeable"], shown["mergeable_state"]) == (False, "dirty")


async def test_title_body_and_state_change_by_patch(stage: Any) -> None:
    await stage.opened()
    pull = await asyncio.to_thread(stage.hub().get_pull, 1)
    await asyncio.to_thread(lambda: pull.edit(title="New", body="Text", state="closed"))
    assert (pull.title, pull.body, pull.state, pull.merged) == ("New", "Text", "closed", False)
    assert (await stage.payload("pull_request", "edited"))["changes"]["title"] == {"from": "The topic"}
    await asyncio.to_thread(lambda: pull.edit(state="open"))
    assert pull.state == "open"


async def test_a_deleted_head_branch_closes_the_pull_request(stage: Any) -> None:
    pull = await stage.opened()
    client = stage.client(lazy=False)
    ref = await asyncio.to_thread(lambda: client.get_repo("acme/youlab").get_git_ref("heads/topic"))
    await asyncio.to_thread(lambda: ref.object)
    await asyncio.to_thread(ref.delete)
    assert (pull.state, pull.merged) == ("closed", False)
    error = await refused(ref.delete)
    assert (error.status, error.data["message"]) == (422, "Reference does not exist")


async def test_merging_with_deletion_moves_the_stack_to_the_base(stage: Any) -> None:
    stage.repo.delete_branch_on_merge = True
    lower = await stage.opened("lower", **{"a.txt": "a"})
    await stage.alice.pushes(stage.repo, "upper", {"a.txt": "a"}, "Same start")
    upper = await stage.opened("upper", base="main", **{"b.txt": "b"})
    await stage.rest("PATCH", "/repos/acme/youlab/pulls/2", body={"base": "lower"})
    assert upper.base_ref == "lower"
    await stage.bob.merges(lower)
    assert (upper.base_ref, upper.state) == ("main", "open")
    assert (await stage.payload("pull_request", "edited"))["changes"]["base"]["ref"] == {"from": "lower"}


async def test_deleting_a_merged_branch_by_api_closes_what_was_based_on_it(stage: Any) -> None:
    lower = await stage.opened("lower", **{"a.txt": "a"})
    upper = await stage.opened("upper", base="lower", **{"b.txt": "b"})
    await stage.bob.merges(lower)
    assert upper.base_ref == "lower"
    await stage.bob.deletes(stage.repo, "lower")
    assert (upper.state, upper.base_ref) == ("closed", "lower")
    repo = stage.hub()
    error = await refused(lambda: repo.get_pull(2).edit(base="main"))
    assert error.data["errors"][0]["message"] == "Cannot change the base branch of a closed pull request."


async def test_a_merge_by_hand_is_seen(stage: Any) -> None:
    pull = await stage.opened()
    await stage.git("clone", "REMOTE", "work", token=stage.world.token_for("bob"))
    work = stage.folder / "work"
    await stage.git("merge", "--no-ff", "-m", "By hand", "origin/topic", cwd=work)
    assert (await stage.git("push", "origin", "main", cwd=work))[0] == 0
    main = await stage.world.git.branch(stage.repo.path, "main")
    assert (pull.merged, pull.merged_by.login, pull.merge_commit_sha) == (True, "bob", main)
    assert (await stage.payload("pull_request", "closed"))["pull_request"]["merged"] is True


async def test_a_force_push_that_leaves_nothing_closes_the_pull_request(stage: Any) -> None:
    pull = await stage.opened()
    main = await stage.world.git.branch(stage.repo.path, "main")
    client = stage.client(lazy=False)
    ref = await asyncio.to_thread(lambda: client.get_repo("acme/youlab").get_git_ref("heads/topic"))
    await asyncio.to_thread(lambda: ref.object)
    error = await refused(lambda: ref.edit(main))
    assert error.data["message"] == "Update is not a fast forward"
    await asyncio.to_thread(lambda: ref.edit(main, force=True))
    assert (pull.state, pull.merged) == ("closed", False)


async def test_files_commits_and_comparison_come_from_git(stage: Any) -> None:
    await stage.opened(**{"app.py": changed(2), "new.txt": "new\n"})
    repo = stage.hub()

    def read() -> Any:
        pull = repo.get_pull(1)
        files = {file.filename: (file.status, file.additions, file.deletions) for file in pull.get_files()}
        return files, [one.commit.message for one in pull.get_commits()], apart(repo.compare("main", "topic"))

    def apart(compared: Any) -> Any:
        return compared.status, compared.ahead_by, compared.behind_by

    files, messages, compared = await asyncio.to_thread(read)
    assert files == {"app.py": ("modified", 1, 1), "new.txt": ("added", 1, 0)}
    assert messages == ["Change topic"]
    assert compared == ("ahead", 1, 0)


async def test_update_branch_merges_the_base_into_the_head(stage: Any) -> None:
    pull = await stage.opened()
    got = await asyncio.to_thread(stage.hub().get_pull, 1)
    assert await asyncio.to_thread(got.update_branch) is False
    main = await stage.bob.pushes(stage.repo, "main", {"other.txt": "x"}, "Main moves on")
    before = pull.head_sha
    assert await asyncio.to_thread(got.update_branch) is True
    assert await stage.world.git.contains(stage.repo.path, main, pull.head_sha)
    assert pull.head_sha != before


async def test_lists_come_in_pages_of_thirty(stage: Any) -> None:
    pull = await stage.opened()
    for number in range(35):
        await stage.bob.comments(pull, f"Comment {number}")
    client = stage.client()
    headers, first = await asyncio.to_thread(
        client.requester.requestJsonAndCheck, "GET", "/repos/acme/youlab/issues/1/comments"
    )
    assert len(first) == 30
    assert 'page=2>; rel="next"' in headers["link"]
    issue = await asyncio.to_thread(lambda: client.get_repo("acme/youlab").get_issue(1))
    assert len(await asyncio.to_thread(lambda: list(issue.get_comments()))) == 35


async def test_odd_names_take_part_like_others(stage: Any) -> None:
    files = {"docs/a b.md": "text\n", "docs/ü.md": "text\n", "run.sh": "#!/bin/sh\n", "app.py": None}
    await stage.alice.pushes(stage.repo, "odd", files, "Odd names")
    pull = await stage.alice.opens(stage.repo, "odd", "main", "Odd names")
    await stage.bob.remarks(pull, "docs/a b.md", 1, "Spaces")
    listed = await stage.rest("GET", "/repos/acme/youlab/pulls/1/files")
    assert {one["filename"]: one["status"] for one in listed} == {
        "app.py": "removed",
        "docs/a b.md": "added",
        "docs/ü.md": "added",
        "run.sh": "added",
    }
    modes = await stage.world.git.run(stage.repo.path, "ls-tree", "odd", "run.sh")
    assert modes.startswith("100755 blob")
