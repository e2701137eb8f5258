"""Suggestions: a block in a remark on lines that says what should stand there, and the button that commits it."""

import re
from typing import TYPE_CHECKING

from bot.simulator.github import reviews
from bot.simulator.github.errors import ApiError
from bot.simulator.github.model_reviews import ReviewComment
from bot.simulator.github.people import User
from bot.simulator.github.refs import changing

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

_BLOCK = re.compile(r"^```suggestion[ \t]*\r?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def suggestion(lines: str, why: str = "") -> str:
    """The text of a remark that suggests `lines` (empty: take the lines away) in the place of those it stands on."""
    block = f"```suggestion\n{lines}{'' if lines.endswith(chr(10)) or not lines else chr(10)}```"
    return f"{why}\n\n{block}" if why else block


def suggested(body: str) -> str | None:
    """What a remark suggests, or None."""
    found = _BLOCK.search(body)
    return found.group(1) if found else None


async def apply(world: "GitHubWorld", comment: ReviewComment, actor: User) -> str:
    """Commit a suggestion to the head branch, which also resolves its thread; the SHA.

    Raises:
        ApiError: 422: nothing is suggested, or the lines have changed since.
    """
    thread, pull, lines = comment.thread, comment.thread.pull, suggested(comment.body)
    if lines is None or thread.line is None or not pull.open:
        raise ApiError(422, "Suggestion could not be applied: it is outdated or there is none.")
    repo, author = pull.repository, world.signature(comment.user)
    async with changing(world, repo, actor):
        old = (await world.git.text(repo.path, pull.head_sha, thread.path) or b"").decode().splitlines(keepends=True)
        start = thread.first_line or thread.line
        text = "".join((*old[: start - 1], lines, *old[thread.line :]))
        message = f"Update {thread.path}\n\nCo-authored-by: {author.name} <{author.email}>"
        ref, signed = f"refs/heads/{pull.head_ref}", world.signature(actor)
        sha = await world.git.write(repo.path, ref, pull.head_sha, {thread.path: text}, message, signed)
    reviews.resolve(world, thread, actor)
    return sha
