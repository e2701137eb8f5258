"""The study streak on the dashboard."""

from __future__ import annotations

from youlab import streaks
from youlab.markup import Markup, fill
from youlab.panels import Panel
from youlab.web import Request

STREAK = '<p class="streak"><b>{current}</b> {days} in a row</p><p class="faint">Your longest: {longest}.</p>'
NONE = '<p class="streak faint">Ask something today, and a streak begins.</p>'


def show(request: Request) -> Markup:
    """The streak that goes on, and the longest; without one, how to begin."""
    streak = streaks.find(request.connection, request.user.id, request.now.date())
    if not streak.current:
        return fill(NONE)
    days = "day" if streak.current == 1 else "days"
    return fill(STREAK, current=streak.current, days=days, longest=streak.longest)


PANEL = Panel(place="dashboard", title="Streak", render=show, order=5)
