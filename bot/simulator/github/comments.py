"""The conversation of a pull request: comments, labels, reactions."""

from typing import TYPE_CHECKING, Any

from bot.simulator.github import hooks, pulls, render, render_pulls
from bot.simulator.github.errors import custom, invalid, not_found
from bot.simulator.github.model import Label, Pull, Repository
from bot.simulator.github.model_reviews import Comment, Reaction, ReviewComment
from bot.simulator.github.people import App, User

if TYPE_CHECKING:
    from bot.simulator.github.world import GitHubWorld

LONGEST_BODY = 65_536
_REACTIONS = {"+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"}


def add(world: "GitHubWorld", pull: Pull, author: User, body: str, via: App | None = None) -> Comment:
    """Comment in the conversation.

    Raises:
        ApiError: 422, an empty or an endless body.
    """
    _check(body)
    now = world.now()
    comment = world.keep(Comment(world.id(), pull, author, body, now, now, via))
    pull.comments.append(comment)
    pull.updated_at = now
    _announce(world, comment, author, "created")
    return comment


def edit(world: "GitHubWorld", comment: Comment, actor: User, body: str) -> None:
    """Change the text of a comment.

    Raises:
        ApiError: 422, an empty or an endless body.
    """
    _check(body)
    was, comment.body = comment.body, body
    comment.updated_at = world.now()
    _announce(world, comment, actor, "edited", changes={"body": {"from": was}})


def delete(world: "GitHubWorld", comment: Comment, actor: User) -> None:
    """Take a comment away."""
    comment.pull.comments.remove(comment)
    world.nodes.pop(comment.node)
    _announce(world, comment, actor, "deleted")


def find(repo: Repository, number: int) -> Comment:
    """A conversation comment of a repository by its id.

    Raises:
        ApiError: 404.
    """
    for pull in repo.pulls.values():
        for comment in pull.comments:
            if comment.id == number:
                return comment
    raise not_found()


def react(world: "GitHubWorld", comment: Comment | ReviewComment, user: User, content: str) -> tuple[Reaction, bool]:
    """React to a comment; whether the reaction is new.

    Raises:
        ApiError: 422, no such reaction.
    """
    if content not in _REACTIONS:
        raise invalid("Reaction", "content", value=content)
    for reaction in comment.reactions:
        if reaction.user is user and reaction.content == content:
            return reaction, False
    reaction = Reaction(world.id(), user, content, world.now())
    comment.reactions.append(reaction)
    return reaction, True


async def set_labels(world: "GitHubWorld", pull: Pull, actor: User, names: list[str]) -> None:
    """Give a pull request exactly these labels; a name that the repository lacks becomes a label of it."""
    wanted = [_label(world, pull.repository, name) for name in dict.fromkeys(names)]
    added = [one for one in wanted if one not in pull.labels]
    removed = [one for one in pull.labels if one not in wanted]
    pull.labels = wanted
    for action, changed in (("labeled", added), ("unlabeled", removed)):
        for one in changed:
            await pulls.announce(world, pull, action, actor, label=render.label(world, pull.repository, one))


def _label(world: "GitHubWorld", repo: Repository, name: str) -> Label:
    if name.lower() not in repo.labels:
        repo.labels[name.lower()] = world.keep(Label(world.id(), name))
    return repo.labels[name.lower()]


def _check(body: str) -> None:
    if not body.strip():
        raise custom("IssueComment", "Body can't be blank")
    if len(body) > LONGEST_BODY:
        raise custom("IssueComment", f"Body is too long (maximum is {LONGEST_BODY} characters)")


def _announce(world: "GitHubWorld", comment: Comment, actor: User, action: str, **more: Any) -> None:
    pull = comment.pull
    payload = {"issue": render_pulls.issue(world, pull), "comment": render_pulls.comment(world, comment), **more}
    hooks.emit(world, pull.repository, actor, "issue_comment", payload, action=action, pull=pull)
