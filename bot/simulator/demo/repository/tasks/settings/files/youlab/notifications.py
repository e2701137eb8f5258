"""What a user wants to be told about. The preferences are kept here; nothing is sent yet."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass

from youlab import settings
from youlab.settings import Setting

ON_OFF = ("on", "off")


@dataclass(frozen=True)
class Preference:
    """A kind of notification and the words for it."""

    setting: Setting
    label: str


PREFERENCES = (
    Preference(Setting("notify_reply", ON_OFF, "on"), "The tutor has answered"),
    Preference(Setting("notify_reminder", ON_OFF, "off"), "No session for three days"),
    Preference(Setting("notify_weekly", ON_OFF, "off"), "A summary of the week"),
)


def wanted(connection: sqlite3.Connection, user_id: int) -> set[str]:
    """The names of the notifications that this user wants."""
    every = (preference.setting for preference in PREFERENCES)
    return {setting.name for setting in every if settings.read(connection, user_id, setting) == "on"}


def choose(connection: sqlite3.Connection, user_id: int, names: Collection[str]) -> None:
    """Want exactly the notifications that are named; unknown names are ignored."""
    every = (preference.setting for preference in PREFERENCES)
    settings.write(connection, user_id, [(setting, "on" if setting.name in names else "off") for setting in every])
