"""HTML that is safe by default: every value is escaped unless it is HTML already."""

from __future__ import annotations

import html
from collections.abc import Iterable


class Markup(str):
    """Text that is HTML already and must not be escaped again."""

    __slots__ = ()


def escape(value: object) -> Markup:
    """Return ``value`` as HTML; ``Markup`` comes back as it is."""
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def fill(template: str, /, **values: object) -> Markup:
    """Put escaped ``values`` into the ``{names}`` of a template, which must be a constant of the code."""
    return Markup(template.format(**{name: escape(value) for name, value in values.items()}))


def join(parts: Iterable[object], between: str = "") -> Markup:
    """Escape the parts and put them one after another."""
    return Markup(between.join(escape(part) for part in parts))
