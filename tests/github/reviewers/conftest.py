"""The corpus: what bots wrote, one text a file, and what it means. Names and code in it are ours, the wording theirs.

Each file begins with TOML: the expected `word`, `findings`, `minutes` and `seconds` until a limit ends, what the reason
`says`; the kind of text (`as`: comment, review, check), its `state` and `commit`; the bot's `threads`; where it was
`seen`. @HEAD@, @OLDER@ and @BASE@ stand for commits.
"""

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.github.reviewers import BotCheck, BotComment, BotReview, BotThread, Said

HEAD = "5f3c9a1be04d7762c18e93fd20ab64571c0d8e9f"
OLDER = "a7d10c55e9b2f3486d017cce5b98f2a4413f06b7"
BASE = "0be44d9f6a1372c85d30ee71f2c9484b6ad5c310"
NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)

LOGINS = {
    "coderabbit": "coderabbitai[bot]",
    "copilot": "copilot-pull-request-reviewer[bot]",
    "codex": "chatgpt-codex-connector[bot]",
    "bugbot": "cursor[bot]",
    "unknown": "house-reviewer[bot]",
}


@dataclass(frozen=True)
class Case:
    """One file of the corpus."""

    name: str
    login: str
    expected: dict[str, Any]
    body: str

    def said(self, body: str | None = None) -> Said:
        """What the bot said, or would have said with another body."""
        text = self.body if body is None else body
        kind = self.expected.get("as", "comment")
        commit = OLDER if self.expected.get("commit") == "older" else HEAD
        return Said(
            head=HEAD,
            comments=(BotComment(text, NOON - timedelta(hours=1), NOON),) if kind == "comment" else (),
            reviews=(BotReview(self.expected.get("state", "COMMENTED"), text, commit, NOON),)
            if kind == "review"
            else (),
            threads=tuple(thread(words, index) for index, words in enumerate(self.expected.get("threads", ()))),
            checks=(self._check(text),) if kind == "check" else (),
            head_at=NOON + timedelta(minutes=1) if self.expected.get("pushed") == "after" else None,
        )

    def _check(self, text: str) -> BotCheck:
        status = self.expected["status"]
        return BotCheck(self.expected["name"], status, self.expected.get("conclusion", status), text)


def thread(words: str, index: int = 0) -> BotThread:
    """A thread in words: `open head`, `resolved older`, `outdated head`, `withdrawn older`."""
    state, commit = words.split()
    replies = ("You are right.\n\n<!-- <review_comment_withdrawn> -->",) if state == "withdrawn" else ()
    return BotThread(
        id=f"PRRT_{index}",
        resolved=state == "resolved",
        outdated=state == "outdated",
        body="_⚠️ Potential issue_ | _🟠 Major_\n\n**Off by one.**\n\nThe last page is empty.",
        commit=HEAD if commit == "head" else OLDER,
        path="youlab/feed.py",
        line=12,
        replies=replies,
    )


def _case(path: Path) -> Case:
    _, front, body = path.read_text("utf-8").split("+++\n", 2)
    expected = tomllib.loads(front)
    for mark, commit in (("HEAD", HEAD), ("OLDER", OLDER), ("BASE", BASE)):
        body = body.replace(f"@{mark}@", commit).replace(f"@{mark}10@", commit[:10])
    if expected.get("crlf"):
        body = body.replace("\n", "\r\n")
    bot = path.parent.name
    return Case(f"{bot}/{path.stem}", LOGINS[bot], expected, body.strip())


CASES = tuple(_case(path) for path in sorted(Path(__file__).with_name("corpus").rglob("*.md")))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES, ids=[case.name for case in CASES])


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    return {case.name: case for case in CASES}


@pytest.fixture(scope="session")
def bodies(cases: dict[str, Case]) -> Callable[[str], str]:
    return lambda name: cases[name].body


@pytest.fixture(scope="session")
def head() -> str:
    return HEAD


@pytest.fixture(scope="session")
def noon() -> datetime:
    return NOON
