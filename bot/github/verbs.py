"""What all verbs on GitHub stand on."""

from typing import Any

from bot.github.client import GitHub


class Verbs:
    """Verbs on one GitHub. Each asks for the least: one repository at a time."""

    def __init__(self, github: GitHub) -> None:
        self._github = github

    async def _rest(self, method: str, repository: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One request to `/repos/{repository}{path}`; its JSON."""
        url = f"/repos/{repository}{path}"
        return await self._github.call(
            repository, lambda api: api.requester.requestJsonAndCheck(method, url, input=body)[1]
        )
