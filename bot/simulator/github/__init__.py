"""A GitHub to build against: REST, GraphQL, webhooks, pages, and git that is real.

    world = GitHubWorld(folder)
    async with serve(github_app(world)) as world.base_url:
        repo = await world.create_repository("acme/youlab", {"README.md": "# Lab"})
        await Person(world, "bob").pushes(repo, "topic", {"a.txt": "a"}, "Add a")

It is never kinder than the real one: what GitHub refuses, it refuses in the same words; what it does not know, it
answers with 501.
"""

from bot.simulator.github.actors import CI, CodeRabbit, Copilot, Person, ScriptedCI
from bot.simulator.github.ci import Trial
from bot.simulator.github.coderabbit_words import Finding
from bot.simulator.github.errors import ApiError
from bot.simulator.github.model import Protection, Pull, QueueEntry, QueueRule, Repository
from bot.simulator.github.model_reviews import Review, Thread
from bot.simulator.github.people import App, Installation, User
from bot.simulator.github.real_ci import RealCI
from bot.simulator.github.reviews import Note
from bot.simulator.github.server import github_app
from bot.simulator.github.suggestions import suggestion
from bot.simulator.github.world import GitHubWorld, Knobs

__all__ = [
    "CI",
    "ApiError",
    "App",
    "CodeRabbit",
    "Copilot",
    "Finding",
    "GitHubWorld",
    "Installation",
    "Knobs",
    "Note",
    "Person",
    "Protection",
    "Pull",
    "QueueEntry",
    "QueueRule",
    "RealCI",
    "Repository",
    "Review",
    "ScriptedCI",
    "Thread",
    "Trial",
    "User",
    "github_app",
    "suggestion",
]
