"""One file per kind of agent; `REGISTRY` knows them by the names that the policy uses."""

from collections.abc import Mapping

from bot.runs.runtimes.base import Runtime
from bot.runs.runtimes.claude import Claude
from bot.runs.runtimes.command import Command

REGISTRY: Mapping[str, Runtime] = {"claude": Claude, "command": Command}
