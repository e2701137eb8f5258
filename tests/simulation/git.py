"""Git in memory: commits with their files and ancestors, branches, and a merge by three sides. Bytes are words."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

Tree = Mapping[str, str]


@dataclass(frozen=True)
class Commit:
    """`ours`: the service's address is on it. `made_by` is the run (issue, generation) that made it, if one did."""

    sha: str
    parents: tuple[str, ...]
    tree: Tree
    ancestors: frozenset[str]
    """Itself among them."""
    ours: bool
    made_by: tuple[str, int] | None = None
    brings: str = ""
    """What a person would say of it."""


@dataclass
class Git:
    """One repository. `refs` are the branches."""

    commits: dict[str, Commit] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    unfinished: set[str] = field(default_factory=set)
    """Branches with work in hand on a ref that nobody sees."""

    def commit(
        self,
        parents: tuple[str, ...],
        tree: Tree,
        *,
        ours: bool,
        made_by: tuple[str, int] | None = None,
        brings: str = "",
    ) -> str:
        """A new commit; returns its name."""
        sha = hashlib.sha1(f"commit {len(self.commits)}".encode(), usedforsecurity=False).hexdigest()
        before = frozenset[str]().union(*(self.commits[one].ancestors for one in parents))
        self.commits[sha] = Commit(sha, parents, dict(tree), before | {sha}, ours, made_by, brings)
        return sha

    def tip(self, branch: str) -> str | None:
        """Where a branch stands."""
        return self.refs.get(branch)

    def descends(self, commit: str, ancestor: str) -> bool:
        """Whether a commit contains another."""
        return ancestor in self.commits[commit].ancestors

    def fork(self, one: str, other: str) -> str:
        """The newest commit that both contain."""
        shared = self.commits[one].ancestors & self.commits[other].ancestors
        return max(shared, key=lambda sha: (len(self.commits[sha].ancestors), sha))

    def merged(self, ours: str, theirs: str, base: str | None = None) -> tuple[Tree, tuple[str, ...]]:
        """The files of both, and the paths in which they clash."""
        before = self.commits[base or self.fork(ours, theirs)].tree
        mine, other = self.commits[ours].tree, self.commits[theirs].tree
        tree, clashes = dict[str, str](), []
        for path in sorted({*mine, *other}):
            was, here, there = before.get(path), mine.get(path), other.get(path)
            if here != there and here != was and there != was:
                clashes.append(path)
            chosen = there if here == was else here
            if chosen is not None:
                tree[path] = chosen
        return tree, tuple(clashes)

    def contains_work(self, commit: str, base: str) -> bool:
        """Whether what a commit changed since it forked is in the base: by ancestry or by its files."""
        if self.descends(base, commit):
            return True
        tree, clashes = self.merged(base, commit)
        return not clashes and tree == self.commits[base].tree

    def others_since(self, head: str, base: str) -> tuple[str, ...]:
        """Commits of a branch that the service did not make, oldest first."""
        mine = self.commits[head].ancestors - self.commits[base].ancestors
        found = [self.commits[sha] for sha in mine if not self.commits[sha].ours and len(self.commits[sha].parents) < 2]
        return tuple(one.sha for one in sorted(found, key=lambda one: (len(one.ancestors), one.sha)))
