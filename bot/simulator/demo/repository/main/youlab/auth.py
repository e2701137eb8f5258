"""Users, passwords and logins.

A password is kept as a salted scrypt hash. A login is a random token in a cookie; the database keeps only its
digest, so a copy of the database logs nobody in. Each login has a form token of its own: a POST without it is
refused, so another site can't make a browser send one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

COOKIE = "youlab_login"
LOGIN_LASTS = timedelta(days=14)
SCRYPT_COST = 2**14  # the cost of new hashes; each hash carries its own


class NameTaken(Exception):
    """There is a user of this name already."""


@dataclass(frozen=True)
class User:
    """A person with an account."""

    id: int
    name: str


@dataclass(frozen=True)
class Login:
    """A user on one browser, and the token that this browser's forms must carry."""

    user: User
    form_token: str


def create_user(connection: sqlite3.Connection, name: str, password: str) -> User:
    """Add a user; raises ``NameTaken`` when the name is in use."""
    try:
        with connection:
            added = connection.execute("INSERT INTO users (name, password_hash) VALUES (?, ?)", (name, _hash(password)))
    except sqlite3.IntegrityError as error:
        raise NameTaken(name) from error
    assert added.lastrowid is not None
    return User(added.lastrowid, name)


def log_in(connection: sqlite3.Connection, name: str, password: str, now: datetime) -> str | None:
    """Check a password; return the token for the login cookie, or ``None`` when name or password is wrong."""
    row = connection.execute("SELECT id, password_hash FROM users WHERE name = ?", (name,)).fetchone()
    # A wrong name costs as much time as a wrong password, so the answer's delay tells nothing.
    known = row["password_hash"] if row else _hash("")
    if not _matches(password, known) or row is None:
        return None
    token = secrets.token_urlsafe(32)
    with connection:
        connection.execute("DELETE FROM logins WHERE expires_at <= ?", (now.isoformat(),))
        connection.execute(
            "INSERT INTO logins (token_digest, user_id, form_token, expires_at) VALUES (?, ?, ?, ?)",
            (_digest(token), row["id"], secrets.token_urlsafe(32), (now + LOGIN_LASTS).isoformat()),
        )
    return token


def find_login(connection: sqlite3.Connection, token: str, now: datetime) -> Login | None:
    """Return the login that a cookie's token stands for, unless it is unknown or over."""
    row = connection.execute(
        "SELECT users.id, users.name, logins.form_token FROM logins JOIN users ON users.id = logins.user_id"
        " WHERE logins.token_digest = ? AND logins.expires_at > ?",
        (_digest(token), now.isoformat()),
    ).fetchone()
    return Login(User(row["id"], row["name"]), row["form_token"]) if row else None


def log_out(connection: sqlite3.Connection, login: Login) -> None:
    """End this login; the user's other browsers stay logged in."""
    with connection:
        connection.execute("DELETE FROM logins WHERE form_token = ?", (login.form_token,))


def form_is_genuine(login: Login, form_token: str) -> bool:
    """Whether a form was made for this login."""
    return hmac.compare_digest(login.form_token.encode(), form_token.encode())


def _hash(password: str) -> str:
    salt = secrets.token_bytes(16)
    return f"{SCRYPT_COST}${salt.hex()}${_scrypt(password, salt, SCRYPT_COST).hex()}"


def _matches(password: str, stored: str) -> bool:
    cost, salt, expected = stored.split("$")
    actual = _scrypt(password, bytes.fromhex(salt), int(cost))
    return hmac.compare_digest(actual, bytes.fromhex(expected))


def _scrypt(password: str, salt: bytes, cost: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=cost, r=8, p=1)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
