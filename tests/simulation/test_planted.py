"""The planted bugs: their texts are there, and two of them are found as `make sweep` finds all of them."""

from collections import Counter

import pytest

from tests.simulation.kinds import EXPECTED, missing
from tests.simulation.planted import PLANTED, Planted, plant
from tests.simulation.sweep import ROOT, Tried, copied, in_order, table, violations


@pytest.mark.parametrize("planted", PLANTED, ids=lambda one: one.bug)
def test_what_a_planted_bug_replaces_is_there_exactly_once(planted):
    assert (ROOT / planted.file).read_text().count(planted.old) == 1
    assert planted.new != planted.old


def test_a_bug_whose_text_is_gone_is_no_bug(tmp_path):
    (tmp_path / "a.py").write_text("twice\ntwice\n")
    for old in ("never", "twice"):
        with pytest.raises(ValueError, match=r"its text is \d times in a.py"):
            plant(Planted("a bug", "a.py", old, "other"), tmp_path)


def test_a_bug_that_was_not_caught_stands_out_in_the_table():
    planted = Planted("a bug", "a.py", "old", "new")
    rows = table([Tried(planted, "two agents on one ticket", 7, 3.2), Tried(planted, "", 0, 60.0)]).splitlines()
    assert rows[2:] == [
        "| a bug | `a.py` | two agents on one ticket | 7 | 3 |",
        "| a bug | `a.py` | **not caught** | – | 60 |",
    ]


def test_the_story_that_found_a_bug_is_played_first_and_special_worlds_before_the_rest():
    order = in_order(Planted("a bug", "a.py", "old", "new", found_by=7), 12)
    assert order == [7, 4, 10, 0, 1, 2, 3, 5, 6, 8, 9, 11]


def test_what_never_happened_is_missing():
    assert missing(Counter(EXPECTED)) == ()
    assert missing(Counter(EXPECTED[1:])) == EXPECTED[:1]


@pytest.mark.parametrize("bug", ["blockers are not waited for", "a pause is ignored"])
def test_two_of_them_are_found_in_a_few_stories(bug, tmp_path):
    plant(next(one for one in PLANTED if one.bug == bug), copied(tmp_path))
    assert next(violations(tmp_path, range(5)), None) is not None
