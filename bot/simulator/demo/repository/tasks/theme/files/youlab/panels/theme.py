"""The choice of a theme on the settings page."""

from __future__ import annotations

from youlab import theme
from youlab.layout import form
from youlab.markup import Markup, fill, join
from youlab.panels import Panel
from youlab.web import Request

CHOICE = '<label><input type="radio" name="theme" value="{name}"{checked}> {label}</label>'


def show(request: Request) -> Markup:
    """A button for each theme, the current one chosen."""
    current = theme.current(request)
    choices = (
        fill(CHOICE, name=name, label=name.capitalize(), checked=Markup(" checked" if name == current else ""))
        for name in theme.THEME.choices
    )
    body = fill('<fieldset class="themes">{choices}</fieldset>', choices=join(choices))
    return form(request, "/settings/theme", body, "Save")


PANEL = Panel(place="settings", title="Theme", render=show, order=10)
