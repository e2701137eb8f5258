"""Read long lists to their end: a first page comes with the pull request, what is left is read on here."""

from collections.abc import Mapping
from typing import Any

from bot.github.client import GitHub
from bot.github.operations import operation
from bot.machine.errors import Transient

Node = dict[str, Any]
_LISTS = {"reviews": "more_reviews", "reviewThreads": "more_threads", "comments": "more_comments"}
"""The lists of a pull request, and the operation that reads on in each."""


async def complete(github: GitHub, repository: str, pull: Node) -> None:
    """Read on in every list of a pull request (GraphQL node), until nothing is missing. Usually nothing is.

    Raises:
        Transient, Refused, NotFound: as `bot.github.errors` says.
    """
    for name, operation_name in _LISTS.items():
        await _read_on(github, repository, pull["id"], pull, name, operation_name)
    for thread in pull["reviewThreads"]["nodes"] or ():
        await _read_on(github, repository, thread["id"], thread, "comments", "more_remarks")
    for one in pull["commits"]["nodes"] or ():
        if one["commit"]["statusCheckRollup"] is not None:
            await _all_checks(github, repository, pull["id"], one["commit"])


async def _read_on(github: GitHub, repository: str, node: str, parent: Node, name: str, operation_name: str) -> None:
    while parent[name]["pageInfo"]["hasNextPage"]:
        found = await _page(github, repository, operation_name, node, parent[name])
        _append(parent[name], found[name])


async def _all_checks(github: GitHub, repository: str, pull: str, commit: Node) -> None:
    """The rest of the checks; when the head moved meanwhile it stays open that there are more: never green."""
    contexts = commit["statusCheckRollup"]["contexts"]
    while contexts["pageInfo"]["hasNextPage"]:
        found = await _page(github, repository, "more_checks", pull, contexts)
        last = next((one["commit"] for one in found["commits"]["nodes"] or () if one), None)
        if last is None or last["oid"] != commit["oid"] or last["statusCheckRollup"] is None:
            return
        _append(contexts, last["statusCheckRollup"]["contexts"])


async def _page(
    github: GitHub, repository: str, operation_name: str, node: str, connection: Mapping[str, Any]
) -> Mapping[str, Any]:
    variables = {"id": node, "after": connection["pageInfo"]["endCursor"]}
    data = await github.graphql(repository, operation(operation_name), variables)
    if not data.get("node"):
        raise Transient(f"GitHub lost {node} while its list was read")
    found: Mapping[str, Any] = data["node"]
    return found


def _append(connection: Node, page: Mapping[str, Any]) -> None:
    before, after = connection["pageInfo"], page["pageInfo"]
    if after["hasNextPage"] and after["endCursor"] == before["endCursor"]:
        raise Transient("GitHub gave the same page of a list twice")
    connection["nodes"] = [*(connection["nodes"] or ()), *(page["nodes"] or ())]
    connection["pageInfo"] = after
