"""Copilot as a reviewer: it comments when it is asked to, and never approves."""

import asyncio
from collections.abc import Iterable

from bot.simulator.github import reviews
from bot.simulator.github.errors import ApiError
from bot.simulator.github.following import Follower
from bot.simulator.github.hooks import Event
from bot.simulator.github.model import Pull
from bot.simulator.github.people import App
from bot.simulator.github.reviews import Note, Verdict
from bot.simulator.github.world import GitHubWorld


class Copilot(Follower):
    """Reviews when its review is requested, or with `automatic` also whenever a pull request is opened.

    `findings` are (path, line, text); each is said once per pull request that shows the line. REST calls the author of
    its remarks `Copilot`, the author of its reviews `copilot-pull-request-reviewer[bot]`: one account, two names.
    """

    def __init__(
        self,
        world: GitHubWorld,
        *,
        owner: str = "acme",
        findings: Iterable[tuple[str, int, str]] = (),
        automatic: bool = False,
        seconds: float = 0.01,
    ) -> None:
        super().__init__(world)
        permissions = {"metadata": "read", "contents": "read", "pull_requests": "write"}
        self.app: App = world.app("copilot-pull-request-reviewer", owner=owner, permissions=permissions, events=())
        self.app.user.remarks_as = "Copilot"
        self.findings, self.automatic, self.seconds = list(findings), automatic, seconds
        self._said: set[tuple[Pull, tuple[str, int, str]]] = set()

    def heard(self, event: Event) -> None:
        """A review of it is requested, or a pull request is opened."""
        pull = event.pull
        if pull is None or event.name != "pull_request":
            return
        asked = event.action == "review_requested" and event.payload["requested_reviewer"]["id"] == self.app.user.id
        if asked or (self.automatic and event.action in {"opened", "ready_for_review"}):
            self.start(self._review(pull, pull.head_sha))

    async def _review(self, pull: Pull, head: str) -> None:
        await asyncio.sleep(self.seconds)
        before = any(one.user is self.app.user for one in pull.reviews)
        fresh = [one for one in self.findings if (pull, one) not in self._said]
        notes = [Note(*one) for one in fresh if await reviews.shows(self.world, pull, head, Note(*one))]
        self._said |= {(pull, (note.path, note.line, note.body)) for note in notes}
        listed = await self.world.git.run(pull.repository.path, "diff", "--name-only", f"{pull.base_sha}...{head}")
        files, count = len(listed.splitlines()), len(notes)
        told = f"generated {count or 'no'}{' new' if before else ''} comment{'' if count == 1 else 's'}."
        text = (
            f"## Pull request overview\n\n{pull.title}\n\nCopilot reviewed {files} out of {files} changed files in "
            f"this pull request and {told}"
        )
        try:
            await reviews.submit(self.world, pull, self.app.user, Verdict("COMMENT", text, notes, head), self.app)
        except ApiError:  # the head was rewritten while it read: it says nothing, and nobody is told
            return
