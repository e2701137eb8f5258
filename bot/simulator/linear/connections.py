"""Pages of lists, Relay style: 50 unless told, 250 at most, newest first, archived ones hidden."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.simulator.linear.errors import invalid_argument
from bot.simulator.linear.filters import matches
from bot.simulator.linear.model import Entity

DEFAULT = 50
MOST = 250


@dataclass(frozen=True)
class Edge:
    """One element with its cursor."""

    node: Entity
    cursor: str


@dataclass(frozen=True)
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@dataclass(frozen=True)
class Connection:
    """One page."""

    nodes: list[Any]
    page_info: PageInfo

    @property
    def edges(self) -> list[Edge]:
        """The elements with their cursors."""
        return [Edge(node, node.id) for node in self.nodes]


def connect(entities: Iterable[Any], arguments: Mapping[str, Any], now: datetime) -> Connection:
    """Cut the page that `arguments` ask for out of `entities`, which come oldest first.

    Raises:
        LinearError: a page size out of range, or a cursor that names nothing in the list.
    """
    backwards = arguments.get("last") is not None or arguments.get("before") is not None
    size = _size(arguments, "last" if backwards else "first")
    newest = list(entities)[::-1]
    key = "updated_at" if arguments.get("orderBy") == "updatedAt" else "created_at"
    ordered = sorted(newest, key=lambda entity: getattr(entity, key), reverse=True)
    start = _index(ordered, arguments, "after") + 1 if arguments.get("after") else 0
    end = _index(ordered, arguments, "before") if arguments.get("before") else len(ordered)
    where = arguments.get("filter") or {}
    archived = bool(arguments.get("includeArchived"))

    def listed(entity: Entity) -> bool:
        return (archived or entity.archived_at is None) and matches(entity, where, now)

    found = [entity for entity in ordered[start:end] if listed(entity)]
    nodes = found[-size:] if backwards else found[:size]
    cut = len(found) > len(nodes)
    info = PageInfo(
        has_next_page=(end < len(ordered)) if backwards else cut,
        has_previous_page=cut if backwards else start > 0,
        start_cursor=nodes[0].id if nodes else None,
        end_cursor=nodes[-1].id if nodes else None,
    )
    return Connection(nodes, info)


def _size(arguments: Mapping[str, Any], name: str) -> int:
    size: int | None = arguments.get(name)
    if size is None:
        return DEFAULT
    if size > MOST:
        raise invalid_argument(f"{name} must not be greater than {MOST}.")
    if size < 1:
        raise invalid_argument(f"{name} must not be less than 1.")
    return size


def _index(ordered: list[Any], arguments: Mapping[str, Any], name: str) -> int:
    for index, entity in enumerate(ordered):
        if entity.id == arguments[name]:
            return index
    raise invalid_argument(f"{name} must be a valid cursor.")
