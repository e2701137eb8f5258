"""People and machines that act in the simulated GitHub: the cast of the tests and of the demo."""

from collections.abc import Iterable, Mapping
from typing import Literal

from bot.simulator.github import checks, comments, merging, pulls, reviews
from bot.simulator.github.errors import not_found
from bot.simulator.github.git import ZERO
from bot.simulator.github.merging import Order
from bot.simulator.github.model import CheckRun, Comment, Pull, Repository, Review, ReviewComment, Thread
from bot.simulator.github.people import App, User
from bot.simulator.github.refs import changing
from bot.simulator.github.reviews import Note, Verdict
from bot.simulator.github.world import GitHubWorld

_EVENTS = {"approve": "APPROVE", "request changes": "REQUEST_CHANGES", "comment": "COMMENT"}
CI_PERMISSIONS = {"metadata": "read", "contents": "read", "checks": "write", "pull_requests": "read"}


class Person:
    """Somebody who works in the simulated GitHub; each verb does what the web page would, webhooks included.

    Every verb raises `ApiError` where GitHub would refuse.
    """

    def __init__(self, world: GitHubWorld, login: str) -> None:
        self.world = world
        self.user: User = world.user(login)

    async def reviews(
        self,
        pull: Pull,
        what: Literal["approve", "request changes", "comment"],
        body: str = "",
        *,
        comments: Iterable[tuple[str, int, str]] = (),
    ) -> Review:
        """Submit a review; `comments` are (path, line of the new file, text), and each opens a thread."""
        notes = [Note(path, line, text) for path, line, text in comments]
        return await reviews.submit(self.world, pull, self.user, Verdict(_EVENTS[what], body, notes))

    async def comments(self, pull: Pull, text: str) -> Comment:
        """Comment in the conversation."""
        return comments.add(self.world, pull, self.user, text)

    async def edits(self, comment: Comment, text: str) -> None:
        """Change the text of a comment."""
        comments.edit(self.world, comment, self.user, text)

    async def remarks(self, pull: Pull, path: str, line: int, text: str) -> ReviewComment:
        """Leave one remark on a line, without a review around it."""
        return await reviews.remark(self.world, pull, self.user, Note(path, line, text))

    async def replies(self, thread: Thread, text: str) -> ReviewComment:
        """Answer in a thread."""
        return reviews.reply(self.world, thread, self.user, text)

    async def resolves(self, thread: Thread) -> None:
        """Resolve a thread."""
        reviews.resolve(self.world, thread, self.user)

    async def opens(self, repo: Repository, head: str, base: str, title: str, body: str = "") -> Pull:
        """Open a pull request."""
        return await pulls.open_pull(self.world, repo, self.user, pulls.Proposal(title, head, base, body))

    async def merges(self, pull: Pull, method: str = "merge") -> str:
        """Press the merge button; the SHA that the base then stands at."""
        return await merging.merge(self.world, pull, self.user, Order(method=method))

    async def closes(self, pull: Pull) -> None:
        """Close without merging."""
        await pulls.edit(self.world, pull, self.user, {"state": "closed"})

    async def reopens(self, pull: Pull) -> None:
        """Open again what was closed."""
        await pulls.edit(self.world, pull, self.user, {"state": "open"})

    async def deletes(self, repo: Repository, branch: str) -> None:
        """Delete a branch by a push."""
        async with changing(self.world, repo, self.user) as branches:
            if branch not in branches:
                raise not_found("Branch not found")
            await self.world.git.update_ref(repo.path, f"refs/heads/{branch}", ZERO, branches[branch])

    async def pushes(self, repo: Repository, branch: str, files: Mapping[str, str | bytes | None], message: str) -> str:
        """Commit `files` (None takes one away) upon a branch and push it; the SHA.

        A branch that isn't there begins at the default branch.
        """
        return await self._push(repo, branch, files, message, forced=False)

    async def force_pushes(
        self, repo: Repository, branch: str, files: Mapping[str, str | bytes | None], message: str
    ) -> str:
        """Put one commit upon the default branch in the place of everything the branch had; the SHA."""
        return await self._push(repo, branch, files, message, forced=True)

    async def _push(
        self,
        repo: Repository,
        branch: str,
        files: Mapping[str, str | bytes | None],
        message: str,
        *,
        forced: bool,
    ) -> str:
        git, signed = self.world.git, self.world.signature(self.user)
        async with changing(self.world, repo, self.user) as branches:
            old = branches.get(branch, ZERO)
            parent = branches[repo.default_branch] if forced or old == ZERO else old
            return await git.write(repo.path, f"refs/heads/{branch}", parent, files, message, signed)


class CI:
    """A simulated CI: an App of its own that reports check runs when it is told to."""

    def __init__(self, world: GitHubWorld, *, owner: str = "acme", slug: str = "github-actions") -> None:
        self.world = world
        self.app: App = world.app(slug, owner=owner, permissions=CI_PERMISSIONS, events=())

    async def pending(self, pull: Pull, name: str = "test") -> CheckRun:
        """Report a check as running."""
        return await self.report(pull.repository, pull.head_sha, name, {"status": "in_progress"})

    async def passes(self, pull: Pull, name: str = "test", *, sha: str | None = None) -> CheckRun:
        """Report a check as passed on the head of a pull request, or on `sha`."""
        output = {"title": "Passed", "summary": "All tests passed."}
        return await self.report(
            pull.repository, sha or pull.head_sha, name, {"conclusion": "success", "output": output}
        )

    async def fails(
        self, pull: Pull, name: str = "test", summary: str = "Tests failed.", log: str = "", *, sha: str | None = None
    ) -> CheckRun:
        """Report a check as failed, with a log."""
        output = {"title": "Failed", "summary": summary, "text": log[-checks.LONGEST_TEXT :]}
        return await self.report(
            pull.repository, sha or pull.head_sha, name, {"conclusion": "failure", "output": output}
        )

    async def report(self, repo: Repository, sha: str, name: str, wish: Mapping[str, object]) -> CheckRun:
        """Make a check run on a commit, or bring the one that is still running there to its end."""
        for run in repo.check_runs:
            same = run.suite.app is self.app and run.suite.head_sha == sha and run.name == name
            if same and run.status != "completed":
                checks.update_run(self.world, repo, run, wish)
                return run
        return await checks.create_run(self.world, repo, self.app, {"name": name, "head_sha": sha, **wish})


class CodeRabbit:
    """The review bot, as far as its shape matters: it comments, it never approves, and its name ends in `[bot]`."""

    def __init__(self, world: GitHubWorld, *, owner: str = "acme") -> None:
        self.world = world
        permissions = {"metadata": "read", "contents": "read", "pull_requests": "write", "issues": "write"}
        self.app: App = world.app("coderabbitai", owner=owner, permissions=permissions, events=())

    async def reviews(self, pull: Pull, findings: Iterable[tuple[str, int, str]] = ()) -> Review:
        """Review the head: `findings` are (path, line, text); none gives its clean review."""
        notes = [Note(path, line, f"_⚠️ Potential issue_ | _🟠 Major_\n\n**{text}**") for path, line, text in findings]
        count = f"**Actionable comments posted: {len(notes)}**"
        body = count if notes else "No actionable comments were generated in the recent review. 🎉"
        verdict = Verdict("COMMENT", body, notes)
        return await reviews.submit(self.world, pull, self.app.user, verdict, self.app)
