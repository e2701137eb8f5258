"""The truth of Linear: issues with all that hangs on them, and what people, automation and the service do to them.

Comments, relations and labels are kept as Linear's wire would tell them and are never changed in place, so that a
picture that was taken once stays as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bot.linear import wire
from bot.linear.errors import classify
from bot.machine.stages import LABELS, ORCHESTRATE, STATES, WORKER
from tests.simulation.clock import now

Node = dict[str, Any]
_Wire = TypeVar("_Wire", bound=wire.Wire)
TEAM = "YOU"
ELSEWHERE = "OPS"
"""A team that has nothing but Linear's own states, until somebody runs `callboard setup` there."""
QUIET_HISTORY = timedelta(minutes=3)
"""Linear writes no history of an issue that is younger."""


def user(name: str, *, active: bool = True, guest: bool = False, app: bool = False) -> Node:
    """A user as the wire tells it."""
    return {"id": f"user-{name}", "name": name, "active": active, "guest": guest, "app": app}


ALICE, BOB, GINA = user("alice"), user("bob"), user("gina", guest=True)
OLAF = user("olaf", active=False)
US = user("callboard", app=True)
BEFORE = user("owner")
"""The person with whose key the service was tried first, where it was."""
ROBOT = user("robot", app=True)


_WHOLE = wire.PageInfo()
_NO_DOCUMENTS, _NO_CHILDREN = wire.Documents(), wire.Issues()
"""Read once, since nobody adds to a list that is whole."""


def _page(nodes: list[Any]) -> Node:
    """A whole list."""
    return {"nodes": nodes, "pageInfo": _WHOLE}


def by_us(comment: Node) -> bool:
    """Whether the service said it, as whomever."""
    return comment["user"] is US or comment["user"] is BEFORE


@dataclass
class Issue:
    """An epic or ticket."""

    id: str
    number: int
    title: str
    description: str
    parent: str | None
    """None above everything; empty when it was taken out of its epic, and is part of something else."""
    state: str
    labels: dict[str, None] = field(default_factory=dict)
    comments: list[Node] = field(default_factory=list)
    blocked_by: list[str] = field(default_factory=list)
    attachments: dict[str, Node] = field(default_factory=dict)
    documents: dict[str, Node] = field(default_factory=dict)
    history: list[Node] = field(default_factory=list)
    labelled: list[Node] = field(default_factory=list)
    """The part of its history that tells of labels, newest first."""
    creator: Node = field(default_factory=lambda: ALICE)
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    priority: int = 0
    archived: datetime | None = None
    deleted: bool = False
    trashed: bool = False
    """Deleted by a person: Linear shows it among archived things for a month."""
    mover: str = ""
    """Who put it where it stands: "service", "person", "automation"."""
    version: int = 0
    """Counts its changes."""
    team: str = TEAM
    """Where it is."""
    names: list[str] = field(default_factory=list)
    """What people called it, newest last: each team that it comes into gives it another identifier."""
    begun: str = ""
    """The branch that a worker was at last."""
    home: str = ""
    """The epic that it was made for."""
    left: bool = False
    """Whether it was ever taken out of that, also when it is there again."""

    @property
    def lone(self) -> bool:
        """Whether it is a ticket that runs alone: from the beginning, or since it was taken out of its epic."""
        return self.id.startswith("lone-") or (self.parent == "" and WORKER in self.labels)

    @property
    def caller(self) -> str:
        """The label by which it is called."""
        return WORKER if self.lone else ORCHESTRATE

    @property
    def departed(self) -> bool:
        """Whether it was taken out of its epic, or deleted for ever."""
        return bool(self.home) and (self.parent == "" or self.deleted)

    @property
    def root(self) -> str:
        """The id of what is looked at when something becomes of it."""
        return self.parent or self.id

    @property
    def identifier(self) -> str:
        """What people call it."""
        return self.names[-1]

    @property
    def branch(self) -> str:
        """The branch of its work; what has begun keeps it."""
        return self.begun or f"agent/{self.identifier}"

    def has(self, branch: str) -> bool:
        """Whether its work is on this branch, or may have been."""
        return branch.removeprefix("agent/") in self.names


