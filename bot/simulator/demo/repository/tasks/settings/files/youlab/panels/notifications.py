"""Notification preferences on the settings page."""

from __future__ import annotations

from youlab import notifications
from youlab.layout import form
from youlab.markup import Markup, fill, join
from youlab.panels import Panel
from youlab.web import Request

BOX = '<label class="choice"><input type="checkbox" name="{name}" value="on"{checked}> {label}</label>'


def show(request: Request) -> Markup:
    """A box for each kind of notification."""
    wanted = notifications.wanted(request.connection, request.user.id)
    boxes = (
        fill(
            BOX,
            name=preference.setting.name,
            checked=Markup(" checked" if preference.setting.name in wanted else ""),
            label=preference.label,
        )
        for preference in notifications.PREFERENCES
    )
    return form(request, "/settings/notifications", join(boxes), "Save")


PANEL = Panel(place="settings", title="Notifications", render=show, order=20)
