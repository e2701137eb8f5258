"""Linear's door: what the service asks `LinearClient` for is answered from the truth, well or badly.

It stands where the wire begins: everything from `bot/linear/observe.py` and `bot/linear/ensure.py` on is real. A
document of several operations is not printed and parsed: `together` carries them as they are.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bot.linear.client import LinearClient
from bot.linear.errors import Forbidden, LinearConflict, Rejected, classify
from bot.machine.stages import ORCHESTRATE, WORKER
from tests.simulation.clock import now
from tests.simulation.doors import Door
from tests.simulation.linear import QUIET_HISTORY, TEAM, Issue, Linear, Node

OVER = ("completed", "canceled", "duplicate")


class Together(str):
    """A document of several operations, unprinted."""

    parts: tuple[tuple[str, Mapping[str, Any]], ...]


def together(parts: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[str, dict[str, Any]]:
    """Takes the place of `bot.linear.operations.combined`."""
    document = Together("together")
    document.parts = tuple(parts)
    return document, {}


class LinearDoor(LinearClient):
    """The client of one process."""

    def __init__(self, door: Door, linear: Linear) -> None:
        self.url, self.requests = "simulated", 0
        self._door, self._linear, self._account = door, linear, linear.account

    async def execute(self, name: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One read."""
        self.requests += 1
        wanted = dict(variables or {})
        return await self._door.reads_linear(name, wanted, lambda: self._read(name, wanted))

    async def send(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Several operations of one kind."""
        assert isinstance(document, Together)
        self.requests += 1
        parts = document.parts
        if parts[0][0] == "moves":
            return await self._door.reads_linear("moves", {}, lambda: self._moves(parts))
        return await self._door.writes_linear(parts, lambda most: self._write(parts, most))

    # ---- reads

    def _read(self, name: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        linear = self._linear
        match name:
            case "epic":
                return {
                    "viewer": {"id": self._account["id"], "app": self._account["app"]},
                    "issue": linear.picture(linear.issue(wanted["id"])),
                }
            case "called":
                issue = linear.issue(wanted["id"])
                self._door.world.watch.callers.read(self._door.process, issue)
                return {"issue": {"creator": issue.creator, "history": {"nodes": issue.labelled[:]}}}
            case "roots":
                since = datetime.fromisoformat(wanted["filter"]["or"][1]["updatedAt"]["gt"])
                found = [one for one in linear.issues.values() if self._is_root(one, since)]
                return {"issues": {"nodes": [linear.root(one) for one in found]}}
            case "resolve":
                return {"issue": linear.root(linear.issue(wanted["id"]))}
            case "resolve_document":
                holder = next((one for one in linear.issues.values() if wanted["id"] in one.documents), None)
                if holder is None or holder.deleted:
                    raise _not_found("Document")
                return {"document": {"issue": {"id": holder.id}}}
            case "teams":
                keys = wanted["filter"]["key"]["in"]
                return {"teams": {"nodes": [linear.team(one) for one in keys]}, "issueLabels": {"nodes": []}}
        raise AssertionError(name)

    def _is_root(self, issue: Issue, since: datetime) -> bool:
        if issue.deleted or issue.archived or not {ORCHESTRATE, WORKER} & issue.labels.keys():
            return False
        return self._linear.kind_of(issue) not in OVER or issue.updated > since

    def _moves(self, parts: Sequence[tuple[str, Mapping[str, Any]]]) -> dict[str, Any]:
        found = {}
        for index, (_, wanted) in enumerate(parts):
            issue = self._linear.issue(wanted["id"])
            state = self._linear.state_of(issue)
            self._door.world.watch.sights.saw_moves(self._door.process, issue)
            found[f"w{index}"] = {"id": issue.id, "state": state, "history": {"nodes": list(issue.history)}}
        return found

    # ---- writes

    def _write(self, parts: Sequence[tuple[str, Mapping[str, Any]]], most: int) -> dict[str, Any]:
        """Do them in order, at most so many; one that fails ends it, and those before it stay done."""
        answer: dict[str, Any] = {}
        for index, (name, wanted) in enumerate(parts[:most]):
            try:
                answer[f"w{index}"] = self._one(name, wanted)
            except (Rejected, Forbidden, LinearConflict) as error:
                if self._door.world.seed % 3:  # else Linear does not tell which one it was
                    error.alias = f"w{index}"
                raise
        return answer

    def _one(self, name: str, wanted: Mapping[str, Any]) -> Node:
        linear, values = self._linear, dict(wanted.get("input") or {})
        entity = {"issueCreate": "Issue", "commentCreate": "Comment", "attachmentCreate": "Attachment",
                  "documentCreate": "Document", "issueRelationCreate": "IssueRelation"}.get(name, "")  # fmt: skip
        if entity and values["id"] in linear.made:
            raise _conflict(entity, values["id"])
        self._rejects(name, str(wanted.get("id") or ""), str(values.get("issueId") or ""))
        self._door.world.watch.writes.before(self._door.process, name, wanted)
        match name:
            case "issueCreate":
                names = {key: label for label, key in linear.labels.items()}
                if any(one not in names for one in values["labelIds"]):
                    raise _invalid("labelIds contained an entry that could not be found.")
                labels = [names[one] for one in values["labelIds"]]
                linear.create(
                    values["id"], values["title"], values["description"], values["parentId"], values["stateId"], labels
                ).mover = "service"
            case "issueUpdate":
                self._update(linear.issue(wanted["id"]), values)
            case "commentCreate":
                if "**Turns 2 and 3.**" in values["body"] or "**Turn 1.**" in values["body"]:
                    self._door.world.meanwhile.before_shown(linear.issue(values["issueId"]))
                issue, parent = linear.issue(values["issueId"]), values.get("parentId")
                linear.comment(issue, values["id"], values["body"], self._account, parent)
            case "commentUpdate":
                holder = next(
                    (i for i in linear.issues.values() if any(c["id"] == wanted["id"] for c in i.comments)), None
                )
                if holder is None:
                    raise _not_found("Comment")
                if next(c["user"] for c in holder.comments if c["id"] == wanted["id"]) is not self._account:
                    raise _forbidden()
                linear.rewrite(holder, wanted["id"], values["body"], who="service")
            case "issueRelationCreate":
                linear.made.add(values["id"])
                linear.relate(linear.issue(values["issueId"]).id, linear.issue(values["relatedIssueId"]).id, "service")
            case "attachmentCreate":
                linear.attach(linear.issue(values["issueId"]), values["id"], values["metadata"], "service")
            case "attachmentUpdate":
                holder = next((i for i in linear.issues.values() if wanted["id"] in i.attachments), None)
                if holder is None:
                    raise _not_found("Attachment")
                linear.attach(holder, wanted["id"], values["metadata"], "service")
            case "documentCreate":
                linear.write(
                    linear.issue(values["issueId"]), values["id"], values["title"], values["content"], "service"
                )
            case "documentUpdate":
                holder = next(i for i in linear.issues.values() if wanted["id"] in i.documents)
                linear.write(holder, wanted["id"], values["title"], values["content"], "service")
            case "issueLabelCreate":
                if values["id"] in linear.made:
                    raise _conflict("IssueLabel", values["id"])
                linear.labels[values["name"]] = values["id"]
                linear.made.add(values["id"])
            case _:
                raise AssertionError(name)
        self._door.world.watch.writes.after(self._door.process, name, wanted)
        return {"success": True}

    def _rejects(self, name: str, changed: str, issue: str) -> None:
        """What is archived or in the trash can't be edited, and nothing can be said there.

        Raises:
            UserError: it is.
        """
        issues = self._linear.issues
        holder = issues.get(changed if name == "issueUpdate" else issue)
        if name == "attachmentUpdate":
            holder = next((one for one in issues.values() if changed in one.attachments), None)
        if name != "documentCreate" and holder is not None and holder.archived is not None:
            raise classify([{"message": "Entity is archived", "extensions": {"type": "invalid input"}}], 200, {})

    def _update(self, issue: Issue, values: Node) -> None:
        names = {key: label for label, key in self._linear.labels.items()}
        for one in (*values.get("addedLabelIds", ()), *values.get("removedLabelIds", ())):
            if one not in names:
                raise _invalid("labelIds contained an entry that could not be found.")
        if "stateId" in values and values["stateId"] not in self._linear.states_of(issue.team):
            raise _invalid("stateId could not be found.")
        if "addedLabelIds" in values or "removedLabelIds" in values:
            add = tuple(names[one] for one in values.get("addedLabelIds", ()))
            remove = tuple(names[one] for one in values.get("removedLabelIds", ()))
            self._linear.label(issue, add, remove, "service", self._account)
        if "stateId" in values:
            self._linear.move(issue, values["stateId"], "service", self._account)


def _conflict(entity: str, id_: str) -> Exception:
    told = {"message": f"conflict on insert of {entity}", "extensions": {
        "type": "invalid input", "code": "INVALID_INPUT", "userError": True,
        "userPresentableMessage": f"{entity} with id {id_} exists already."}}  # fmt: skip
    return classify([told], 200, {})


def _not_found(entity: str) -> Exception:
    return classify([{"message": f"Entity not found: {entity}", "extensions": {"type": "invalid input"}}], 200, {})


def _forbidden() -> Exception:
    told = {"message": "You do not have access to this data.", "extensions": {"type": "forbidden"}}
    return classify([told], 200, {})


def _invalid(sentence: str) -> Exception:
    told = {"message": "Argument Validation Error", "extensions": {
        "type": "invalid input", "code": "INVALID_INPUT", "userPresentableMessage": sentence}}  # fmt: skip
    return classify([told], 200, {})


__all__ = ["QUIET_HISTORY", "TEAM", "LinearDoor", "Together", "now", "timedelta", "together"]
