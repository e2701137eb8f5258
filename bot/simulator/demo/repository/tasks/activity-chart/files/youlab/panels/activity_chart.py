"""The dashboard's chart: sessions per day over the last 7, 30 or 90 days."""

from __future__ import annotations

from youlab import chart, metrics
from youlab.markup import Markup, fill, join
from youlab.panels import Panel
from youlab.web import Request

SPANS = (7, 30, 90)  # days
USUAL_SPAN = 30


def show(request: Request) -> Markup:
    """The chart, the days at its ends, and links to the other spans."""
    span = _span(request)
    days = metrics.sessions_per_day(request.connection, request.user.id, request.now.date(), span)
    total = sum(count.sessions for count in days)
    return fill(
        '{chart}<p class="axis"><span>{first}</span><span class="spans">{links}</span><span>{last}</span></p>',
        chart=chart.bars(days, f"Sessions per day over {span} days, {total} in all"),
        first=f"{days[0].day.day} {days[0].day:%B}",
        last="today",
        links=join(_link(one, current=one == span) for one in SPANS),
    )


def _span(request: Request) -> int:
    asked = request.query.get("days", "")
    return int(asked) if asked in map(str, SPANS) else USUAL_SPAN


def _link(span: int, *, current: bool) -> Markup:
    if current:
        return fill("<strong>{span} days</strong>", span=span)
    return fill('<a href="/dashboard?days={span}#activity-chart">{span} days</a>', span=span)


PANEL = Panel(place="dashboard", title="Activity", render=show, order=20)
