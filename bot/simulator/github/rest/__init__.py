"""The REST API: one module per subject, each registering its routes on import."""

from bot.simulator.github.rest import actions, apps, checks, conversation, pulls, refs, repositories, reviews
from bot.simulator.github.rest.routing import Answer, dispatch

__all__ = [
    "Answer",
    "actions",
    "apps",
    "checks",
    "conversation",
    "dispatch",
    "pulls",
    "refs",
    "repositories",
    "reviews",
]
