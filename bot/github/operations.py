"""The GraphQL that is sent to GitHub: one file per operation in `operations/`, with the fragments that it uses."""

import re
from functools import cache
from importlib import resources

FOLDER = resources.files("bot.github") / "operations"
_FRAGMENT = re.compile(r"^fragment (\w+) on ", re.MULTILINE)
_USED = re.compile(r"\.\.\.(\w+)")


@cache
def operation(name: str) -> str:
    """The text of an operation with the fragments it uses; GitHub refuses a document with one that it doesn't use.

    Raises:
        FileNotFoundError: there is no such operation.
    """
    return with_fragments((FOLDER / f"{name}.graphql").read_text())


def with_fragments(text: str) -> str:
    """A document with the fragments that it uses, and those that they use, behind it."""
    known, needed = _fragments(), list(dict.fromkeys(_USED.findall(text)))
    for name in needed:  # grows while it is walked
        needed.extend(one for one in _USED.findall(known[name]) if one not in needed)
    return "\n".join([text, *(known[name] for name in needed)])


def pulls_document(count: int) -> str:
    """The document that reads `count` pull requests: the marked part of the operation, once for each."""
    before, _, rest = (FOLDER / "pull_requests.graphql").read_text().partition("    # begin\n")
    one, _, after = rest.partition("    # end\n")
    variables = ", ".join(f"$n{index}: Int!" for index in range(count))
    every = "".join(one.replace("p0:", f"p{index}:").replace("$n0", f"$n{index}") for index in range(count))
    return with_fragments(before.replace("$n0: Int!", variables) + every + after)


@cache
def _fragments() -> dict[str, str]:
    text = (FOLDER / "fragments.graphql").read_text()
    starts = [(found[1], found.start()) for found in _FRAGMENT.finditer(text)]
    ends = [start for _, start in starts[1:]] + [len(text)]
    return {name: text[start:end].strip() + "\n" for (name, start), end in zip(starts, ends, strict=True)}
