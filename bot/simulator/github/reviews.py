"""Reviews, the threads they open on lines, and what a push does to both."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.simulator.github import diff, hooks, render, render_pulls, rules
from bot.simulator.github.errors import ApiError, not_found, unprocessable
from bot.simulator.github.model import Pull
from bot.simulator.github.model_reviews import Review, ReviewComment, Thread
from bot.simulator.github.people import App, User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

_STATES = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}


@dataclass(frozen=True)
class Note:
    """A remark on a line of the diff."""

    path: str
    line: int
    body: str
    side: str = "RIGHT"
    start_line: int | None = None


@dataclass(frozen=True)
class Verdict:
    """What a reviewer submits: `event` is APPROVE, REQUEST_CHANGES or COMMENT."""

    event: str
    body: str | None = None
    notes: Sequence[Note] = ()
    commit_id: str | None = None


async def submit(world: "GitHubWorld", pull: Pull, author: User, verdict: Verdict, via: App | None = None) -> Review:
    """Submit a review with its remarks.

    Raises:
        ApiError: 422: one's own pull request, nothing said, a line that the diff doesn't show.
    """
    if verdict.event not in _STATES:
        raise unprocessable(
            f"Variable $event of type PullRequestReviewEvent was provided invalid value {verdict.event}"
        )
    if author is pull.author and verdict.event != "COMMENT":
        act = "approve" if verdict.event == "APPROVE" else "request changes on"
        raise unprocessable(f"Can not {act} your own pull request")
    if verdict.event != "APPROVE" and not (verdict.body or "").strip() and not verdict.notes:
        raise unprocessable("You need to leave a comment indicating the requested changes.")
    commit = await _commit(world, pull, verdict.commit_id)
    places = [await _place(world, pull, commit, note) for note in verdict.notes]
    review = _new_review(world, pull, author, _STATES[verdict.event], verdict.body or None, commit, via)
    if author in pull.requested:
        pull.requested.remove(author)
    for note, hunk in zip(verdict.notes, places, strict=True):
        _open_thread(world, review, note, hunk)
    _announce_review(world, review, author, "submitted")
    for comment in review.comments:
        _announce_comment(world, comment, author)
    return review


async def remark(
    world: "GitHubWorld", pull: Pull, author: User, note: Note, commit_id: str | None = None, via: App | None = None
) -> ReviewComment:
    """Leave one remark on a line, which also makes a review of its own, with no body.

    Raises:
        ApiError: 422, the diff doesn't show that line.
    """
    if not note.body.strip():
        raise unprocessable("Body can't be blank")
    commit = await _commit(world, pull, commit_id)
    hunk = await _place(world, pull, commit, note)
    review = _new_review(world, pull, author, "COMMENTED", None, commit, via)
    comment = _open_thread(world, review, note, hunk)
    _announce_review(world, review, author, "submitted")
    _announce_comment(world, comment, author)
    return comment


def reply(world: "GitHubWorld", thread: Thread, author: User, body: str, via: App | None = None) -> ReviewComment:
    """Answer in a thread: the answer points to the top comment, and makes a review of its own too.

    Raises:
        ApiError: 422, an empty answer.
    """
    if not body.strip():
        raise unprocessable("Body can't be blank")
    review = _new_review(world, thread.pull, author, "COMMENTED", None, thread.pull.head_sha, via)
    comment = _say(world, thread, review, body)
    _announce_review(world, review, author, "submitted")
    _announce_comment(world, comment, author)
    return comment


def edit_comment(world: "GitHubWorld", comment: ReviewComment, actor: User, body: str) -> None:
    """Change the text of a comment on a line.

    Raises:
        ApiError: 422, an empty text.
    """
    if not body.strip():
        raise unprocessable("Body can't be blank")
    was, comment.body, comment.updated_at = comment.body, body, world.now()
    _announce_comment(world, comment, actor, "edited", changes={"body": {"from": was}})


def delete_comment(world: "GitHubWorld", comment: ReviewComment, actor: User) -> None:
    """Take a comment on a line away; with its last comment the thread is gone as well."""
    thread = comment.thread
    _announce_comment(world, comment, actor, "deleted")
    thread.comments.remove(comment)
    comment.review.comments.remove(comment)
    world.nodes.pop(comment.node)
    if not thread.comments:
        thread.pull.threads.remove(thread)
        world.nodes.pop(thread.node)


def edit_review(world: "GitHubWorld", review: Review, actor: User, body: str) -> None:
    """Change the text of a review.

    Raises:
        ApiError: 422, an empty text.
    """
    if not body.strip():
        raise unprocessable("Body can't be blank")
    was, review.body, review.edited_at = review.body or "", body, world.now()
    _announce_review(world, review, actor, "edited", changes={"body": {"from": was}})


def resolve(world: "GitHubWorld", thread: Thread, actor: User, *, resolved: bool = True) -> None:
    """Resolve a thread, or open it again."""
    if (thread.resolved_by is not None) == resolved:
        return
    thread.resolved_by = actor if resolved else None
    payload = {
        "pull_request": render_pulls.simple(world, thread.pull),
        "thread": render_pulls.thread(world, thread),
        "updated_at": render.stamp(world.now()),
    }
    action = "resolved" if resolved else "unresolved"
    name = "pull_request_review_thread"
    hooks.emit(world, thread.pull.repository, actor, name, payload, action=action, pull=thread.pull)


def dismiss(world: "GitHubWorld", review: Review, actor: User) -> None:
    """Take the weight from an approval or a rejection.

    Raises:
        ApiError: 422, it had none.
    """
    if review.state not in {"APPROVED", "CHANGES_REQUESTED"}:
        raise unprocessable("Can not dismiss a commented pull request review")
    review.state = "DISMISSED"
    _announce_review(world, review, actor, "dismissed")


async def head_moved(world: "GitHubWorld", pull: Pull, actor: User, before: str) -> None:
    """After a push: threads whose line changed are outdated, and stale approvals fall where a rule says so.

    A push that leaves the diff as it was (the base merged in, a rebase) is not one that makes approvals stale:
    GitHub speaks of commits that modify code.
    """
    path = pull.repository.path
    for thread in pull.threads:
        # Counted from the commit the thread was written for, so that a force push back brings it back too.
        change = await world.git.diff(path, thread.original_commit, pull.head_sha, "-U0", "--full-index")
        touched = next((file for file in diff.files(change) if file.path == thread.path), None)
        thread.line = diff.moved(touched.patch, thread.original_line) if touched else thread.original_line
    if rules.protection(pull).dismiss_stale and await _patch(world, pull, before) != await _patch(world, pull, None):
        for review in pull.reviews:
            if review.state == "APPROVED" and review.commit_id != pull.head_sha:
                dismiss(world, review, actor)


async def _patch(world: "GitHubWorld", pull: Pull, head: str | None) -> str:
    path, head = pull.repository.path, head or pull.head_sha
    base = await world.git.merge_base(path, pull.base_sha, head) or pull.base_sha
    change = await world.git.diff(path, base, head)
    return (await world.git.run(path, "patch-id", "--stable", stdin=change.encode() + b"\n")).split(" ")[0]


def find_comment(pull: Pull, number: int) -> ReviewComment:
    """A review comment by its id.

    Raises:
        ApiError: 404.
    """
    for thread in pull.threads:
        for comment in thread.comments:
            if comment.id == number:
                return comment
    raise not_found()


async def _commit(world: "GitHubWorld", pull: Pull, asked: str | None) -> str:
    commit = asked or pull.head_sha
    found = await world.git.resolve(pull.repository.path, commit)
    if found is None or not await world.git.contains(pull.repository.path, found, pull.head_sha):
        raise unprocessable("Commit oid is not part of the pull request")
    return found


async def shows(world: "GitHubWorld", pull: Pull, commit: str, note: Note) -> bool:
    """Whether the diff of a pull request at `commit` shows the line of a note, so that it can be left there."""
    try:
        await _place(world, pull, commit, note)
    except ApiError:
        return False
    return True


async def _place(world: "GitHubWorld", pull: Pull, commit: str, note: Note) -> str:
    path = pull.repository.path
    base = await world.git.merge_base(path, pull.base_sha, commit) or pull.base_sha
    files = diff.files(await world.git.diff(path, base, commit, "--full-index"))
    file = next((file for file in files if file.path == note.path), None)
    if file is None:
        raise unprocessable("Path could not be resolved")
    hunk = diff.hunk_at(file.patch, note.line, note.side)
    if hunk is None or not note.body.strip():
        raise unprocessable("Line could not be resolved" if note.body.strip() else "Body can't be blank")
    return hunk


def _new_review(
    world: "GitHubWorld", pull: Pull, author: User, state: str, body: str | None, commit: str, via: App | None
) -> Review:
    if pull.repository.pulls.get(pull.number) is not pull:
        raise ApiError(404, "Not Found")
    review = world.keep(Review(world.id(), pull, author, state, body, commit, world.now(), via))
    pull.reviews.append(review)
    pull.updated_at = world.now()
    return review


def _open_thread(world: "GitHubWorld", review: Review, note: Note, hunk: str) -> ReviewComment:
    pull = review.pull
    line = note.line if review.commit_id == pull.head_sha else None
    thread = Thread(world.id(), pull, note.path, line, note.line, review.commit_id, hunk, note.start_line, note.side)
    pull.threads.append(world.keep(thread))
    return _say(world, thread, review, note.body)


def _say(world: "GitHubWorld", thread: Thread, review: Review, body: str) -> ReviewComment:
    now = world.now()
    top = thread.comments[0] if thread.comments else None
    comment = ReviewComment(world.id(), thread, review, review.user, body, now, now, top, review.via)
    thread.comments.append(world.keep(comment))
    review.comments.append(comment)
    return comment


def _announce_review(world: "GitHubWorld", review: Review, actor: User, action: str, **more: object) -> None:
    pull = review.pull
    payload = {
        "review": render_pulls.review(world, review, webhook=True),
        "pull_request": render_pulls.simple(world, pull),
        **more,
    }
    hooks.emit(world, pull.repository, actor, "pull_request_review", payload, action=action, pull=pull)


def _announce_comment(
    world: "GitHubWorld", comment: ReviewComment, actor: User, action: str = "created", **more: object
) -> None:
    pull = comment.thread.pull
    payload = {
        "comment": render_pulls.review_comment(world, comment),
        "pull_request": render_pulls.simple(world, pull),
        **more,
    }
    hooks.emit(world, pull.repository, actor, "pull_request_review_comment", payload, action=action, pull=pull)
