"""Review bots, in their own words."""

from collections.abc import Iterable

from bot.simulator.github import reviews
from bot.simulator.github.model import Pull
from bot.simulator.github.model_reviews import Review
from bot.simulator.github.people import App
from bot.simulator.github.reviews import Note, Verdict
from bot.simulator.github.world import GitHubWorld


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


class Copilot:
    """To come."""
