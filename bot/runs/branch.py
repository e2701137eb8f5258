"""What the implementation loop leaves on a branch, and how a later start reads it back.

    agent/YOU-12                            one commit per phase; its trailers name ticket, phase, plan and attempt
    refs/callboard/unfinished/agent/YOU-12  the work in hand: one commit on top of the branch with the files as they
                                            stand; its message is what the loop must remember (attempts, findings, …)

The second is a ref but no branch: nobody sees it and no check runs on it. Only the service writes either of them; the
files come from bundles that were examined, the plan never comes from an agent at all, except for ticks. When somebody
pushed to the branch meanwhile, the work in hand is moved on top of that.

Who may push could write the second, too, and say that all is verified and reviewed. So its message ends with a proof by
the service's key, over the ticket, the branch, the commit below, the files and what is remembered. Without a good one
nothing of it is believed, and it isn't dropped in silence either: the attempts would begin anew. A person decides.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from pydantic import TypeAdapter, ValidationError

from bot.git.commit import Author, Conflict, commit_tree, squash, transplant, tree_of
from bot.git.mirror import Mirror
from bot.machine import loop, plan
from bot.machine.progress import AFTER, Committed, Done, Progress, Receipt, Work, name_of
from bot.runs.messages import one_line, paragraphs
from bot.words import say

log = structlog.get_logger()

TICKET, PHASE, PLAN = "Callboard-Ticket", "Callboard-Phase", "Callboard-Plan"
TEXT, ATTEMPT, ANSWERS = "Callboard-Phase-Text", "Callboard-Attempt", "Callboard-Answers"
PROOF = "Callboard-Proof"
AGENTS_OWN = ".callboard/"
"""The folder in which an agent leaves its outcome."""
_SHORT = 16
"""Characters of a digest in a trailer."""
_HISTORY = 2_000
"""Commits of a branch that are looked at for phases, where no base tells where it begins."""


@dataclass(frozen=True)
class Place:
    """Which branch, for which ticket, with which plan. `base` is where the branch began, or None."""

    ticket: str
    branch: str
    plan_path: str
    base: str | None
    author: Author
    at: datetime
    key: str = ""
    """Proves what the service keeps there; empty in a person's own repository, where nothing is proven."""


@dataclass(frozen=True)
class Standing:
    """A branch as it stands. `files` is the commit whose files the next step works on: the work in hand, or the tip."""

    progress: Progress
    text: str
    """The plan file."""
    tip: str
    files: str
    kept: str | None
    """What the ref of the work in hand points at on the other side."""
    given_up: tuple[str, ...] = ()
    """Paths in which the work in hand clashed with what somebody pushed: that work is begun anew."""
    doubt: str = ""
    """Why what was kept as the work in hand is not believed, and left out here; empty when all is well."""


@dataclass(frozen=True)
class _Memory:
    work: Work | None = None
    receipts: tuple[Receipt, ...] = ()
    closed: bool = False


_MEMORY = TypeAdapter(_Memory)


async def read(mirror: Mirror, place: Place, tip: str, wishes: tuple[str, ...]) -> Standing | None:
    """How far the plan is, as of the last fetch; None when there is no plan file. Policy is not known here.

    `wishes` are the ids of what people said; those that a commit answers already are left out.
    """
    found = await mirror.read(tip, place.plan_path)
    if found is None:
        return None
    kept = await mirror.work(place.branch)
    text, files, memory, given_up, doubt = _decoded(found), tip, _Memory(), tuple[str, ...](), ""
    if kept is not None:
        memory, doubt = await _remembered(mirror, place, kept)
    if kept is not None and not doubt:
        files, text, given_up = await _on_top(mirror, place, tip, kept, text, memory)
        if given_up:
            memory = replace(memory, work=_anew(memory.work))
    standing = plan.read(text)
    history = await _history(mirror, place, tip)
    answered = {one for commit in history for one in commit.get(ANSWERS, "").split()}
    done = _done(standing, place.ticket, history)
    progress = Progress(
        standing,
        done=done,
        work=memory.work,
        receipts=_with_commits(memory.receipts, {one.number: one.commit for one in done}),
        wishes=tuple(one for one in wishes if one not in answered),
        closed=memory.closed,
    )
    return Standing(progress, text, tip, files, kept, given_up, doubt)


