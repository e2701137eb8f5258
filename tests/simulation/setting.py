"""What sort of world a story has: most are ordinary; some are made so that what is rare elsewhere happens in them.

Which one it is depends on the seed alone, so that a seed tells the same story whoever plays it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

ORDINARY_DEEDS = {
    "turns": 14, "comments": 4, "strangers": 2, "labels": 2, "moves": 2, "automation": 1, "edits_words": 2,
    "edits_document": 1, "unlabels": 1, "relates": 1, "renames_state": 1, "deletes": 1, "archives": 1,
    "cancels": 1, "forges": 1, "reviews": 3, "remarks": 3, "pushes": 2, "merges_by_hand": 1, "closes": 1,
    "pushes_to_main": 1, "budget": 1, "renames": 1, "reopens": 1, "resolves": 1, "unsays": 1, "deletes_branch": 1,
}  # fmt: skip
"""What people do at random, and how often beside the others."""
MERGING_DEEDS = {
    "takes_turn": 30, "pushes_when_approved": 8, "takes_back": 4, "approves_by_edit": 4, "pauses_what_merges": 2,
    "merges_below": 4, "wants_changes": 2, "approves_on_github": 6, "asks": 3, "resumes": 6, "resolves": 2,
    "pushes_to_main": 1, "stops_train": 4, "stacks": 2,
    "locks": 2, "drafts": 2, "retargets": 3, "updates_branch": 3, "resets": 2, "dismisses": 1,
}  # fmt: skip
"""What people do while pull requests are about to be merged, and most of it is what nobody should do."""
TRAIN_DEEDS = {"takes_turn": 20, "resumes": 1}
"""What people do who only want everything merged."""
MEDDLING_DEEDS = {
    "takes_turn": 20, "cancels_work": 2, "moves_back": 3, "copies_record": 6, "labels": 3, "resumes": 8, "wishes": 1,
    "approves_by_edit": 2, "points_elsewhere": 2, "unnames": 1,
}  # fmt: skip
"""What people do to work that is under way."""
UNTIDY_DEEDS = {
    **ORDINARY_DEEDS, "takes_turn": 14, "resumes": 6, "takes_out": 2, "destroys": 1, "unsays_ours": 3, "answers": 5,
    "takes_document": 1, "relabels": 1, "points_elsewhere": 2, "unnames": 1,
}  # fmt: skip
"""What people do who tidy up: what they take away is gone."""
TAKING_DEEDS = {
    **ORDINARY_DEEDS, "takes_turn": 20, "resumes": 6, "transfers": 4, "revokes": 4, "forges": 3,
    "unsays_ours": 5, "takes_record": 4, "takes_label": 3,
}  # fmt: skip
"""What people do who take away what the service works with: on Linear, and on GitHub."""
LEAVING_DEEDS = {"takes_turn": 20, "takes_out": 5, "destroys": 1, "resumes": 2, "pushes_to_main": 1, "merges_below": 1}
"""What people do who find that a ticket is none of this epic, while everything goes well."""
NEIGHBOURS_DEEDS = {**ORDINARY_DEEDS, "takes_turn": 20, "resumes": 6, "relates_across": 4, "moves_over": 3}
"""What people do who have two epics under way at once."""
GUARDED_DEEDS = {**ORDINARY_DEEDS, "takes_turn": 10, "names_protected": 14, "resumes": 6}
"""What people do who are asked to name the protected files that are changed."""
STRANGE_DEEDS = {**{deed: times for deed, times in ORDINARY_DEEDS.items() if deed != "unlabels"}, "calls": 8}
"""What people do where the label that calls an epic may be put there by anybody."""
REVIEWED_DEEDS = {
    "takes_turn": 12, "resumes": 8, "reviews": 3, "remarks": 3, "pushes": 4, "pushes_to_main": 2,
    "drafts": 2, "closes": 1, "reopens": 2, "locks": 1, "wishes": 1, "moves_back": 1,
    "merges_by_hand": 1,
}  # fmt: skip
"""What people do beside review bots."""
TRIED_DEEDS = {**ORDINARY_DEEDS, "takes_turn": 20, "resumes": 6, "changes_account": 3}
"""What people do who try the service before they trust it with more."""
SCARCE_DEEDS = {
    "takes_turn": 20, "resumes": 8, "labels": 2, "wishes": 2, "moves": 1, "budget": 2, "moves_back": 1, "pushes": 1,
    "empties": 2,
}  # fmt: skip
"""What people do who want more done than they may spend."""

PROTECTED = "ops/"
"""The folder that nobody changes unless a person names it."""
ELSEWHERE = "elsewhere"
"""The label of another repository that the service may work in."""
ILL = {"github 502 before": 0.15, "github timeout after": 0.05, "linear 500 before": 0.05, "linear 500 after": 0.05}

UNSTEADY = {
    "restart": 0.02,
    "crash after": 0.002,
    "linear 500 after": 0.02,
    "github 502 before": 0.02,
    "clock jump": 0.01,
}


@dataclass(frozen=True)
class Setting:
    """`races` is how likely somebody is quicker than the service by a moment, where that is possible."""

    name: str
    deeds: Mapping[str, int] = field(default_factory=lambda: ORDINARY_DEEDS)
    rates: Mapping[str, float] | None = None
    """How likely each fault is; None: chance says."""
    smooth: bool = False
    """Agents are quick and do well, and nobody but people holds things up."""
    tasks: int = 1
    """Tickets of the epic at least."""
    red: float = 0.15
    """How likely a check fails."""
    races: float = 0.0
    queue: float = 0.15
    """How likely what goes to the base branch is merged by GitHub's merge queue."""
    stacked: bool = False
    """Every ticket builds upon all before it."""
    doubts: bool = False
    """What is approved is taken back when some of it was merged; else somebody pushes to the rest then."""
    deaf: bool = False
    """No webhook ever arrives."""
    processes: int = 1
    given: bool = False
    """The epic has tickets before it is labelled."""
    lone: bool = False
    """No epic: single tickets, each of which runs alone."""
    epics: int = 1
    guarded: bool = False
    """Some of what agents change is protected: a person must name it."""
    tried: bool = False
    """The service begins with a person's key, and is given an account of its own later."""
    strange: bool = False
    """Whoever writes the epic may be somebody who has no say."""
    reviewed: bool = False
    """Review bots are named, whose word is waited for."""
    scarce: bool = False
    """It is late on a day that may cost little, and the model's account may be at its limit for everybody."""


