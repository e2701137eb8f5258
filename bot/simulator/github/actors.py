"""People who act in the simulated GitHub: the cast of the tests and of the demo."""

from collections.abc import Iterable, Mapping
from typing import Literal

from bot.simulator.github import checks, comments, merge_queue, merging, pulls, reviews, suggestions, workflows
from bot.simulator.github.ci import CI, ScriptedCI
from bot.simulator.github.coderabbit import CodeRabbit
from bot.simulator.github.copilot import Copilot
from bot.simulator.github.errors import forbidden, not_found
from bot.simulator.github.git import ZERO
from bot.simulator.github.merging import Order
from bot.simulator.github.model import Pull, QueueEntry, Repository
from bot.simulator.github.model_checks import CheckRun
from bot.simulator.github.model_reviews import Comment, Review, ReviewComment, Thread
from bot.simulator.github.people import LEVELS, User
from bot.simulator.github.refs import changing
from bot.simulator.github.reviews import Note, Verdict
from bot.simulator.github.world import GitHubWorld

__all__ = ["CI", "CodeRabbit", "Copilot", "Person", "ScriptedCI"]

_EVENTS = {"approve": "APPROVE", "request changes": "REQUEST_CHANGES", "comment": "COMMENT"}
Remark = Note | tuple[str, int, str]
"""A remark on a line: (path, line of the new file, text), or a `Note` where it stands on several lines."""


