"""Read Linear into facts: an epic with all that belongs to it in one request per 50 tickets.

How many tickets and comments one request asks for is chosen so that it stays within Linear's complexity limit. The
number of tickets seen last is remembered, and a small epic gets longer lists of comments: it only saves requests,
what the lists leave over is read in any case.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from bot.linear import wire
from bot.linear.callers import caller
from bot.linear.client import LinearClient
from bot.linear.complexity import MOST, cost
from bot.linear.directory import Directory
from bot.linear.errors import NotFound
from bot.linear.marker import effect_id
from bot.linear.movers import with_movers
from bot.linear.newest import Ledger, with_newest
from bot.linear.operations import combined, operation
from bot.linear.reading import OVER, Reader, document, labels_of
from bot.machine.facts import Call, Document, Issue
from bot.machine.record import Record
from bot.machine.stages import ORCHESTRATE, WORKER, Stage

PAGE = 50
"""Most tickets that one request reads."""
GUESS = 16
"""Tickets that an epic is taken to have before it was read: all its lists then fit into one request; a larger one takes
one request more, once."""
MOST_COMMENTS = 50
ROOM = 8
"""So many more comments than at the last look are asked for; what comes beyond is read in one more request."""
LATELY = timedelta(days=14)
"""For how long something that Linear counts as over is still looked at by the resync."""
_MORE = {
    "labels": "more_labels",
    "inverseRelations": "more_relations",
    "attachments": "more_attachments",
    "comments": "more_comments",
    "documents": "more_documents",
}


@dataclass(frozen=True)
class LinearPicture:
    """An epic, or a lone ticket, as Linear tells it now. `viewer` is the id of the user we are."""

    epic: Issue
    tickets: tuple[Issue, ...]
    documents: tuple[Document, ...]
    viewer: str
    numbers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By issue id: the highest numbers that were given out and that stood there; only for who acts upon the picture."""

    @property
    def document(self) -> Document | None:
        """The document that holds the breakdown: the one that we made, known by its id."""
        ours = effect_id("document", self.epic.id)
        return next((one for one in self.documents if one.id == ours), None)


@dataclass(frozen=True)
class Root:
    """The issue that a round is about: an epic, or a ticket that runs alone."""

    id: str
    identifier: str
    title: str
    team: str
    project: str
    labels: frozenset[str]
    over: bool
    """Whether Linear counts it as completed, canceled or a duplicate."""

    @property
    def lone(self) -> bool:
        """Whether it is a ticket that runs alone."""
        return WORKER in self.labels and ORCHESTRATE not in self.labels

    @property
    def called(self) -> bool:
        """Whether it bears a label that makes it ours."""
        return ORCHESTRATE in self.labels or WORKER in self.labels


@dataclass(frozen=True)
class Viewer:
    """Who we are on Linear, and where. `app` is False with a personal key."""

    id: str
    name: str
    app: bool
    admin: bool
    workspace: str
    workspace_key: str


