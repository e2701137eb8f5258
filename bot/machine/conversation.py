"""What people said on a pull request that nobody answered yet, and what our answers are called.

GitHub itself remembers what is answered: every answer of ours bears the name of the remark it answers, made from the
remark's id, its text and its time. So a remark that was edited after the answer is a new one, a deleted one is
nobody's, and a service that lost all its memory answers nothing twice. An answer in a thread is to everything said
there before the remark it names. Words of people who may not steer reach no agent.
"""

import hashlib
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.machine.approval import Act, Allowed, authorise
from bot.machine.echo import Line, is_echo
from bot.machine.facts import Rules
from bot.machine.guidance import LONGEST, bounded
from bot.machine.pull_request import BotFinding, Opinion, PullRequest, Remark, Review, Thread
from bot.machine.visible import visible_characters, visible_text

MENTION = "callboard"
_ANSWER = "answer-"
_RESOLVES = "resolves-"
"""An answer after which its thread is to be resolved: GitHub takes the two apart, and we may die in between."""
_RULES = Rules()
_MENTIONED = re.compile(rf"(?<![\w/@-])@{MENTION}(?:\[bot\])?(?![\w/-])", re.I)


@dataclass(frozen=True)
class Point:
    """Something that wants an answer. `thread` is empty for what is answered in the conversation."""

    key: str
    """Names the answer: `answer-<key>`."""
    thread: str
    text: dict[str, Any]
    """What the worker is shown."""
    reviewer: str = ""
    """Who asked for changes, so that they are asked to look again."""

    @property
    def id(self) -> str:
        """What the worker calls it in its replies."""
        return self.thread or self.key


@dataclass(frozen=True)
class Refusal:
    """Somebody called us who may not."""

    key: str
    author: str


def topic_of(key: str, *, resolves: bool = False) -> str:
    """The topic of the answer to a remark."""
    return f"{_RESOLVES if resolves else _ANSWER}{key}"


def half_answered(pull: PullRequest, remembered: Container[str]) -> tuple[tuple[str, str], ...]:
    """Open threads that end with an answer of ours which resolves them, with the key of what it answers.

    Where it is among those `remembered`, it was resolved, and a person opened it again: that is theirs to say.
    """
    ends = ((thread, thread.remarks[-1]) for thread in pull.threads if thread.remarks and not thread.resolved)
    found = ((one.id, last.topic.removeprefix(_RESOLVES)) for one, last in ends if _resolves(last))
    return tuple((thread, key) for thread, key in found if key not in remembered)


def _resolves(remark: Remark) -> bool:
    return remark.ours and remark.topic.startswith(_RESOLVES)


def _answered_by(remark: Remark) -> str:
    """The key of what a remark of ours answers; empty for any other."""
    about, known = remark.topic, (_ANSWER, _RESOLVES)
    return about.partition("-")[2] if remark.ours and about.startswith(known) else ""


def open_points(pull: PullRequest) -> tuple[Point, ...]:
    """Everything that people who may said and nobody answered, oldest first, as it reads now."""
    points = [*_in_threads(pull), *_in_reviews(pull), *_in_conversation(pull)]
    return tuple(point for _, point in sorted(points, key=lambda pair: pair[0]))


def refusals(pull: PullRequest) -> tuple[Refusal, ...]:
    """Calls of people who may not, that were not answered yet."""
    answered = _answered(pull.conversation)
    return tuple(
        Refusal(key, remark.author)
        for remark in pull.conversation
        if remark.person
        and not is_heard(remark)
        and not _echoes(remark, pull.conversation)
        and calls_us(remark.body)
        and (key := key_of(remark)) not in answered
    )


def bot_points(pull: PullRequest, findings: Iterable[BotFinding]) -> tuple[Point, ...]:
    """What a review bot found and nobody answered; what stands in its review's body is one point for this head."""
    answered = _answered(pull.conversation)
    threads = {thread.id: thread for thread in pull.threads}
    points = []
    for finding in findings:
        thread = threads.get(finding.thread)
        key = key_of(thread.remarks[-1]) if thread and thread.remarks else _short(f"{pull.head}{finding.text}")
        known = _answered(thread.remarks) if thread else answered
        ours_last = bool(thread and thread.remarks and thread.remarks[-1].ours)
        if key in known or ours_last:
            continue
        text = {
            "thread_id": finding.thread or key,
            "path": finding.path,
            "line": finding.line,
            "finding": _seen(finding.text),
        }
        points.append(Point(key, finding.thread, text))
    return tuple(points)


def is_heard(said: Remark | Review) -> bool:
    """Whether what somebody said on GitHub may ask for work. The policy's list of people is about Linear."""
    return isinstance(authorise(said, Act.ASK, _RULES), Allowed)


