"""Pull requests and what is said about them, as REST and webhooks show them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.simulator.github import render, render_apps
from bot.simulator.github.model import Pull, Repository
from bot.simulator.github.model_reviews import Comment, Review, ReviewComment, Thread
from bot.simulator.github.people import App, User
from bot.simulator.github.render import Json, api, stamp

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld


@dataclass(frozen=True)
class Measured:
    """What only the single pull request shows: its size, and whether it can be merged (None: not known yet)."""

    commits: int = 0
    additions: int = 0
    deletions: int = 0
    changed_files: int = 0
    mergeable: bool | None = None
    mergeable_state: str = "unknown"


def association(repo: Repository, who: User) -> str:
    """The author association: says who somebody is, not what they may do."""
    if who.kind == "Bot":
        return "NONE"
    if who is repo.owner:
        return "OWNER"
    return "COLLABORATOR" if who.login.lower() in repo.roles else "NONE"


def _end(world: "GitHubWorld", repo: Repository, ref: str, sha: str) -> Json:
    return {
        "label": f"{repo.owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": render.user(world, repo.owner),
        "repo": render.repository(world, repo),
    }


def simple(world: "GitHubWorld", pull: Pull) -> Json:
    """A pull request as lists and review events show it: no `merged`, no `mergeable`, no counts."""
    repo = pull.repository
    url = api(world, f"/repos/{repo.full_name}/pulls/{pull.number}")
    issue = api(world, f"/repos/{repo.full_name}/issues/{pull.number}")
    statuses = api(world, f"/repos/{repo.full_name}/statuses/{pull.head_sha}")
    page = f"{world.base_url}/{repo.full_name}/pull/{pull.number}"
    comment = f"{url.rsplit('/', 1)[0]}/comments{{/number}}"
    links = {
        "self": url,
        "html": page,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": comment,
        "commits": f"{url}/commits",
        "statuses": statuses,
    }
    return {
        "url": url,
        "id": pull.id,
        "node_id": pull.node,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": render.user(world, pull.author),
        "body": pull.body,
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": stamp(pull.closed_at),
        "merged_at": stamp(pull.merged_at),
        "merge_commit_sha": pull.merge_commit_sha,
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [render.user(world, who) for who in pull.requested],
        "requested_teams": [],
        "labels": [render.label(world, repo, one) for one in pull.labels],
        "milestone": None,
        "draft": pull.draft,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": comment,
        "comments_url": links["comments"],
        "statuses_url": statuses,
        "head": _end(world, repo, pull.head_ref, pull.head_sha),
        "base": _end(world, repo, pull.base_ref, pull.base_sha),
        "_links": {name: {"href": href} for name, href in links.items()},
        "author_association": association(repo, pull.author),
        "auto_merge": _auto_merge(world, pull),
        "active_lock_reason": None,
    }


def _auto_merge(world: "GitHubWorld", pull: Pull) -> Json | None:
    if pull.auto_merge is None:
        return None
    return {
        "enabled_by": render.user(world, pull.auto_merge.by),
        "merge_method": pull.auto_merge.method,
        "commit_title": pull.auto_merge.title,
        "commit_message": pull.auto_merge.message,
    }


def full(world: "GitHubWorld", pull: Pull, measured: Measured) -> Json:
    """A pull request as its own address and its own events show it."""
    return {
        **simple(world, pull),
        "merged": pull.merged,
        "mergeable": measured.mergeable,
        "rebaseable": measured.mergeable,
        "mergeable_state": measured.mergeable_state,
        "merged_by": render.user(world, pull.merged_by),
        "comments": len(pull.comments),
        "review_comments": sum(len(thread.comments) for thread in pull.threads),
        "maintainer_can_modify": False,
        "commits": measured.commits,
        "additions": measured.additions,
        "deletions": measured.deletions,
        "changed_files": measured.changed_files,
    }


def issue(world: "GitHubWorld", pull: Pull) -> Json:
    """The issue that every pull request also is."""
    repo = pull.repository
    url = api(world, f"/repos/{repo.full_name}/issues/{pull.number}")
    page = f"{world.base_url}/{repo.full_name}/pull/{pull.number}"
    return {
        "url": url,
        "repository_url": api(world, f"/repos/{repo.full_name}"),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "html_url": page,
        "id": pull.id,
        "node_id": pull.node,
        "number": pull.number,
        "title": pull.title,
        "user": render.user(world, pull.author),
        "labels": [render.label(world, repo, one) for one in pull.labels],
        "state": pull.state,
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": len(pull.comments),
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": stamp(pull.closed_at),
        "author_association": association(repo, pull.author),
        "active_lock_reason": None,
        "draft": pull.draft,
        "pull_request": {
            "url": api(world, f"/repos/{repo.full_name}/pulls/{pull.number}"),
            "html_url": page,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": stamp(pull.merged_at),
        },
        "body": pull.body,
        "reactions": render.reactions(url, []),
        "timeline_url": f"{url}/timeline",
        "performed_via_github_app": _via(world, pull.via),
        "state_reason": None,
    }


def _via(world: "GitHubWorld", app: App | None) -> Json | None:
    return render_apps.app(world, app) if app else None


def comment(world: "GitHubWorld", one: Comment) -> Json:
    """A comment in the conversation."""
    repo = one.pull.repository
    url = api(world, f"/repos/{repo.full_name}/issues/comments/{one.id}")
    return {
        "url": url,
        "html_url": f"{world.base_url}/{repo.full_name}/pull/{one.pull.number}#issuecomment-{one.id}",
        "issue_url": api(world, f"/repos/{repo.full_name}/issues/{one.pull.number}"),
        "id": one.id,
        "node_id": one.node,
        "user": render.user(world, one.user),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "body": one.body,
        "author_association": association(repo, one.user),
        "reactions": render.reactions(url, one.reactions),
        "performed_via_github_app": _via(world, one.via),
    }


def review(world: "GitHubWorld", one: Review, *, webhook: bool = False) -> Json:
    """A review. REST spells the state upper case and an absent body `""`; webhooks lower case and null."""
    pull = one.pull
    page = f"{world.base_url}/{pull.repository.full_name}/pull/{pull.number}"
    url = api(world, f"/repos/{pull.repository.full_name}/pulls/{pull.number}")
    shown = {
        "id": one.id,
        "node_id": one.node,
        "user": render.user(world, one.user),
        "body": one.body if webhook else one.body or "",
        "state": one.state.lower() if webhook else one.state,
        "html_url": f"{page}#pullrequestreview-{one.id}",
        "pull_request_url": url,
        "author_association": association(pull.repository, one.user),
        "_links": {"html": {"href": f"{page}#pullrequestreview-{one.id}"}, "pull_request": {"href": url}},
        "commit_id": one.commit_id,
    }
    if one.submitted_at:
        shown["submitted_at"] = stamp(one.submitted_at)
    if webhook:
        shown["updated_at"] = stamp(one.submitted_at)
    return shown


def review_comment(world: "GitHubWorld", one: ReviewComment) -> Json:
    """A comment on a line; `line` is null once that line has changed."""
    thread, pull = one.thread, one.thread.pull
    name = pull.repository.full_name
    url = api(world, f"/repos/{name}/pulls/comments/{one.id}")
    page = f"{world.base_url}/{name}/pull/{pull.number}#discussion_r{one.id}"
    pull_url = api(world, f"/repos/{name}/pulls/{pull.number}")
    position = len(thread.hunk.splitlines()) - 1
    shown = {
        "url": url,
        "pull_request_review_id": one.review.id,
        "id": one.id,
        "node_id": one.node,
        "diff_hunk": thread.hunk,
        "path": thread.path,
        "position": None if thread.outdated else position,
        "original_position": position,
        "commit_id": thread.original_commit if thread.outdated else pull.head_sha,
        "original_commit_id": thread.original_commit,
        "user": {**(render.user(world, one.user) or {}), "login": one.user.remarks_as or one.user.login},
        "body": one.body,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "html_url": page,
        "pull_request_url": pull_url,
        "author_association": association(pull.repository, one.user),
        "_links": {"self": {"href": url}, "html": {"href": page}, "pull_request": {"href": pull_url}},
        "reactions": render.reactions(url, one.reactions),
        "start_line": thread.first_line,
        "original_start_line": thread.start_line,
        "start_side": thread.side if thread.start_line else None,
        "line": thread.line,
        "original_line": thread.original_line,
        "side": thread.side,
        "subject_type": "line",
    }
    return {**shown, "in_reply_to_id": one.reply_to.id} if one.reply_to else shown


def thread(world: "GitHubWorld", one: Thread) -> Json:
    """A thread, as its own webhook shows it: REST has none."""
    return {"node_id": one.node, "comments": [review_comment(world, each) for each in one.comments]}
