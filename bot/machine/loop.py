"""The implementation loop as a pure machine: where a plan stands, what came of the last step, what comes next.

    implement ─> verify ─> review ─> commit ─> the next phase … ─> completed
        ▲           │         │
        │           └── fix <─┘       every failure is an attempt; `max_retries` more than one, then blocked

`next_step(progress, outcome)` takes in what the last step came to (None: nothing yet) and says what to do. It knows no
clock and no git, so the loop can stop anywhere: what must be remembered is in `Progress`, and all of that can be read
back from the branch (`bot/runs/branch.py`): phases by the trailers of their commits, ticks from the plan, the work in
hand from its own ref. After the phases comes, where there is a reason, one more piece of work with the number 0: what
people wished since, and under `verify = "all"` every command once more.
"""

from dataclasses import replace

from bot.machine.progress import (
    AFTER,
    Asked,
    Committed,
    Done,
    Failed,
    Kind,
    Outcome,
    Progress,
    Receipt,
    Reviewed,
    Step,
    Verified,
    Work,
    Written,
)

_LAST_LINES = 800
"""Characters of a command's output that its receipt keeps; a finding quotes more."""
_EARLIER = "An earlier attempt at this ended with: "


def next_step(progress: Progress, outcome: Outcome | None = None) -> Step:
    """Take in what the last step came to, and say what comes next."""
    if outcome is not None:
        progress = _after(progress, outcome)
    progress = _in_hand(progress)
    work = progress.work
    if work is None:
        return Step(Kind.COMPLETED, progress)
    if work.question:
        return Step(Kind.NEEDS_INPUT, progress, work.phase)
    if work.attempt > progress.max_retries + 1:
        return Step(Kind.BLOCKED, progress, work.phase, findings=work.findings or work.tried[-1:])
    if not work.written:
        kind = Kind.FIX if work.phase == AFTER else Kind.IMPLEMENT
        return Step(kind, progress, work.phase, findings=work.findings)
    if work.findings:
        return Step(Kind.FIX, progress, work.phase, findings=work.findings)
    commands = _to_verify(progress, work)
    if commands:
        return Step(Kind.VERIFY, progress, work.phase, commands=commands)
    if work.phase == AFTER and not work.changed:
        return Step(Kind.COMPLETED, replace(progress, work=None, closed=True))
    return Step(Kind.COMMIT if work.reviewed else Kind.REVIEW, progress, work.phase)


def resume(progress: Progress) -> Progress:
    """A person had a say since it stood still: the attempts are counted anew, the question is answered."""
    if progress.work is None:
        return progress
    return replace(progress, work=replace(progress.work, attempt=1, tried=(), question="", options=()))


def most_runs(progress: Progress) -> int:
    """How many runs it may take from here: per phase one to implement, and for each attempt a review and a fix."""
    return len(progress.remaining) * (2 + 2 * progress.max_retries)


def _in_hand(progress: Progress) -> Progress:
    """The progress with the piece of work that is in hand, or none when nothing is left."""
    work = progress.work
    if work is not None and work.phase != AFTER:
        phase = next((one for one in progress.remaining if one.number == work.phase), None)
        if phase is not None and work.digest == phase.digest:
            return progress
        if phase is not None:  # the plan was changed under it: what stands is kept and looked at again
            anew = Work(phase.number, phase.digest, changed=work.changed, ticked=work.ticked, ran=work.ran)
            return replace(progress, work=anew)
    elif work is not None and not progress.remaining:
        new = tuple(one for one in progress.wishes if one not in work.wishes)
        if not new:
            return progress
        return replace(progress, work=replace(work, written=False, wishes=(*work.wishes, *new)), closed=False)
    return replace(progress, work=_begin(progress))


def _begin(progress: Progress) -> Work | None:
    if progress.remaining:
        phase = progress.remaining[0]
        return Work(phase.number, phase.digest)
    if progress.wishes:
        return Work(AFTER, wishes=progress.wishes)
    return Work(AFTER, written=True) if progress.verify_all and not progress.closed else None


