"""The settings page."""

from __future__ import annotations

import re

from tests.support import AppTest


class SettingsPageTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def ticked(self) -> list[str]:
        """The names of the boxes that are ticked."""
        return re.findall(r'type="checkbox" name="(\w+)" value="on" checked', self.browser.get("/settings").text)

    def test_it_stands_in_the_menu(self) -> None:
        self.assertIn('<a href="/settings">Settings</a>', self.browser.get("/dashboard").text)

    def test_it_shows_the_defaults(self) -> None:
        self.assertEqual(self.ticked(), ["notify_reply"])

    def test_saving_keeps_what_was_ticked(self) -> None:
        answer = self.browser.post("/settings/notifications", notify_weekly="on", notify_reminder="on")
        self.assertEqual(answer.location, "/settings?saved=1")
        self.assertIn("Saved.", self.browser.get(answer.location).text)
        self.assertEqual(self.ticked(), ["notify_reminder", "notify_weekly"])

    def test_a_forged_form_changes_nothing(self) -> None:
        self.assertEqual(self.browser.post("/settings/notifications", token="forged").status, 403)
        self.assertEqual(self.ticked(), ["notify_reply"])
