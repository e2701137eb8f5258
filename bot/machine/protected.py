"""Paths whose change needs a person who names them: they run code on other machines, or say who may (S-43).

A pattern is written as in `.gitignore`: without a slash inside it counts at any depth, with one from the root on; a
folder ends with a slash. Letter case doesn't matter, as it doesn't to some of those who read such files.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache

SETTINGS = (
    ".claude/",
    ".claude.json",
    ".mcp.json",
    "CLAUDE*.md",
    "AGENTS*.md",
    ".codex/",
    ".cursor/",
    ".gemini/",
    ".husky/",
    ".vscode/",
    ".gitmodules",
    ".gitattributes",
    ".envrc",
    ".env",
    ".ripgreprc",
)
"""What agents, editors and git obey when they find it in a repository."""
_CI = (
    ".github/",
    ".gitlab-ci.yml",
    ".circleci/",
    ".buildkite/",
    ".woodpecker/",
    ".woodpecker.yml",
    ".drone.yml",
    ".travis.yml",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
)
_LOCKS = (
    "*.lock",
    "*.lockb",
    "package-lock.json",
    "npm-shrinkwrap.json",
    "pnpm-lock.yaml",
    "go.sum",
    "packages.lock.json",
    "gradle.lockfile",
    "Package.resolved",
)
DEFAULT = (*_CI, *_LOCKS, "CODEOWNERS", *SETTINGS)
"""What is protected where the policy doesn't say otherwise."""


def among(paths: Iterable[str], patterns: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths that one of the patterns means, in their order."""
    wanted = tuple(pattern.casefold() for pattern in patterns)
    return tuple(path for path in paths if _one_means(wanted, path.casefold()))


def left_unnamed(paths: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Those of the paths that are not named; a folder with its slash names all that lies in it."""
    said = tuple(names)
    return tuple(path for path in paths if not any(_names(one, path) for one in said))


def meaningless(names: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    """Those of the names that name none of the paths."""
    known = tuple(paths)
    return tuple(one for one in names if not any(_names(one, path) for path in known))


def _names(name: str, path: str) -> bool:
    return path == name or (name.endswith("/") and len(name) > 1 and path.startswith(name))


@lru_cache(maxsize=4096)
def _one_means(patterns: tuple[str, ...], path: str) -> bool:
    return any(_means(pattern, path) for pattern in patterns)


def _means(pattern: str, path: str) -> bool:
    folder = pattern.endswith("/")
    inner = pattern.strip("/")
    parts = path.split("/")
    if "/" in pattern.rstrip("/"):
        depth = inner.count("/") + 1
        heads = ["/".join(parts[:depth])] if len(parts) > depth or not folder else []
        return any(fnmatchcase(head, inner) for head in heads)
    return any(fnmatchcase(part, inner) for part in (parts[:-1] if folder else parts))
