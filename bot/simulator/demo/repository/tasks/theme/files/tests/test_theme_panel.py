"""Choosing a theme."""

from __future__ import annotations

from tests.support import AppTest


class ThemePanelTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def test_a_choice_is_kept_and_shown(self) -> None:
        self.assertIn('value="light" checked', self.browser.get("/settings").text)
        answer = self.browser.post("/settings/theme", theme="dark")
        self.assertEqual(answer.location, "/settings?saved=1")
        text = self.browser.get("/settings").text
        self.assertIn('value="dark" checked', text)
        self.assertIn('data-theme="dark"', text)

    def test_an_unknown_theme_is_refused(self) -> None:
        for name in ("neon", ""):
            self.assertEqual(self.browser.post("/settings/theme", theme=name).status, 400)
        self.assertIn('data-theme="light"', self.browser.get("/settings").text)
