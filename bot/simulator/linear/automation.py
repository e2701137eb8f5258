"""What Linear does by itself: closing parents with their last child, and children with their parent."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.simulator.linear.model import Actor, Bot, Issue, State

if TYPE_CHECKING:
    from bot.simulator.linear.world import LinearWorld

CLOSED = ("completed", "canceled", "duplicate")
WORKFLOW = Actor(bot=Bot(type="workflow", name="Linear"))


def after_closing(world: "LinearWorld", issue: Issue, update: Callable[..., Any]) -> None:
    """Follow up on a move of `issue`, as the flags of its team say. `update` is `issues.update_issue`."""
    if issue.state.type not in CLOSED:
        return
    if issue.team.auto_close_child_issues:
        for child in list(issue.children):
            _close(world, child, update)
    parent = issue.parent
    if parent and parent.team.auto_close_parent_issues and issue.state.type == "completed":
        active = [child for child in parent.children if not child.archived_at]
        if all(child.state.type in CLOSED for child in active):
            _close(world, parent, update)


def _close(world: "LinearWorld", issue: Issue, update: Callable[..., Any]) -> None:
    if issue.archived_at or issue.state.type in CLOSED:
        return
    issue.auto_closed_at = world.moment()
    update(world, WORKFLOW, issue, {"state_id": _completed(issue).id})


def _completed(issue: Issue) -> State:
    return next(state for state in issue.team.states if state.type == "completed")
