"""One pull request as GitHub's GraphQL tells it becomes facts. Pure."""

from datetime import datetime

from bot.github.checks import Verdict, read_checks
from bot.github.client import Identity
from bot.github.conversation import Listener, Node, nodes
from bot.github.people import is_us, login_of
from bot.machine.pull_request import Ejection, Mergeable, Merging, PullRequest, QueueState

_MERGEABLE = {"MERGEABLE": Mergeable.YES, "CONFLICTING": Mergeable.CONFLICT}
_ALLOWED = {"merge": "mergeCommitAllowed", "squash": "squashMergeAllowed", "rebase": "rebaseMergeAllowed"}


def read_pull(node: Node, repository: Node, listener: Listener) -> PullRequest:
    """A pull request. `repository` is the GraphQL node around it."""
    head, identity = node["headRefOid"], listener.identity
    verdict = _verdict(node, identity)
    threads = listener.threads(node)
    return PullRequest(
        number=node["number"],
        url=node["url"],
        node=node["id"],
        open=node["state"] == "OPEN",
        merged=node["state"] == "MERGED",
        head=head,
        head_branch=node["headRefName"],
        base_branch=node["baseRefName"],
        draft=node["isDraft"],
        merge_commit=(node["mergeCommit"] or {}).get("oid", ""),
        mergeable=_MERGEABLE.get(node["mergeable"], Mergeable.UNKNOWN),
        checks=verdict.checks,
        failing=verdict.failing,
        waiting=verdict.waiting,
        changes_requested_by=_opinions(node, "CHANGES_REQUESTED"),
        approved_by=_opinions(node, "APPROVED", head),
        review_required=node["reviewDecision"] == "REVIEW_REQUIRED",
        open_threads=sum(thread.open for thread in threads),
        threads=threads,
        reviews=listener.reviews(node),
        conversation=listener.conversation(node),
        author_is_us=is_us(node["author"], identity),
        failing_details=verdict.failures,
        checks_seen=verdict.seen,
        behind=node["mergeStateStatus"] == "BEHIND",
        blocked_by_rules=_rules(node),
        merging=_merging(node, repository),
        queue=_queue(node),
        ejected=_ejection(node),
        auto_merge=node["autoMergeRequest"] is not None,
    )


def _verdict(node: Node, identity: Identity) -> Verdict:
    nothing = {"commit": {"oid": "", "statusCheckRollup": None}}
    return read_checks(next(nodes(node["commits"]), nothing)["commit"], node["headRefOid"], identity.slug)


def _opinions(node: Node, state: str, head: str | None = None) -> tuple[str, ...]:
    """Whose latest opinion is this; with `head`, only opinions on that commit."""
    return tuple(
        login_of(review["author"])
        for review in nodes(node["latestOpinionatedReviews"])
        if review["state"] == state and (head is None or (review["commit"] or {}).get("oid") == head)
    )


def _rules(node: Node) -> str:
    if node["mergeStateStatus"] != "BLOCKED":
        return ""
    return f"GitHub's rules for {node['baseRefName']} ask for something that #{node['number']} does not have yet"


def _merging(node: Node, repository: Node) -> Merging:
    return Merging(
        queue=node["isMergeQueueEnabled"],
        auto_merge_allowed=repository["autoMergeAllowed"],
        methods=tuple(method for method, field in _ALLOWED.items() if repository[field]),
    )


def _queue(node: Node) -> QueueState | None:
    """What is merged has left the queue, also when its entry is still shown for a moment."""
    entry = node["mergeQueueEntry"]
    if entry is None or node["state"] != "OPEN":
        return None
    return QueueState(entry["position"], str(entry["state"]).lower())


def _ejection(node: Node) -> Ejection | None:
    """A merge leaves the queue as well, and is no ejection."""
    last = next(nodes(node["timelineItems"]), None)
    if last is None or node["state"] == "MERGED":
        return None
    return Ejection(
        reason=str(last.get("reason") or ""),
        at=datetime.fromisoformat(last["createdAt"]),
        head=(last.get("beforeCommit") or {}).get("oid", ""),
    )
