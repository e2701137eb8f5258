"""What people and bots said on a pull request: GraphQL nodes become remarks, threads and reviews. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot.github.client import Identity
from bot.github.marks import topic_of, unmarked
from bot.github.people import Actor, is_person, is_us, login_of, number_of
from bot.machine.pull_request import Opinion, Remark, Review, Thread

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Listener:
    """Knows who speaks: `identity` is ours, `writers` are the numbers of people who may."""

    identity: Identity
    writers: frozenset[int]

    def threads(self, pull: Node) -> tuple[Thread, ...]:
        """The review threads of a pull request, oldest first."""
        return tuple(self._thread(node) for node in nodes(pull["reviewThreads"]))

    def reviews(self, pull: Node) -> tuple[Review, ...]:
        """The submitted reviews of a pull request, oldest first."""
        return tuple(self._review(node) for node in nodes(pull["reviews"]) if node["state"] in _OPINIONS)

    def conversation(self, pull: Node) -> tuple[Remark, ...]:
        """The comments below a pull request, oldest first, without those that somebody hid."""
        return tuple(self._remark(node) for node in nodes(pull["comments"]) if not node["isMinimized"])

    def _thread(self, node: Node) -> Thread:
        comments = list(nodes(node["comments"]))
        remarks = tuple(self._remark(comment) for comment in comments)
        return Thread(
            id=node["id"],
            path=node["path"],
            line=None if node["isOutdated"] else node["line"],
            start_line=None if node["isOutdated"] else node["startLine"],
            resolved=node["isResolved"],
            settled=node["isResolved"] and self._by_a_person(node.get("resolvedBy"), remarks),
            outdated=node["isOutdated"],
            diff_hunk=comments[0]["diffHunk"] if comments else "",
            remarks=remarks,
            commit=((comments[0].get("originalCommit") or {}).get("oid", "")) if comments else "",
        )

    def _by_a_person(self, resolver: Node | None, remarks: Iterable[Remark]) -> bool:
        """GitHub doesn't say there whether it was a bot; bots resolve only threads in which they spoke."""
        bots = {self.identity.login, *(one.author for one in remarks if one.author.endswith("[bot]"))}
        names = {login.lower().removesuffix("[bot]") for login in bots}
        return resolver is not None and str(resolver["login"]).lower().removesuffix("[bot]") not in names

    def _remark(self, node: Node) -> Remark:
        ours = self._is_ours(node)
        return Remark(
            id=node["id"],
            author=login_of(node["author"]),
            body=unmarked(node["body"]) if ours else node["body"],
            created_at=datetime.fromisoformat(node["createdAt"]),
            edited_at=_edited(node),
            person=self._is_person(node, ours),
            may=self._may(node, ours),
            ours=ours,
            topic=topic_of(node["body"]) if ours else "",
            reply_to=(node.get("replyTo") or {}).get("id", ""),
            minimized=node["isMinimized"],
            url=node["url"],
        )

    def _review(self, node: Node) -> Review:
        ours = self._is_ours(node)
        return Review(
            id=node["id"],
            author=login_of(node["author"]),
            state=_OPINIONS[node["state"]],
            body=node["body"],
            commit=(node["commit"] or {}).get("oid", ""),
            submitted_at=datetime.fromisoformat(node["submittedAt"]),
            edited_at=_edited(node),
            person=self._is_person(node, ours),
            may=self._may(node, ours),
            ours=ours,
            url=node["url"],
        )

    def _is_ours(self, node: Node) -> bool:
        """With a person's token only what bears our mark: the rest that person typed."""
        return is_us(node["author"], self.identity) and (self.identity.slug is not None or bool(topic_of(node["body"])))

    def _is_person(self, node: Node, ours: bool) -> bool:
        return is_person(node["author"]) and not ours

    def _may(self, node: Node, ours: bool) -> bool:
        return self._is_person(node, ours) and number_of(node["author"]) in self.writers


def _edited(node: Node) -> datetime | None:
    return datetime.fromisoformat(node["lastEditedAt"]) if node["lastEditedAt"] else None


_OPINIONS = {opinion.value.upper(): opinion for opinion in Opinion}


def speakers(pull: Node) -> Iterator[Actor | None]:
    """Everybody who said something on a pull request."""
    for name in ("reviews", "comments"):
        yield from (node["author"] for node in nodes(pull[name]))
    for thread in nodes(pull["reviewThreads"]):
        yield from (comment["author"] for comment in nodes(thread["comments"]))


def people_of(pulls: Iterable[Node]) -> Mapping[int, str]:
    """The people who said something on the pull requests: login by number."""
    people = (actor for pull in pulls for actor in speakers(pull) if is_person(actor))
    return {number: login_of(actor) for actor in people if (number := number_of(actor)) is not None}


def nodes(connection: Node | None) -> Iterator[Any]:
    """What one page of a GraphQL list holds; GitHub puts a null where we may not look."""
    return (node for node in (connection or {}).get("nodes") or () if node)
