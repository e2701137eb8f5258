"""What people do at the worst moment: to approvals, to pull requests about to be merged, to runs that just end."""

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from bot.linear.records import unseal
from bot.machine.record import Record
from bot.machine.stages import ORCHESTRATE, ORCHESTRATED, STATES, WORKER, Disposition, Stage
from tests.simulation.linear import ALICE, BOB, GINA, OLAF, ROBOT, US, Issue, by_us
from tests.simulation.pull_request import Pull, Refusal
from tests.simulation.setting import ELSEWHERE, PROTECTED
from tests.simulation.watch.seen import KEYS, record_id

if TYPE_CHECKING:
    from tests.simulation.people import People

_EARLIER = {Stage.PLAN: Stage.RESEARCH, Stage.DEV: Stage.PLAN, Stage.CODE_REVIEW: Stage.DEV, Stage.MERGE: Stage.DEV}
_MERGE_WORDS = frozenset({"approve", "approved", "merge"})


def takes_turn(people: "People", issue: Issue) -> None:
    """Somebody approves what stands in review, as it should be."""
    epic = people.epic_of(issue)
    asks = (Stage.MERGE,) if epic.lone else (Stage.PLAN_REVIEW, Stage.CODE_REVIEW)
    if people.linear.name_of(epic) in [STATES[one].name for one in asks]:
        people.says(epic, "approve", people.somebody())


def names_protected(people: "People", issue: Issue) -> None:
    """Somebody approves and names what is protected: all of it, some of it, or what nobody changes."""
    epic = people.epic_of(issue)
    what = people.chance.choice((PROTECTED, f"{PROTECTED}{issue.identifier}", "ops", f"{PROTECTED}nothing"))
    people.says(epic, f"approve with {what}", people.somebody())


def approves_by_edit(people: "People", issue: Issue) -> None:
    """Somebody makes an approval of what they have just said."""
    epic = people.epic_of(issue)
    people.says(epic, "Wait a moment.", people.somebody())
    people.linear.rewrite(epic, epic.comments[-1]["id"], "approve")


def takes_back(people: "People", issue: Issue) -> None:
    """Every approval of the epic is deleted, or is edited so that it is none."""
    epic = people.epic_of(issue)
    for said in [one for one in epic.comments if one["user"] in (ALICE, BOB) and one["body"] in _MERGE_WORDS]:
        if people.chance.random() < 0.5:
            people.linear.unsay(epic, said["id"])
        else:
            people.linear.rewrite(epic, said["id"], "rather not")


def wishes(people: "People", issue: Issue) -> None:
    """Somebody wants something else, also where much is done already."""
    people.says(issue, "Make it blue.", people.somebody())


def resumes(people: "People", issue: Issue) -> None:
    """What stands still goes on."""
    for one in people.linear.issues.values():
        held = tuple(str(label) for label in Disposition if str(label) in one.labels)
        if held and not one.deleted:
            people.linear.label(one, remove=held)


def moves_back(people: "People", issue: Issue) -> None:
    """A ticket that is under way goes back."""
    found = [one for one in people.linear.issues.values() if one.parent and _earlier(people, one) and not one.deleted]
    if found:
        back = people.chance.choice(found)
        people.moves_to(back, _earlier(people, back) or Stage.TODO)


def cancels_work(people: "People", issue: Issue) -> None:
    """A ticket is given up while an agent is at it."""
    found = [one for agent in people.world.agents if (one := people.linear.issues[agent.issue]).parent]
    if found:
        people.says(people.chance.choice(found), "cancel", people.somebody())


def pauses_what_merges(people: "People", issue: Issue) -> None:
    """Something that is ready to merge shall wait."""
    found = [one for one in people.linear.issues.values() if _is_ready(people, one)]
    if found:
        people.linear.label(people.chance.choice(found), add=(str(Disposition.PAUSED),))


def stops_train(people: "People", issue: Issue) -> None:
    """Somebody moves an epic whose merge is approved back to its review."""
    epic = people.epic_of(issue)
    if people.linear.name_of(epic) == STATES[Stage.MERGE].name:
        people.moves_to(epic, Stage.CODE_REVIEW)


def pushes_when_approved(people: "People", issue: Issue) -> None:
    """Somebody pushes to what is ready to merge."""
    found = [one for one in people.hub.pulls.values() if one.open and _is_ready(people, ticket_of(people, one))]
    if found:
        people.pushes_to(people.chance.choice(found).branch)


