"""Which names and which addresses a run may reach. Pure: names are looked up elsewhere."""

import ipaddress
from collections.abc import Iterable, Set

from bot.machine.hostname import is_address, is_name
from bot.runs.egress.log import NotAllowedError, Reason

PORT = 443
_NOT_OUTSIDE = tuple(
    ipaddress.ip_network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/3", "168.63.129.16/32"),
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
"""IANA's special-purpose registries, and one cloud's metadata service that has a public address."""
_UNICAST = ipaddress.ip_network("2000::/3")
"""All that is routed in IPv6. Mapped (::ffff/96), NAT64 (64:ff9b::/96), unique local and link-local lie outside."""


def destination(target: str, allow: Set[str]) -> str:
    """Return the name of the host that `target` (`host:port`) asks for.

    Everything that two programs could read differently is refused before the name is compared (security S-35).

    Raises:
        NotAllowedError: it may not be reached.
    """
    if not all("!" <= letter <= "~" for letter in target):
        raise NotAllowedError(Reason.MALFORMED, "a target is printable ASCII, without spaces")
    if found := set(target) & set("@/\\?#%"):
        raise NotAllowedError(Reason.MALFORMED, f"a target holds no {min(found)}: say host:443")
    if target.startswith("["):
        raise NotAllowedError(Reason.ADDRESS, "addresses are not reached, names are")
    host, colon, port = target.lower().partition(":")
    if not colon or ":" in port:
        raise NotAllowedError(Reason.MALFORMED, "a target is one host and one port: say host:443")
    if port != str(PORT):
        raise NotAllowedError(Reason.PORT, f"only port {PORT} is open")
    if host.endswith("."):
        raise NotAllowedError(Reason.NAME, "a name ends without a dot")
    if is_address(host):
        raise NotAllowedError(Reason.ADDRESS, "addresses are not reached, names are")
    if not is_name(host):
        raise NotAllowedError(Reason.NAME, "that is no host name")
    if host not in allow:
        raise NotAllowedError(Reason.UNLISTED, "the policy does not list this host ([network] allow)")
    return host


def outside(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses of a name, in order, when all of them are out in the world.

    Raises:
        NotAllowedError: one of them is here, or near, or hides another; or there is none.
    """
    found = tuple(dict.fromkeys(addresses))
    for text in found:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            raise NotAllowedError(Reason.INSIDE, "the name has an address that nobody understands") from None
        scoped = isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address not in _UNICAST)
        if scoped or any(address in network for network in _NOT_OUTSIDE if network.version == address.version):
            raise NotAllowedError(Reason.INSIDE, "the name leads to an address that is not out in the world")
    if not found:
        raise NotAllowedError(Reason.UNREACHABLE, "the name has no address")
    return found
