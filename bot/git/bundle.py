"""Take in what a run made: a `git bundle`, looked at in quarantine before it becomes part of the mirror (S-44, S-45).

The bundle's header is read here and its pack is handed to `git index-pack --strict`, because `git fetch` from a bundle
skips `transfer.fsckObjects` (measured with git 2.39.5: a tree with an entry `.GIT` went through). The objects land in
a folder of their own beside the mirror's; only when nothing speaks against them are they moved over and a ref is made.
A refused bundle leaves nothing behind.
"""

import os
import re
import shutil
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bot.git import tree
from bot.git.command import GitError
from bot.git.mirror import Mirror
from bot.git.search import Brought, secrets_in
from bot.machine import protected as guarded
from bot.machine.secrets import SHAPED

MEGABYTE = 1_000_000
_HEADER_LIMIT = 1 * MEGABYTE
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", re.ASCII)
_TIP = re.compile(rb"([0-9a-f]{40}) \S+")
_NEEDS = re.compile(rb"-([0-9a-f]{40})( .*)?", re.DOTALL)


@dataclass(frozen=True)
class Limits:
    """How much one run may bring. Sizes in bytes; GitHub itself refuses files over 100 MB."""

    files: int = 5_000
    file_bytes: int = 100 * MEGABYTE
    bundle_bytes: int = 500 * MEGABYTE


@dataclass(frozen=True)
class Bars:
    """What a person must name (patterns of paths), and what may not come in at all (secrets)."""

    protected: tuple[str, ...] = guarded.DEFAULT
    secret: re.Pattern[str] = SHAPED


@dataclass(frozen=True)
class Imported:
    """A run's commits, now in the mirror. `commits` counts those after the base, `files` are the paths they change."""

    commit: str
    commits: int
    files: tuple[str, ...]
    protected: tuple[str, ...] = ()
    """Those of `files` that are protected."""


@dataclass(frozen=True)
class Rejected:
    """Why a run's bundle did not come in, one sentence per reason."""

    reasons: tuple[str, ...]


@dataclass(frozen=True)
class _Header:
    tip: str
    needs: tuple[str, ...]
    length: int


def bundle_command(base: str, file: str) -> tuple[str, ...]:
    """The command that packs what follows `base` on HEAD into `file`. It is for the agent's side of the wall only.

    Git refuses to make an empty bundle (exit code 128): no file means no commits.
    """
    return ("git", "bundle", "create", "--quiet", file, f"{base}..HEAD")


async def import_bundle(
    mirror: Mirror,
    bundle: Path,
    run: str,
    base: str,
    *,
    bars: Bars = Bars(),
    limits: Limits = Limits(),
) -> Imported | Rejected:
    """Bring the commits of `bundle` into `mirror` as `refs/callboard/runs/<run>`. They must descend from `base`.

    Raises:
        ValueError: `run` can't be part of a ref's name.
        GitError: the mirror is damaged.
    """
    if not _RUN_ID.fullmatch(run):
        raise ValueError(f"{run!r} can't name a ref")
    opened = _open(bundle, limits)
    if isinstance(opened, Rejected):
        return opened
    with opened as file, tempfile.TemporaryDirectory(dir=mirror.path / "objects", prefix="incoming-") as folder:
        header = _read_header(file)
        if isinstance(header, Rejected):
            return header
        os.lseek(file.fileno(), header.length, os.SEEK_SET)
        quarantine = Path(folder)
        found = await _examine(mirror, file, header, quarantine, base, bars, limits)
        if isinstance(found, Imported):
            _accept(quarantine, mirror)
            await mirror.keep(run, found.commit)
        return found


def _open(path: Path, limits: Limits) -> BinaryIO | Rejected:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        return Rejected((f"the bundle can't be opened: {error.strerror}",))
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode):
        reason = "the bundle is not a regular file"
    elif about.st_size > limits.bundle_bytes:
        reason = f"the bundle has {about.st_size // MEGABYTE} MB, more than {limits.bundle_bytes // MEGABYTE} MB"
    else:
        return os.fdopen(file, "rb", buffering=_HEADER_LIMIT)
    os.close(file)
    return Rejected((reason,))


