"""What people do in Linear's own interface, as the verbs of the actors."""

import pytest

from bot.simulator.linear import LinearError, LinearWorld, Person

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_small_workspace_has_its_people_labels_and_default_states(world: LinearWorld):
    assert world.user("alice").admin
    assert not world.user("bob").admin
    assert world.user("gina").guest
    assert world.user("callboard").app
    assert [state.name for state in world.team("YOU").states] == [
        "Backlog",
        "Todo",
        "In Progress",
        "In Review",
        "Done",
        "Canceled",
        "Duplicate",
    ]
    assert world.label("orchestrate").team is None


async def test_the_stages_are_there_when_asked_for():
    states = LinearWorld.small(with_stages=True).team("YOU").states
    assert {state.type for state in states[7:]} == {"started"}
    assert [state.name for state in states[7:]] == [
        "Research in Progress",
        "Plan in Progress",
        "Plan in Review",
        "Ready for Dev",
        "In Dev",
        "Code Review",
        "Ready to Merge",
    ]


async def test_the_life_of_an_issue_in_the_hands_of_people(world: LinearWorld, alice: Person, bob: Person):
    epic = alice.creates("YOU", "Epic", "the spec", labels=("orchestrate",), state="Todo")
    child = bob.creates("YOU", "Child", parent=epic)
    assert world.children(epic) == [child]
    alice.unlabels(epic, "orchestrate")
    bob.reparents(child, None)
    bob.retitles(child, "On its own")
    bob.describes(child, "words")
    bob.cancels(child)
    assert (epic.label_names, epic.children, child.parent) == ([], [], None)
    assert (child.title, child.description, child.state.name) == ("On its own", "words", "Canceled")
    assert child.canceled_at
    alice.archives(child)
    assert child.archived_at
    assert world.issue("YOU-2") is child


async def test_a_started_and_a_finished_issue_know_when(alice: Person, clock):
    issue = alice.creates("YOU", "x")
    alice.moves(issue, "In Progress")
    started = issue.started_at
    clock.advance(hours=1)
    alice.moves(issue, "Done")
    assert (issue.started_at, issue.completed_at) == (started, clock.moment)
    alice.moves(issue, "Todo")
    assert (issue.started_at, issue.completed_at) == (None, None)


async def test_people_meet_the_same_refusals_as_programs(alice: Person, bob: Person):
    issue = alice.creates("YOU", "x")
    comment = alice.comments(issue, "mine")
    with pytest.raises(LinearError):
        bob.edits(comment, "not yours")
    with pytest.raises(LinearError):
        bob.comments(issue, "   ")


async def test_what_people_write_is_rewritten_too(alice: Person):
    assert alice.creates("YOU", "x", "- a").description == "* a"


async def test_an_issue_knows_the_branch_name_linear_would_offer(alice: Person):
    assert alice.creates("YOU", "Show the metrics, please!").branch_name == "alice/you-1-show-the-metrics-please"


async def test_nobody_can_have_read_what_was_written_in_this_very_millisecond(alice: Person, app: Person, clock):
    issue = alice.creates("YOU", "x")
    said = app.comments(issue, "Turn 1.")
    assert alice.reads(issue) == []
    clock.advance(milliseconds=1)
    assert alice.reads(issue) == [said]
