"""A sample of the stories, the stories that found something once, and that chance is the same everywhere."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.setting import EVERY, LEAVING, REMAINDER, SPECIAL, UNTIDY, setting_of
from tests.simulation.story import play

SAMPLE = range(12)
FOUND = (7, 12, 48, 103, 335, 446, 2726, 58197, 75632, 77677, 80396, 85750, 92259)
"""Seeds that found a bug of the service, or of the simulation, when they were new."""
ROOT = Path(__file__).parents[2]
_DIGEST = "from tests.simulation.story import play; print([play(seed, 40).digest for seed in (1, 5)])"


@pytest.mark.parametrize("first", range(0, len(SAMPLE), 4))
def test_whatever_happens_nothing_is_violated(first):
    for seed in SAMPLE[first : first + 4]:
        ended = play(seed, 60)
        assert not ended.found, f"make simulate SEED={seed} ARGS='--steps 60': {ended.found[0]}"


@pytest.mark.parametrize("place", range(2, len(SPECIAL)), ids=lambda place: SPECIAL[place].name)
def test_in_special_worlds_nothing_is_violated_either(place):
    seed = REMAINDER + EVERY * place
    assert setting_of(seed) is SPECIAL[place]
    ended = play(seed, 60)
    assert not ended.found, f"make simulate SEED={seed} ARGS='--steps 60': {ended.found[0]}"


@pytest.mark.parametrize(("seed", "setting"), [(55, UNTIDY), (57, LEAVING)], ids=lambda one: getattr(one, "name", one))
def test_where_people_tidy_up_and_where_tickets_leave_nothing_is_violated_either(seed, setting):
    assert setting_of(seed) is setting
    ended = play(seed)
    assert not ended.found, f"make simulate SEED={seed}: {ended.found[0]}"


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_stays_mended(seed):
    ended = play(seed, 200)
    assert not ended.found, f"make simulate SEED={seed}: {ended.found[0]}"


def test_the_same_seed_tells_the_same_story_whatever_the_hashes():
    told = set()
    for hashes in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": str(ROOT)}
        ran = subprocess.run([sys.executable, "-c", _DIGEST], cwd=ROOT, env=environment, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr
        told.add(ran.stdout)
    assert len(told) == 1, told


def test_the_same_seed_tells_the_same_story_wherever_things_lie_in_memory():
    """A killed process let go of its tasks in the order of a set, so what they had in hand came again in any order."""
    there, told = [], set()
    for more in range(4):
        there.append([object() for _ in range(1013 * more)])
        told.add(play(549).digest)
    assert len(told) == 1, told
