"""The search on the activity page."""

from __future__ import annotations

from datetime import timedelta

from tests.support import AppTest
from youlab import conversations


class SearchPageTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()
        for title, days_ago in (("Fractions", 1), ("Recursion", 10)):
            conversations.start(self.connection, self.user.id, title, self.now - timedelta(days=days_ago))

    def test_words_narrow_the_feed(self) -> None:
        text = self.browser.get("/activity?words=recurs").text
        self.assertIn(">Recursion</a>", text)
        self.assertNotIn(">Fractions</a>", text)

    def test_days_narrow_the_feed(self) -> None:
        text = self.browser.get("/activity?words=&from=2025-03-10&to=2025-03-14").text
        self.assertIn(">Fractions</a>", text)
        self.assertNotIn(">Recursion</a>", text)

    def test_the_form_keeps_what_was_asked(self) -> None:
        text = self.browser.get("/activity?words=%22%3E&from=2025-03-10").text
        self.assertIn('name="words" value="&quot;&gt;"', text)
        self.assertIn('name="from" value="2025-03-10"', text)
        self.assertIn("Nothing was found.", text)

    def test_what_is_wrong_with_a_day_is_said(self) -> None:
        text = self.browser.get("/activity?from=yesterday").text
        self.assertIn("yesterday is not a day", text)
        self.assertIn(">Fractions</a>", text)
        text = self.browser.get("/activity?from=2025-03-14&to=2025-03-01").text
        self.assertIn("The first day is after the last.", text)
