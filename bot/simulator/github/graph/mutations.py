"""GraphQL mutations: find what the ids mean, see whether the caller may, do it, show what became of it."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from bot.simulator.github import comments, merge_queue, merging, pulls, reviews
from bot.simulator.github.errors import ApiError, not_granted
from bot.simulator.github.graph import basics, queues
from bot.simulator.github.graph import pulls as pull_views
from bot.simulator.github.graph import reviews as review_views
from bot.simulator.github.graph.context import Context, View
from bot.simulator.github.merging import Order
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.model_reviews import Comment, Review, ReviewComment, Thread
from bot.simulator.github.people import User

Kind = TypeVar("Kind")
Mutation = Callable[[Context, dict[str, Any]], Awaitable[View]]


def _node(context: Context, node_id: str, kind: type[Kind]) -> Kind:
    found = context.world.nodes.get(node_id)
    if not isinstance(found, kind):
        raise _unknown(node_id)
    return found


def _unknown(node_id: str) -> ApiError:
    return ApiError(200, f"Could not resolve to a node with the global id of '{node_id}'", kind="NOT_FOUND")


def _pull(context: Context, node_id: str, need: str = "pull_requests:write", role: str = "write") -> Pull:
    pull = _node(context, node_id, Pull)
    context.require(pull.repository, "pull_requests:read")
    context.require(pull.repository, need, role)
    return pull


async def _resolve(context: Context, given: dict[str, Any], *, resolved: bool) -> View:
    thread = _node(context, given["threadId"], Thread)
    repo = thread.pull.repository
    context.require(repo, "pull_requests:write", "write")
    context.require(repo, "contents:write", "write")
    reviews.resolve(context.world, thread, context.actor, resolved=resolved)
    return {"thread": lambda: review_views.thread(context, thread)}


async def resolve_thread(context: Context, given: dict[str, Any]) -> View:
    """`resolveReviewThread`."""
    return await _resolve(context, given, resolved=True)


async def unresolve_thread(context: Context, given: dict[str, Any]) -> View:
    """`unresolveReviewThread`."""
    return await _resolve(context, given, resolved=False)


async def reply(context: Context, given: dict[str, Any]) -> View:
    """`addPullRequestReviewThreadReply`."""
    thread = _node(context, given["pullRequestReviewThreadId"], Thread)
    context.require(thread.pull.repository, "pull_requests:write")
    if given.get("pullRequestReviewId"):
        raise ApiError(501, "The simulated GitHub does not know pending reviews", kind="NOT_SIMULATED")
    made = reviews.reply(context.world, thread, context.actor, given["body"], context.caller.via)
    return {"comment": lambda: review_views.review_comment(context, made)}


async def add_comment(context: Context, given: dict[str, Any]) -> View:
    """`addComment` on a pull request."""
    pull = _node(context, given["subjectId"], Pull)
    _may_talk(context, pull.repository)
    comments.add(context.world, pull, context.actor, given["body"], context.caller.via)
    return {"subject": lambda: pull_views.pull(context, pull)}


def _may_talk(context: Context, repo: Repository) -> None:
    try:
        context.require(repo, "issues:write")
    except ApiError as refused:
        if refused.kind != "FORBIDDEN":
            raise
        context.require(repo, "pull_requests:write")


async def _minimize(context: Context, given: dict[str, Any], reason: str | None) -> View:
    subject = context.world.nodes.get(given["subjectId"])
    if not isinstance(subject, Comment | ReviewComment | Review):
        raise _unknown(given["subjectId"])
    pull = subject.thread.pull if isinstance(subject, ReviewComment) else subject.pull
    _may_talk(context, pull.repository)
    if subject.user is not context.actor and context.world.role(pull.repository, context.actor) in {"none", "read"}:
        raise not_granted("pull_requests:write")
    subject.minimized = reason
    return _minimized(context, subject)


def _minimized(context: Context, subject: Comment | ReviewComment | Review) -> View:
    if isinstance(subject, Comment):
        return review_views.comment(context, subject)
    if isinstance(subject, Review):
        return review_views.review(context, subject)
    return review_views.review_comment(context, subject)


async def minimize(context: Context, given: dict[str, Any]) -> View:
    """`minimizeComment`; the reason shows lower case, with a dash."""
    reason = given["classifier"].lower().replace("_", "-")
    return {"minimizedComment": await _minimize(context, given, reason)}


async def unminimize(context: Context, given: dict[str, Any]) -> View:
    """`unminimizeComment`."""
    return {"unminimizedComment": await _minimize(context, given, None)}


def _order(given: dict[str, Any]) -> Order:
    return Order(
        given.get("expectedHeadOid"),
        (given.get("mergeMethod") or "MERGE").lower(),
        given.get("commitHeadline"),
        given.get("commitBody"),
    )


def _acted(context: Context, pull: Pull) -> View:
    return {"actor": basics.actor(context, context.actor), "pullRequest": lambda: pull_views.pull(context, pull)}


async def enable_auto_merge(context: Context, given: dict[str, Any]) -> View:
    """`enablePullRequestAutoMerge`."""
    pull = _pull(context, given["pullRequestId"], "contents:write")
    await merging.enable_auto_merge(context.world, pull, context.actor, _order(given))
    return _acted(context, pull)


async def disable_auto_merge(context: Context, given: dict[str, Any]) -> View:
    """`disablePullRequestAutoMerge`."""
    pull = _pull(context, given["pullRequestId"], "contents:write")
    await merging.disable_auto_merge(context.world, pull, context.actor)
    return _acted(context, pull)


async def enqueue(context: Context, given: dict[str, Any]) -> View:
    """`enqueuePullRequest`."""
    pull = _pull(context, given["pullRequestId"], "contents:write")
    expected, jump = given.get("expectedHeadOid"), bool(given.get("jump"))
    entry = await merge_queue.enqueue(context.world, pull, context.actor, expected, jump=jump)
    return {"mergeQueueEntry": lambda: queues.entry(context, entry)}


async def dequeue(context: Context, given: dict[str, Any]) -> View:
    """`dequeuePullRequest`; `id` is that of the pull request."""
    pull = _pull(context, given["id"], "contents:write")
    entry = await merge_queue.dequeue(context.world, pull, context.actor)
    return {"mergeQueueEntry": lambda: queues.entry(context, entry)}


async def merge(context: Context, given: dict[str, Any]) -> View:
    """`mergePullRequest`."""
    pull = _pull(context, given["pullRequestId"], "contents:write")
    await merging.merge(context.world, pull, context.actor, _order(given), context.caller.token)
    return _acted(context, pull)


async def request_reviews(context: Context, given: dict[str, Any]) -> View:
    """`requestReviews`: in the place of those who are asked already, unless `union` says otherwise."""
    pull = _pull(context, given["pullRequestId"], role="triage")
    asked = [_node(context, one, User) for one in given.get("userIds") or ()]
    if not given.get("union"):
        for who in set(pull.requested) - set(asked):
            await pulls.withdraw_request(context.world, pull, context.actor, who)
    await pulls.request_reviewers(context.world, pull, context.actor, [who.login for who in asked])
    return _acted(context, pull)


async def close(context: Context, given: dict[str, Any]) -> View:
    """`closePullRequest`."""
    pull = _pull(context, given["pullRequestId"])
    await pulls.edit(context.world, pull, context.actor, {"state": "closed"})
    return _acted(context, pull)


async def to_draft(context: Context, given: dict[str, Any]) -> View:
    """`convertPullRequestToDraft`."""
    pull = _pull(context, given["pullRequestId"])
    await pulls.set_draft(context.world, pull, context.actor, draft=True)
    return _acted(context, pull)


async def to_ready(context: Context, given: dict[str, Any]) -> View:
    """`markPullRequestReadyForReview`."""
    pull = _pull(context, given["pullRequestId"])
    await pulls.set_draft(context.world, pull, context.actor, draft=False)
    return _acted(context, pull)


MUTATIONS: dict[str, Mutation] = {
    "resolveReviewThread": resolve_thread,
    "unresolveReviewThread": unresolve_thread,
    "addPullRequestReviewThreadReply": reply,
    "addComment": add_comment,
    "minimizeComment": minimize,
    "unminimizeComment": unminimize,
    "enablePullRequestAutoMerge": enable_auto_merge,
    "disablePullRequestAutoMerge": disable_auto_merge,
    "enqueuePullRequest": enqueue,
    "dequeuePullRequest": dequeue,
    "mergePullRequest": merge,
    "requestReviews": request_reviews,
    "closePullRequest": close,
    "convertPullRequestToDraft": to_draft,
    "markPullRequestReadyForReview": to_ready,
}
