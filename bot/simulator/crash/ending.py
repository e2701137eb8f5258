"""What a story leaves behind in Linear and GitHub, without what is new each time (ids, times, hashes, numbers of runs).

Two endings are the same when a person would say so: the same tickets, comments, documents, branches, pull requests,
answers and merges, each as often; and in what the service remembers the same approvals and attempts.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bot.linear.marker import marker_of, without_marker
from bot.linear.records import unseal
from bot.machine.record import Record
from bot.simulator.github import GitHubWorld
from bot.simulator.linear import LinearWorld

_NEW_EACH_TIME = re.compile(r"\b[0-9a-f]{7,}(?:-[0-9a-f]{4,})*\b|\d+")
Ending = Mapping[str, list[str]]


async def ending_of(linear: LinearWorld, github: GitHubWorld, repository: str, secret: str) -> Ending:
    """What there is, in sorted lines, by kind."""
    place = github.repository(repository)
    refs, log = await asyncio.gather(
        _git(place.path, "for-each-ref", "--format=%(refname)"), _git(place.path, "log", "--format=%s", "main")
    )
    return {
        "tickets": sorted(_ticket(linear, one, secret) for one in linear.issues()),
        "comments": sorted(line for one in linear.issues() for line in _comments(linear, one)),
        "documents": sorted(f"{one.title}\n{one.content}" for issue in linear.issues() for one in issue.documents),
        "pull requests": sorted(_pull(one) for one in place.pulls.values()),
        "answers": sorted(line for one in place.pulls.values() for line in _answers(one)),
        "refs": sorted(refs),
        "commits": sorted(log),
    }


def difference(wanted: Ending, found: Ending) -> list[str]:
    """A line for each thing that is missing, and for each that is there once too often."""
    lines = []
    for kind, all_wanted in wanted.items():
        missing, too_much = list(all_wanted), []
        for one in found[kind]:
            if one in missing:
                missing.remove(one)
            else:
                too_much.append(one)
        lines += [f"{kind}: missing: {one}" for one in missing] + [f"{kind}: too much: {one}" for one in too_much]
    return lines


def records_of(linear: LinearWorld, secret: str) -> dict[str, Record]:
    """The records in Linear by the title of their issue."""
    found = {}
    for issue in linear.issues():
        for attachment in issue.attachments:
            record = unseal(attachment.metadata or {}, issue.id, (secret,))
            if isinstance(record, Record):
                found[issue.title] = record
    return found


def _ticket(linear: LinearWorld, issue: Any, secret: str) -> str:
    record = records_of(linear, secret).get(issue.title)
    below = sorted(one.issue.title for one in issue.inverse_relations)
    remembered = ""
    if record is not None:
        approved = record.approval is not None and len(record.approval.heads)
        # What was stopped and is lost is settled when somebody resumes it: until then nobody can tell the difference.
        stopped = "paused" in issue.label_names
        settled = "settled" if stopped or record.settled == record.generation else "a run is due"
        remembered = (
            f" remembers {record.stage}, {settled}, attempts {record.attempts}, approved {approved},"
            f" turns {record.turns}, cost {record.cost_usd}, pull request {record.pull_request}"
        )
    parent = issue.parent.title if issue.parent else None
    return f"{issue.title} [{issue.state.name}] {sorted(issue.label_names)} in {parent} after {below}{remembered}"


def _comments(linear: LinearWorld, issue: Any) -> list[str]:
    lines = []
    for one in linear.comments(issue):
        marker = marker_of(one.body)
        who = one.user.name if one.user else "?"
        topic = _NEW_EACH_TIME.sub("N", marker.topic) if marker else ""
        reply = " (reply)" if one.parent else ""
        lines.append(f"{issue.title} {who}{reply} {topic}: {_NEW_EACH_TIME.sub('N', without_marker(one.body))}")
    return lines


def _pull(pull: Any) -> str:
    asked = sorted(one.login for one in pull.requested)
    where = f"{pull.head_ref} into {pull.base_ref}: {pull.state}, merged {pull.merged}, asked {asked}"
    return f"#{pull.number} {pull.title} {where}: {_NEW_EACH_TIME.sub('N', pull.body or '')}"


def _answers(pull: Any) -> list[str]:
    said = [("conversation", one) for one in pull.comments]
    said += [(f"thread {number}", one) for number, thread in enumerate(pull.threads) for one in thread.comments]
    resolved = [f"thread {number} resolved: {bool(one.resolved_by)}" for number, one in enumerate(pull.threads)]
    lines = [f"{where}: {one.user.login}: {_NEW_EACH_TIME.sub('N', one.body)}" for where, one in said]
    return [f"#{pull.number} {line}" for line in (*lines, *resolved)]


async def _git(path: Path, *arguments: str) -> list[str]:
    process = await asyncio.create_subprocess_exec("git", *arguments, cwd=path, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode().splitlines()
