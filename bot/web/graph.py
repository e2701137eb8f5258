"""The dependency graph of an epic as a picture: who waits for whom, from left to right. Pure geometry, in pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.machine.picture import TicketPicture
from bot.machine.stages import STATES

WIDTH, HEIGHT = 226, 58
GAP_X, GAP_Y = 48, 14
MARGIN = 6
LONGEST_TITLE = 28


@dataclass(frozen=True)
class Node:
    """A ticket in the picture; `x` and `y` are its upper left corner."""

    ticket: TicketPicture
    x: int
    y: int
    title: str
    label: str
    running: bool


@dataclass(frozen=True)
class Edge:
    """A curve from the one that blocks to the one that waits; `open` while it still does."""

    path: str
    open: bool


@dataclass(frozen=True)
class Graph:
    """The whole picture."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    box: tuple[int, int] = (WIDTH, HEIGHT)
    """Width and height of each ticket."""


def draw(tickets: Sequence[TicketPicture], running: frozenset[str] = frozenset()) -> Graph:
    """Place every ticket in the column after the last one it waits for, near what it waits for. Cycles do no harm."""
    by_name = {one.identifier: one for one in tickets}
    columns = _columns(by_name)
    width = max(columns.values(), default=0) + 1
    rows = _rows(by_name, columns, width)
    tallest = max((len(column) for column in rows), default=1)
    places: dict[str, tuple[int, int]] = {}
    for number, column in enumerate(rows):
        top = (tallest - len(column)) * (HEIGHT + GAP_Y) // 2
        for row, name in enumerate(column):
            places[name] = (MARGIN + number * (WIDTH + GAP_X), MARGIN + top + row * (HEIGHT + GAP_Y))
    return Graph(
        2 * MARGIN + width * WIDTH + (width - 1) * GAP_X,
        2 * MARGIN + tallest * HEIGHT + (tallest - 1) * GAP_Y,
        tuple(_node(by_name[name], x, y, name in running) for name, (x, y) in places.items()),
        tuple(
            _edge(places[before], places[one.identifier], one) for one in tickets for before in _nearest(one, by_name)
        ),
    )


def _nearest(one: TicketPicture, by_name: Mapping[str, TicketPicture]) -> list[str]:
    """Whom a ticket waits for, but for those that somebody between them waits for already: fewer lines, same order."""
    before = _known(one, by_name)
    behind = {name: _behind(name, by_name) for name in before}
    return [name for name in before if not any(name in behind[other] for other in before if other != name)]


def _behind(name: str, by_name: Mapping[str, TicketPicture]) -> set[str]:
    """Everything that a ticket waits for, directly or not; itself only where somebody made a circle."""
    found: set[str] = set()
    queue = [name]
    while queue:
        for before in _known(by_name[queue.pop()], by_name):
            if before not in found:
                found.add(before)
                queue.append(before)
    return found


def _known(one: TicketPicture, by_name: Mapping[str, TicketPicture]) -> list[str]:
    return [before for before in dict.fromkeys(one.after) if before in by_name and before != one.identifier]


def _columns(by_name: Mapping[str, TicketPicture]) -> dict[str, int]:
    """The longest way to each ticket; whoever waits in a circle gets no further than there are tickets."""
    columns = dict.fromkeys(by_name, 0)
    for _ in by_name:
        moved = False
        for name, one in by_name.items():
            wanted = max((columns[before] + 1 for before in _known(one, by_name)), default=0)
            if columns[name] < wanted < len(by_name):
                columns[name], moved = wanted, True
        if not moved:
            break
    return columns


def _rows(by_name: Mapping[str, TicketPicture], columns: Mapping[str, int], width: int) -> list[list[str]]:
    rows: list[list[str]] = [[] for _ in range(width)]
    height: dict[str, float] = {}
    for number in range(width):
        column = [name for name in by_name if columns[name] == number]
        middle = {}
        for place, name in enumerate(column):
            before = [height[one] for one in _known(by_name[name], by_name) if one in height]
            middle[name] = sum(before) / len(before) if before else float(place)
        rows[number] = sorted(column, key=lambda name: middle[name])
        offset = (len(rows[number]) - 1) / 2
        height |= {name: place - offset for place, name in enumerate(rows[number])}
    return rows


def _node(ticket: TicketPicture, x: int, y: int, running: bool) -> Node:
    title = ticket.title if len(ticket.title) <= LONGEST_TITLE else f"{ticket.title[: LONGEST_TITLE - 1].rstrip()}…"
    label = ticket.disposition or STATES[ticket.stage].name
    return Node(ticket, x, y, title, label, running)


def _edge(start: tuple[int, int], end: tuple[int, int], waiting: TicketPicture) -> Edge:
    x1, y1, x2, y2 = start[0] + WIDTH, start[1] + HEIGHT // 2, end[0], end[1] + HEIGHT // 2
    bend = max(18, abs(x2 - x1) // 2)
    path = f"M{x1},{y1} C{x1 + bend},{y1} {x2 - bend},{y2} {x2},{y2}"
    return Edge(path, not waiting.stage.over)
