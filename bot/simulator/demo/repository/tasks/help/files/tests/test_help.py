"""The page of help."""

from __future__ import annotations

from tests.support import AppTest


class HelpTest(AppTest):
    def test_it_says_what_a_streak_is(self) -> None:
        self.log_in()
        self.assertIn("<dt>Streak</dt>", self.browser.get("/help").text)
