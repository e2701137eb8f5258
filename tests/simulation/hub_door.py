"""GitHub's door: what the service asks PyGithub and GraphQL for is answered from the truth, well or badly.

It stands where the wire begins: everything from `bot/github/observe.py` and `bot/github/ensure.py` on is real.
"""

import re
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

from github import GithubException

from bot.github.client import GitHub, Identity
from bot.github.errors import classify, classify_graphql
from tests.simulation.clock import now
from tests.simulation.doors import Door
from tests.simulation.hub import Hub, nodes
from tests.simulation.pull_request import NAME, OUR_MAIL, OWN, SLUG, WRITERS, Check, Node, Pull, Refusal, Remark

_US = 7
_OPERATION = re.compile(r"^(?:query|mutation) (\w+)", re.M)
_STATES = {"merge": "mergeCommitAllowed", "squash": "squashMergeAllowed", "rebase": "rebaseMergeAllowed"}


@cache
def _named(document: str) -> str:
    found = _OPERATION.search(document)
    assert found, document
    return found[1]


SUSPENDED = "This installation has been suspended"


class HubDoor(GitHub):
    """The client of one process."""

    def __init__(self, door: Door, hub: Hub) -> None:
        self._door, self._hub = door, hub
        self.remaining: dict[str, int] = {}

    async def identity(self) -> Identity:
        """Who we are; read once at the start, so never a fault."""
        return Identity(OWN, _US, SLUG)

    async def call(self, repository: str | None, job: Callable[[Any], Any]) -> Any:
        """A job over REST."""
        self._is_ours(repository)
        api = _Api(self._door, self._hub)

        def act() -> Any:
            self._permits()
            try:
                return job(api)
            except Refusal as error:
                raise classify(GithubException(error.status, {"message": error.message}, {})) from error

        return await self._door.asks_github(act, writes=lambda: api.wrote)

    async def graphql(
        self, repository: str | None, document: str, variables: Mapping[str, Any], *, partial: bool = False
    ) -> dict[str, Any]:
        """One request."""
        self._is_ours(repository)
        name = _named(document)

        def act() -> dict[str, Any]:
            self._permits()
            try:
                return _GraphQL(self._door, self._hub).answer(name, variables)
            except Refusal as error:
                kind = {403: "FORBIDDEN", 404: "NOT_FOUND"}.get(error.status, "UNPROCESSABLE")
                raise classify_graphql([{"message": error.message, "type": kind}], {}) from error

        if name == "PullRequests":
            numbers = tuple(value for key, value in variables.items() if key.startswith("n") and key != "name")
            return await self._door.looks_at_pulls(numbers, act)
        return await self._door.asks_github(act, writes=lambda: name not in ("Landing", "Thread"))

    def _is_ours(self, repository: str | None) -> None:
        """What is asked of another one is about other people's pull requests.

        Where nobody can tell any more what began, since an epic's own record was not to be believed, it begins anew,
        perhaps in that one.
        """
        world = self._door.world
        tickets = {one.id for one in world.linear.issues.values() if one.parent}
        if repository not in (None, NAME) and world.forged <= tickets:
            world.watch.violated("another repository is touched", str(repository))

    def _permits(self) -> None:
        """An App that was suspended is refused everything.

        Raises:
            Forbidden: it was.
        """
        if self._hub.forbidden == "everything":
            raise classify(GithubException(403, {"message": SUSPENDED}, {}))


