"""Whom the first message of a TLS connection speaks to (RFC 8446, section 4.1.2; RFC 6066, section 3).

A tunnel to an allowed host could ask the machines there for another one of their customers. So its first bytes must be
a ClientHello that names the very host, in the open.
"""

from bot.runs.egress.log import NotAllowedError, Reason

LONGEST = 16 << 10
_HANDSHAKE, _CLIENT_HELLO, _HOST_NAME = 22, 1, 0
_SERVER_NAME, _ENCRYPTED_HELLO = 0, 0xFE0D


class _Reader:
    """Reads numbers and vectors off the front of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def take(self, count: int) -> bytes:
        if len(self.left) < count:
            raise _ShortError
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        return self.take(self.number(size))


class _ShortError(Exception):
    """There are not enough bytes."""


def server_name(data: bytes) -> str | None:
    """Return the server name in the ClientHello that `data` begins with, or None when more bytes are needed.

    Raises:
        NotAllowedError: it is no ClientHello, or one that hides whom it speaks to.
    """
    message = _handshake(data)
    if message is None:
        return None
    try:
        return _name(message)
    except _ShortError:
        raise NotAllowedError(Reason.SERVER_NAME, "the TLS greeting is damaged") from None


def _handshake(data: bytes) -> bytes | None:
    """The body of the first handshake message, which may be spread over several records."""
    records, message = _Reader(data), b""
    while True:
        if records.left[:1] not in (b"", bytes([_HANDSHAKE])):
            raise NotAllowedError(Reason.SERVER_NAME, "only TLS goes through a tunnel")
        try:
            records.take(3)
            message += records.vector(2)
        except _ShortError:
            if len(data) >= LONGEST:
                raise NotAllowedError(Reason.SERVER_NAME, "the TLS greeting is too long") from None
            return None
        if message[:1] not in (b"", bytes([_CLIENT_HELLO])):
            raise NotAllowedError(Reason.SERVER_NAME, "a tunnel begins with a TLS greeting")
        if len(message) >= 4 and len(message) - 4 >= int.from_bytes(message[1:4], "big"):
            return message[4 : 4 + int.from_bytes(message[1:4], "big")]


def _name(hello: bytes) -> str:
    body = _Reader(hello)
    body.take(2 + 32)  # version, random
    body.vector(1)  # session
    body.vector(2)  # ciphers
    body.vector(1)  # compressions
    extensions = _Reader(body.vector(2))
    names: list[str] = []
    while extensions.left:
        kind, content = extensions.number(2), _Reader(extensions.vector(2))
        if kind == _ENCRYPTED_HELLO:
            raise NotAllowedError(Reason.SERVER_NAME, "a TLS greeting that is encrypted does not go through")
        if kind == _SERVER_NAME:
            entries = _Reader(content.vector(2))
            while entries.left:
                if entries.number(1) != _HOST_NAME:
                    raise NotAllowedError(Reason.SERVER_NAME, "the TLS greeting names something that is no host")
                names.append(entries.vector(2).decode("ascii", "replace").lower())
    if len(names) != 1:
        raise NotAllowedError(Reason.SERVER_NAME, "the TLS greeting names no host, or several")
    return names[0]
