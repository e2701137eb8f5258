"""Days in a row."""

from __future__ import annotations

from datetime import timedelta

from tests.support import AppTest
from youlab import auth, conversations, streaks
from youlab.streaks import Streak


class StreaksTest(AppTest):
    def studied(self, *days_ago: int) -> Streak:
        """The streaks of ``ada`` who studied on these days."""
        for days in days_ago:
            conversations.start(self.connection, self.user.id, "Fractions", self.now - timedelta(days=days))
        return streaks.find(self.connection, self.user.id, self.now.date())

    def test_who_never_studied_has_none(self) -> None:
        self.assertEqual(self.studied(), Streak(0, 0))

    def test_days_in_a_row_are_counted_until_today(self) -> None:
        self.assertEqual(self.studied(2, 1, 0), Streak(3, 3))

    def test_a_gap_begins_a_new_streak_and_the_longest_is_kept(self) -> None:
        self.assertEqual(self.studied(9, 8, 7, 1, 0), Streak(2, 3))

    def test_who_studied_yesterday_has_until_midnight_to_go_on(self) -> None:
        self.assertEqual(self.studied(2, 1), Streak(2, 2))

    def test_a_whole_day_without_a_conversation_ends_it(self) -> None:
        self.assertEqual(self.studied(3, 2), Streak(0, 2))

    def test_two_conversations_on_a_day_are_one_day(self) -> None:
        self.assertEqual(self.studied(0, 0), Streak(1, 1))

    def test_nobody_counts_the_days_of_another(self) -> None:
        self.studied(1, 0)
        other = auth.create_user(self.connection, "bob", "builder")
        self.assertEqual(streaks.find(self.connection, other.id, self.now.date()), Streak(0, 0))
