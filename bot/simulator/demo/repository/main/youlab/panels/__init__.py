"""The panels. Every module of this package has ``PANEL`` and is found by itself.

A panel is a part of a page, which is its ``place``: the page asks for all panels of that place.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass

from youlab import discovery
from youlab.markup import Markup, fill, join
from youlab.web import Request

FRAME = '<section class="panel" id="{name}"><h2>{title}</h2>{body}</section>'


@dataclass(frozen=True)
class Panel:
    """A titled part of the page ``place``; a lower ``order`` stands higher."""

    place: str
    title: str
    render: Callable[[Request], Markup]
    order: int = 100


@functools.cache
def discover() -> dict[str, Panel]:
    """All panels by the name of their module."""
    found = discovery.modules(sys.modules[__name__])
    return {module.__name__.rpartition(".")[2]: module.PANEL for module in found}


def render(place: str, request: Request) -> Markup:
    """The panels of a place, or a sentence saying that there are none."""
    here = [(name, panel) for name, panel in discover().items() if panel.place == place]
    here.sort(key=lambda entry: (entry[1].order, entry[0]))
    if not here:
        return fill('<p class="faint">There is nothing here yet.</p>')
    sections = (
        fill(FRAME, name=name.replace("_", "-"), title=panel.title, body=panel.render(request)) for name, panel in here
    )
    return fill('<div class="panels">{sections}</div>', sections=join(sections, "\n"))
