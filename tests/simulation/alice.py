"""Alice, who does what she is asked for once the storm is over."""

from bot.linear.records import unseal
from bot.machine.decision import Blocker
from bot.machine.facts import Facts
from bot.machine.record import Record
from bot.machine.stages import STATES, Disposition, Stage
from tests.simulation.linear import ALICE, Issue, by_us
from tests.simulation.people import People
from tests.simulation.watch.seen import KEYS, record_id

WAITS = frozenset({
    "worker", "running", "tickets", "epic", "train", "approval", "computing", "outside", "conflict",
    "queued", "epic_over", "checks", "reviewer", "no_pull_request", "head_moved", "open_reviews", "usage_limit",
    "day_budget", "runs_per_hour",
})  # fmt: skip
"""Reasons that pass by themselves, or with another one that names a person."""
ENOUGH_USD = 1000.0
"""What a day may cost in the end."""
TURN_SECONDS = 60.0
"""What a person needs to see the world as it is."""


class Alice:
    """Takes every turn that the service says is somebody's."""

    def __init__(self, people: People) -> None:
        self.people, self.world = people, people.world
        self.linear, self.hub = people.linear, people.hub

    def calms(self) -> None:
        """What was broken by hand is put back, a day may cost more, and GitHub's checks end well."""
        self.hub.calm = True
        for epic in [one for one in self.linear.issues.values() if one.parent is None]:
            if epic.caller not in epic.labels:  # else nobody would ever look at it again
                self.linear.label(epic, add=(epic.caller,))
        for back in self.people.undo.values():
            back()
        self.people.undo.clear()
        enough = self.world.policy.budget.model_copy(update={"day_usd": ENOUGH_USD})
        self.world.policy = self.world.policy.model_copy(update={"budget": enough})
        for taken in [one for one in self.linear.issues.values() if one.departed and not (one.deleted or one.lone)]:
            self._puts(taken, Stage.DONE)  # who took it finishes it
        for pull in self.hub.pulls.values():
            head = self.hub.head(pull)
            if pull.open and self.hub.house.ci and not (self.hub.checks.latest(head) and self.hub.checks.green(head)):
                self.hub.checks.runs(head, self.hub.number())

    def acts(self, facts: Facts, blockers: tuple[Blocker, ...]) -> list[str]:
        """Alice does what she is told is needed; returns reasons that tell nobody what to do."""
        senseless = []
        for blocker in {repr(one): one for one in blockers}.values():
            issue = self.linear.issues.get(blocker.issue)
            if issue is None or issue.deleted or blocker.reason in WAITS:
                continue
            deed = getattr(self, f"on_{blocker.reason}", None)
            if deed is None:
                senseless.append(blocker.reason)
                continue
            self.world.tell("alice", f"answers {blocker.reason}", issue.identifier)
            deed(issue, blocker)
        return senseless

    def on_disposition(self, issue: Issue, blocker: Blocker) -> None:
        name = str(blocker.values["issue"])
        held = self.linear.issue(name)
        if held.id in self.world.clashing:
            self._merges_what_clashes(*self.world.clashing.pop(held.id))
        if any("GitHub refused" in one["body"] for one in held.comments[-6:] if by_us(one)):
            self.hub.forbidden = ""  # she reads why its run ended
        if self._reads_that_the_plan_is_gone(held):
            self._puts(held, Stage.PLAN)
        word = "resume" if str(Disposition.PAUSED) in held.labels else "retry"
        self.says_once(held, word)

    def on_ticket(self, issue: Issue, blocker: Blocker) -> None:
        """It passes by itself, also where it was deleted meanwhile; somebody does by hand what is nobody's."""
        name = str(blocker.values["ticket"])
        below = next((one for one in self.linear.issues.values() if name in one.names), None)
        if below is None or below.deleted:
            return
        ours = (one.issue.id for facts, _ in self.world.decisions.values() for one in (facts.epic, *facts.tickets))
        if below.id not in ours:
            self._puts(below, Stage.DONE)

    def _reads_that_the_plan_is_gone(self, issue: Issue) -> bool:
        """Its branch was deleted, and the service asks to have it planned anew."""
        at_work = self.linear.name_of(issue) in (STATES[Stage.READY].name, STATES[Stage.DEV].name)
        asked = next((one["body"] for one in reversed(issue.comments) if by_us(one)), "")
        return at_work and "There is no plan at" in asked

    def _merges_what_clashes(self, base: str, branches: tuple[str, ...]) -> None:
        """Merge the branches below into their base by hand, as a worker asked."""
        git = self.world.git
        tips = [tip for one in (base, *branches) if (tip := git.tip(one))]
        made = tips[0]
        for tip in tips[1:]:
            if not git.descends(made, tip):
                tree, clashes = git.merged(made, tip)
                mended = dict.fromkeys(clashes, "both, by hand")
                made = git.commit((made, tip), {**tree, **mended}, ours=False, brings="by hand")
        self.hub.pushed(base, made, "alice")

    def on_runs_per_ticket(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(issue, "retry")

    def on_circle(self, issue: Issue, blocker: Blocker) -> None:
        named = str(blocker.values["tickets"]).split(", ")
        wrong = [one for one in issue.blocked_by if {*self.linear.issues[one].names} & {*named}]
        for one in wrong[:1]:
            issue.blocked_by.remove(one)
            self.linear.touch(issue)

    def on_dropped(self, issue: Issue, blocker: Blocker) -> None:
        epic = self.people.epic_of(issue)
        if epic.caller not in epic.labels:
            self.linear.label(epic, add=(epic.caller,))

    def on_not_called(self, issue: Issue, blocker: Blocker) -> None:
        root = self.people.epic_of(issue)
        self.linear.label(root, remove=(root.caller,))
        self.linear.label(root, add=(root.caller,))

    def on_relabelled(self, issue: Issue, blocker: Blocker) -> None:
        root = self.people.epic_of(issue)
        self.linear.label(root, remove=(str(blocker.values["other"]),), add=(str(blocker.values["label"]),))

    def on_cost_unknown(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(self.linear.issue(str(blocker.values["issue"])), "retry")

    def on_budget(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(self.linear.issue(str(blocker.values["issue"])), "budget $900")

    def on_turn_1(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(issue, "approve")

    on_turn_3 = on_plan_review = on_turn_1

    def on_protected(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(self.people.epic_of(issue), f"approve with {blocker.values['paths']}")

    def on_ejected(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(self.people.epic_of(issue), "approve")

    def on_closed(self, issue: Issue, blocker: Blocker) -> None:
        pull = self.hub.pulls[int(blocker.values["number"])]
        if pull.branch not in self.world.git.refs:
            self.world.git.refs[pull.branch] = pull.at
        if not self.hub.reopens(pull, "alice"):
            self.says_once(issue, "cancel")

    def on_merged_elsewhere(self, issue: Issue, blocker: Blocker) -> None:
        """Merge that branch into the base by hand, and move the ticket to done."""
        git, pull = self.world.git, self.hub.pulls[int(blocker.values["number"])]
        main = git.refs["main"]
        if not git.descends(main, pull.merge_commit):
            tree, _ = git.merged(main, pull.merge_commit)
            self.hub.pushed("main", git.commit((main, pull.merge_commit), tree, ours=False), "alice")
        self._puts(issue, Stage.DONE)

    def on_checks_failed(self, issue: Issue, blocker: Blocker) -> None:
        pull = self.hub.pulls[int(blocker.values["number"])]
        if pull.open and not self.hub.checks.green(self.hub.head(pull)):
            self.hub.checks.runs(self.hub.head(pull), self.hub.checks.latest(self.hub.head(pull))[0].suite)

    def on_changes_requested(self, issue: Issue, blocker: Blocker) -> None:
        pull = self.hub.pulls[int(blocker.values["number"])]
        for by, one in self.hub.opinions(pull).items():
            if one.state == "CHANGES_REQUESTED":
                self.hub.reviews(pull, "APPROVED", "", by)

    def on_threads(self, issue: Issue, blocker: Blocker) -> None:
        pull = self.hub.pulls[int(blocker.values["number"])]
        for thread in pull.threads:
            if not thread.resolved_by:
                self.hub.resolves(pull, thread, "alice")

    def on_rules(self, issue: Issue, blocker: Blocker) -> None:
        """GitHub said so a moment ago; the service asks it again by itself."""

    def on_changes_unknown(self, issue: Issue, blocker: Blocker) -> None:
        """Merge it by hand, as the service says, unless its turn has not come."""
        pull = self.hub.pulls[int(blocker.values["number"])]
        if pull.open and pull.base == "main" and not self.hub.obstacle(pull):
            self.hub.merges(pull, self.hub.method(pull.base), None, "alice")

    def on_draft(self, issue: Issue, blocker: Blocker) -> None:
        self.hub.drafts(self.hub.pulls[int(blocker.values["number"])], draft=False, by="alice")

    def on_review(self, issue: Issue, blocker: Blocker) -> None:
        self.hub.reviews(self.hub.pulls[int(blocker.values["number"])], "APPROVED", "", "alice")

    def on_missing(self, issue: Issue, blocker: Blocker) -> None:
        """Move it back."""
        ours = record_id(issue)
        known = issue.attachments.get(ours)
        record = unseal(known["metadata"], issue.id, KEYS) if known else None
        stage = record.stage if isinstance(record, Record) and not record.stage.over else Stage.TODO
        if stage is Stage.CODE_REVIEW:  # its branch is gone, and with it everything that was made
            stage = Stage.RESEARCH
        self._puts(issue, stage)
        self.linear.label(issue, remove=tuple(map(str, Disposition)))

    def on_done_too_early(self, issue: Issue, blocker: Blocker) -> None:
        self._puts(issue, Stage.DEV)

    def on_not_followed(self, issue: Issue, blocker: Blocker) -> None:
        self._puts(issue, Stage(str(blocker.values["stage"])))

    def on_no_such_stage(self, issue: Issue, blocker: Blocker) -> None:
        self._puts(issue, Stage.TODO)

    def on_record_refused(self, issue: Issue, blocker: Blocker) -> None:
        """`calms` put back what was there; when that is not the newest, it is begun anew, as the comment says."""
        self.says_once(issue, "retry")

    def on_states_missing(self, issue: Issue, blocker: Blocker) -> None:
        """`calms` puts them back; the service looks again by itself."""

    def on_elsewhere(self, issue: Issue, blocker: Blocker) -> None:
        """`calms` puts it back; the service looks again by itself."""

    def on_no_repository(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(issue, "retry")

    def on_refused(self, issue: Issue, blocker: Blocker) -> None:
        """Do what the reason says: run `callboard setup` for that team, or give our App back what it may."""
        if "GitHub refused" in str(blocker.values["reason"]):
            self.hub.forbidden = ""
        if "callboard setup" in str(blocker.values["reason"]):
            self.linear.sets_up(issue.team)

    def on_breakdown_unreadable(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(issue, "Write it anew.")

    def on_done_but_open(self, issue: Issue, blocker: Blocker) -> None:
        self.hub.closes(self.hub.pulls[int(blocker.values["number"])], "alice")

    def says_once(self, issue: Issue, body: str) -> None:
        """Not again before a little while has passed. Linear lets nobody comment on what is archived."""
        if issue.archived is not None:
            self.people.puts_away(issue)
        last = next((one for one in reversed(issue.comments) if one["user"] is ALICE and one["body"] == body), None)
        if last is None or (self.world.loop.now() - last["createdAt"]).total_seconds() > TURN_SECONDS * 2:
            self.people.says(issue, body, ALICE)

    def _puts(self, issue: Issue, stage: Stage) -> None:
        """Alice moves an issue; where its team has no such state, she sees to it first."""
        if STATES[stage].name not in {one["name"] for one in self.linear.states_of(issue.team).values()}:
            self.linear.sets_up(issue.team)
        self.linear.move(issue, self.linear.state_named(STATES[stage].name), "person", ALICE)
