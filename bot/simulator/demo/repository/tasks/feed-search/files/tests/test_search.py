"""Finding conversations."""

from __future__ import annotations

from datetime import date, datetime

from tests.support import AppTest
from youlab import auth, conversations, feed
from youlab.feed import Search


class SearchTest(AppTest):
    def setUp(self) -> None:
        super().setUp()
        self.talk("Fractions", "2025-03-01T00:00:00", "What is a half of an apple?")
        self.talk("Photosynthesis", "2025-03-05T23:59:59", "Why are leaves green?", "Think of light.")
        self.talk("100% sure?", "2025-03-09T10:00:00", "Odds of snake_case")

    def talk(self, title: str, begin: str, *texts: str) -> None:
        """Add a conversation of ``ada``."""
        moment = datetime.fromisoformat(begin)
        number = conversations.start(self.connection, self.user.id, title, moment)
        for text in texts:
            conversations.say(self.connection, number, "user", text, moment)

    def found(self, search: Search) -> list[str]:
        """The titles that a search finds."""
        return [entry.title for entry in feed.find(self.connection, self.user.id, search, 50)]

    def test_an_empty_search_finds_everything(self) -> None:
        self.assertEqual(self.found(Search("  ")), ["100% sure?", "Photosynthesis", "Fractions"])

    def test_a_word_is_found_in_titles_and_in_messages(self) -> None:
        self.assertEqual(self.found(Search("fraction")), ["Fractions"])
        self.assertEqual(self.found(Search("LIGHT")), ["Photosynthesis"])

    def test_every_word_must_be_there(self) -> None:
        self.assertEqual(self.found(Search("green photosynthesis light")), ["Photosynthesis"])
        self.assertEqual(self.found(Search("green apple")), [])

    def test_signs_that_mean_something_to_sql_are_just_signs(self) -> None:
        self.assertEqual(self.found(Search("%")), ["100% sure?"])
        self.assertEqual(self.found(Search("e_c")), ["100% sure?"])
        self.assertEqual(self.found(Search("' OR 1=1 --")), [])
        self.assertEqual(self.found(Search("!")), [])

    def test_both_days_are_included(self) -> None:
        search = Search(first_day=date(2025, 3, 1), last_day=date(2025, 3, 5))
        self.assertEqual(self.found(search), ["Photosynthesis", "Fractions"])
        self.assertEqual(self.found(Search(first_day=date(2025, 3, 6))), ["100% sure?"])
        self.assertEqual(self.found(Search(last_day=date(2025, 3, 4))), ["Fractions"])

    def test_words_and_days_hold_together(self) -> None:
        self.assertEqual(self.found(Search("apple", first_day=date(2025, 3, 2))), [])

    def test_nobody_finds_the_conversations_of_another(self) -> None:
        other = auth.create_user(self.connection, "bob", "builder")
        self.assertEqual(feed.find(self.connection, other.id, Search("apple"), 50), [])
