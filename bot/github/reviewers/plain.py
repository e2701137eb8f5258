"""A bot whose wording nobody has learned: judged by what GitHub itself says of its reviews and threads."""

from bot.github.reviewers import judging
from bot.github.reviewers.cleaning import readable
from bot.github.reviewers.judging import sentence, settled, unsettled
from bot.github.reviewers.markup import whole
from bot.github.reviewers.said import Finding, Said, Severity, Verdict, Word


class Plain:
    """No dialect at all. A mere comment approves nothing, unless it opened threads and these are settled."""

    logins: frozenset[str] = frozenset()

    def __init__(self, login: str) -> None:
        self.name = login

    def hear(self, said: Said) -> Verdict:
        """Its word on the head."""
        opinion = judging.opinion(judging.reviews_of_head(said))
        if opinion == "CHANGES_REQUESTED":
            count = max(1, len(judging.open_threads(said)))
            return Verdict(Word.FINDINGS, reason=sentence(Word.FINDINGS, self.name, f"{count} open"), findings=count)
        if opinion or judging.threads_of_head(said):
            return settled(self.name, said, ())
        detail = "its review is not understood" if judging.reviews_of_head(said) else ""
        return unsettled(Word.SILENT, self.name, said, detail)

    def findings(self, said: Said) -> tuple[Finding, ...]:
        """Its open threads; where it requested changes without any, the text of its review."""
        threads = judging.open_threads(said)
        reviews = judging.reviews_of_head(said)
        if threads or judging.opinion(reviews) != "CHANGES_REQUESTED":
            return tuple(map(judging.thread_finding, threads))
        asking = [one for one in reviews if one.state.upper() == "CHANGES_REQUESTED"][-1]
        return (Finding("", "", None, readable(whole(asking.body).parts), Severity.UNKNOWN),)
