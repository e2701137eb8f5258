"""Apps, installations, tokens, hooks and rules as REST and webhooks show them."""

from typing import TYPE_CHECKING

from bot.simulator.github.model import Hook, Protection, Repository
from bot.simulator.github.people import App, Installation, Token
from bot.simulator.github.render import Json, api, repository, stamp, user

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld


def app(world: "GitHubWorld", one: App) -> Json:
    """A GitHub App."""
    return {
        "id": one.id,
        "client_id": one.client_id,
        "slug": one.slug,
        "node_id": one.node,
        "owner": user(world, one.owner),
        "name": one.slug,
        "description": "",
        "external_url": "https://example.com",
        "html_url": f"{world.base_url}/apps/{one.slug}",
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "permissions": one.permissions,
        "events": list(one.events),
    }


def installation(world: "GitHubWorld", one: Installation) -> Json:
    """Where an App is installed."""
    return {
        "id": one.id,
        "account": user(world, one.account),
        "repository_selection": "all" if one.repositories is None else "selected",
        "access_tokens_url": api(world, f"/app/installations/{one.id}/access_tokens"),
        "repositories_url": api(world, "/installation/repositories"),
        "html_url": f"{world.base_url}/organizations/{one.account.login}/settings/installations/{one.id}",
        "app_id": one.app.id,
        "app_slug": one.app.slug,
        "client_id": one.app.client_id,
        "target_id": one.account.id,
        "target_type": one.account.kind,
        "permissions": one.permissions,
        "events": list(one.app.events),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.created_at),
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "suspended_by": None,
        "suspended_at": None,
    }


def token(world: "GitHubWorld", one: Token, repositories: list[Repository] | None) -> Json:
    """A fresh installation token."""
    shown: Json = {
        "token": one.value,
        "expires_at": stamp(one.expires_at),
        "permissions": dict(one.permissions),
        "repository_selection": "all" if one.repositories is None else "selected",
    }
    if repositories is not None:
        shown["repositories"] = [repository(world, repo) for repo in repositories]
    return shown


def hook(world: "GitHubWorld", repo: Repository, one: Hook) -> Json:
    """A webhook of a repository; the secret is never shown."""
    url = api(world, f"/repos/{repo.full_name}/hooks/{one.id}")
    config = {"url": one.url, "content_type": one.content_type, "insecure_ssl": "0"}
    return {
        "type": "Repository",
        "id": one.id,
        "name": "web",
        "active": one.active,
        "events": list(one.events),
        "config": {**config, "secret": "********"} if one.secret else config,
        "updated_at": stamp(one.created_at),
        "created_at": stamp(one.created_at),
        "url": url,
        "test_url": f"{url}/test",
        "ping_url": f"{url}/pings",
        "deliveries_url": f"{url}/deliveries",
        "last_response": {"code": None, "status": "unused", "message": None},
    }


def rules(repo: Repository, one: Protection) -> list[Json]:
    """The rules of a branch as the rules endpoint lists them."""
    source = {"ruleset_source_type": "Repository", "ruleset_source": repo.full_name, "ruleset_id": repo.id}
    found: list[Json] = []
    if one.approvals or one.conversation_resolution:
        parameters = {
            "required_approving_review_count": one.approvals,
            "dismiss_stale_reviews_on_push": one.dismiss_stale,
            "require_code_owner_review": False,
            "require_last_push_approval": one.last_push_approval,
            "required_review_thread_resolution": one.conversation_resolution,
        }
        found.append({"type": "pull_request", "parameters": parameters, **source})
    if one.checks:
        checks = {
            "required_status_checks": [{"context": name} for name in one.checks],
            "strict_required_status_checks_policy": one.strict,
        }
        found.append({"type": "required_status_checks", "parameters": checks, **source})
    if one.queue:
        queue = {
            "check_response_timeout_minutes": int(one.queue.timeout.total_seconds() // 60),
            "grouping_strategy": "ALLGREEN",
            "max_entries_to_build": 5,
            "max_entries_to_merge": 5,
            "merge_method": one.queue.method.upper(),
            "min_entries_to_merge": 1,
            "min_entries_to_merge_wait_minutes": 0,
        }
        found.append({"type": "merge_queue", "parameters": queue, **source})
    return found
