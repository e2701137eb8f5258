"""The pages. Every module of this package has ``PAGES``, a tuple of ``Page``, and is found by itself."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass

from youlab import discovery
from youlab.web import Request, Response


@dataclass(frozen=True)
class Page:
    """What answers a method and a path. ``navigation`` is its name in the menu, if it stands there."""

    method: str
    path: str
    render: Callable[[Request], Response]
    navigation: str | None = None
    order: int = 100
    public: bool = False


@functools.cache
def discover() -> dict[tuple[str, str], Page]:
    """All pages by method and path; raises ``ValueError`` when two of them claim the same."""
    found: dict[tuple[str, str], Page] = {}
    for module in discovery.modules(sys.modules[__name__]):
        for page in module.PAGES:
            if (page.method, page.path) in found:
                raise ValueError(f"{module.__name__}: {page.method} {page.path} is taken")
            found[page.method, page.path] = page
    return found


def menu() -> list[Page]:
    """The pages that stand in the menu, in their order."""
    entries = [page for page in discover().values() if page.navigation]
    return sorted(entries, key=lambda page: (page.order, page.path))
