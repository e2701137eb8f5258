"""What chance says about a story before it begins: the house that it happens in, its policy, and how agents do.

Which lot it is depends on the seed alone, as the setting does.
"""

import random
from dataclasses import dataclass
from typing import Any

from bot.policy import Policy
from tests.simulation.linear import TEAM
from tests.simulation.pull_request import NAME, House
from tests.simulation.review_bots import TEAMS
from tests.simulation.setting import ELSEWHERE, PROTECTED, Setting, setting_of
from tests.simulation.worker import ENDS, UNLUCKY

ECHO = ("nothing", "nothing", "nothing", "Comment", "everything")
"""What Linear tells the service of the service's own writes. Somewhere of 1,331 events comments were told and issues
were not, so nobody may depend on it, nor on its absence."""
RULES = ("linear", "keeps", "deletes", "vast")
SCARCE_USD = 4.0
"""What a day may cost where money is scarce, until somebody gives more."""


@dataclass(frozen=True)
class Lot:
    """See the top of this file."""

    setting: Setting
    ends: tuple[str, ...]
    """How agents may end, each as likely as it is named often."""
    tasks: int
    """Tickets of the epic."""
    shared: bool
    """Whether tickets touch the same file, so that they conflict."""
    policy: Policy
    """As it is at the beginning."""
    house: House
    echo: str


def drawn(seed: int) -> Lot:
    """The lot of a story."""
    setting, house = setting_of(seed), random.Random(f"{seed} house")
    tasks = max(house.choice((1, 2, 2, 3)), setting.tasks)
    shared = house.random() < 0.3 and not setting.smooth
    policy = _policy(setting, house)
    echo = random.Random(f"{seed} echo").choice(ECHO)
    return Lot(setting, _ends(seed, setting), tasks, shared, policy, _house(seed, setting, house), echo)


def _ends(seed: int, setting: Setting) -> tuple[str, ...]:
    if setting.scarce:
        return (*ENDS, *("limit",) * 4)
    if setting.smooth:
        return ("well",)
    luck = random.Random(f"{seed} luck").random()
    return UNLUCKY if luck < 0.1 else ("well",) if luck > 0.7 else ENDS  # the smooth ones come to merges


def _policy(setting: Setting, chance: random.Random) -> Policy:
    smooth = setting.smooth
    limits: dict[str, Any] = {
        "workers": chance.choice((1, 2, 3)),
        "open_reviews": 0 if smooth else chance.choice((0, 0, 0, 1)),
    }
    gates: dict[str, Any] = {
        "plan": "auto" if smooth else chance.choice(("auto", "auto", "person")),
        "dependents_start": chance.choice(("code_review", "code_review", "done")),
        "documentation": chance.random() < 0.4,
        "checks_appear_seconds": 30,
    }
    budget: dict[str, float] = {"epic_usd": 100 if smooth else chance.choice((100, 100, 8))}
    if setting.scarce:
        limits |= {"runs_per_ticket": 8, "runs_per_hour": 16}
        budget |= {"day_usd": SCARCE_USD}
    if setting.reviewed:
        gates |= {"review_bots": chance.choice(TEAMS), "review_bot_minutes": chance.choice((2, 20))}
    repositories = [{"name": NAME, "teams": [TEAM]}, {"name": f"{NAME}-other", "label": ELSEWHERE}]
    return Policy.model_validate({
        "repositories": repositories, "limits": limits, "gates": gates, "budget": budget,
        "git": {"protected": [PROTECTED]},
    })  # fmt: skip


def _house(seed: int, setting: Setting, chance: random.Random) -> House:
    methods = chance.choice((("merge", "squash", "rebase"), ("squash",), ("rebase",), ("merge",)))
    return House(
        methods=methods,
        ci=chance.random() < 0.7,
        required=chance.random() < 0.5,
        strict=chance.random() < 0.2,
        review=chance.random() < 0.2,
        queue=chance.random() < setting.queue,
        **_rules(seed, methods),
    )


def _rules(seed: int, methods: tuple[str, ...]) -> dict[str, bool]:
    """What else holds in the repository, as few have it."""
    rules = random.Random(f"{seed} rules")
    found = {name: rules.random() < 0.12 for name in RULES}
    return {**found, "linear": found["linear"] and methods != ("merge",)}
