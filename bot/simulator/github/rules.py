"""What stands between a pull request and its merge: checks, reviews, conversations, and the base that moved."""

from collections import Counter
from typing import TYPE_CHECKING

from bot.simulator.github.git import ZERO
from bot.simulator.github.model import Protection, Pull, Repository
from bot.simulator.github.model_checks import CheckRun, CheckSuite, Status
from bot.simulator.github.model_reviews import Review
from bot.simulator.github.people import LEVELS
from bot.simulator.github.render_pulls import Measured

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

PASSING = {"success", "neutral", "skipped"}
OPINIONS = {"APPROVED", "CHANGES_REQUESTED", "DISMISSED"}
NO_RULES = Protection()


def protection(pull: Pull) -> Protection:
    """The rules of the branch that a pull request wants to get into."""
    return pull.repository.protection.get(pull.base_ref, NO_RULES)


def latest_runs(repo: Repository, sha: str) -> list[CheckRun]:
    """The newest run of each name and App on a commit."""
    found: dict[tuple[int, str], CheckRun] = {}
    for run in repo.check_runs:
        if run.suite.head_sha == sha:
            found[run.suite.app.id, run.name] = run
    return list(found.values())


def latest_statuses(repo: Repository, sha: str) -> list[Status]:
    """The newest status of each context on a commit."""
    return list({one.context: one for one in repo.statuses if one.sha == sha}.values())


def run_state(run: CheckRun) -> str:
    """A check run as one of the states of a rollup."""
    if run.status != "completed":
        return "PENDING"
    return "SUCCESS" if run.conclusion in PASSING else "FAILURE"


def rollup(repo: Repository, sha: str) -> str | None:
    """The state of everything that was reported on a commit; None when nothing was."""
    states = {run_state(run) for run in latest_runs(repo, sha)}
    states |= {one.state.upper() for one in latest_statuses(repo, sha)}
    for worst in ("FAILURE", "ERROR", "PENDING"):
        if worst in states:
            return worst
    return "SUCCESS" if states else None


def visible_suites(world: "GitHubWorld", repo: Repository, sha: str) -> list[CheckSuite]:
    """The check suites of a commit that the API shows by now: an empty one takes a moment (`knobs.suite_lag`)."""
    until = world.now() - world.knobs.suite_lag
    return [one for one in repo.check_suites if one.head_sha == sha and (one.runs or one.created_at <= until)]


def visible_reviews(world: "GitHubWorld", pull: Pull) -> list[Review]:
    """The reviews that the API shows by now (`knobs.review_lag`), the unsubmitted left out."""
    until = world.now() - world.knobs.review_lag
    return [one for one in pull.reviews if one.submitted_at is not None and one.submitted_at <= until]


def opinions(world: "GitHubWorld", pull: Pull, *, writers_only: bool) -> list[Review]:
    """The newest review of each reviewer that takes a side: a later comment doesn't undo an approval."""
    found: dict[int, Review] = {}
    for review in visible_reviews(world, pull):
        may = LEVELS[world.role(pull.repository, review.user)] >= LEVELS["write"]
        if review.state in OPINIONS and (may or not writers_only):
            found[review.user.id] = review
    return list(found.values())


def review_decision(world: "GitHubWorld", pull: Pull) -> str | None:
    """GitHub's word on the reviews; None where no rule asks for any."""
    needed = protection(pull).approvals
    if not needed:
        return None
    # Who is asked again has no opinion until the answer comes, whatever they said before.
    held = [review for review in opinions(world, pull, writers_only=True) if review.user not in pull.requested]
    states = [review.state for review in held]
    if "CHANGES_REQUESTED" in states:
        return "CHANGES_REQUESTED"
    return "APPROVED" if states.count("APPROVED") >= needed else "REVIEW_REQUIRED"


def blockers(world: "GitHubWorld", pull: Pull) -> list[str]:
    """What the rules still miss, in the words with which a merge is refused."""
    rules = protection(pull)
    found = []
    if review_decision(world, pull) not in {None, "APPROVED"}:
        plural = "review is" if rules.approvals == 1 else "reviews are"
        found.append(f"At least {rules.approvals} approving {plural} required by reviewers with write access.")
    if rules.last_push_approval and not _approved_by_another(world, pull):
        found.append("New changes require approval from someone other than the last pusher.")
    found += missing_checks(pull.repository, pull.head_sha, rules)
    if rules.conversation_resolution and any(thread.resolved_by is None for thread in pull.threads):
        found.append("All comments must be resolved.")
    return found


def _approved_by_another(world: "GitHubWorld", pull: Pull) -> bool:
    return any(
        review.state == "APPROVED" and review.commit_id == pull.head_sha and review.user is not pull.pushed_by
        for review in opinions(world, pull, writers_only=True)
    )


