"""What Linear tells the world: data-change events, signed and handed to the post office.

There is no event for relations, workflow states or teams. An event is sent to every enabled webhook that listens to
its type and team.
"""

import hashlib
import hmac
import json
import uuid
from collections import Counter
from typing import TYPE_CHECKING, Any

from bot.simulator.linear.content import Attachment, Comment, Document, Reaction
from bot.simulator.linear.model import Actor, Entity, Issue, Label, Team, Webhook
from bot.simulator.linear.payloads import TYPES, payload, timestamp
from bot.simulator.post_office import Letter

if TYPE_CHECKING:
    from bot.simulator.linear.world import LinearWorld

RESOURCE_TYPES = frozenset(
    (
        *("AgentSessionEvent", "AppUserNotification", "Attachment", "Comment", "Customer", "CustomerNeed", "Cycle"),
        *("Document", "Initiative", "InitiativeUpdate", "Issue", "IssueLabel", "IssueSLA", "OAuthAuthorization"),
        *("PermissionChange", "Project", "ProjectLabel", "ProjectUpdate", "Reaction", "Release", "ReleaseNote", "User"),
    )
)

_NEVER_IN_UPDATED_FROM = frozenset(
    (
        "state",
        "team",
        "labels",
        "assignee",
        "delegate",
        "delegateId",
        "creator",
        "issue",
        "parent",
        "user",
        "comment",
        "url",
        "project",
    )
)


def sign(secret: str, body: bytes) -> str:
    """The value of `Linear-Signature`: HMAC-SHA256 over the raw body, lower-case hex, no prefix."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def announce(
    world: "LinearWorld", actor: Actor, action: str, entity: Entity, *, before: dict[str, Any] | None = None
) -> None:
    """Send the event that `actor` did `action` (create, update, remove) to `entity`.

    `before` is the payload as it was before an update; what differs becomes `updatedFrom`. An update that changed
    nothing is no event.
    """
    data = payload(world, entity)
    event: dict[str, Any] = {
        "action": action,
        "type": TYPES[type(entity)],
        "actor": None if world.knobs.actor_null else _actor(world, actor),
        "createdAt": timestamp(world.moment()),
        "data": {"id": entity.id} if action == "remove" and world.knobs.remove_with_id_only else data,
        "url": world.url(entity),
    }
    if before is not None:
        event["updatedFrom"] = _changed(before, data)
        if not event["updatedFrom"]:
            return
    if isinstance(entity, Issue) and actor.user and actor.user.app and not world.knobs.own_echo:
        return
    if world.knobs.drift:
        event["futureField"] = {"added": "after this was written"}
        event["data"]["futureField"] = ["?"]
    world.events.append(event)
    _switch_off_the_dead(world)
    for webhook in world.all(Webhook):
        if webhook.enabled and event["type"] in webhook.resource_types and _listens(webhook, _team(entity)):
            world.post_office.send(letter(world, webhook, event))


def failures(world: "LinearWorld", webhook: Webhook) -> list[dict[str, Any]]:
    """The last 50 sendings that went wrong; `executionId` is the same over the retries of one event."""
    failed = [
        attempt
        for attempt in world.post_office.attempts
        if world.deliveries.get(attempt.letter.delivery) is webhook and attempt.status != 200
    ]
    return [
        {
            "id": str(uuid.uuid4()),
            "executionId": attempt.letter.delivery,
            "httpStatus": attempt.status,
            "responseOrError": attempt.answer[:1000],
            "url": attempt.letter.url,
            "createdAt": world.moment(),
            "webhook": webhook,
        }
        for attempt in failed[-50:]
    ]


def _switch_off_the_dead(world: "LinearWorld") -> None:
    for webhook in world.all(Webhook):
        if webhook.enabled and _exhausted_in_a_row(world, webhook) >= world.knobs.disable_after:
            webhook.enabled = False


def _exhausted_in_a_row(world: "LinearWorld", webhook: Webhook) -> int:
    """How many of the latest letters nobody took although all retries were made."""
    tries: Counter[str] = Counter()
    for attempt in reversed(world.post_office.attempts):
        if world.deliveries.get(attempt.letter.delivery) is not webhook:
            continue
        if attempt.status == 200:
            break
        tries[attempt.letter.delivery] += 1
    return sum(count > len(world.post_office.retries) for count in tries.values())


def letter(world: "LinearWorld", webhook: Webhook, event: dict[str, Any]) -> Letter:
    """Put `event` into an envelope for `webhook`: signed bytes and Linear's headers."""
    now = int(world.moment().timestamp() * 1000)
    envelope = event | {
        "organizationId": world.organization.id,
        "webhookId": webhook.id,
        "webhookTimestamp": now,
    }
    body = json.dumps(envelope, separators=(",", ":"), ensure_ascii=False).encode()
    delivery = str(uuid.uuid4())
    world.deliveries[delivery] = webhook
    headers = (
        ("Linear-Delivery", delivery),
        ("Linear-Event", event["type"]),
        ("Linear-Signature", sign(webhook.secret, body)),
        ("Linear-Timestamp", str(now)),
        ("Content-Type", "application/json; charset=utf-8"),
        ("User-Agent", "Linear-Webhook"),
        ("Accept-Charset", "utf-8"),
    )
    return Letter(webhook.url, delivery, headers, body)


def _changed(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Previous values of changed properties, empty when there is no change.

    Of people, states and labels only the ids are listed, and `delegateId` not reliably: here, never.
    """
    changed = {key: value for key, value in before.items() if value != after.get(key)}
    if changed.keys() <= {"updatedAt"}:
        return {}
    return {"updatedAt": before["updatedAt"]} | {key: changed[key] for key in changed.keys() - _NEVER_IN_UPDATED_FROM}


def _listens(webhook: Webhook, team: Team | None) -> bool:
    if webhook.team:
        return team is webhook.team
    return team is None or team.visibility == "public"


def _team(entity: Entity) -> Team | None:
    match entity:
        case Issue() | Label():
            return entity.team
        case Document():
            return entity.issue.team if entity.issue else entity.team
        case Attachment():
            return entity.issue.team
        case Comment():
            return entity.issue.team if entity.issue else _team(entity.document) if entity.document else None
        case Reaction():
            owner = entity.comment or entity.issue
            return _team(owner) if owner else None
    return None


def _actor(world: "LinearWorld", actor: Actor) -> dict[str, Any] | None:
    if actor.user:
        user = actor.user
        return {"id": user.id, "type": "user", "name": user.name, "email": user.email, "url": world.url(user)}
    if actor.bot and actor.bot.id:
        return {"id": actor.bot.id, "type": "integration", "service": actor.bot.type}
    return None