def _to_verify(progress: Progress, work: Work) -> tuple[str, ...]:
    """A phase's unticked commands, and only those; after the phases every command of the plan, each once."""
    if work.phase != AFTER:
        return tuple(dict.fromkeys(item.command for item in progress.plan.phase(work.phase).unticked))
    if work.verified:
        return ()
    return tuple(dict.fromkeys(item.command for phase in progress.plan.phases for item in phase.automated))


def _after(progress: Progress, outcome: Outcome) -> Progress:
    work = progress.work
    assert work is not None, "an outcome of nothing"
    match outcome:
        case Written(plan, summary, changed, ticked):
            work = replace(
                _with_files(work, changed, ticked),
                written=True,
                findings=(),
                summary="\n\n".join(part for part in (work.summary, summary) if part),
            )
            return replace(progress, plan=plan, work=work)
        case Failed(plan, error, changed, ticked):
            kept = tuple(one for one in work.findings if not one.startswith(_EARLIER))
            reviewing = work.written and not work.findings
            findings = () if reviewing else (*kept, f"{_EARLIER}{error}")
            failed = _failed(_with_files(work, changed, ticked), error, findings)
            return replace(progress, plan=plan, work=failed)
        case Asked(plan, question, options, changed, ticked):
            asking = replace(_with_files(work, changed, ticked), question=question, options=options)
            return replace(progress, plan=plan, work=asking)
        case Verified(plan, receipts):
            return _verified(replace(progress, plan=plan), work, receipts)
        case Reviewed(()):
            return replace(progress, work=replace(work, reviewed=True))
        case Reviewed(blockers):
            return replace(progress, work=_failed(work, "The review found: " + "; ".join(blockers), blockers))
        case Committed(commit):
            return _committed(progress, work, commit)


def _with_files(work: Work, changed: bool, ticked: tuple[str, ...]) -> Work:
    """Its files may have changed: what was verified of the whole, and what was reviewed, was of others."""
    return replace(
        work, changed=work.changed or changed, verified=False, reviewed=False, ticked=(*work.ticked, *ticked)
    )


def _failed(work: Work, error: str, findings: tuple[str, ...]) -> Work:
    return replace(work, attempt=work.attempt + 1, findings=findings, tried=(*work.tried, error), reviewed=False)


def _verified(progress: Progress, work: Work, receipts: tuple[Receipt, ...]) -> Progress:
    ran = tuple(one.command for one in receipts if one.passed)
    work = replace(work, ran=(*work.ran, *ran), verified=True)
    findings = tuple(_as_finding(one) for one in receipts if not one.passed)
    if findings:
        failing = ", ".join(f"`{one.command}`" for one in receipts if not one.passed)
        work = replace(_failed(work, f"Verification failed: {failing}", findings), verified=False)
    shown = tuple(replace(one, output=_last_lines(one.output)) for one in receipts)
    return replace(progress, work=work, receipts=(*progress.receipts, *shown))


def _last_lines(output: str) -> str:
    """Whole lines, unless one alone is too long."""
    if len(output) <= _LAST_LINES:
        return output
    _, _, whole = output[-_LAST_LINES:].partition("\n")
    return whole or output[-_LAST_LINES:]


def _as_finding(receipt: Receipt) -> str:
    how = f"exit code {receipt.code}" if receipt.ended == "exited" else receipt.ended
    return (
        f"The command `{receipt.command}` failed ({how}) after {receipt.seconds:.1f} s. Its output:\n{receipt.output}"
    )


def _committed(progress: Progress, work: Work, commit: str) -> Progress:
    if work.phase == AFTER:
        wishes = tuple(one for one in progress.wishes if one not in work.wishes)
        return replace(progress, work=None, wishes=wishes, closed=True)
    phase = progress.plan.phase(work.phase)
    done = Done(phase.number, phase.name, commit, work.attempt, work.summary)
    return replace(progress, work=None, done=(*progress.done, done))