async def keep(mirror: Mirror, place: Place, standing: Standing) -> str:
    """The commit that remembers the work in hand; pushing it is the caller's."""
    progress = standing.progress
    memory = _Memory(progress.work, progress.receipts, progress.closed)
    about = name_of(progress.plan, progress.work.phase) if progress.work else "nothing in hand"
    put = {place.plan_path: _encoded(standing.text)}
    tree = await tree_of(mirror, standing.files, restore={standing.tip: (AGENTS_OWN,)}, put=put)
    remembered = _json(memory)
    proof = f"\n\n{PROOF}: {_proof(place, standing.tip, tree, remembered)}" if place.key else ""
    message = f"{place.ticket}: {one_line(about)}\n\n{remembered}{proof}"
    return await commit_tree(
        mirror, tree, (standing.tip,), message=message, author=place.author, always=True, at=place.at
    )


async def commit(mirror: Mirror, place: Place, standing: Standing, run: str) -> Standing:
    """The one commit of the piece of work in hand, on top of the branch; pushing it is the caller's."""
    progress, work = standing.progress, standing.progress.work
    assert work is not None
    text = standing.text
    trailers = {TICKET: place.ticket, PLAN: progress.plan.digest[:_SHORT], ATTEMPT: str(work.attempt)}
    if work.phase == AFTER:
        subject = f"{place.ticket}: what was asked for after the last phase" if work.wishes else (
            f"{place.ticket}: repairs after everything was verified once more"
        )  # fmt: skip
        trailers |= {ANSWERS: " ".join(work.wishes)} if work.wishes else {}
    else:
        phase = progress.plan.phase(work.phase)
        subject = f"Phase {phase.number}: {one_line(phase.name)}"
        trailers |= {PHASE: str(phase.number), TEXT: phase.digest[:_SHORT]}
        text = plan.sign(text, _signatures(work))
    head = await squash(
        mirror,
        standing.tip,
        standing.files,
        message=f"{subject}\n\n{paragraphs(work.summary)}".strip(),
        author=place.author,
        trailers={**trailers, "Callboard-Run": run},
        put={place.plan_path: _encoded(text)},
        always=True,
        at=place.at,
    )
    step = loop.next_step(progress, Committed(head))
    receipts = _with_commits(step.progress.receipts, {work.phase: head})
    after = replace(step.progress, plan=plan.read(text), receipts=receipts)
    return replace(standing, progress=after, text=text, tip=head, files=head)


def as_text(content: bytes) -> str:
    """A plan file as text; what is not UTF-8 survives a round trip."""
    return _decoded(content)


async def _on_top(
    mirror: Mirror, place: Place, tip: str, kept: str, text: str, memory: _Memory
) -> tuple[str, str, tuple[str, ...]]:
    """The work in hand on top of the branch as it stands now, and the plan with the ticks of both.

    Where it clashes with what somebody pushed, theirs stands; the third are the paths that clashed.
    """
    parent = (await mirror.git("rev-parse", f"{kept}^")).line
    mine = _decoded(await mirror.read(kept, place.plan_path) or b"")
    if parent == tip:
        return kept, mine, ()
    if memory.work is None:
        return tip, text, ()
    before = await mirror.read(parent, place.plan_path)
    plain = await squash(
        mirror, parent, kept, message="work", author=place.author,
        put={place.plan_path: before} if before is not None else {}, always=True,
    )  # fmt: skip
    moved = await transplant(mirror, plain, upstream=parent, onto=tip, message="work", author=place.author)
    if isinstance(moved, Conflict):
        log.warning("work in hand given up", branch=place.branch, kept=kept, clashes=moved.paths)
        return tip, text, moved.paths or (place.plan_path,)
    return moved, plan.take_ticks(text, mine, memory.work.phase)[0], ()


