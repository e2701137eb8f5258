"""The breakdown document: people edit it, Linear rewrites it, and the digest follows the meaning only."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.machine import breakdown
from bot.machine.breakdown import Breakdown, Task
from bot.machine.errors import UserError
from bot.simulator.linear.markdown import stored as rewrite

THREE = Breakdown(
    "Three tasks.",
    (
        Task("one", "Store [settings](https://example.org/a)", "Keep them.\n\n- in a table\n- with a key", "storage"),
        Task("two", "Show them", "A page, see README.md.", "page", ("one",), ("a.py", "b.py"), "small"),
        Task("three", "Feed", "`code` and *stress*", "feed", ("one", "two")),
    ),
)


def test_what_is_written_is_read_again():
    again = breakdown.read(breakdown.write(THREE))
    assert [task.key for task in again.tasks] == ["one", "two", "three"]
    assert again.tasks[1].depends_on == ("one",)
    assert again.tasks[1].areas == ("a.py", "b.py")
    assert again.tasks[2].depends_on == ("one", "two")


def test_linear_s_rewriting_changes_no_digest():
    document = breakdown.write(THREE)
    once = rewrite(document)
    assert once != document
    assert breakdown.read(once).digest == breakdown.read(document).digest
    assert breakdown.read(rewrite(once)).digest == breakdown.read(document).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Keep them", "Lose them"),
        ("Scope: page", "Scope: pages"),
        ("Depends on: 1, 2", "Depends on: 1"),
        ("3. Feed", "3. Food"),
    ],
)
def test_a_change_of_meaning_changes_the_digest(old, new):
    document = breakdown.write(THREE)
    assert old in document
    assert breakdown.read(document.replace(old, new)).digest != breakdown.read(document).digest


def test_deleting_a_section_drops_its_task():
    document = breakdown.write(THREE)
    start, end = document.index("## 2."), document.index("## 3.")
    document = (document[:start] + document[end:]).replace("Depends on: 1, 2", "Depends on: 1")
    assert [task.key for task in breakdown.read(document).tasks] == ["one", "three"]


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("just words", "has no task"),
        ("## 1. A\n\n## 1. B\n", "twice"),
        ("## 1. A\n\n* Depends on: 7\n", "depends on task 7"),
        ("## 1. A\n\n* Depends on: 2\n\n## 2. B\n\n* Depends on: 1\n", "circle"),
    ],
)
def test_what_can_not_be_read_is_said_in_a_sentence(document, says):
    with pytest.raises(UserError, match=says):
        breakdown.read(document)


def test_a_task_added_by_hand_needs_no_more_than_a_heading():
    tasks = breakdown.read(breakdown.write(THREE) + "\n## 4) By hand\n\nSome words.\n").tasks
    assert (tasks[3].key, tasks[3].title, tasks[3].description) == ("by-hand", "By hand", "Some words.")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=400))
def test_no_document_crashes_the_parser(text):
    with contextlib.suppress(UserError):
        assert breakdown.read(text).tasks


words = st.text(st.characters(whitelist_categories=("Ll", "Lu", "Nd"), max_codepoint=0x17F), min_size=1, max_size=20)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=6, unique_by=lambda one: one[0].lower()))
def test_any_plain_tasks_survive_being_written_and_rewritten(rows):
    tasks = tuple(
        Task(f"t{index}", title, about, scope, (f"t{index - 1}",) if index else ())
        for index, (title, about, scope) in enumerate(rows)
    )
    document = breakdown.write(Breakdown("s", tasks))
    assert breakdown.read(document).tasks == tuple(
        Task(one.key, one.title, one.description, one.scope, one.depends_on, ("not said",), "not said") for one in tasks
    )
    assert breakdown.read(rewrite(document)).digest == breakdown.read(document).digest
