"""GraphQL views of reviews, threads and comments."""

from bot.simulator.github import render
from bot.simulator.github.graph import basics
from bot.simulator.github.graph.context import Context, View, connection
from bot.simulator.github.model_reviews import Comment, Review, ReviewComment, Thread
from bot.simulator.github.people import User
from bot.simulator.github.render_pulls import association


def _said(context: Context, one: Comment | Review | ReviewComment, by: User, page: str) -> View:
    repo = (one.thread.pull if isinstance(one, ReviewComment) else one.pull).repository
    return {
        "id": one.node,
        "databaseId": one.id,
        "fullDatabaseId": str(one.id),
        "body": one.body or "",
        "author": lambda: basics.actor(context, by),
        "authorAssociation": association(repo, by),
        "url": page,
        "isMinimized": one.minimized is not None,
        "minimizedReason": one.minimized,
    }


def _page(context: Context, one: Comment | Review | Thread) -> str:
    return f"{context.world.base_url}/{one.pull.repository.full_name}/pull/{one.pull.number}"


def comment(context: Context, one: Comment) -> View:
    """A comment in the conversation."""
    edited = one.updated_at if one.updated_at != one.created_at else None
    return {
        **_said(context, one, one.user, f"{_page(context, one)}#issuecomment-{one.id}"),
        "__typename": "IssueComment",
        "createdAt": render.stamp(one.created_at),
        "updatedAt": render.stamp(one.updated_at),
        "lastEditedAt": render.stamp(edited),
    }


def review(context: Context, one: Review) -> View:
    """A review."""
    return {
        **_said(context, one, one.user, f"{_page(context, one)}#pullrequestreview-{one.id}"),
        "__typename": "PullRequestReview",
        "state": one.state,
        "commit": lambda: basics.commit(context, one.pull.repository, one.commit_id),
        "submittedAt": render.stamp(one.submitted_at),
        "createdAt": render.stamp(one.submitted_at),
        "lastEditedAt": render.stamp(one.edited_at),
        "comments": lambda **args: connection(
            "comments", one.comments, lambda each: review_comment(context, each), args
        ),
    }


def review_comment(context: Context, one: ReviewComment) -> View:
    """A comment on a line."""
    thread_, repo = one.thread, one.thread.pull.repository
    return {
        **_said(context, one, one.user, f"{_page(context, thread_)}#discussion_r{one.id}"),
        "__typename": "PullRequestReviewComment",
        "path": thread_.path,
        "line": thread_.line,
        "originalLine": thread_.original_line,
        "diffHunk": thread_.hunk,
        "createdAt": render.stamp(one.created_at),
        "updatedAt": render.stamp(one.updated_at),
        "lastEditedAt": render.stamp(one.updated_at if one.updated_at != one.created_at else None),
        "commit": lambda: basics.commit(context, repo, thread_.pull.head_sha),
        "originalCommit": lambda: basics.commit(context, repo, thread_.original_commit),
        "replyTo": lambda: review_comment(context, one.reply_to) if one.reply_to else None,
        "outdated": thread_.outdated,
        "pullRequestReview": lambda: review(context, one.review),
    }


def thread(context: Context, one: Thread) -> View:
    """A thread on a line."""
    from bot.simulator.github.graph import pulls

    return {
        "__typename": "PullRequestReviewThread",
        "id": one.node,
        "isResolved": one.resolved_by is not None,
        "isOutdated": one.outdated,
        "isCollapsed": one.resolved_by is not None or one.outdated,
        "path": one.path,
        "line": one.line,
        "startLine": one.first_line,
        "originalLine": one.original_line,
        "originalStartLine": one.start_line,
        "diffSide": one.side,
        "subjectType": "LINE",
        "resolvedBy": lambda: basics.actor(context, one.resolved_by),
        "comments": lambda **args: connection(
            "comments", one.comments, lambda each: review_comment(context, each), args
        ),
        "pullRequest": lambda: pulls.pull(context, one.pull),
        "repository": lambda: basics.repository(context, one.pull.repository),
    }