class Observer:
    """Reads through one client. Give a directory when comments should tell the teams of their authors."""

    def __init__(
        self,
        client: LinearClient,
        *,
        states: Callable[[], Mapping[Stage, str]],
        keys: Sequence[str],
        directory: Directory | None = None,
    ) -> None:
        self._client, self._states, self._keys, self._directory = client, states, keys, directory
        self._seen: dict[str, tuple[int, int]] = {}
        self.app = ""
        """The id of the app user that we are; empty until an epic was read, and when we use a person's key."""

    async def observe_epic(self, issue: str, ledger: Ledger | None = None) -> LinearPicture:
        """The epic with this id or identifier: tickets, labels, relations, records, comments, documents.

        What is below it and was called by itself is none of its tickets.

        Where an issue is not in the stage that its record remembers, one more request tells who moved it. Whoever acts
        upon the picture gives the ledger, against which its records are held.

        Raises:
            NotFound: there is no such issue, or we may not see it.
            Transient: what Linear shows may be older than what was written last.
        """
        expected, comments = self._seen.get(issue, (GUESS, MOST_COMMENTS))
        shape = shape_for(expected, most=comments)
        answer = await self._client.execute("epic", {"id": issue, **shape})
        epic = wire.Issue.model_validate(answer["issue"])
        viewer = str(answer["viewer"]["id"])
        self.app = viewer if answer["viewer"]["app"] else ""
        while epic.children.pageInfo.hasNextPage:
            shape = shape_for(PAGE, "tickets")
            more = {"id": epic.id, "after": epic.children.pageInfo.endCursor, **shape}
            _extend(epic.children, (await self._client.execute("tickets", more))["issue"]["children"])
        await self._complete([epic, *epic.children.nodes])
        epic.children.nodes = [one for one in epic.children.nodes if not self._stands_alone(one)]
        self._remember(issue, epic)
        reader = Reader(self._states(), self._keys, viewer, await self._teams())
        seen = [reader.issue(node) for node in (epic, *epic.children.nodes)]
        numbers: Mapping[str, tuple[int, int]] = {}
        if ledger is not None:
            seen, numbers = await with_newest(ledger, self._keys, seen)
        first, *tickets = await with_movers(self._client, reader, seen)
        return LinearPicture(
            epic=first,
            tickets=tuple(tickets),
            documents=tuple(document(node) for node in epic.documents.nodes if not node.trashed),
            viewer=viewer,
            numbers=numbers,
        )

    async def caller(self, issue: str, label: str, viewer: str) -> Call:
        """Who put `label` on the issue; `viewer` is the user we are. One request, as a rule."""
        return await caller(self._client, issue, label, viewer)

    async def observe_roots(self, labels: Iterable[str], teams: Iterable[str], now: datetime) -> tuple[Root, ...]:
        """Everything in these teams that bears one of these labels and has something left to do.

        What Linear counts as over is among them for two weeks, until its record says that nothing is left to do there.
        """
        wanted: dict[str, Any] = {
            "team": {"key": {"in": sorted(teams)}},
            "labels": {"some": {"or": [{"name": {"eqIgnoreCase": label}} for label in sorted(labels)]}},
            "or": [{"state": {"type": {"nin": sorted(OVER)}}}, {"updatedAt": {"gt": (now - LATELY).isoformat()}}],
        }
        page = wire.Roots()
        more = True
        while more:
            answer = await self._client.execute("roots", {"filter": wanted, "after": page.pageInfo.endCursor})
            _extend(page, answer["issues"])
            more = page.pageInfo.hasNextPage
        return tuple(_root(node) for node in page.nodes if self._live(node))

    async def resolve(self, reference: str) -> Root:
        """The root of the issue with this id or identifier, or of the issue that the document with this id is on.

        It is the nearest that was called already; else the highest that is labelled `orchestrate`, else itself when
        labelled `worker`, else its parent, else itself. So whoever labels what is above something that runs, a guest
        perhaps, takes nothing away from it. `called` tells whether it bears a label at all.

        Raises:
            NotFound: there is neither.
        """
        try:
            answer = await self._client.execute("resolve", {"id": reference})
        except NotFound:
            holder = (await self._client.execute("resolve_document", {"id": reference}))["document"]["issue"]
            if holder is None:
                raise
            answer = await self._client.execute("resolve", {"id": holder["id"]})
        node = wire.Root.model_validate(answer["issue"])
        line = [node]
        while line[-1].parent is not None:
            line.append(line[-1].parent)
        if own := next((one for one in line if self._stands_alone(one)), None):
            return _root(own)
        roots = [_root(one) for one in line]
        epic = next((one for one in reversed(roots) if ORCHESTRATE in one.labels), None)
        if epic or WORKER in roots[0].labels:
            return epic or roots[0]
        return roots[1] if len(roots) > 1 else roots[0]

    async def find(self, issue: str) -> tuple[Issue | None, str]:
        """An issue that is not where it was, and whose it is: its own id when it bears a label, or that of its epic.

        None when it was deleted; an empty id when it is nobody's. Two requests, as a rule.
        """
        try:
            root = await self.resolve(issue)
            now = (await self.observe_epic(issue)).epic
        except NotFound:
            return None, ""
        has_it = root.id == now.id or (root.id == now.parent and not root.lone)
        return now, root.id if root.called and has_it else ""

    async def viewer(self) -> Viewer:
        """Who we are; also the cheapest way to learn whether Linear answers and knows us."""
        answer = await self._client.execute("viewer")
        who, where = answer["viewer"], answer["organization"]
        return Viewer(who["id"], who["name"], who["app"], who["admin"], where["name"], where["urlKey"])

    def _live(self, node: wire.Root) -> bool:
        if node.parent and ORCHESTRATE in labels_of(node.parent.labels.nodes) and not self._stands_alone(node):
            return False  # its epic speaks for it
        if node.state is None or node.state.type not in OVER:
            return True
        record = self._record(node)
        return record is not None and not (record.stage.over and record.closed)

    def _stands_alone(self, node: wire.Root | wire.Issue) -> bool:
        """Whether it was called by somebody who may, with a label that it still bears."""
        called = {ORCHESTRATE, WORKER} & labels_of(node.labels.nodes)
        record = self._record(node) if called else None
        return record is not None and record.called in called

    def _record(self, node: wire.Root | wire.Issue) -> Record | None:
        record, _, _ = Reader(self._states(), self._keys).record(node.id, node.attachments.nodes)
        return record

    async def _teams(self) -> Mapping[str, tuple[str, ...]]:
        return await self._directory.memberships() if self._directory else {}

    def _remember(self, issue: str, epic: wire.Issue) -> None:
        """How long the lists were: the next look asks for a little more than that, and pays for no more."""
        comments = max(len(one.comments.nodes) for one in (epic, *epic.children.nodes))
        self._seen.pop(issue, None)
        self._seen[issue] = len(epic.children.nodes), min(MOST_COMMENTS, comments + ROOM)
        if len(self._seen) > 1000:
            del self._seen[next(iter(self._seen))]

    async def _complete(self, issues: Sequence[wire.Issue]) -> None:
        """Read what the nested lists left over, many lists in one request."""
        while wanting := [(one, name) for one in issues for name in _MORE if getattr(one, name).pageInfo.hasNextPage]:
            batch = _affordable(wanting)
            document_text, variables = combined(
                [(_MORE[name], {"id": one.id, "after": getattr(one, name).pageInfo.endCursor}) for one, name in batch]
            )
            answer = await self._client.send(document_text, variables)
            for index, (one, name) in enumerate(batch):
                page = getattr(one, name)
                _extend(page, answer[f"w{index}"][name])


