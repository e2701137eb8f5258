"""REST for reviews and the comments on lines. Threads themselves are GraphQL's alone."""

from collections.abc import Mapping
from typing import Any

from bot.simulator.github import render_pulls, reviews, rules
from bot.simulator.github.errors import ApiError, forbidden, invalid, not_found, unprocessable
from bot.simulator.github.model_reviews import Review, ReviewComment
from bot.simulator.github.rest.routing import Answer, Call, route
from bot.simulator.github.reviews import Note, Verdict

PULLS = "/repos/{owner}/{repo}/pulls"
PULL = f"{PULLS}/{{number}}"


@route(f"GET {PULL}/reviews", need="pull_requests:read")
async def listed(call: Call) -> Answer:
    """Its reviews, oldest first."""
    found = rules.visible_reviews(call.world, call.pull)
    return call.page(found, lambda one: render_pulls.review(call.world, one))


@route(f"POST {PULL}/reviews", need="pull_requests:write")
async def create(call: Call) -> Answer:
    """Submit a review."""
    body = call.body
    if not body.get("event"):
        raise ApiError(501, "The simulated GitHub does not know pending reviews")
    notes = [_note(one) for one in body.get("comments") or []]
    verdict = Verdict(str(body["event"]), body.get("body"), notes, body.get("commit_id"))
    review = await reviews.submit(call.world, call.pull, call.actor, verdict, call.caller.via)
    return Answer(render_pulls.review(call.world, review))


def _note(one: Mapping[str, Any]) -> Note:
    if "position" in one and "line" not in one:
        raise ApiError(501, "The simulated GitHub knows `line`, not the older `position`")
    if not one.get("path") or not one.get("line"):
        raise unprocessable("Line could not be resolved" if one.get("path") else "Path could not be resolved")
    side = one.get("side") or "RIGHT"
    return Note(str(one["path"]), int(one["line"]), str(one.get("body") or ""), side, one.get("start_line"))


def _review(call: Call) -> Review:
    number = call.number("review")
    for review in call.pull.reviews:
        if review.id == number:
            return review
    raise not_found()


@route(f"GET {PULL}/reviews/{{review}}", need="pull_requests:read")
async def get(call: Call) -> Answer:
    """One review."""
    return Answer(render_pulls.review(call.world, _review(call)))


@route(f"PUT {PULL}/reviews/{{review}}", need="pull_requests:write")
async def change(call: Call) -> Answer:
    """Change the text of one's own review."""
    review = _review(call)
    if review.user is not call.actor:
        raise forbidden("Resource not accessible by integration" if call.caller.via else "Must be the author.")
    reviews.edit_review(call.world, review, call.actor, str(call.body.get("body") or ""))
    return Answer(render_pulls.review(call.world, review))


@route(f"GET {PULL}/reviews/{{review}}/comments", need="pull_requests:read")
async def of_review(call: Call) -> Answer:
    """The comments of one review."""
    return call.page(_review(call).comments, lambda one: render_pulls.review_comment(call.world, one))


@route(f"PUT {PULL}/reviews/{{review}}/dismissals", need="pull_requests:write", role="write")
async def dismiss(call: Call) -> Answer:
    """Dismiss a review."""
    if not call.body.get("message"):
        raise invalid("PullRequestReview", "message", "missing_field")
    review = _review(call)
    reviews.dismiss(call.world, review, call.actor)
    return Answer(render_pulls.review(call.world, review))


@route(f"GET {PULL}/comments", need="pull_requests:read")
async def comments(call: Call) -> Answer:
    """Every comment on a line, oldest first."""
    found = sorted((one for thread in call.pull.threads for one in thread.comments), key=lambda one: one.id)
    return call.page(found, lambda one: render_pulls.review_comment(call.world, one))


@route(f"POST {PULL}/comments", need="pull_requests:write")
async def remark(call: Call) -> Answer:
    """Comment on a line; with `in_reply_to`, answer."""
    body = call.body
    if body.get("in_reply_to"):
        thread = reviews.find_comment(call.pull, int(body["in_reply_to"])).thread
        made = reviews.reply(call.world, thread, call.actor, str(body.get("body") or ""), call.caller.via)
    else:
        if not body.get("commit_id"):
            raise invalid("PullRequestReviewComment", "commit_id", "missing_field")
        note, commit = _note(body), str(body["commit_id"])
        made = await reviews.remark(call.world, call.pull, call.actor, note, commit, call.caller.via)
    return Answer(render_pulls.review_comment(call.world, made), 201)


@route(f"POST {PULL}/comments/{{comment}}/replies", need="pull_requests:write")
async def reply(call: Call) -> Answer:
    """Answer a top comment; an answer can't be answered."""
    top = reviews.find_comment(call.pull, call.number("comment"))
    if top.reply_to:
        raise not_found()
    made = reviews.reply(call.world, top.thread, call.actor, str(call.body.get("body") or ""), call.caller.via)
    return Answer(render_pulls.review_comment(call.world, made), 201)


def _comment(call: Call) -> ReviewComment:
    for pull in call.repository.pulls.values():
        try:
            return reviews.find_comment(pull, call.number("comment"))
        except ApiError:  # on another pull request, perhaps
            continue
    raise not_found()


@route(f"GET {PULLS}/comments/{{comment}}", need="pull_requests:read")
async def comment(call: Call) -> Answer:
    """One comment on a line."""
    return Answer(render_pulls.review_comment(call.world, _comment(call)))


def _own(call: Call, one: ReviewComment) -> ReviewComment:
    if one.user is not call.actor and call.world.role(call.repository, call.actor) in {"none", "read", "triage"}:
        raise forbidden("Must have push access to repository.")
    return one


@route(f"PATCH {PULLS}/comments/{{comment}}", need="pull_requests:write")
async def edit(call: Call) -> Answer:
    """Change its text."""
    one = _own(call, _comment(call))
    reviews.edit_comment(call.world, one, call.actor, str(call.body.get("body") or ""))
    return Answer(render_pulls.review_comment(call.world, one))


@route(f"DELETE {PULLS}/comments/{{comment}}", need="pull_requests:write")
async def delete(call: Call) -> Answer:
    """Take it away."""
    reviews.delete_comment(call.world, _own(call, _comment(call)), call.actor)
    return Answer(None, 204)
