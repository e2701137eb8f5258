"""Changes to issues. Whoever changes one (the API, a person, an integration) does it through these functions.

`changes` has the snake_case names of Linear's inputs; a key that is present with None clears.
"""

from typing import TYPE_CHECKING, Any

from bot.simulator.linear import rules
from bot.simulator.linear.automation import after_closing
from bot.simulator.linear.errors import LinearError, invalid_argument, issue_limit
from bot.simulator.linear.history import record
from bot.simulator.linear.model import Actor, Issue, Label, State, Team
from bot.simulator.linear.payloads import payload
from bot.simulator.linear.webhooks import announce

if TYPE_CHECKING:
    from bot.simulator.linear.world import LinearWorld

MOST_IN_BATCH = 50
DEEPEST = 10
_PLAIN = ("title", "priority", "estimate", "due_date", "sort_order", "sub_issue_sort_order")


def create_issue(world: "LinearWorld", actor: Actor, fields: dict[str, Any]) -> Issue:
    """Create one issue.

    Raises:
        LinearError: whatever is wrong with `fields`; then nothing was created.
    """
    return create_issues(world, actor, [fields])[0]


def create_issues(world: "LinearWorld", actor: Actor, batch: list[dict[str, Any]]) -> list[Issue]:
    """Create up to 50 issues, all or none.

    Raises:
        LinearError: too many, or something is wrong with one of them.
    """
    if len(batch) > MOST_IN_BATCH:
        raise invalid_argument(f"issues must contain no more than {MOST_IN_BATCH} elements.")
    ids = [fields["id"].lower() for fields in batch if fields.get("id")]
    prepared = [_prepare(world, actor, fields) for fields in batch]
    if len(set(ids)) < len(ids):
        raise invalid_argument("issues contains the same id twice.")
    issues = [_insert(world, properties) for properties in prepared]
    for issue in issues:
        announce(world, actor, "create", issue)
    return issues


def _prepare(world: "LinearWorld", actor: Actor, fields: dict[str, Any]) -> dict[str, Any]:
    """Check everything, touch nothing: the properties of the new issue."""
    identifier = rules.new_id(world, Issue, fields.get("id"))
    active = sum(not issue.archived_at for issue in world.all(Issue))
    if world.knobs.issue_limit is not None and active >= world.knobs.issue_limit:
        raise issue_limit()
    team = rules.referenced(world, Team, "teamId", fields["team_id"])
    title = (fields.get("title") or "").strip()
    if not title:
        raise invalid_argument("title should not be empty.")
    parent = rules.referenced_issue(world, "parentId", fields["parent_id"]) if fields.get("parent_id") else None
    properties = world.fresh(identifier) | rules.people(world, fields) | rules.project(world, fields)
    created = fields.get("created_at")
    if created:
        if created > world.moment():
            raise invalid_argument("createdAt must be in the past.")
        properties |= {"created_at": created, "updated_at": created}
    state = _first_state(world, team, fields.get("state_id"))
    labels = rules.exclusive(rules.labels(world, team, "labelIds", fields.get("label_ids") or ()))
    properties |= {
        "team": team,
        "title": title,
        "state": state,
        "labels": labels,
        "parent": parent,
        "description": rules.markdown(world, fields.get("description")),
        "priority": _priority(fields.get("priority")),
        "estimate": fields.get("estimate"),
        "due_date": fields.get("due_date"),
        "sort_order": fields.get("sort_order"),
        "sub_issue_sort_order": fields.get("sub_issue_sort_order"),
        "creator": actor.user,
        "bot_actor": actor.bot,
    }
    _check_depth(parent)
    return properties | _moments(state, None, properties["created_at"])


def _first_state(world: "LinearWorld", team: Team, reference: str | None) -> State:
    if reference is None:
        state = team.triage_issue_state if team.triage_enabled else team.default_issue_state
        return state or team.states[0]
    state = rules.state_of(world, team, reference)
    if state.type == "duplicate":
        raise LinearError("Cannot create an issue in a duplicate state.")
    return state


def _insert(world: "LinearWorld", properties: dict[str, Any]) -> Issue:
    team, parent = properties["team"], properties["parent"]
    team.last_number += 1  # numbers are never reused
    if properties["sort_order"] is None:
        properties["sort_order"] = -100.0 * team.last_number
    if parent and properties["sub_issue_sort_order"] is None:
        properties["sub_issue_sort_order"] = 100.0 * len(parent.children)
    issue = world.add(Issue(number=team.last_number, **properties))
    team.issues.append(issue)
    if parent:
        parent.children.append(issue)
    return issue


