"""From what Linear answers to facts. Pure: no request is made here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from bot.linear import wire
from bot.linear.marker import comment_id, effect_id, marker_of, proven
from bot.linear.records import Refusal, sealed, unseal
from bot.machine.facts import Author, Blocking, Comment, Document, Issue
from bot.machine.record import Record, generation_of
from bot.machine.stages import LABELS, Stage

OVER = frozenset({"completed", "canceled", "duplicate"})
"""Types of workflow state in which Linear counts an issue as over."""
GONE = "the record that was kept on Linear is gone"
_CANONICAL = {str(label).casefold(): str(label) for label in LABELS}


@dataclass(frozen=True)
class Reader:
    """Knows what turns wire into facts: names of the states, our keys, who we are, and the teams of people."""

    states: Mapping[Stage, str]
    keys: Sequence[str]
    viewer: str = ""
    teams: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Team keys by user id."""

    def stage(self, name: str) -> Stage | None:
        """The stage a workflow state stands for, whatever the case of its name."""
        return next((stage for stage, mapped in self.states.items() if mapped.casefold() == name.casefold()), None)

    def issue(self, node: wire.Issue) -> Issue:
        """An epic or ticket; its nested lists must be complete."""
        oldest_first = node.comments.nodes[::-1]  # Linear answers the newest first
        oldest_first.sort(key=attrgetter("createdAt"))
        comments = tuple([self.comment(node.id, one) for one in oldest_first])
        signed, untrue, kept = self.record(node.id, node.attachments.nodes)
        record, refused = _newest(signed, untrue, comments)
        return Issue(
            id=node.id,
            identifier=node.identifier,
            title=node.title,
            description=node.description or "",
            url=node.url,
            team=node.team.key,
            stage=self.stage(node.state.name),
            state_name=node.state.name,
            state_type=node.state.type,
            labels=labels_of(node.labels.nodes),
            priority=int(node.priority),
            created_at=node.createdAt,
            comments=comments,
            blocked_by=tuple(self._blocking(one.issue) for one in node.inverseRelations.nodes if one.type == "blocks"),
            record=record,
            shown=signed.number if signed else None,
            kept=kept,
            record_refused=refused,
            parent=node.parent.id if node.parent else None,
            project=node.project.name if node.project else "",
            archived=node.archivedAt is not None or bool(node.trashed),
        )

    def comment(self, issue: str, node: wire.Comment) -> Comment:
        """A comment on the issue with this id."""
        marker = marker_of(node.body)
        by_us = node.user is not None and node.user.id == self.viewer
        ours = marker is not None and (
            proven(marker, comment=node.id, issue=issue, keys=self.keys)
            or (by_us and node.id == comment_id(issue, marker.topic))
        )
        author = self._author(node)
        return Comment(
            id=node.id,
            body=node.body,
            author=replace(author, person=False) if author and ours else author,
            created_at=node.createdAt,
            edited=node.editedAt is not None,
            ours=ours,
            topic=marker.topic if marker and ours else "",
            parent=node.parentId,
            url=node.url,
            editable=by_us or node.user is None,
        )

    def record(self, issue: str, attachments: Sequence[wire.Attachment]) -> tuple[Record | None, str, str]:
        """The record among an issue's attachments, or why the one that was found is not believed; and where it is.

        The attachment with the id that we gave decides. Without it (somebody had attached our address before, or
        deleted it) the furthest of those that are signed does.
        """
        found = {one.id: one.metadata for one in attachments if sealed(one.metadata)}
        ours = effect_id("record", issue)
        read = [(unseal(found[id_], issue, self.keys), id_) for id_ in ([ours] if ours in found else found)]
        records = [(one, id_) for one, id_ in read if isinstance(one, Record)]
        if records:
            newest, kept = max(records, key=lambda one: _progress(one[0]))
            return newest, "", kept
        return next(((None, one.reason, id_) for one, id_ in read if isinstance(one, Refusal)), (None, "", ""))

    def _author(self, node: wire.Comment) -> Author | None:
        stranger = node.botActor or node.externalUser
        if node.user is None:
            return Author(stranger.id or "", stranger.name or "", person=False, app=True) if stranger else None
        strange = stranger or node.externalThread or node.onBehalfOf or node.agentSession or node.syncedWith
        user = node.user
        return Author(
            id=user.id,
            name=user.name,
            person=not strange and user.active and not user.guest and not user.app,
            active=user.active,
            guest=user.guest,
            app=user.app,
            teams=self.teams.get(user.id, ()),
        )

    def _blocking(self, node: wire.Related) -> Blocking:
        return Blocking(
            issue=node.id,
            identifier=node.identifier,
            stage=self.stage(node.state.name),
            state_name=node.state.name,
            over=node.state.type in OVER or node.archivedAt is not None or bool(node.trashed),
        )


def _progress(record: Record) -> tuple[int, ...]:
    return record.number, record.generation, record.settled, record.turns, len(record.heard)


def _newest(record: Record | None, refused: str, comments: Sequence[Comment]) -> tuple[Record | None, str]:
    """The record, unless we ourselves said something since that only a newer one could have said.

    An old record of ours is signed well; whoever puts it back, or takes ours away, would set cost and attempts back.
    """
    said = max((generation_of(one.topic) for one in comments if one.ours), default=0)
    if refused or said <= (record.generation if record else 0):
        return record, refused
    return None, "the record on Linear is older than what was said here since" if record else GONE


def document(node: wire.Document) -> Document:
    """A document on an epic."""
    return Document(node.id, node.title, node.content or "", node.updatedAt, node.url)


def labels_of(nodes: Sequence[wire.Named]) -> frozenset[str]:
    """Names of labels; ours in the spelling of `bot/machine/stages.py`, whatever case a person gave them."""
    return frozenset(_CANONICAL.get(node.name.casefold(), node.name) for node in nodes)