def _read_header(file: BinaryIO) -> _Header | Rejected:
    """Version 2 only: version 3 can leave objects out (`@filter`)."""
    head = file.read(_HEADER_LIMIT)
    text, end, _ = head.partition(b"\n\n")
    first, *lines = text.split(b"\n")
    if first != b"# v2 git bundle" or not end:
        return Rejected(("the file is not a version 2 git bundle",))
    tips, needs = set[str](), list[str]()
    for line in lines:
        if tip := _TIP.fullmatch(line):
            tips.add(tip[1].decode())
        elif need := _NEEDS.fullmatch(line):
            needs.append(need[1].decode())
        else:
            return Rejected(("the bundle's header can't be read",))
    if len(tips) != 1:
        return Rejected((f"the bundle has {len(tips)} tips, one is wanted",))
    return _Header(tips.pop(), tuple(needs), len(text) + len(end))


async def _examine(
    mirror: Mirror,
    file: BinaryIO,
    header: _Header,
    quarantine: Path,
    base: str,
    bars: Bars,
    limits: Limits,
) -> Imported | Rejected:
    lacking = [need for need in header.needs if not await mirror.has(need)]
    if lacking:
        return Rejected((f"the bundle builds on {lacking[0]}, which is not in the repository",))
    aside = {
        "GIT_OBJECT_DIRECTORY": str(quarantine),
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(mirror.path / "objects"),
    }
    try:
        await mirror.git("index-pack", "--stdin", "--fix-thin", "--strict", input=file.fileno(), environment=aside)
    except GitError as error:
        return Rejected((f"git refuses the bundle's content: {error.message.strip().splitlines()[0][:300]}",))
    descends = await mirror.git("merge-base", "--is-ancestor", base, header.tip, environment=aside, accept=(0, 1, 128))
    if descends.code:
        return Rejected((f"the work does not descend from {base}, which it was started from",))
    return await _look(mirror, header.tip, base, aside, bars, limits)


async def _look(
    mirror: Mirror, tip: str, base: str, aside: Mapping[str, str], bars: Bars, limits: Limits
) -> Imported | Rejected:
    """Every commit that is new here is looked at, not only the last: all of them are pushed."""
    new = (await mirror.git("rev-list", tip, "--not", base, "--branches", environment=aside)).out
    raw = await mirror.git(
        "diff-tree", "--stdin", "-r", "-m", "-z", "--raw", "--root", "--always", "--no-renames", "--full-index",
        input=new, environment=aside,
    )  # fmt: skip
    changes = {change for change in tree.introduced(tree.parse(raw.text)) if change.mode != "000000"}
    whole = await mirror.git("diff-tree", "-r", "-z", "--name-only", "--no-renames", base, tip, environment=aside)
    files = tuple(whole.fields)
    reasons = tree.objections(changes)
    if len(files) > limits.files:
        reasons.append(f"{len(files)} files changed, more than {limits.files}")
    brought = await _brought(mirror, tip, base, aside)
    reasons += [
        f"{one.path!a} has {one.size // MEGABYTE} MB" for one in brought if one.path and one.size > limits.file_bytes
    ]
    reasons += await secrets_in(mirror, brought, {change.path for change in changes}, base, aside, bars.secret)
    if reasons:
        return Rejected(tuple(reasons[:50]))
    commits = int((await mirror.git("rev-list", "--count", f"{base}..{tip}", environment=aside)).line)
    return Imported(tip, commits, files, guarded.among(files, bars.protected))


async def _brought(mirror: Mirror, tip: str, base: str, aside: Mapping[str, str]) -> list[Brought]:
    """The commits and files that are new here."""
    objects = await mirror.git("rev-list", "--objects", tip, "--not", base, "--branches", environment=aside)
    names = dict(line.partition(" ")[::2] for line in objects.text.splitlines())
    sizes = await mirror.git(
        "cat-file",
        "--batch-check=%(objectsize) %(objecttype) %(objectname)",
        input="".join(f"{name}\n" for name in names).encode(),
        environment=aside,
    )
    told = (line.split(" ") for line in sizes.text.splitlines())
    return [Brought(name, names[name], int(size)) for size, kind, name in told if kind in ("blob", "commit")]


def _accept(quarantine: Path, mirror: Mirror) -> None:
    """Move the packs over; an index goes last, because git looks for indexes to find packs."""
    target = mirror.path / "objects" / "pack"
    target.mkdir(exist_ok=True)
    for file in sorted((quarantine / "pack").glob("pack-*"), key=lambda file: file.suffix == ".idx"):
        shutil.move(file, target / file.name)
