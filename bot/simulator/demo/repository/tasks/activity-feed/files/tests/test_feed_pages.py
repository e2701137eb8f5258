"""The feed on the dashboard and on its own page."""

from __future__ import annotations

from datetime import timedelta

from tests.support import AppTest
from youlab import conversations


class FeedPagesTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.log_in()

    def test_without_conversations_both_say_so(self) -> None:
        for path in ("/dashboard", "/activity"):
            self.assertIn("You have not started a conversation yet.", self.browser.get(path).text)

    def test_the_dashboard_shows_five_and_the_page_all(self) -> None:
        for number in range(8):
            begin = self.now - timedelta(days=number)
            conversations.start(self.connection, self.user.id, f"Topic {number}", begin)
        self.assertEqual(self.browser.get("/dashboard").text.count(">Topic "), 5)
        self.assertEqual(self.browser.get("/activity").text.count(">Topic "), 8)

    def test_an_entry_leads_to_its_conversation(self) -> None:
        number = conversations.start(self.connection, self.user.id, "Fractions", self.now)
        self.assertIn(f'href="/conversation?id={number}"', self.browser.get("/dashboard").text)
        self.assertIn("<h1>Fractions</h1>", self.browser.get(f"/conversation?id={number}").text)
