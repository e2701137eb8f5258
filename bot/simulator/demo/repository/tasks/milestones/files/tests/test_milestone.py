"""The next milestone."""

from __future__ import annotations

from tests.support import AppTest
from youlab.panels import milestone


class MilestoneTest(AppTest):
    def test_it_says_how_far_the_next_one_is(self) -> None:
        self.assertEqual(milestone.words(0), "7 to go until 7 days.")
        self.assertEqual(milestone.words(8), "22 to go until 30 days.")

    def test_the_day_itself_is_praised(self) -> None:
        self.assertEqual(milestone.words(30), "30 days: well done!")

    def test_beyond_the_last_there_is_none(self) -> None:
        self.assertEqual(milestone.words(101), "There is no milestone left to reach.")

    def test_the_dashboard_shows_it(self) -> None:
        self.log_in()
        self.assertIn("<p>7 to go until 7 days.</p>", self.browser.get("/dashboard").text)