def _anew(work: Work | None) -> Work | None:
    """The same piece of work with nothing of it done; its attempts count."""
    return Work(work.phase, work.digest, work.attempt, tried=work.tried, wishes=work.wishes) if work else None


async def _remembered(mirror: Mirror, place: Place, kept: str) -> tuple[_Memory, str]:
    """What the commit remembers, and why it is not believed.

    It remembers nothing when it is another ticket's: on a person's own branch plan may follow plan.
    """
    form = "--format=%s%x00%T%x00%P%x00%b"
    subject, tree, parent, message = (await mirror.git("log", "-1", form, kept)).text.split("\0")
    if not place.key and not subject.startswith(f"{place.ticket}: "):
        return _Memory(), ""
    remembered, _, proof = message.strip().partition(f"\n\n{PROOF}: ")
    if place.key and not hmac.compare_digest(proof, _proof(place, parent, tree, remembered)):
        log.warning("work in hand not believed", branch=place.branch, commit=kept, reason="it has no good proof")
        return _Memory(), "it is not signed with this service's key"
    try:
        return _MEMORY.validate_json(remembered), ""
    except ValidationError as error:
        log.warning("memory of the work in hand can't be read", commit=kept, reason=str(error))
        return _Memory(), "it can't be read" if place.key else ""


def _proof(place: Place, below: str, tree: str, remembered: str) -> str:
    said = "\0".join(("callboard.unfinished", place.ticket, place.branch, below, tree, remembered))
    return hmac.new(place.key.encode(), said.encode(), hashlib.sha256).hexdigest()


async def _history(mirror: Mirror, place: Place, tip: str) -> list[dict[str, str]]:
    """The branch's own commits, newest first: their trailers, their id (`commit`) and the text before them (`body`)."""
    since = (f"^{place.base}",) if place.base and place.base != tip else ()
    listed = await mirror.git(
        "log", "-z", "--first-parent", f"--max-count={_HISTORY}",
        "--format=%H%x01%(trailers:only,unfold)%x01%b", tip, *since,
    )  # fmt: skip
    found = []
    for entry in filter(None, listed.text.split("\0")):
        head, trailers, body = entry.split("\1", 2)
        pairs = (line.partition(": ") for line in trailers.splitlines())
        found.append(
            {key: value for key, _, value in pairs} | {"commit": head, "body": f"\n{body}".partition(f"\n{TICKET}:")[0]}
        )
    return found


def _done(standing: plan.Plan, ticket: str, history: list[dict[str, str]]) -> tuple[Done, ...]:
    """The phases that a commit of this ticket's names, if their text still is what was done then."""
    done: dict[int, Done] = {}
    for commit in reversed(history):
        for phase in standing.phases:
            same = commit.get(PHASE) == str(phase.number) and commit.get(TEXT) == phase.digest[:_SHORT]
            if same and commit.get(TICKET) == ticket:
                attempts = commit.get(ATTEMPT, "")
                number = int(attempts) if attempts.isdecimal() else 1
                done[phase.number] = Done(phase.number, phase.name, commit["commit"], number, commit["body"].strip())
    return tuple(done.values())


def _with_commits(receipts: tuple[Receipt, ...], commits: Mapping[int, str]) -> tuple[Receipt, ...]:
    """What passed names the commit of its phase; a service that died right after pushing that could not keep it."""
    return tuple(
        replace(one, commit=commits.get(one.phase, "")) if one.passed and not one.commit else one for one in receipts
    )


def _json(memory: _Memory) -> str:
    """On one line; what is not UTF-8 can't be kept in a message."""
    return json.dumps(asdict(memory), ensure_ascii=False).encode("utf-8", "replace").decode()


def _signatures(work: Work) -> list[str]:
    values: Mapping[str, Any] = {"phase": work.phase, "worker": work.ticked, "service": work.ran}
    return [line for line in say("ticked", values).splitlines() if line.strip()]


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
