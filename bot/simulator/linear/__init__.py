"""A simulated Linear workspace: GraphQL over HTTP, OAuth tokens, webhooks, people, and pages to look at.

It is never kinder than the real one: it refuses, rewrites, limits and forgets as Linear was seen to do.
"""

from bot.simulator.linear.app import linear_app
from bot.simulator.linear.content import Attachment, Comment, Document
from bot.simulator.linear.errors import LinearError
from bot.simulator.linear.github import GitHubIntegration, connect_github
from bot.simulator.linear.model import (
    Issue,
    Label,
    Relation,
    State,
    Team,
    User,
    Webhook,
)
from bot.simulator.linear.people import Integration, Person
from bot.simulator.linear.webhooks import sign
from bot.simulator.linear.world import Knobs, LinearWorld, RequestLog

__all__ = [
    "Attachment",
    "Comment",
    "Document",
    "GitHubIntegration",
    "Integration",
    "Issue",
    "Knobs",
    "Label",
    "LinearError",
    "LinearWorld",
    "Person",
    "Relation",
    "RequestLog",
    "State",
    "Team",
    "User",
    "Webhook",
    "connect_github",
    "linear_app",
    "sign",
]
