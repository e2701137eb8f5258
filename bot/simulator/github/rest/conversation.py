"""REST for the conversation: comments, labels, reactions."""

from bot.simulator.github import comments, render, render_pulls
from bot.simulator.github.auth import require
from bot.simulator.github.errors import ApiError, forbidden, not_found
from bot.simulator.github.model_reviews import Comment, ReviewComment
from bot.simulator.github.rest.routing import Answer, Call, route

REPO = "/repos/{owner}/{repo}"
ISSUE = f"{REPO}/issues/{{number}}"


def _either(call: Call, level: str) -> None:
    """Commenting on a pull request takes the permission for issues or the one for pull requests."""
    try:
        require(call.caller, call.repository, f"issues:{level}", "read")
    except ApiError as refused:
        if refused.status != 403:
            raise
        require(call.caller, call.repository, f"pull_requests:{level}", "read")


@route(f"GET {ISSUE}")
async def issue(call: Call) -> Answer:
    """The issue that a pull request also is."""
    _either(call, "read")
    return Answer(render_pulls.issue(call.world, call.pull))


@route(f"GET {ISSUE}/comments")
async def listed(call: Call) -> Answer:
    """The comments, oldest first."""
    _either(call, "read")
    return call.page(call.pull.comments, lambda one: render_pulls.comment(call.world, one))


@route(f"POST {ISSUE}/comments")
async def create(call: Call) -> Answer:
    """Comment."""
    _either(call, "write")
    made = comments.add(call.world, call.pull, call.actor, str(call.body.get("body") or ""), call.caller.via)
    return Answer(render_pulls.comment(call.world, made), 201)


def _comment(call: Call) -> Comment:
    return comments.find(call.repository, call.number("comment"))


def _own(call: Call, one: Comment) -> Comment:
    if one.user is not call.actor and not call.caller.via and not call.repository.allows(call.actor, "write"):
        raise forbidden("Must have push access to repository.")
    return one


@route(f"GET {REPO}/issues/comments/{{comment}}")
async def get(call: Call) -> Answer:
    """One comment."""
    _either(call, "read")
    return Answer(render_pulls.comment(call.world, _comment(call)))


@route(f"PATCH {REPO}/issues/comments/{{comment}}")
async def edit(call: Call) -> Answer:
    """Change its text."""
    _either(call, "write")
    one = _own(call, _comment(call))
    comments.edit(call.world, one, call.actor, str(call.body.get("body") or ""))
    return Answer(render_pulls.comment(call.world, one))


@route(f"DELETE {REPO}/issues/comments/{{comment}}")
async def delete(call: Call) -> Answer:
    """Take it away."""
    _either(call, "write")
    comments.delete(call.world, _own(call, _comment(call)), call.actor)
    return Answer(None, 204)


def _reactions(call: Call, one: Comment | ReviewComment) -> Answer:
    return call.page(one.reactions, lambda each: render.reaction(call.world, each))


def _react(call: Call, one: Comment | ReviewComment) -> Answer:
    made, new = comments.react(call.world, one, call.actor, str(call.body.get("content")))
    return Answer(render.reaction(call.world, made), 201 if new else 200)


def _review_comment(call: Call) -> ReviewComment:
    for pull in call.repository.pulls.values():
        for thread in pull.threads:
            for one in thread.comments:
                if one.id == call.number("comment"):
                    return one
    raise not_found()


@route(f"GET {REPO}/issues/comments/{{comment}}/reactions", need="issues:read")
async def reactions(call: Call) -> Answer:
    """The reactions to a comment."""
    return _reactions(call, _comment(call))


@route(f"POST {REPO}/issues/comments/{{comment}}/reactions", need="issues:write")
async def react(call: Call) -> Answer:
    """React to a comment: 201, or 200 when that was there already."""
    return _react(call, _comment(call))


@route(f"GET {REPO}/pulls/comments/{{comment}}/reactions", need="pull_requests:read")
async def line_reactions(call: Call) -> Answer:
    """The reactions to a comment on a line."""
    return _reactions(call, _review_comment(call))


@route(f"POST {REPO}/pulls/comments/{{comment}}/reactions", need="pull_requests:write")
async def react_to_line(call: Call) -> Answer:
    """React to a comment on a line."""
    return _react(call, _review_comment(call))


def _labels(call: Call) -> Answer:
    return call.page(call.pull.labels, lambda one: render.label(call.world, call.repository, one))


def _names(call: Call) -> list[str]:
    given = call.body.get("labels", [])
    return [str(one["name"] if isinstance(one, dict) else one) for one in given]


@route(f"GET {ISSUE}/labels")
async def labels(call: Call) -> Answer:
    """The labels of a pull request."""
    _either(call, "read")
    return _labels(call)


@route(f"POST {ISSUE}/labels", need="pull_requests:write", role="triage")
async def add_labels(call: Call) -> Answer:
    """Add labels."""
    held = [one.name for one in call.pull.labels]
    await comments.set_labels(call.world, call.pull, call.actor, held + _names(call))
    return _labels(call)


@route(f"PUT {ISSUE}/labels", need="pull_requests:write", role="triage")
async def set_labels(call: Call) -> Answer:
    """Put these labels in the place of all others."""
    await comments.set_labels(call.world, call.pull, call.actor, _names(call))
    return _labels(call)


@route(f"DELETE {ISSUE}/labels/{{name}}", need="pull_requests:write", role="triage")
async def remove_label(call: Call) -> Answer:
    """Take one label away."""
    held = [one.name for one in call.pull.labels]
    gone = call.part["name"].lower()
    if gone not in {name.lower() for name in held}:
        raise not_found("Label does not exist")
    await comments.set_labels(call.world, call.pull, call.actor, [name for name in held if name.lower() != gone])
    return _labels(call)