class _GraphQL:
    """What the operations of `bot/github/operations` ask for."""

    def __init__(self, door: Door, hub: Hub) -> None:
        self._door, self._hub = door, hub

    def answer(self, name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        hub = self._hub
        match name:
            case "PullRequests":
                found = {key: wanted[f"n{key[1:]}"] for key in (f"p{i}" for i in range(len(wanted) - 2))}
                allowed = {field: method in hub.house.methods for method, field in _STATES.items()}
                pulls = {key: self.pull(hub.pulls[n]) for key, n in found.items() if n in hub.pulls}
                return {"repository": {**allowed, "autoMergeAllowed": False, **pulls}}
            case "Landing":
                pull = hub.get(wanted["number"])
                return {"repository": {"pullRequest": {
                    "id": f"PR_{pull.number}", "merged": pull.merged, "headRefOid": hub.head(pull),
                    "isInMergeQueue": bool(pull.queued), "autoMergeRequest": None}}}  # fmt: skip
            case "Thread":
                there = hub.thread(wanted["id"])
                if there is None:
                    raise Refusal(404, "Could not resolve to a node")
                told = [{"body": one.body, "author": _actor(one.by)} for one in there[1].remarks]
                return {"node": {"comments": {"nodes": told}}}
            case "ReplyThread":
                pull, thread = self._thread(wanted["thread"])
                self._door.world.watch.pulls.replies(pull, thread.id, thread.remarks, wanted["body"])
                hub.remarks(pull, thread, wanted["body"], OWN)
            case "ResolveThread":
                pull, thread = self._thread(wanted["thread"])
                hub.resolves(pull, thread, OWN)
            case "Enqueue":
                pull = hub.get(int(str(wanted["pull"]).removeprefix("PR_")))
                hub.queue.takes(pull, wanted.get("head"))
                self._door.world.watch.pulls.merges(self._door.process, pull, hub.head(pull), "enqueue")
            case "Dequeue":
                pull = hub.get(int(str(wanted["pull"]).removeprefix("PR_")))
                if pull.queued:
                    hub.queue.ejects(pull, "MANUAL")
            case _:
                raise AssertionError(name)
        return {}

    def _thread(self, id_: str) -> tuple[Pull, Any]:
        there = self._hub.thread(id_)
        if there is None:
            raise Refusal(404, "Could not resolve to a node")
        return there

    def pull(self, pull: Pull) -> Node:
        """As GitHub tells it now: the same object as long as nothing about it changed."""
        hub, head = self._hub, self._hub.head(pull)
        base = hub.git.tip(pull.base)
        opinions = hub.opinions(pull)
        state = "OPEN" if pull.open else "MERGED" if pull.merged else "CLOSED"
        ejected = pull.ejected
        told = {
            "id": f"PR_{pull.number}",
            "number": pull.number,
            "url": f"https://github.com/{NAME}/pull/{pull.number}",
            "state": state,
            "isDraft": pull.draft,
            "author": _actor(pull.by),
            "headRefOid": head,
            "headRefName": pull.branch,
            "baseRefName": pull.base,
            "mergeCommit": {"oid": pull.merge_commit} if pull.merge_commit else None,
            "mergeable": self._mergeable(pull, head, base),
            "mergeStateStatus": self._status(pull),
            "isMergeQueueEnabled": hub.house.queue and pull.base == "main",
            "mergeQueueEntry": {"position": 1, "state": "AWAITING_CHECKS"} if pull.queued else None,
            "timelineItems": {"nodes": [{
                "reason": ejected[0], "createdAt": ejected[1].isoformat(), "beforeCommit": {"oid": ejected[2]},
            }] if ejected else []},
            "autoMergeRequest": None,
            "reviewDecision": self._decision(opinions),
            "latestOpinionatedReviews": {"nodes": [
                {"state": one.state, "author": _actor(by), "commit": {"oid": one.commit}}
                for by, one in opinions.items()
            ]},
            "reviews": nodes(_review(one) for one in pull.reviews),
            "reviewThreads": nodes(_thread(one) for one in pull.threads),
            "comments": nodes(_remark(one) for one in pull.conversation),
            "commits": {"nodes": [{"commit": {"oid": head, "statusCheckRollup": self._rollup(head)}}]},
        }  # fmt: skip
        if hub.told.get(pull.number) != told:
            hub.told[pull.number] = told
        return hub.told[pull.number]

    def _mergeable(self, pull: Pull, head: str, base: str | None) -> str:
        if not pull.open or base is None:
            return "UNKNOWN"
        pair = f"{head} {base}"
        if pull.computed != pair and self._hub.chance.random() < 0.2:
            pull.computed = pair
            return "UNKNOWN"
        pull.computed = pair
        return "CONFLICTING" if self._hub.clashes(pull) else "MERGEABLE"

    def _status(self, pull: Pull) -> str:
        if pull.draft:
            return "DRAFT"
        return "BEHIND" if pull.open and self._hub.house.strict and self._hub.behind(pull) else "CLEAN"

    def _decision(self, opinions: Mapping[str, Remark]) -> str | None:
        states = {one.state for one in opinions.values()}
        if "CHANGES_REQUESTED" in states:
            return "CHANGES_REQUESTED"
        return "REVIEW_REQUIRED" if self._hub.house.review and "APPROVED" not in states else None

    def _rollup(self, head: str) -> Node | None:
        checks = self._hub.checks.of.get(head, ())
        if not checks and not self._hub.house.ci:
            return None
        contexts = [_check(one) for one in checks]
        return {"state": "PENDING" if checks else "EXPECTED", "contexts": nodes(contexts)}


def _check(one: Check) -> Node:
    return {
        "__typename": "CheckRun", "databaseId": one.id, "name": one.name, "status": one.status.upper(),
        "conclusion": one.conclusion.upper() or None, "title": one.title, "summary": one.summary,
        "detailsUrl": "", "checkSuite": {"databaseId": one.suite, "app": {"slug": one.app}}, "isRequired": False,
    }  # fmt: skip


def _actor(login: str) -> Node:
    if login.endswith("[bot]"):
        return {"__typename": "Bot", "login": login.removesuffix("[bot]"), "databaseId": _number(login)}
    return {"__typename": "User", "login": login, "databaseId": _number(login)}


def _number(login: str) -> int:
    """An account by its number, which nobody else ever has."""
    return _US if login == OWN else 1000 + zlib.crc32(login.encode())


def _remark(one: Remark) -> Node:
    edited = one.edited.isoformat() if one.edited else None
    return {
        "id": one.id, "body": one.body, "createdAt": one.made.isoformat(), "lastEditedAt": edited,
        "isMinimized": False, "url": "", "author": _actor(one.by), "replyTo": None, "diffHunk": "@@",
        "originalCommit": {"oid": one.commit},
    }  # fmt: skip


def _review(one: Remark) -> Node:
    return {
        "id": one.id, "state": one.state, "body": one.body, "submittedAt": one.made.isoformat(),
        "lastEditedAt": None, "url": "", "commit": {"oid": one.commit}, "author": _actor(one.by),
    }  # fmt: skip


def _thread(one: Any) -> Node:
    resolver = _actor(one.resolved_by) if one.resolved_by else None
    return {
        "id": one.id, "isResolved": bool(one.resolved_by), "resolvedBy": resolver, "isOutdated": one.outdated,
        "path": one.path, "line": 3, "startLine": None, "comments": nodes(_remark(each) for each in one.remarks),
    }  # fmt: skip


class _Api:
    """The part of a `github.Github` that is used. `wrote` tells whether a write was asked for."""

    def __init__(self, door: Door, hub: Hub) -> None:
        self._door, self._hub = door, hub
        self.wrote = False
        self.requester = self

    def get_repo(self, _name: str) -> "_Api":
        return self

    def get_pulls(self, *, state: str, head: str = "", base: str = "", **_order: str) -> list[Any]:
        branch = head.partition(":")[2]
        if base:
            self._door.world.watch.pulls.looks_below(self._door.process, base)
        listed = self._hub.of(branch) if head else [one for one in self._hub.pulls.values() if one.base == base]
        found = [one for one in listed if state == "all" or one.open]
        return [
            SimpleNamespace(
                number=one.number,
                state="open" if one.open else "closed",
                base=SimpleNamespace(ref=one.base),
                head=SimpleNamespace(ref=one.branch),
            )
            for one in found
        ]

    def create_pull(self, *, base: str, head: str, title: str, body: str) -> Any:
        self.wrote = True
        pull = self._hub.opens(head, base, title, OWN)
        self._door.world.watch.pulls.opened(pull)
        return SimpleNamespace(number=pull.number)

    def get_pull(self, number: int) -> Any:
        hub = self._hub
        pull = hub.get(number)
        head = hub.head(pull)
        base = hub.git.tip(pull.base)
        if hub.house.vast and not hub.calm and hub.chance.random() < 0.5:
            raise Refusal(422, "Server Error: Sorry, this diff is taking too long to generate.")
        mine = hub.git.commits[head].tree
        before = hub.git.commits[hub.git.fork(head, base)].tree if base else {}
        changed = sorted(path for path in {*mine, *before} if mine.get(path) != before.get(path))
        files = [SimpleNamespace(filename=path, previous_filename=None) for path in changed]
        return SimpleNamespace(get_files=lambda: files, head=SimpleNamespace(sha=head))

    def get_issue(self, number: int) -> Any:
        pull, hub = self._hub.get(number), self._hub

        def create(body: str) -> Any:
            self.wrote = True
            self._door.world.watch.pulls.replies(pull, "", pull.conversation, body)
            return SimpleNamespace(id=hub.says(pull, body, OWN).id)

        def edit(remark: Remark, body: str) -> None:
            self.wrote = True
            remark.body, remark.edited = body, now()

        told = [
            SimpleNamespace(
                id=one.id, body=one.body, user=SimpleNamespace(login=one.by, id=_number(one.by)),
                edit=lambda body, one=one: edit(one, body),
            )
            for one in pull.conversation
        ]  # fmt: skip
        return SimpleNamespace(get_comments=lambda: told, create_comment=create)

    def requestJsonAndCheck(  # noqa: N802  # PyGithub's name
        self,
        method: str,
        url: str,
        input: Mapping[str, Any] | None = None,  # noqa: A002
    ) -> tuple[Mapping[str, str], Any]:
        path, _, query = url.removeprefix(f"/repos/{NAME}").partition("?")
        self.wrote = self.wrote or method != "GET"
        return {}, self._route(method, [unquote(part) for part in path.split("/")[1:]], query, dict(input or {}))

    def _route(self, method: str, path: list[str], query: str, body: Node) -> Any:
        hub = self._hub
        match method, path:
            case "GET", []:
                page = f"https://github.com/{NAME}"
                return {"full_name": NAME, "default_branch": "main", "clone_url": f"{page}.git", "html_url": page}
            case "PUT", ["pulls", number, "merge"]:
                pull = hub.get(int(number))
                self._door.world.meanwhile.before_merge(pull)
                head = hub.head(pull)
                hub.merges(pull, body["merge_method"], body.get("sha"), OWN)
                self._door.world.watch.pulls.merges(self._door.process, pull, head, "merge")
                self._door.world.meanwhile.after_merge(pull)
            case "GET", ["pulls", number]:
                pull = hub.get(int(number))
                return {
                    "merged": pull.merged,
                    "head": {"sha": hub.head(pull), "ref": pull.branch, "repo": {"full_name": NAME}},
                }
            case "GET", ["branches", *branch]:
                if "/".join(branch) not in hub.git.refs:
                    raise Refusal(404, "Branch not found")
                return {"name": "/".join(branch)}
            case "GET", ["git", "ref", "heads", *branch]:
                if (tip := hub.git.tip("/".join(branch))) is None:
                    raise Refusal(404, "Not Found")
                self._door.world.watch.pulls.tips[self._door.process.name, "/".join(branch)] = tip
                return {"object": {"sha": tip}}
            case "PATCH", ["pulls", number]:
                pull = hub.get(int(number))
                if "base" in body:
                    hub.retargets(pull, body["base"], OWN)
                if body.get("state") == "closed":
                    hub.closes(pull, OWN)
            case "DELETE", ["git", "refs", "heads", *branch]:
                self._door.world.watch.pulls.throws_away(self._door.process, "/".join(branch))
                hub.deleted("/".join(branch), OWN)
            case "POST", ["pulls", number, "requested_reviewers"]:
                hub.asks(hub.get(int(number)), body["reviewers"])
            case "GET", ["commits", head, "check-runs"]:
                name = "Callboard" if "Callboard" in query else "test"
                found = [one for one in hub.checks.of.get(head, ()) if one.name == name]
                return {"check_runs": [_run(one) for one in found]}
            case "POST", ["check-runs"]:
                check = Check(hub.number(), "Callboard", 0, SLUG)
                hub.checks.of.setdefault(body["head_sha"], []).append(check)
                _says(check, body)
                hub.tell_check("created", check, body["head_sha"])
            case "PATCH", ["check-runs", id_]:
                head, check = next((h, c) for h, all_ in hub.checks.of.items() for c in all_ if c.id == int(id_))
                _says(check, body)
                hub.tell_check("created", check, head)
            case "POST", ["check-suites", suite, "rerequest"]:
                head = next(h for h, all_ in hub.checks.of.items() for c in all_ if c.suite == int(suite))
                hub.checks.runs(head, int(suite))
            case "GET", ["check-runs", id_]:
                check = next(c for all_ in hub.checks.of.values() for c in all_ if c.id == int(id_))
                return {"output": {"title": check.title, "summary": check.summary, "text": ""}}
            case "GET", ["check-runs", _, "annotations"]:
                return []
            case "GET", ["collaborators", login, "permission"]:
                return {"permission": WRITERS.get(login, "none"), "user": {"id": _number(login)}}
            case _:
                raise AssertionError((method, path))
        return {}


def _run(one: Check) -> Node:
    return {
        "id": one.id, "status": one.status, "conclusion": one.conclusion or None, "app": {"slug": one.app},
        "check_suite": {"id": one.suite}, "output": {"title": one.title, "summary": one.summary},
        "details_url": "https://callboard.example",
    }  # fmt: skip


def _says(check: Check, body: Node) -> None:
    check.status, check.conclusion = body["status"], body.get("conclusion", "")
    check.title, check.summary = body["output"]["title"], body["output"]["summary"]


assert OUR_MAIL.startswith("7+")
