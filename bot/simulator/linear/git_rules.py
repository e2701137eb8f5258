"""What a team says about its issues' pull requests: where an event moves them."""

import re
from dataclasses import dataclass

from bot.simulator.linear.model import Entity, State, Team


@dataclass(eq=False, kw_only=True)
class GitAutomation(Entity):
    """A rule of Linear's GitHub integration: when `event` happens to a linked pull request, move to `state`."""

    team: Team
    event: str
    state: State | None
    target_branch: "TargetBranch | None" = None

    @property
    def branch_pattern(self) -> str | None:
        """The old name of the target branch's pattern."""
        return self.target_branch.branch_pattern if self.target_branch else None


@dataclass(eq=False, kw_only=True)
class TargetBranch(Entity):
    """The branches that some rules are about: a name, or with `is_regex` a pattern."""

    team: Team
    branch_pattern: str
    is_regex: bool = False

    def matches(self, branch: str) -> bool:
        """Whether a pull request into this branch is meant."""
        return bool(re.fullmatch(self.branch_pattern, branch)) if self.is_regex else branch == self.branch_pattern
