"""The feed of conversations."""

from __future__ import annotations

from datetime import timedelta

from tests.support import AppTest
from youlab import auth, conversations, feed


class FeedTest(AppTest):
    def begin(self, title: str, days_ago: int = 0) -> int:
        """Start a conversation of ``ada``."""
        return conversations.start(self.connection, self.user.id, title, self.now - timedelta(days=days_ago))

    def test_the_newest_come_first_and_no_more_than_asked(self) -> None:
        for title, days_ago in (("old", 9), ("new", 1), ("older", 20), ("newest", 0)):
            self.begin(title, days_ago)
        titles = [entry.title for entry in feed.recent(self.connection, self.user.id, 3)]
        self.assertEqual(titles, ["newest", "new", "old"])

    def test_an_entry_has_its_first_message_and_their_number(self) -> None:
        number = self.begin("Fractions")
        for text in ("What is a half?", "Cut an apple."):
            conversations.say(self.connection, number, "user", text, self.now)
        expected = feed.Entry(number, "Fractions", self.now, 2, "What is a half?")
        self.assertEqual(feed.recent(self.connection, self.user.id, 5), [expected])

    def test_the_feed_of_another_is_empty(self) -> None:
        self.begin("Fractions")
        other = auth.create_user(self.connection, "bob", "builder")
        self.assertEqual(feed.recent(self.connection, other.id, 5), [])

    def test_a_listing_escapes_what_people_wrote(self) -> None:
        listing = feed.listing([feed.Entry(1, "<b>", self.now, 1, "<script>")], "nothing")
        self.assertIn("&lt;b&gt;</a>", listing)
        self.assertIn("<p>&lt;script&gt;</p>", listing)
        self.assertIn("14 March 2025, 1 message<", listing)

    def test_a_long_opening_is_cut(self) -> None:
        entry = feed.Entry(1, "Long", self.now, 1, "x" * 500)
        self.assertIn(f"<p>{'x' * (feed.LONGEST_OPENING - 1)}…</p>", feed.listing([entry], "nothing"))
