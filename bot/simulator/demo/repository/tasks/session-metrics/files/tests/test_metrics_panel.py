"""The figures on the dashboard."""

from __future__ import annotations

from datetime import timedelta

from tests.support import AppTest
from youlab import conversations


class MetricsPanelTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def test_it_shows_the_figures(self) -> None:
        for days_ago in (1, 30):
            begin = self.now - timedelta(days=days_ago)
            number = conversations.start(self.connection, self.user.id, "Fractions", begin)
            conversations.finish(self.connection, number, begin + timedelta(minutes=12))
        text = self.browser.get("/dashboard").text
        self.assertIn("<dt>Total sessions</dt><dd>2</dd>", text)
        self.assertIn("<dt>Average length</dt><dd>12 min</dd>", text)
        self.assertIn("<dt>Last 7 days</dt><dd>1</dd>", text)

    def test_without_a_finished_session_there_is_no_average(self) -> None:
        self.assertIn("<dt>Average length</dt><dd>–</dd>", self.browser.get("/dashboard").text)
