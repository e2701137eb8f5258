"""The answers of Linear that we read, as pydantic models of the fragments in `operations/fragments.graphql`.

Names are Linear's. Fields that we did not ask for are left out; words of enumerations are plain text, since Linear
adds some.
"""

from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

# ruff: noqa: N815

T = TypeVar("T")


class Wire(BaseModel):
    """What all of them share."""

    model_config = ConfigDict(extra="ignore")


class PageInfo(Wire):
    """Whether there is more, and where it begins."""

    hasNextPage: bool = False
    endCursor: str | None = None


class Page(Wire, Generic[T]):
    """A connection: the part of a list that one answer holds."""

    nodes: list[T] = Field(default_factory=list)
    pageInfo: PageInfo = Field(default_factory=PageInfo)


class Reference(Wire):
    """Something of which only the id matters; some kinds of actors have none."""

    id: str | None = None
    name: str | None = None


class Named(Wire):
    """Something of which only the name matters."""

    name: str


class Keyed(Wire):
    """A team, by its key."""

    key: str


class State(Wire):
    """A workflow state. `id` and `position` are there only when the directory asked."""

    name: str = ""
    type: str
    id: str = ""
    position: float = 0.0


class User(Wire):
    """A user of the workspace."""

    id: str
    name: str
    active: bool
    guest: bool
    app: bool


class Comment(Wire):
    """A comment with everything that tells a person from all others."""

    id: str
    body: str
    createdAt: datetime
    editedAt: datetime | None = None
    url: str = ""
    parentId: str | None = None
    user: User | None = None
    botActor: Reference | None = None
    externalUser: Reference | None = None
    externalThread: Reference | None = None
    onBehalfOf: Reference | None = None
    agentSession: Reference | None = None
    syncedWith: list[Reference] | None = None


class Attachment(Wire):
    """An attachment, which may hold a record."""

    id: str
    metadata: dict[str, Any] = Field(default_factory=dict)


class Related(Wire):
    """The issue at the other end of a relation."""

    id: str
    identifier: str
    archivedAt: datetime | None = None
    trashed: bool | None = None
    state: State


class Relation(Wire):
    """A relation that points at the issue it was read from."""

    type: str
    issue: Related


class Document(Wire):
    """A document on an epic."""

    id: str
    title: str
    content: str | None = None
    updatedAt: datetime
    url: str = ""
    trashed: bool | None = None


class Issue(Wire):
    """An epic or a ticket."""

    id: str
    identifier: str
    title: str
    description: str | None = None
    url: str
    priority: float
    createdAt: datetime
    archivedAt: datetime | None = None
    trashed: bool | None = None
    team: Keyed
    project: Named | None = None
    parent: Reference | None = None
    state: State
    labels: Page[Named]
    inverseRelations: Page[Relation]
    attachments: Page[Attachment]
    comments: Page[Comment]
    documents: Page[Document] = Field(default_factory=Page[Document])
    children: Page["Issue"] = Field(default_factory=lambda: Issues())


Documents = Page[Document]
Issues = Page[Issue]


class Bot(Wire):
    """An integration or automation that acts for itself."""

    id: str | None = None
    type: str
    name: str | None = None


class Change(Wire):
    """An entry of an issue's history. `toStateId` is there when it moved the issue."""

    createdAt: datetime
    toStateId: str | None = None
    actor: User | None = None
    botActor: Bot | None = None


class Moved(Wire):
    """An issue with its newest changes, and the state it stands in."""

    id: str
    state: State
    history: Page[Change]


class Labelled(Wire):
    """An entry of an issue's history, with the labels that it put there."""

    createdAt: datetime
    addedLabels: list[Named] | None = None
    actor: User | None = None
    botActor: Bot | None = None


class Called(Wire):
    """An issue with who made it, and some of its changes."""

    creator: User | None = None
    botActor: Bot | None = None
    externalUserCreator: Reference | None = None
    history: Page[Labelled]


class Root(Wire):
    """An issue with what is above it."""

    id: str
    identifier: str = ""
    title: str = ""
    team: Keyed | None = None
    project: Named | None = None
    state: State | None = None
    labels: Page[Named] = Field(default_factory=Page[Named])
    parent: "Root | None" = None
    attachments: Page[Attachment] = Field(default_factory=Page[Attachment])


Roots = Page[Root]
"""Named, since pydantic makes a class that nobody holds anew each time."""


class Label(Wire):
    """A label; `isGroup` ones can't be put on an issue."""

    id: str
    name: str
    isGroup: bool


class TargetBranch(Wire):
    """The branches that a rule of the GitHub integration is about."""

    branchPattern: str


class GitAutomation(Wire):
    """What Linear's GitHub integration does with an issue on an event of its pull request."""

    event: str
    state: Named | None = None
    targetBranch: TargetBranch | None = None


class Team(Wire):
    """A team with what a set-up needs."""

    id: str
    key: str
    name: str
    autoCloseParentIssues: bool | None = None
    autoCloseChildIssues: bool | None = None
    states: Page[State]
    labels: Page[Label]
    members: Page[User]
    gitAutomationStates: Page[GitAutomation] = Field(default_factory=Page[GitAutomation])