def _affordable(wanting: Sequence[tuple[wire.Issue, str]]) -> Sequence[tuple[wire.Issue, str]]:
    points, count = 0, 0
    for _, name in wanting:
        points += cost(operation(_MORE[name]))
        if points > MOST:
            break
        count += 1
    return wanting[: max(1, count)]


def _extend(page: wire.Page[Any], answer: Any) -> None:
    """Add the next part of a list to what is there. A thing that moved between two reads is kept once."""
    more = type(page).model_validate(answer)
    known = {getattr(node, "id", None) for node in page.nodes} - {None}
    page.nodes.extend(node for node in more.nodes if getattr(node, "id", None) not in known)
    page.pageInfo = more.pageInfo


@cache
def shape_for(expected: int, name: str = "epic", most: int = MOST_COMMENTS) -> dict[str, int]:
    """How long the lists of a request are: room for some more tickets than expected, then the comments, as we can."""
    tickets = min(PAGE, expected + 4)
    relations = 20 if tickets <= 20 else 6  # the documentation ticket is blocked by all the others
    shapes = ({"tickets": tickets, "comments": comments, "relations": relations} for comments in range(most, 1, -1))
    return next(shape for shape in shapes if cost(operation(name), shape) <= MOST)


def _root(node: wire.Root) -> Root:
    return Root(
        id=node.id,
        identifier=node.identifier,
        title=node.title,
        team=node.team.key if node.team else "",
        project=node.project.name if node.project else "",
        labels=labels_of(node.labels.nodes),
        over=node.state is not None and node.state.type in OVER,
    )
