"""Commits made without a work tree."""

from datetime import UTC, datetime

import pytest

from bot.git.command import GitError
from bot.git.commit import Conflict, commit_file, merge, squash, transplant

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


async def test_a_file_is_committed_with_its_trailers(mirror, main, person):
    commit = await commit_file(
        mirror,
        main,
        "thoughts/shared/research/YOU-1.md",
        b"# Found\n",
        message="Research YOU-1",
        trailers={"Callboard-Run": "run-1", "Callboard-Generation": "2"},
        author=person,
    )
    assert await mirror.read(commit, "thoughts/shared/research/YOU-1.md") == b"# Found\n"
    assert await mirror.read(commit, "README.md") == b"# Youlab\n"
    shown = (
        await mirror.git("log", "-1", "--format=%P|%an <%ae>|%cn|%s|%(trailers:only,unfold,separator=%x2C)", commit)
    ).line
    assert shown == (
        f"{main}|Alice <alice@example.org>|Alice|Research YOU-1|Callboard-Run: run-1,Callboard-Generation: 2"
    )


async def test_the_same_commit_is_made_twice_as_once(mirror, main, person):
    one, other = [
        await commit_file(mirror, main, "a.txt", b"a", message="Add", author=person, at=NOON) for _ in range(2)
    ]
    assert one == other


async def test_a_file_that_is_there_already_makes_no_commit(mirror, main, person):
    assert await commit_file(mirror, main, "README.md", b"# Youlab\n", message="Again", author=person) == main


@pytest.mark.parametrize("path", [".git/config", "../x", "/etc/passwd", "a/../../b", ".GIT/hooks/x", "git~1/config"])
async def test_a_path_out_of_the_tree_is_refused(mirror, main, person, path):
    with pytest.raises(GitError):
        await commit_file(mirror, main, path, b"x", message="Add", author=person)


async def test_a_trailer_can_not_smuggle_another(mirror, main, person):
    for trailers in ({"A": "b\nC: d"}, {"A: b\nC": "d"}, {"": "x"}):
        with pytest.raises(ValueError):
            await commit_file(mirror, main, "a", b"a", message="Add", trailers=trailers, author=person)


async def test_many_commits_become_one_without_what_belongs_to_the_run(mirror, main, person, write):
    tip = await write(await write(await write(main, "a.txt", "a"), "b.txt", "b"), ".callboard/outcome.json", "{}")
    commit = await squash(mirror, main, tip, message="Phase 1: Begin", author=person, trailers={"Phase": "1"})
    assert (await mirror.git("rev-parse", f"{commit}^")).line == main
    changed = (await mirror.git("diff-tree", "-r", "--name-only", "-z", main, commit)).fields
    assert changed == ["a.txt", "b.txt"]


async def test_a_folder_to_drop_stays_as_the_base_has_it(mirror, main, person, write):
    base = await write(await write(main, ".callboard/kept.md", "theirs"), ".claude/settings.json", "{}")
    tip = await write(await write(base, ".callboard/kept.md", "changed"), ".callboard/new", "x")
    tip = await write(await write(tip, ".claude/settings.json", "evil"), "a.txt", "a")
    commit = await squash(
        mirror, base, tip, message="Phase", author=person, drop=(".callboard/", ".claude/", "absent/")
    )
    assert (await mirror.git("diff-tree", "-r", "--name-only", "-z", base, commit)).fields == ["a.txt"]


async def test_nothing_to_squash_is_the_base_itself(mirror, main, person, write):
    tip = await write(main, ".callboard/outcome.json", "{}")
    assert await squash(mirror, main, tip, message="Phase", author=person) == main


async def test_blockers_are_merged_one_after_another(mirror, main, person, write):
    blockers = [await write(main, f"{name}.txt", name) for name in "abc"]
    merged = await merge(mirror, blockers[0], blockers[1:], message="Merge the blockers", author=person, at=NOON)
    assert isinstance(merged, str)
    for name, blocker in zip("abc", blockers, strict=True):
        assert await mirror.read(merged, f"{name}.txt") == name.encode()
        assert await mirror.descends(merged, blocker)
    assert merged == await merge(
        mirror, blockers[0], blockers[1:], message="Merge the blockers", author=person, at=NOON
    )


async def test_what_is_contained_already_needs_no_merge(mirror, main, person, write):
    later = await write(main, "a.txt", "a")
    assert await merge(mirror, later, [main], message="Merge", author=person) == later
    assert await merge(mirror, main, [later], message="Merge", author=person) == later


async def test_a_conflict_names_its_paths_and_makes_nothing(mirror, main, person, write):
    ours = await write(await write(main, "README.md", "ours"), "a.txt", "a")
    theirs = await write(await write(main, "README.md", "theirs"), "b.txt", "b")
    assert await merge(mirror, ours, [theirs], message="Merge", author=person) == Conflict(theirs, ("README.md",))


async def test_histories_with_nothing_in_common_are_an_error(mirror, main, person, write):
    tree = (await mirror.git("rev-parse", f"{main}^{{tree}}")).line
    orphan = (await mirror.git("commit-tree", tree, "-m", "x", environment={
        "GIT_AUTHOR_NAME": "x", "GIT_AUTHOR_EMAIL": "x", "GIT_COMMITTER_NAME": "x", "GIT_COMMITTER_EMAIL": "x",
    })).line  # fmt: skip
    with pytest.raises(GitError):
        await merge(mirror, main, [orphan], message="Merge", author=person)


async def test_a_stacked_branch_moves_on_to_where_its_blocker_was_squashed(mirror, main, person, write):
    blocker = await write(await write(main, "a.txt", "one"), "a.txt", "two")
    stacked = await write(blocker, "b.txt", "b")
    landed = await write(await write(main, "other.txt", "o"), "a.txt", "two")
    moved = await transplant(mirror, stacked, upstream=blocker, onto=landed, message="YOU-2", author=person)
    assert isinstance(moved, str)
    assert (await mirror.git("rev-parse", f"{moved}^")).line == landed
    assert (await mirror.git("diff-tree", "-r", "--name-only", "-z", landed, moved)).fields == ["b.txt"]


async def test_a_stacked_branch_that_clashes_says_where(mirror, main, person, write):
    blocker = await write(main, "a.txt", "one")
    stacked = await write(blocker, "a.txt", "mine")
    landed = await write(main, "a.txt", "other")
    moved = await transplant(mirror, stacked, upstream=blocker, onto=landed, message="YOU-2", author=person)
    assert moved == Conflict(stacked, ("a.txt",))
