"""The implementation loop on one's own machine, with no Linear and no GitHub: `callboard plan check` and `plan run`.

The loop itself is the service's (`bot/runs/`); here is only what stands around it: the user's repository, the state
file, what is shown, and one run after the other until it stops.
"""

from bot.local.checking import check
from bot.local.driving import run
from bot.local.settings import Wanted

__all__ = ["Wanted", "check", "run"]
