"""The history of issues: who changed what. What happens in the first three minutes belongs to the creation."""

from typing import TYPE_CHECKING, Any

from bot.simulator.linear.content import History
from bot.simulator.linear.model import Actor, Issue

if TYPE_CHECKING:
    from bot.simulator.linear.world import LinearWorld

_FROM_TO = ("title", "state", "parent", "assignee", "delegate", "priority", "estimate")


def record(world: "LinearWorld", actor: Actor, issue: Issue, changed: dict[str, Any]) -> None:
    """Write down that `actor` is about to make `issue` what `changed` says (property: new value).

    Nothing is written for a young issue, and nothing when history doesn't know any of the properties.
    """
    entry: dict[str, Any] = {}
    for name, value in changed.items():
        if name in _FROM_TO:
            entry |= _pair(name, getattr(issue, name), value)
        elif name == "labels":
            added = [label for label in value if label not in issue.labels]
            removed = [label for label in issue.labels if label not in value]
            entry |= {"added_labels": added or None, "removed_labels": removed or None}
            entry |= {"added_label_ids": [label.id for label in added] or None}
            entry |= {"removed_label_ids": [label.id for label in removed] or None}
        elif name == "description":
            entry["updated_description"] = True
        elif name in ("archived", "trashed", "auto_closed", "relation_changes"):
            entry[name] = value
    if entry and world.moment() - issue.created_at >= world.knobs.folded:
        issue.history.append(
            History(**world.fresh(), issue=issue, actor=actor.user, bot_actor=actor.bot, changes=entry)
        )


def _pair(name: str, old: Any, new: Any) -> dict[str, Any]:
    pair = {f"from_{name}": old, f"to_{name}": new}
    if name in ("state", "parent", "assignee"):
        pair |= {f"from_{name}_id": old.id if old else None, f"to_{name}_id": new.id if new else None}
    return pair