class Person:
    """Somebody who works in the simulated GitHub; each verb does what the web page would, webhooks included.

    Every verb raises `ApiError` where GitHub would refuse: 404 for a repository they may not see, 403 for what takes
    more than their role. An outside contributor of a public repository has the role `read`. In a private one, a person
    whose role was never said is let in without questions (say `none` to keep them out); their word has no weight there.
    """

    def __init__(self, world: GitHubWorld, login: str) -> None:
        self.world = world
        self.user: User = world.user(login)

    def takes_login(self, new: str) -> None:
        """They have another login from now on, the same number, and may what they might; the old login is free."""
        users, old = self.world.users, self.user.login
        users[new.lower()] = users.pop(old.lower())
        self.user.login = new
        for repository in self.world.repositories.values():
            if role := repository.roles.pop(old.lower(), None):
                repository.roles[new.lower()] = role

    async def reviews(
        self,
        pull: Pull,
        what: Literal["approve", "request changes", "comment"],
        body: str = "",
        *,
        comments: Iterable[Remark] = (),
        commit: str | None = None,
    ) -> Review:
        """Submit a review with all its remarks at once, each of which opens a thread.

        `commit` is the one that was looked at, where that isn't the head any more.
        """
        self._needs(pull.repository, "read")
        notes = [_note(one) for one in comments]
        return await reviews.submit(self.world, pull, self.user, Verdict(_EVENTS[what], body, notes, commit))

    async def comments(self, pull: Pull, text: str) -> Comment:
        """Comment in the conversation."""
        self._needs(pull.repository, "read")
        return comments.add(self.world, pull, self.user, text)

    async def remarks(self, pull: Pull, path: str, line: int, text: str) -> ReviewComment:
        """Leave one remark on a line, without a review around it."""
        self._needs(pull.repository, "read")
        return await reviews.remark(self.world, pull, self.user, Note(path, line, text))

    async def replies(self, thread: Thread, text: str) -> ReviewComment:
        """Answer in a thread."""
        self._needs(thread.pull.repository, "read")
        return reviews.reply(self.world, thread, self.user, text)

    async def edits(self, said: Comment | ReviewComment | Review, text: str) -> None:
        """Change what was said: a comment, a remark, or the body of a review."""
        self._owns(said)
        if isinstance(said, Comment):
            comments.edit(self.world, said, self.user, text)
        elif isinstance(said, ReviewComment):
            reviews.edit_comment(self.world, said, self.user, text)
        else:
            reviews.edit_review(self.world, said, self.user, text)

    async def removes(self, said: Comment | ReviewComment) -> None:
        """Delete a comment, or a remark (with its last remark a thread is gone)."""
        self._owns(said)
        if isinstance(said, Comment):
            comments.delete(self.world, said, self.user)
        else:
            reviews.delete_comment(self.world, said, self.user)

    async def minimizes(self, said: Comment | ReviewComment | Review, reason: str = "outdated") -> None:
        """Hide what was said: abuse, off-topic, outdated, resolved, duplicate or spam. Nobody is told."""
        self._owns(said)
        said.minimized = reason

    async def resolves(self, thread: Thread) -> None:
        """Resolve a thread."""
        self._settles(thread)
        reviews.resolve(self.world, thread, self.user)

    async def unresolves(self, thread: Thread) -> None:
        """Open a resolved thread again."""
        self._settles(thread)
        reviews.resolve(self.world, thread, self.user, resolved=False)

    async def dismisses(self, review: Review) -> None:
        """Take the weight from an approval or a rejection, one's own too."""
        self._needs(review.pull.repository, "write")
        reviews.dismiss(self.world, review, self.user)

    async def applies(self, comment: ReviewComment) -> str:
        """Commit the suggestion of a remark; the SHA."""
        self._needs(comment.thread.pull.repository, "write")
        return await suggestions.apply(self.world, comment, self.user)

    async def asks(self, pull: Pull, *logins: str) -> None:
        """Ask for a review. Who reviewed before and is asked again has no opinion until they answer."""
        self._needs(pull.repository, "triage")
        await pulls.request_reviewers(self.world, pull, self.user, list(logins))

    async def reruns(self, check: CheckRun) -> None:
        """Press "Re-run" beside a check."""
        repo = next(one for one in self.world.repositories.values() if check.suite in one.check_suites)
        self._needs(repo, "write")
        if not await workflows.rerun_check(self.world, repo, check, self.user):
            checks.rerequest(self.world, repo, check, self.user)

    async def opens(
        self, repo: Repository, head: str, base: str, title: str, body: str = "", *, draft: bool = False
    ) -> Pull:
        """Open a pull request."""
        self._needs(repo, "read")
        return await pulls.open_pull(self.world, repo, self.user, pulls.Proposal(title, head, base, body, draft))

    async def drafts(self, pull: Pull, *, draft: bool = True) -> None:
        """Make a draft of a pull request, or call it ready."""
        await pulls.set_draft(self.world, pull, self.user, draft)

    async def retargets(self, pull: Pull, base: str) -> None:
        """Give a pull request another base."""
        await pulls.edit(self.world, pull, self.user, {"base": base})

    async def merges(self, pull: Pull, method: str = "merge") -> str:
        """Press the merge button; the SHA that the base then stands at."""
        return await merging.merge(self.world, pull, self.user, Order(method=method))

    async def merges_when_ready(self, pull: Pull, method: str = "merge") -> None:
        """Switch auto-merge on."""
        self._needs(pull.repository, "write")
        await merging.enable_auto_merge(self.world, pull, self.user, Order(method=method))

    async def enqueues(self, pull: Pull, *, jump: bool = False) -> QueueEntry:
        """Put a pull request into the merge queue."""
        self._needs(pull.repository, "write")
        return await merge_queue.enqueue(self.world, pull, self.user, jump=jump)

    async def dequeues(self, pull: Pull) -> None:
        """Take it out again."""
        self._needs(pull.repository, "write")
        await merge_queue.dequeue(self.world, pull, self.user)

    async def closes(self, pull: Pull) -> None:
        """Close without merging."""
        await pulls.edit(self.world, pull, self.user, {"state": "closed"})

    async def reopens(self, pull: Pull) -> None:
        """Open again what was closed."""
        await pulls.edit(self.world, pull, self.user, {"state": "open"})

    async def deletes(self, repo: Repository, branch: str) -> None:
        """Delete a branch by a push."""
        self._needs(repo, "write")
        async with changing(self.world, repo, self.user) as branches:
            if branch not in branches:
                raise not_found("Branch not found")
            await self.world.git.update_ref(repo.path, f"refs/heads/{branch}", ZERO, branches[branch])

    async def pushes(self, repo: Repository, branch: str, files: Mapping[str, str | bytes | None], message: str) -> str:
        """Commit `files` (None takes one away) upon a branch and push it; the SHA.

        A branch that isn't there begins at the default branch.
        """
        return await self._push(repo, branch, files, message, branch)

    async def force_pushes(
        self,
        repo: Repository,
        branch: str,
        files: Mapping[str, str | bytes | None],
        message: str,
        *,
        onto: str | None = None,
    ) -> str:
        """Put one commit upon `onto` in the place of everything the branch had; the SHA.

        `onto` is a revision (`topic~1` amends the last commit); without it, the default branch.
        """
        return await self._push(repo, branch, files, message, onto or repo.default_branch)

    async def resets(self, repo: Repository, branch: str, to: str) -> str:
        """Force-push a branch to a commit that is there already; the SHA."""
        self._needs(repo, "write")
        async with changing(self.world, repo, self.user) as branches:
            sha = await self.world.git.resolve(repo.path, to)
            if sha is None:
                raise not_found(f"No commit found for {to}")
            await self.world.git.update_ref(repo.path, f"refs/heads/{branch}", sha, branches.get(branch, ZERO))
        return sha

    async def _push(
        self, repo: Repository, branch: str, files: Mapping[str, str | bytes | None], message: str, onto: str
    ) -> str:
        self._needs(repo, "write")
        git, signed = self.world.git, self.world.signature(self.user)
        async with changing(self.world, repo, self.user) as branches:
            parent = await git.resolve(repo.path, onto) or branches[repo.default_branch]
            return await git.write(repo.path, f"refs/heads/{branch}", parent, files, message, signed)

    def _needs(self, repo: Repository, level: str) -> None:
        if repo.private and self.user.kind == "User" and self.user.login.lower() not in repo.roles:
            return
        held = LEVELS[self.world.role(repo, self.user)]
        if held < LEVELS["read"]:
            raise not_found()
        if held < LEVELS[level]:
            raise forbidden("Must have push access to repository.")

    def _owns(self, said: Comment | ReviewComment | Review) -> None:
        pull = said.thread.pull if isinstance(said, ReviewComment) else said.pull
        self._needs(pull.repository, "read" if said.user is self.user else "write")

    def _settles(self, thread: Thread) -> None:
        self._needs(thread.pull.repository, "read" if thread.pull.author is self.user else "write")


def _note(remark: Remark) -> Note:
    return remark if isinstance(remark, Note) else Note(*remark)
