"""The truth of GitHub: one repository with its branches, pull requests and what is said there."""

import random
from collections.abc import Callable, Iterable

from tests.simulation.checks import Checks
from tests.simulation.clock import now
from tests.simulation.git import Git
from tests.simulation.merge_queue import MergeQueue
from tests.simulation.pull_request import NAME, OWN, WRITERS, Check, House, Node, Pull, Refusal, Remark, Thread


class Hub:
    """The repository. `changed` is told of everything, for webhooks: (event, body)."""

    def __init__(self, git: Git, house: House, chance: random.Random, changed: Callable[[str, Node], None]) -> None:
        self.git, self.house, self.chance, self._changed = git, house, chance, changed
        self.pulls: dict[int, Pull] = {}
        self.checks, self.queue = Checks(self), MergeQueue(self)
        self.told: dict[int, Node] = {}
        """What was told of each pull request last; nobody changes it in place."""
        self.calm = False
        self.forbidden = ""
        """What our App may not do any more: "everything", "opens" a pull request, "retargets" one."""
        self.stood_on: set[str] = set()
        """Branches that a person had another pull request go into at some time."""
        self.requested: Callable[[Pull, list[str]], None] = lambda _pull, _logins: None
        """Told whose review is asked for."""
        self._ids = 0

    # ---- what is asked

    def number(self) -> int:
        """A new number for something that is no pull request."""
        self._ids += 1
        return 1000 + self._ids

    def head(self, pull: Pull) -> str:
        """Where a pull request stands."""
        return (self.git.tip(pull.branch) or pull.at) if pull.open else pull.at

    def get(self, number: int) -> Pull:
        """By its number.

        Raises:
            Refusal: there is none.
        """
        if number not in self.pulls:
            raise Refusal(404, "Not Found")
        return self.pulls[number]

    def of(self, branch: str) -> list[Pull]:
        """All pull requests of a branch, newest first."""
        return [one for one in reversed(self.pulls.values()) if one.branch == branch]

    def open_of(self, branch: str) -> Pull | None:
        """The open one."""
        return next((one for one in self.of(branch) if one.open), None)

    def clashes(self, pull: Pull) -> bool:
        """Whether it conflicts with its base."""
        base = self.git.tip(pull.base)
        return base is not None and bool(self.git.merged(base, self.head(pull))[1])

    def behind(self, pull: Pull) -> bool:
        """Whether its base has commits that it lacks."""
        base = self.git.tip(pull.base)
        return base is not None and not self.git.descends(self.head(pull), base)

    def opinions(self, pull: Pull) -> dict[str, Remark]:
        """The last opinion of everybody who may write."""
        said = [one for one in pull.reviews if one.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED")]
        return {one.by: one for one in said if WRITERS.get(one.by) in ("admin", "write")}

    def obstacle(self, pull: Pull) -> str:
        """What GitHub's own rules have against a merge; empty: nothing."""
        head, opinions = self.head(pull), [one.state for one in self.opinions(pull).values()]
        if pull.draft:
            return "Pull Request is still a draft"
        if self.clashes(pull):
            return "Merge conflict"
        if self.house.ci and self.house.required and not (self.checks.latest(head) and self.checks.green(head)):
            return "Required status check"
        if self.house.strict and self.behind(pull):
            return "Head branch is out of date"
        if self.house.review and "APPROVED" not in opinions:
            return "At least 1 approving review is required"
        return "Changes requested" if self.house.review and "CHANGES_REQUESTED" in opinions else ""

    # ---- branches

    def pushed(self, branch: str, sha: str, by: str) -> None:
        """A branch stands elsewhere now; pull requests follow."""
        before = self.git.tip(branch)
        for pull in self.pulls.values():
            if pull.open and pull.branch == branch and pull.queued and pull.queued != sha:
                self.queue.ejects(pull, "QUEUE_CLEARED")
        self.git.refs[branch] = sha
        self._tell("push", {"ref": f"refs/heads/{branch}", "before": before or "0" * 40, "after": sha}, by)
        for pull in list(self.pulls.values()):
            if pull.open and pull.branch == branch and self._brings_nothing(pull):
                self._closed(pull, by=by)  # by a push that took everything away
            elif pull.open and pull.branch == branch:
                self._synchronised(pull, by)
            if pull.open and pull.base == branch and self.git.descends(sha, self.head(pull)):
                self._closed(pull, merged=sha, by=by)

    def _brings_nothing(self, pull: Pull) -> bool:
        base = self.git.tip(pull.base)
        return base is not None and self.git.descends(base, self.head(pull))

    def deleted(self, branch: str, by: str) -> None:
        """A branch is gone; pull requests from it and into it are closed.

        Raises:
            Refusal: there is none.
        """
        if branch not in self.git.refs:
            raise Refusal(422, "Reference does not exist")
        if self.house.keeps and by == OWN:
            raise Refusal(422, "Repository rule violations found\n\nCannot delete this branch\n\n")
        for pull in self.standing_on(branch):
            self._closed(pull, by=by)
        del self.git.refs[branch]
        self._tell("push", {"ref": f"refs/heads/{branch}", "deleted": True}, by)

    # ---- pull requests

    def standing_on(self, branch: str) -> list[Pull]:
        """Open pull requests from a branch, and into it."""
        return [one for one in self.pulls.values() if one.open and branch in (one.branch, one.base)]

    def opens(self, branch: str, base: str, title: str, by: str) -> Pull:
        """A new pull request.

        Raises:
            Refusal: as GitHub does.
        """
        self._permits("opens", by)
        head, onto = self.git.tip(branch), self.git.tip(base)
        if head is None or onto is None:
            raise Refusal(422, "Validation Failed: head or base is invalid")
        if any(one.open and one.branch == branch and one.base == base for one in self.pulls.values()):
            raise Refusal(422, "Validation Failed: A pull request already exists for it.")
        if self.git.descends(onto, head):
            raise Refusal(422, f"Validation Failed: No commits between {base} and {branch}")
        pull = Pull(len(self.pulls) + 1, branch, base, title, by, at=head)
        self.pulls[pull.number] = pull
        self._tell_pull("opened", pull, by)
        self.checks.come(head)
        return pull

    def retargets(self, pull: Pull, base: str, by: str) -> None:
        """It goes elsewhere.

        Raises:
            Refusal: as GitHub does.
        """
        if pull.base == base:
            return
        self._permits("retargets", by)
        onto = self.git.tip(base)
        if not pull.open:
            raise Refusal(422, "Validation Failed: Cannot change the base branch of a closed pull request.")
        if onto is None:
            raise Refusal(422, "Validation Failed: Proposed base branch does not exist")
        if self.git.descends(onto, self.head(pull)):
            raise Refusal(422, "Validation Failed: There are no new commits between base and head")
        pull.base = base
        if by != OWN:
            self.stood_on.add(base)
        if pull.queued:
            self.queue.ejects(pull, "QUEUE_CLEARED")
        self._tell_pull("edited", pull, by)

    def _permits(self, what: str, by: str) -> None:
        if self.forbidden == what and by == OWN:
            raise Refusal(403, "Resource not accessible by integration")

    def drafts(self, pull: Pull, *, draft: bool, by: str) -> None:
        """It is not ready yet, or is again."""
        pull.draft = draft
        if draft and pull.queued:
            self.queue.ejects(pull, "QUEUE_CLEARED")
        self._tell_pull("converted_to_draft" if draft else "ready_for_review", pull, by)

    def closes(self, pull: Pull, by: str) -> None:
        """Closed without a merge."""
        if pull.open:
            self._closed(pull, by=by)

    def reopens(self, pull: Pull, by: str) -> bool:
        """Open again, if it can be."""
        tip = self.git.tip(pull.branch)
        base = self.git.tip(pull.base)
        if pull.open or pull.merged or tip is None or base is None:
            return False
        possible = not self.git.descends(base, tip)  # "There are no new commits between base and head"
        if possible and not any(one.open and one.branch == pull.branch for one in self.pulls.values()):
            pull.open = True
            self._tell_pull("reopened", pull, by)
            self.checks.come(self.head(pull))
            return True
        return False

    def method(self, base: str) -> str:
        """How people merge into a branch."""
        linear = self.house.linear and base == "main"
        return next(one for one in self.house.methods if not (linear and one == "merge"))

    def merges(self, pull: Pull, method: str, sha: str | None, by: str) -> str:
        """Merge it now; returns the commit.

        Raises:
            Refusal: as GitHub does.
        """
        if not pull.open:
            raise Refusal(405, "Pull Request is not mergeable")
        if sha is not None and sha != self.head(pull):
            raise Refusal(409, "Head branch was modified. Review and try the merge again.")
        if self.house.queue and pull.base == "main" and by == OWN:
            raise Refusal(405, "Changes must be made through the merge queue")
        if method not in self.house.methods:
            raise Refusal(405, f"{method.title()} commits are not allowed on this repository.")
        if reason := self.obstacle(pull):
            raise Refusal(405, reason)
        if self.house.linear and method == "merge" and pull.base == "main":
            raise Refusal(405, "This branch must not contain merge commits.")
        return self.lands(pull, method, by)

    def lands(self, pull: Pull, method: str, by: str) -> str:
        """What may be merged is; returns the commit."""
        base, head = self.git.refs[pull.base], self.head(pull)
        tree, _ = self.git.merged(base, head)
        parents = (base, head) if method == "merge" else (base,)
        commit = self.git.commit(parents, tree, ours=False, brings=f"#{pull.number}")
        self._closed(pull, merged=commit, by=by)
        self.pushed(pull.base, commit, by)
        if self.house.deletes and pull.branch in self.git.refs:
            self._goes_with_its_merge(pull)
        return commit

    def _goes_with_its_merge(self, pull: Pull) -> None:
        onto = self.git.refs[pull.base]
        for other in self.standing_on(pull.branch):
            if other.base == pull.branch and not self.git.descends(onto, self.head(other)):
                self.retargets(other, pull.base, "github")
        self.deleted(pull.branch, "github")

    def _closed(self, pull: Pull, *, merged: str = "", by: str) -> None:
        pull.at = self.head(pull)
        pull.open, pull.merged, pull.merge_commit, pull.queued = False, bool(merged), merged, ""
        pull.merged_by, pull.landed_in = by if merged else "", pull.base if merged else ""
        self._tell_pull("closed", pull, by)

    def _synchronised(self, pull: Pull, by: str) -> None:
        for thread in pull.threads:
            thread.outdated = thread.outdated or self.chance.random() < 0.3
        self._tell_pull("synchronize", pull, by)
        self.checks.come(self.head(pull))

    # ---- what is said

    def says(self, pull: Pull, body: str, by: str) -> Remark:
        """In the conversation.

        Raises:
            Refusal: it is locked.
        """
        self._hears(pull, by)
        remark = Remark(f"IC_{self.number()}", by, body)
        pull.conversation.append(remark)
        self._tell("issue_comment", {
            "action": "created", "issue": {"number": pull.number, "pull_request": {}}}, by)  # fmt: skip
        return remark

    def edits(self, pull: Pull, remark: Remark, body: str) -> None:
        """A comment in the conversation reads otherwise now."""
        remark.body, remark.edited = body, now()
        about = {"action": "edited", "issue": {"number": pull.number, "pull_request": {}}}
        self._tell("issue_comment", about, remark.by)

    def reviews(self, pull: Pull, state: str, body: str, by: str, commit: str = "") -> None:
        """A submitted review, of the head where no commit is named."""
        made, seen = now().replace(microsecond=0), commit or self.head(pull)
        pull.reviews.append(Remark(f"PRR_{self.number()}", by, body, made, state=state, commit=seen))
        self._tell_pull("submitted", pull, by, event="pull_request_review")

    def remarks(self, pull: Pull, thread: Thread | None, body: str, by: str, commit: str = "") -> Thread:
        """In a thread; None begins one.

        Raises:
            Refusal: the conversation is locked.
        """
        self._hears(pull, by)
        if thread is None:
            thread = Thread(f"PRRT_{self.number()}", "src/a.py", [])
            pull.threads.append(thread)
        thread.remarks.append(Remark(f"PRRC_{self.number()}", by, body, now().replace(microsecond=0), commit=commit))
        self._tell_pull("created", pull, by, event="pull_request_review_comment")
        return thread

    def hears(self, pull: Pull, by: str) -> bool:
        """Whether somebody may say something there."""
        return not pull.locked or WRITERS.get(by) in ("admin", "write")

    def _hears(self, pull: Pull, by: str) -> None:
        if not self.hears(pull, by):
            raise Refusal(403, "Unable to create comment because issue is locked.")

    def asks(self, pull: Pull, logins: list[str]) -> None:
        """We ask somebody to look."""
        self._tell_pull("review_requested", pull, OWN)
        self.requested(pull, logins)

    def resolves(self, pull: Pull, thread: Thread, by: str) -> None:
        """Somebody resolves a thread."""
        thread.resolved_by = by
        self._tell_pull("resolved", pull, by, event="pull_request_review_thread")

    def unresolves(self, pull: Pull, thread: Thread, by: str) -> None:
        """Somebody opens it again."""
        thread.resolved_by = ""
        self._tell_pull("unresolved", pull, by, event="pull_request_review_thread")

    def thread(self, id_: str) -> tuple[Pull, Thread] | None:
        """A thread with its pull request, by its id."""
        return next(((pull, one) for pull in self.pulls.values() for one in pull.threads if one.id == id_), None)

    # ---- webhooks

    def tell(self, event: str, pull: Pull, action: str, by: str) -> None:
        """Something about a pull request changed that has no verb here."""
        self._tell_pull(action, pull, by, event=event)

    def _tell(self, event: str, body: Node, by: str) -> None:
        self._changed(event, {**body, "repository": {"full_name": NAME}, "sender": {"login": by}})

    def _tell_pull(self, action: str, pull: Pull, by: str, *, event: str = "pull_request") -> None:
        about = {"number": pull.number, "head": {"ref": pull.branch, "repo": {"full_name": NAME}}}
        self._tell(event, {"action": action, "pull_request": about}, by)

    def tell_check(self, action: str, check: Check, head: str) -> None:
        """A check changed."""
        heads = [{"head": {"ref": one.branch}} for one in self.pulls.values() if one.open and self.head(one) == head]
        suite = {"head_branch": None, "app": {"slug": check.app}, "pull_requests": heads}
        about = {"check_suite": suite, "app": {"slug": check.app}, "pull_requests": heads}
        self._tell("check_run", {"action": action, "check_run": about}, f"{check.app}[bot]")


def nodes(items: Iterable[Node]) -> Node:
    """A whole list, as GraphQL tells it."""
    return {"nodes": list(items), "pageInfo": {"hasNextPage": False, "endCursor": None}}
