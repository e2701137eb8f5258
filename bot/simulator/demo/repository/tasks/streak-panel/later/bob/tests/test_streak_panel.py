"""The streak on the dashboard."""

from __future__ import annotations

from datetime import timedelta

from tests.support import AppTest
from youlab import conversations


class StreakPanelTest(AppTest):
    def dashboard(self, *days_ago: int) -> str:
        """What the dashboard shows to ``ada`` who studied on these days."""
        for days in days_ago:
            conversations.start(self.connection, self.user.id, "Fractions", self.now - timedelta(days=days))
        self.log_in()
        return self.browser.get("/dashboard").text

    def test_it_shows_the_streak_and_the_longest(self) -> None:
        text = self.dashboard(9, 8, 7, 1, 0)
        self.assertIn("<b>2</b> days in a row", text)
        self.assertIn("Your longest: 3.", text)

    def test_one_day_is_a_day(self) -> None:
        self.assertIn("<b>1</b> day in a row", self.dashboard(0))

    def test_without_a_streak_it_says_how_to_begin(self) -> None:
        text = self.dashboard(9)
        self.assertIn("Ask something today", text)
        self.assertNotIn("in a row", text)
