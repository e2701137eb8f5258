"""Review bots as they are: late, silent, at their limit, about an old head, and eager to have the last word."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable

from bot.simulator.github import coderabbit_words as words
from bot.simulator.github.coderabbit_words import Finding
from tests.simulation.hub import Hub
from tests.simulation.pull_request import OWN, Check, Node, Pull

RABBIT, COPILOT, BUGBOT = "coderabbitai[bot]", "copilot-pull-request-reviewer[bot]", "cursor[bot]"
TEAMS = ((RABBIT,), (RABBIT, COPILOT), (COPILOT,), (BUGBOT,), (RABBIT, BUGBOT))
"""Who is named together."""
_WAKES = frozenset({"opened", "reopened", "synchronize", "ready_for_review"})
_ENDS = ("clean", "clean", "clean", "finds", "finds", "finds", "finds", "silent", "limited", "skips", "pauses", "fails")
_TAKES = (5.0, 30.0, 120.0, 600.0, 1500.0)
"""Seconds that a review may take."""
_FOUND = "The list may be empty."


class ReviewBots:
    """Those of `named` look at every head, Copilot where it is asked to. `fired` counts what they did."""

    def __init__(self, hub: Hub, named: tuple[str, ...], chance: random.Random, fired: Counter[str]) -> None:
        self.hub, self.named, self.chance, self.fired = hub, named, chance, fired
        self.done: set[tuple[str, str]] = set()
        """Who said their last word on a head, the answers to answers apart."""
        self._summary: dict[int, str] = {}
        """What CodeRabbit's summary comment says last, by pull request."""
        self._since: dict[str, float] = {}
        """When each head was first shown in a pull request."""
        hub.requested = self._requested

    def hears(self, event: str, body: Node) -> None:
        """Something happened on GitHub."""
        if not self.named or event not in ("pull_request", "pull_request_review_comment"):
            return
        pull = self.hub.pulls[body["pull_request"]["number"]]
        if event == "pull_request" and body["action"] in _WAKES:
            self._since.setdefault(self.hub.head(pull), asyncio.get_running_loop().time())
            for bot in self.named:
                if bot != COPILOT:
                    self._later(self.chance.choice((1.0, 5.0, 40.0)), self._begins, bot, pull)
        elif event == "pull_request_review_comment" and body["sender"]["login"] == OWN:
            self._later(self.chance.choice((2.0, 20.0, 300.0)), self._answers, pull)

    def awaited(self, pull: Pull) -> float:
        """Since when one of them is waited for that may still say something of the head; 0: nobody is."""
        head = self.hub.head(pull)
        left = [one for one in self.named if (one, head) not in self.done]
        if RABBIT in left and self._summary.get(pull.number) in ("skips", "fails"):
            left.remove(RABBIT)
        return self._since.get(head, 0.0) if left else 0.0

    def _requested(self, pull: Pull, logins: list[str]) -> None:
        if COPILOT in self.named and COPILOT.removesuffix("[bot]") in [one.removesuffix("[bot]") for one in logins]:
            self._later(self.chance.choice(_TAKES), self._ends, COPILOT, pull, self.hub.head(pull), self._kind())

    def _later(self, wait: float, act: Callable[..., None], *about: object) -> None:
        asyncio.get_running_loop().call_later(wait, act, *about)

    def _kind(self) -> str:
        return "clean" if self.hub.calm else self.chance.choice(_ENDS)

    def _begins(self, bot: str, pull: Pull) -> None:
        head, kind = self.hub.head(pull), self._kind()
        if not pull.open or kind == "silent":
            return
        if bot == RABBIT:
            self._rabbit_begins(pull, head, kind)
        else:
            check = Check(self.hub.number(), "Cursor Bugbot", 0, "cursor")
            self.hub.checks.of.setdefault(head, []).append(check)
            self.hub.tell_check("created", check, head)
        self._later(self.chance.choice(_TAKES), self._ends, bot, pull, head, kind)

    def _rabbit_begins(self, pull: Pull, head: str, kind: str) -> None:
        refused = {
            "limited": words.limited("callboard", 48),
            "skips": words.skipped("Auto reviews are disabled on base branches other than the default one."),
            "pauses": words.paused(),
        }
        base = self.hub.git.tip(pull.base) or "0" * 40
        self._summarizes(pull, kind if kind in refused else "", refused.get(kind) or words.in_progress(base, head))

    def _ends(self, bot: str, pull: Pull, head: str, kind: str) -> None:
        if pull.merged or (not pull.open and bot != RABBIT):
            return
        self.fired[f"bot {kind}"] += 1
        match bot:
            case "coderabbitai[bot]":
                self._rabbit_ends(pull, head, kind if pull.open else "fails")
            case "cursor[bot]":
                self._bugbot_ends(pull, head, kind)
            case _:
                self._copilot_ends(pull, head, kind)
        if kind in ("clean", "finds") or (bot == BUGBOT and kind in ("skips", "pauses")):
            self.done.add((bot, head))

    def _rabbit_ends(self, pull: Pull, head: str, kind: str) -> None:
        base = self.hub.git.tip(pull.base) or "0" * 40
        if kind == "fails":
            self._summarizes(pull, kind, words.failed("An error occurred during the review process."))
        elif kind in ("clean", "finds"):
            found = [Finding("src/a.py", 3, _FOUND)] if kind == "finds" else []
            beyond = [Finding("src/b.py", 7, "Nobody closes this.")] if found and self.chance.random() < 0.2 else []
            if found:
                self.hub.reviews(pull, "COMMENTED", words.body(found, beyond, base, head), RABBIT, head)
                self._begins_thread(pull, found[0].remark, RABBIT, head)
            self._summarizes(pull, kind, words.walkthrough(pull.title, base, head, clean=not found))

    def _bugbot_ends(self, pull: Pull, head: str, kind: str) -> None:
        check = [one for one in self.hub.checks.of[head] if one.app == "cursor"][-1]
        check.status, check.conclusion = "completed", "skipped" if kind in ("skips", "pauses") else "neutral"
        if kind == "clean":
            check.conclusion, check.summary = "success", "Bugbot Analysis Complete: found no issues"
        elif kind == "finds":
            check.summary = "Bugbot Analysis Complete: found 1 potential issue"
            self._begins_thread(pull, _FOUND, BUGBOT, head)
        self.hub.tell_check("completed", check, head)

    def _copilot_ends(self, pull: Pull, head: str, kind: str) -> None:
        if kind not in ("clean", "finds"):
            return
        count = "1 comment" if kind == "finds" else "no comments"
        told = f"Copilot reviewed 1 out of 1 changed files in this pull request and generated {count}."
        self.hub.reviews(pull, "COMMENTED", f"## Pull request overview\n\n{pull.title}\n\n{told}", COPILOT, head)
        if kind == "finds":
            self._begins_thread(pull, _FOUND, COPILOT, head)

    def _begins_thread(self, pull: Pull, body: str, bot: str, head: str) -> None:
        if self.hub.hears(pull, bot):
            self.hub.remarks(pull, None, body, bot, head)

    def _summarizes(self, pull: Pull, kind: str, body: str) -> None:
        """Its one summary comment, edited in place."""
        self._summary[pull.number] = kind
        before = next(
            (one for one in pull.conversation if one.by == RABBIT and one.body.startswith(words.SUMMARY)), None
        )
        if before is not None:
            self.hub.edits(pull, before, body)
        elif self.hub.hears(pull, RABBIT):
            self.hub.says(pull, body, RABBIT)

    def _answers(self, pull: Pull) -> None:
        """What the service answered in a thread of theirs is believed, or not; either way they say so."""
        for thread in pull.threads:
            bot, last = thread.remarks[0].by, thread.remarks[-1]
            if bot not in self.named or last.by != OWN or not self.hub.hears(pull, bot):
                continue
            believes = self.hub.calm or self.chance.random() < 0.6
            said = "Thank you for putting it right!" if believes else "I still see it: the list may be empty."
            self.hub.remarks(pull, thread, f"`@callboard[bot]`: {said}", bot)
            if believes and not thread.resolved_by:
                self.hub.resolves(pull, thread, bot)
            elif not believes and self.chance.random() < 0.7:
                self.hub.unresolves(pull, thread, bot)
            self.fired["bot believes" if believes else "bot insists"] += 1
            return
