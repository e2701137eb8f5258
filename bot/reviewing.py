"""What the review bots that the policy names say of a pull request: GitHub's facts in, their word in ours out."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from prometheus_client import Counter

from bot.github import reviewers
from bot.github.checks import GOOD
from bot.github.reviewers import BotCheck, BotComment, BotReview, BotThread, Said
from bot.machine.pull_request import BotFinding, BotWord, Checks, PullRequest, Remark, Review

WORDS = Counter("callboard_review_bot_words_total", "What review bots said of a head, each word once", ["bot", "word"])
_FINAL = frozenset({"approved", "findings", "skipped", "failed"})


class Reviewers:
    """Hears review bots; counts each of their words on a head once, so that the approval rate can be told."""

    def __init__(self) -> None:
        self._counted: set[tuple[str, str, str]] = set()

    def hear(self, pull: PullRequest, bots: Iterable[str], head_at: datetime | None) -> PullRequest:
        """The pull request with the word of each bot on its head."""
        bots = tuple(bots)
        if not pull.open:
            return pull
        return replace(without_checks_of(pull, bots), bots=tuple(self._word(pull, bot, head_at) for bot in bots))

    def _word(self, pull: PullRequest, bot: str, head_at: datetime | None) -> BotWord:
        said = said_by(pull, bot, head_at)
        verdict = reviewers.verdict(bot, said)
        wanted = [one for one in reviewers.findings_of(bot, said) if one.thread or verdict.word == "findings"]
        key = (bot, pull.head, str(verdict.word))
        if verdict.word in _FINAL and key not in self._counted:
            self._counted.add(key)
            WORDS.labels(bot, str(verdict.word)).inc()
        return BotWord(
            bot,
            str(verdict.word),
            verdict.reason,
            verdict.until,
            tuple(BotFinding(one.thread, one.path, one.line, one.text) for one in wanted),
            on_request=reviewers.on_request(bot),
        )


def without_checks_of(pull: PullRequest, bots: Iterable[str]) -> PullRequest:
    """The pull request without the checks of these bots among those that count, unless the repository requires them.

    Their words are heard instead, for which nobody waits for ever; a check that they never end would be waited for. One
    that they ended well says nothing of the others either, which may not have appeared yet.
    """
    named = tuple(bots)
    theirs = {one.name for one in pull.checks_seen if not one.required and any(_same(one.by, bot) for bot in named)}
    waiting = tuple(one for one in pull.waiting if one not in theirs)
    failing = tuple(one for one in pull.failing if one not in theirs)
    if not theirs or pull.checks is Checks.UNKNOWN:
        return pull
    unreported = pull.checks is Checks.PENDING and not pull.waiting  # a required check, as GitHub says of all together
    seen = [one for one in pull.checks_seen if one.name not in theirs]
    counted = [one for one in seen if one.required] or seen
    if failing:
        left = Checks.RED
    elif waiting or unreported:
        left = Checks.PENDING
    elif any(one.result.upper() not in GOOD for one in counted):
        left = Checks.UNKNOWN
    else:
        left = Checks.GREEN if counted else Checks.NONE
    details = tuple(one for one in pull.failing_details if one.name not in theirs)
    return replace(pull, checks=left, waiting=waiting, failing=failing, failing_details=details)


def said_by(pull: PullRequest, bot: str, head_at: datetime | None) -> Said:
    """Everything that one bot put on a pull request, and nothing that anybody else did."""
    return Said(
        head=pull.head,
        comments=tuple(
            BotComment(one.body, one.created_at, one.edited_at or one.created_at)
            for one in pull.conversation
            if _said(one, bot)
        ),
        reviews=tuple(
            BotReview(one.state.value.upper(), one.body, one.commit, one.submitted_at)
            for one in pull.reviews
            if _said(one, bot)
        ),
        threads=tuple(
            BotThread(
                one.id,
                one.resolved,
                one.outdated,
                one.remarks[0].body,
                one.commit,
                one.path,
                one.line,
                tuple(reply.body for reply in one.remarks[1:] if _said(reply, bot)),
            )
            for one in pull.threads
            if one.remarks and _said(one.remarks[0], bot)
        ),
        checks=tuple(
            BotCheck(one.name, one.result, one.result, one.summary) for one in pull.checks_seen if _same(one.by, bot)
        ),
        head_at=head_at,
    )


def _said(one: Remark | Review, bot: str) -> bool:
    """Whether the bot said it. A person whose login is the bot's name is somebody else, unless the policy means it."""
    return _same(one.author, bot) and (not one.person or one.author.lower() == bot.lower())


def _same(login: str, bot: str) -> bool:
    """GitHub spells bots in several ways: `x[bot]`, `x`, and Copilot by two names."""
    first, second = (reviewers.dialect_of(one) or _plain(one) for one in (login, bot))
    return first is second or first == second


def _plain(login: str) -> str:
    return login.lower().removesuffix("[bot]")
