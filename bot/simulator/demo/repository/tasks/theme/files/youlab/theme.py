"""Light or dark: the theme that a user has chosen."""

from __future__ import annotations

from youlab import settings
from youlab.settings import Setting
from youlab.web import Request

THEME = Setting("theme", ("light", "dark"), "light")


def current(request: Request) -> str:
    """The theme to show: the user's, and the default before the login."""
    if request.login is None:
        return THEME.default
    return settings.read(request.connection, request.user.id, THEME)