def merges_below(people: "People", issue: Issue) -> None:
    """Somebody merges a stacked pull request into the branch below it."""
    found = [one for one in people.hub.pulls.values() if one.open and one.base != "main"]
    if found and not people.hub.obstacle(found[-1]):
        people.hub.merges(found[-1], people.hub.method(found[-1].base), None, "bob")


def own_branch(issue: Issue) -> str:
    """The branch of what somebody has of their own on the branch of a ticket."""
    return f"bob/on-{issue.names[0]}"


def stacks(people: "People", issue: Issue) -> None:
    """Somebody has work of their own on the branch of a ticket, and a pull request into that branch."""
    branch = issue.branch
    own, tip = own_branch(issue), people.world.git.tip(branch)
    if tip is not None and people.world.git.tip(own) is None:
        tree = {**people.world.git.commits[tip].tree, own: "bob"}
        people.hub.pushed(own, people.world.git.commit((tip,), tree, ours=False, brings="by hand"), "bob")
        people.hub.opens(own, branch, f"On {issue.identifier}", "bob")


def locks(people: "People", issue: Issue) -> None:
    """Somebody has enough of what is said about a pull request, or thinks better of it."""
    found = [one for one in people.hub.pulls.values() if one.open]
    if found:
        pull = people.chance.choice(found)
        pull.locked, pull.was_locked = not pull.locked, True


def drafts(people: "People", issue: Issue) -> None:
    """Somebody finds that a pull request is not ready, or that it is."""
    found = [one for one in people.hub.pulls.values() if one.open]
    if found:
        pull = people.chance.choice(found)
        people.hub.drafts(pull, draft=not pull.draft, by="bob")


def retargets(people: "People", issue: Issue) -> None:
    """Somebody has a pull request go elsewhere: into main while it is stacked, or into another one's branch."""
    found = [one for one in people.hub.pulls.values() if one.open]
    if found:
        pull = people.chance.choice(found)
        bases = [one for one in ("main", *(other.branch for other in found if other is not pull)) if one != pull.base]
        base = people.chance.choice(bases) if bases else pull.base
        with suppress(Refusal):
            people.hub.retargets(pull, base, "bob")


def updates_branch(people: "People", issue: Issue) -> None:
    """Somebody presses "Update branch"."""
    git = people.world.git
    found = [one for one in people.hub.pulls.values() if one.open and people.hub.behind(one)]
    if found and not people.hub.clashes(pull := people.chance.choice(found)):
        head, base = people.hub.head(pull), git.refs[pull.base]
        tree, _ = git.merged(head, base)
        people.hub.pushed(pull.branch, git.commit((head, base), tree, ours=False, brings="its base"), "bob")


def resets(people: "People", issue: Issue) -> None:
    """Somebody takes the newest commit off a branch, by force."""
    found = [one for one in people.hub.pulls.values() if one.open]
    if found:
        pull = people.chance.choice(found)
        people.hub.pushed(pull.branch, people.world.git.commits[people.hub.head(pull)].parents[0], "bob")


def dismisses(people: "People", issue: Issue) -> None:
    """Alice takes the weight off what others said in their reviews."""
    for pull in people.hub.pulls.values():
        for said in pull.reviews if pull.open else ():
            if said.state in ("APPROVED", "CHANGES_REQUESTED"):
                said.state = "DISMISSED"
                people.hub.tell("pull_request_review", pull, "dismissed", "alice")


def wants_changes(people: "People", issue: Issue) -> None:
    """Somebody who may write wants changes, and says no more."""
    found = [one for one in people.hub.pulls.values() if one.open]
    if found:
        people.hub.reviews(people.chance.choice(found), "CHANGES_REQUESTED", "", "bob")


def approves_on_github(people: "People", issue: Issue) -> None:
    """Bob is content with everything."""
    for pull in people.hub.pulls.values():
        if pull.open and people.hub.opinions(pull).get("bob") is not None:
            people.hub.reviews(pull, "APPROVED", "", "bob")


def asks(people: "People", issue: Issue) -> None:
    """Somebody asks something in the conversation of a pull request."""
    found = [one for one in people.hub.pulls.values() if one.open]
    if found:
        people.hub.says(people.chance.choice(found), "@callboard why?", "bob")


def copies_record(people: "People", issue: Issue) -> None:
    """The record of another issue is put in the place of this one's."""
    ours = record_id(issue)
    others = [one for one in people.linear.issues.values() if one.attachments]
    if ours in issue.attachments and len(others) > 1:
        other = people.chance.choice([one for one in others if one is not issue])
        people.replaces_record(issue, other.attachments[record_id(other)]["metadata"])


