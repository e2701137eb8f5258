"""What we say on pull requests, each thing once however often it is said."""

from collections.abc import Iterable

import structlog
from github import Github

from bot.github.client import NotFound, Unprocessable
from bot.github.marks import marked, topic_of
from bot.github.operations import operation
from bot.github.people import is_us
from bot.github.verbs import Verbs

log = structlog.get_logger()


class Talking(Verbs):
    """Answers in threads and in the conversation, and asks people to look again."""

    async def reply(self, repository: str, thread: str, body: str, topic: str) -> None:
        """The review thread has one reply of ours about `topic`; one that stands is left as it is.

        Raises:
            NotFound: the thread is gone, with its last comment.
            ValueError: that is no topic.
        """
        text = marked(body, topic)
        found = await self._github.graphql(repository, operation("thread"), {"id": thread})
        if not found.get("node"):
            raise NotFound(f"GitHub has no review thread {thread}.")
        identity = await self._github.identity()
        comments = [one for one in found["node"]["comments"]["nodes"] or () if one]
        if any(topic_of(one["body"]) == topic and is_us(one["author"], identity) for one in comments):
            return
        await self._github.graphql(repository, operation("reply_thread"), {"thread": thread, "body": text})

    async def resolve(self, repository: str, thread: str) -> None:
        """The review thread is resolved.

        Raises:
            NotFound: it is gone. Refused: we lack `contents: write`.
        """
        await self._github.graphql(repository, operation("resolve_thread"), {"thread": thread})

    async def answer(self, repository: str, number: int, body: str, topic: str) -> int:
        """The pull request's conversation has one comment of ours about `topic`, with this text; returns its number.

        Raises:
            ValueError: that is no topic.
        """
        own = (await self._github.identity()).id
        wanted = marked(body, topic)

        def job(api: Github) -> int:
            conversation = api.get_repo(repository).get_issue(number)
            for comment in conversation.get_comments():
                if comment.user.id == own and topic_of(comment.body or "") == topic:
                    if comment.body != wanted:
                        comment.edit(wanted)
                    return comment.id
            return conversation.create_comment(wanted).id

        return await self._github.call(repository, job)

    async def request_review(self, repository: str, number: int, logins: Iterable[str]) -> tuple[str, ...]:
        """These people (and bots) are asked for a review of what stands there now.

        Returns those whom GitHub doesn't let be asked: the author, and who has no access (any more).
        """
        wanted = sorted(set(logins))
        path = f"/pulls/{number}/requested_reviewers"
        if not wanted:
            return ()
        try:
            await self._rest("POST", repository, path, {"reviewers": wanted})
        except Unprocessable as error:
            if len(wanted) == 1:
                log.warning("no review can be asked for", login=wanted[0], reason=str(error))
                return (wanted[0],)
        else:
            return ()
        refused = [await self.request_review(repository, number, (login,)) for login in wanted]
        return tuple(login for one in refused for login in one)
