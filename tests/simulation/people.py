"""People, who do anything at random while the storm lasts."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.linear.records import seal, unseal
from bot.machine.record import Record
from bot.machine.stages import STATES, Disposition, Stage
from tests.simulation.linear import ALICE, BOB, GINA, OLAF, ROBOT, Issue, Linear, Node
from tests.simulation.mischief import DEEDS
from tests.simulation.pull_request import Pull
from tests.simulation.watch.seen import KEYS, record_id

if TYPE_CHECKING:
    from tests.simulation.world import World

OVER = ("completed", "canceled", "duplicate")


class People:
    """Everybody who is no machine, and Linear's own automation."""

    def __init__(self, world: "World") -> None:
        self.world, self.chance = world, world.chance
        self.linear, self.hub = world.linear, world.hub
        self.words = 0
        self.undo: dict[str, Callable[[], None]] = {}
        """What must be put back before things can go on, by what was done."""

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
        self.linear.move(issue, self.linear.state_named(STATES[stage].name), "person", self.somebody())

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
            self.puts_away(issue, trashed=True)

    def archives(self, issue: Issue) -> None:
        if issue.parent is not None or issue.lone:
            self.puts_away(issue)

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

    # ---- how

    def says(self, issue: Issue, body: str, by: Node | None, **more: Any) -> None:
        """A comment."""
        self.words += 1
        self.world.tell(by["name"] if by else "somebody", "says", f"{body!r} on {issue.identifier}")
        self.linear.comment(issue, f"word-{self.words}", body, by, **more)

    def puts_away(self, issue: Issue, *, trashed: bool = False) -> None:
        """Into the archive or the trash, or out of it."""
        gone = issue.archived is None
        issue.trashed, issue.archived = gone and trashed, self.world.loop.now() if gone else None
        self.linear.touch(issue)

    def somebody(self) -> Node:
        """One of those who may."""
        return self.chance.choice((ALICE, BOB))

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