def takes_out(people: "People", issue: Issue) -> None:
    """A ticket becomes part of something else; or somebody puts one back, or calls it alone."""
    out = [one for one in people.linear.issues.values() if one.departed and not (one.deleted or one.lone)]
    then = people.chance.random() if out else 1.0
    if then < 0.4:
        people.linear.put_back(people.chance.choice(out))
    elif then < 0.7:
        people.linear.label(people.chance.choice(out), add=(WORKER,))
    elif issue.parent:
        people.linear.take_out(issue)


def destroys(people: "People", issue: Issue) -> None:
    """A ticket is deleted for ever."""
    if issue.parent:
        people.linear.destroy(issue)


def unsays_ours(people: "People", issue: Issue) -> None:
    """Somebody takes away what the service said."""
    ours = [one for one in issue.comments if by_us(one)]
    if ours:
        people.linear.unsay(issue, people.chance.choice(ours)["id"])


def answers(people: "People", issue: Issue) -> None:
    """Somebody says something in a thread."""
    roots = [one for one in issue.comments if one["parentId"] is None]
    if roots:
        word = people.chance.choice(("approve", "why", "retry", "status", "Make it green."))
        people.says(issue, word, people.somebody(), parent=people.chance.choice(roots)["id"])


def takes_record(people: "People", issue: Issue) -> None:
    """Somebody removes the link that holds the record.

    Not where the database is lost as well: nobody could know then that there ever was one.
    """
    ours = record_id(issue)
    if ours in issue.attachments and "database lost" not in people.world.chaos.rates:
        people.world.forged.add(issue.id)
        people.linear.detach(issue, ours, used=people.world.seed % 2 == 0)


def transfers(people: "People", issue: Issue) -> None:
    """A ticket is moved into a team that has none of our states, or back."""
    if issue.parent:
        people.linear.transfer(issue)


def revokes(people: "People", issue: Issue) -> None:
    """Somebody takes a permission from our App on GitHub, or all, or gives it back."""
    hub = people.hub
    hub.forbidden = "" if hub.forbidden else people.chance.choice(("everything", "opens", "retargets"))


def takes_document(people: "People", issue: Issue) -> None:
    """Somebody puts the breakdown into the trash."""
    epic = people.epic_of(issue)
    for one in [one for one in epic.documents.values() if not one["trashed"]]:
        people.linear.drop(epic, one["id"])


def takes_label(people: "People", issue: Issue) -> None:
    """Somebody deletes a label that the service puts on issues."""
    found = sorted({str(one) for one in (*Disposition, ORCHESTRATED)} & people.linear.labels.keys())
    if found:
        people.linear.unmake_label(people.chance.choice(found), used=people.world.seed % 4 < 2)


def relabels(people: "People", issue: Issue) -> None:
    """Somebody finds that it should have been called by the other label."""
    root = people.epic_of(issue)
    other = ORCHESTRATE if root.caller == WORKER else WORKER
    if root.caller in root.labels:
        people.linear.label(root, remove=(root.caller,), add=(other,))
        people.undo[f"label {root.id}"] = lambda: people.linear.label(root, remove=(other,), add=(root.caller,))


def calls(people: "People", issue: Issue) -> None:
    """Somebody takes the label off that calls it, or puts it there, who may or may not."""
    root = people.epic_of(issue)
    if root.caller in root.labels:
        people.linear.label(root, remove=(root.caller,))
        return
    by = people.chance.choice((ALICE, BOB, GINA, GINA, OLAF, ROBOT, None))
    robot = None if by else {"id": "zapier", "type": "automation", "name": "Zapier"}
    people.linear.label(root, add=(root.caller,), by=by, robot=robot)


def points_elsewhere(people: "People", issue: Issue) -> None:
    """Somebody puts the label of another repository on what is under way, or takes it off again."""
    root = people.epic_of(issue)
    under_way = [one for one in people.linear.issues.values() if one.root == root.id and _is_under_way(people, one)]
    if ELSEWHERE in root.labels:
        people.linear.label(root, remove=(ELSEWHERE,))
    elif under_way:
        people.linear.label(root, add=(ELSEWHERE,))
        people.undo[f"elsewhere {root.id}"] = lambda: people.linear.label(root, remove=(ELSEWHERE,))


def empties(people: "People", issue: Issue) -> None:
    """Somebody empties the specification, or writes too much of it, and puts back what it was."""
    root = people.epic_of(issue)
    if f"spec {root.id}" in people.undo:
        people.undo.pop(f"spec {root.id}")()
        return
    before = root.description
    root.description = people.chance.choice(("", " \n", "Much. " * 40_000))
    people.linear.touch(root)

    def put_back() -> None:
        root.description = before
        people.linear.touch(root)

    people.undo[f"spec {root.id}"] = put_back


