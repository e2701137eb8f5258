"""Changes to how a workspace is shaped: labels, workflow states, relations, webhooks.

Relations and states cause no event of their own; whoever wants to know must read.
"""

import secrets
from typing import TYPE_CHECKING, Any

from bot.simulator.linear import rules
from bot.simulator.linear.errors import LinearError, forbidden, invalid_argument, not_found_in
from bot.simulator.linear.history import record
from bot.simulator.linear.issues import update_issue
from bot.simulator.linear.model import Actor, Label, Relation, State, Team, Webhook
from bot.simulator.linear.webhooks import RESOURCE_TYPES, announce

if TYPE_CHECKING:
    from bot.simulator.linear.world import LinearWorld

STATE_TYPES = ("backlog", "unstarted", "started", "completed", "canceled")


def create_label(world: "LinearWorld", actor: Actor, fields: dict[str, Any]) -> Label:
    """Create a label of a team, or without `team_id` of the workspace.

    Raises:
        LinearError: the name is taken in the team or the workspace (groups don't separate names), or bad fields.
    """
    identifier = rules.new_id(world, Label, fields.get("id"))
    team = rules.referenced(world, Team, "teamId", fields["team_id"]) if fields.get("team_id") else None
    parent = rules.referenced(world, Label, "parentId", fields["parent_id"]) if fields.get("parent_id") else None
    if parent and not parent.is_group:
        raise LinearError("Parent label is not a group", presentable=f"The label '{parent.name}' is not a group.")
    name = fields["name"].strip()
    if not name:
        raise invalid_argument("name should not be empty.")
    for other in world.all(Label):
        same_room = other.team is team or other.team is None or team is None
        if same_room and other.name.lower() == name.lower():
            where = f"team {other.team.key}" if other.team else "the workspace"
            raise LinearError(
                "duplicate label name",
                presentable=f'Label "{name}" already exists in {where}. Please pick a different name and try again.',
            )
    label = Label(
        **world.fresh(identifier),
        name=name,
        color=fields.get("color") or "#bec2c8",
        description=fields.get("description"),
        is_group=bool(fields.get("is_group")),
        team=team,
        parent=parent,
        creator=actor.user,
    )
    if parent:
        parent.children.append(label)
    announce(world, actor, "create", world.add(label))
    return label


def create_state(world: "LinearWorld", _actor: Actor, fields: dict[str, Any]) -> State:
    """Create a workflow state; nobody is told.

    Raises:
        LinearError: a type that can't be created, a name that the team has, or bad fields.
    """
    identifier = rules.new_id(world, State, fields.get("id"))
    team = rules.referenced(world, Team, "teamId", fields["team_id"])
    name, kind = fields["name"].strip(), fields["type"]
    if kind not in STATE_TYPES:
        raise invalid_argument(f"type must be one of the following values: {', '.join(STATE_TYPES)}.")
    if not name:
        raise invalid_argument("name should not be empty.")
    if any(state.name.lower() == name.lower() and not state.archived_at for state in team.states):
        raise LinearError(
            "duplicate workflow state name",
            presentable=f'Workflow state "{name}" already exists in team {team.key}. Please pick a different name.',
        )
    position = fields.get("position")
    if position is None:
        position = max(state.position for state in team.states) + 1
    state = State(
        **world.fresh(identifier),
        name=name,
        type=kind,
        color=fields["color"],
        description=fields.get("description"),
        position=position,
        team=team,
    )
    team.states.append(world.add(state))
    return state


def create_relation(world: "LinearWorld", actor: Actor, fields: dict[str, Any]) -> Relation:
    """Relate two issues. The same pair twice gives two relations: whoever minds must read first.

    A duplicate moves to the duplicate state and silently loses its other relations.

    Raises:
        LinearError: unknown or archived issue, or an issue with itself.
    """
    identifier = rules.new_id(world, Relation, fields.get("id"))
    issue = rules.editable(rules.referenced_issue(world, "issueId", fields["issue_id"]))
    related = rules.referenced_issue(world, "relatedIssueId", fields["related_issue_id"])
    kind = fields["type"]
    if issue is related:
        raise LinearError("Cannot relate issue to itself", presentable="An issue can't be related to itself.")
    if kind == "duplicate":
        for other in (*issue.relations, *issue.inverse_relations):
            _unlink(world, other)
    relation = world.add(Relation(**world.fresh(identifier), issue=issue, related_issue=related, type=kind))
    issue.relations.append(relation)
    related.inverse_relations.append(relation)
    _remember(world, actor, relation, "a")
    duplicate_state = issue.team.marked_as_duplicate_workflow_state
    if kind == "duplicate" and duplicate_state:
        update_issue(world, actor, issue, {"state_id": duplicate_state.id})
    return relation


