"""A webhook of GitHub becomes a hint: which branch or pull request may have changed. Nothing else in it is believed.

The signature is checked over the raw bytes before anything is parsed. GitHub signs no time and never sends again by
itself; a redelivery by hand keeps its delivery id, and a replay costs one look.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bot.engine.port import Delivery
from bot.engine.reception import Reception, Verdict, parse, signed
from bot.git.names import identifier_of

_SIGNATURE = re.compile(r"sha256=[0-9a-f]{64}", re.ASCII)
_QUEUED = re.compile(r"gh-readonly-queue/.+/pr-([1-9]\d{0,9})-[0-9a-f]{40,64}", re.ASCII)
_NAME = re.compile(r"[0-9A-Za-z_-]{1,100}", re.ASCII)


class Ignored(Exception):  # noqa: N818
    """The event is none of our business; the message says why, and is counted."""


def verify(body: bytes, signature: str | None, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed exactly these bytes; `signature` is the header `X-Hub-Signature-256`.

    Raises:
        ValueError: there is no secret, or an empty one.
    """
    if signature is None or not _SIGNATURE.fullmatch(signature):
        signature = ""  # refused below, after the secrets were looked at
    return signed(body, signature.removeprefix("sha256="), secrets)


def receive(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime, *, own: str = ""
) -> Reception:
    """Judge one request to the webhook address. `headers` is asked for lower-case names.

    `own` is our App's login (`callboard[bot]`), to leave out what we caused; not a person's, whose comments count.

    Raises:
        ValueError: there is no secret, or an empty one.
    """
    if not verify(body, headers.get("x-hub-signature-256"), secrets):
        return Reception(Verdict.UNAUTHORIZED, reason="bad signature")
    name, kind = headers.get("x-github-delivery") or "", headers.get("x-github-event") or ""
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(kind):
        return Reception(Verdict.BAD_REQUEST, reason="no delivery id or event")
    fields = parse(body)
    if fields is None:
        return Reception(Verdict.BAD_REQUEST, reason="not a JSON object of sane depth")
    action = fields.get("action")
    event = f"{kind}.{action}" if isinstance(action, str) else kind
    delivery = Delivery("github", name, event, None, body, now)
    try:
        return Reception(Verdict.OK, replace(delivery, subject=f"github:{_subject(kind, fields, own)}"))
    except Ignored as reason:
        return Reception(Verdict.OK, replace(delivery, ignored=str(reason)), reason=str(reason))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        parked = f"malformed {kind}: {where}: {first['msg']}"
        return Reception(Verdict.OK, replace(delivery, parked=parked), reason=parked)


class _Tolerant(BaseModel):
    """Other fields are none of our business; strict models lose events whenever GitHub adds some (kodiak#261)."""

    model_config = ConfigDict(extra="ignore")


class _Repository(_Tolerant):
    full_name: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")


class _User(_Tolerant):
    login: str = ""


class _Head(_Tolerant):
    ref: str
    repo: _Repository | None = None


class _Pull(_Tolerant):
    number: int
    head: _Head


class _Event(_Tolerant, ABC):
    action: str = ""
    repository: _Repository
    sender: _User = _User()

    @abstractmethod
    def subject(self) -> str:
        """What it speaks of."""

    def cause(self) -> str:
        """Whose act it is, where our own acts are to be left out."""
        return ""


class _AboutPull(_Event):
    pull_request: _Pull

    def subject(self) -> str:
        head = self.pull_request.head
        if head.repo is not None and head.repo.full_name != self.repository.full_name:
            raise Ignored("pull request from a fork")
        return _at(self.repository, head.ref)


class _Reviewed(_AboutPull):
    def cause(self) -> str:
        return self.sender.login


class _Issue(_Tolerant):
    number: int
    pull_request: dict[str, Any] | None = None


class _IssueComment(_Event):
    issue: _Issue

    def subject(self) -> str:
        if self.issue.pull_request is None:
            raise Ignored("comment on an issue")
        return f"{self.repository.full_name}#{self.issue.number}"

    def cause(self) -> str:
        return self.sender.login


