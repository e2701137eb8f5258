"""Verbs on GitHub that may be done twice."""

import pytest

from bot.github.client import NoCommits, NotMergeable
from bot.github.ensure import Ensure
from bot.machine.errors import Refused, Transient

PLACE = "acme/youlab"
HEAD = "a" * 40
PULLS, PULL = f"/repos/{PLACE}/pulls", f"/repos/{PLACE}/pulls/7"
OPEN = {"number": 7, "head": {"ref": "agent/YOU-1", "sha": HEAD}, "base": {"ref": "main"}, "merged": False}


def invalid(message: str):
    return 422, {"message": "Validation Failed", "errors": [{"resource": "PullRequest", "message": message}]}


async def ensure_pull(github, base: str = "main") -> int:
    return await Ensure(github.github()).ensure_pull(PLACE, "agent/YOU-1", base, "YOU-1: Begin", "Body")


async def test_a_pull_request_is_opened(github):
    github.answers |= {f"GET {PULLS}": (200, []), f"POST {PULLS}": (201, OPEN)}
    assert await ensure_pull(github) == 7
    wanted = {"title": "YOU-1: Begin", "body": "Body", "base": "main", "head": "agent/YOU-1"}
    assert github.asked[-1].body == wanted


async def test_one_that_stands_is_kept(github):
    github.answers[f"GET {PULLS}"] = (200, [OPEN])
    assert await ensure_pull(github) == 7
    assert github.operations("P") == []


async def test_one_that_stands_on_another_base_moves_instead_of_getting_a_sister(github):
    github.answers |= {f"GET {PULLS}": (200, [OPEN]), f"PATCH {PULL}": (200, OPEN)}
    assert await ensure_pull(github, "agent/YOU-0") == 7
    assert github.operations("P") == [f"PATCH {PULL}"]
    assert github.asked[-1].body == {"base": "agent/YOU-0"}


async def test_one_that_appears_meanwhile_is_taken(github):
    github.answers |= {
        f"GET {PULLS}": [(200, []), (200, [OPEN])],
        f"POST {PULLS}": invalid("A pull request already exists for acme:agent/YOU-1."),
    }
    assert await ensure_pull(github) == 7


async def test_a_branch_without_commits_has_no_pull_request(github):
    github.answers |= {f"GET {PULLS}": (200, []), f"POST {PULLS}": invalid("No commits between main and agent/YOU-1")}
    with pytest.raises(NoCommits):
        await ensure_pull(github)


async def test_opening_is_not_sent_twice_when_its_answer_is_lost(github):
    github.answers |= {f"GET {PULLS}": (200, []), f"POST {PULLS}": (502, {})}
    with pytest.raises(Transient):
        await ensure_pull(github)
    assert github.operations("POST") == [f"POST {PULLS}"]


async def test_a_pull_request_moves_gets_its_text_and_is_closed(github):
    github.answers[f"PATCH {PULL}"] = (200, OPEN)
    ensure = Ensure(github.github())
    await ensure.retarget(PLACE, 7, "main")
    await ensure.update_body(PLACE, 7, "New")
    await ensure.close_pull(PLACE, 7)
    assert [one.body for one in github.asked] == [{"base": "main"}, {"body": "New"}, {"state": "closed"}]


async def test_a_closed_one_does_not_move(github):
    github.answers[f"PATCH {PULL}"] = invalid("Cannot change the base branch of a closed pull request.")
    with pytest.raises(NotMergeable, match="closed"):
        await Ensure(github.github()).retarget(PLACE, 7, "main")


REF = f"GET /repos/{PLACE}/git/ref/heads/agent/YOU-1"
DELETE = f"DELETE /repos/{PLACE}/git/refs/heads/agent/YOU-1"
AT = {"ref": "refs/heads/agent/YOU-1", "object": {"sha": "abc", "type": "commit"}}


@pytest.mark.parametrize("merged", ["abc", ""])
@pytest.mark.parametrize("answer", [(204, None), (422, {"message": "Reference does not exist"})])
async def test_a_branch_that_is_gone_is_gone(github, answer, merged):
    github.answers |= {REF: (200, AT), f"GET {PULLS}": (200, []), DELETE: answer}
    await Ensure(github.github()).delete_branch(PLACE, "agent/YOU-1", merged)
    assert github.operations("DELETE")


@pytest.mark.parametrize(
    "answer",
    [
        (422, {"message": "Repository rule violations found\n\nCannot delete this branch\n\n"}),
        (403, {"message": "Resource not accessible by integration"}),
    ],
)
async def test_a_branch_that_a_rule_keeps_from_being_deleted_holds_up_nothing(github, answer):
    """The round of its whole epic would fail with it, for ever."""
    github.answers |= {REF: (200, AT), f"GET {PULLS}": (200, []), DELETE: answer}
    await Ensure(github.github()).delete_branch(PLACE, "agent/YOU-1", "abc")
    assert github.operations("DELETE")


async def test_a_branch_stays_to_be_deleted_when_our_credentials_are_not_accepted(github):
    github.answers |= {REF: (200, AT), f"GET {PULLS}": (200, []), DELETE: (401, {"message": "Bad credentials"})}
    with pytest.raises(Refused):
        await Ensure(github.github()).delete_branch(PLACE, "agent/YOU-1", "abc")


async def test_a_branch_that_is_gone_already_is_not_asked_for_again(github):
    github.answers |= {REF: (404, {"message": "Not Found"})}
    await Ensure(github.github()).delete_branch(PLACE, "agent/YOU-1", "abc")
    assert github.operations("DELETE") == []


async def test_a_branch_to_which_somebody_pushed_after_the_merge_is_left_to_people(github):
    """Nobody merged that, and it would be nowhere else."""
    github.answers |= {REF: (200, AT), f"GET {PULLS}": (200, []), DELETE: (204, None)}
    await Ensure(github.github()).delete_branch(PLACE, "agent/YOU-1", "what was merged")
    assert github.operations("DELETE") == []


async def test_a_branch_from_which_a_pull_request_was_opened_again_is_left_to_people(github):
    """Its work is merged with a newer one; deleting the branch would close this one."""
    github.answers |= {REF: (200, AT), f"GET {PULLS}": (200, [OPEN]), DELETE: (204, None)}
    await Ensure(github.github()).delete_branch(PLACE, "agent/YOU-1", "abc")
    assert github.operations("DELETE") == []


async def test_a_branch_on_which_somebody_stacked_a_pull_request_is_left_to_people(github):
    """It is nobody's ticket, so nothing else knows of it; deleting its base would close it."""
    stacked = {**OPEN, "head": {**OPEN["head"], "ref": "bob/more"}, "base": {**OPEN["base"], "ref": "agent/YOU-1"}}
    github.answers |= {REF: (200, AT), f"GET {PULLS}": (200, [stacked]), DELETE: (204, None)}
    await Ensure(github.github()).delete_branch(PLACE, "agent/YOU-1", "abc")
    assert github.operations("DELETE") == []


@pytest.mark.parametrize("branch", ["main", "feature/x", "agent/YOU-1/../../heads/main", ""])
async def test_no_branch_but_ours_is_ever_deleted(github, branch):
    with pytest.raises(ValueError):
        await Ensure(github.github()).delete_branch(PLACE, branch, "abc")
    assert github.asked == []
