"""The next milestone of a study streak, on the dashboard."""

from __future__ import annotations

from youlab import streaks
from youlab.markup import Markup, fill
from youlab.panels import Panel
from youlab.web import Request

MILESTONES = (7, 30, 100)  # days in a row


def words(current: int) -> str:
    """What to say to somebody with a streak of so many days."""
    ahead = next((days for days in MILESTONES if days > current), None)
    if current in MILESTONES:
        return f"{current} days: well done!"
    return f"{ahead - current} to go until {ahead} days." if ahead else "There is no milestone left to reach."


def show(request: Request) -> Markup:
    """The way to the next milestone."""
    streak = streaks.find(request.connection, request.user.id, request.now.date())
    return fill("<p>{words}</p>", words=words(streak.current))


PANEL = Panel(place="dashboard", title="Next milestone", render=show, order=6)
