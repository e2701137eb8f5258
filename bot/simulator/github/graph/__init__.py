"""The GraphQL API: a slice of GitHub's own schema, executed by graphql-core."""

from bot.simulator.github.graph.execute import Document, execute, read

__all__ = ["Document", "execute", "read"]
