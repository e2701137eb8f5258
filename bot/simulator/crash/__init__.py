"""Killing the service at every side effect it has: the list of them, the trap, and the process that dies in it."""

from bot.simulator.crash.points import POINTS, VERBS, Moment, Point
from bot.simulator.crash.process import KILLED, Life, Nursery

__all__ = ["KILLED", "POINTS", "VERBS", "Life", "Moment", "Nursery", "Point"]