ORDINARY = Setting("ordinary")
SPECIAL = (
    Setting("merging", MERGING_DEEDS, {}, tasks=2, smooth=True, red=0.35, races=0.2, queue=0.5),
    Setting("train", TRAIN_DEEDS, {}, tasks=3, smooth=True, red=0.0, races=0.3),
    Setting("ill", MERGING_DEEDS, ILL, tasks=2, smooth=True),
    Setting("doubts", TRAIN_DEEDS, {}, tasks=3, smooth=True, red=0.0, races=0.3, doubts=True, stacked=True),
    Setting("meddling", MEDDLING_DEEDS, {}, tasks=3, races=0.5),
    Setting("crowded", MEDDLING_DEEDS, {"freeze": 0.01, "second process": 0.3}, tasks=3, processes=2),
    Setting("deaf", deaf=True),
    Setting("given", given=True),
)
UNTIDY = Setting("untidy", UNTIDY_DEEDS, tasks=2)
LONE = Setting("lone", {**UNTIDY_DEEDS, "stops_train": 1, "pauses_what_merges": 2}, tasks=2, lone=True)
LONE_MERGING = Setting(
    "lone merging", MERGING_DEEDS, {}, tasks=2, smooth=True, red=0.35, races=0.2, queue=0.5, lone=True
)
TAKING = Setting("taking", TAKING_DEEDS, tasks=2)
LEAVING = Setting("leaving", LEAVING_DEEDS, tasks=3, smooth=True, red=0.1, queue=0.7)
WRONG_CLOCKS = Setting("wrong clocks", TRAIN_DEEDS, {"clock jump": 0.2, "restart": 0.02}, tasks=3, smooth=True)
TRIED = Setting("tried", TRIED_DEEDS, tasks=2, tried=True)
TWO_EPICS = Setting("two epics", NEIGHBOURS_DEEDS, tasks=2, epics=2)
SCARCE = Setting("scarce", SCARCE_DEEDS, UNSTEADY, tasks=2, scarce=True)
GUARDED = Setting("guarded", GUARDED_DEEDS, tasks=2, guarded=True)
REVIEWED = Setting("reviewed", REVIEWED_DEEDS, UNSTEADY, tasks=2, smooth=True, races=0.1, queue=0.3, reviewed=True)
STRANGE = Setting("strange", STRANGE_DEEDS, strange=True)
EVERY = 6
"""One world of so many is a special one: those with this remainder."""
REMAINDER = 4
SELDOM = {
    (1, 9): UNTIDY,
    (1, 2): SCARCE,
    (1, 4): LONE,
    (1, 6): LONE_MERGING,
    (2, 4): REVIEWED,
    (2, 9): TAKING,
    (3, 6): STRANGE,
    (3, 9): LEAVING,
    (5, 9): WRONG_CLOCKS,
    (5, 4): TRIED,
    (3, 4): TWO_EPICS,
    (0, 9): GUARDED,
}
"""Of ten that would be ordinary with this remainder, the one of this place; so all others are what they always were."""


def setting_of(seed: int) -> Setting:
    """The setting of a story."""
    place, left = divmod(seed, EVERY)
    if left == REMAINDER:
        return SPECIAL[place % len(SPECIAL)]
    return SELDOM.get((left, place % 10), ORDINARY)
