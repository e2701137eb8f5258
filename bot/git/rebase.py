"""Take a branch's own commits to another base, one by one, without a work tree."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from bot.git.commit import Author, Conflict, carried
from bot.git.mirror import Mirror


@dataclass(frozen=True)
class Own:
    """One commit of a branch's own. `committer` is an e-mail address, `date` the author's, as git writes it."""

    commit: str
    parents: tuple[str, ...]
    committer: str
    author: Author
    date: str
    message: str


async def own_commits(mirror: Mirror, tip: str, upstream: str) -> tuple[Own, ...]:
    """What `tip` has and `upstream` has not, oldest first."""
    fields = "%x01".join(("%H", "%P", "%ce", "%an", "%ae", "%ad", "%B"))
    listed = await mirror.git(
        "log", "-z", "--reverse", "--topo-order", "--date=raw", f"--format={fields}", tip, f"^{upstream}"
    )
    found = []
    for entry in filter(None, listed.text.split("\0")):
        commit, parents, committer, name, email, date, message = entry.split("\1", 6)
        found.append(Own(commit, tuple(parents.split()), committer, Author(name, email), date, message))
    return tuple(found)


async def replay(
    mirror: Mirror, commits: Sequence[Own], *, onto: str, author: Author, at: datetime | None = None
) -> str | Conflict:
    """The commits again on top of `onto`, each with its message, its author and the author's date.

    One whose changes `onto` has already is left out; one that never changed anything is kept. `author` becomes the
    committer. Each must have one parent.
    """
    seconds = int((at or datetime.now(UTC)).timestamp())
    committer = {
        "GIT_COMMITTER_NAME": author.name,
        "GIT_COMMITTER_EMAIL": author.email,
        "GIT_COMMITTER_DATE": f"@{seconds} +0000",
    }
    current = onto
    for one in commits:
        (parent,) = one.parents
        found = await carried(mirror, one.commit, upstream=parent, onto=current)
        if not found.clean:
            return Conflict(one.commit, found.clashes)
        is_there = found.tree == await mirror.tree(current)
        if is_there and await mirror.tree(one.commit) != await mirror.tree(parent):
            continue
        identity = {
            "GIT_AUTHOR_NAME": one.author.name,
            "GIT_AUTHOR_EMAIL": one.author.email,
            "GIT_AUTHOR_DATE": f"@{one.date}",
        }
        words = one.message.encode("utf-8", "surrogateescape")
        made = await mirror.git(
            "commit-tree", found.tree, "-p", current, input=words, environment={**committer, **identity}
        )
        current = made.line
    return current