def check_states(repo: Repository, sha: str) -> dict[str, str]:
    """The state of each check and status on a commit, by name."""
    states = {run.name: run_state(run) for run in latest_runs(repo, sha)}
    return states | {one.context: one.state.upper() for one in latest_statuses(repo, sha)}


def missing_checks(repo: Repository, sha: str, rules: Protection) -> list[str]:
    """What a commit lacks of the required checks, as one sentence (or none), in the words of a refused merge."""
    states = check_states(repo, sha)
    words = {"PENDING": "pending", "FAILURE": "failing", "ERROR": "failing"}
    lacks = {
        name: words.get(states.get(name, ""), "expected") for name in rules.checks if states.get(name) != "SUCCESS"
    }
    if not lacks:
        return []
    if len(lacks) == 1:
        [(name, word)] = lacks.items()
        return [f'Required status check "{name}" is {word}.']
    kinds = Counter(lacks.values())
    if len(kinds) == 1:
        return [f"{len(lacks)} of {len(rules.checks)} required status checks are {next(iter(kinds))}."]
    parts = " and ".join(f"{count} {word}" for word, count in kinds.items())
    return [f"{len(lacks)} of {len(rules.checks)} required status checks have not succeeded: {parts}."]


async def behind(world: "GitHubWorld", pull: Pull, base: str) -> bool:
    """Whether a strict rule finds the head lacking commits of its base."""
    return protection(pull).strict and not await world.git.contains(pull.repository.path, base, pull.head_sha)


async def conflicts(world: "GitHubWorld", pull: Pull, base: str) -> bool:
    """Whether the head can't be merged into `base`. Computing it also makes the test merge, as GitHub does."""
    key = (pull.head_sha, base)
    if pull.conflicts is None or pull.conflicts[0] != key:
        repo = pull.repository
        tree = await world.git.merge_tree(repo.path, base, pull.head_sha)
        pull.conflicts = (key, tree is None)
        if tree and not pull.merged:
            message = f"Merge {pull.head_sha} into {base}"
            test = await world.git.commit_tree(
                repo.path, tree, (base, pull.head_sha), message, world.signature(pull.author)
            )
            pull.merge_commit_sha = test
    return pull.conflicts[1]


async def state(world: "GitHubWorld", pull: Pull) -> tuple[bool | None, str]:
    """Whether a pull request can be merged, and REST's `mergeable_state`, as they are (never unknown while open)."""
    base = await world.git.branch(pull.repository.path, pull.base_ref)
    if not pull.open or base is None:
        return None, "unknown"
    if await conflicts(world, pull, base):
        return False, "dirty"
    if pull.draft:
        return True, "draft"
    if blockers(world, pull):
        return True, "blocked"
    if await behind(world, pull, base):
        return True, "behind"
    if rollup(pull.repository, pull.head_sha) in {"FAILURE", "ERROR", "PENDING"}:
        return True, "unstable"
    return True, "clean"


async def ask(world: "GitHubWorld", pull: Pull) -> tuple[bool | None, str]:
    """The same as a caller hears it: unknown for the first `knobs.mergeable_after` times after every change.

    Asking starts the computing, which takes `knobs.mergeable_delay`.
    """
    base = await world.git.branch(pull.repository.path, pull.base_ref) or ZERO
    key = (pull.head_sha, base)
    times = pull.counted[1] + 1 if pull.counted[0] == key else 1
    if times == 1:
        pull.asked_at = world.now()
    pull.counted = (key, times)
    computing = pull.asked_at is not None and world.now() < pull.asked_at + world.knobs.mergeable_delay
    if computing or times <= world.knobs.mergeable_after:
        return None, "unknown"
    return await state(world, pull)


async def measure(world: "GitHubWorld", pull: Pull, *, asked: bool = False) -> Measured:
    """The size of a pull request; with `asked` also its mergeability, which counts as asking for it."""
    key = (pull.base_sha, pull.head_sha)
    if pull.size is None or pull.size[0] != key:
        path = pull.repository.path
        base = await world.git.merge_base(path, *key) or pull.base_sha
        numbers = (await world.git.diff(path, base, pull.head_sha, "--numstat")).splitlines()
        changes = [[int(part) if part.isdigit() else 0 for part in line.split("\t")[:2]] for line in numbers]
        commits = await world.git.count(path, f"{pull.base_sha}..{pull.head_sha}")
        pull.size = (key, (commits, sum(one[0] for one in changes), sum(one[1] for one in changes), len(changes)))
    mergeable, word = await ask(world, pull) if asked else (None, "unknown")
    return Measured(*pull.size[1], mergeable=mergeable, mergeable_state=word)
