"""What is to be done where the work is in a repository that callboard.toml does not name, or not for this epic."""

from bot.machine.decision import NOTHING, Blocker, Decision, Post
from bot.machine.facts import Facts, Ticket, record_of
from bot.machine.stages import Stage


def standstill(facts: Facts, ticket: Ticket) -> Blocker | None:
    """Why nothing can be done for an issue: nobody may look for its branch and its pull request elsewhere."""
    issue, own = ticket.issue, record_of(ticket).repository
    if facts.repository is not None:
        moved = own not in ("", facts.repository.name)
        return Blocker(issue.id, "elsewhere", {"repository": own}) if moved else None
    if began := own or facts.began_in:
        return Blocker(issue.id, "elsewhere", {"repository": began})
    if issue.id == facts.epic.issue.id and issue.stage is Stage.TODO:
        return None  # there it is said in a comment
    return Blocker(issue.id, "no_repository", {"team": facts.epic.issue.team, "project": facts.epic.issue.project})


def told(facts: Facts) -> Decision:
    """Say that an epic stays in the repository it began in, although another one is named now."""
    epic, named = facts.epic.issue, facts.named_now
    if facts.repository is None or not facts.began_in or named in ("", facts.repository.name) or epic.over:
        return NOTHING
    return Decision((Post(epic.id, "stays", "stays", {"repository": facts.repository.name, "named": named}),))
