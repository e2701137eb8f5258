"""What we say on pull requests, each thing once."""

import pytest

from bot.github.client import NotFound
from bot.github.ensure import Ensure
from bot.github.marks import marker

PLACE = "acme/youlab"


def comment(number: int, who: int, body: str) -> dict[str, object]:
    url = f"/repos/{PLACE}/issues/comments/{number}"
    return {"id": number, "url": url, "body": body, "user": {"login": "alice", "id": who}}


COMMENTS = f"/repos/{PLACE}/issues/7/comments"


@pytest.mark.parametrize(
    ("there", "done"),
    [
        ([], [f"POST {COMMENTS}"]),
        ([comment(1, 5, f"Hello\n\n{marker('panel')}")], []),
        ([comment(1, 6, f"Hello\n\n{marker('panel')}")], [f"POST {COMMENTS}"]),
        ([comment(1, 5, f"Hello\n\n{marker('other')}")], [f"POST {COMMENTS}"]),
        ([comment(1, 5, f"Old\n\n{marker('panel')}")], [f"PATCH /repos/{PLACE}/issues/comments/1"]),
    ],
)
async def test_there_is_one_comment_about_a_topic(github, there, done):
    for one in there:
        one["url"] = f"{github.url}/api/v3{one['url']}"
    github.answers |= {
        "GET /user": (200, {"login": "alice", "id": 5}),
        f"GET {COMMENTS}": (200, there),
        f"POST {COMMENTS}": (201, {"id": 2}),
        f"PATCH /repos/{PLACE}/issues/comments/1": (200, {"id": 1}),
    }
    await Ensure(github.github()).answer(PLACE, 7, "Hello", "panel")
    assert github.operations("P") == done
    if done:
        assert github.asked[-1].body == {"body": f"Hello\n\n{marker('panel')}"}


def thread(*replies: tuple[int, str]) -> dict[str, object]:
    nodes = [
        {"body": body, "author": {"__typename": "User", "login": "alice", "databaseId": who}} for who, body in replies
    ]
    return {"data": {"node": {"isResolved": False, "comments": {"nodes": nodes}}}}


async def test_a_thread_gets_one_reply_about_a_topic(github):
    done = {"data": {"addPullRequestReviewThreadReply": {"comment": {"id": "x"}}}}
    github.answers |= {"GET /user": (200, {"login": "alice", "id": 5})}
    ensure = Ensure(github.github())
    github.answers["POST /api/graphql"] = [(200, thread((6, marker("run-1")))), (200, done)]
    await ensure.reply(PLACE, "PRRT_1", "Done", "run-1")
    sent = github.asked[-1].body
    assert sent["variables"] == {"thread": "PRRT_1", "body": f"Done\n\n{marker('run-1')}"}
    github.answers["POST /api/graphql"] = [(200, thread((5, f"Done\n\n{marker('run-1')}")))]
    before = len(github.asked)
    await ensure.reply(PLACE, "PRRT_1", "Done", "run-1")
    assert len(github.asked) == before + 1


async def test_a_thread_gets_another_reply_about_another_topic(github):
    github.answers |= {"GET /user": (200, {"login": "alice", "id": 5})}
    github.answers["POST /api/graphql"] = [(200, thread((5, f"Done\n\n{marker('run-1')}"))), (200, {"data": {}})]
    await Ensure(github.github()).reply(PLACE, "PRRT_1", "Done as well", "run-2")
    assert github.asked[-1].body["variables"] == {"thread": "PRRT_1", "body": f"Done as well\n\n{marker('run-2')}"}


async def test_a_thread_that_is_gone_is_not_found(github):
    github.answers["POST /api/graphql"] = (200, {"data": {"node": None}})
    with pytest.raises(NotFound):
        await Ensure(github.github()).reply(PLACE, "PRRT_1", "Done", "run-1")


ASK = f"POST /repos/{PLACE}/pulls/7/requested_reviewers"
NO = (422, {"message": "Review cannot be requested from pull request author."})


async def test_people_are_asked_to_look_again_in_one_request(github):
    github.answers[ASK] = (201, {})
    assert await Ensure(github.github()).request_review(PLACE, 7, ["bob", "alice", "bob"]) == ()
    assert [one.body for one in github.asked] == [{"reviewers": ["alice", "bob"]}]


async def test_one_who_can_not_be_asked_does_not_keep_us_from_asking_the_others(github):
    github.answers[ASK] = [NO, (201, {}), NO]
    assert await Ensure(github.github()).request_review(PLACE, 7, ["alice", "bob"]) == ("bob",)
    assert [one.body["reviewers"] for one in github.asked] == [["alice", "bob"], ["alice"], ["bob"]]


async def test_nobody_to_ask_is_no_request(github):
    assert await Ensure(github.github()).request_review(PLACE, 7, []) == ()
    assert github.asked == []
