"""CodeRabbit as an actor: it reviews every head by itself, edits one summary comment, and obeys people's commands.

What makes it hard to read is simulated: the summary is edited in place, a clean review is no review at all, its commit
status is `success` even where it did not review, "Review finished." says nothing, a refused review never comes back by
itself, and it does not listen to other bots.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal

from bot.simulator.github import coderabbit_words as words
from bot.simulator.github import comments, reviews
from bot.simulator.github.ci import report_status
from bot.simulator.github.coderabbit_words import Finding
from bot.simulator.github.errors import ApiError
from bot.simulator.github.following import Follower
from bot.simulator.github.hooks import Event
from bot.simulator.github.model import Pull
from bot.simulator.github.model_reviews import Comment, Review
from bot.simulator.github.people import App
from bot.simulator.github.reviews import Note, Verdict
from bot.simulator.github.world import GitHubWorld

_COMMAND = re.compile(r"\s*@coderabbitai\s+(full review|review|pause|resume|resolve|help)\b", re.IGNORECASE)
_WAKES = {"opened", "reopened", "synchronize", "ready_for_review"}
Mode = Literal["reviews", "disabled", "fails", "silent"]


class CodeRabbit(Follower):
    """The review bot. Without entering it as a context manager it only does what it is told to by `reviews`.

    Args:
        findings: what it finds: a `Finding`, or (path, line, text) for the first review; each is said once per pull
            request that changes the file.
        approves: the setting "request changes workflow": it requests changes, and approves once it has reviewed the
            head and all its threads are resolved.
        refusals: so many reviews are refused because a limit is reached, for `minutes`.
        pause_after: after so many heads of a pull request it pauses by itself.
        mode: `disabled` skips every review until one is asked for, `fails` breaks each time, `silent` says nothing.
        seconds: how long a review takes.
    """

    def __init__(
        self,
        world: GitHubWorld,
        *,
        owner: str = "acme",
        findings: Iterable[Finding | tuple[str, int, str]] = (),
        approves: bool = False,
        refusals: int = 0,
        minutes: int = 48,
        pause_after: int = 5,
        mode: Mode = "reviews",
        seconds: float = 0.01,
    ) -> None:
        super().__init__(world)
        permissions = {
            "metadata": "read",
            "contents": "read",
            "pull_requests": "write",
            "issues": "write",
            "statuses": "write",
        }
        self.app: App = world.app("coderabbitai", owner=owner, permissions=permissions, events=())
        self.findings = [one if isinstance(one, Finding) else Finding(*one) for one in findings]
        self.approves, self.refusals, self.minutes = approves, refusals, minutes
        self.pause_after, self.mode, self.seconds = pause_after, mode, seconds
        self.paused: set[Pull] = set()
        self.reviewed: dict[Pull, list[str]] = {}
        self._said: set[tuple[Pull, Finding]] = set()
        self._in_a_row: Counter[Pull] = Counter()

    async def reviews(self, pull: Pull, findings: Iterable[tuple[str, int, str]] = ()) -> Review:
        """Review the head now: `findings` are (path, line, text); none gives a review that says so."""
        found = [Finding(*one) for one in findings]
        base, head = pull.base_sha, pull.head_sha
        text = words.body(found, (), base, head) if found else f"**Actionable comments posted: 0**\n\n{words.CLEAN}"
        notes = [Note(one.path, one.line, one.remark) for one in found]
        verdict = Verdict("COMMENT", text, notes)
        return await reviews.submit(self.world, pull, self.app.user, verdict, self.app)

    def heard(self, event: Event) -> None:
        """A new head, a command, or a thread of its own that was resolved."""
        pull = event.pull
        if pull is None or event.sender is self.app.user or self.mode == "silent":
            return
        if event.name == "pull_request" and event.action in _WAKES:
            self.start(self._new_head(pull))
        elif event.name == "issue_comment" and event.action == "created":
            self._obey(pull, pull.comments[-1])
        elif event.name == "pull_request_review_thread" and event.action == "resolved":
            self.start(self._maybe_approve(pull))

    async def _new_head(self, pull: Pull) -> None:
        if pull.draft:
            self._summarize(pull, words.skipped("Draft detected."))
        elif self.mode == "disabled":
            self._summarize(pull, words.skipped("Auto reviews are disabled on this repository."))
            await self._status(pull, pull.head_sha, "success", "Review skipped")
        elif pull in self.paused:
            self._summarize(pull, words.paused())
        elif self._in_a_row[pull] >= self.pause_after:
            self.paused.add(pull)
            self._summarize(pull, words.paused())
            await self._status(pull, pull.head_sha, "success", "Review paused")
        else:
            await self._review(pull)

    async def _review(self, pull: Pull) -> None:
        base, head = pull.base_sha, pull.head_sha
        await self._status(pull, head, "pending", "Review queued")
        if self.refusals:
            self.refusals -= 1
            self._summarize(pull, words.limited(pull.author.login, self.minutes))
            await self._status(pull, head, "success", "Review rate limited")
            return
        self._summarize(pull, words.in_progress(base, head))
        await self._status(pull, head, "pending", "Review in progress")
        await asyncio.sleep(self.seconds)
        if self.mode == "fails" or not pull.open:
            reason = "An error occurred during the review process." if pull.open else "The pull request is closed."
            self._summarize(pull, words.failed(reason))
            await self._status(pull, head, "success", "Review failed")
            return
        rounds = self.reviewed.setdefault(pull, [])
        rounds.append(head)
        self._in_a_row[pull] += 1
        self._settle(pull, head)
        found = await self._tell(pull, base, head, len(rounds))
        self._summarize(pull, words.walkthrough(pull.title, base, head, clean=not found))
        await self._status(pull, head, "success", "Review completed")
        await self._maybe_approve(pull)

    async def _tell(self, pull: Pull, base: str, head: str, number: int) -> bool:
        """Submit a review of what is found in this round, if anything is; whether anything was."""
        listed = await self.world.git.run(pull.repository.path, "diff", "--name-only", f"{base}...{head}")
        changed = set(listed.splitlines())
        fresh = [
            one
            for one in self.findings
            if one.round <= number and one.path in changed and (pull, one) not in self._said
        ]
        if not fresh:
            return False
        inside: list[Finding] = []
        outside: list[Finding] = []
        for one in fresh:
            self._said.add((pull, one))
            shown = await reviews.shows(self.world, pull, head, Note(one.path, one.line, one.remark))
            (inside if shown else outside).append(one)
        notes = [Note(one.path, one.line, one.remark) for one in inside]
        event = "REQUEST_CHANGES" if self.approves else "COMMENT"
        verdict = Verdict(event, words.body(inside, outside, base, head), notes, head)
        try:
            await reviews.submit(self.world, pull, self.app.user, verdict, self.app)
        except ApiError:  # the head was rewritten under its hands; the next round is on its way
            self._said -= {(pull, one) for one in fresh}
            return False
        return True

    def _settle(self, pull: Pull, head: str) -> None:
        """Whatever lines were changed since are taken as put right."""
        for thread in pull.threads:
            own = thread.comments[0].user is self.app.user
            if own and thread.outdated and thread.resolved_by is None:
                top = thread.comments[0]
                text = f"{top.body}\n\n✅ Addressed in commit {head[:7]}"
                reviews.edit_comment(self.world, top, self.app.user, text)
                reviews.resolve(self.world, thread, self.app.user)

    async def _maybe_approve(self, pull: Pull) -> None:
        if not self.approves or self.reviewed.get(pull, [""])[-1] != pull.head_sha or not pull.open:
            return
        own = [one for one in pull.threads if one.comments[0].user is self.app.user]
        latest = [one for one in pull.reviews if one.user is self.app.user and one.state != "COMMENTED"][-1:]
        stands = any(one.state == "APPROVED" and one.commit_id == pull.head_sha for one in latest)
        if not stands and all(one.resolved_by for one in own):
            await reviews.submit(self.world, pull, self.app.user, Verdict("APPROVE"), self.app)

    def _obey(self, pull: Pull, comment: Comment) -> None:
        match = _COMMAND.match(comment.body)
        if match is None:
            return
        if comment.user.kind == "Bot":
            self._answer(pull, words.reply(words.SKIPPED_BOT))
            return
        match match.group(1).lower():
            case "pause":
                self.paused.add(pull)
                self._answer(pull, words.performed(words.PAUSED))
            case "resume":
                self.paused.discard(pull)
                self._in_a_row[pull] = 0
                self._answer(pull, words.performed(words.RESUMED))
            case "resolve":
                for thread in pull.threads:
                    if thread.comments[0].user is self.app.user:
                        reviews.resolve(self.world, thread, self.app.user)
                self._answer(pull, words.performed(words.RESOLVED))
            case "help":
                self._answer(pull, words.reply(words.HELP))
            case command:
                self.start(self._asked(pull, again=command == "full review"))

    async def _asked(self, pull: Pull, *, again: bool) -> None:
        if self.refusals:
            self._answer(pull, words.limited_reply(self.minutes))
            await self._review(pull)
            return
        if not again and self.reviewed.get(pull, [""])[-1] == pull.head_sha:
            self._answer(pull, words.reply(words.ALREADY))
            return
        if again:
            self._said = {one for one in self._said if one[0] is not pull}
        answer = self._answer(pull, words.performed("Review triggered."))
        await self._review(pull)
        comments.edit(self.world, answer, self.app.user, words.performed("Review finished."))

    def _answer(self, pull: Pull, text: str) -> Comment:
        return comments.add(self.world, pull, self.app.user, text, self.app)

    def _summarize(self, pull: Pull, text: str) -> None:
        for comment in pull.comments:
            if comment.user is self.app.user and comment.body.startswith(words.SUMMARY):
                comments.edit(self.world, comment, self.app.user, text)
                return
        self._answer(pull, text)

    async def _status(self, pull: Pull, sha: str, state: str, text: str) -> None:
        await report_status(self.world, pull, self.app, "CodeRabbit", state, text, sha=sha)
