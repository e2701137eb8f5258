"""Checks that several changes share: ids, references, labels. Each raises the error Linear answers with."""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from bot.simulator.linear.errors import LinearError, conflict, invalid_argument, not_found, not_found_in
from bot.simulator.linear.markdown import stored
from bot.simulator.linear.model import Entity, Issue, Label, Project, Relation, State, Team, User

if TYPE_CHECKING:
    from bot.simulator.linear.world import LinearWorld

E = TypeVar("E", bound=Entity)

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_UUID_V4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)

NAMES = {Label: "IssueLabel", State: "WorkflowState", Relation: "IssueRelation"}


def is_uuid(text: str) -> bool:
    """Whether `text` has the form of a UUID of any version."""
    return bool(_UUID.fullmatch(text))


def new_id(world: "LinearWorld", kind: type[Entity], wanted: str | None) -> str | None:
    """The id a create asks for, in lower case, or None when Linear may choose.

    Raises:
        LinearError: no UUID v4, or an entity of this kind has it already (archived ones too; by a knob, deleted ones).
    """
    if wanted is None:
        return None
    if not _UUID_V4.fullmatch(wanted):
        raise invalid_argument("id must be a UUID.")
    used = world.knobs.ids_stay_used and wanted.lower() in world.dropped
    if used or world.get(kind, wanted):
        raise conflict(NAMES.get(kind, kind.__name__), wanted.lower(), status=world.knobs.conflict_status)
    return wanted.lower()


def entity(world: "LinearWorld", kind: type[E], reference: str) -> E:
    """The entity a top-level `id` argument names; an issue may be named by its identifier.

    Raises:
        LinearError: there is none.
    """
    found: Any = world.find_issue(reference) if kind is Issue else world.get(kind, reference)
    if not found:
        raise not_found(NAMES.get(kind, kind.__name__))
    result: E = found
    return result


def referenced(world: "LinearWorld", kind: type[E], argument: str, reference: str) -> E:
    """The entity that `argument` of an input names by UUID.

    Raises:
        LinearError: no UUID, or nothing has it.
    """
    if not is_uuid(reference):
        raise invalid_argument(f"{argument} must be a UUID.")
    found = world.get(kind, reference)
    if not found:
        raise not_found_in(argument)
    return found


def referenced_issue(world: "LinearWorld", argument: str, reference: str) -> Issue:
    """The issue that `argument` of an input names by UUID or identifier.

    Raises:
        LinearError: there is none.
    """
    found = world.find_issue(reference)
    if not found:
        raise not_found_in(argument)
    return found


def editable(issue: Issue) -> Issue:
    """The issue itself.

    Raises:
        LinearError: it is archived or in the trash; the exact words of Linear are not known.
    """
    if issue.archived_at:
        raise LinearError(
            "Entity is archived", presentable=f"Issue {issue.identifier} is archived and can't be edited."
        )
    return issue


def labels(world: "LinearWorld", team: Team, argument: str, ids: Iterable[str]) -> list[Label]:
    """The labels that `argument` lists, in order, each once.

    Raises:
        LinearError: no UUID, unknown, of another team, or a group.
    """
    found: dict[str, Label] = {}
    for reference in ids:
        if not is_uuid(reference):
            raise invalid_argument(f"each value in {argument} must be a UUID.")
        label = world.get(Label, reference)
        if not label or (label.team and label.team is not team) or label.retired_at:
            raise not_found_in(argument)
        if label.is_group:
            raise LinearError(
                f"{argument} contains a label group",
                presentable=f"The label '{label.name}' is a group and cannot be applied to issues directly.",
            )
        found[label.id] = label
    return list(found.values())


def exclusive(wanted: list[Label]) -> list[Label]:
    """The same labels.

    Raises:
        LinearError: two of them are in one group.
    """
    groups: dict[str, Label] = {}
    for label in wanted:
        if label.parent is None:
            continue
        other = groups.setdefault(label.parent.id, label)
        if other is not label:
            raise LinearError(
                "labelIds not exclusive child labels",
                presentable=f"The label '{other.name}' is in the same group as '{label.name}'. "
                "Only one label in a group can be applied to an issue.",
            )
    return wanted


def state_of(world: "LinearWorld", team: Team, reference: str) -> State:
    """The workflow state that `stateId` names.

    Raises:
        LinearError: unknown, or of another team.
    """
    state = referenced(world, State, "stateId", reference)
    if state.team is not team:
        raise LinearError(
            "Discrepancy between issue state and team", presentable="The state doesn't belong to the issue's team."
        )
    return state


def project(world: "LinearWorld", changes: dict[str, Any]) -> dict[str, Project | None]:
    """The project that `changes` sets, as far as it does.

    Raises:
        LinearError: unknown project.
    """
    if "project_id" not in changes:
        return {}
    reference = changes["project_id"]
    return {"project": referenced(world, Project, "projectId", reference) if reference else None}


def people(world: "LinearWorld", changes: dict[str, Any]) -> dict[str, User | None]:
    """The assignee and the delegate that `changes` sets, as far as it does.

    Raises:
        LinearError: unknown user, or a delegate who is no app.
    """
    found: dict[str, User | None] = {}
    for role in ("assignee", "delegate"):
        if f"{role}_id" in changes:
            reference = changes[f"{role}_id"]
            found[role] = referenced(world, User, f"{role}Id", reference) if reference else None
    delegate = found.get("delegate")
    if delegate and not delegate.app:
        raise LinearError("App user not valid", presentable="The delegate must be an app user.")
    return found


def markdown(world: "LinearWorld", text: str | None) -> str | None:
    """What Linear keeps of a text."""
    return None if text is None else stored(text, loosen_lists=world.knobs.loosen_lists)
