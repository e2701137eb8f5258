"""Secrets in what a run brings: in files that are new, in names, and in the words of commits (S-51).

Looked for are the service's own values in every spelling, and what is shaped like a token. What the base holds already
is nothing new, and a stand-in (`ghp_xxxxxxxx`) is none. A match is never repeated. An agent holds no secret of ours,
and one that wants to hide something can: this catches accidents, so what is large is not read.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.git.mirror import Mirror
from bot.machine.secrets import is_shaped

LARGEST_READ, MOST_READ = 2_000_000, 32_000_000
"""Bytes of one object, and of all objects of a bundle."""
_MOST_FOUND = 20
_STAND_IN = 12
"""A token has more different characters than that, and a digit among them."""


@dataclass(frozen=True)
class Brought:
    """An object of git that is new: a file at `path`, or a commit where that is empty. `size` in bytes."""

    name: str
    path: str
    size: int


async def secrets_in(
    mirror: Mirror,
    brought: Sequence[Brought],
    paths: Iterable[str],
    base: str,
    aside: Mapping[str, str],
    secret: re.Pattern[str],
) -> list[str]:
    """What these objects, and these names of files, give away that `base` does not; a sentence for each place."""
    texts = await _contents(mirror, brought, aside)
    texts += [("the name of a file", path) for path in paths]
    found = await asyncio.to_thread(lambda: [(place, one) for place, text in texts for one in _matches(text, secret)])
    known = {one for one in {one for _, one in found[:_MOST_FOUND]} if await _stands_in(mirror, base, one)}
    kinds = {(place, is_shaped(one)) for place, one in found if one not in known}
    shown = ((secret.sub("[secret]", place), shaped) for place, shaped in kinds)
    return [
        f"{place} holds {_SHAPED if shaped else _OURS}; take it out of every commit" for place, shaped in sorted(shown)
    ]


_SHAPED = "what is shaped like a token or a private key"
_OURS = "one of the service's own secrets"


async def _contents(mirror: Mirror, brought: Sequence[Brought], aside: Mapping[str, str]) -> list[tuple[str, str]]:
    """The place and the text of each object that is not too large."""
    read, room = list[Brought](), MOST_READ
    for one in brought:
        if one.size <= min(LARGEST_READ, room):
            read.append(one)
            room -= one.size
    wanted = "".join(f"{one.name}\n" for one in read).encode()
    out = (await mirror.git("cat-file", "--batch", input=wanted, environment=aside)).out if read else b""
    texts, at = list[tuple[str, str]](), 0
    for one in read:
        begin = out.index(b"\n", at) + 1
        at = begin + one.size + 1
        texts.append((ascii(one.path)[1:-1][:200] or "a commit", out[begin : at - 1].decode("latin-1")))
    return texts


def _matches(text: str, secret: re.Pattern[str]) -> Iterator[str]:
    for match in secret.finditer(text):
        one = match[0]
        if not is_shaped(one) or (len(set(one)) > _STAND_IN and any(letter.isdigit() for letter in one)):
            yield one


async def _stands_in(mirror: Mirror, commit: str, text: str) -> bool:
    """Whether the files of a commit hold the text: its longest line, which is never an argument."""
    line = max(text.splitlines(), key=len).encode("latin-1")
    found = await mirror.git(
        "grep", "--quiet", "--text", "--fixed-strings", "--no-textconv", "-f", "-", commit, input=line, accept=(0, 1)
    )
    return found.code == 0