def update_issue(world: "LinearWorld", actor: Actor, issue: Issue, changes: dict[str, Any]) -> Issue:
    """Change an issue; what is equal already stays without event or history.

    Raises:
        LinearError: archived, or something is wrong with `changes`; then nothing was changed.
    """
    rules.editable(issue)
    new = checked(world, issue, changes)
    before, old_state = payload(world, issue), issue.state
    changed = {name: value for name, value in new.items() if getattr(issue, name) != value}
    if not changed:
        return issue
    record(world, actor, issue, changed)
    for name, value in changed.items():
        setattr(issue, name, value)
    if "parent" in changed:
        _adopt(world, issue)
    if "state" in changed:
        for name, value in _moments(issue.state, old_state, world.moment(), issue).items():
            setattr(issue, name, value)
    issue.updated_at = world.moment()
    announce(world, actor, "update", issue, before=before)
    if "state" in changed:
        after_closing(world, issue, update_issue)
    return issue


def checked(world: "LinearWorld", issue: Issue, changes: dict[str, Any]) -> dict[str, Any]:
    """What `changes` would set, property by property, nothing applied.

    Raises:
        LinearError: something in `changes` is wrong.
    """
    new: dict[str, Any] = {name: changes[name] for name in _PLAIN if name in changes}
    if "title" in new:
        new["title"] = (new["title"] or "").strip()
        if not new["title"]:
            raise invalid_argument("title should not be empty.")
    if "priority" in new:
        new["priority"] = _priority(new["priority"])
    if "description" in changes:
        new["description"] = rules.markdown(world, changes["description"])
    if changes.get("state_id"):
        new["state"] = rules.state_of(world, issue.team, changes["state_id"])
        if new["state"].type == "duplicate" and not issue.has_duplicate_relations:
            raise LinearError(
                "Missing duplicate relation",
                presentable="Issues can only be moved to a duplicate state when a duplicate issue relation exists",
            )
    if "parent_id" in changes:
        new["parent"] = _new_parent(world, issue, changes["parent_id"])
    labels = _labels_after(world, issue, changes)
    if {label.id for label in labels} != set(issue.label_ids):
        new["labels"] = labels
    return new | rules.people(world, changes) | rules.project(world, changes)


def _labels_after(world: "LinearWorld", issue: Issue, changes: dict[str, Any]) -> list[Label]:
    labels = list(issue.labels)
    if changes.get("label_ids") is not None:
        labels = rules.labels(world, issue.team, "labelIds", changes["label_ids"])
    added = rules.labels(world, issue.team, "addedLabelIds", changes.get("added_label_ids") or ())
    removed = rules.labels(world, issue.team, "removedLabelIds", changes.get("removed_label_ids") or ())
    labels += [label for label in added if label not in labels]
    return rules.exclusive([label for label in labels if label not in removed])


def _new_parent(world: "LinearWorld", issue: Issue, reference: str | None) -> Issue | None:
    if reference is None:
        return None
    parent = rules.referenced_issue(world, "parentId", reference)
    above: Issue | None = parent
    while above:
        if above is issue:
            raise LinearError("Circular parent", presentable="An issue can't be a sub-issue of itself.")
        above = above.parent
    _check_depth(parent)
    return parent


def _check_depth(parent: Issue | None) -> None:
    depth = 0
    while parent:
        depth, parent = depth + 1, parent.parent
    if depth > DEEPEST:
        raise LinearError("Too many levels", presentable=f"Sub-issues can be nested {DEEPEST} levels deep.")


def _adopt(world: "LinearWorld", issue: Issue) -> None:
    for other in world.all(Issue):
        if issue in other.children and other is not issue.parent:
            other.children.remove(issue)
    if issue.parent:
        issue.parent.children.append(issue)


def _priority(value: int | None) -> int:
    if value not in (None, 0, 1, 2, 3, 4):
        raise invalid_argument("priority must not be greater than 4.")
    return value or 0


def _moments(state: State, old: State | None, moment: Any, issue: Issue | None = None) -> dict[str, Any]:
    """When it was started, completed, canceled, after a move from `old` to `state`."""
    if old and old.type == state.type:
        return {}
    started = issue.started_at if issue else None
    return {
        "started_at": (started or moment) if state.type in ("started", "completed") else None,
        "completed_at": moment if state.type == "completed" else None,
        "canceled_at": moment if state.type in ("canceled", "duplicate") else None,
    }


def archive_issue(world: "LinearWorld", actor: Actor, issue: Issue, *, trash: bool = False) -> Issue:
    """Archive an issue, or with `trash` delete it: gone for lists without includeArchived, kept for some days.

    Archiving what is archived succeeds and changes nothing.
    """
    if issue.archived_at and (issue.trashed or not trash):
        return issue
    before = payload(world, issue)
    record(world, actor, issue, {"trashed": True} if trash else {"archived": True})
    issue.archived_at = issue.updated_at = world.moment()
    issue.trashed = True if trash else None
    announce(world, actor, "remove" if trash else "update", issue, before=None if trash else before)
    return issue


def unarchive_issue(world: "LinearWorld", actor: Actor, issue: Issue) -> Issue:
    """Bring an issue back from the archive or the trash."""
    if issue.archived_at:
        before = payload(world, issue)
        record(world, actor, issue, {"trashed": False} if issue.trashed else {"archived": False})
        issue.archived_at = issue.trashed = None
        issue.updated_at = world.moment()
        announce(world, actor, "update", issue, before=before)
    return issue
