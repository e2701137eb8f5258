"""The dashboard's figures: sessions in all, their average length, sessions of the last seven days."""

from __future__ import annotations

from datetime import timedelta

from youlab import metrics
from youlab.markup import Markup, fill, join
from youlab.panels import Panel
from youlab.web import Request

FIGURE = '<div class="figure"><dt>{label}</dt><dd>{value}</dd></div>'


def show(request: Request) -> Markup:
    """Three figures side by side."""
    totals = metrics.totals(request.connection, request.user.id)
    recent = metrics.sessions_since(request.connection, request.user.id, request.now - timedelta(days=7))
    average = "–" if totals.average is None else metrics.length_in_words(totals.average)
    figures = {"Total sessions": totals.sessions, "Average length": average, "Last 7 days": recent}
    parts = (fill(FIGURE, label=label, value=value) for label, value in figures.items())
    return fill('<dl class="figures">{parts}</dl>', parts=join(parts))


PANEL = Panel(place="dashboard", title="Your sessions", render=show, order=10)
