"""Actors: people and integrations who change the world as Linear's own interface lets them, webhooks included."""

from dataclasses import dataclass
from typing import Any

from bot.simulator.linear import issues, shape, talk
from bot.simulator.linear.content import Comment, Document, ExternalThread
from bot.simulator.linear.model import (
    Actor,
    Bot,
    Issue,
    Label,
    Relation,
    Team,
    User,
)
from bot.simulator.linear.world import LinearWorld


@dataclass(frozen=True)
class Person:
    """A user at the keyboard: `alice = Person(world, world.user("alice"))`, then `alice.labels(epic, "orchestrate")`.

    Raises:
        LinearError: from every verb, when Linear would refuse.
        StopIteration: from verbs that take a name, when nothing is called so.
    """

    world: LinearWorld
    user: User

    @property
    def actor(self) -> Actor:
        """This person as the actor of changes."""
        return Actor(self.user)

    def creates(
        self,
        team: str | Team,
        title: str,
        description: str = "",
        *,
        labels: tuple[str, ...] = (),
        state: str | None = None,
        parent: Issue | None = None,
    ) -> Issue:
        """Write a new issue; without `state` it lands where the team's new issues land."""
        home = self.world.team(team) if isinstance(team, str) else team
        fields: dict[str, Any] = {"team_id": home.id, "title": title, "description": description}
        fields["label_ids"] = [_label(self.world, home, name) for name in labels]
        if state:
            fields["state_id"] = self.world.state(state, home.key).id
        if parent:
            fields["parent_id"] = parent.id
        return issues.create_issue(self.world, self.actor, fields)

    def labels(self, issue: Issue, *names: str) -> None:
        """Put labels on an issue."""
        self._change(issue, added_label_ids=[_label(self.world, issue.team, name) for name in names])

    def unlabels(self, issue: Issue, *names: str) -> None:
        """Take labels off an issue."""
        self._change(issue, removed_label_ids=[_label(self.world, issue.team, name) for name in names])

    def moves(self, issue: Issue, state: str) -> None:
        """Move an issue to another workflow state."""
        self._change(issue, state_id=self.world.state(state, issue.team.key).id)

    def cancels(self, issue: Issue) -> None:
        """Move an issue to the team's canceled state."""
        self._change(issue, state_id=next(state for state in issue.team.states if state.type == "canceled").id)

    def retitles(self, issue: Issue, title: str) -> None:
        """Give an issue another title."""
        self._change(issue, title=title)

    def describes(self, issue: Issue, description: str) -> None:
        """Rewrite an issue's description."""
        self._change(issue, description=description)

    def reparents(self, issue: Issue, parent: Issue | None) -> None:
        """Make an issue a sub-issue of another, or of none."""
        self._change(issue, parent_id=parent.id if parent else None)

    def archives(self, issue: Issue) -> None:
        """Archive an issue."""
        issues.archive_issue(self.world, self.actor, issue)

    def deletes_issue(self, issue: Issue) -> None:
        """Move an issue to the trash."""
        issues.archive_issue(self.world, self.actor, issue, trash=True)

    def reads(self, issue: Issue) -> list[Comment]:
        """The comments on an issue that a person can have read, oldest first: not what this very millisecond brought.

        Whoever answers in the millisecond in which a comment is written can't have seen it, so it approves nothing.
        """
        return [one for one in self.world.comments(issue) if one.created_at < self.world.moment()]

    def comments(self, issue: Issue, text: str) -> Comment:
        """Comment on an issue."""
        return talk.create_comment(self.world, self.actor, {"issue_id": issue.id, "body": text})

    def comments_on_document(self, document: Document, text: str) -> Comment:
        """Comment on a document; such a comment has no issue."""
        fields = {"document_content_id": document.document_content_id, "body": text}
        return talk.create_comment(self.world, self.actor, fields)

    def replies(self, comment: Comment, text: str) -> Comment:
        """Reply in a comment's thread; threads are one level deep, so a reply to a reply joins its thread."""
        root = comment.parent or comment
        assert root.issue
        return talk.create_comment(
            self.world, self.actor, {"issue_id": root.issue.id, "parent_id": root.id, "body": text}
        )

    def edits(self, comment: Comment, text: str) -> None:
        """Edit an own comment."""
        talk.update_comment(self.world, self.actor, comment, {"body": text})

    def deletes(self, comment: Comment) -> None:
        """Delete an own comment (an admin: any)."""
        talk.delete_comment(self.world, self.actor, comment)

    def reacts(self, comment: Comment, emoji: str) -> None:
        """React to a comment with an emoji, by name."""
        talk.create_reaction(self.world, self.actor, {"comment_id": comment.id, "emoji": emoji})

    def blocks(self, blocker: Issue, blocked: Issue) -> Relation:
        """Say that one issue blocks another. No webhook tells anybody."""
        fields = {"issue_id": blocker.id, "related_issue_id": blocked.id, "type": "blocks"}
        return shape.create_relation(self.world, self.actor, fields)

    def unblocks(self, blocker: Issue, blocked: Issue) -> None:
        """Take back that one issue blocks another."""
        for relation in list(blocker.relations):
            if relation.related_issue is blocked and relation.type == "blocks":
                shape.delete_relation(self.world, self.actor, relation)

    def duplicates(self, issue: Issue, original: Issue) -> Relation:
        """Mark an issue as a duplicate: it moves to the duplicate state and loses its other relations."""
        fields = {"issue_id": issue.id, "related_issue_id": original.id, "type": "duplicate"}
        return shape.create_relation(self.world, self.actor, fields)

    def writes(self, issue: Issue, title: str, text: str) -> Document:
        """Write a document on an issue."""
        fields = {"issue_id": issue.id, "title": title, "content": text}
        return talk.create_document(self.world, self.actor, fields)

    def rewrites(self, document: Document, text: str) -> None:
        """Rewrite a document."""
        talk.update_document(self.world, self.actor, document, {"content": text})

    def _change(self, issue: Issue, **changes: Any) -> None:
        issues.update_issue(self.world, self.actor, issue, changes)


def _label(world: LinearWorld, team: Team, name: str) -> str:
    return next(label for label in world.all(Label) if label.name == name and label.team in (None, team)).id


class Integration:
    """Something that is no user: Linear's GitHub integration, Slack, a workflow. History shows `botActor` alone."""

    def __init__(self, world: LinearWorld, kind: str = "github") -> None:
        self.world, self.kind = world, kind
        self.actor = Actor(bot=Bot(type=kind, name=kind.capitalize(), id=world.fresh()["id"]))

    def moves(self, issue: Issue, state: str) -> None:
        """Move an issue, as a git automation does when a linked pull request changes."""
        changes = {"state_id": self.world.state(state, issue.team.key).id}
        issues.update_issue(self.world, self.actor, issue, changes)

    def labels(self, issue: Issue, *names: str) -> None:
        """Add labels, as a rule of a workflow does."""
        added = [_label(self.world, issue.team, name) for name in names]
        issues.update_issue(self.world, self.actor, issue, {"added_label_ids": added})

    def comments(self, issue: Issue, text: str, *, by: User | None = None) -> Comment:
        """Bring in a comment that was written elsewhere; `by` is the Linear user it is matched to, if any."""
        thread = ExternalThread(type=self.kind, id=self.world.fresh()["id"], name=self.kind)
        actor = Actor(by, None if by else self.actor.bot)
        fields = {"issue_id": issue.id, "body": text, "external_thread": thread}
        return talk.create_comment(self.world, actor, fields)
