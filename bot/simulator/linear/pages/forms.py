"""What the forms of the pages do. Each takes the person, the issue of the page, and the fields; gives where to go."""

from collections.abc import Callable

from bot.simulator.linear import rules
from bot.simulator.linear.content import Comment, Document
from bot.simulator.linear.errors import not_found
from bot.simulator.linear.issues import update_issue
from bot.simulator.linear.model import Issue, State
from bot.simulator.linear.people import Person

Fields = dict[str, list[str]]
Form = Callable[[Person, Issue | None, Fields], str]


def _first(fields: Fields, name: str) -> str:
    return (fields.get(name) or [""])[0]


def _known(issue: Issue | None) -> Issue:
    if issue is None:
        raise not_found("Issue")
    return issue


def _page(issue: Issue, anchor: str = "") -> str:
    return f"/issue/{issue.identifier}{anchor}"


def create(person: Person, parent: Issue | None, fields: Fields) -> str:
    """Write a new issue, on an issue's page as its sub-issue."""
    issue = person.creates(
        person.world.team(_first(fields, "team")),
        _first(fields, "title"),
        _first(fields, "description"),
        labels=tuple(fields.get("label", ())),
        state=_first(fields, "state") or None,
        parent=parent,
    )
    return _page(issue)


def comment(person: Person, issue: Issue | None, fields: Fields) -> str:
    """Comment, or reply in the thread of `parent`. A button's own words (`say`) go before the text field's."""
    issue = _known(issue)
    text = _first(fields, "say") or _first(fields, "body")
    parent = _first(fields, "parent")
    thread = rules.entity(person.world, Comment, parent) if parent else None
    made = person.replies(thread, text) if thread else person.comments(issue, text)
    return _page(issue, f"#comment-{made.id[:8]}")


def move(person: Person, issue: Issue | None, fields: Fields) -> str:
    """Move the issue to another workflow state."""
    issue = _known(issue)
    state = rules.entity(person.world, State, _first(fields, "state"))
    update_issue(person.world, person.actor, issue, {"state_id": state.id})
    return _page(issue)


def label(person: Person, issue: Issue | None, fields: Fields) -> str:
    """Put a label on the issue (`add`), or take one off (`remove`), by id."""
    issue = _known(issue)
    changes = {"added_label_ids": fields.get("add", []), "removed_label_ids": fields.get("remove", [])}
    update_issue(person.world, person.actor, issue, changes)
    return _page(issue)


def document(person: Person, issue: Issue | None, fields: Fields) -> str:
    """Rewrite a document of the issue."""
    issue = _known(issue)
    found = rules.entity(person.world, Document, _first(fields, "document"))
    person.rewrites(found, _first(fields, "content"))
    return _page(issue, f"#document-{found.slug_id}")


def edit(person: Person, issue: Issue | None, fields: Fields) -> str:
    """Change the title and the description."""
    issue = _known(issue)
    changes = {"title": _first(fields, "title"), "description": _first(fields, "description")}
    update_issue(person.world, person.actor, issue, changes)
    return _page(issue)


FORMS: dict[str, Form] = {
    "create": create,
    "comment": comment,
    "move": move,
    "label": label,
    "document": document,
    "edit": edit,
}
