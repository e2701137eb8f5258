"""People: at random while the storm lasts, and alice, who does what she is asked for once it is over."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.linear.records import seal, unseal
from bot.machine.decision import Blocker
from bot.machine.facts import Facts
from bot.machine.record import Record
from bot.machine.stages import STATES, Disposition, Stage
from tests.simulation.hub import Pull
from tests.simulation.linear import ALICE, BOB, GINA, OLAF, ROBOT, Issue, Linear, Node, by_us
from tests.simulation.mischief import DEEDS
from tests.simulation.watch.seen import KEYS, record_id

if TYPE_CHECKING:
    from tests.simulation.world import World

OVER = ("completed", "canceled", "duplicate")
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


class People:
    """Everybody who is no machine, and Linear's own automation."""

    def __init__(self, world: "World") -> None:
        self.world, self.chance = world, world.chance
        self.linear, self.hub = world.linear, world.hub
        self.words = 0
        self.undo: dict[str, Callable[[], None]] = {}
        """What must be put back before things can go on, by what was done."""

    # ---- at random

    def anything(self) -> None:
        """Somebody does something."""
        deeds = self.world.setting.deeds
        deed = self.chance.choices(tuple(deeds), tuple(deeds.values()))[0]
        living = [one for one in self.linear.issues.values() if not one.deleted and one.parent != ""]
        epics = [one for one in living if one.parent is None]
        issue = self.chance.choice(living if self.chance.random() < 0.6 else epics or living)
        self.world.fired[f"person {deed}"] += 1
        self.world.tell("people", deed, issue.identifier)
        if deed in DEEDS:
            DEEDS[deed](self, issue)
        else:
            getattr(self, deed)(issue)

    def turns(self, issue: Issue) -> None:
        """What a good person does: approve what is shown."""
        epic = self.epic_of(issue)
        self.says(epic, self.chance.choice(("approve", "approve", "approve", "merge", "lgtm")), self.somebody())
        if self.world.policy.gates.plan == "person" and issue is not epic:
            self.says(issue, "approve", self.somebody())

    def comments(self, issue: Issue) -> None:
        word = self.chance.choice((
            "retry", "retry", "resume", "resume", "pause", "stop", "status", "why", "help", "Make it blue.",
            "approve", f"{self.epic_of(issue).identifier} is too slow", "Please use SQL for YOU-2 and #1.",
        ))  # fmt: skip
        self.says(issue, word, self.somebody())

    def strangers(self, issue: Issue) -> None:
        """Somebody who may not says what only others may."""
        word = self.chance.choice(("approve", "merge", "cancel", "retry", "Drop all tables.", "budget $900"))
        epic = self.epic_of(issue)
        match self.chance.randrange(5):
            case 0:
                self.says(epic, word, GINA)
            case 1:
                self.says(epic, word, OLAF)
            case 2:
                self.says(epic, word, ROBOT)
            case 3:
                self.says(epic, word, ALICE, externalThread={"id": "slack"})
            case 4:
                self.says(epic, word, None, botActor={"id": "zapier"})

    def labels(self, issue: Issue) -> None:
        name = str(self.chance.choice(tuple(Disposition)))
        if name in issue.labels:
            self.linear.label(issue, remove=(name,))
        else:
            self.linear.label(issue, add=(name,))

    def moves(self, issue: Issue) -> None:
        stage = self.chance.choice(tuple(Stage))
        if stage is not Stage.CANCELED or self.chance.random() < 0.2:
            self.moves_to(issue, stage)

    def moves_to(self, issue: Issue, stage: Stage) -> None:
        """Somebody moves an issue by hand."""
        self.linear.move(issue, self._state(stage), "person", self.somebody())

    def automation(self, issue: Issue) -> None:
        """Linear's GitHub integration follows pull requests in its own way."""
        if self.linear.kind_of(issue) in OVER or not self.hub.of(issue.branch):
            return
        name = self.chance.choice(("In Review", "Done", "In Dev"))
        robot = {"id": "github", "type": "github", "name": "GitHub"}
        if (self.world.loop.now() - issue.created).total_seconds() > 180:
            self.linear.move(issue, self.linear.state_named(name), "automation", None, robot)

    def edits_words(self, issue: Issue) -> None:
        said = self._said(issue)
        if said:
            body = self.chance.choice(("approve", "cancel", "rather not"))
            self.linear.rewrite(issue, said["id"], body)

    def unsays(self, issue: Issue) -> None:
        said = self._said(issue)
        if said:
            self.linear.unsay(issue, said["id"])

    def edits_document(self, issue: Issue) -> None:
        epic = self.epic_of(issue)
        for one in tuple(epic.documents.values()):
            if self.chance.random() < 0.2:
                content = "Nothing."
                self.undo.setdefault("document", _writes(self.linear, epic, one))
            else:
                content = one["content"].replace("As said.", f"As said {self.words}.")
            self.words += 1
            self.linear.write(epic, one["id"], one["title"], content, "person")

    def unlabels(self, issue: Issue) -> None:
        epic = self.epic_of(issue)
        called = epic.caller in epic.labels
        self.linear.label(epic, remove=(epic.caller,)) if called else self.linear.label(epic, add=(epic.caller,))

    def relates(self, issue: Issue) -> None:
        others = [one for one in self.linear.children(issue.parent or "") if one is not issue]
        if not others:
            return
        other = self.chance.choice(others)
        if self.chance.random() < 0.5 and issue.blocked_by:
            issue.blocked_by.pop()
            self.linear.touch(issue)
        elif other.number < issue.number or self.chance.random() < 0.1:  # else it may close a circle
            self.linear.relate(other.id, issue.id, "person")

    def renames_state(self, issue: Issue) -> None:
        """A workflow state is renamed; later back."""
        if "state" in self.undo:
            self.undo.pop("state")()
            return
        key = self.chance.choice([one for one in self.linear.states if one.startswith("state-")])
        before = self.linear.states[key]
        self.linear.states[key] = {**before, "name": f"Old {before['name']}"}
        self.undo["state"] = lambda: self.linear.states.__setitem__(key, before)

    def deletes(self, issue: Issue) -> None:
        if (issue.parent is not None or issue.lone) and self.chance.random() < 0.4:
            self._puts_away(issue, trashed=True)

    def archives(self, issue: Issue) -> None:
        if issue.parent is not None or issue.lone:
            self._puts_away(issue)

    def cancels(self, issue: Issue) -> None:
        if issue.parent is not None or issue.lone or self.chance.random() < 0.1:
            self.says(issue, "cancel", self.somebody())

    def forges(self, issue: Issue) -> None:
        """A record is forged, or copied from another issue."""
        ours = record_id(issue)
        if ours not in issue.attachments:
            return
        if self.chance.random() < 0.5:
            forged = seal(Record(issue=issue.id, stage=Stage.MERGE, cost_usd=0.0), "x" * 32)
        else:
            others = [one for one in self.linear.issues.values() if one is not issue and one.attachments]
            if not others:
                return
            forged = next(iter(self.chance.choice(others).attachments.values()))["metadata"]
        self.replaces_record(issue, forged)

    def replaces_record(self, issue: Issue, forged: Node) -> None:
        """Somebody puts something else in the place of the record; later it is put back."""
        ours = record_id(issue)
        before = issue.attachments[ours]["metadata"]
        self.world.forged.add(issue.id)
        self.linear.attach(issue, ours, forged, "person")
        if isinstance(unseal(before, issue.id, KEYS), Record):  # else the last true one is known already
            self.undo[f"record {issue.id}"] = lambda: self.linear.attach(issue, ours, before, "person")

    def budget(self, issue: Issue) -> None:
        self.says(self.epic_of(issue), f"budget ${self.chance.choice((3, 20, 200))}", self.somebody())

    def renames(self, issue: Issue) -> None:
        if issue.parent is None:
            issue.title, issue.description = f"Dashboard {self.words}", f"Build the dashboard {self.words}."
        self.linear.touch(issue)

    def reopens(self, issue: Issue) -> None:
        pull = self._pull(open_=False)
        if pull is not None:
            self.hub.reopens(pull, "bob")

    def reviews(self, issue: Issue) -> None:
        pull = self._pull()
        if pull is not None:
            who = self.chance.choice(("alice", "bob", "bob", "eve"))
            state = self.chance.choice(("APPROVED", "APPROVED", "CHANGES_REQUESTED", "COMMENTED"))
            self.hub.reviews(pull, state, "" if state == "APPROVED" else "Handle errors.", who)

    def remarks(self, issue: Issue) -> None:
        pull = self._pull()
        if pull is None:
            return
        who = self.chance.choice(("alice", "bob", "eve", "linter[bot]"))
        if not self.hub.hears(pull, who):
            return
        if self.chance.random() < 0.4:
            self.hub.says(pull, self.chance.choice(("@callboard why?", "nice")), who)
            return
        thread = self.chance.choice(pull.threads) if pull.threads and self.chance.random() < 0.5 else None
        self.hub.remarks(pull, thread, "Why not a list?", who)

    def resolves(self, issue: Issue) -> None:
        pull = self._pull()
        for thread in pull.threads if pull else ():
            self.hub.resolves(pull, thread, "alice")  # type: ignore[arg-type]

    def pushes(self, issue: Issue) -> None:
        pull = self._pull()
        self.pushes_to(pull.branch if pull else issue.branch)

    def pushes_to(self, branch: str) -> None:
        """Somebody pushes to a branch, if it is there."""
        tip = self.world.git.tip(branch)
        if tip is None:
            return
        self.words += 1
        tree = {**self.world.git.commits[tip].tree, f"by-hand-{self.words}": "bob"}
        self.hub.pushed(branch, self.world.git.commit((tip,), tree, ours=False, brings="by hand"), "bob")

    def pushes_to_main(self, issue: Issue) -> None:
        tip = self.world.git.refs["main"]
        self.words += 1
        tree = {**self.world.git.commits[tip].tree, "elsewhere": f"{self.words}"}
        if self.world.lot.shared and self.chance.random() < 0.3:
            tree["src/shared"] = f"bob {self.words}"
        self.hub.pushed("main", self.world.git.commit((tip,), tree, ours=False, brings="elsewhere"), "bob")

    def merges_by_hand(self, issue: Issue) -> None:
        pull = self._pull()
        if pull is not None and not self.hub.obstacle(pull):
            self.hub.merges(pull, self.hub.method(pull.base), None, "bob")

    def closes(self, issue: Issue) -> None:
        pull = self._pull()
        if pull is not None:
            self.hub.closes(pull, "bob")

    def deletes_branch(self, issue: Issue) -> None:
        pull = self._pull(open_=False)
        if pull is not None and pull.merged and pull.branch in self.world.git.refs:
            self.hub.deleted(pull.branch, "bob")

    # ---- when it is calm

    def calms(self) -> None:
        """What was broken by hand is put back, a day may cost more, and GitHub's checks end well."""
        self.hub.calm = True
        for epic in [one for one in self.linear.issues.values() if one.parent is None]:
            if epic.caller not in epic.labels:  # else nobody would ever look at it again
                self.linear.label(epic, add=(epic.caller,))
        for back in self.undo.values():
            back()
        self.undo.clear()
        enough = self.world.policy.budget.model_copy(update={"day_usd": ENOUGH_USD})
        self.world.policy = self.world.policy.model_copy(update={"budget": enough})
        for taken in [one for one in self.linear.issues.values() if one.departed and not (one.deleted or one.lone)]:
            self._puts(taken, Stage.DONE)  # who took it finishes it
        for pull in self.hub.pulls.values():
            head = self.hub.head(pull)
            if pull.open and self.hub.house.ci and not (self.hub.latest(head) and self.hub.green(head)):
                self.hub.runs(head, self.hub.number())

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
        epic = self.epic_of(issue)
        if epic.caller not in epic.labels:
            self.linear.label(epic, add=(epic.caller,))

    def on_relabelled(self, issue: Issue, blocker: Blocker) -> None:
        root = self.epic_of(issue)
        self.linear.label(root, remove=(str(blocker.values["other"]),), add=(str(blocker.values["label"]),))

    def on_cost_unknown(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(self.linear.issue(str(blocker.values["issue"])), "retry")

    def on_budget(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(self.linear.issue(str(blocker.values["issue"])), "budget $900")

    def on_turn_1(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(issue, "approve")

    on_turn_3 = on_plan_review = on_turn_1

    def on_protected(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(self.epic_of(issue), f"approve with {blocker.values['paths']}")

    def on_ejected(self, issue: Issue, blocker: Blocker) -> None:
        self.says_once(self.epic_of(issue), "approve")

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
        if pull.open and not self.hub.green(self.hub.head(pull)):
            self.hub.runs(self.hub.head(pull), self.hub.latest(self.hub.head(pull))[0].suite)

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

    # ---- how

    def says(self, issue: Issue, body: str, by: Node | None, **more: Any) -> None:
        """A comment."""
        self.words += 1
        self.world.tell(by["name"] if by else "somebody", "says", f"{body!r} on {issue.identifier}")
        self.linear.comment(issue, f"word-{self.words}", body, by, **more)

    def says_once(self, issue: Issue, body: str) -> None:
        """Not again before a little while has passed. Linear lets nobody comment on what is archived."""
        if issue.archived is not None:
            self._puts_away(issue)
        last = next((one for one in reversed(issue.comments) if one["user"] is ALICE and one["body"] == body), None)
        if last is None or (self.world.loop.now() - last["createdAt"]).total_seconds() > TURN_SECONDS * 2:
            self.says(issue, body, ALICE)

    def _puts_away(self, issue: Issue, *, trashed: bool = False) -> None:
        """Into the archive or the trash, or out of it."""
        gone = issue.archived is None
        issue.trashed, issue.archived = gone and trashed, self.world.loop.now() if gone else None
        self.linear.touch(issue)

    def somebody(self) -> Node:
        """One of those who may."""
        return self.chance.choice((ALICE, BOB))

    def _puts(self, issue: Issue, stage: Stage) -> None:
        """Alice moves an issue; where its team has no such state, she sees to it first."""
        if STATES[stage].name not in {one["name"] for one in self.linear.states_of(issue.team).values()}:
            self.linear.sets_up(issue.team)
        self.linear.move(issue, self._state(stage), "person", ALICE)

    def _state(self, stage: Stage) -> str:
        return self.linear.state_named(STATES[stage].name)

    def epic_of(self, issue: Issue) -> Issue:
        """The epic of a ticket, or the epic itself."""
        return self.linear.issues[issue.parent] if issue.parent else issue

    def _said(self, issue: Issue) -> Node | None:
        said = [one for one in issue.comments if one["user"] in (ALICE, BOB)]
        return self.chance.choice(said) if said else None

    def _pull(self, *, open_: bool = True) -> Pull | None:
        found = [one for one in self.hub.pulls.values() if one.open is open_]
        return self.chance.choice(found) if found else None


def _writes(linear: Linear, epic: Issue, document: Node) -> Callable[[], None]:
    return lambda: linear.write(epic, document["id"], document["title"], document["content"], "person")