class _App(_Tolerant):
    slug: str | None = None


class _PullHead(_Tolerant):
    ref: str


class _PullBrief(_Tolerant):
    head: _PullHead


def _heads(pulls: list[_PullBrief | None]) -> list[str]:
    return [one.head.ref for one in pulls if one is not None]


class _Suite(_Tolerant):
    head_branch: str | None = None
    app: _App | None = None
    pull_requests: list[_PullBrief | None] = []

    @property
    def branches(self) -> list[str]:
        """The branch it was made for, and those of the pull requests whose head it stands on."""
        return [*([self.head_branch] if self.head_branch else []), *_heads(self.pull_requests)]


class _Run(_Tolerant):
    check_suite: _Suite
    app: _App | None = None
    pull_requests: list[_PullBrief | None] = []


class _AboutCheck(_Event):
    def cause(self) -> str:
        """Whose check it is; but a press on its buttons is a person's act, also when the check is ours."""
        return "" if self.action in ("rerequested", "requested_action") else _bot(self.app())

    @abstractmethod
    def app(self) -> _App | None:
        """Whose check it is."""


class _CheckRun(_AboutCheck):
    check_run: _Run

    def subject(self) -> str:
        run = self.check_run
        return _at(self.repository, *run.check_suite.branches, *_heads(run.pull_requests))

    def app(self) -> _App | None:
        return self.check_run.app or self.check_run.check_suite.app


class _CheckSuite(_AboutCheck):
    check_suite: _Suite

    def subject(self) -> str:
        return _at(self.repository, *self.check_suite.branches)

    def app(self) -> _App | None:
        return self.check_suite.app


class _WorkflowRun(_Event):
    workflow_run: _Suite

    def subject(self) -> str:
        return _at(self.repository, *self.workflow_run.branches)


class _Branch(_Tolerant):
    name: str


class _Status(_Event):
    branches: list[_Branch]

    def subject(self) -> str:
        return _at(self.repository, *(branch.name for branch in self.branches))


class _Push(_Event):
    ref: str

    def subject(self) -> str:
        return _at(self.repository, self.ref.removeprefix("refs/heads/"))


class _Group(_Tolerant):
    head_ref: str


class _MergeGroup(_Event):
    merge_group: _Group

    def subject(self) -> str:
        return _at(self.repository, self.merge_group.head_ref.removeprefix("refs/heads/"))


_KNOWN: Mapping[str, type[_Event]] = {
    "pull_request": _AboutPull,
    "pull_request_review": _Reviewed,
    "pull_request_review_comment": _Reviewed,
    "pull_request_review_thread": _Reviewed,
    "issue_comment": _IssueComment,
    "check_run": _CheckRun,
    "check_suite": _CheckSuite,
    "workflow_run": _WorkflowRun,
    "status": _Status,
    "push": _Push,
    "merge_group": _MergeGroup,
}
_EXPECTED = ("ping", "installation", "installation_repositories", "github_app_authorization")


def _subject(kind: str, fields: Mapping[str, Any], own: str) -> str:
    model = _KNOWN.get(kind)
    if model is None:
        raise Ignored(kind if kind in _EXPECTED else f"unknown event {kind[:40]}")
    event = model.model_validate(fields)
    if own and event.cause() == own:
        raise Ignored("our own act")
    return event.subject()


def _bot(app: _App | None) -> str:
    return f"{app.slug}[bot]" if app else ""


def _at(repository: _Repository, *branches: str) -> str:
    """The first of the branches that is one of ours, as a subject: their names are made by us and by nobody else.

    A branch of GitHub's merge queue speaks of the pull request that it tries.
    """
    for branch in branches:
        if identifier_of(branch) is not None:
            return f"{repository.full_name}@{branch}"
        if queued := _QUEUED.fullmatch(branch):
            return f"{repository.full_name}#{queued[1]}"
    raise Ignored("branch is not ours")
