"""What of ours there is once, and changes: a comment about a topic, a record, a document.

Each is one write, which creates the thing or changes the one that is there.
"""

from collections.abc import Mapping
from typing import Any

from bot.linear.batch import Write
from bot.linear.marker import comment_id, digest_of, effect_id, mark, marker_of
from bot.machine.facts import Document, Issue


def comment(issue: Issue, topic: str, body: str, parent: str | None, *, key: str) -> tuple[str, Write | None]:
    """The id of our comment about `topic`, and what is written when it does not say so already.

    Nobody may edit what another account wrote: then there is a second one. See `Writes.comment`.
    """
    there = next((one for one in reversed(issue.comments) if one.ours and one.topic == topic), None)
    if there is not None and (marker := marker_of(there.body)) and marker.digest == digest_of(body):
        return there.id, None
    if there is not None and there.editable:
        text = mark(body, issue=issue.id, topic=topic, key=key, comment=there.id)
        about = f"edit comment on {issue.identifier}: {topic}"
        edit = {"id": there.id, "input": {"body": text}}
        return there.id, Write("commentUpdate", edit, about, issue=_subject(issue, topic))
    ours = comment_id(issue.id, topic) if there is None else effect_id("comment", there.id)
    text = mark(body, issue=issue.id, topic=topic, key=key, comment=ours)
    made: dict[str, Any] = {"id": ours, "issueId": issue.id, "body": text}
    if parent and (thread := _thread(issue, parent)):
        made["parentId"] = thread
    about = f"comment on {issue.identifier}: {topic}"
    return ours, Write("commentCreate", {"input": made}, about, "Comment", ours, issue=_subject(issue, topic))


def record(issue: Issue | str, number: int, url: str, shown: Mapping[str, Any], *, first: bool, epic: str) -> Write:
    """The attachment that keeps a record, of which people see what is `shown`. See `Writes.record`."""
    target = issue.id if isinstance(issue, Issue) else issue
    ours = effect_id("record", target)
    about = f"record of {issue.identifier if isinstance(issue, Issue) else issue}"
    about_whom, kept = epic or target, issue.kept if isinstance(issue, Issue) else ""

    def create(id_: str, then: Write | None) -> Write:
        made = {"id": id_, "issueId": target, "url": url, **shown}
        ends = (target,) if first else ()
        return Write("attachmentCreate", {"input": made}, about, "Attachment", id_, then, about_whom, ends)

    def change(id_: str, then: Write) -> Write:
        return Write("attachmentUpdate", {"id": id_, "input": shown}, about, instead=then, issue=about_whom)

    # somebody may have deleted it, and Linear may take its id for used for ever: then it gets another one
    anew = create(effect_id("record", target, str(number)), None)
    make = create(ours, None if first else change(ours, anew))
    return change(kept, make) if kept not in ("", ours) else make


def document(epic: Issue, title: str, content: str, existing: Document | None) -> tuple[str, Write]:
    """The id of an epic's document, and what is written. See `Writes.document`."""
    ours = existing.id if existing else effect_id("document", epic.id)
    shown = {"title": title, "content": content}
    about = f"document on {epic.identifier}: {title}"
    again = Write("documentUpdate", {"id": ours, "input": {**shown, "trashed": None}}, about, issue=epic.id)
    edit = Write("documentUpdate", {"id": ours, "input": shown}, about, issue=epic.id)
    made = {"id": ours, "issueId": epic.id, **shown}
    create = Write("documentCreate", {"input": made}, about, "Document", ours, again, epic.id)
    return ours, edit if existing else create


def _thread(issue: Issue, parent: str) -> str:
    """The comment below which an answer stands; empty when it is not there."""
    root = next((one.parent for one in issue.comments if one.id == parent), None) or parent
    return root if any(one.id == root for one in issue.comments) else ""


def _subject(issue: Issue, topic: str) -> str:
    """What a comment is about: the panel speaks for the whole epic, and tells what was rejected of it."""
    return f"panel of {issue.id}" if topic == "panel" else issue.id