def delete_relation(world: "LinearWorld", actor: Actor, relation: Relation) -> None:
    """Remove a relation."""
    _unlink(world, relation)
    _remember(world, actor, relation, "r")


def _unlink(world: "LinearWorld", relation: Relation) -> None:
    relation.issue.relations.remove(relation)
    relation.related_issue.inverse_relations.remove(relation)
    world.drop(relation)


def _remember(world: "LinearWorld", actor: Actor, relation: Relation, what: str) -> None:
    """Both histories name the other issue; the type is `ab` for added blocks, `rb` for removed, as Linear codes it."""
    kind = what + relation.type[0]
    for issue, other in ((relation.issue, relation.related_issue), (relation.related_issue, relation.issue)):
        record(world, actor, issue, {"relation_changes": [{"identifier": other.identifier, "type": kind}]})


def administrator(actor: Actor) -> None:
    """Let human administrators pass: only they may see or change webhooks.

    Raises:
        LinearError: anybody else.
    """
    if not actor.user or actor.user.app or not actor.user.admin:
        raise forbidden()


def new_secret() -> str:
    """A signing secret as Linear makes them up."""
    return f"lin_wh_{secrets.token_hex(16)}"


def create_webhook(world: "LinearWorld", actor: Actor, fields: dict[str, Any]) -> Webhook:
    """Create a webhook; Linear makes up a secret when none is given.

    Raises:
        LinearError: the actor is no human admin, or bad fields. Unlike Linear, plain HTTP and loopback are fine.
    """
    administrator(actor)
    identifier = rules.new_id(world, Webhook, fields.get("id"))
    team = _team(world, fields["team_id"]) if fields.get("team_id") else None
    everywhere = bool(fields.get("all_public_teams"))
    if (team is None) != everywhere:
        raise invalid_argument("Exactly one of teamId, allPublicTeams must be defined.")
    webhook = Webhook(
        **world.fresh(identifier),
        url=fields["url"],
        secret=fields.get("secret") or new_secret(),
        resource_types=_types(fields["resource_types"]),
        team=team,
        all_public_teams=everywhere,
        label=fields.get("label"),
        enabled=fields.get("enabled") is not False,
        creator=actor.user,
    )
    return world.add(webhook)


def update_webhook(world: "LinearWorld", actor: Actor, webhook: Webhook, changes: dict[str, Any]) -> Webhook:
    """Change a webhook.

    Raises:
        LinearError: the actor is no human admin, or an unknown resource type.
    """
    administrator(actor)
    for name in ("url", "label", "secret", "enabled"):
        if changes.get(name) is not None:
            setattr(webhook, name, changes[name])
    if changes.get("resource_types") is not None:
        webhook.resource_types = _types(changes["resource_types"])
    webhook.updated_at = world.moment()
    return webhook


def delete_webhook(world: "LinearWorld", actor: Actor, webhook: Webhook) -> None:
    """Remove a webhook.

    Raises:
        LinearError: the actor is no human admin.
    """
    administrator(actor)
    world.drop(webhook)


def _team(world: "LinearWorld", reference: str) -> Team:
    found = world.get(Team, reference) or next((each for each in world.all(Team) if each.key == reference), None)
    if not found:
        raise not_found_in("teamId")
    return found


def _types(wanted: list[str]) -> list[str]:
    if not wanted or not set(wanted) <= RESOURCE_TYPES:
        raise invalid_argument(f"each value in resourceTypes must be one of: {', '.join(sorted(RESOURCE_TYPES))}.")
    return list(wanted)
