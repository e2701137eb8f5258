"""Turn 2 shows everything that a person needs; what is then said on the epic reaches the tickets it is about."""

import re

import pytest
import pytest_asyncio

from bot.simulator.github.actors import CI

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def epic(shared):
    """An epic at turn 2; every story leaves it there."""
    epic = shared.epic()
    shared.alice.labels(epic, "orchestrate")
    await shared.approved(epic)
    await shared.is_in(epic, "Code Review")
    await shared.says(epic, "**Turns 2 and 3.**")
    return epic


def summaries(shared, epic):
    return [one for one in shared.said(epic) if "**Turns 2 and 3.**" in one]


def ticket_of(shared, epic, title):
    return next(one for one in shared.linear.children(epic) if one.title == title)


async def test_the_summary_has_a_row_for_each_ticket_with_everything_that_decides(shared, epic):
    summary = summaries(shared, epic)[-1]
    rows = [line for line in summary.splitlines() if line.startswith("| YOU-")]
    tickets = shared.linear.children(epic)
    assert len(rows) == len(tickets) == 4
    for ticket in tickets:
        pull = shared.pull_of(ticket)
        [row] = [one for one in rows if one.startswith(f"| {ticket.identifier} ")]
        assert f"[#{pull.number}]" in row
        assert f"`{pull.head_sha[:12]}`" in row
        assert "$" in row
    assert summary.count("The module reads well") == 3, "what a person should try"


async def test_a_wish_that_names_a_ticket_goes_to_that_ticket(shared, epic):
    two, others = ticket_of(shared, epic, "Write two.py"), ("Write one.py", "Write three.py")
    counts = {title: len(shared.prompts(ticket_of(shared, epic, title), "implement")) for title in others}
    before, asked = len(summaries(shared, epic)), shared.prompts(epic, "concern")
    shared.alice.comments(epic, f"{two.identifier} should paginate")
    await shared.says(epic, f"Handed on to {two.identifier}.")
    await shared.until(lambda: any("should paginate" in one for one in shared.prompts(two)), "a run that is told")
    await shared.until(lambda: len(summaries(shared, epic)) > before, "a new summary")
    assert {title: len(shared.prompts(ticket_of(shared, epic, title), "implement")) for title in others} == counts
    assert shared.prompts(epic, "concern") == asked


async def test_a_wish_that_names_a_pull_request_goes_to_its_ticket(shared, epic):
    three = ticket_of(shared, epic, "Write three.py")
    before = len(summaries(shared, epic))
    shared.bob.comments(epic, f"#{shared.pull_of(three).number} needs a docstring")
    await shared.until(lambda: any("needs a docstring" in one for one in shared.prompts(three)), "a run that is told")
    await shared.until(lambda: len(summaries(shared, epic)) > before, "a new summary")


async def test_a_wish_that_names_none_is_placed_by_a_worker(shared, epic):
    three = ticket_of(shared, epic, "Write three.py")
    before, asked = len(summaries(shared, epic)), len(shared.prompts(epic, "concern"))
    shared.alice.comments(epic, "In three.py the numbers are wrong")
    await shared.until(lambda: any("numbers are wrong" in one for one in shared.prompts(three)), "a run that is told")
    [run] = shared.prompts(epic, "concern")[asked:]
    assert "Write one.py" in run
    await shared.says(epic, f"Handed on to {three.identifier}.")
    await shared.until(lambda: len(summaries(shared, epic)) > before, "a new summary")


async def test_a_wish_that_is_about_nothing_is_asked_back_and_changes_nothing(shared, epic):
    count = sum(len(shared.prompts(one)) for one in shared.linear.children(epic))
    shared.alice.comments(epic, "Make it nicer")
    await shared.says(epic, "I can't tell which ticket this is about")
    await shared.quiet(0.3)
    assert sum(len(shared.prompts(one)) for one in shared.linear.children(epic)) == count
    assert epic.state.name == "Code Review"


async def test_a_wish_of_a_guest_reaches_nobody(shared, epic):
    before = len(shared.said(epic))
    shared.gina.comments(epic, f"{ticket_of(shared, epic, 'Write two.py').identifier} CANARY")
    shared.alice.comments(epic, "status")
    await shared.until(lambda: len(shared.said(epic)) > before, "an answer to what alice said after it")
    assert not any("CANARY" in one for ticket in shared.linear.children(epic) for one in shared.prompts(ticket))


async def test_a_ticket_that_is_stuck_stands_in_the_summary_with_its_reason(shared, epic):
    one, ci = ticket_of(shared, epic, "Write three.py"), CI(shared.github, slug="jenkins")
    pull, before = shared.pull_of(one), len(summaries(shared, epic))
    bob = shared.on_github("bob")
    await ci.passes(pull, "build")
    await bob.reviews(pull, "approve")
    said = await bob.remarks(pull, "three.py", 1, "Why is that so?")
    await shared.until(lambda: len(summaries(shared, epic)) > before, "a new summary")
    row = next(line for line in summaries(shared, epic)[-1].splitlines() if line.startswith(f"| {one.identifier} "))
    assert re.search(r"\| green \| bob approved \| \$[0-9.]+ \| 1 open review threads", row)
    await bob.resolves(said.thread)
    await shared.is_in(one, "Ready to Merge")


async def test_pull_requests_are_held_back_while_enough_wait_for_a_person(shared):
    shared.obeys(limits="open_reviews = 1")
    held = await shared.built({"early": (), "late": ()})
    await shared.shown(held)
    first = summaries(shared, held)[-1]
    assert "its pull request waits: 1 already wait for a person" in first
    assert shared.pull("late") is None
    await shared.asked(held)
    await shared.until(lambda: shared.pull("late"), "the pull request that was held back")
    assert shared.pull("early").merged
    await shared.asked(held, 2)
    await shared.is_in(held, "Done")
    assert shared.pull("late").merged
    shared.obeys()
