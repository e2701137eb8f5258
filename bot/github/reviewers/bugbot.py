"""Cursor Bugbot. Its check run is its word on a commit; findings are threads; a clean round says nothing else."""

import re

from bot.github.reviewers import judging
from bot.github.reviewers.judging import settled, unsettled
from bot.github.reviewers.said import Finding, Said, Verdict, Word

_CHECK = "cursor bugbot"
_CLEAN = re.compile(r"no (?:new )?issues found|found no (?:new )?issues", re.IGNORECASE)
_FOUND = re.compile(r"found (\d{1,4}) potential issues?", re.IGNORECASE)


class Bugbot:
    """Cursor Bugbot's dialect."""

    name = "Cursor Bugbot"
    logins = frozenset({"cursor"})

    def hear(self, said: Said) -> Verdict:
        """Its word on the head."""
        checks = [check for check in said.checks if check.name.lower() == _CHECK]
        if any(judging.running(check) for check in checks):
            return unsettled(Word.REVIEWING, self.name, said)
        texts = [check.summary for check in checks] + [review.body for review in judging.reviews_of_head(said)]
        counts = [int(count) for text in texts for count in _FOUND.findall(text)]
        clean = any(_CLEAN.search(check.summary) and not judging.broken(check) for check in checks)
        if judging.threads_of_head(said) or counts or clean:
            return settled(self.name, said, (), max(counts, default=0))
        if any(judging.broken(check) for check in checks):
            return unsettled(Word.FAILED, self.name, said)
        if any(check.conclusion.lower() == "skipped" for check in checks):
            return unsettled(Word.SKIPPED, self.name, said)
        return unsettled(Word.SILENT, self.name, said, "its check is not understood" if checks else "")

    def findings(self, said: Said) -> tuple[Finding, ...]:
        """Its open threads: it writes nothing else."""
        return tuple(map(judging.thread_finding, judging.open_threads(said)))
