"""The way out: a proxy that opens tunnels to the hosts that the policy names, and to nothing else.

`proxy` is the door itself, kept by the service, one for each run. `hosts` decides on names and addresses, `hello` reads
whom the first bytes of a tunnel speak to, and `log` keeps what was refused. The last three do no I/O.
"""

from bot.runs.egress.log import Reason, Refusals
from bot.runs.egress.proxy import Door, Network, open_door

__all__ = ["Door", "Network", "Reason", "Refusals", "open_door"]