def unnames(people: "People", issue: Issue) -> None:
    """Whoever runs the service takes the repository out of callboard.toml, and puts it back."""
    if "repository" in people.undo:
        people.undo.pop("repository")()
        return
    world, before = people.world, people.world.policy
    world.policy = before.model_copy(update={"repositories": before.repositories[1:]})
    people.undo["repository"] = lambda: setattr(world, "policy", before)


def _is_under_way(people: "People", issue: Issue) -> bool:
    """Whether a run of its own was ordered and is known."""
    known = issue.attachments.get(record_id(issue))
    record = unseal(known["metadata"], issue.id, KEYS) if known and issue.id not in people.world.forged else None
    return isinstance(record, Record) and bool(record.repository)


def relates_across(people: "People", issue: Issue) -> None:
    """A ticket is to wait for one of another epic, which is older so that they don't wait for each other."""
    older = [one for one in people.linear.issues.values() if one.number < issue.number and one.parent != issue.parent]
    tickets = [one for one in older if one.parent]
    if issue.parent and tickets:
        people.linear.relate(people.chance.choice(tickets).id, issue.id, "person")


def moves_over(people: "People", issue: Issue) -> None:
    """A ticket is made part of the other epic, with whatever work is in it."""
    others = [one for one in people.linear.issues.values() if one.parent is None and one.id != issue.parent]
    if issue.parent and others:
        people.linear.move_over(issue, people.chance.choice(others).id)


def changes_account(people: "People", _issue: Issue) -> None:
    """Whoever tried the service with a key of theirs gives it an account of its own, and starts it anew."""
    world = people.world
    if people.linear.account is not US:
        people.linear.account = US
        for process in list(world.processes):
            world.keep(asyncio.get_running_loop().create_task(process.stops()))


DEEDS = {
    one.__name__: one
    for one in (
        takes_turn, names_protected, approves_by_edit, takes_back, wishes, resumes, pauses_what_merges,
        pushes_when_approved, merges_below, wants_changes, approves_on_github, asks, copies_record, moves_back,
        cancels_work, stops_train, stacks, locks, drafts, retargets, updates_branch, resets, dismisses, takes_out,
        destroys, unsays_ours, answers, takes_record, takes_document, takes_label, relabels, points_elsewhere,
        calls, unnames, empties, transfers, revokes, changes_account, relates_across, moves_over,
    )
}  # fmt: skip


class Meanwhile:
    """Somebody is quicker than the service by a moment, now and then: after it looked, and before it acts."""

    def __init__(self, people: "People", how_often: float) -> None:
        self.people, self.how_often = people, how_often

    def before_merge(self, pull: Pull) -> None:
        """Somebody pushes to what is to be merged right now."""
        if self._now() and pull.open:
            self.people.pushes_to(pull.branch)

    def after_merge(self, pull: Pull) -> None:
        """Somebody thinks better of the rest: takes the approval back, or pushes to what is still to be merged."""
        if not self._now(often=3):
            return
        people, ticket = self.people, ticket_of(self.people, pull)
        others = [one for one in people.hub.pulls.values() if one.open]
        if ticket is not None and people.world.setting.doubts:
            takes_back(people, ticket)
        elif others:
            people.pushes_to(people.chance.choice(others).branch)

    def before_shown(self, issue: Issue) -> None:
        """Somebody approves what will be shown in a moment."""
        if self._now():
            self.people.says(issue, "approve", self.people.somebody())

    def before_result(self, issue: Issue) -> None:
        """Somebody moves back what just ends well."""
        earlier = _earlier(self.people, issue)
        if issue.parent is not None and earlier is not None and self._now():
            self.people.moves_to(issue, earlier)

    def _now(self, often: int = 1) -> bool:
        people = self.people
        return bool(self.how_often) and not people.world.calm and people.world.races.random() < self.how_often * often


def ticket_of(people: "People", pull: Pull) -> Issue | None:
    """The ticket of a pull request."""
    return people.linear.of_branch(pull.branch)


def _earlier(people: "People", issue: Issue) -> Stage | None:
    """The stage to which a person might move it back."""
    stage = next((one for one, state in STATES.items() if state.name == people.linear.name_of(issue)), None)
    return None if stage is None else _EARLIER.get(stage)


def _is_ready(people: "People", issue: Issue | None) -> bool:
    return issue is not None and not issue.deleted and people.linear.name_of(issue) == STATES[Stage.MERGE].name
