"""Our own check: shown where it can be, silent where it can't, never in the way."""

import pytest

from bot.github.client import GitHub, Identity, TokenLogin
from bot.github.ensure import Ensure
from bot.machine.errors import Transient

PLACE = "acme/youlab"
HEAD = "a" * 40
OUTPUT = {"title": "At work", "summary": "Phase 2 of 3"}
THERE = f"GET /repos/{PLACE}/commits/{HEAD}/check-runs"
CREATE, CHANGE = f"POST /repos/{PLACE}/check-runs", f"PATCH /repos/{PLACE}/check-runs/5"


class Ours(GitHub):
    """Our App, without its key: it asks with a token that it needs not fetch."""

    async def identity(self):
        return Identity("callboard[bot]", 9, "callboard")


@pytest.fixture
def ensure(github) -> Ensure:
    return Ensure(Ours(f"{github.url}/api/v3", TokenLogin("ghs_1")))


def shown(
    *, status: str = "in_progress", conclusion: str | None = None, title: str = "At work", slug: str = "callboard"
):
    run = {"id": 5, "status": status, "conclusion": conclusion, "output": OUTPUT, "app": {"slug": slug}}
    return 200, {"check_runs": [run]}


async def show(ensure: Ensure, *, status: str = "in_progress", conclusion: str = "", title: str = "At work") -> None:
    await ensure.our_check(PLACE, HEAD, status, conclusion, title, "Phase 2 of 3")


NOTHING = (200, {"check_runs": []})


async def test_our_check_appears_once_and_costs_nothing_while_it_says_the_same(github, ensure):
    github.answers |= {THERE: NOTHING, CREATE: (201, {"id": 5})}
    for _ in range(3):
        await show(ensure)
    assert github.operations() == [THERE, CREATE]
    assert github.asked[-1].body == {"name": "Callboard", "head_sha": HEAD, "status": "in_progress", "output": OUTPUT}


async def test_after_a_restart_what_stands_is_kept(github, ensure):
    github.answers[THERE] = shown()
    await show(ensure)
    assert github.operations() == [THERE]


async def test_it_goes_on_and_ends(github, ensure):
    github.answers |= {THERE: shown(), CHANGE: (200, {})}
    await show(ensure, title="Phase 3")
    await show(ensure, status="completed", conclusion="success", title="Done")
    assert github.operations("P") == [CHANGE, CHANGE]
    assert (github.asked[-1].body["status"], github.asked[-1].body["conclusion"]) == ("completed", "success")


async def test_one_that_ended_gets_a_sister_since_it_can_not_go_back(github, ensure):
    github.answers |= {THERE: shown(status="completed", conclusion="success"), CREATE: (201, {"id": 6})}
    await show(ensure)
    assert github.operations("P") == [CREATE]


async def test_a_check_of_that_name_by_somebody_else_is_not_ours(github, ensure):
    github.answers |= {THERE: shown(slug="mallory"), CREATE: (201, {"id": 6})}
    await show(ensure)
    assert github.operations("P") == [CREATE]


async def test_a_persons_token_has_no_check(github):
    github.answers["GET /user"] = (200, {"login": "alice", "id": 5})
    ensure = Ensure(github.github())
    for _ in range(2):
        await show(ensure)
    assert github.operations() == ["GET /user"]


async def test_without_the_permission_it_is_given_up_after_one_try(github, ensure):
    github.answers |= {THERE: NOTHING, CREATE: (403, {"message": "Resource not accessible by integration"})}
    await show(ensure)
    await show(ensure, title="Phase 3")
    assert github.operations() == [THERE, CREATE]


async def test_a_commit_that_went_away_is_no_error(github, ensure):
    github.answers[THERE] = (422, {"message": f"No commit found for SHA: {HEAD}"})
    await show(ensure)


async def test_an_outage_is_tried_again(github, ensure):
    github.answers |= {THERE: NOTHING, CREATE: [(502, {}), (201, {"id": 5})]}
    with pytest.raises(Transient):
        await show(ensure)
    await show(ensure)
    assert github.operations("POST") == [CREATE, CREATE]
