"""What a host name is: one way of writing it, so that two of them can be compared letter by letter."""

import re

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_NUMBER = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)")


def is_address(name: str) -> bool:
    """Whether programs would take it for an IPv4 address, in whatever spelling (`127.1`, `0x7f.1`, `2130706433`)."""
    return bool(_NUMBER.fullmatch(name.lower().rpartition(".")[2]))


def is_name(name: str) -> bool:
    """Whether it is a whole host name in lower-case ASCII, without the dot at the end."""
    return bool(_NAME.fullmatch(name)) and len(name) <= 253 and not is_address(name)


def host_name(text: str) -> str:
    """Return the name in lower case and ASCII (IDNA), as programs send it.

    Raises:
        ValueError: it is no whole host name.
    """
    try:
        name = text.lower().encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not is_name(name):
        raise ValueError(f"{text!r} is no host name: write it whole, without scheme, port or wildcard")
    return name