def calls_us(body: str) -> bool:
    """Whether a comment calls us by name, outside of quotes and code."""
    prose = re.sub(r"```.*?(```|\Z)|`[^`\n]*`|^ {0,3}>.*$", "", visible_text(body), flags=re.S | re.M)
    return bool(_MENTIONED.search(prose))


def key_of(remark: Remark | Review) -> str:
    """Names a remark as it reads now: id, text, and when it was made."""
    made = remark.submitted_at if isinstance(remark, Review) else remark.created_at
    return f"{_short(remark.id)}-{_short(remark.body)}-{int(made.timestamp())}"


def _echoes(said: Remark | Review, conversation: Iterable[Remark | Review]) -> bool:
    """Whether its author answers everything that we write there, as fast as we write it."""
    return is_echo(_line(said), (_line(one) for one in conversation))


def _line(said: Remark | Review) -> Line:
    return Line("" if said.ours else said.author, said.submitted_at if isinstance(said, Review) else said.created_at)


def _in_threads(pull: PullRequest) -> Iterable[tuple[datetime, Point]]:
    for thread in pull.threads:
        said = [
            one for one in thread.remarks if is_heard(one) and not one.minimized and not _echoes(one, thread.remarks)
        ]
        if thread.settled:  # nobody waits for an answer there, unless somebody calls us
            said = [one for one in said if calls_us(one.body)]
        new = [one for one in said if not _is_answered(one, thread.remarks)]
        if new:
            yield new[0].created_at, Point(key_of(new[-1]), thread.id, _shown(thread), new[0].author)


def _is_answered(remark: Remark, thread: tuple[Remark, ...]) -> bool:
    return any(_answers(one, remark, thread) for one in thread if _answered_by(one))


def _answers(answer: Remark, remark: Remark, thread: tuple[Remark, ...]) -> bool:
    """Whether an answer is to this remark, or to a later one of its thread (and this one was not edited since).

    GitHub's times are whole seconds; within one, the order in the thread decides.
    """
    key = key_of(remark)
    named, _, time = _answered_by(answer).rpartition("-")
    if f"{named}-{time}" == key:
        return True
    same = named.partition("-")[0] == key.partition("-")[0]
    above = any(_short(one.id) == named.partition("-")[0] for one in thread[thread.index(remark) + 1 :])
    before = time.isdecimal() and int(remark.created_at.timestamp()) < int(time)
    return not same and (before or above) and (remark.edited_at is None or remark.edited_at <= answer.created_at)


def _in_reviews(pull: PullRequest) -> Iterable[tuple[datetime, Point]]:
    answered = _answered(pull.conversation)
    for review in pull.reviews:
        says = review.state in (Opinion.CHANGES_REQUESTED, Opinion.COMMENTED) and review.body.strip()
        if (
            says
            and is_heard(review)
            and not _echoes(review, (*pull.reviews, *pull.conversation))
            and key_of(review) not in answered
        ):
            text = {
                "thread_id": key_of(review),
                "by": review.author,
                "role": "may write",
                "url": review.url,
                "review": _seen(review.body),
            }
            asks = review.author if review.state is Opinion.CHANGES_REQUESTED else ""
            yield review.submitted_at, Point(key_of(review), "", text, asks)


def _in_conversation(pull: PullRequest) -> Iterable[tuple[datetime, Point]]:
    answered = _answered(pull.conversation)
    for remark in pull.conversation:
        if (
            is_heard(remark)
            and not _echoes(remark, pull.conversation)
            and calls_us(remark.body)
            and key_of(remark) not in answered
        ):
            text = {
                "thread_id": key_of(remark),
                "by": remark.author,
                "role": "may write",
                "url": remark.url,
                "comment": _seen(remark.body),
            }
            yield remark.created_at, Point(key_of(remark), "", text)


def _shown(thread: Thread) -> dict[str, Any]:
    """A thread as the worker sees it: its code, and the remarks of people who may, of review bots and of ourselves."""
    heard = [one for one in thread.remarks if one.may or one.ours or one.author.endswith("[bot]")]
    return {
        "thread_id": thread.id,
        "path": thread.path,
        "line": thread.line,
        "code": visible_characters(thread.diff_hunk),
        "remarks": [_said(one) for one in heard if not one.minimized],
    }


def _said(remark: Remark) -> dict[str, str]:
    """A remark as a worker reads it: who, where, and what a person would see of it."""
    by = "you" if remark.ours else remark.author
    role = {} if remark.ours else {"role": "may write" if remark.may else "review program"}
    return {"by": by, **role, "url": remark.url, "says": _seen(remark.body)}


def _seen(body: str) -> str:
    return bounded(visible_text(body), LONGEST)


def _answered(remarks: Iterable[Remark]) -> frozenset[str]:
    return frozenset(key for one in remarks if (key := _answered_by(one)))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
