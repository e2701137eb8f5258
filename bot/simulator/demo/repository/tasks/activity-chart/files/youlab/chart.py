"""A bar chart as SVG, drawn on the server. Colours come from the style sheet."""

from __future__ import annotations

from collections.abc import Sequence

from youlab.markup import Markup, fill, join
from youlab.metrics import DayCount

WIDTH, HEIGHT = 720, 160  # units of the drawing, which scales to the width of its panel
GAP = 0.25  # the part of a day's width that stays empty
BAR = '<rect x="{x}" y="{y}" width="{width}" height="{height}"><title>{title}</title></rect>'
CHART = """<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">
<line x1="0" y1="{height}" x2="{width}" y2="{height}"/>
{bars}
</svg>"""


def bars(days: Sequence[DayCount], label: str) -> Markup:
    """One bar for each day, the highest as high as the drawing; ``label`` is read out in place of the picture."""
    highest = max((count.sessions for count in days), default=0) or 1
    step = WIDTH / max(len(days), 1)
    drawn = (
        _bar(count, x=(index + GAP / 2) * step, width=step * (1 - GAP), height=HEIGHT * count.sessions / highest)
        for index, count in enumerate(days)
        if count.sessions
    )
    return fill(CHART, width=WIDTH, height=HEIGHT, label=label, bars=join(drawn, "\n"))


def in_words(count: DayCount) -> str:
    """Say a day and its sessions: ``14 March: 2 sessions``."""
    noun = "session" if count.sessions == 1 else "sessions"
    return f"{count.day.day} {count.day:%B}: {count.sessions} {noun}"


def _bar(count: DayCount, *, x: float, width: float, height: float) -> Markup:
    place = {"x": x, "y": HEIGHT - height, "width": width, "height": height}
    numbers = {name: f"{value:.1f}" for name, value in place.items()}
    return fill(BAR, title=in_words(count), **numbers)