@dataclass
class Linear:
    """One workspace with one team. `changed` is told of everything, for webhooks: (event, action, data, by)."""

    changed: Callable[[str, str, Node, str], None]
    issues: dict[str, Issue] = field(default_factory=dict)
    states: dict[str, Node] = field(default_factory=dict)
    elsewhere: dict[str, Node] = field(default_factory=dict)
    """The states of the other team."""
    labels: dict[str, str] = field(default_factory=dict)
    """Ids by name."""
    gone_words: dict[str, datetime] = field(default_factory=dict)
    """When a comment was deleted or edited, by its id."""
    made: set[str] = field(default_factory=set)
    """Every id that was ever used."""
    number: int = 0
    account: Node = field(default_factory=lambda: US)
    """As whom a process acts that is started now."""
    _nodes: dict[str, tuple[tuple[object, ...], wire.Issue]] = field(default_factory=dict)
    _pictures: dict[str, tuple[tuple[int, ...], tuple[object, ...], wire.Issue]] = field(default_factory=dict)
    _known: dict[int, tuple[Node, wire.Wire]] = field(default_factory=dict)
    """What the service's models made of each node, which is kept so that its id stays its own."""

    def __post_init__(self) -> None:
        for place, state in enumerate(STATES.values()):
            self.states[f"state-{place}"] = {
                "id": f"state-{place}", "name": state.name, "type": state.type, "position": float(place),
            }  # fmt: skip
        for place, (name, kind) in enumerate(
            (("Triage", "triage"), ("In Review", "started"), ("Duplicate", "duplicate"))
        ):
            key = f"other-{place}"
            self.states[key] = {"id": key, "name": name, "type": kind, "position": 100.0 + place}
        for place, (name, kind) in enumerate(
            (("Todo", "unstarted"), ("In Progress", "started"), ("Done", "completed"), ("Canceled", "canceled"))
        ):
            key = f"{ELSEWHERE}-{place}"
            self.elsewhere[key] = {"id": key, "name": name, "type": kind, "position": float(place)}
        for name in LABELS:
            self.labels[str(name)] = f"label-{name}"

    # ---- what is asked

    def issue(self, reference: str) -> Issue:
        """By id or identifier, also one that it had.

        Raises:
            NotFound: there is none, or it was deleted.
        """
        found = self.issues.get(reference) or next(
            (one for one in self.issues.values() if reference in one.names), None
        )
        if found is None or found.deleted:
            raise classify([{"message": "Entity not found: Issue", "extensions": {"type": "invalid input"}}], 200, {})
        return found

    def of_branch(self, branch: str) -> Issue | None:
        """The issue whose work is on a branch."""
        return next((one for one in self.issues.values() if one.has(branch)), None)

    def children(self, epic: str) -> list[Issue]:
        """Newest first, as Linear lists them."""
        return [one for one in reversed(self.issues.values()) if one.parent == epic and not one.deleted]

    def name_of(self, issue: Issue) -> str:
        """The name of the state that it is in."""
        return str(self.state_of(issue)["name"])

    def kind_of(self, issue: Issue) -> str:
        """Linear's type of the state that it is in."""
        return str(self.state_of(issue)["type"])

    def states_of(self, team: str) -> dict[str, Node]:
        """The workflow states of a team."""
        return self.states if team == TEAM else self.elsewhere

    def state_of(self, issue: Issue) -> Node:
        """The state that it is in."""
        return self.states_of(issue.team)[issue.state]

    def state_named(self, name: str) -> str:
        """The id of a state, or of the first one when it was renamed."""
        return next((key for key, one in self.states.items() if one["name"] == name), next(iter(self.states)))

    def picture(self, issue: Issue) -> wire.Issue:
        """An epic with all that belongs to it."""
        own, below = self.node(issue), [self.node(one) for one in self.children(issue.id)]
        parts = (own, *below, *issue.documents.values())
        seen = tuple(map(id, parts))
        known = self._pictures.get(issue.id)
        if known is None or known[0] != seen:
            documents = wire.Documents(nodes=[self._read(wire.Document, one) for one in issue.documents.values()])
            whole = own.model_copy(update={"documents": documents, "children": wire.Issues(nodes=below)})
            known = self._pictures[issue.id] = seen, parts, whole  # while they are kept their ids stay their own
        return known[2]

    def shape(self, issue: Issue) -> tuple[object, ...]:
        """Changes whenever anything does that is told about an issue."""
        below = [self.issues[one] for one in issue.blocked_by]
        return (
            issue.version, id(self.state_of(issue)),
            *((one.id, id(self.state_of(one)), one.archived, one.deleted, one.identifier) for one in below),
        )  # fmt: skip

    def node(self, issue: Issue) -> wire.Issue:
        """An issue as the wire tells it, and as the service reads it: the same object until something changes."""
        shape = self.shape(issue)
        known = self._nodes.get(issue.id)
        if known is None or known[0] != shape:
            known = self._nodes[issue.id] = shape, wire.Issue.model_validate(self._told(issue))
        return known[1]

    def _told(self, issue: Issue) -> Node:
        known = self._known
        return {
            "id": issue.id,
            "identifier": issue.identifier,
            "title": issue.title,
            "description": issue.description,
            "url": f"https://linear.app/acme/issue/{issue.identifier}",
            "priority": issue.priority,
            "createdAt": issue.created,
            "archivedAt": issue.archived,
            "trashed": issue.trashed or None,
            "team": {"key": issue.team},
            "project": None,
            "parent": {"id": issue.parent} if issue.parent else None,
            "state": self._read(wire.State, self.state_of(issue)),
            "labels": _page([{"name": name} for name in issue.labels]),
            "inverseRelations": _page(
                [self._relation(one) for one in issue.blocked_by if not self.issues[one].deleted]
            ),
            "attachments": _page([self._read(wire.Attachment, one) for one in issue.attachments.values()]),
            "comments": _page(
                [(known.get(id(one)) or self._reads(wire.Comment, one))[1] for one in reversed(issue.comments)]
            ),
            "documents": _NO_DOCUMENTS,
            "children": _NO_CHILDREN,
        }  # fmt: skip

    def _read(self, kind: type[_Wire], node: Node) -> _Wire:
        """The node as the service's own model reads it; once, since no node is ever changed in place."""
        read = (self._known.get(id(node)) or self._reads(kind, node))[1]
        assert isinstance(read, kind)
        return read

    def _reads(self, kind: type[wire.Wire], node: Node) -> tuple[Node, wire.Wire]:
        known = self._known[id(node)] = node, kind.model_validate(node)
        return known

    def _relation(self, blocker: str) -> Node:
        one = self.issues[blocker]
        return {
            "type": "blocks",
            "issue": {
                "id": one.id, "identifier": one.identifier, "archivedAt": one.archived, "trashed": one.trashed or None,
                "state": self._read(wire.State, self.state_of(one)),
            },
        }  # fmt: skip

    def root(self, issue: Issue) -> Node:
        """An issue with what is above it."""
        above = self.issues.get(issue.parent or "")
        return {
            "id": issue.id,
            "identifier": issue.identifier,
            "title": issue.title,
            "team": {"key": issue.team},
            "project": None,
            "state": self.state_of(issue),
            "labels": _page([{"name": name} for name in issue.labels]),
            "parent": self.root(above) if above else None,
            "attachments": _page([self._read(wire.Attachment, one) for one in issue.attachments.values()]),
        }

    def team(self, key: str = TEAM) -> Node:
        """A team as the wire tells it."""
        return {
            "id": f"team-{key.lower()}", "key": key, "name": "YouLab",
            "states": _page([self._read(wire.State, one) for one in self.states_of(key).values()]),
            "labels": _page([{"id": key, "name": name, "isGroup": False} for name, key in self.labels.items()]),
            "members": _page([ALICE, BOB]),
        }  # fmt: skip

    # ---- what is done

    def create(
        self,
        id_: str,
        title: str,
        description: str,
        parent: str | None,
        state: str,
        labels: list[str],
        by: Node = ALICE,
    ) -> Issue:
        """A new issue."""
        self.number += 1
        issue = Issue(id_, self.number, title, description, parent, state, dict.fromkeys(labels), home=parent or "")
        issue.creator = by
        issue.names.append(f"{TEAM}-{self.number}")
        self.issues[id_] = issue
        self.made.add(id_)
        self._tell("Issue", "create", issue)
        return issue

    def move(self, issue: Issue, state: str, who: str, by: Node | None, robot: Node | None = None) -> None:
        """Put an issue into a state; where its team has none of that name nobody can."""
        if state not in self.states_of(issue.team):
            name = (self.states | self.elsewhere)[state]["name"]
            state = next((key for key, one in self.states_of(issue.team).items() if one["name"] == name), issue.state)
        if issue.state == state:
            return
        issue.state, issue.mover = state, who
        if now() - issue.created >= QUIET_HISTORY:
            issue.history.insert(0, {"createdAt": now(), "toStateId": state, "actor": by, "botActor": robot})
        self._tell("Issue", "update", issue, who)

    def label(
        self,
        issue: Issue,
        add: tuple[str, ...] = (),
        remove: tuple[str, ...] = (),
        who: str = "person",
        by: Node | None = ALICE,
        robot: Node | None = None,
    ) -> None:
        """Change the labels of an issue, by their names."""
        for name in add:
            if name not in self.labels:  # whoever wants one that was deleted makes it
                self.labels[name] = f"label-{name}-of-{issue.id}-{issue.version}"
            if name not in issue.labels and now() - issue.created >= QUIET_HISTORY:
                told = {"createdAt": now(), "addedLabels": [{"name": name}], "actor": by, "botActor": robot}
                issue.labelled.insert(0, told)
            issue.labels[name] = None
        for name in remove:
            issue.labels.pop(name, None)
        self._tell("Issue", "update", issue, who)

    def comment(
        self, issue: Issue, id_: str, body: str, by: Node | None, parent: str | None = None, **more: Any
    ) -> Node:
        """Somebody says something.

        Raises:
            UserError: it answers a comment that is not there, or stands on another issue.
        """
        if parent is not None and not any(one["id"] == parent for one in issue.comments):
            elsewhere = any(one["id"] == parent for other in self.issues.values() for one in other.comments)
            refused = (
                "Parent comment must be on the same issue"
                if elsewhere
                else "Entity not found in validateAccess: parentId"
            )
            raise classify([{"message": refused, "extensions": {"type": "invalid input"}}], 200, {})
        said = {
            "id": id_, "body": body, "createdAt": now(), "editedAt": None, "url": "", "parentId": parent, "user": by,
            **more,
        }  # fmt: skip
        issue.comments.append(said)
        self.made.add(id_)
        self._tell("Comment", "create", issue, "service" if by_us(said) else "person", id_)
        return said

    def rewrite(self, issue: Issue, comment: str, body: str, *, edited: bool = True, who: str = "person") -> None:
        """A comment has another text."""
        place = next(index for index, one in enumerate(issue.comments) if one["id"] == comment)
        issue.comments[place] = {**issue.comments[place], "body": body} | ({"editedAt": now()} if edited else {})
        self.gone_words.setdefault(comment, now())
        self._tell("Comment", "update", issue, who, comment)

    def unsay(self, issue: Issue, comment: str) -> None:
        """A comment is deleted."""
        issue.comments = [one for one in issue.comments if one["id"] != comment]
        self.gone_words.setdefault(comment, now())
        self._tell("Comment", "remove", issue, "person", comment)

    def transfer(self, issue: Issue) -> None:
        """An issue is moved into the other team, into a state of its that has the same name or type."""
        before = self.state_of(issue)
        issue.team = ELSEWHERE if issue.team == TEAM else TEAM
        self.number += 1
        issue.names.append(f"{issue.team}-{self.number}")
        there = self.states_of(issue.team).items()
        alike = [key for key, one in there if one["name"] == before["name"]]
        alike += [key for key, one in there if one["type"] == before["type"]]
        issue.state, issue.mover = (*alike, next(iter(dict(there))))[0], "person"
        if now() - issue.created >= QUIET_HISTORY:
            issue.history.insert(0, {"createdAt": now(), "toStateId": issue.state, "actor": ALICE, "botActor": None})
        self._tell("Issue", "update", issue)

    def sets_up(self, team: str) -> None:
        """`callboard setup`: the team has a workflow state for every stage."""
        there = self.states_of(team)
        for place, state in enumerate(STATES.values()):
            if state.name not in {one["name"] for one in there.values()}:
                key = f"{team}-made-{place}"
                there[key] = {"id": key, "name": state.name, "type": state.type, "position": 50.0 + place}

    def begins(self, issue: Issue, branch: str) -> None:
        """A worker is at it, on this branch; nobody is told on Linear."""
        if issue.begun != branch:
            issue.begun = branch
            issue.version += 1

    def take_out(self, issue: Issue) -> None:
        """A ticket is part of something else from now on."""
        issue.parent, issue.left = "", True
        self._tell("Issue", "update", issue)

    def move_over(self, issue: Issue, epic: str) -> None:
        """A ticket is part of another epic from now on."""
        issue.parent, issue.left = epic, True
        self._tell("Issue", "update", issue)

    def put_back(self, issue: Issue) -> None:
        """A ticket is part of its epic again."""
        issue.parent = issue.home
        self._tell("Issue", "update", issue)

    def destroy(self, issue: Issue) -> None:
        """An issue is deleted for ever."""
        issue.deleted = issue.left = True
        self._tell("Issue", "remove", issue)

    def detach(self, issue: Issue, attachment: str, *, used: bool) -> None:
        """An attachment is removed; nobody knows whether Linear takes its id for `used` from then on."""
        del issue.attachments[attachment]
        if not used:
            self.made.discard(attachment)
        self._tell("Attachment", "remove", issue, "person", attachment)

    def drop(self, issue: Issue, document: str) -> None:
        """A document is put into the trash, where a write finds it."""
        issue.documents[document] = {**issue.documents[document], "trashed": True}
        issue.version += 1
        self.changed("Document", "remove", {"id": document}, "person")

    def unmake_label(self, name: str, *, used: bool) -> None:
        """A label is deleted, and gone from everything that bore it; nobody is told of each issue."""
        id_ = self.labels.pop(name)
        self.made.add(id_) if used else self.made.discard(id_)
        for issue in self.issues.values():
            if issue.labels.pop(name, self) is not self:
                issue.version += 1

    def attach(self, issue: Issue, id_: str, metadata: Node, who: str) -> None:
        """An attachment has this metadata."""
        issue.attachments[id_] = {"id": id_, "metadata": metadata}
        self.made.add(id_)
        self._tell("Attachment", "update", issue, who, id_)

    def write(self, issue: Issue, id_: str, title: str, content: str, who: str) -> None:
        """A document has this content."""
        issue.documents[id_] = {
            "id": id_, "title": title, "content": content, "updatedAt": now(), "url": f"https://linear.app/{id_}",
            "trashed": None,
        }  # fmt: skip
        self.made.add(id_)
        issue.updated = now()
        issue.version += 1
        self.changed("Document", "update", {"id": id_}, who)

    def relate(self, blocker: str, blocked: str, who: str) -> None:
        """One issue blocks another."""
        issue = self.issues[blocked]
        if blocker not in issue.blocked_by:
            issue.blocked_by.append(blocker)
        self._tell("Issue", "update", issue, who)

    def touch(self, issue: Issue) -> None:
        """Something about an issue changed that has no verb here."""
        self._tell("Issue", "update", issue)

    def _tell(self, event: str, action: str, issue: Issue, who: str = "person", thing: str = "") -> None:
        issue.updated = now()
        issue.version += 1
        data: Node = {"id": thing, "issueId": issue.id} if thing else {"id": issue.id}
        if not thing and issue.parent:
            data["parentId"] = issue.parent
        self.changed(event, action, data, who)
