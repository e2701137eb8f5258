"""The chart on the dashboard."""

from __future__ import annotations

from datetime import timedelta

from tests.support import AppTest
from youlab import conversations


class ChartPanelTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()
        for days_ago in (0, 0, 10, 60):
            begin = self.now - timedelta(days=days_ago)
            conversations.start(self.connection, self.user.id, "Fractions", begin)

    def test_it_shows_thirty_days(self) -> None:
        text = self.browser.get("/dashboard").text
        self.assertIn("Sessions per day over 30 days, 3 in all", text)
        self.assertIn("<title>14 March: 2 sessions</title>", text)

    def test_another_span_can_be_chosen(self) -> None:
        text = self.browser.get("/dashboard?days=90").text
        self.assertIn("over 90 days, 4 in all", text)
        self.assertIn("<strong>90 days</strong>", text)

    def test_a_span_that_is_not_offered_is_the_usual_one(self) -> None:
        for asked in ("0", "-7", "100000", "x"):
            self.assertIn("over 30 days", self.browser.get(f"/dashboard?days={asked}").text)
